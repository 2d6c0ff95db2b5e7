//! What clients do without this process: they get a URL for one thing, which is good for a while.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use mainstay_core::error::StorageError;
use mainstay_core::object::{DirectTransfer, ObjectPath, PartedUpload, PartedUploadError, SignedUrl, Status};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::signer::Signer as _;

use super::failure::{code, failure};
use super::presign::Presigner;
use super::{COMPLETION, PATIENCE, S3Objects, answered};

/// S3's own limit.
const MAX_PARTS: u32 = 10_000;

impl S3Objects {
    /// The address of an object, or of the bucket for an empty key, without a query.
    pub(super) async fn address(&self, key: &Path) -> Result<String, StorageError> {
        // Of the two that sign, this one knows where objects are; what it signs is not used.
        let signing = self.s3.signed_url(Method::GET, key, Duration::from_secs(1));
        let mut url = answered("reading credentials", signing).await?;
        url.set_query(None);
        Ok(url.into())
    }

    async fn sign(
        &self,
        method: &str,
        key: &Path,
        query: &[(&str, &str)],
        lifetime: Duration,
    ) -> Result<SignedUrl, StorageError> {
        let base = self.address(key).await?;
        let credential = answered("reading credentials", self.s3.credentials().get_credential()).await?;
        let presigner = Presigner::new(&credential, &self.region, self.clock.now());
        Ok(presigner.url(method, &base, query, lifetime))
    }
}

#[async_trait]
impl DirectTransfer for S3Objects {
    fn max_parts(&self) -> u32 {
        MAX_PARTS
    }

    async fn begin_upload(
        &self,
        path: &ObjectPath,
        parts: u32,
        lifetime: Duration,
    ) -> Result<PartedUpload, StorageError> {
        let key = self.key(path)?;
        let base = self.address(&key).await?;
        let credential = answered("reading credentials", self.s3.credentials().get_credential()).await?;
        let id = answered("beginning an upload", self.s3.create_multipart(&key)).await?;
        let presigner = Presigner::new(&credential, &self.region, self.clock.now());
        let part = |number: u32| {
            let number = number.to_string();
            presigner.url("PUT", &base, &[("partNumber", &number), ("uploadId", &id)], lifetime)
        };
        let parts = (1..=parts.min(MAX_PARTS)).map(part).collect();
        Ok(PartedUpload { id, parts })
    }

    async fn complete_upload(
        &self,
        path: &ObjectPath,
        id: &str,
        etags: Vec<String>,
    ) -> Result<(), PartedUploadError> {
        let key = self.key(path)?;
        let parts = etags.into_iter().map(|content_id| PartId { content_id }).collect();
        let id = id.to_owned();
        let completing = self.s3.complete_multipart(&key, &id, parts);
        let completed = tokio::time::timeout(COMPLETION, completing).await;
        let completed = completed.map_err(|late| StorageError::Unavailable(late.into()))?;
        completed.map(drop).map_err(|error| match code(&error).as_deref() {
            Some("NoSuchUpload") => PartedUploadError::NoUpload,
            Some(
                "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "MalformedXML" | "InvalidRequest",
            ) => PartedUploadError::Parts,
            _ => failure("completing an upload", &error).into(),
        })
    }

    async fn abort_upload(&self, path: &ObjectPath, id: &str) -> Result<(), StorageError> {
        let (key, id) = (self.key(path)?, id.to_owned());
        let aborted = tokio::time::timeout(PATIENCE, self.s3.abort_multipart(&key, &id)).await;
        match aborted.map_err(|late| StorageError::Unavailable(late.into()))? {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) if code(&error).as_deref() == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(failure("aborting an upload", &error)),
        }
    }

    async fn download_url(
        &self,
        path: &ObjectPath,
        lifetime: Duration,
    ) -> Result<Option<(SignedUrl, Status)>, StorageError> {
        let key = self.key(path)?;
        let Some(status) = self.head(&key).await? else { return Ok(None) };
        // A browser that opens the URL must not show what somebody uploaded as a page of the bucket's address.
        let query = [("response-content-disposition", "attachment")];
        Ok(Some((self.sign("GET", &key, &query, lifetime).await?, status)))
    }

    async fn upload_url(&self, path: &ObjectPath, lifetime: Duration) -> Result<SignedUrl, StorageError> {
        self.sign("PUT", &self.key(path)?, &[], lifetime).await
    }
}
