//! `mainstay audit`: checks the record, prints its newest head, and rebuilds what follows from it.

mod head;
mod rebuild;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_directory::layout::NoData;
use mainstay_store::database::DATABASE_FILE;
use mainstay_store::reader::Reader;

use super::reachable;
use crate::Failed;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Recompute every leaf and the root; name the first event that is not what it was.
    Verify(verify::Verify),
    /// Print the newest signed head, to be kept where nobody here can change it.
    Head(head::PrintHead),
    /// Delete the tables that follow from the events, and build them anew; no server may run.
    Rebuild(rebuild::Rebuild),
}

impl Audit {
    /// Checks a record with its state, by the keys in its data directory.
    pub(super) const fn of(directory: PathBuf, db: Option<String>) -> Self {
        Self::Verify(verify::Verify::with_state(Record { directory, db }))
    }

    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        match self {
            Self::Verify(verify) => verify.run(json).await,
            Self::Head(head) => head.run().await,
            Self::Rebuild(rebuild) => rebuild.run(json).await,
        }
    }
}

/// Which record.
#[derive(Debug, Args)]
struct Record {
    /// The data directory.
    #[arg(env = "MAINSTAY_DATA", default_value = "./mainstay-data")]
    directory: PathBuf,
    /// A PostgreSQL database instead; keys are still looked for in the data directory.
    #[arg(long, env = "MAINSTAY_DB", hide_env_values = true)]
    db: Option<String>,
}

impl Record {
    /// Opens it for reading; a server may have it open.
    async fn open(&self) -> Result<Reader, Failed> {
        reachable(self.db.as_deref()).await?;
        match &self.db {
            Some(url) => Ok(Reader::open_postgres(url)?),
            None => open_sqlite(&self.directory),
        }
    }

    fn keys(&self) -> PathBuf {
        self.directory.join("keys")
    }
}

/// Opens the database in a data directory for reading.
fn open_sqlite(directory: &Path) -> Result<Reader, Failed> {
    if !directory.join(DATABASE_FILE).exists() {
        return Err(NoData::at(directory).into());
    }
    Ok(Reader::open_sqlite(directory))
}
