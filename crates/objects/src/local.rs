//! Objects on local disk, as a plain tree under one root.
//!
//! An object is written to a temporary file of the same tree, flushed to the disk and renamed: it
//! appears whole or not at all, and it is durable when the caller hears of it.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use futures::stream;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ByteStream, Content, Entries, Entry, ObjectError, ObjectPath, Objects, Status};
use mainstay_core::time::MachineTime;
use tokio::fs::{self, ReadDir};
use tokio::task::spawn_blocking;

use super::durable::Durable;
use super::incoming::receive;
use super::pieces::pieces;

/// Where objects are written before they get their name. Not addressable; emptied at start.
const INCOMING: &str = ObjectPath::INCOMING;

/// The objects below a directory.
pub struct LocalObjects {
    root: PathBuf,
    directories: Arc<Durable>,
    entropy: Arc<dyn Entropy>,
}

impl LocalObjects {
    /// Opens the tree at `root`, and creates the directory if there is none.
    pub async fn open(root: PathBuf, entropy: Arc<dyn Entropy>) -> Result<Self, StorageError> {
        fs::create_dir_all(&root).await.map_err(failure)?;
        // Links inside the tree are resolved against this.
        let root = fs::canonicalize(&root).await.map_err(failure)?;
        let incoming = root.join(INCOMING);
        if fs::try_exists(&incoming).await.map_err(failure)? {
            fs::remove_dir_all(&incoming).await.map_err(failure)?;
        }
        fs::create_dir(&incoming).await.map_err(failure)?;
        let directories = Arc::new(Durable::new(root.clone()));
        Ok(Self { root, directories, entropy })
    }

    /// Where an object lies. The parts that exist must not lead out of the root through a link.
    async fn locate(&self, path: &ObjectPath) -> Result<PathBuf, StorageError> {
        let place = self.root.join(path.as_str());
        if place.starts_with(self.root.join(INCOMING)) {
            return Err(StorageError::Failed("the name is kept for objects that are being written".into()));
        }
        let mut existing = place.clone();
        // Below a file there is nothing.
        let exists = async |path: &Path| match fs::try_exists(path).await {
            Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
            found => found.map_err(failure),
        };
        while !exists(&existing).await? {
            if !existing.pop() {
                return Ok(place);
            }
        }
        let real = fs::canonicalize(&existing).await.map_err(failure)?;
        if real.starts_with(&self.root) {
            Ok(place)
        } else {
            Err(StorageError::Corrupt(format!("{path} leads out of the object store through a link")))
        }
    }
}

#[async_trait]
impl Objects for LocalObjects {
    async fn put(&self, path: &ObjectPath, bytes: ByteStream, limit: u64) -> Result<(), ObjectError> {
        let place = self.locate(path).await?;
        let name = u128::from_le_bytes(self.entropy.bytes16());
        let temporary = self.root.join(INCOMING).join(format!("{name:032x}"));
        receive(temporary, (place, self.directories.clone()), bytes, limit).await
    }

    async fn get(
        &self,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<Option<Content>, StorageError> {
        let place = self.locate(path).await?;
        let Some((file, metadata)) = opened(place).await? else { return Ok(None) };
        let status = status(&metadata);
        let range = range.unwrap_or(0..status.size);
        let left = range.start..range.end.min(status.size);
        Ok(Some(Content { status, bytes: pieces(file, left) }))
    }

    async fn status(&self, path: &ObjectPath) -> Result<Option<Status>, StorageError> {
        let found = opened(self.locate(path).await?).await?;
        Ok(found.map(|(_, metadata)| status(&metadata)))
    }

    async fn entries(&self, directory: Option<&ObjectPath>) -> Result<Entries, StorageError> {
        let place = match directory {
            Some(path) => self.locate(path).await?,
            None => self.root.clone(),
        };
        let reading = match fs::read_dir(&place).await {
            Ok(reading) => reading,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Box::pin(stream::empty()));
            }
            Err(error) => return Err(failure(error)),
        };
        Ok(Box::pin(stream::try_unfold(reading, |mut reading| async move {
            Ok(next_entry(&mut reading).await?.map(|entry| (entry, reading)))
        })))
    }

    async fn delete(&self, path: &ObjectPath) -> Result<bool, StorageError> {
        let place = self.locate(path).await?;
        let removed = match fs::symlink_metadata(&place).await {
            Ok(metadata) if metadata.is_dir() => {
                let directories = self.directories.clone();
                let removing = spawn_blocking(move || directories.remove(&place));
                removing.await.map_err(|error| StorageError::Failed(error.into()))?
            }
            Ok(_) => fs::remove_file(&place).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }

    async fn discard_unfinished(&self, before: MachineTime) -> Result<u64, StorageError> {
        let mut reading = fs::read_dir(self.root.join(INCOMING)).await.map_err(failure)?;
        let mut discarded = 0;
        while let Some(found) = reading.next_entry().await.map_err(failure)? {
            // One that has its name by now is no longer there.
            let Ok(metadata) = found.metadata().await else { continue };
            if stored_at(&metadata).is_some_and(|stored| stored < before) {
                discarded += u64::from(fs::remove_file(found.path()).await.is_ok());
            }
        }
        Ok(discarded)
    }
}

/// The next in a directory that is an artifact, or a folder of some.
async fn next_entry(reading: &mut ReadDir) -> Result<Option<Entry>, StorageError> {
    while let Some(found) = reading.next_entry().await.map_err(failure)? {
        let name = found.file_name().to_string_lossy().into_owned();
        if name != INCOMING {
            let metadata = found.metadata().await.map_err(failure)?;
            return Ok(Some(Entry { name, size: metadata.is_file().then_some(metadata.len()) }));
        }
    }
    Ok(None)
}

/// A file, if there is one; below a file there is nothing.
async fn opened(place: PathBuf) -> Result<Option<(File, Metadata)>, StorageError> {
    let opening = spawn_blocking(move || {
        let file = File::open(place)?;
        let metadata = file.metadata()?;
        Ok::<_, std::io::Error>((file, metadata))
    });
    match opening.await.map_err(|error| StorageError::Failed(error.into()))? {
        Ok((_, metadata)) if metadata.is_dir() => Ok(None),
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

fn status(metadata: &Metadata) -> Status {
    Status { size: metadata.len(), stored: stored_at(metadata), revision: None }
}

fn stored_at(metadata: &Metadata) -> Option<MachineTime> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(MachineTime::from_micros)
}

pub(super) fn unplaced(error: std::io::Error) -> ObjectError {
    match error.kind() {
        ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::DirectoryNotEmpty => ObjectError::Occupied,
        _ => failure(error).into(),
    }
}

pub(super) fn failure(error: std::io::Error) -> StorageError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageError::Full(error.into()),
        _ => StorageError::Failed(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::StreamExt as _;
    use mainstay_core::entropy::SeededEntropy;
    use tempfile::TempDir;

    async fn objects() -> (TempDir, LocalObjects) {
        let directory = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(directory.path().join("artifacts"), Arc::new(SeededEntropy::new(1)));
        let objects = objects.await.unwrap();
        (directory, objects)
    }

    fn bytes(chunks: &[&'static str]) -> ByteStream {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect();
        Box::pin(stream::iter(chunks))
    }

    async fn read(objects: &LocalObjects, path: &str, range: Option<Range<u64>>) -> Option<String> {
        let content = objects.get(&path.parse().unwrap(), range).await.unwrap()?;
        let chunks: Vec<_> = content.bytes.map(|c| c.unwrap().to_vec()).collect().await;
        Some(String::from_utf8(chunks.concat()).unwrap())
    }

    #[tokio::test]
    async fn an_object_is_stored_read_listed_and_removed() {
        let (_directory, objects) = objects().await;
        let path = "0/run/artifacts/a.txt".parse().unwrap();
        objects.put(&path, bytes(&["hello ", "world"]), 100).await.unwrap();
        assert_eq!(read(&objects, "0/run/artifacts/a.txt", None).await.unwrap(), "hello world");
        assert_eq!(read(&objects, "0/run/artifacts/a.txt", Some(6..100)).await.unwrap(), "world");
        assert_eq!(read(&objects, "0/run/artifacts", None).await, None);
        assert_eq!(read(&objects, "0/run/artifacts/a.txt/b", None).await, None);
        let content = objects.get(&path, None).await.unwrap().unwrap();
        assert!(content.status.stored.unwrap() > MachineTime::from_micros(0));
        let listed = objects.list(Some(&"0/run/artifacts".parse().unwrap()), 9).await.unwrap().entries;
        assert_eq!(listed, [Entry { name: "a.txt".into(), size: Some(11) }]);
        assert!(objects.delete(&"0/run".parse().unwrap()).await.unwrap());
        assert!(!objects.delete(&path).await.unwrap());
        assert_eq!(read(&objects, "0/run/artifacts/a.txt", None).await, None);
    }

    #[tokio::test]
    async fn an_upload_that_breaks_off_or_is_too_long_leaves_what_was_there() {
        let (_directory, objects) = objects().await;
        let path = "a/b".parse().unwrap();
        objects.put(&path, bytes(&["old"]), 100).await.unwrap();
        let broken: ByteStream = Box::pin(stream::iter([Ok(Bytes::from_static(b"ne")), Err("gone".into())]));
        assert!(matches!(objects.put(&path, broken, 100).await, Err(ObjectError::Interrupted(_))));
        assert!(matches!(
            objects.put(&path, bytes(&["longer"]), 5).await,
            Err(ObjectError::TooLarge { limit: 5 })
        ));
        assert_eq!(read(&objects, "a/b", None).await.unwrap(), "old");
        assert_eq!(objects.list(Some(&"a".parse().unwrap()), 9).await.unwrap().entries.len(), 1);
    }

    #[tokio::test]
    async fn what_is_longer_than_a_piece_is_read_whole_and_in_parts() {
        let (_directory, objects) = objects().await;
        let path = "big".parse().unwrap();
        let whole: Vec<u8> = (0..3_000_000_u32).flat_map(|n| [(n % 251) as u8]).collect();
        let chunks: Vec<_> = whole.chunks(70_001).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        objects.put(&path, Box::pin(stream::iter(chunks)), 1 << 30).await.unwrap();
        for range in [0..3_000_000, 1..2_999_999, 524_287..524_289, 2_999_999..4_000_000, 5..5] {
            let content = objects.get(&path, Some(range.clone())).await.unwrap().unwrap();
            let chunks: Vec<_> = content.bytes.map(|c| c.unwrap().to_vec()).collect().await;
            let end = usize::try_from(range.end).unwrap().min(whole.len());
            assert_eq!(chunks.concat(), whole[usize::try_from(range.start).unwrap()..end]);
        }
        assert_eq!(objects.status(&path).await.unwrap().unwrap().size, 3_000_000);
        assert_eq!(objects.status(&"none".parse().unwrap()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_no_file() {
        let (directory, objects) = objects().await;
        let incoming = directory.path().join("artifacts").join(INCOMING);
        let path = "a".parse().unwrap();
        let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<Bytes, _>>();
        let mut upload = objects.put(&path, Box::pin(receiver), 100);
        sender.unbounded_send(Ok(Bytes::from_static(b"half"))).unwrap();
        // Until the file is there.
        while std::fs::read_dir(&incoming).unwrap().next().is_none() {
            assert!(futures::poll!(&mut upload).is_pending());
            tokio::task::yield_now().await;
        }
        drop(upload);
        while std::fs::read_dir(&incoming).unwrap().next().is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(objects.status(&path).await.unwrap(), None);
        std::fs::write(incoming.join("left"), "by a kill").unwrap();
        assert_eq!(objects.discard_unfinished(MachineTime::from_micros(0)).await.unwrap(), 0);
        assert_eq!(objects.discard_unfinished(MachineTime::from_micros(i64::MAX)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn links_do_not_lead_out() {
        let (directory, objects) = objects().await;
        std::os::unix::fs::symlink(directory.path(), directory.path().join("artifacts/out")).unwrap();
        std::fs::write(directory.path().join("secret"), "x").unwrap();
        let path = "out/secret".parse().unwrap();
        assert!(objects.get(&path, None).await.is_err());
        assert!(objects.put(&path, bytes(&["y"]), 10).await.is_err());
    }
}
