//! Objects: files by path, on local disk or in an object store.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
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

/// What is known of a stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length in bytes.
    pub size: u64,
    /// Its digest, computed while it was written.
    pub digest: Digest,
}

/// An object being read.
pub struct Content {
    /// The whole object's length in bytes, also where only a range is read.
    pub size: u64,
    /// When it was stored, if the store knows.
    pub stored: Option<MachineTime>,
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

/// A store of objects. An object appears whole or not at all.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Stores what `bytes` yields, and replaces what was there. Durable when it answers.
    async fn put(&self, path: &ObjectPath, bytes: ByteStream, limit: u64) -> Result<Stored, ObjectError>;

    /// Opens an object, or a range of it; `None` if there is none.
    async fn get(
        &self,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<Option<Content>, StorageError>;

    /// Lists a directory, sorted by name; `None` for the root. Empty if there is none.
    async fn list(&self, directory: Option<&ObjectPath>) -> Result<Vec<Entry>, StorageError>;

    /// Removes an object or a whole directory; `false` if there was none.
    async fn delete(&self, path: &ObjectPath) -> Result<bool, StorageError>;
}

#[cfg(test)]
mod tests {
    use super::*;

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
