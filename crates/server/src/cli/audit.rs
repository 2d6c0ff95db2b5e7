//! `mainstay audit verify`: checks the record, offline or against a running database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_core::event::EventSeq;
use mainstay_governance::audit::{Head, Heads, LogCheck};
use mainstay_store::reader::Reader;
use serde_json::json;

use crate::Failed;
use crate::terminal::say;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Recompute every leaf and the root; name the first event that is not what it was.
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The data directory.
    #[arg(default_value = "./mainstay-data")]
    directory: PathBuf,
    /// A PostgreSQL database instead.
    #[arg(long, env = "MAINSTAY_DB", hide_env_values = true)]
    db: Option<String>,
}

/// Events read at once.
const PAGE: usize = 1_000;

impl Audit {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let Self::Verify(verify) = self;
        verify.run(json).await
    }
}

impl Verify {
    async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let log = match &self.db {
            Some(url) => Reader::open_postgres(url)?,
            None => Reader::open_sqlite(&self.directory),
        };
        let frontier = log.frontier().await?;
        let stored = Head {
            size: frontier.size(),
            root: frontier.root(),
            time: mainstay_core::time::MachineTime::MIN,
        };
        let mut check = LogCheck::new(Heads { stored: Some(stored), ..Heads::default() });
        let mut after = EventSeq(0);
        loop {
            let rows = log.audit_rows(after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in &rows {
                check.row(row);
            }
        }
        let report = check.finish();
        let sound = report.is_good();
        if json {
            let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
            say(json!({ "events": report.events, "root": report.root.to_string(), "sound": sound, "faults": faults }).to_string());
        } else if sound {
            say(format!("{} events, all as they were recorded; root {}", report.events, report.root));
        } else {
            report.faults.iter().for_each(|fault| say(fault.to_string()));
        }
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
