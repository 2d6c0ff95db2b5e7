//! Files that appear whole or not at all: written under a temporary name, hashed on the way, synced,
//! and named after their digest when they are published.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::error::unwritten;

/// A file on its way, without a name of its own. Dropped, it is gone.
pub(crate) struct Draft {
    file: BufWriter<NamedTempFile>,
    hasher: Sha256,
    bytes: u64,
}

impl Draft {
    pub(crate) fn new_in(directory: &Path) -> Result<Self, StorageError> {
        let file = NamedTempFile::with_prefix_in(".draft-", directory).map_err(unwritten)?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), hasher: Sha256::new(), bytes: 0 })
    }

    /// Makes the content durable.
    pub(crate) fn seal(self) -> Result<Sealed, StorageError> {
        let file = self.file.into_inner().map_err(|error| unwritten(error.into_error()))?;
        file.as_file().sync_all().map_err(unwritten)?;
        let digest = Digest::from_bytes(self.hasher.finalize().into());
        Ok(Sealed { file, digest, bytes: self.bytes })
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A durable file that has no name yet.
pub(crate) struct Sealed {
    file: NamedTempFile,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
}

impl Sealed {
    /// Names it. The name is durable after [`sync_directory`].
    pub(crate) fn publish(self, path: &Path) -> Result<(), StorageError> {
        self.file.persist(path).map(drop).map_err(|error| unwritten(error.error))
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StorageError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(unwritten)
}
