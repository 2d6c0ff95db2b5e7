//! `mainstay pipelines put` and `start`: a pipeline that a server keeps, and runs of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::part;
use crate::params::overrides;
use crate::render::cell;
use crate::terminal::say;
use crate::{Failed, Session};

/// The reserved parameter of a run that says where relative paths start, an absolute path.
const ROOT: &str = "pipeline_root";

#[derive(Debug, Args)]
pub struct Put {
    /// The name to keep it under.
    name: String,
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Start {
    /// The pipeline.
    name: String,
    /// A parameter that wins over those of the definition. May be repeated.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// The data time as of which it works, such as 2013-03-01T00:00:00Z.
    #[arg(long)]
    data_time: Option<String>,
    /// Where its relative paths start, on the server's machine; the data directory if left out.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Starting twice under the same key starts one run.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    at: At,
}

impl Put {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let source = std::fs::read_to_string(&self.file).map_err(|e| Failed::file(&self.file, e))?;
        let client = self.at.connect(session).await?;
        let path = format!("/api/v1/pipelines/{}", part(&self.name));
        let kept = client.send(Method::PUT, &path, Some(&Value::String(source))).await;
        client.close().await;
        let kept = kept?;
        if session.json {
            say(kept.to_string());
        } else {
            say(format!("{} is kept, revision {}", cell(&kept["name"]), cell(&kept["revision"])));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Start {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let mut params = overrides(&self.params)?;
        if let Some(root) = &self.root {
            let root = std::fs::canonicalize(root).map_err(|error| Failed::file(root, error))?;
            params.insert(ROOT.to_owned(), Value::from(root.display().to_string()));
        }
        let mut body = json!({ "params": params });
        if let Some(at) = self.data_time {
            body["data_time"] = at.into();
        }
        if let Some(key) = self.idempotency_key {
            body["idempotency_key"] = key.into();
        }
        let client = self.at.connect(session).await?;
        let started = client.post(&format!("/api/v1/pipelines/{}/runs", part(&self.name)), &body).await;
        client.close().await;
        let started = started?;
        if session.json {
            say(started.to_string());
        } else {
            let run = cell(&started["run"]);
            say(format!("run {run}: {}", cell(&started["how"])));
            say(format!("see it with: mainstay pipelines runs --run {run}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}
