//! A file while it is written: under a name that nobody addresses, then flushed, renamed and known.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ByteStream, ObjectError};
use tokio::task::{JoinHandle, spawn_blocking};

use super::durable::{Durable, Named};
use super::local::{failure, unplaced};

/// How many bytes are gathered for one write. While they are written, the next ones come in.
const BATCH: usize = 1 << 20;
/// And in how many pieces at most: a client may send single bytes, each of which takes more to be held.
const MAX_PIECES: usize = 1_024;
/// After how many bytes the disk is made to take them, beside the writing of the next ones. Else it would stand idle
/// until the end, and be waited for then.
const FLUSH: u64 = 32 << 20;

/// A file without its name yet. Dropped, it is removed: an upload that breaks off leaves nothing.
struct Incoming {
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    is_placed: bool,
}

impl Incoming {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = Arc::new(File::create_new(&path)?);
        Ok(Self { path, file, size: 0, is_placed: false })
    }

    fn write(mut self, batch: Vec<Bytes>) -> io::Result<Self> {
        for chunk in batch {
            (&*self.file).write_all(&chunk)?;
            self.size += chunk.len() as u64;
        }
        Ok(self)
    }

    /// Gives the file its name, which survives a power cut.
    fn place(mut self, place: &Path, directories: &Durable) -> Result<(), ObjectError> {
        self.file.sync_all().map_err(failure)?;
        let Some(parent) = place.parent() else { return Err(ObjectError::Occupied) };
        let rename = || {
            fs::rename(&self.path, place)?;
            self.is_placed = true;
            Ok(())
        };
        match directories.name(parent, rename).map_err(failure)? {
            Named::Durably => Ok(()),
            Named::Refused(error) => Err(unplaced(error)),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_placed
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "what an upload left behind could not be removed; the next start does it");
        }
    }
}

/// The flushing of what is written so far.
#[derive(Default)]
struct Flushing {
    running: Option<JoinHandle<io::Result<()>>>,
    flushed: u64,
}

impl Flushing {
    /// Starts a flush if there is much to be flushed, and none under way.
    async fn keep_up(&mut self, file: &Incoming) -> Result<(), StorageError> {
        if file.size - self.flushed >= FLUSH && self.running.as_ref().is_none_or(JoinHandle::is_finished) {
            self.end().await?;
            self.flushed = file.size;
            let file = Arc::clone(&file.file);
            self.running = Some(spawn_blocking(move || file.sync_data()));
        }
        Ok(())
    }

    /// Waits for it. An error is told once for a file: the last flush would not know of it.
    async fn end(&mut self) -> Result<(), StorageError> {
        match self.running.take() {
            Some(running) => done(running).await,
            None => Ok(()),
        }
    }
}

/// Writes what `bytes` yields to `temporary`, and then to `place`.
pub(super) async fn receive(
    temporary: PathBuf,
    (place, directories): (PathBuf, Arc<Durable>),
    mut bytes: ByteStream,
    limit: u64,
) -> Result<(), ObjectError> {
    let mut writing = spawn_blocking(move || Incoming::create(temporary));
    let (mut flushing, mut left) = (Flushing::default(), limit);
    loop {
        let batch = gather(&mut bytes, &mut left, limit).await?;
        let file = done(writing).await?;
        flushing.keep_up(&file).await?;
        if batch.is_empty() {
            flushing.end().await?;
            let placing = spawn_blocking(move || file.place(&place, &directories));
            return placing.await.map_err(|error| StorageError::Failed(error.into()))?;
        }
        writing = spawn_blocking(move || file.write(batch));
    }
}

/// The next bytes to write; none at the end.
async fn gather(bytes: &mut ByteStream, left: &mut u64, limit: u64) -> Result<Vec<Bytes>, ObjectError> {
    let (mut batch, mut gathered) = (Vec::new(), 0);
    while gathered < BATCH && batch.len() < MAX_PIECES {
        let Some(chunk) = bytes.next().await else { break };
        let chunk = chunk.map_err(ObjectError::Interrupted)?;
        *left = left.checked_sub(chunk.len() as u64).ok_or(ObjectError::TooLarge { limit })?;
        gathered += chunk.len();
        if !chunk.is_empty() {
            batch.push(chunk);
        }
    }
    Ok(batch)
}

async fn done<T>(task: JoinHandle<io::Result<T>>) -> Result<T, StorageError> {
    task.await.map_err(|error| StorageError::Failed(error.into()))?.map_err(failure)
}
