//! In which order the wanted runs come, and where a page ends.

use std::borrow::Cow;
use std::cmp::Ordering;

use mainstay_core::id::RunId;
use mainstay_core::page::{Page, PageRequest};
use serde::{Deserialize, Serialize};

use super::column::TextColumn;
use super::part::Part;
use super::select::Found;
use super::{Place, RunIndex};
use crate::search::{RunColumn, RunOrder, SearchError, TextAttribute, TimeAttribute};

/// Longest key, in bytes of JSON, that a page token holds whole: a token has its limit too.
const MAX_KEY: usize = 1_500;

/// What a run is ordered by in one column. Numbers are kept as bits, since JSON has no infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Cell<'a> {
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

/// The wanted runs with what they are ordered by, column by column.
struct Ordered<'a> {
    ids: Vec<RunId>,
    columns: Vec<(Vec<Cell<'a>>, bool)>,
}

impl<'a> Ordered<'a> {
    fn of(found: &'a [Found<'_>], order: &RunOrder) -> Self {
        let id = |part: &Part, row: u32| part.ids.get(row as usize).copied();
        let ids = found.iter().flat_map(|Found { part, rows }| rows.iter().filter_map(|row| id(part, *row)));
        let cells = |column| found.iter().flat_map(|Found { part, rows }| part.cells(rows, column)).collect();
        let columns = order.columns.iter().map(|(column, ascending)| (cells(column), *ascending));
        Self { ids: ids.collect(), columns: columns.collect() }
    }

    fn id(&self, at: u32) -> RunId {
        self.ids[at as usize]
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        let mut columns = self.columns.iter();
        let decided = columns.find_map(|(cells, ascending)| {
            let ordering = cells[a as usize].compare(&cells[b as usize], *ascending);
            ordering.is_ne().then_some(ordering)
        });
        decided.unwrap_or_else(|| self.id(a).cmp(&self.id(b)))
    }

    fn compare_with(&self, a: u32, key: &[Cell<'_>], run: RunId) -> Ordering {
        let mut columns = self.columns.iter().zip(key);
        let decided = columns.find_map(|((cells, ascending), cell)| {
            let ordering = cells[a as usize].compare(cell, *ascending);
            ordering.is_ne().then_some(ordering)
        });
        decided.unwrap_or_else(|| self.id(a).cmp(&run))
    }

    fn position(&self, at: u32) -> Position<'_> {
        let key: Vec<Cell<'_>> = self.columns.iter().map(|(cells, _)| cells[at as usize].clone()).collect();
        let fits = serde_json::to_vec(&key).is_ok_and(|json| json.len() <= MAX_KEY);
        Position { run: self.id(at), key: fits.then_some(key) }
    }
}

/// Where a page ended: the last run, and what it was ordered by then. A key that is too long for a
/// token is left out, and what the run is ordered by now stands in for it.
#[derive(Debug, Serialize, Deserialize)]
struct Position<'a> {
    run: RunId,
    key: Option<Vec<Cell<'a>>>,
}

impl RunIndex {
    /// The page of what was found that was asked for.
    pub(super) fn one_page(
        &self,
        found: &[Found<'_>],
        order: &RunOrder,
        page: &PageRequest,
    ) -> Result<Page<RunId>, SearchError> {
        let after = page.key::<Position<'static>>()?;
        let after = after.map(|position| self.resolve(position, order)).transpose()?;

        let ordered = Ordered::of(found, order);
        let mut picked: Vec<u32> = (0..).take(ordered.ids.len()).collect();
        if let Some((key, run)) = after {
            picked.retain(|at| ordered.compare_with(*at, &key, run).is_gt());
        }
        // One more than the page, to learn whether there is a further one.
        if picked.len() > page.limit.saturating_add(1) {
            picked.select_nth_unstable_by(page.limit, |a, b| ordered.compare(*a, *b));
            picked.truncate(page.limit + 1);
        }
        picked.sort_unstable_by(|a, b| ordered.compare(*a, *b));
        let page = Page::of(picked, page.limit, |at| ordered.position(*at));
        Ok(Page { items: page.items.into_iter().map(|at| ordered.id(at)).collect(), next: page.next })
    }

    fn resolve<'a>(
        &'a self,
        Position { run, key }: Position<'a>,
        order: &RunOrder,
    ) -> Result<(Vec<Cell<'a>>, RunId), SearchError> {
        let now = || {
            let Place { experiment, slot } = *self.places.get(&run)?;
            let (part, row) = (self.parts.get(&experiment)?, [slot]);
            Some(order.columns.iter().flat_map(|(column, _)| part.cells(&row, column)).collect())
        };
        let key = key.or_else(now).filter(|key: &Vec<Cell<'_>>| key.len() == order.columns.len());
        key.map(|key| (key, run)).ok_or(SearchError::PageToken)
    }
}

impl Part {
    /// What each of the rows is ordered by in one column.
    fn cells(&self, rows: &[u32], column: &RunColumn) -> Vec<Cell<'_>> {
        let number = |value: Option<f64>| match value {
            Some(value) if value.is_nan() => Cell::Nan,
            Some(value) => Cell::Number(value.to_bits()),
            None => Cell::Missing,
        };
        match column {
            RunColumn::Metric(key) => match self.metrics.get(key) {
                Some(column) => column.map(rows, number),
                None => vec![Cell::Missing; rows.len()],
            },
            RunColumn::Param(key) => texts(self.params.get(key), rows),
            RunColumn::Tag(key) => texts(self.tags.get(key), rows),
            RunColumn::Time(TimeAttribute::Start) => dense(rows, &self.starts, |ms| Cell::Int(*ms)),
            RunColumn::Time(TimeAttribute::End) => {
                dense(rows, &self.ends, |end| end.map_or(Cell::Missing, Cell::Int))
            }
            RunColumn::Text(TextAttribute::RunId) => {
                dense(rows, &self.ids, |id| Cell::Text(Cow::Owned(id.to_string())))
            }
            RunColumn::Text(TextAttribute::RunName) => texts(Some(&self.names), rows),
            RunColumn::Text(TextAttribute::User) => texts(Some(&self.users), rows),
            RunColumn::Text(TextAttribute::Status) => {
                dense(rows, &self.statuses, |status| text(status.as_str()))
            }
            RunColumn::Text(TextAttribute::ArtifactUri) => {
                let uri =
                    |row: &u32| self.artifact_uri(*row).map_or(Cell::Missing, |uri| Cell::Text(uri.into()));
                rows.iter().map(uri).collect()
            }
            // An order over datasets is refused when it is parsed.
            RunColumn::Dataset(_) => vec![Cell::Missing; rows.len()],
        }
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn texts<'a>(column: Option<&'a TextColumn>, rows: &[u32]) -> Vec<Cell<'a>> {
    match column {
        Some(column) => column.map(rows, |value| value.map_or(Cell::Missing, text)),
        None => vec![Cell::Missing; rows.len()],
    }
}

fn dense<'a, T>(rows: &[u32], column: &'a [T], cell: impl Fn(&'a T) -> Cell<'a>) -> Vec<Cell<'a>> {
    rows.iter().map(|row| column.get(*row as usize).map_or(Cell::Missing, &cell)).collect()
}
