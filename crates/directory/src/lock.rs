//! One process has a data directory open at a time.

use std::fs::File;
use std::path::Path;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::failed::Failed;
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Another process has the data directory open.
#[derive(Debug, Error)]
#[error(
    "another Mainstay has {0} open; stop it, or leave the work to it: most commands ask a server that has it open, and `mainstay pipelines put` and `start` run pipelines there"
)]
pub struct InUse(String);

impl Coded for InUse {
    fn code(&self) -> ErrorCode {
        ErrorCode::WrongState
    }
}

/// An advisory lock (`flock(2)`) on the file `lock` in a data directory. The kernel lets go of it when
/// the process ends, in whatever way.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock, or says that somebody else has it.
    pub fn take(root: &Path) -> Result<Self, Failed> {
        let path = root.join("lock");
        let file = File::create(&path).map_err(|error| Failed::file(root, error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(_) => Err(InUse(root.display().to_string()).into()),
        }
    }
}
