//! One process has a data directory open at a time.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// An advisory lock (`flock(2)`) on the file `lock` in a data directory. The kernel lets go of it when
/// the process ends, in whatever way.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock, or says that somebody else has it.
    pub(crate) fn take(root: &Path) -> Result<Self, crate::Failed> {
        let path = root.join("lock");
        let file = File::create(&path).map_err(|error| crate::Failed::directory(root, error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(_) => Err(crate::Failed::Busy(root.display().to_string())),
        }
    }
}
