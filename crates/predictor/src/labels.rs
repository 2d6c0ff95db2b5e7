//! Labels on their way into the label log: each (prediction, version) once, with one value.
//!
//! The index of what was seen is bounded, so a label that comes again after more than half a million others, with
//! the same value or another, may be written again. Whoever folds the log goes by (prediction, version) too, and
//! by the copy that stands first in it: so the second counts for nothing, whether it was refused or not.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_api::native::labels::{Conflict, Kept};
use mainstay_api::oip::service::Durability;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::name::Name;
use mainstay_segments::log::{Cursor, LogError, Receipt, SegmentLog};
use mainstay_serving::label::{Label, LabelValue};
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

/// A fingerprint of a value: eight bytes, whatever its length.
type Print = [u8; 8];

/// Equal values have equal fingerprints, others by a chance of 2⁻⁶⁴.
fn print(value: &LabelValue) -> Print {
    let digest = match value {
        // The two zeros are equal.
        LabelValue::Number(number) => Digest::of_parts([&b"n"[..], &(number + 0.0).to_le_bytes()]),
        LabelValue::Text(text) => Digest::of_parts([&b"t"[..], text.as_bytes()]),
    };
    let mut print = Print::default();
    print.iter_mut().zip(digest.as_bytes()).for_each(|(byte, from)| *byte = *from);
    print
}

/// What was seen lately.
#[derive(Debug, Default)]
struct Seen {
    young: HashMap<Key, Print>,
    old: HashMap<Key, Print>,
}

impl Seen {
    fn get(&self, key: &Key) -> Option<Print> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    /// Of a key that is there already the first value stays.
    fn insert(&mut self, key: Key, value: Print) {
        if self.get(&key).is_some() {
            return;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Reads the whole log.
    fn rebuild(log: &Arc<SegmentLog>) -> Result<Self, LogError> {
        let mut seen = Self::default();
        let mut reader = log.read_from(Cursor::START);
        loop {
            match reader.next_record() {
                Ok(Some(record)) => match Label::decode(record.payload) {
                    Ok(label) => seen.insert(key(&label), print(&label.value)),
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

    /// Appends the labels that are new; those that contradict a label that is there are told and not kept. Waits
    /// for the disk, if `durability` says so. The first call for a workspace reads its log.
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
        let mut in_batch = HashMap::with_capacity(labels.len());
        let mut fresh = Vec::with_capacity(labels.len());
        let mut kept = Kept::default();
        for (position, label) in labels.iter().enumerate() {
            let (key, value) = (key(label), print(&label.value));
            let present = seen.get(&key).or_else(|| match in_batch.entry(key) {
                Entry::Occupied(present) => Some(*present.get()),
                Entry::Vacant(free) => {
                    free.insert(value);
                    None
                }
            });
            match present {
                None => fresh.push((label, value)),
                Some(present) if present == value => kept.duplicate += 1,
                Some(_) => {
                    let (prediction, version) = (label.prediction, label.version);
                    kept.conflicts.push(Conflict { position, prediction, version });
                }
            }
        }
        write(&log, seen, &fresh, durability)?;
        kept.accepted = fresh.len() as u64;
        Ok(kept)
    }
}

/// Appends labels, and waits for the disk if asked to.
fn write(
    log: &SegmentLog,
    seen: &mut Seen,
    fresh: &[(&Label, Print)],
    durability: Durability,
) -> Result<(), LabelFault> {
    let segments = log.stats().segments;
    let mut buffer = Vec::with_capacity(128);
    for (at, (label, value)) in fresh.iter().enumerate() {
        buffer.clear();
        label.encode(&mut buffer)?;
        // One sync at the end is for all that lies before it in the same segment.
        let wanted = wanted(if at + 1 == fresh.len() { durability } else { Durability::Written });
        if log.append(label.arrived, &buffer, wanted)? == Receipt::Dropped {
            let full = StorageError::Full("the label log has reached its size limit".into());
            return Err(LogError::from(full).into());
        }
        seen.insert(key(label), *value);
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
        assert_eq!(kept, Kept { accepted: 3, duplicate: 1, conflicts: Vec::new() });
        drop(first);
        let again = keeper(dir.path());
        let kept = again.keep(&here, &[label(1, 1), label(3, 0)], Durability::Synced).unwrap();
        assert_eq!(kept, Kept { accepted: 1, duplicate: 1, conflicts: Vec::new() });
        let elsewhere = Name::new("other").unwrap();
        assert_eq!(again.keep(&elsewhere, &batch, Durability::Written).unwrap().accepted, 3);
    }

    #[test]
    fn another_value_of_a_label_is_told_and_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let here = Name::new("default").unwrap();
        let other = |id, version| Label { value: LabelValue::Number(0.0), ..label(id, version) };
        let conflict = |position, id, version| Conflict {
            position,
            prediction: PredictionId::from_bytes([id; 16]),
            version,
        };
        let batch = [label(1, 0), other(1, 0), label(2, 0), label(1, 0), other(1, 1)];
        let kept = keeper(dir.path()).keep(&here, &batch, Durability::Written).unwrap();
        assert_eq!(kept, Kept { accepted: 3, duplicate: 1, conflicts: vec![conflict(1, 1, 0)] });
        // Another arrival of the same value is the same label: a client says anew when it learnt of it.
        let mut later = label(1, 0);
        later.arrived = DataTime::from_micros(99);
        let text = Label { value: LabelValue::Text("1".to_owned()), ..label(2, 0) };
        let again = keeper(dir.path());
        let kept = again.keep(&here, &[other(2, 0), later, text, label(3, 0)], Durability::Synced).unwrap();
        let conflicts = vec![conflict(0, 2, 0), conflict(2, 2, 0)];
        assert_eq!(kept, Kept { accepted: 1, duplicate: 1, conflicts });
        let mut reader = again.logs().of(&here).unwrap().read_from(Cursor::START);
        let mut logged = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            logged.push(Label::decode(record.payload).unwrap());
        }
        assert_eq!(logged, [label(1, 0), label(2, 0), other(1, 1), label(3, 0)]);
    }

    #[test]
    fn equal_values_have_equal_fingerprints() {
        let number = |number| print(&LabelValue::Number(number));
        assert_eq!(number(0.0), number(-0.0));
        assert_ne!(number(0.0), number(1.0));
        assert_ne!(print(&LabelValue::Text("1".to_owned())), print(&LabelValue::Text("2".to_owned())));
    }

    #[test]
    fn the_index_forgets_the_oldest_half_only() {
        let mut seen = Seen::default();
        let key = |n: usize| ([0; 16], u32::try_from(n).unwrap());
        let value = print(&LabelValue::Number(1.0));
        (0..=GENERATION).for_each(|n| seen.insert(key(n), value));
        assert!(seen.get(&key(0)).is_some() && seen.get(&key(GENERATION)).is_some());
        (GENERATION + 1..=2 * GENERATION).for_each(|n| seen.insert(key(n), value));
        assert!(seen.get(&key(0)).is_none() && seen.get(&key(GENERATION)).is_some());
    }
}
