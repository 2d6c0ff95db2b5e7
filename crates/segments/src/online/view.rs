//! One feature view in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use mainstay_features::online::{EntityKey, PackedRow, Resolution, Stamp, Value, resolve};
use mainstay_features::plan::Coverage;
use mainstay_features::span::Span;

use super::OnlineError;
use super::history::History;

/// The number of shards, each behind its own lock.
const SHARDS: usize = 64;

/// What the store has to know of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSpec {
    /// Its name.
    pub name: String,
    /// The digest of its definition: rows of another definition are not its rows.
    pub definition: Digest,
    /// How long a row answers.
    pub ttl: Option<Span>,
}

/// The answer to one look-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How the row answers; refine it per feature by [`Resolution::of`].
    pub resolution: Resolution,
    /// The row's instants, if one is visible: what goes into the prediction log.
    pub stamp: Option<Stamp>,
    /// The view's values, in order; empty unless the resolution is [`Resolution::Present`].
    pub values: Vec<Value>,
    /// Whether every row visible at the request's data time was there. If not, the answer is the best
    /// that is known here, and may differ from the point-in-time answer.
    pub complete: bool,
}

/// How much a view holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewStats {
    /// The number of keys.
    pub keys: u64,
    /// The number of rows.
    pub rows: u64,
    /// Bytes of the packed rows, without keys and bookkeeping.
    pub row_bytes: u64,
    /// For which data times it answers; `None` before the first materialisation.
    pub coverage: Option<Coverage>,
}

type Shard = HashMap<EntityKey, History>;

/// A view's rows. Cheap to read from many threads; written by the store alone.
#[derive(Debug)]
pub struct OnlineView {
    spec: ViewSpec,
    shards: Box<[RwLock<Shard>; SHARDS]>,
    /// [`DataTime::MIN`] until there is coverage.
    horizon: AtomicI64,
    /// [`DataTime::MIN`] until there is coverage.
    until: AtomicI64,
    /// 0 if it is not known.
    source: AtomicU64,
    rows: AtomicU64,
    row_bytes: AtomicU64,
}

impl OnlineView {
    pub(super) fn new(spec: ViewSpec) -> Self {
        Self {
            spec,
            shards: Box::new(std::array::from_fn(|_| RwLock::default())),
            horizon: AtomicI64::new(i64::MIN),
            until: AtomicI64::new(i64::MIN),
            source: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            row_bytes: AtomicU64::new(0),
        }
    }

    /// What it is.
    pub const fn spec(&self) -> &ViewSpec {
        &self.spec
    }

    fn shard(&self, key: &EntityKey) -> &RwLock<Shard> {
        &self.shards[crc32c::crc32c(key.as_bytes()) as usize % SHARDS]
    }

    /// The newest row of `key` visible at data time `at`, resolved by the view's ttl.
    ///
    /// Refused if `at` lies before the horizon: the row that would answer may be gone.
    pub fn get(&self, key: &EntityKey, at: DataTime) -> Result<Reading, OnlineError> {
        // Before the look-up: rows are inserted first, then `until` moves.
        let complete = self.until.load(Ordering::Acquire) >= at.micros();
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        let newest = shard.get(key).and_then(|history| history.newest(at));
        let stamp = newest.and_then(PackedRow::stamp);
        let resolution = resolve(stamp, at, self.spec.ttl);
        let values = match newest {
            Some(row) if resolution == Resolution::Present => row.values()?,
            _ => Vec::new(),
        };
        drop(shard);
        // After the look-up: the horizon moves first, then rows are dropped.
        let horizon = DataTime::from_micros(self.horizon.load(Ordering::Acquire));
        if at < horizon {
            return Err(OnlineError::BeforeHorizon { at, horizon });
        }
        Ok(Reading { resolution, stamp, values, complete })
    }

    /// For which data times it answers.
    pub fn coverage(&self) -> Option<Coverage> {
        let until = DataTime::from_micros(self.until.load(Ordering::Acquire));
        let horizon = DataTime::from_micros(self.horizon.load(Ordering::Acquire));
        (until != DataTime::MIN).then_some(Coverage { horizon, until })
    }

    /// The version of the source's table from which the rows were last carried, if it is known.
    pub fn source(&self) -> Option<u64> {
        let version = self.source.load(Ordering::Acquire);
        (version != 0).then_some(version)
    }

    /// How much it holds.
    pub fn stats(&self) -> ViewStats {
        let size = |shard: &RwLock<Shard>| shard.read().unwrap_or_else(PoisonError::into_inner).len() as u64;
        ViewStats {
            keys: self.shards.iter().map(size).sum(),
            rows: self.rows.load(Ordering::Relaxed),
            row_bytes: self.row_bytes.load(Ordering::Relaxed),
            coverage: self.coverage(),
        }
    }

    pub(super) fn insert(&self, key: EntityKey, row: Box<[u8]>) {
        let bytes = row.len() as u64;
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        if shard.entry(key).or_default().insert(row) {
            self.rows.fetch_add(1, Ordering::Relaxed);
            self.row_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes note of the coverage, of which neither end goes back, and of the version of the source. `true` if
    /// the horizon moved, so that rows may have become unreachable.
    pub(super) fn cover(&self, coverage: Coverage, source: Option<u64>) -> bool {
        self.source.store(source.unwrap_or(0), Ordering::Release);
        self.until.fetch_max(coverage.until.micros(), Ordering::AcqRel);
        self.horizon.fetch_max(coverage.horizon.micros(), Ordering::AcqRel) < coverage.horizon.micros()
    }

    /// Drops what no request at or after `horizon` can need.
    pub(super) fn prune(&self, horizon: DataTime) {
        for shard in self.shards.iter() {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, history| {
                let (rows, bytes) = history.prune(horizon, self.spec.ttl);
                self.rows.fetch_sub(rows, Ordering::Relaxed);
                self.row_bytes.fetch_sub(bytes, Ordering::Relaxed);
                !history.is_empty()
            });
        }
    }

    /// Shows every row, shard by shard.
    pub(super) fn for_each(&self, mut show: impl FnMut(&EntityKey, &[u8])) {
        for shard in self.shards.iter() {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for (key, history) in shard.iter() {
                for row in history.rows() {
                    show(key, row);
                }
            }
        }
    }
}
