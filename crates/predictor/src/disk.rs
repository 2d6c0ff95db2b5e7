//! The snapshot on disk, with its models: what lets a predictor start without a database.
//!
//! `snapshot.json` holds the endpoints and revisions under their digest, `models/<sha256>.onnx` the
//! models; each file is written whole under another name first. A model's digest is checked whenever it
//! is read.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::name::Name;
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::revision::Revision;
use serde::{Deserialize, Serialize};

use super::features::KeptFeatures;
use super::snapshot::{Place, Trouble};

/// The number of the snapshot's format.
const FORMAT: u32 = 1;

/// An endpoint in the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Where.
    pub(super) workspace: Name,
    /// Its definition.
    pub(super) endpoint: Endpoint,
    /// The revision in force.
    pub(super) revision: Revision,
    /// What its feature service is made of.
    #[serde(default)]
    pub(super) features: Option<KeptFeatures>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    seq: u64,
    digest: Digest,
    endpoints: Vec<Entry>,
    troubles: Vec<(Place, Trouble)>,
}

/// A snapshot as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    /// The position in the event log up to which it is true.
    pub(super) seq: EventSeq,
    /// What is served.
    pub(super) endpoints: Vec<Entry>,
    /// What could not be served, and is to be tried again.
    pub(super) troubles: Vec<(Place, Trouble)>,
}

/// The directory of a predictor.
#[derive(Debug, Clone)]
pub(super) struct PredictorDir {
    root: PathBuf,
}

impl PredictorDir {
    /// Creates the directory where it is missing.
    pub(super) fn create(root: PathBuf) -> Result<Self, StorageError> {
        fs::create_dir_all(root.join("models")).map_err(failure)?;
        Ok(Self { root })
    }

    /// Where the checkpoint of the watermarks lies.
    pub(super) fn watermarks(&self) -> PathBuf {
        self.root.join("watermarks.json")
    }

    fn snapshot(&self) -> PathBuf {
        self.root.join("snapshot.json")
    }

    fn model(&self, digest: &Digest) -> PathBuf {
        self.root.join("models").join(format!("{}.onnx", digest.hex()))
    }

    /// The kept snapshot; `None` if there is none, or it does not check.
    pub(super) fn read_snapshot(&self) -> Result<Option<Kept>, StorageError> {
        let bytes = match fs::read(self.snapshot()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(error)),
        };
        let document = serde_json::from_slice::<Document>(&bytes).ok();
        let sound = document.filter(|d| d.format == FORMAT && digest_of(&d.endpoints).ok() == Some(d.digest));
        if sound.is_none() {
            tracing::warn!("the kept snapshot does not check; it is made anew from the record");
        }
        Ok(sound.map(|Document { seq, endpoints, troubles, .. }| Kept {
            seq: EventSeq(seq),
            endpoints,
            troubles,
        }))
    }

    /// Keeps a snapshot, durably.
    pub(super) fn write_snapshot(&self, kept: Kept) -> Result<Digest, StorageError> {
        let Kept { seq, endpoints, troubles } = kept;
        let digest = digest_of(&endpoints)?;
        let document = Document { format: FORMAT, seq: seq.0, digest, endpoints, troubles };
        let bytes =
            serde_json::to_vec_pretty(&document).map_err(|error| StorageError::Failed(error.into()))?;
        write_atomically(&self.snapshot(), &bytes)?;
        Ok(digest)
    }

    /// A kept model; `None` if there is none, or its bytes are not those of the digest.
    pub(super) fn read_model(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StorageError> {
        match fs::read(self.model(digest)) {
            Ok(bytes) if Digest::of(&bytes) == *digest => Ok(Some(bytes)),
            Ok(_) => {
                tracing::warn!(%digest, "a kept model does not have its digest; it is fetched again");
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    /// Keeps a model whose digest was checked.
    pub(super) fn write_model(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StorageError> {
        write_atomically(&self.model(digest), bytes)
    }

    /// Removes the models that `is_needed` does not want.
    pub(super) fn prune_models(&self, is_needed: impl Fn(&Digest) -> bool) -> Result<(), StorageError> {
        for entry in fs::read_dir(self.root.join("models")).map_err(failure)? {
            let path = entry.map_err(failure)?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let digest = format!("sha256:{stem}").parse::<Digest>().ok();
            if !digest.is_some_and(|digest| is_needed(&digest)) {
                fs::remove_file(&path).map_err(failure)?;
            }
        }
        Ok(())
    }
}

/// The digest of what is served: SHA-256 of the endpoints' JSON, in the order of workspace and name.
pub(super) fn digest_of(endpoints: &[Entry]) -> Result<Digest, StorageError> {
    let bytes = serde_json::to_vec(endpoints).map_err(|error| StorageError::Failed(error.into()))?;
    Ok(Digest::of(&bytes))
}

/// Writes a file so that it is there whole, or as it was before.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let temporary = path.with_extension("incoming");
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    })();
    written.map_err(failure)
}

fn failure(error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full(error.into()),
        _ => StorageError::Failed(error.into()),
    }
}
