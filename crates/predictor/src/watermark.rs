//! The watermark of each endpoint: the latest data time that it was asked for.
//!
//! It is kept in memory, and found again at start from a checkpoint and the part of the prediction log
//! behind it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_segments::log::{Cursor, LogError, SegmentLog};
use mainstay_serving::record::PredictionRecord;
use serde::{Deserialize, Serialize};

use super::disk::write_atomically;

/// Moves a watermark forward; it never goes back.
pub(super) fn advance(watermark: &AtomicI64, at: DataTime) {
    watermark.fetch_max(at.micros(), Ordering::Relaxed);
}

/// What is known of one workspace.
#[derive(Debug, Default)]
struct Known {
    /// Every record before it is in the watermarks.
    cursor: Option<Cursor>,
    endpoints: BTreeMap<Name, Arc<AtomicI64>>,
}

/// A workspace in the checkpoint.
#[derive(Serialize, Deserialize)]
struct Saved {
    cursor: Cursor,
    endpoints: BTreeMap<Name, i64>,
}

/// The watermarks of all endpoints.
pub(super) struct Watermarks {
    path: PathBuf,
    known: Mutex<BTreeMap<Name, Known>>,
    /// The checkpoint as it was last written.
    saved: Mutex<Vec<u8>>,
}

impl Watermarks {
    /// Reads the checkpoint at `path`; without one, or with a damaged one, every log is read from its start.
    pub(super) fn open(path: PathBuf) -> Self {
        let saved = std::fs::read(&path).ok().and_then(|bytes| match serde_json::from_slice(&bytes) {
            Ok(saved) => Some(saved),
            Err(error) => {
                tracing::warn!(%error, "the checkpoint of the watermarks is damaged; they are found anew");
                None
            }
        });
        let saved: BTreeMap<Name, Saved> = saved.unwrap_or_default();
        let known = saved.into_iter().map(|(workspace, saved)| {
            let endpoints =
                saved.endpoints.into_iter().map(|(name, at)| (name, Arc::new(AtomicI64::new(at))));
            (workspace, Known { cursor: Some(saved.cursor), endpoints: endpoints.collect() })
        });
        Self { path, known: Mutex::new(known.collect()), saved: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Name, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watermark of an endpoint, to be shared with whoever moves it.
    pub(super) fn of(&self, workspace: &Name, endpoint: &Name) -> Arc<AtomicI64> {
        let mut known = self.known();
        let endpoints = &mut known.entry(workspace.clone()).or_default().endpoints;
        let fresh = || Arc::new(AtomicI64::new(DataTime::MIN.micros()));
        Arc::clone(endpoints.entry(endpoint.clone()).or_insert_with(fresh))
    }

    /// The watermark of an endpoint, if it was ever asked.
    pub(super) fn get(&self, workspace: &Name, endpoint: &Name) -> Option<DataTime> {
        let known = self.known();
        let micros = known.get(workspace)?.endpoints.get(endpoint)?.load(Ordering::Relaxed);
        Some(DataTime::from_micros(micros)).filter(|at| *at != DataTime::MIN)
    }

    /// Folds what the log holds behind the cursor.
    pub(super) fn fold(&self, workspace: &Name, log: &Arc<SegmentLog>) -> Result<(), LogError> {
        let start = self.known().entry(workspace.clone()).or_default().cursor.unwrap_or(Cursor::START);
        let mut reader = log.read_from(start);
        loop {
            match reader.next_record() {
                Ok(Some(record)) => match PredictionRecord::decode(record.payload) {
                    Ok(decoded) => advance(&self.of(workspace, &decoded.endpoint), record.at),
                    Err(error) => tracing::warn!(%error, %workspace, "a logged prediction cannot be read"),
                },
                Ok(None) => break,
                Err(error) => reader.skip_damage(error)?,
            }
        }
        self.reach(workspace, reader.cursor());
        Ok(())
    }

    /// Notes that every record before the cursor is in the watermarks.
    pub(super) fn reach(&self, workspace: &Name, cursor: Cursor) {
        self.known().entry(workspace.clone()).or_default().cursor = Some(cursor);
    }

    /// Writes the checkpoint, if it differs from the one before.
    pub(super) fn save(&self) -> Result<(), StorageError> {
        let saved: BTreeMap<Name, Saved> = self
            .known()
            .iter()
            .filter_map(|(workspace, known)| {
                let endpoints =
                    known.endpoints.iter().map(|(name, at)| (name.clone(), at.load(Ordering::Relaxed)));
                Some((workspace.clone(), Saved { cursor: known.cursor?, endpoints: endpoints.collect() }))
            })
            .collect();
        let bytes = serde_json::to_vec(&saved).map_err(|error| StorageError::Failed(error.into()))?;
        let mut last = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != bytes {
            write_atomically(&self.path, &bytes)?;
            *last = bytes;
        }
        Ok(())
    }
}
