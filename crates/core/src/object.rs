//! Objects: files by path, on local disk or in an object store.

use std::collections::BinaryHeap;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use thiserror::Error;

use crate::digest::Digest;
use crate::error::{Cause, Coded, ErrorCode, StorageError};
use crate::time::MachineTime;

/// Longest path, in bytes.
const MAX_PATH: usize = 1_024;

/// The text is not an [`ObjectPath`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a path has segments separated by '/', at most {MAX_PATH} bytes, and none of them is empty, '.' or '..', \
     or holds a backslash, '#' or a control character"
)]
pub struct InvalidObjectPath;

impl Coded for InvalidObjectPath {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A relative path that cannot leave its root: `0/4f…/artifacts/model/MLmodel`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath(String);

/// What is kept of a model, by the digest of its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFile {
    /// The graph itself.
    Graph,
    /// What the monitor compares with.
    Reference,
    /// How it was trained.
    Report,
}

impl ObjectPath {
    /// The folder of what is kept of models. No client may write or read in it by path.
    pub const MODELS: &str = "models";

    /// Where a store on disk writes objects before they get their names. Nobody may write or read in it by path.
    pub const INCOMING: &str = ".incoming";

    /// Where a file of a model lies.
    pub fn of_model(digest: &Digest, file: ModelFile) -> Self {
        let file = match file {
            ModelFile::Graph => "model.onnx",
            ModelFile::Reference => "reference.json",
            ModelFile::Report => "report.json",
        };
        Self(format!("{}/{}/{file}", Self::MODELS, digest.hex()))
    }

    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidObjectPath> {
        let text = text.into();
        let clean = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.len() <= 255
                && !segment.chars().any(|c| matches!(c, '\\' | '#') || c.is_control())
        };
        if text.len() > MAX_PATH || !text.split('/').all(clean) {
            return Err(InvalidObjectPath);
        }
        Ok(Self(text))
    }

    /// The path of something below this one.
    pub fn join(&self, below: &str) -> Result<Self, InvalidObjectPath> {
        Self::new(format!("{}/{below}", self.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectPath {
    type Err = InvalidObjectPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Cause>> + Send>>;

/// What is known of an object without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Its length in bytes.
    pub size: u64,
    /// When it was stored, if the store knows.
    pub stored: Option<MachineTime>,
    /// Tells what was stored from what was there before, where the time is too coarse for that.
    pub revision: Option<u64>,
}

/// An object being read.
pub struct Content {
    /// Of the whole object, also where only a range is read.
    pub status: Status,
    /// The bytes asked for.
    pub bytes: ByteStream,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name within the listed directory.
    pub name: String,
    /// The length in bytes; `None` for a directory.
    pub size: Option<u64>,
}

/// What lies in a directory, as it is read: in no order, and never all of it in memory.
pub type Entries = Pin<Box<dyn Stream<Item = Result<Entry, StorageError>> + Send>>;

/// The beginning of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by name; of a file and a directory of one name the file first.
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub has_more: bool,
}

impl Listing {
    /// The first `limit` of what lies in a directory; never more of them are held at once.
    pub async fn first(mut entries: Entries, limit: usize) -> Result<Self, StorageError> {
        let (mut first, mut has_more) = (BinaryHeap::new(), false);
        while let Some(Entry { name, size }) = entries.try_next().await? {
            first.push((name, size.is_none(), size));
            if first.len() > limit {
                first.pop();
                has_more = true;
            }
        }
        let sorted = first.into_sorted_vec().into_iter();
        Ok(Self { entries: sorted.map(|(name, _, size)| Entry { name, size }).collect(), has_more })
    }
}

/// Why an object was not stored or read.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// The sender stopped, or sent something that could not be read.
    #[error("the upload ended early; send it again")]
    Interrupted(#[source] Cause),
    /// Longer than allowed.
    #[error("the object is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A file stands where a folder would have to be, or a folder where the file would.
    #[error("there is another object in the way: a file cannot be a folder too; choose another path")]
    Occupied,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for ObjectError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Occupied => ErrorCode::AlreadyExists,
            Self::Interrupted(_) => ErrorCode::MalformedBody,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Storage(error) => error.code(),
        }
    }
}

/// A URL that lets whoever has it do one thing for a while. It is for one answer alone: it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl(String);

impl SignedUrl {
    /// Wraps a URL that carries its permission.
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// The text, for the one who asked for it.
    pub fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedUrl(…)")
    }
}

/// An upload in parts that a client makes to the store itself.
#[derive(Debug, Clone)]
pub struct PartedUpload {
    /// The store's name for it.
    pub id: String,
    /// Where each part is to be put, in order.
    pub parts: Vec<SignedUrl>,
}

/// Why an upload in parts was not completed.
#[derive(Debug, Error)]
pub enum PartedUploadError {
    /// There is no such upload of that object: it has ended, or was never begun.
    #[error("there is no such upload of this artifact, or it has ended; begin it again")]
    NoUpload,
    /// The parts do not make up an object.
    #[error("the store refuses these parts; send each once, in order, with the ETag that it was answered")]
    Parts,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for PartedUploadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoUpload => ErrorCode::NotFound,
            Self::Parts => ErrorCode::InvalidArgument,
            Self::Storage(error) => error.code(),
        }
    }
}

/// What a store can do that clients reach themselves: their bytes do not pass through this process.
#[async_trait]
pub trait DirectTransfer: Send + Sync {
    /// The most parts of one upload.
    fn max_parts(&self) -> u32;

    /// Begins an upload in `parts` parts; each may be put within `lifetime`. Nothing is visible before it is
    /// completed.
    async fn begin_upload(
        &self,
        path: &ObjectPath,
        parts: u32,
        lifetime: Duration,
    ) -> Result<PartedUpload, StorageError>;

    /// Makes an object of the parts, by what the store answered to each, in order.
    async fn complete_upload(
        &self,
        path: &ObjectPath,
        id: &str,
        etags: Vec<String>,
    ) -> Result<(), PartedUploadError>;

    /// Forgets an upload and its parts. One that is not there needs no forgetting.
    async fn abort_upload(&self, path: &ObjectPath, id: &str) -> Result<(), StorageError>;

    /// Where an object can be read within `lifetime`, and what it is; `None` if there is none. A browser saves it
    /// and does not show it.
    async fn download_url(
        &self,
        path: &ObjectPath,
        lifetime: Duration,
    ) -> Result<Option<(SignedUrl, Status)>, StorageError>;

    /// Where an object can be put as a whole within `lifetime`.
    async fn upload_url(&self, path: &ObjectPath, lifetime: Duration) -> Result<SignedUrl, StorageError>;
}

/// A store of objects. An object appears whole or not at all.
///
/// On disk a file cannot be a folder too ([`ObjectError::Occupied`]); a store of keys knows no folders, and may hold
/// both `a` and `a/b`.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Stores what `bytes` yields, and replaces what was there. Durable when it answers.
    async fn put(&self, path: &ObjectPath, bytes: ByteStream, limit: u64) -> Result<(), ObjectError>;

    /// Opens an object, or a range of it; `None` if there is none.
    async fn get(
        &self,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<Option<Content>, StorageError>;

    /// What is known of an object; `None` if there is none.
    async fn status(&self, path: &ObjectPath) -> Result<Option<Status>, StorageError>;

    /// What lies in a directory; `None` for the root. Nothing if there is none.
    async fn entries(&self, directory: Option<&ObjectPath>) -> Result<Entries, StorageError>;

    /// The first `limit` of what lies in a directory, sorted by name.
    async fn list(&self, directory: Option<&ObjectPath>, limit: usize) -> Result<Listing, StorageError> {
        Listing::first(self.entries(directory).await?, limit).await
    }

    /// Removes an object or a whole directory; `false` if there was none.
    async fn delete(&self, path: &ObjectPath) -> Result<bool, StorageError>;

    /// Removes what uploads left behind that began before a moment and never ended; how many there were.
    async fn discard_unfinished(&self, before: MachineTime) -> Result<u64, StorageError>;

    /// What clients may do without this process, where the store allows that.
    fn direct(&self) -> Option<&dyn DirectTransfer> {
        None
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn the_first_of_a_directory_are_held_and_no_more() {
        let entry = |(name, size): (&str, Option<u64>)| Ok(Entry { name: name.to_owned(), size });
        let there = [("b", None), ("d", Some(1)), ("a", Some(2)), ("b", Some(3)), ("c", None)];
        let first = async |limit| {
            let listing = Listing::first(Box::pin(stream::iter(there.map(entry))), limit).await.unwrap();
            let names = listing.entries.into_iter().map(|entry| (entry.name, entry.size));
            (names.collect::<Vec<_>>(), listing.has_more)
        };
        let sorted = [("a", Some(2)), ("b", Some(3)), ("b", None), ("c", None), ("d", Some(1))]
            .map(|(name, size)| (name.to_owned(), size));
        assert_eq!(first(9).await, (sorted.to_vec(), false));
        assert_eq!(first(5).await, (sorted.to_vec(), false));
        assert_eq!(first(3).await, (sorted[..3].to_vec(), true));
        assert_eq!(first(0).await, (Vec::new(), true));
        let failing = stream::iter([entry(("a", None)), Err(StorageError::Corrupt("x".into()))]);
        assert!(Listing::first(Box::pin(failing), 9).await.is_err());
    }

    #[test]
    fn a_signed_url_is_not_printed() {
        let url = SignedUrl::new("https://store/a?X-Amz-Signature=secret".to_owned());
        let upload = PartedUpload { id: "u".to_owned(), parts: vec![url.clone()] };
        assert!(!format!("{url:?} {upload:?}").contains("secret"));
        assert!(url.reveal().ends_with("secret"));
    }

    #[test]
    fn a_path_cannot_leave_its_root() {
        for good in ["a", "a/b.txt", "0/ab/artifacts/model/MLmodel", "ü/…", "a b", "a:b"] {
            assert!(ObjectPath::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a\\b", "a#b", "a\0", "a\n"] {
            assert!(ObjectPath::new(bad).is_err(), "{bad:?}");
        }
        assert!(ObjectPath::new("a/".repeat(600) + "a").is_err());
    }
}
