//! Sparse columns: only the runs that have a value.

use std::collections::HashMap;
use std::sync::Arc;

/// Values by slot, ascending. New runs have the highest slots, so most values are appended.
#[derive(Debug, Clone)]
pub(super) struct Sparse<T> {
    slots: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), values: Vec::new() }
    }
}

impl<T> Sparse<T> {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.slots.binary_search(&slot).ok().and_then(|at| self.values.get(at))
    }

    pub(super) fn put(&mut self, slot: u32, value: T) {
        match self.slots.binary_search(&slot) {
            Ok(at) => {
                if let Some(place) = self.values.get_mut(at) {
                    *place = value;
                }
            }
            Err(at) => {
                self.slots.insert(at, slot);
                self.values.insert(at, value);
            }
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Ok(at) = self.slots.binary_search(&slot) {
            self.slots.remove(at);
            self.values.remove(at);
        }
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }

    /// What each of the rows, which are ascending, becomes by its value or lack of one.
    pub(super) fn map<'a, U>(&'a self, rows: &[u32], mut to: impl FnMut(Option<&'a T>) -> U) -> Vec<U> {
        if rows.len() < self.slots.len() / 16 {
            return rows.iter().map(|row| to(self.get(*row))).collect();
        }
        let mut pairs = self.slots.iter().zip(&self.values).peekable();
        let value = |row: &u32| {
            while pairs.next_if(|(slot, _)| *slot < row).is_some() {}
            to(pairs.next_if(|(slot, _)| *slot == row).map(|(_, value)| value))
        };
        rows.iter().map(value).collect()
    }

    /// Keeps the rows, which are ascending, whose value, or lack of one, is wanted.
    pub(super) fn retain(&self, rows: &mut Vec<u32>, mut wanted: impl FnMut(Option<&T>) -> bool) {
        // A few rows look their values up; many walk along the column.
        if rows.len() < self.slots.len() / 16 {
            return rows.retain(|row| wanted(self.get(*row)));
        }
        let mut pairs = self.slots.iter().zip(&self.values).peekable();
        rows.retain(|row| {
            while pairs.next_if(|(slot, _)| *slot < row).is_some() {}
            wanted(pairs.next_if(|(slot, _)| *slot == row).map(|(_, value)| value))
        });
    }
}

/// Texts by slot, each different one kept once.
#[derive(Debug, Clone, Default)]
pub(super) struct TextColumn {
    codes: Sparse<u32>,
    texts: Vec<Arc<str>>,
    by_text: HashMap<Arc<str>, u32>,
}

impl TextColumn {
    /// What each of the rows, which are ascending, becomes by its text or lack of one.
    pub(super) fn map<'a, U>(&'a self, rows: &[u32], mut to: impl FnMut(Option<&'a str>) -> U) -> Vec<U> {
        self.codes.map(rows, |code| to(code.and_then(|code| self.text(*code))))
    }

    pub(super) fn put(&mut self, slot: u32, text: &str) {
        let code = self.code(text);
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
            *known.get_or_insert_with(|| self.text(*code).is_some_and(&holds))
        });
    }

    fn text(&self, code: u32) -> Option<&str> {
        self.texts.get(code as usize).map(AsRef::as_ref)
    }

    fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.by_text.get(text) {
            return *code;
        }
        let code = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.by_text.insert(text, code);
        code
    }

    fn compact(&mut self) {
        let old = std::mem::take(&mut self.texts);
        self.by_text.clear();
        let mut codes = std::mem::take(&mut self.codes);
        for code in codes.values_mut() {
            if let Some(text) = old.get(*code as usize) {
                *code = self.code(text);
            }
        }
        self.codes = codes;
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
        assert!(column.texts.len() < 100 && column.by_text.len() < 100);
        assert_eq!(column.map(&[3, 5, 7], |text| text), [Some("beat 9999"), None, Some("stays")]);
    }

    #[test]
    fn few_rows_and_many_rows_are_kept_alike() {
        let mut column = Sparse::default();
        (0..1000_u32).filter(|slot| slot % 3 == 0).for_each(|slot| column.put(slot, slot));
        for rows in [vec![0, 1, 2, 3, 999, 5000], (0..2000).collect::<Vec<u32>>()] {
            let mut kept = rows.clone();
            column.retain(&mut kept, |value| value.is_none_or(|value| value % 2 == 0));
            let wanted = |row: &u32| !row.is_multiple_of(3) || *row >= 1000 || row.is_multiple_of(2);
            assert_eq!(kept, rows.into_iter().filter(wanted).collect::<Vec<_>>());
        }
    }
}
