//! The latest point of a metric, by run.

use std::io::{self, Read, Write};
use std::mem;

use mainstay_columns::codec::{In, Out, damaged};
use mainstay_columns::column::Positions;
use mainstay_columns::presence::{Added, Bits, Presence};

use crate::metric::Latest;

/// Whole numbers, in four bytes each as long as they fit.
#[derive(Debug, Clone)]
enum Ints {
    Narrow(Vec<u32>),
    Wide(Vec<i64>),
}

impl Default for Ints {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Ints {
    fn get(&self, at: usize) -> Option<i64> {
        match self {
            Self::Narrow(all) => all.get(at).copied().map(i64::from),
            Self::Wide(all) => all.get(at).copied(),
        }
    }

    fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        match self {
            Self::Narrow(all) => {
                out.byte(4)?;
                out.list(all, |number| number.to_le_bytes())
            }
            Self::Wide(all) => {
                out.byte(8)?;
                out.list(all, |number| number.to_le_bytes())
            }
        }
    }

    fn read(input: &mut In<impl Read>, length: usize) -> io::Result<Self> {
        let (all, found) = match input.byte()? {
            4 => {
                let all = input.list(u32::from_le_bytes)?;
                let found = all.len();
                (Self::Narrow(all), found)
            }
            8 => {
                let all = input.list(i64::from_le_bytes)?;
                let found = all.len();
                (Self::Wide(all), found)
            }
            _ => return Err(damaged()),
        };
        if found == length { Ok(all) } else { Err(damaged()) }
    }

    /// Makes room for numbers of every size, if this one needs it.
    fn fit(&mut self, value: i64) {
        if let Self::Narrow(all) = self
            && u32::try_from(value).is_err()
        {
            *self = Self::Wide(mem::take(all).into_iter().map(i64::from).collect());
        }
    }

    fn insert(&mut self, at: usize, value: i64) {
        self.fit(value);
        match self {
            Self::Narrow(all) => all.insert(at, u32::try_from(value).unwrap_or_default()),
            Self::Wide(all) => all.insert(at, value),
        }
    }

    fn set(&mut self, at: usize, value: i64) {
        self.fit(value);
        match self {
            Self::Narrow(all) => super::set(all, at, u32::try_from(value).unwrap_or_default()),
            Self::Wide(all) => super::set(all, at, value),
        }
    }

    fn remove(&mut self, at: usize) {
        match self {
            Self::Narrow(all) => drop(all.remove(at)),
            Self::Wide(all) => drop(all.remove(at)),
        }
    }
}

/// The latest point of a metric by slot. Timestamps are held as what passed since the start of the run, which
/// mostly fits four bytes, as steps do.
#[derive(Debug, Clone, Default)]
pub(super) struct MetricColumn {
    presence: Presence,
    values: Vec<f64>,
    steps: Ints,
    delays: Ints,
}

impl MetricColumn {
    pub(super) fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        out.list(&self.values, |value| value.to_bits().to_le_bytes())?;
        self.presence.write(out)?;
        self.steps.write(out)?;
        self.delays.write(out)
    }

    pub(super) fn read(input: &mut In<impl Read>, runs: usize) -> io::Result<Self> {
        let values = input.list(|bytes| f64::from_bits(u64::from_le_bytes(bytes)))?;
        let presence = Presence::read(input, runs, values.len())?;
        let steps = Ints::read(input, values.len())?;
        let delays = Ints::read(input, values.len())?;
        Ok(Self { presence, values, steps, delays })
    }

    /// How many of a set of slots have a value.
    pub(super) fn count(&self, among: &Bits) -> usize {
        self.presence.count(among)
    }

    /// The point of a run that began at `start_ms`.
    pub(super) fn get(&self, slot: u32, start_ms: i64) -> Option<Latest> {
        let at = self.presence.position(slot)?;
        Some(Latest {
            step: self.steps.get(at)?,
            timestamp_ms: start_ms.wrapping_add(self.delays.get(at)?),
            value: *self.values.get(at)?,
        })
    }

    pub(super) fn put(&mut self, slot: u32, start_ms: i64, latest: Latest) {
        let delay = latest.timestamp_ms.wrapping_sub(start_ms);
        match self.presence.insert(slot) {
            Added::New(at) => {
                self.values.insert(at, latest.value);
                self.steps.insert(at, latest.step);
                self.delays.insert(at, delay);
            }
            Added::Known(at) => {
                super::set(&mut self.values, at, latest.value);
                self.steps.set(at, latest.step);
                self.delays.set(at, delay);
            }
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(at) = self.presence.remove(slot) {
            self.values.remove(at);
            self.steps.remove(at);
            self.delays.remove(at);
        }
    }

    /// What each of the rows, which are ascending, becomes by its value or lack of one.
    pub(super) fn map<U>(&self, rows: &[u32], mut to: impl FnMut(Option<f64>) -> U) -> Vec<U> {
        let mut positions = Positions::of(&self.presence, rows.len());
        let value = |row: &u32| positions.at(*row).and_then(|at| self.values.get(at)).copied();
        rows.iter().map(value).map(&mut to).collect()
    }

    /// Keeps the rows, which are ascending, whose value, or lack of one, is wanted.
    pub(super) fn retain(&self, rows: &mut Vec<u32>, mut wanted: impl FnMut(Option<f64>) -> bool) {
        let mut positions = Positions::of(&self.presence, rows.len());
        rows.retain(|row| wanted(positions.at(*row).and_then(|at| self.values.get(at)).copied()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_survive_whatever_their_clock_says() {
        let mut column = MetricColumn::default();
        let point = |step, timestamp_ms| Latest { step, timestamp_ms, value: 0.5 };
        let points = [
            (4, 1_000, point(3, 5_000)),
            (2, i64::MAX, point(-1, i64::MIN)),
            (9, -5, point(i64::MAX, 7)),
            (4, 1_000, point(u32::MAX.into(), 900)),
        ];
        for (slot, start, point) in points {
            column.put(slot, start, point);
            assert_eq!(column.get(slot, start), Some(point));
        }
        column.remove(2);
        assert_eq!(column.get(2, i64::MAX), None);
        assert_eq!(column.get(9, -5), Some(point(i64::MAX, 7)));
    }
}
