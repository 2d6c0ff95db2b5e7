//! The open log: appends are whole or not there.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use mainstay_core::error::{Cause, StorageError};

use super::OnlineError;
use super::format::{HEADER, header};

/// The log of the present generation.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Where the last whole append ended.
    length: u64,
    /// Set when the file's state is not known any more; only opening the store anew helps.
    broken: bool,
}

impl Journal {
    /// Makes an empty log, durable with its name.
    pub(super) fn create(path: &Path) -> Result<Self, OnlineError> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(&header())?;
        file.sync_all()?;
        sync_parent(path)?;
        Ok(Self { file, length: HEADER as u64, broken: false })
    }

    /// Goes on behind `length` bytes; what lies beyond is cut off.
    pub(super) fn resume(path: &Path, length: u64) -> Result<Self, OnlineError> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { file, length, broken: false })
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Appends bytes, and waits for the disk if asked. After an error nothing of them is there.
    pub(super) fn append(&mut self, bytes: &[u8], sync: bool) -> Result<(), OnlineError> {
        if self.broken {
            return Err(broken());
        }
        let done =
            self.file.write_all(bytes).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = done {
            // A failed sync leaves it open which bytes are on the disk: cutting them off keeps the file
            // and the memory in step, and if even that fails nothing more is written.
            let cut =
                self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            self.broken = cut.is_err();
            return Err(error.into());
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Lets nothing more be appended.
    pub(super) const fn close(&mut self) {
        self.broken = true;
    }

    /// Waits until everything appended is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), OnlineError> {
        if self.broken {
            return Err(broken());
        }
        Ok(self.file.sync_data()?)
    }
}

fn broken() -> OnlineError {
    let cause = Cause::from("the log of the online feature store could not be repaired after a failed write");
    OnlineError::Storage(StorageError::Unavailable(cause))
}

/// Makes the entry of a file in its directory durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), OnlineError> {
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
