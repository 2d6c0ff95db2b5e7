//! The list of what a backup holds, with digests.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::failed::Failed;
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Its name in the backup's folder.
pub(super) const MANIFEST_FILE: &str = "manifest.json";
/// Longest manifest that is read.
const MAX_MANIFEST: u64 = 1 << 30;
/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

/// Where the record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// In a file of the backup.
    Sqlite,
    /// In a PostgreSQL database, which its own tools back up.
    Postgresql,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFile {
    /// Relative to the data directory, with `/`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`Manifest::FORMAT`].
    pub format: String,
    /// When it was begun, in microseconds since the Unix epoch.
    pub created: MachineTime,
    /// Where the record is.
    pub database: DatabaseKind,
    /// How many events the record held; of PostgreSQL, when the backup began.
    pub events: u64,
    /// The root of their tree.
    pub root: Digest,
    /// Whether the signing keys are in it.
    pub with_keys: bool,
    /// Every file, by path.
    pub files: Vec<StoredFile>,
}

/// There is nothing to restore.
#[derive(Debug, Error)]
#[error("there is no backup at {0}: a folder that `mainstay backup` has finished holds a {MANIFEST_FILE}")]
struct NoBackup(String);

impl Coded for NoBackup {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

impl Manifest {
    /// The format that this program writes and reads.
    pub const FORMAT: &str = "mainstay-backup-1";

    /// Writes it into the backup's folder, durably.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failed> {
        let path = folder.join(MANIFEST_FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|e| Failed::outside("writing the manifest", e))?;
        let draft = folder.join("manifest.new");
        let written = || {
            let mut file = File::create_new(&draft)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(folder)?.sync_all()
        };
        written().map_err(|error| Failed::file(&path, error))
    }

    /// Reads it from a backup's folder. What it says was written by others: see [`StoredFile::relative`].
    pub(super) fn read(folder: &Path) -> Result<Self, Failed> {
        let path = folder.join(MANIFEST_FILE);
        let failed = |error| Failed::file(&path, error);
        let mut text = Vec::new();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NoBackup(folder.display().to_string()).into());
            }
            file => file.map_err(failed)?,
        };
        file.take(MAX_MANIFEST).read_to_end(&mut text).map_err(failed)?;
        let wrong =
            |why: String| Failed::Usage(format!("{} is no manifest of a backup: {why}", path.display()));
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.format != Self::FORMAT {
            return Err(wrong(format!("its format is {:?}, not {:?}", manifest.format, Self::FORMAT)));
        }
        Ok(manifest)
    }
}

impl StoredFile {
    /// Reads a file that lies in the folder already.
    pub(super) fn read(folder: &Path, relative: &Path) -> Result<Self, Failed> {
        let path = folder.join(relative);
        let copied = File::open(&path).and_then(|mut file| copy_hashing(&mut file, &mut io::sink()));
        let (bytes, digest) = copied.map_err(|error| Failed::file(&path, error))?;
        Ok(Self { path: relative.to_string_lossy().into_owned(), bytes, digest })
    }

    /// The path, if it stays below the folder that it is relative to.
    pub(super) fn relative(&self) -> Result<PathBuf, Failed> {
        let path = PathBuf::from(&self.path);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if plain && !self.path.is_empty() {
            return Ok(path);
        }
        Err(Failed::Usage(format!("the manifest names {:?}, which leads out of the backup", self.path)))
    }
}

/// Copies all bytes. Gives their number and digest.
pub(super) fn copy_hashing(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, Digest)> {
    let mut buffer = vec![0; CHUNK];
    let (mut bytes, mut hasher) = (0, Sha256::new());
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, Digest::from_bytes(hasher.finalize().into()))),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let chunk = buffer.get(..length).unwrap_or_default();
        hasher.update(chunk);
        to.write_all(chunk)?;
        bytes += length as u64;
    }
}
