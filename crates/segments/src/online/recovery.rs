//! Opening a directory: the newest snapshot, then its log up to the last whole frame.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::OnlineError;
use super::error::corrupt;
use super::format::{self, Frame, HEADER, VERSION};
use super::journal::Journal;
use super::snapshot;
use super::view::OnlineView;

/// What was found when a store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Frames read from the log.
    pub frames: u64,
    /// Bytes at the log's end that were no whole frame, and were cut off.
    pub truncated: u64,
}

/// The views as they are read.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By name, with the number under which frames speak of it.
    pub(super) views: BTreeMap<String, (u32, Arc<OnlineView>)>,
    /// By number, those that are to take a name which another has.
    filling: BTreeMap<u32, Arc<OnlineView>>,
    /// The number for the next view.
    pub(super) next: u32,
}

impl State {
    /// Folds one frame in. Rows of a view that was replaced are passed over.
    pub(super) fn take(&mut self, path: &Path, frame: Frame) -> Result<(), OnlineError> {
        match frame {
            Frame::View { number, spec } => {
                self.next = self.next.max(number.saturating_add(1));
                let (name, view) = (spec.name.clone(), Arc::new(OnlineView::new(spec)));
                match self.views.entry(name) {
                    Entry::Occupied(_) => drop(self.filling.insert(number, view)),
                    Entry::Vacant(free) => {
                        free.insert((number, view));
                    }
                }
            }
            Frame::Rows { view, rows } => {
                if let Some(view) = self.numbered(view) {
                    for (key, row) in rows {
                        view.insert(key, row);
                    }
                }
            }
            Frame::Coverage { view: number, coverage, source } => {
                if let Some(view) = self.numbered(number) {
                    view.cover(coverage, source);
                }
                if let Some(view) = self.filling.remove(&number) {
                    self.views.insert(view.spec().name.clone(), (number, view));
                }
            }
            Frame::End { .. } => return Err(corrupt(path, "an end where none belongs")),
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> Option<Arc<OnlineView>> {
        let named = self.views.values().find(|(known, _)| *known == number).map(|(_, view)| view);
        named.or_else(|| self.filling.get(&number)).cloned()
    }
}

/// The version of a file; one that does not begin with our header is refused.
pub(super) fn check_version(path: &Path, bytes: &[u8]) -> Result<u32, OnlineError> {
    match format::version_of(bytes) {
        Some(known @ 1..=VERSION) => Ok(known),
        Some(found) => Err(OnlineError::Version { found, known: VERSION }),
        None => Err(corrupt(path, "the header is damaged")),
    }
}

/// The file of a generation.
pub(super) fn snapshot_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("snapshot-{generation:020}"))
}

/// The log of a generation.
pub(super) fn log_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("log-{generation:020}"))
}

/// A store as it was found.
pub(super) struct Opened {
    pub(super) state: State,
    pub(super) generation: u64,
    pub(super) snapshot_length: u64,
    pub(super) journal: Journal,
    /// A file has an earlier version than the one that is written.
    pub(super) is_outdated: bool,
    pub(super) recovery: Recovery,
}

/// Reads a directory, cuts a torn tail off, and removes what an interrupted compaction left.
pub(super) fn open(dir: &Path) -> Result<Opened, OnlineError> {
    let generation = newest_generation(dir)?;
    let mut state = State::default();
    let (mut snapshot_length, mut version) = (0, VERSION);
    if generation > 0 {
        let path = snapshot_path(dir, generation);
        version = snapshot::read(&path, &mut state)?;
        snapshot_length = fs::metadata(&path)?.len();
    }
    let path = log_path(dir, generation);
    let bytes = if path.exists() { fs::read(&path)? } else { Vec::new() };
    let mut recovery = Recovery::default();
    // A log whose creation was cut short holds nothing yet.
    let journal = if bytes.len() < HEADER {
        recovery.truncated = bytes.len() as u64;
        Journal::create(&path)?
    } else {
        version = version.min(check_version(&path, &bytes)?);
        let mut at = HEADER;
        while let Some((frame, length)) = format::read(bytes.get(at..).unwrap_or_default()) {
            state.take(&path, frame)?;
            at += length;
            recovery.frames += 1;
        }
        recovery.truncated = (bytes.len() - at) as u64;
        Journal::resume(&path, at as u64)?
    };
    for (_, view) in state.views.values() {
        // Rows that were read after the coverage which made them unreachable.
        if let Some(coverage) = view.coverage() {
            view.prune(coverage.horizon);
        }
    }
    remove_others(dir, generation)?;
    let is_outdated = version < VERSION;
    Ok(Opened { state, generation, snapshot_length, journal, is_outdated, recovery })
}

/// The generation of the newest snapshot; 0 if there is none.
fn newest_generation(dir: &Path) -> Result<u64, OnlineError> {
    let mut newest = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("snapshot-")?.parse().ok());
        newest = newest.max(number.unwrap_or(0));
    }
    Ok(newest)
}

/// Removes temporary files and other generations.
pub(super) fn remove_others(dir: &Path, generation: u64) -> Result<(), OnlineError> {
    let keep = [snapshot_path(dir, generation), log_path(dir, generation)];
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ours = name.starts_with("snapshot-") || name.starts_with("log-");
        if ours && !keep.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
