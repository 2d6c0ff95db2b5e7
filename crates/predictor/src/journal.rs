//! The logs of predictions and labels: one of each for every workspace, because a sealed segment goes on
//! the record of one workspace.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_api::oip::service::{Durability, Receipt};
use mainstay_core::entropy::Entropy;
use mainstay_core::name::Name;
use mainstay_segments::log::{self, LocalDisk, LogError, LogOptions, SegmentLog};
use mainstay_serving::record::PredictionRecord;
use mainstay_serving::segment::SegmentKind;

/// The open logs of one kind. A workspace's log is opened when it is first needed.
pub(super) struct Logs {
    kind: SegmentKind,
    dir: PathBuf,
    entropy: Arc<dyn Entropy>,
    open: RwLock<HashMap<Name, Arc<SegmentLog>>>,
}

impl Logs {
    /// Opens the logs that are in `dir`, one directory for each workspace, and repairs what a crash left.
    pub(super) fn open(kind: SegmentKind, dir: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, LogError> {
        std::fs::create_dir_all(dir)?;
        let logs = Self { kind, dir: dir.to_owned(), entropy, open: RwLock::default() };
        for entry in std::fs::read_dir(dir)? {
            let name = entry?.file_name();
            if let Some(Ok(workspace)) = name.to_str().map(Name::new) {
                logs.of(&workspace)?;
            } else {
                tracing::warn!(?name, "not the log of a workspace; left alone");
            }
        }
        Ok(logs)
    }

    /// The log of a workspace.
    pub(super) fn of(&self, workspace: &Name) -> Result<Arc<SegmentLog>, LogError> {
        let known = self.open.read().unwrap_or_else(PoisonError::into_inner).get(workspace).cloned();
        if let Some(log) = known {
            return Ok(log);
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = open.get(workspace) {
            return Ok(Arc::clone(log));
        }
        let dir = self.dir.join(workspace.as_str());
        std::fs::create_dir_all(&dir)?;
        let (log, recovery) =
            SegmentLog::open(&dir, LogOptions::default(), Arc::new(LocalDisk), &*self.entropy)?;
        if recovery.cut_bytes > 0 || recovery.set_aside > 0 {
            tracing::warn!(kind = self.kind.as_str(), %workspace, ?recovery, "a log was repaired");
        }
        let log = Arc::new(log);
        open.insert(workspace.clone(), Arc::clone(&log));
        Ok(log)
    }

    /// What they hold.
    pub(super) const fn kind(&self) -> SegmentKind {
        self.kind
    }

    /// Every open log with its workspace.
    pub(super) fn all(&self) -> Vec<(Name, Arc<SegmentLog>)> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.iter().map(|(workspace, log)| (workspace.clone(), Arc::clone(log))).collect()
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::default();
}

/// Appends records and says how safe the least safe of them is. A record that cannot be written is
/// dropped: a full disk takes the log away, not the answers.
pub(super) fn append_all(log: &SegmentLog, records: &[PredictionRecord], durability: Durability) -> Receipt {
    if let [record] = records {
        return append(log, record, durability);
    }
    let segments = log.stats().segments;
    let mut receipt = Receipt::Synced;
    let last = records.len().saturating_sub(1);
    for (at, record) in records.iter().enumerate() {
        // One sync at the end is for all that lies before it in the same segment.
        let wanted = if at == last { durability } else { Durability::Written };
        let given = append(log, record, wanted);
        receipt = receipt.min(if at == last || given == Receipt::Dropped { given } else { Receipt::Synced });
    }
    // Records before a change of segments were not part of that sync.
    if log.stats().segments == segments { receipt } else { receipt.min(Receipt::Written) }
}

fn append(log: &SegmentLog, record: &PredictionRecord, durability: Durability) -> Receipt {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        if let Err(error) = record.encode(buffer) {
            tracing::warn!(prediction = %record.id, %error, "a prediction is not logged");
            return Receipt::Dropped;
        }
        match log.append(record.at, buffer, wanted(durability)) {
            Ok(log::Receipt::Synced) => Receipt::Synced,
            Ok(log::Receipt::Written) => Receipt::Written,
            Ok(log::Receipt::Dropped) => Receipt::Dropped,
            Err(error) => {
                tracing::warn!(prediction = %record.id, ?error, "a prediction is not logged");
                Receipt::Dropped
            }
        }
    })
}

/// The log's word for it.
pub(super) const fn wanted(durability: Durability) -> log::Durability {
    match durability {
        Durability::Written => log::Durability::Written,
        Durability::Synced => log::Durability::Synced,
    }
}
