//! Makes a data directory of a backup.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use mainstay_core::error::StorageError;
use mainstay_core::failed::Failed;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::{Head, Heads, Report};
use mainstay_store::reader::Reader;

use super::make_empty;
use super::manifest::{DatabaseKind, Manifest, StoredFile, copy_hashing};
use crate::keys::public_keys;
use crate::record_check::{check_log, stored_head};

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the backup says.
    pub manifest: Manifest,
    /// The check of the record; absent if it is in PostgreSQL and no address was given.
    pub report: Option<Report>,
}

/// Copies a backup to `data`, which must be empty or not exist, and checks it: every file against its
/// digest, the record against the root in the manifest. `data` has its name only once all is well.
///
/// # Errors
/// If a file is missing or changed, or the record is not what it was; then nothing is at `data`.
pub async fn restore(backup: &Path, data: &Path, database: Option<&str>) -> Result<Restored, Failed> {
    let manifest = Manifest::read(backup)?;
    make_empty(data)?;
    let data = fs::canonicalize(data).map_err(|error| Failed::file(data, error))?;
    let draft = draft_of(&data)?;
    make_empty(&draft)?;
    let done = fill(backup, &draft, manifest, database).await;
    let failed = |error| Failed::file(&data, error);
    if done.is_err() {
        fs::remove_dir_all(&draft).map_err(failed)?;
        return done;
    }
    // An empty directory is replaced by another in one step.
    fs::rename(&draft, &data).map_err(failed)?;
    if let Some(parent) = data.parent() {
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    }
    done
}

/// A name beside the directory, on the same disk.
fn draft_of(data: &Path) -> Result<PathBuf, Failed> {
    let name = data.file_name().ok_or_else(|| Failed::Usage("name a directory to restore to".into()))?;
    let mut draft = name.to_owned();
    draft.push(".restoring");
    Ok(data.with_file_name(draft))
}

async fn fill(
    backup: &Path,
    draft: &Path,
    manifest: Manifest,
    database: Option<&str>,
) -> Result<Restored, Failed> {
    let (from, to, files) = (backup.to_owned(), draft.to_owned(), manifest.files.clone());
    let copying =
        tokio::task::spawn_blocking(move || files.iter().try_for_each(|file| copy(&from, &to, file)));
    copying.await.map_err(|error| Failed::outside("copying files", error))??;
    let log = match (manifest.database, database) {
        (DatabaseKind::Sqlite, None) => Some(Reader::open_sqlite(draft)),
        (DatabaseKind::Sqlite, Some(_)) => {
            return Err(Failed::Usage("the backup holds its own database; leave out --db".into()));
        }
        (DatabaseKind::Postgresql, url) => url.map(Reader::open_postgres).transpose()?,
    };
    let report = match log {
        None => None,
        Some(log) => Some(checked(&log, &manifest, &draft.join("keys")).await?),
    };
    Ok(Restored { manifest, report })
}

/// Checks the record against the manifest's root, and against the signed heads if keys came along.
async fn checked(log: &Reader, manifest: &Manifest, keys: &Path) -> Result<Report, Failed> {
    let keys = public_keys(keys)?;
    let signed = if keys.is_empty() { Vec::new() } else { log.signed_heads(usize::MAX >> 1).await? };
    let backed_up = Head { size: manifest.events, root: manifest.root, time: MachineTime::MIN };
    let own = stored_head(log).await?;
    // A dump of PostgreSQL is older than the manifest: then only what it says of itself can be checked.
    let older = |head: &Head| manifest.database == DatabaseKind::Postgresql && head.size < backed_up.size;
    let stored = own.stored.filter(older).or(Some(backed_up));
    let report = check_log(log, Heads { stored, signed, keys, external: None }).await?;
    match report.first() {
        None => Ok(report),
        Some(fault) => {
            let text = format!("the record is not what was backed up: {fault}; nothing was restored");
            Err(Failed::Coded(StorageError::Corrupt(text).into()))
        }
    }
}

fn copy(from: &Path, to: &Path, file: &StoredFile) -> Result<(), Failed> {
    let relative = file.relative()?;
    let (source, target) = (from.join(&relative), to.join(&relative));
    let failed = |error| Failed::file(&source, error);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut reading = match File::open(&source) {
        // The manifest names it: it is the backup that is not whole.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("{} is missing from the backup; nothing was restored", source.display());
            return Err(Failed::Coded(StorageError::Corrupt(text).into()));
        }
        opened => opened.map_err(failed)?,
    };
    let mode = reading.metadata().map_err(failed)?.permissions().mode();
    let writing = OpenOptions::new().write(true).create_new(true).mode(mode).open(&target);
    let mut writing = writing.map_err(failed)?;
    let (bytes, digest) = copy_hashing(&mut reading, &mut writing).map_err(failed)?;
    if bytes != file.bytes || digest != file.digest {
        let text = format!("{} is not what was backed up; nothing was restored", source.display());
        return Err(Failed::Coded(StorageError::Corrupt(text).into()));
    }
    writing.sync_all().map_err(failed)
}
