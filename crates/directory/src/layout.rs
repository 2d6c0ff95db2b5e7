//! The data directory: everything that one Mainstay keeps.

use std::io;
use std::path::{Path, PathBuf};

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use thiserror::Error;

/// A directory that holds no data of Mainstay's.
#[derive(Debug, Error)]
#[error(
    "there is no data directory at {0}; name the one that you mean, or make one with 'mainstay up' or 'run'"
)]
pub struct NoData(String);

impl NoData {
    /// None at `path`.
    pub fn at(path: &Path) -> Self {
        Self(path.display().to_string())
    }
}

impl Coded for NoData {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// Where things lie below `--data`.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) const ARTIFACTS: &str = "artifacts";
    /// Names the place of the artifacts, if they are not in this machine's files.
    pub(crate) const ARTIFACTS_URL: &str = "artifacts.url";
    pub(crate) const RUN_INDEX: &str = "run-index";

    /// Creates the directory and its parts where they are missing.
    pub fn create(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let layout = Self { root: std::fs::canonicalize(root)? };
        for part in [layout.artifacts(), layout.tables(), layout.segments(), layout.keys(), layout.work()] {
            std::fs::create_dir_all(part)?;
        }
        Ok(layout)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Run artifacts, as a plain tree.
    pub fn artifacts(&self) -> PathBuf {
        self.root.join(Self::ARTIFACTS)
    }

    /// Parquet files of table versions. Object keys are relative to the root.
    pub fn tables(&self) -> PathBuf {
        self.root.join("tables")
    }

    /// Prediction logs and the online store.
    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// The online feature store.
    pub fn online(&self) -> PathBuf {
        self.segments().join("online")
    }

    /// The index of runs: made again from the record when it is missing.
    pub fn run_index(&self) -> PathBuf {
        self.root.join(Self::RUN_INDEX)
    }

    /// Signing keys. Left out of backups unless asked for.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Working directories of steps; empty when nothing runs.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Where the log of one attempt of a step is kept.
    pub fn step_log(&self, run: PipelineRunId, step: &str, attempt: u32) -> PathBuf {
        self.root.join("logs").join(run.to_string()).join(format!("{step}-{attempt}.log"))
    }

    /// Where queries spill.
    pub fn spill(&self) -> PathBuf {
        self.root.join("work").join("spill")
    }
}
