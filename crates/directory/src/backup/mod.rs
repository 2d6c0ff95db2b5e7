//! Backup of a live data directory, and its restoration.
//!
//! The order makes the copy whole: the database first, as one committed state, then the files. What a
//! row names was written before the row was, and is not changed afterwards; so the files of a later
//! moment hold all that the database of an earlier one names. Files beyond it are waste, never damage.
//! A log of predictions that is being written is copied up to some record; its reader cuts what is torn.
//!
//! The manifest is written last: a folder without one is no backup.

mod files;
mod manifest;
mod restore;

use std::path::{Path, PathBuf};

use mainstay_core::failed::Failed;
use mainstay_core::time::MachineTime;
use mainstay_store::Database;
use mainstay_store::database::DATABASE_FILE;
use mainstay_store::reader::Reader;

use crate::layout::NoData;

pub use self::manifest::{DatabaseKind, Manifest, StoredFile};
pub use self::restore::{Restored, restore};

/// What to back up, and how.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The data directory; a server may have it open.
    pub data: PathBuf,
    /// The PostgreSQL database that belongs to it; SQLite if absent. Its contents are not copied.
    pub database: Option<String>,
    /// Where to; must be empty or not exist.
    pub to: PathBuf,
    /// Whether the signing keys are copied too.
    pub with_keys: bool,
    /// When.
    pub now: MachineTime,
}

impl Backup {
    /// Copies everything, and writes the manifest. On an error the target is left without one.
    pub async fn create(self) -> Result<Manifest, Failed> {
        if let Some(inside) = within(&self.to, &self.data) {
            let text =
                format!("{} lies in the data directory; choose a place outside of it", inside.display());
            return Err(Failed::Usage(text));
        }
        // Before a directory is made for the copy of nothing.
        if self.database.is_none() && !self.data.join(DATABASE_FILE).exists() {
            return Err(NoData::at(&self.data).into());
        }
        make_empty(&self.to)?;
        let (kind, frontier) = if let Some(url) = &self.database {
            (DatabaseKind::Postgresql, Reader::open_postgres(url)?.frontier().await?)
        } else {
            Database::backup_sqlite(&self.data, &self.to.join(DATABASE_FILE)).await?;
            (DatabaseKind::Sqlite, Reader::open_sqlite(&self.to).frontier().await?)
        };
        let task = tokio::task::spawn_blocking(move || {
            let copy = files::Copy { from: &self.data, to: &self.to, with_keys: self.with_keys };
            let mut files = copy.run()?;
            if kind == DatabaseKind::Sqlite {
                files.push(StoredFile::read(&self.to, Path::new(DATABASE_FILE))?);
            }
            files.sort_by(|a, b| a.path.cmp(&b.path));
            let manifest = Manifest {
                format: Manifest::FORMAT.to_owned(),
                created: self.now,
                database: kind,
                events: frontier.size(),
                root: frontier.root(),
                with_keys: self.with_keys,
                files,
            };
            manifest.write(&self.to)?;
            Ok(manifest)
        });
        task.await.map_err(|error| Failed::outside("copying files", error))?
    }
}

/// The first path, if it lies in the second.
fn within<'a>(path: &'a Path, directory: &Path) -> Option<&'a Path> {
    let directory = std::fs::canonicalize(directory).ok()?;
    let mut ancestors = path.ancestors().filter_map(|ancestor| std::fs::canonicalize(ancestor).ok());
    ancestors.any(|ancestor| ancestor.starts_with(&directory)).then_some(path)
}

/// Creates a directory, or sees that it is empty.
fn make_empty(path: &Path) -> Result<(), Failed> {
    let failed = |error| Failed::file(path, error);
    std::fs::create_dir_all(path).map_err(failed)?;
    if std::fs::read_dir(path).map_err(failed)?.next().is_some() {
        return Err(Failed::Usage(format!("{} is not empty; name a new directory", path.display())));
    }
    Ok(())
}
