//! The command line of a Mainstay that runs: commands that are clients of its HTTP API and know nothing else of it.
//!
//! A command talks to a server over a socket. Where nobody has the data directory open, it talks to the same API in
//! its own process, through the port [`Local`], which the program that opens data implements. What a command prints
//! is a result, on standard output, in the words of [`docs/reference/cli.md`]; how the program ends is in [`Exit`].
//!
//! To add a command: a module with its arguments and a `run(self, session)`, its variant of [`Command`], its line in
//! [`docs/reference/cli.md`].
//!
//! [`docs/reference/cli.md`]: ../../../docs/reference/cli.md

mod approve;
mod at;
mod catalog;
mod client;
mod completion;
mod credential;
mod endpoints;
mod exit;
mod experiments;
mod local;
mod model_ref;
mod models;
mod monitors;
mod near;
mod params;
mod pipeline_start;
mod pipelines;
mod prompts;
mod purge;
mod quotas;
mod render;
mod report;
mod retention;
mod runs;
pub mod terminal;
mod token;
mod traces;
mod users;
mod why;

use std::process::ExitCode;

use clap::Subcommand;
pub use mainstay_core::failed::Failed;

pub use self::at::{DataArgs, token};
pub use self::completion::Completion;
pub use self::exit::Exit;
pub use self::local::{Conversation, LONGEST_ANSWER, Local, Missing, Opened};
pub use self::params::overrides;
pub use self::report::{misuse, report};

use self::approve::Approve;
use self::catalog::Catalog;
use self::endpoints::Endpoints;
use self::experiments::Experiments;
use self::models::Models;
use self::monitors::Monitors;
use self::pipelines::Pipelines;
use self::prompts::Prompts;
use self::purge::Purge;
use self::quotas::Quotas;
use self::retention::Retention;
use self::runs::Runs;
use self::token::Token;
use self::traces::Traces;
use self::users::Users;
use self::why::Why;

/// What all commands are given.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Whether results are printed as JSON.
    pub json: bool,
    /// Who opens data that no server has open.
    pub local: &'a dyn Local,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// How a version came to be: data, features, run, gates, approvals, rollout.
    Why(Why),
    /// Runs of experiments.
    #[command(subcommand)]
    Runs(Runs),
    /// Experiments, in which runs are.
    #[command(subcommand)]
    Experiments(Experiments),
    /// Registered models and their versions.
    #[command(subcommand)]
    Models(Models),
    /// Prompts and the texts of their versions.
    #[command(subcommand)]
    Prompts(Prompts),
    /// Traces, and where their time went.
    #[command(subcommand)]
    Traces(Traces),
    /// Endpoints: what answers, and going back.
    #[command(subcommand)]
    Endpoints(Endpoints),
    /// Pipelines, their runs and logs.
    #[command(subcommand)]
    Pipelines(Pipelines),
    /// Datasets and their versions.
    #[command(subcommand)]
    Datasets(Catalog),
    /// Feature definitions.
    #[command(subcommand)]
    Features(Catalog),
    /// Monitors of endpoints, and their alarms.
    #[command(subcommand)]
    Monitors(Monitors),
    /// Decide on what waits for a person.
    Approve(Approve),
    /// Delete things for good, with their artifacts.
    Purge(Purge),
    /// Rules by which things are purged as time goes on.
    #[command(subcommand)]
    Retention(Retention),
    /// How much a workspace may have.
    #[command(subcommand)]
    Quotas(Quotas),
    /// Tokens that programs show to a server.
    #[command(subcommand)]
    Token(Token),
    /// People who log in with a name and a password.
    #[command(subcommand)]
    Users(Users),
}

impl Command {
    /// Does it.
    pub async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::Why(why) => why.run(session).await,
            Self::Runs(runs) => runs.run(session).await,
            Self::Experiments(experiments) => experiments.run(session).await,
            Self::Prompts(prompts) => prompts.run(session).await,
            Self::Traces(traces) => traces.run(session).await,
            Self::Models(models) => models.run(session).await,
            Self::Endpoints(endpoints) => endpoints.run(session).await,
            Self::Pipelines(pipelines) => pipelines.run(session).await,
            Self::Datasets(datasets) => datasets.run(catalog::DATASETS, session).await,
            Self::Features(features) => features.run(catalog::FEATURES, session).await,
            Self::Monitors(monitors) => monitors.run(session).await,
            Self::Approve(approve) => approve.run(session).await,
            Self::Purge(purge) => purge.run(session).await,
            Self::Retention(retention) => retention.run(session).await,
            Self::Quotas(quotas) => quotas.run(session).await,
            Self::Token(token) => token.run(session).await,
            Self::Users(users) => users.run(session).await,
        }
    }
}
