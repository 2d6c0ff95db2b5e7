//! Deliveries to a receiver that listens, from the record in a database.
#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a failure is a panic")]

mod delivery;
mod mlflow;
mod receiver;
mod record;
