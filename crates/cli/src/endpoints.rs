//! `mainstay endpoints`: what is asked for predictions.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::at::At;
use crate::catalog::{ENDPOINTS, List, Show};
use crate::client::part;
use crate::render;
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Endpoints {
    /// All of them.
    List(List),
    /// One, with its arms, its rollouts and how far its monitor has come.
    Show(Show),
    /// Undo the newest change of what answers: canaries go first, then the champion gives way to the
    /// version before it. A running rollout is aborted.
    Rollback(Rollback),
}

#[derive(Debug, Args)]
pub struct Rollback {
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
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(ENDPOINTS, session).await,
            Self::Show(show) => show.run(ENDPOINTS, session).await,
            Self::Rollback(rollback) => rollback.run(session).await,
        }
    }
}

impl Rollback {
    async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let client = self.at.connect(session).await?;
        let path = format!("/api/v1/endpoints/{}/rollback", part(&self.name));
        let done = client.post(&path, &json!({ "reason": self.reason, "expected": self.expected })).await;
        client.close().await;
        let done = done?;
        if session.json {
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
