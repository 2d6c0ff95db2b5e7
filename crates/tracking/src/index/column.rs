//! Columns of values of which not every run has one.

use std::io::{self, Read, Write};
use std::mem;

use super::codec::{In, Out, damaged};
use super::presence::{Added, Presence};
use super::texts::Texts;
use crate::metric::Latest;

/// Values by slot. New runs have the highest slots, so most values are appended.
#[derive(Debug, Clone)]
pub(super) struct Sparse<T> {
    presence: Presence,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { presence: Presence::default(), values: Vec::new() }
    }
}

impl<T> Sparse<T> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.presence.position(slot).and_then(|at| self.values.get(at))
    }

    pub(super) fn put(&mut self, slot: u32, value: T) {
        match self.presence.insert(slot) {
            Added::New(at) => self.values.insert(at, value),
            Added::Known(at) => {
                if let Some(place) = self.values.get_mut(at) {
                    *place = value;
                }
            }
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(at) = self.presence.remove(slot) {
            self.values.remove(at);
        }
    }

    /// Writes values of `N` bytes each.
    fn write<const N: usize>(&self, out: &mut Out<impl Write>, bytes: fn(&T) -> [u8; N]) -> io::Result<()> {
        out.list(&self.values, bytes)?;
        self.presence.write(out)
    }

    fn read<const N: usize>(
        input: &mut In<impl Read>,
        runs: usize,
        value: impl Fn([u8; N]) -> io::Result<T>,
    ) -> io::Result<Self> {
        let values = input.checked(value)?;
        Ok(Self { presence: Presence::read(input, runs, values.len())?, values })
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }

    /// What each of the rows, which are ascending, becomes by its value or lack of one.
    pub(super) fn map<'a, U>(&'a self, rows: &[u32], mut to: impl FnMut(Option<&'a T>) -> U) -> Vec<U> {
        let mut positions = Positions::of(&self.presence, rows.len());
        rows.iter().map(|row| to(positions.at(*row).and_then(|at| self.values.get(at)))).collect()
    }

    /// Keeps the rows, which are ascending, whose value, or lack of one, is wanted.
    pub(super) fn retain(&self, rows: &mut Vec<u32>, mut wanted: impl FnMut(Option<&T>) -> bool) {
        let mut positions = Positions::of(&self.presence, rows.len());
        rows.retain(|row| wanted(positions.at(*row).and_then(|at| self.values.get(at))));
    }
}

/// Positions of rows that are asked for in ascending order.
enum Positions<'a> {
    /// Each is looked up: there are few rows, or looking one up costs the same at any length.
    Each(&'a Presence),
    /// Both lists are walked along.
    Along { slots: &'a [u32], at: usize },
}

impl<'a> Positions<'a> {
    fn of(presence: &'a Presence, rows: usize) -> Self {
        match presence {
            Presence::Few(slots) if rows >= slots.len() / 16 => Self::Along { slots, at: 0 },
            _ => Self::Each(presence),
        }
    }

    fn at(&mut self, row: u32) -> Option<usize> {
        match self {
            Self::Each(presence) => presence.position(row),
            Self::Along { slots, at } => {
                while slots.get(*at).is_some_and(|slot| *slot < row) {
                    *at += 1;
                }
                (slots.get(*at) == Some(&row)).then_some(*at)
            }
        }
    }
}

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

/// Texts by slot, each different one kept once.
#[derive(Debug, Clone, Default)]
pub(super) struct TextColumn {
    codes: Sparse<u32>,
    texts: Texts,
}

impl TextColumn {
    pub(super) fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        self.texts.write(out)?;
        self.codes.write(out, |code| code.to_le_bytes())
    }

    pub(super) fn read(input: &mut In<impl Read>, runs: usize) -> io::Result<Self> {
        let texts = Texts::read(input)?;
        let code = |bytes| {
            let code = u32::from_le_bytes(bytes);
            if (code as usize) < texts.len() { Ok(code) } else { Err(damaged()) }
        };
        let codes = Sparse::read(input, runs, code)?;
        Ok(Self { codes, texts })
    }

    pub(super) fn get(&self, slot: u32) -> Option<&str> {
        self.codes.get(slot).and_then(|code| self.texts.get(*code))
    }

    /// What each of the rows, which are ascending, becomes by its text or lack of one.
    pub(super) fn map<'a, U>(&'a self, rows: &[u32], mut to: impl FnMut(Option<&'a str>) -> U) -> Vec<U> {
        self.codes.map(rows, |code| to(code.and_then(|code| self.texts.get(*code))))
    }

    pub(super) fn put(&mut self, slot: u32, text: &str) {
        let code = self.texts.code(text);
        self.codes.put(slot, code);
        // A tag that changes again and again leaves its old texts behind.
        if self.texts.len() > 64 + 2 * self.codes.len() {
            self.compact();
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.codes.remove(slot);
    }

    /// Keeps the rows whose text passes; each different text is tested once. Rows without a text stay
    /// if `missing`.
    pub(super) fn retain(&self, rows: &mut Vec<u32>, missing: bool, holds: impl Fn(&str) -> bool) {
        let mut known: Vec<Option<bool>> = vec![None; self.texts.len()];
        self.codes.retain(rows, |code| {
            let Some(code) = code else { return missing };
            let Some(known) = known.get_mut(*code as usize) else { return false };
            *known.get_or_insert_with(|| self.texts.get(*code).is_some_and(&holds))
        });
    }

    fn compact(&mut self) {
        let old = mem::take(&mut self.texts);
        for code in self.codes.values_mut() {
            if let Some(text) = old.get(*code) {
                *code = self.texts.code(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_left_behind_are_forgotten() {
        let mut column = TextColumn::default();
        column.put(7, "stays");
        for n in 0..10_000 {
            column.put(3, &format!("beat {n}"));
        }
        assert!(column.texts.len() < 100);
        assert_eq!(column.map(&[3, 5, 7], |text| text), [Some("beat 9999"), None, Some("stays")]);
    }

    #[test]
    fn few_rows_and_many_rows_are_kept_alike() {
        for apart in [3, 30] {
            let mut column = Sparse::default();
            (0..1000_u32).filter(|slot| slot % apart == 0).for_each(|slot| column.put(slot, slot));
            for rows in [vec![0, 1, 2, 3, 999, 5000], (0..2000).collect::<Vec<u32>>()] {
                let mut kept = rows.clone();
                column.retain(&mut kept, |value| value.is_none_or(|value| value % 2 == 0));
                let wanted = |row: &u32| !row.is_multiple_of(apart) || *row >= 1000 || row.is_multiple_of(2);
                assert_eq!(kept, rows.into_iter().filter(wanted).collect::<Vec<_>>());
            }
        }
    }

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
