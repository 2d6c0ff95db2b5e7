//! `mainstay pipelines`: definitions, their runs, and what the steps said.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::at::At;
use crate::catalog::{List, PIPELINES, Show};
use crate::client::{Client, part};
use crate::pipeline_start::{Put, Start};
use crate::render::{self, Column};
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Pipelines {
    /// All that are kept under a name.
    List(List),
    /// One, with its text.
    Show(Show),
    /// Keep a definition under a name: for policies, triggers, and runs on a server.
    Put(Put),
    /// Start a run of one that is kept. A server carries it out, now or as soon as one is up.
    Start(Start),
    /// Runs, the newest first, of one pipeline or all; or one run with its steps, by --run alone.
    Runs(Runs),
    /// What a step of a run wrote.
    Logs(Logs),
}

#[derive(Debug, Args)]
pub struct Runs {
    /// Only of this pipeline.
    pipeline: Option<String>,
    /// Only in these states, with commas between: waiting, running, succeeded, failed, cancelled.
    #[arg(long)]
    state: Option<String>,
    /// One run, by its id.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["pipeline", "state"])]
    run: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// The run.
    run: String,
    /// The step.
    step: String,
    /// Which attempt; the last if left out.
    #[arg(long)]
    attempt: Option<u32>,
    /// Go on until the attempt has ended.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    at: At,
}

const RUNS: &[Column] = &[
    ("run", "/id"),
    ("pipeline", "/pipeline"),
    ("state", "/state"),
    ("cause", "/cause/kind"),
    ("author", "/author"),
    ("created", "/created"),
    ("finished", "/finished"),
];
const STEPS: &[Column] = &[
    ("step", "/name"),
    ("state", "/state"),
    ("attempt", "/attempt"),
    ("ended", "/ended"),
    ("reason", "/reason"),
];

/// How often a log that is followed is looked at again.
const PAUSE: Duration = Duration::from_millis(300);

impl Pipelines {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(PIPELINES, session).await,
            Self::Show(show) => show.run(PIPELINES, session).await,
            Self::Put(put) => put.run(session).await,
            Self::Start(start) => start.run(session).await,
            Self::Runs(runs) => runs.run(session).await,
            Self::Logs(logs) => logs.run(session).await,
        }
    }
}

impl Runs {
    async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let client = self.at.clone().connect(session).await?;
        let found = self.find(&client).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else if let Some(items) = found["items"].as_array() {
            render::table(items, RUNS);
        } else {
            let title = ["/pipeline", "/state", "/id"]
                .map(|at| found.pointer(at).map_or_else(String::new, render::cell));
            say(title.join(" · "));
            render::table(found["steps"].as_array().map_or(&[], Vec::as_slice), STEPS);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn find(&self, client: &Client) -> Result<Value, Failed> {
        if let Some(run) = &self.run {
            return client.get(&format!("/api/v1/pipeline-runs/{}", part(run))).await;
        }
        let filters = [("pipeline", &self.pipeline), ("state", &self.state)];
        let query =
            filters.iter().filter_map(|(key, value)| Some(format!("{key}={}", part(value.as_ref()?))));
        let query = query.collect::<Vec<_>>().join("&");
        let path = format!("/api/v1/pipeline-runs?{query}");
        Ok(json!({ "items": client.list(path.trim_end_matches('?'), self.limit as usize).await? }))
    }
}

impl Logs {
    async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let client = self.at.clone().connect(session).await?;
        let done = self.print(&client, session).await;
        client.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }

    async fn print(&self, client: &Client, session: Session<'_>) -> Result<(), Failed> {
        let path = format!("/api/v1/pipeline-runs/{}/steps/{}/log", part(&self.run), part(&self.step));
        let attempt = self.attempt.map_or_else(String::new, |attempt| format!("&attempt={attempt}"));
        let (mut from, mut all) = (0, String::new());
        loop {
            let log = client.get(&format!("{path}?from={from}{attempt}")).await?;
            let text = log["text"].as_str().unwrap_or_default();
            if session.json {
                all.push_str(text);
            } else {
                let mut out = std::io::stdout().lock();
                // A reader that has gone away (`| head`) is no error, and there is no use in going on.
                if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
                    return Ok(());
                }
            }
            let next = log["next"].as_u64().unwrap_or(from);
            let is_end = next == from;
            from = next;
            if is_end && (log["ended"] == true || !self.follow) {
                if session.json {
                    say(json!({ "text": all, "attempt": log["attempt"], "ended": log["ended"] }).to_string());
                }
                return Ok(());
            }
            if is_end {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
