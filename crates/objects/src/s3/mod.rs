//! Objects in a bucket, by S3's protocol: Amazon's, or that of `MinIO`, Ceph, Cloudflare and others.
//!
//! The `object_store` crate speaks it. Two things that it lacks are here: URLs that let a client put one part of an
//! upload (`presign`), and the list of uploads that never ended (`unfinished`).

mod direct;
mod failure;
mod listing;
mod location;
mod presign;
mod unfinished;
mod upload;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::digest::Digest;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::object::{
    ByteStream, Content, DirectTransfer, Entries, ObjectError, ObjectPath, Objects, Status,
};
use mainstay_core::time::{Clock, MachineTime};
use object_store::aws::AmazonS3;
use object_store::client::HttpClient;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _};

use self::failure::failure;
pub use self::location::{InvalidS3Location, OpenS3Error, S3Location};

/// How long the store may take to answer a call, or to send the next bytes of an object.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it may take to put an object together: minutes, says Amazon, where there are many parts.
const COMPLETION: Duration = Duration::from_mins(10);

/// The objects below a prefix of a bucket.
pub struct S3Objects {
    s3: Arc<AmazonS3>,
    prefix: Option<ObjectPath>,
    region: String,
    /// For what `object_store` has no call for.
    http: HttpClient,
    clock: Arc<dyn Clock>,
    /// Whether clients can do with a URL alone: not where they would need a key of encryption, too.
    is_direct: bool,
}

impl S3Objects {
    /// Opens a bucket, with the credentials that `environment` names as Amazon's own tools do (`AWS_…`). Asks
    /// nobody yet: whether it can be reached shows with the first call.
    pub fn open(
        location: &S3Location,
        environment: impl IntoIterator<Item = (String, String)>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenS3Error> {
        let opened = location.open(environment)?;
        let prefix = location.prefix().cloned();
        let (s3, http) = (Arc::new(opened.s3), opened.http);
        Ok(Self { s3, prefix, region: opened.region, http, clock, is_direct: opened.is_direct })
    }

    /// The name of an object in the bucket.
    fn key(&self, path: &ObjectPath) -> Result<Path, StorageError> {
        let key = match &self.prefix {
            Some(prefix) => Path::parse(format!("{prefix}/{path}")),
            None => Path::parse(path.as_str()),
        };
        key.map_err(|error| StorageError::Failed(error.into()))
    }

    /// The name of a directory; `None` for the whole bucket.
    fn folder(&self, directory: Option<&ObjectPath>) -> Result<Option<Path>, StorageError> {
        match (directory, &self.prefix) {
            (Some(path), _) => self.key(path).map(Some),
            (None, Some(prefix)) => {
                Path::parse(prefix.as_str()).map(Some).map_err(|error| StorageError::Failed(error.into()))
            }
            (None, None) => Ok(None),
        }
    }

    async fn head(&self, key: &Path) -> Result<Option<Status>, StorageError> {
        match answered("asking for an object", self.s3.head(key)).await {
            Ok(meta) => Ok(Some(status(&meta))),
            Err(Refusal::NotThere) => Ok(None),
            Err(Refusal::Failed(error)) => Err(error),
        }
    }
}

/// Why a call gave nothing.
enum Refusal {
    NotThere,
    Failed(StorageError),
}

impl From<Refusal> for StorageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotThere => Self::Failed("the bucket is not there".into()),
            Refusal::Failed(error) => error,
        }
    }
}

/// The answer to a call, if it comes in time.
async fn answered<T>(
    doing: &'static str,
    call: impl Future<Output = object_store::Result<T>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(object_store::Error::NotFound { .. })) => Err(Refusal::NotThere),
        Ok(Err(error)) => Err(Refusal::Failed(failure(doing, &error))),
        Err(late) => Err(Refusal::Failed(StorageError::Unavailable(late.into()))),
    }
}

fn status(meta: &ObjectMeta) -> Status {
    let stored = MachineTime::from_micros(meta.last_modified.timestamp_micros());
    // Stores tell the time of an object in whole seconds.
    let revision = meta.e_tag.as_deref().map(revision);
    Status { size: meta.size, stored: Some(stored), revision }
}

/// A number for what a store says to tell one content of a key from another.
fn revision(tag: &str) -> u64 {
    let digest = Digest::of(tag.as_bytes());
    digest.as_bytes().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// What the store sends, given up when nothing comes for long.
fn patient(bytes: stream::BoxStream<'static, object_store::Result<bytes::Bytes>>) -> ByteStream {
    Box::pin(stream::unfold(Some(bytes), |bytes| async move {
        let mut bytes = bytes?;
        match tokio::time::timeout(PATIENCE, bytes.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(bytes))),
            Ok(Some(Err(error))) => Some((Err(Cause::from(failure("reading an object", &error))), None)),
            Err(late) => Some((Err(late.into()), None)),
        }
    }))
}

#[async_trait]
impl Objects for S3Objects {
    async fn put(&self, path: &ObjectPath, bytes: ByteStream, limit: u64) -> Result<(), ObjectError> {
        upload::put(&self.s3, self.key(path)?, bytes, limit).await
    }

    async fn get(
        &self,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<Option<Content>, StorageError> {
        let key = self.key(path)?;
        // A range without bytes cannot be asked for, and one behind the end is refused.
        if let Some(range) = &range {
            let Some(status) = self.head(&key).await? else { return Ok(None) };
            if range.start >= range.end.min(status.size) {
                return Ok(Some(Content { status, bytes: Box::pin(stream::empty()) }));
            }
        }
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match answered("opening an object", self.s3.get_opts(&key, options)).await {
            Ok(found) => {
                Ok(Some(Content { status: status(&found.meta), bytes: patient(found.into_stream()) }))
            }
            Err(Refusal::NotThere) => Ok(None),
            Err(Refusal::Failed(error)) => Err(error),
        }
    }

    async fn status(&self, path: &ObjectPath) -> Result<Option<Status>, StorageError> {
        self.head(&self.key(path)?).await
    }

    async fn entries(&self, directory: Option<&ObjectPath>) -> Result<Entries, StorageError> {
        Ok(listing::entries(Arc::clone(&self.s3), self.folder(directory)?))
    }

    async fn delete(&self, path: &ObjectPath) -> Result<bool, StorageError> {
        let key = self.key(path)?;
        let itself = self.head(&key).await?.map(|_| key.clone());
        let below = self.s3.list(Some(&key)).map_ok(|meta| meta.location);
        let mut below = Box::pin(stream::iter(itself.map(Ok)).chain(below).peekable());
        let first = tokio::time::timeout(PATIENCE, below.as_mut().peek()).await;
        if first.map_err(|late| StorageError::Unavailable(late.into()))?.is_none() {
            return Ok(false);
        }
        let mut deleted = self.s3.delete_stream(below);
        loop {
            match tokio::time::timeout(PATIENCE, deleted.next()).await {
                Ok(None) => return Ok(true),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(failure("removing objects", &error)),
                Err(late) => return Err(StorageError::Unavailable(late.into())),
            }
        }
    }

    async fn discard_unfinished(&self, before: MachineTime) -> Result<u64, StorageError> {
        unfinished::discard(self, before).await
    }

    fn direct(&self) -> Option<&dyn DirectTransfer> {
        self.is_direct.then_some(self)
    }
}
