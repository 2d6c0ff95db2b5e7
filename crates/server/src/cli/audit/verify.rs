//! `mainstay audit verify`: offline, or against a running database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mainstay_directory::keys::{public_key, public_keys};
use mainstay_directory::record_check::{check_log, stored_head};
use mainstay_governance::audit::{Heads, Report, SignedHead, StateReport};
use mainstay_store::reader::Reader;
use serde_json::{Value, json};

use super::Record;
use crate::Failed;
use crate::terminal::{note, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    record: Record,
    /// Replay the events, and compare aliases, gate reports, approvals, endpoints, grants and tokens.
    #[arg(long)]
    state: bool,
    /// A head kept elsewhere, as `mainstay audit head` printed it: the log must continue it.
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The public key whose signatures count, instead of those in the data directory.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Verify {
    pub(super) const fn with_state(record: Record) -> Self {
        Self { record, state: true, head: None, key: None }
    }

    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let log = self.record.open().await?;
        let heads = self.heads(&log).await?;
        let report = check_log(&log, heads).await?;
        let state = if self.state { Some(log.check_state().await?) } else { None };
        let sound = report.is_good() && state.as_ref().is_none_or(StateReport::is_good);
        if json {
            say(as_json(&report, state.as_ref(), sound).to_string());
        } else {
            show(&report, state.as_ref());
        }
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What the log must agree with.
    async fn heads(&self, log: &Reader) -> Result<Heads, Failed> {
        let keys = match &self.key {
            Some(path) => vec![public_key(path)?],
            None => public_keys(&self.record.keys())?,
        };
        let external = self.head.as_deref().map(read_head).transpose()?;
        if external.is_some() && keys.is_empty() {
            let text = "there is no public key to check the head with; name its file with --key";
            return Err(Failed::Usage(text.into()));
        }
        let signed = log.signed_heads(usize::MAX >> 1).await?;
        // With a key of the caller's choice, only heads of that key are looked at: others are not proof.
        let counts = |head: &SignedHead| self.key.is_none() || keys.iter().any(|key| key.id() == head.key);
        let signed: Vec<_> = signed.into_iter().filter(counts).collect();
        if keys.is_empty() && !signed.is_empty() {
            note("there is no public key here, so the signed heads beside the log are not looked at");
        }
        let signed = if keys.is_empty() { Vec::new() } else { signed };
        Ok(Heads { signed, external, keys, ..stored_head(log).await? })
    }
}

fn read_head(path: &std::path::Path) -> Result<SignedHead, Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| Failed::file(path, error))?;
    let wrong =
        |_| Failed::Usage(format!("{} holds no head; write one with 'mainstay audit head'", path.display()));
    serde_json::from_str(&text).map_err(wrong)
}

fn show(report: &Report, state: Option<&StateReport>) {
    report.faults.iter().for_each(|fault| say(fault.to_string()));
    if report.is_good() {
        say(format!("{} events, all as they were recorded; root {}", report.events, report.root));
        if report.proven > 0 {
            say(format!("signed up to event {}", report.proven));
        }
    }
    let Some(state) = state else { return };
    state.differences.iter().for_each(|difference| say(difference.to_string()));
    if state.is_good() {
        let rows: u64 = state.rows.iter().map(|(_, rows)| rows).sum();
        say(format!("{} tables with {rows} rows are what the events say", state.rows.len()));
    } else {
        say(format!("{} differences between events and tables", state.difference_count));
    }
}

fn as_json(report: &Report, state: Option<&StateReport>, sound: bool) -> Value {
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    let state = state.map(|state| {
        let rows: serde_json::Map<String, Value> =
            state.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        let differences: Vec<_> = state.differences.iter().map(ToString::to_string).collect();
        json!({"sound": state.is_good(), "rows": rows, "difference_count": state.difference_count, "differences": differences})
    });
    json!({
        "events": report.events, "root": report.root.to_string(), "proven": report.proven,
        "sound": sound, "faults": faults, "state": state,
    })
}
