//! Labels on their way into the label log: each (prediction, version) once.
//!
//! The index of what was seen is bounded, so a repetition that comes after more than half a million
//! other labels may be written again; whoever folds the log goes by (prediction, version) too.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_api::native::labels::Kept;
use mainstay_api::oip::service::Durability;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::name::Name;
use mainstay_segments::log::{Cursor, LogError, Receipt, SegmentLog};
use mainstay_serving::label::Label;
use mainstay_serving::record::CodecError;
use thiserror::Error;

use super::journal::{Logs, wanted};

/// Labels that one half of the index holds; the younger half and the older one together are the index.
const GENERATION: usize = 500_000;

/// Why labels are not kept. What stands before the failure in a batch is: sending the batch again counts
/// it as duplicate.
#[derive(Debug, Error)]
pub(super) enum LabelFault {
    /// The log failed, or its disk is full.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A label is too large.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Coded for LabelFault {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Log(error) => error.code(),
            Self::Codec(error) => error.code(),
        }
    }
}

type Key = ([u8; 16], u32);

fn key(label: &Label) -> Key {
    (*label.prediction.as_bytes(), label.version)
}

/// What was seen lately.
#[derive(Debug, Default)]
struct Seen {
    young: HashSet<Key>,
    old: HashSet<Key>,
}

impl Seen {
    fn contains(&self, key: &Key) -> bool {
        self.young.contains(key) || self.old.contains(key)
    }

    fn insert(&mut self, key: Key) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
    }

    /// Reads the whole log.
    fn rebuild(log: &Arc<SegmentLog>) -> Result<Self, LogError> {
        let mut seen = Self::default();
        let mut reader = log.read_from(Cursor::START);
        loop {
            match reader.next_record() {
                Ok(Some(record)) => match Label::decode(record.payload) {
                    Ok(label) => seen.insert(key(&label)),
                    Err(error) => tracing::warn!(%error, "a logged label cannot be read"),
                },
                Ok(None) => return Ok(seen),
                Err(error) => reader.skip_damage(error)?,
            }
        }
    }
}

/// Keeps the labels of all workspaces.
pub(super) struct LabelKeeper {
    logs: Logs,
    seen: Mutex<HashMap<Name, Arc<Mutex<Option<Seen>>>>>,
}

impl LabelKeeper {
    /// Keeps labels in these logs.
    pub(super) fn new(logs: Logs) -> Self {
        Self { logs, seen: Mutex::default() }
    }

    /// The logs.
    pub(super) const fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Appends the labels that are new. Waits for the disk, if `durability` says so. The first call for a
    /// workspace reads its log.
    pub(super) fn keep(
        &self,
        workspace: &Name,
        labels: &[Label],
        durability: Durability,
    ) -> Result<Kept, LabelFault> {
        let log = self.logs.of(workspace)?;
        let seen = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(workspace.clone()).or_default())
        };
        // Held until the batch is written: two copies of a label at once are one label.
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match &mut *seen {
            Some(seen) => seen,
            none => none.insert(Seen::rebuild(&log)?),
        };
        let mut in_batch = HashSet::with_capacity(labels.len());
        let is_new = |label: &&Label| !seen.contains(&key(label)) && in_batch.insert(key(label));
        let fresh: Vec<&Label> = labels.iter().filter(is_new).collect();
        write(&log, seen, &fresh, durability)?;
        let accepted = fresh.len() as u64;
        Ok(Kept { accepted, duplicate: labels.len() as u64 - accepted })
    }
}

/// Appends labels, and waits for the disk if asked to.
fn write(
    log: &SegmentLog,
    seen: &mut Seen,
    fresh: &[&Label],
    durability: Durability,
) -> Result<(), LabelFault> {
    let segments = log.stats().segments;
    let mut buffer = Vec::with_capacity(128);
    for (at, label) in fresh.iter().enumerate() {
        buffer.clear();
        label.encode(&mut buffer)?;
        // One sync at the end is for all that lies before it in the same segment.
        let wanted = wanted(if at + 1 == fresh.len() { durability } else { Durability::Written });
        if log.append(label.arrived, &buffer, wanted)? == Receipt::Dropped {
            let full = StorageError::Full("the label log has reached its size limit".into());
            return Err(LogError::from(full).into());
        }
        seen.insert(key(label));
    }
    // What stands in other segments (of this batch, or a repeated label's first copy) is synced by sealing.
    let elsewhere = fresh.is_empty() || log.stats().segments != segments;
    if durability == Durability::Synced && elsewhere {
        log.rotate();
        log.seal_closed()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_core::id::PredictionId;
    use mainstay_core::time::DataTime;
    use mainstay_serving::label::LabelValue;
    use mainstay_serving::segment::SegmentKind;

    use super::*;

    fn label(id: u8, version: u32) -> Label {
        let at = DataTime::from_micros(i64::from(id));
        let value = LabelValue::Number(1.0);
        Label { prediction: PredictionId::from_bytes([id; 16]), version, value, at, arrived: at }
    }

    fn keeper(dir: &std::path::Path) -> LabelKeeper {
        LabelKeeper::new(Logs::open(SegmentKind::Labels, dir, Arc::new(SeededEntropy::new(1))).unwrap())
    }

    #[test]
    fn each_label_is_kept_once_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let here = Name::new("default").unwrap();
        let first = keeper(dir.path());
        let batch = [label(1, 0), label(2, 0), label(1, 0), label(1, 1)];
        let kept = first.keep(&here, &batch, Durability::Written).unwrap();
        assert_eq!(kept, Kept { accepted: 3, duplicate: 1 });
        drop(first);
        let again = keeper(dir.path());
        let kept = again.keep(&here, &[label(1, 1), label(3, 0)], Durability::Synced).unwrap();
        assert_eq!(kept, Kept { accepted: 1, duplicate: 1 });
        let elsewhere = Name::new("other").unwrap();
        assert_eq!(again.keep(&elsewhere, &batch, Durability::Written).unwrap().accepted, 3);
    }

    #[test]
    fn the_index_forgets_the_oldest_half_only() {
        let mut seen = Seen::default();
        let key = |n: usize| ([0; 16], u32::try_from(n).unwrap());
        (0..=GENERATION).for_each(|n| seen.insert(key(n)));
        assert!(seen.contains(&key(0)) && seen.contains(&key(GENERATION)));
        (GENERATION + 1..=2 * GENERATION).for_each(|n| seen.insert(key(n)));
        assert!(!seen.contains(&key(0)) && seen.contains(&key(GENERATION)));
    }
}
