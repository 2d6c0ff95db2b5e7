//! The rows of one key: a sorted set of packed rows.

use mainstay_core::time::DataTime;
use mainstay_features::online::{PackedRow, Stamp};
use mainstay_features::span::Span;

/// Packed rows in ascending byte order, which is the order of (`ts`, `created`, values).
#[derive(Debug, Default)]
pub(super) struct History(Vec<Box<[u8]>>);

/// The instants of a row that was checked when it was taken.
fn stamp(row: &[u8]) -> Option<Stamp> {
    PackedRow::new(row).ok()?.stamp()
}

impl History {
    /// Adds a row; `false` if it is there already.
    pub(super) fn insert(&mut self, row: Box<[u8]>) -> bool {
        // Rows mostly come in order, so the end is looked at first.
        let at = match self.0.last() {
            Some(last) if *last >= row => match self.0.binary_search(&row) {
                Ok(_) => return false,
                Err(at) => at,
            },
            _ => self.0.len(),
        };
        self.0.reserve_exact(1);
        self.0.insert(at, row);
        true
    }

    /// The newest row visible at a data time.
    pub(super) fn newest(&self, at: DataTime) -> Option<PackedRow<'_>> {
        let end = self.0.partition_point(|row| stamp(row).is_some_and(|stamp| stamp.ts <= at));
        let held = self.0.get(..end)?;
        let row = held.iter().rev().find(|row| stamp(row).is_some_and(|stamp| stamp.created <= at))?;
        PackedRow::new(row).ok()
    }

    /// Drops every row that can answer no request at or after `horizon`: those for which a greater row is
    /// visible whenever they are, and those more than two ttl old (one ttl long after its end a key still
    /// answers that it is too old, then it is forgotten). Gives the number and bytes of rows dropped.
    pub(super) fn prune(&mut self, horizon: DataTime, ttl: Option<Span>) -> (u64, u64) {
        let oldest = ttl.map(|ttl| horizon.plus(-2 * ttl.micros()));
        let (mut dropped, mut bytes) = (0, 0);
        // From the newest down: the earliest instant at which some greater row is visible.
        let mut greater = DataTime::MAX;
        let mut kept: Vec<Box<[u8]>> = Vec::with_capacity(self.0.len().min(2));
        while let Some(row) = self.0.pop() {
            let visible = stamp(&row).map_or(DataTime::MAX, Stamp::visible).max(horizon);
            let expired = oldest.is_some_and(|oldest| stamp(&row).is_some_and(|stamp| stamp.ts < oldest));
            if (greater <= visible && greater != DataTime::MAX) || expired {
                dropped += 1;
                bytes += row.len() as u64;
            } else {
                kept.push(row);
            }
            greater = greater.min(visible);
        }
        kept.reverse();
        kept.shrink_to_fit();
        self.0 = kept;
        (dropped, bytes)
    }

    /// Every row, oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|row| &**row)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
