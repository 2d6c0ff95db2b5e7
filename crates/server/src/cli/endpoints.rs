//! `mainstay endpoints`: what is asked for predictions.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::at::At;
use super::catalog::{ENDPOINTS, List, Show};
use super::render;
use crate::Failed;
use crate::client::part;
use crate::terminal::say;

#[derive(Debug, Subcommand)]
pub(super) enum Endpoints {
    /// All of them.
    List(List),
    /// One, with its arms, its rollouts and how far its monitor has come.
    Show(Show),
    /// Undo the newest change of what answers: canaries go first, then the champion gives way to the
    /// version before it. A running rollout is aborted.
    Rollback(Rollback),
}

#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The endpoint.
    name: String,
    /// Why; it goes on the record.
    #[arg(long)]
    reason: String,
    /// The revision that you looked at; refused if it has changed since.
    #[arg(long, value_name = "REVISION")]
    expected: Option<u64>,
    #[command(flatten)]
    at: At,
}

impl Endpoints {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(ENDPOINTS, json).await,
            Self::Show(show) => show.run(ENDPOINTS, json).await,
            Self::Rollback(rollback) => rollback.run(json).await,
        }
    }
}

impl Rollback {
    async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let client = self.at.connect().await?;
        let path = format!("/api/v1/endpoints/{}/rollback", part(&self.name));
        let done = client.post(&path, &json!({ "reason": self.reason, "expected": self.expected })).await;
        client.close().await;
        let done = done?;
        if json {
            say(done.to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let field = |pointer: &str| done.pointer(pointer).map_or_else(String::new, render::cell);
        say(format!(
            "{} now answers with version {} (revision {})",
            self.name,
            field("/champion/version"),
            field("/revision/number")
        ));
        if done["aborted"].is_string() {
            say(format!("rollout {} was aborted", field("/aborted")));
        }
        Ok(ExitCode::SUCCESS)
    }
}
