//! Columns of values of which not every run has one.

use std::io::{self, Read, Write};
use std::mem;

use crate::codec::{In, Out, damaged};
use crate::presence::{Added, Bits, Presence};
use crate::texts::Texts;

/// Values by slot. New runs have the highest slots, so most values are appended.
#[derive(Debug, Clone)]
pub struct Sparse<T> {
    presence: Presence,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { presence: Presence::default(), values: Vec::new() }
    }
}

impl<T> Sparse<T> {
    /// Whether no slot has a value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many slots have a value.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of a slot.
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.presence.position(slot).and_then(|at| self.values.get(at))
    }

    /// How many of a set of slots have a value.
    pub fn count(&self, among: &Bits) -> usize {
        self.presence.count(among)
    }

    /// Gives a slot a value, in place of what it has.
    pub fn put(&mut self, slot: u32, value: T) {
        match self.presence.insert(slot) {
            Added::New(at) => self.values.insert(at, value),
            Added::Known(at) => {
                if let Some(place) = self.values.get_mut(at) {
                    *place = value;
                }
            }
        }
    }

    /// Takes the value of a slot away.
    pub fn remove(&mut self, slot: u32) {
        if let Some(at) = self.presence.remove(slot) {
            self.values.remove(at);
        }
    }

    /// Removes the values of many slots, which are ascending, in one pass.
    pub fn remove_all(&mut self, slots: &[u32]) {
        let doomed: Vec<usize> = slots.iter().filter_map(|slot| self.presence.position(*slot)).collect();
        for slot in slots {
            self.presence.remove(*slot);
        }
        let (mut at, mut doomed) = (0, doomed.into_iter().peekable());
        self.values.retain(|_| {
            let is_doomed = doomed.next_if_eq(&at).is_some();
            at += 1;
            !is_doomed
        });
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

    /// All values, by slot.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }

    /// What each of the rows, which are ascending, becomes by its value or lack of one.
    pub fn map<'a, U>(&'a self, rows: &[u32], mut to: impl FnMut(Option<&'a T>) -> U) -> Vec<U> {
        let mut positions = Positions::of(&self.presence, rows.len());
        rows.iter().map(|row| to(positions.at(*row).and_then(|at| self.values.get(at)))).collect()
    }

    /// Keeps the rows, which are ascending, whose value, or lack of one, is wanted.
    pub fn retain(&self, rows: &mut Vec<u32>, mut wanted: impl FnMut(Option<&T>) -> bool) {
        let mut positions = Positions::of(&self.presence, rows.len());
        rows.retain(|row| wanted(positions.at(*row).and_then(|at| self.values.get(at))));
    }
}

/// Positions of rows that are asked for in ascending order.
pub enum Positions<'a> {
    /// Each is looked up: there are few rows, or looking one up costs the same at any length.
    Each(&'a Presence),
    /// Both lists are walked along.
    Along {
        /// Those with a value.
        slots: &'a [u32],
        /// How far along.
        at: usize,
    },
}

impl<'a> Positions<'a> {
    /// Positions among those that have a value, for so many rows.
    pub fn of(presence: &'a Presence, rows: usize) -> Self {
        match presence {
            Presence::Few(slots) if rows >= slots.len() / 16 => Self::Along { slots, at: 0 },
            _ => Self::Each(presence),
        }
    }

    /// The position of the next row.
    pub fn at(&mut self, row: u32) -> Option<usize> {
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

/// Texts by slot, each different one kept once.
#[derive(Debug, Clone, Default)]
pub struct TextColumn {
    codes: Sparse<u32>,
    texts: Texts,
}

impl TextColumn {
    /// Whether no slot has a text.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Writes the texts, then which slot has which.
    pub fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        self.texts.write(out)?;
        self.codes.write(out, |code| code.to_le_bytes())
    }

    /// Reads what [`write`](Self::write) wrote, of so many slots.
    pub fn read(input: &mut In<impl Read>, runs: usize) -> io::Result<Self> {
        let texts = Texts::read(input)?;
        let code = |bytes| {
            let code = u32::from_le_bytes(bytes);
            if (code as usize) < texts.len() { Ok(code) } else { Err(damaged()) }
        };
        let codes = Sparse::read(input, runs, code)?;
        Ok(Self { codes, texts })
    }

    /// How many of a set of slots have a text.
    pub fn count(&self, among: &Bits) -> usize {
        self.codes.count(among)
    }

    /// The text of a slot.
    pub fn get(&self, slot: u32) -> Option<&str> {
        self.codes.get(slot).and_then(|code| self.texts.get(*code))
    }

    /// What each of the rows, which are ascending, becomes by its text or lack of one.
    pub fn map<'a, U>(&'a self, rows: &[u32], mut to: impl FnMut(Option<&'a str>) -> U) -> Vec<U> {
        self.codes.map(rows, |code| to(code.and_then(|code| self.texts.get(*code))))
    }

    /// Gives a slot a text, in place of what it has.
    pub fn put(&mut self, slot: u32, text: &str) {
        let code = self.texts.code(text);
        self.codes.put(slot, code);
        self.tidy();
    }

    /// Removes the texts of many slots, which are ascending.
    pub fn remove_all(&mut self, slots: &[u32]) {
        self.codes.remove_all(slots);
        self.tidy();
    }

    /// A tag that changes again and again leaves its old texts behind.
    fn tidy(&mut self) {
        if self.texts.len() > 64 + 2 * self.codes.len() {
            self.compact();
        }
    }

    /// Takes the text of a slot away.
    pub fn remove(&mut self, slot: u32) {
        self.codes.remove(slot);
    }

    /// Keeps the rows whose text passes; each different text is tested once. Rows without a text stay
    /// if `missing`.
    pub fn retain(&self, rows: &mut Vec<u32>, missing: bool, holds: impl Fn(&str) -> bool) {
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
    fn many_are_removed_as_one_is() {
        for doomed in [vec![3], (0..150).step_by(2).collect::<Vec<u32>>()] {
            let mut column = TextColumn::default();
            (0..200).for_each(|slot| column.put(slot, &slot.to_string()));
            column.remove_all(&doomed);
            let text = |slot: u32| (!doomed.contains(&slot)).then(|| slot.to_string());
            let left = column.map(&(0..200).collect::<Vec<_>>(), |text| text.map(str::to_owned));
            assert_eq!(left, (0..200).map(text).collect::<Vec<_>>());
        }
    }

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
}
