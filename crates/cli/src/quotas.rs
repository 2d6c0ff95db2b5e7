//! `mainstay quotas`: how much a workspace may have.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use crate::at::At;
use crate::render;
use crate::terminal::say;
use crate::{Failed, Session};

/// How much a workspace may have.
#[derive(Debug, Subcommand)]
pub enum Quotas {
    /// What the workspace may have, and has.
    Show(Show),
    /// Say what the workspace may have, for admins of the server. What is left out is not limited.
    Set(Set),
}

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Set {
    /// So many experiments.
    #[arg(long, value_name = "N")]
    experiments: Option<u64>,
    /// So many runs.
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// So many new traces on one day.
    #[arg(long, value_name = "N")]
    traces_per_day: Option<u64>,
    /// So many bytes of artifacts.
    #[arg(long, value_name = "BYTES")]
    artifact_bytes: Option<u64>,
    #[command(flatten)]
    at: At,
}

const PATH: &str = "/api/v1/quotas";

impl Quotas {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let json = session.json;
        let (at, method, body) = match self {
            Self::Show(Show { at }) => (at, Method::GET, None),
            Self::Set(Set { experiments, runs, traces_per_day, artifact_bytes, at }) => {
                let limits = json!({
                    "experiments": experiments,
                    "runs": runs,
                    "traces_per_day": traces_per_day,
                    "artifact_bytes": artifact_bytes,
                });
                (at, Method::PUT, Some(limits))
            }
        };
        let client = at.connect(session).await?;
        let quota = client.send(method, PATH, body.as_ref()).await;
        client.close().await;
        let quota = quota?;
        if json {
            say(quota.to_string());
        } else {
            render::document(&quota);
        }
        Ok(ExitCode::SUCCESS)
    }
}
