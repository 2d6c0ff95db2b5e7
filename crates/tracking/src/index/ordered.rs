//! In which order wanted rows come, and where a page of them ends.

use std::borrow::Cow;
use std::cmp::Ordering;

use mainstay_core::page::Page;
use serde::{Deserialize, Serialize};

use super::column::TextColumn;
use crate::search::SearchError;

/// Longest key, in bytes of JSON, that a page token holds whole: a token has its limit too.
const MAX_KEY: usize = 1_500;

/// What a thing is ordered by in one column. Numbers are kept as bits, since JSON has no infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cell<'a> {
    #[serde(rename = "i")]
    Int(i64),
    #[serde(rename = "n")]
    Number(u64),
    #[serde(rename = "t")]
    Text(Cow<'a, str>),
    #[serde(rename = "x")]
    Nan,
    #[serde(rename = "m")]
    Missing,
}

impl Cell<'_> {
    const fn rank(&self) -> u8 {
        match self {
            Self::Int(_) => 0,
            Self::Number(_) => 1,
            Self::Text(_) => 2,
            Self::Nan => 3,
            Self::Missing => 4,
        }
    }

    /// NaN after numbers and missing last in both directions, so only values turn round.
    fn compare(&self, other: &Self, ascending: bool) -> Ordering {
        let ordering = match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => {
                f64::from_bits(*a).partial_cmp(&f64::from_bits(*b)).unwrap_or(Ordering::Equal)
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => return self.rank().cmp(&other.rank()),
        };
        if ascending { ordering } else { ordering.reverse() }
    }
}

/// What a row is ordered by, and its id.
pub(crate) type Place<'a, I> = (Vec<Cell<'a>>, I);

/// The wanted rows with what they are ordered by, column by column; then by id.
pub(crate) struct Ordered<'a, I> {
    /// The wanted rows.
    pub(crate) ids: Vec<I>,
    /// By place in `ids`, and whether ascending.
    pub(crate) columns: Vec<(Vec<Cell<'a>>, bool)>,
}

impl<I: Clone + Ord + Serialize> Ordered<'_, I> {
    /// The rows that come after a place, at most `limit`.
    pub(crate) fn page(&self, after: Option<(&[Cell<'_>], &I)>, limit: usize) -> Page<I> {
        // Positions within `ids`.
        let mut picked: Vec<u32> = (0..).take(self.ids.len()).collect();
        if let Some((key, id)) = after {
            picked.retain(|at| self.compare_with(*at, key, id).is_gt());
        }
        // One more than the page, to learn whether there is a further one.
        if picked.len() > limit.saturating_add(1) {
            picked.select_nth_unstable_by(limit, |a, b| self.compare(*a, *b));
            picked.truncate(limit + 1);
        }
        picked.sort_unstable_by(|a, b| self.compare(*a, *b));
        let page = Page::of(picked, limit, |at| self.position(*at));
        Page { items: page.items.into_iter().map(|at| self.id(at).clone()).collect(), next: page.next }
    }

    fn id(&self, at: u32) -> &I {
        &self.ids[at as usize]
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        let mut columns = self.columns.iter();
        let decided = columns.find_map(|(cells, ascending)| {
            let ordering = cells[a as usize].compare(&cells[b as usize], *ascending);
            ordering.is_ne().then_some(ordering)
        });
        decided.unwrap_or_else(|| self.id(a).cmp(self.id(b)))
    }

    fn compare_with(&self, a: u32, key: &[Cell<'_>], id: &I) -> Ordering {
        let mut columns = self.columns.iter().zip(key);
        let decided = columns.find_map(|((cells, ascending), cell)| {
            let ordering = cells[a as usize].compare(cell, *ascending);
            ordering.is_ne().then_some(ordering)
        });
        decided.unwrap_or_else(|| self.id(a).cmp(id))
    }

    fn position(&self, at: u32) -> Position<'_, &I> {
        let key: Vec<Cell<'_>> = self.columns.iter().map(|(cells, _)| cells[at as usize].clone()).collect();
        let fits = serde_json::to_vec(&key).is_ok_and(|json| json.len() <= MAX_KEY);
        Position { id: self.id(at), key: fits.then_some(key) }
    }
}

/// Where a page ended: the last row, and what it was ordered by then. A key that is too long for a token is
/// left out, and what the row is ordered by now stands in for it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Position<'a, I> {
    id: I,
    key: Option<Vec<Cell<'a>>>,
}

impl<'a, I> Position<'a, I> {
    /// The place in an order of so many columns; `now` says what the row is ordered by now.
    pub(crate) fn resolve(
        self,
        columns: usize,
        now: impl FnOnce(&I) -> Option<Vec<Cell<'a>>>,
    ) -> Result<Place<'a, I>, SearchError> {
        let Self { id, key } = self;
        let key = key.or_else(|| now(&id)).filter(|key| key.len() == columns);
        key.map(|key| (key, id)).ok_or(SearchError::PageToken)
    }
}

/// A text.
pub(crate) fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

/// The texts of a column that may not be there.
pub(crate) fn texts<'a>(column: Option<&'a TextColumn>, rows: &[u32]) -> Vec<Cell<'a>> {
    match column {
        Some(column) => column.map(rows, |value| value.map_or(Cell::Missing, text)),
        None => vec![Cell::Missing; rows.len()],
    }
}

/// The cells of a column that has a value for each slot.
pub(crate) fn dense<'a, T>(rows: &[u32], column: &'a [T], cell: impl Fn(&'a T) -> Cell<'a>) -> Vec<Cell<'a>> {
    rows.iter().map(|row| column.get(*row as usize).map_or(Cell::Missing, &cell)).collect()
}
