//! `mainstay backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mainstay_directory::artifacts;
use mainstay_directory::backup::{self, DatabaseKind};
use mainstay_governance::policy::Mode;
use serde_json::json;

use super::{DataArgs, environment, reachable};
use crate::Failed;
use crate::terminal::{note, say};

#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    data: DataArgs,
    /// Where to; a directory that is empty or does not exist.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Copy the signing keys too. Who has them can sign heads in your name: keep such a copy safe.
    #[arg(long)]
    with_keys: bool,
}

impl Backup {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        reachable(self.data.db.as_deref()).await?;
        let bucket = artifacts::bucket(&self.data.data)?;
        let backup = backup::Backup {
            data: self.data.data,
            database: self.data.db,
            to: self.to.clone(),
            with_keys: self.with_keys,
            now: environment(Mode::Local).clock.now(),
        };
        let manifest = backup.create().await?;
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let to = self.to.display();
        if json {
            let files = manifest.files.len();
            let root = manifest.root.to_string();
            say(json!({"events": manifest.events, "root": root, "files": files, "bytes": bytes}).to_string());
        } else {
            say(format!("{} files, {bytes} bytes, {} events in {to}", manifest.files.len(), manifest.events));
        }
        if manifest.database == DatabaseKind::Postgresql {
            note("the files only: back up the PostgreSQL database with pg_dump, before the files");
        }
        if let Some(bucket) = bucket {
            let bucket = bucket.uri();
            note(format!(
                "without artifacts and models: they stay in {bucket}; keep its versions, or copy it, after this"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
