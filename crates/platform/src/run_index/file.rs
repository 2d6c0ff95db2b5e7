//! The index of runs on disk, so that a start reads one file in place of every run's rows.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_store::Database;
use mainstay_tracking::index::{IndexWriter, RunIndex, Stamp};

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct IndexFile {
    path: PathBuf,
}

impl IndexFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The index that was kept, and up to which event it goes; `None` if there is none of this database's.
    pub(super) async fn load(&self, database: &Database) -> Option<(RunIndex, EventSeq)> {
        let path = self.path.clone();
        let (index, stamp) = match tokio::task::spawn_blocking(move || read(&path)).await.ok()? {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(%error, "the file of the index of runs cannot be read; it is made anew");
                return None;
            }
        };
        match leaf(database, stamp.position).await {
            Ok(Some(known)) if known == stamp => Some((index, stamp.position)),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "the file of the index of runs cannot be checked");
                None
            }
        }
    }

    /// Keeps the index, which can go on changing meanwhile and knows everything up to `position`.
    pub(super) async fn save(
        &self,
        database: &Database,
        index: Arc<RwLock<RunIndex>>,
        position: EventSeq,
    ) -> Result<(), StorageError> {
        let Some(stamp) = leaf(database, position).await? else { return Ok(()) };
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &index, &stamp)).await;
        written
            .map_err(|error| StorageError::Failed(error.into()))?
            .map_err(|error| StorageError::Failed(error.into()))
    }
}

/// The stamp that an index has which ends there.
async fn leaf(database: &Database, position: EventSeq) -> Result<Option<Stamp>, StorageError> {
    let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
    let rows = database.reader.audit_rows(EventSeq(before), 1).await?;
    let row = rows.first().filter(|row| row.seq == position);
    Ok(row.map(|row| Stamp { position, leaf: row.leaf }))
}

fn read(path: &Path) -> io::Result<Option<(RunIndex, Stamp)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    RunIndex::read(BufReader::with_capacity(1 << 18, file), length).map(Some)
}

/// Writes a new file beside the old one, and puts it in its place once it lasts.
fn write(path: &Path, index: &RwLock<RunIndex>, stamp: &Stamp) -> io::Result<()> {
    let lock = || index.read().unwrap_or_else(PoisonError::into_inner);
    let draft = path.with_extension("draft");
    let experiments = lock().experiments();
    let mut writer = IndexWriter::begin(stamp, experiments.len(), File::create(&draft)?)?;
    for experiment in experiments {
        writer.experiment(&lock(), experiment)?;
    }
    writer.finish()?.sync_all()?;
    fs::rename(&draft, path)
}
