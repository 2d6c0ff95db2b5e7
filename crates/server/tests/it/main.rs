//! The program as its users meet it: real processes, real data, real kills.
#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a failure is a panic")]

mod app;
mod artifacts;
mod catalog;
mod command_line;
mod console_levels;
mod demo;
mod demonstration;
mod endpoints;
mod exit_codes;
mod flights;
mod from_the_terminal;
mod gateway;
mod graphql;
mod init;
mod init_files;
mod labels;
mod materialise;
mod metering;
mod mlflow_routes;
mod mlflow_webhooks;
mod named_by;
mod pipelines;
mod program;
mod record;
mod retention;
mod routes;
mod runs;
mod traces;
mod triggers;
mod users;
