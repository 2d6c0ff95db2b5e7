//! The store: one writer, many readers.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mainstay_features::online::{OnlineRow, PackError, PackedRow, pack};
use mainstay_features::plan::{Coverage, MaterialisationPlan};

use super::OnlineError;
use super::format::{self, PackedEntry, ROWS_FRAME, RowsWriter};
use super::journal::Journal;
use super::recovery::{self, Opened, Recovery, log_path, remove_others, snapshot_path};
use super::snapshot;
use super::view::{OnlineView, ViewSpec};

/// What a write waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The operating system has it: it survives `kill -9`.
    Written,
    /// The disk has it: it survives a power failure.
    Synced,
}

/// How the store keeps house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The log is compacted into a snapshot when it is longer than this and than twice the snapshot.
    pub compact_at: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { compact_at: 64 << 20 }
    }
}

/// What the writer alone touches.
#[derive(Debug)]
struct Writer {
    journal: Journal,
    generation: u64,
    /// The length of the log beyond which it is compacted.
    compact_at: u64,
    numbers: BTreeMap<String, u32>,
    next: u32,
}

/// The online feature store of one process.
#[derive(Debug)]
pub struct OnlineStore {
    dir: PathBuf,
    options: Options,
    views: RwLock<BTreeMap<String, Arc<OnlineView>>>,
    writer: Mutex<Writer>,
    /// Held as long as the store lives.
    _lock: File,
}

impl OnlineStore {
    /// Opens a directory, or makes it; reads everything into memory.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), OnlineError> {
        fs::create_dir_all(dir)?;
        let lock = File::create(dir.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OnlineError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let Opened { state, generation, snapshot_length, journal, is_outdated, recovery } =
            recovery::open(dir)?;
        let numbers = state.views.iter().map(|(name, (number, _))| (name.clone(), *number)).collect();
        let views = state.views.into_iter().map(|(name, (_, view))| (name, view)).collect();
        let compact_at = options.compact_at.max(2 * snapshot_length);
        let writer = Writer { journal, generation, compact_at, numbers, next: state.next };
        let store = Self {
            dir: dir.to_owned(),
            options,
            views: RwLock::new(views),
            writer: Mutex::new(writer),
            _lock: lock,
        };
        if is_outdated {
            // What is appended from now on must not stand behind an earlier version's header.
            store.compact()?;
        }
        Ok((store, recovery))
    }

    /// A view, to read from. One handle serves many reads; it goes on showing the old rows if the view is
    /// redefined.
    pub fn view(&self, name: &str) -> Option<Arc<OnlineView>> {
        self.views.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The names of all views.
    pub fn views(&self) -> Vec<String> {
        self.views.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Declares a view. The same again changes nothing; another definition takes the name by [`Self::carry`].
    pub fn define(&self, spec: &ViewSpec) -> Result<Arc<OnlineView>, OnlineError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match self.view(&spec.name) {
            Some(known) if known.spec() == spec => return Ok(known),
            Some(_) => return Err(OnlineError::Defined(spec.name.clone())),
            None => {}
        }
        let (number, view) = begin(&mut writer, spec)?;
        self.name(&mut writer, number, &view);
        Ok(view)
    }

    /// Carries the rows of a plan, and vouches for its coverage: all of it is on the disk on return.
    /// `source` is the version of the source's table that they were made of; `batches` yields them.
    ///
    /// A plan that starts anew fills a view beside the one of that name, if there is one: that answers until
    /// the new one is covered and takes its name. A plan that goes on adds to the view that it was made for;
    /// refused if that was replaced or carried on from another version meanwhile. After an error what was
    /// there answers as before, but for rows that no request up to its coverage sees.
    pub fn carry<E: From<OnlineError>>(
        &self,
        spec: &ViewSpec,
        plan: MaterialisationPlan,
        source: u64,
        mut batches: impl FnMut() -> Result<Option<Vec<PackedEntry>>, E>,
    ) -> Result<(), E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.view(&spec.name).filter(|known| known.spec() == spec);
        if !goes_on(known.as_deref(), plan, source) {
            return Err(OnlineError::Overtaken(spec.name.clone()).into());
        }
        let (number, view) = match plan.after {
            Some(_) => self.numbered(&writer, &spec.name)?,
            None => begin(&mut writer, spec)?,
        };
        while let Some(rows) = batches()? {
            put(&mut writer, (number, &view), rows, Durability::Written)?;
        }
        cover(&mut writer, (number, &view), plan.coverage(), Some(source))?;
        self.name(&mut writer, number, &view);
        self.compact_if_due(&mut writer);
        Ok(())
    }

    /// From here on the name means this view.
    fn name(&self, writer: &mut Writer, number: u32, view: &Arc<OnlineView>) {
        let name = &view.spec().name;
        writer.numbers.insert(name.clone(), number);
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        views.insert(name.clone(), Arc::clone(view));
    }

    /// Writes rows of any views. They are seen once they are as durable as asked.
    pub fn put_batch(&self, rows: &[OnlineRow], durability: Durability) -> Result<(), OnlineError> {
        let mut by_view: BTreeMap<&str, Vec<PackedEntry>> = BTreeMap::new();
        for row in rows {
            let mut packed = Vec::new();
            pack(&mut packed, row.stamp.ts, Some(row.stamp.created), &row.values)?;
            by_view.entry(&row.view).or_default().push((row.key.clone(), packed.into_boxed_slice()));
        }
        by_view.into_iter().try_for_each(|(view, rows)| self.put_packed(view, rows, durability))
    }

    /// Writes packed rows of one view. All of them are there afterwards, or none.
    pub fn put_packed(
        &self,
        view: &str,
        rows: Vec<PackedEntry>,
        durability: Durability,
    ) -> Result<(), OnlineError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, view) = self.numbered(&writer, view)?;
        put(&mut writer, (number, &view), rows, durability)?;
        self.compact_if_due(&mut writer);
        Ok(())
    }

    /// Vouches that every row of the view visible up to `coverage.until` was put, and drops what no
    /// request at or after `coverage.horizon` can need. On the disk, with all rows before it, on return.
    pub fn cover(&self, view: &str, coverage: Coverage) -> Result<(), OnlineError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, view) = self.numbered(&writer, view)?;
        cover(&mut writer, (number, &view), coverage, None)?;
        self.compact_if_due(&mut writer);
        Ok(())
    }

    /// Waits until everything that was put is on the disk.
    pub fn sync(&self) -> Result<(), OnlineError> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).journal.sync()
    }

    /// Writes a snapshot and starts an empty log.
    pub fn compact(&self) -> Result<(), OnlineError> {
        self.compact_with(&mut self.writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn numbered(&self, writer: &Writer, name: &str) -> Result<(u32, Arc<OnlineView>), OnlineError> {
        let unknown = || OnlineError::UnknownView(name.to_owned());
        let number = writer.numbers.get(name).copied().ok_or_else(unknown)?;
        Ok((number, self.view(name).ok_or_else(unknown)?))
    }

    /// A compaction that fails loses nothing: the rows are in the log, which is tried again once it has
    /// grown by as much again.
    fn compact_if_due(&self, writer: &mut Writer) {
        if writer.journal.length() <= writer.compact_at {
            return;
        }
        if let Err(error) = self.compact_with(writer) {
            writer.compact_at = writer.journal.length() + self.options.compact_at;
            tracing::warn!(error = ?error, dir = %self.dir.display(), "the online feature store was not compacted");
        }
    }

    fn compact_with(&self, writer: &mut Writer) -> Result<(), OnlineError> {
        let views: Vec<(u32, Arc<OnlineView>)> =
            writer.numbers.iter().filter_map(|(name, number)| Some((*number, self.view(name)?))).collect();
        let borrowed: Vec<(u32, &OnlineView)> =
            views.iter().map(|(number, view)| (*number, &**view)).collect();
        let next = writer.generation + 1;
        let length = snapshot::write(&snapshot_path(&self.dir, next), &borrowed)?;
        // From the rename on, whoever opens the store reads the new generation: the old log must not grow.
        writer.journal.close();
        writer.generation = next;
        writer.journal = Journal::create(&log_path(&self.dir, next))?;
        writer.compact_at = self.options.compact_at.max(2 * length);
        remove_others(&self.dir, next)
    }
}

/// Whether a plan still fits `known`, the view of its definition. It may also have gone on from the same version
/// of the source: the rows that are carried twice are the same.
fn goes_on(known: Option<&OnlineView>, plan: MaterialisationPlan, source: u64) -> bool {
    let present = known.and_then(OnlineView::coverage);
    match (plan.after, present) {
        (None, None) => true,
        (None, Some(present)) => present.until <= plan.until,
        (Some(_), None) => false,
        (Some(after), Some(present)) => {
            let is_same = known.and_then(OnlineView::source) == Some(source);
            present.until == after || (present.until > after && is_same)
        }
    }
}

/// Begins a view: it has a number, and no name yet.
fn begin(writer: &mut Writer, spec: &ViewSpec) -> Result<(u32, Arc<OnlineView>), OnlineError> {
    let number = writer.next;
    let mut frame = Vec::new();
    format::write_view(&mut frame, number, spec);
    writer.journal.append(&frame, true)?;
    writer.next = number.saturating_add(1);
    Ok((number, Arc::new(OnlineView::new(spec.clone()))))
}

fn put(
    writer: &mut Writer,
    (number, view): (u32, &OnlineView),
    rows: Vec<PackedEntry>,
    durability: Durability,
) -> Result<(), OnlineError> {
    for (_, row) in &rows {
        check(row)?;
    }
    let mut frames = Vec::new();
    let mut out = RowsWriter::new(&mut frames, number);
    for (key, row) in &rows {
        out.row(key, row);
    }
    out.finish();
    writer.journal.append(&frames, durability == Durability::Synced)?;
    for (key, row) in rows {
        view.insert(key, row);
    }
    Ok(())
}

fn cover(
    writer: &mut Writer,
    (number, view): (u32, &OnlineView),
    coverage: Coverage,
    source: Option<u64>,
) -> Result<(), OnlineError> {
    let mut frame = Vec::new();
    format::write_coverage(&mut frame, number, coverage, source);
    writer.journal.append(&frame, true)?;
    if view.cover(coverage, source) {
        view.prune(coverage.horizon);
    }
    Ok(())
}

/// Refuses a row that could not be read back, or never be seen.
fn check(row: &[u8]) -> Result<(), OnlineError> {
    if row.len() > ROWS_FRAME {
        return Err(PackError::TooLarge.into());
    }
    let row = PackedRow::new(row)?;
    row.stamp().ok_or(OnlineError::NoCreated)?;
    row.values()?;
    Ok(())
}
