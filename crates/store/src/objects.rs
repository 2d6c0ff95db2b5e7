//! Objects on local disk, as a plain tree under one root.
//!
//! An object is written to a temporary file of the same tree, flushed to the disk and renamed: it
//! appears whole or not at all, and it is durable when the caller hears of it.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::BytesMut;
use futures::{StreamExt as _, stream};
use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::object::{ByteStream, Content, Entry, ObjectError, ObjectPath, Objects, Stored};
use mainstay_core::time::MachineTime;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// How many bytes are read at once.
const CHUNK: usize = 256 << 10;
/// Where objects are written before they get their name. Not addressable; emptied at start.
const INCOMING: &str = ObjectPath::INCOMING;

/// The objects below a directory.
pub struct LocalObjects {
    root: PathBuf,
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
        Ok(Self { root, entropy })
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
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
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

    async fn write(
        &self,
        temporary: &Path,
        mut bytes: ByteStream,
        limit: u64,
    ) -> Result<Stored, ObjectError> {
        let mut file = File::create_new(temporary).await.map_err(failure)?;
        let (mut size, mut hasher) = (0_u64, Sha256::new());
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(ObjectError::Interrupted)?;
            size += chunk.len() as u64;
            if size > limit {
                return Err(ObjectError::TooLarge { limit });
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(failure)?;
        }
        file.flush().await.map_err(failure)?;
        file.sync_all().await.map_err(failure)?;
        Ok(Stored { size, digest: Digest::from_bytes(hasher.finalize().into()) })
    }
}

#[async_trait]
impl Objects for LocalObjects {
    async fn put(&self, path: &ObjectPath, bytes: ByteStream, limit: u64) -> Result<Stored, ObjectError> {
        let place = self.locate(path).await?;
        let parent = place.parent().unwrap_or(&self.root).to_owned();
        fs::create_dir_all(&parent).await.map_err(unplaced)?;
        let name = u128::from_le_bytes(self.entropy.bytes16());
        let temporary = self.root.join(INCOMING).join(format!("{name:032x}"));
        let written = self.write(&temporary, bytes, limit).await;
        let placed = match written {
            Ok(stored) => fs::rename(&temporary, &place).await.map(|()| stored).map_err(unplaced),
            Err(error) => Err(error),
        };
        if placed.is_err() {
            drop(fs::remove_file(&temporary).await);
            return placed;
        }
        // The name itself must survive a power cut, and those of new directories above it.
        for directory in parent.ancestors().take_while(|d| d.starts_with(&self.root)) {
            File::open(directory).await.map_err(failure)?.sync_all().await.map_err(failure)?;
        }
        placed
    }

    async fn get(
        &self,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<Option<Content>, StorageError> {
        let place = self.locate(path).await?;
        let mut file = match File::open(&place).await {
            Ok(file) => file,
            // Below a file there is nothing.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failure(error)),
        };
        let metadata = file.metadata().await.map_err(failure)?;
        if metadata.is_dir() {
            return Ok(None);
        }
        let range = range.unwrap_or(0..metadata.len());
        file.seek(SeekFrom::Start(range.start)).await.map_err(failure)?;
        let left = range.end.min(metadata.len()).saturating_sub(range.start);
        let bytes = stream::unfold((file, left), |(mut file, left)| async move {
            if left == 0 {
                return None;
            }
            let mut chunk = BytesMut::with_capacity(CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)));
            match (&mut file).take(left).read_buf(&mut chunk).await {
                Ok(0) => Some((Err(Cause::from("the object ended early")), (file, 0))),
                Ok(n) => Some((Ok(chunk.freeze()), (file, left - n as u64))),
                Err(error) => Some((Err(error.into()), (file, 0))),
            }
        });
        Ok(Some(Content { size: metadata.len(), stored: stored_at(&metadata), bytes: Box::pin(bytes) }))
    }

    async fn list(&self, directory: Option<&ObjectPath>) -> Result<Vec<Entry>, StorageError> {
        let place = match directory {
            Some(path) => self.locate(path).await?,
            None => self.root.clone(),
        };
        let mut reading = match fs::read_dir(&place).await {
            Ok(reading) => reading,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(failure(error)),
        };
        let mut entries = Vec::new();
        while let Some(found) = reading.next_entry().await.map_err(failure)? {
            let name = found.file_name().to_string_lossy().into_owned();
            if name != INCOMING {
                let metadata = found.metadata().await.map_err(failure)?;
                entries.push(Entry { name, size: metadata.is_file().then_some(metadata.len()) });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn delete(&self, path: &ObjectPath) -> Result<bool, StorageError> {
        let place = self.locate(path).await?;
        let removed = match fs::symlink_metadata(&place).await {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&place).await,
            Ok(_) => fs::remove_file(&place).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

fn stored_at(metadata: &std::fs::Metadata) -> Option<MachineTime> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(MachineTime::from_micros)
}

fn unplaced(error: std::io::Error) -> ObjectError {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotADirectory | Kind::IsADirectory | Kind::AlreadyExists | Kind::DirectoryNotEmpty => {
            ObjectError::Occupied
        }
        _ => failure(error).into(),
    }
}

fn failure(error: std::io::Error) -> StorageError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StorageError::Full(error.into())
        }
        _ => StorageError::Failed(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
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
        let stored = objects.put(&path, bytes(&["hello ", "world"]), 100).await.unwrap();
        assert_eq!(stored, Stored { size: 11, digest: Digest::of(b"hello world") });
        assert_eq!(read(&objects, "0/run/artifacts/a.txt", None).await.unwrap(), "hello world");
        assert_eq!(read(&objects, "0/run/artifacts/a.txt", Some(6..100)).await.unwrap(), "world");
        assert_eq!(read(&objects, "0/run/artifacts", None).await, None);
        assert_eq!(read(&objects, "0/run/artifacts/a.txt/b", None).await, None);
        let content = objects.get(&path, None).await.unwrap().unwrap();
        assert!(content.stored.unwrap() > MachineTime::from_micros(0));
        let listed = objects.list(Some(&"0/run/artifacts".parse().unwrap())).await.unwrap();
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
        assert_eq!(objects.list(Some(&"a".parse().unwrap())).await.unwrap().len(), 1);
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
