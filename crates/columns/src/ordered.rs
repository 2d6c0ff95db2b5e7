//! In which order wanted rows come, and where a page of them ends.

use std::borrow::Cow;
use std::cmp::Ordering;

use mainstay_core::page::{InvalidPageToken, Page};
use mainstay_core::search::number_in;
use serde::{Deserialize, Serialize};

use crate::column::TextColumn;

/// Longest key, in bytes of JSON, that a page token holds whole: a token has its limit too.
const MAX_KEY: usize = 1_500;

/// What a thing is ordered by in one column. Numbers are kept as bits, since JSON has no infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell<'a> {
    /// A whole number.
    #[serde(rename = "i")]
    Int(i64),
    /// The bits of a number.
    #[serde(rename = "n")]
    Number(u64),
    /// A text.
    #[serde(rename = "t")]
    Text(Cow<'a, str>),
    /// Not a number.
    #[serde(rename = "x")]
    Nan,
    /// Nothing.
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
    pub fn compare(&self, other: &Self, ascending: bool) -> Ordering {
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

    /// A number that is in the order of the cells wherever it differs: most comparisons need no more.
    fn lead(&self, ascending: bool) -> u64 {
        const NAN: u64 = u64::MAX - 1;
        let value = match self {
            Self::Int(number) => number.cast_unsigned() ^ (1 << 63),
            Self::Number(bits) => {
                // 0 and −0 are one number.
                let bits = if f64::from_bits(*bits) == 0.0 { 0 } else { *bits };
                // The bits of negative numbers ascend as they fall.
                if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
            }
            Self::Text(text) => {
                let mut first = [0; 8];
                first.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
                u64::from_be_bytes(first)
            }
            Self::Nan => return NAN,
            Self::Missing => return u64::MAX,
        };
        (if ascending { value } else { !value }).min(NAN - 1)
    }

    /// The same among cells of all kinds: numbers come before texts in both directions.
    fn lead_among_others(&self, ascending: bool) -> u64 {
        match self {
            Self::Int(_) | Self::Number(_) => self.lead(ascending) >> 2,
            Self::Text(_) => self.lead(ascending) >> 2 | 1 << 62,
            Self::Nan => u64::MAX - 1,
            Self::Missing => u64::MAX,
        }
    }
}

/// Whether there are both numbers and texts in a column, whose leads have nothing to do with one another.
fn is_mixed(column: &[Cell<'_>]) -> bool {
    let has = |rank| column.iter().any(|cell| cell.rank() == rank);
    has(2) && (has(0) || has(1))
}

/// The leads of a row's first two cells, and its place.
type Led = ([u64; 2], u32);

/// What a row is ordered by, and its id.
pub type Place<'a, I> = (Vec<Cell<'a>>, I);

/// The wanted rows with what they are ordered by, column by column; then by id.
pub struct Ordered<'a, I> {
    /// The wanted rows.
    pub ids: Vec<I>,
    /// By place in `ids`, and whether ascending.
    pub columns: Vec<(Vec<Cell<'a>>, bool)>,
}

impl<I: Clone + Ord + Serialize> Ordered<'_, I> {
    /// The rows that come after a place, at most `limit`.
    pub fn page(&self, after: Option<(&[Cell<'_>], &I)>, limit: usize) -> Page<I> {
        let mut picked = self.led();
        if let Some((key, id)) = after {
            picked.retain(|(_, at)| self.compare_with(*at, key, id).is_gt());
        }
        // One more than the page, to learn whether there is a further one.
        if picked.len() > limit.saturating_add(1) {
            picked.select_nth_unstable_by(limit, |a, b| self.compare_led(*a, *b));
            picked.truncate(limit + 1);
        }
        picked.sort_unstable_by(|a, b| self.compare_led(*a, *b));
        let page = Page::of(picked, limit, |(_, at)| self.position(*at));
        Page { items: page.items.into_iter().map(|(_, at)| self.id(at).clone()).collect(), next: page.next }
    }

    /// All rows in order: their places in `ids`.
    pub fn all(&self) -> Vec<u32> {
        let mut all = self.led();
        all.sort_unstable_by(|a, b| self.compare_led(*a, *b));
        all.into_iter().map(|(_, at)| at).collect()
    }

    /// The places in `ids`, each with the leads of its first cells.
    fn led(&self) -> Vec<Led> {
        let places = (0..).take(self.ids.len());
        let Some((first, ascending)) = self.columns.first() else {
            return places.map(|at| ([0, 0], at)).collect();
        };
        if is_mixed(first) {
            let firsts = first.iter().map(|cell| cell.lead_among_others(*ascending));
            return firsts.zip(places).map(|(first, at)| ([first, 0], at)).collect();
        }
        let firsts = first.iter().map(|cell| cell.lead(*ascending));
        match self.columns.get(1).filter(|(second, _)| !is_mixed(second)) {
            // Where the first lead says all of the first cell, the second one decides between equal ones.
            Some((second, ascending)) => {
                let seconds = first.iter().zip(second).map(|(first, second)| match first {
                    Cell::Number(_) | Cell::Nan | Cell::Missing => second.lead(*ascending),
                    Cell::Int(_) | Cell::Text(_) => 0,
                });
                firsts.zip(seconds).zip(places).map(|((first, second), at)| ([first, second], at)).collect()
            }
            None => firsts.zip(places).map(|(first, at)| ([first, 0], at)).collect(),
        }
    }

    fn compare_led(&self, (a_leads, a): Led, (b_leads, b): Led) -> Ordering {
        a_leads.cmp(&b_leads).then_with(|| self.compare(a, b))
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
        Position::of(self.id(at), key)
    }
}

/// Where a page ended: the last row, and what it was ordered by then. A key that is too long for a token is
/// left out, and what the row is ordered by now stands in for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Position<'a, I> {
    id: I,
    key: Option<Vec<Cell<'a>>>,
}

impl<'a, I> Position<'a, I> {
    /// The place of a row.
    pub fn of(id: I, key: Vec<Cell<'a>>) -> Self {
        let fits = serde_json::to_vec(&key).is_ok_and(|json| json.len() <= MAX_KEY);
        Self { id, key: fits.then_some(key) }
    }

    /// The place in an order of so many columns; `now` says what the row is ordered by now.
    pub fn resolve(
        self,
        columns: usize,
        now: impl FnOnce(&I) -> Option<Vec<Cell<'a>>>,
    ) -> Result<Place<'a, I>, InvalidPageToken> {
        let Self { id, key } = self;
        let key = key.or_else(|| now(&id)).filter(|key| key.len() == columns);
        key.map(|key| (key, id)).ok_or(InvalidPageToken)
    }
}

/// A number.
pub const fn number(value: f64) -> Cell<'static> {
    if value.is_nan() { Cell::Nan } else { Cell::Number(value.to_bits()) }
}

/// The numbers that stand in a column of texts that may not be there, and the texts that are none.
pub fn numbers_and_texts<'a>(column: Option<&'a TextColumn>, rows: &[u32]) -> Vec<Cell<'a>> {
    let cell = |value: &'a str| match number_in(value) {
        Some(value) => number(value),
        None => text(value),
    };
    match column {
        Some(column) => column.map(rows, |value| value.map_or(Cell::Missing, cell)),
        None => vec![Cell::Missing; rows.len()],
    }
}

/// A text.
pub fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

/// The texts of a column that may not be there.
pub fn texts<'a>(column: Option<&'a TextColumn>, rows: &[u32]) -> Vec<Cell<'a>> {
    match column {
        Some(column) => column.map(rows, |value| value.map_or(Cell::Missing, text)),
        None => vec![Cell::Missing; rows.len()],
    }
}

/// The cells of a column that has a value for each slot.
pub fn dense<'a, T>(rows: &[u32], column: &'a [T], cell: impl Fn(&'a T) -> Cell<'a>) -> Vec<Cell<'a>> {
    rows.iter().map(|row| column.get(*row as usize).map_or(Cell::Missing, &cell)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells() -> impl Strategy<Value = (Cell<'static>, Cell<'static>)> {
        let unlike = || prop_oneof![Just(Cell::Nan), Just(Cell::Missing)];
        let number = || prop_oneof![any::<f64>(), Just(0.0), Just(-0.0), Just(1.0)];
        let number =
            move || number().prop_filter("is one", |n| !n.is_nan()).prop_map(|n| Cell::Number(n.to_bits()));
        let int = || prop_oneof![any::<i64>(), -2..2_i64].prop_map(Cell::Int);
        let text = || "[ab\0]{0,10}|[\u{10fff0}-\u{10ffff}]{0,3}".prop_map(|text| Cell::Text(text.into()));
        prop_oneof![
            (prop_oneof![number(), unlike()], prop_oneof![number(), unlike()]),
            (prop_oneof![int(), unlike()], prop_oneof![int(), unlike()]),
            (prop_oneof![text(), unlike()], prop_oneof![text(), unlike()]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]
        #[test]
        fn leads_are_in_the_order_of_their_cells((a, b) in cells(), ascending in any::<bool>()) {
            let leads = a.lead(ascending).cmp(&b.lead(ascending));
            prop_assert!(leads.is_eq() || leads == a.compare(&b, ascending), "{:?} {:?}", a, b);
        }

        #[test]
        fn so_are_those_among_others((a, _) in cells(), (b, _) in cells(), ascending in any::<bool>()) {
            let leads = a.lead_among_others(ascending).cmp(&b.lead_among_others(ascending));
            let is_so = leads.is_eq() || leads == a.compare(&b, ascending);
            // Whole numbers and others stand in no column together.
            prop_assert!(is_so || matches!((a.rank(), b.rank()), (0, 1) | (1, 0)), "{:?} {:?}", a, b);
        }
    }
}
