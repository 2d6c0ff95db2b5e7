//! `mainstay restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mainstay_directory::backup::restore;
use serde_json::json;

use super::reachable;
use crate::Failed;
use crate::terminal::{note, say};

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup, as `mainstay backup` wrote it.
    backup: PathBuf,
    /// The data directory to make; must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The PostgreSQL database that belongs to the backup, restored already: it is checked, too.
    #[arg(long, env = "MAINSTAY_DB", hide_env_values = true)]
    db: Option<String>,
}

impl Restore {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        reachable(self.db.as_deref()).await?;
        let restored = restore(&self.backup, &self.data, self.db.as_deref()).await?;
        let (manifest, data) = (&restored.manifest, self.data.display());
        let events = restored.report.as_ref().map(|report| report.events);
        if json {
            let root = restored.report.as_ref().map(|report| report.root.to_string());
            say(json!({"files": manifest.files.len(), "events": events, "root": root}).to_string());
        } else {
            say(format!("{} files in {data}, all as they were backed up", manifest.files.len()));
        }
        match events {
            Some(events) if !json => say(format!("{events} events, all as they were recorded")),
            Some(_) => {}
            None => note(
                "the record itself is in PostgreSQL: restore it with pg_restore, then check it with \
                 'mainstay audit verify --db'",
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}
