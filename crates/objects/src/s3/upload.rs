//! An object as it comes, in parts that the store puts together at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ByteStream, ObjectError};
use object_store::ObjectStoreExt as _;
use object_store::aws::AmazonS3;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;

use super::failure::failure;
use super::{COMPLETION, answered};

/// The length of a part, in bytes: 10,000 of them, the most that there may be, are more than the longest artifact.
const PART: usize = 8 << 20;
/// How long a part may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Cuts what comes into parts.
struct Parts {
    bytes: ByteStream,
    rest: Bytes,
    size: u64,
    limit: u64,
}

impl Parts {
    /// The next part; shorter than others only at the end, and empty behind it.
    async fn next(&mut self) -> Result<Bytes, ObjectError> {
        let mut part = BytesMut::new();
        while part.len() < PART {
            if self.rest.is_empty() {
                let Some(chunk) = self.bytes.next().await else { break };
                self.rest = chunk.map_err(ObjectError::Interrupted)?;
                self.size += self.rest.len() as u64;
                if self.size > self.limit {
                    return Err(ObjectError::TooLarge { limit: self.limit });
                }
            }
            if part.is_empty() && !self.rest.is_empty() {
                part.reserve(PART);
            }
            let taken = self.rest.split_to(self.rest.len().min(PART - part.len()));
            part.extend_from_slice(&taken);
        }
        Ok(part.freeze())
    }
}

/// An upload that is under way. Dropped, its parts are forgotten.
struct Unfinished {
    s3: Arc<AmazonS3>,
    key: Path,
    id: Option<String>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) {
            let (s3, key) = (Arc::clone(&self.s3), self.key.clone());
            runtime.spawn(async move {
                if let Err(error) = s3.abort_multipart(&key, &id).await {
                    let error = failure("aborting an upload", &error);
                    tracing::info!(%error, "an unfinished upload stays in the store until the next sweep");
                }
            });
        }
    }
}

/// Stores what `bytes` yields: at once if it is short, else in parts.
pub(super) async fn put(
    s3: &Arc<AmazonS3>,
    key: Path,
    bytes: ByteStream,
    limit: u64,
) -> Result<(), ObjectError> {
    let mut parts = Parts { bytes, rest: Bytes::new(), size: 0, limit };
    let first = parts.next().await?;
    if first.len() < PART {
        let put = tokio::time::timeout(PATIENCE, s3.put(&key, first.into())).await;
        let put = put.map_err(|late| StorageError::Unavailable(late.into()))?;
        put.map_err(|error| failure("storing an object", &error))?;
        return Ok(());
    }
    let id = answered("beginning an upload", s3.create_multipart(&key)).await.map_err(StorageError::from)?;
    let mut unfinished = Unfinished { s3: Arc::clone(s3), key: key.clone(), id: Some(id.clone()) };
    let (mut sent, mut part) = (Vec::new(), first);
    while !part.is_empty() {
        let (key, id, at) = (&key, &id, sent.len());
        let sending = async {
            let put = tokio::time::timeout(PATIENCE, s3.put_part(key, id, at, part.into())).await;
            let put = put.map_err(|late| StorageError::Unavailable(late.into()))?;
            Ok(put.map_err(|error| failure("storing a part", &error))?)
        };
        // While one part is sent, the next one comes in: two are held, and no more.
        let (answer, next) = tokio::try_join!(sending, parts.next())?;
        sent.push(answer);
        part = next;
    }
    let completed = tokio::time::timeout(COMPLETION, s3.complete_multipart(&key, &id, sent)).await;
    let completed = completed.map_err(|late| StorageError::Unavailable(late.into()))?;
    completed.map_err(|error| failure("completing an upload", &error))?;
    unfinished.id = None;
    Ok(())
}
