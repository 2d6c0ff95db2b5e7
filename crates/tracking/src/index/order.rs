//! In which order the wanted runs come, and where a page ends.

use std::borrow::Cow;
use std::cmp::Ordering;

use mainstay_core::id::RunId;
use mainstay_core::page::{Page, PageRequest, PageToken};
use serde::{Deserialize, Serialize};

use super::RunIndex;
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

fn compare(order: &RunOrder, a: (&[Cell<'_>], RunId), b: (&[Cell<'_>], RunId)) -> Ordering {
    let cells = a.0.iter().zip(b.0).zip(&order.columns);
    cells
        .map(|((a, b), (_, ascending))| a.compare(b, *ascending))
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| a.1.cmp(&b.1))
}

/// Where a page ended: the last run, and what it was ordered by then. A key that is too long for a
/// token is left out, and what the run is ordered by now stands in for it.
#[derive(Debug, Serialize, Deserialize)]
struct Position<'a> {
    run: RunId,
    key: Option<Vec<Cell<'a>>>,
}

impl RunIndex {
    /// The page of `rows` that was asked for.
    pub(super) fn one_page(
        &self,
        rows: Vec<u32>,
        order: &RunOrder,
        page: &PageRequest,
    ) -> Result<Page<RunId>, SearchError> {
        let after = page.after.as_ref().map(PageToken::key::<Position<'static>>);
        let after = after.transpose().map_err(|_| SearchError::PageToken)?;
        let after = after.map(|position| self.resolve(position, order)).transpose()?;

        let mut keyed: Vec<(Vec<Cell<'_>>, RunId)> = rows
            .into_iter()
            .filter_map(|row| Some((self.cells(row, order), *self.ids.get(row as usize)?)))
            .filter(|(key, run)| {
                let is_after = |(after, last): &(Vec<Cell<'_>>, RunId)| {
                    compare(order, (key.as_slice(), *run), (after.as_slice(), *last)).is_gt()
                };
                after.as_ref().is_none_or(is_after)
            })
            .collect();
        let by_order = |a: &(Vec<Cell<'_>>, RunId), b: &(Vec<Cell<'_>>, RunId)| {
            compare(order, (a.0.as_slice(), a.1), (b.0.as_slice(), b.1))
        };
        // One more than the page, to learn whether there is a further one.
        if keyed.len() > page.limit.saturating_add(1) {
            keyed.select_nth_unstable_by(page.limit, by_order);
            keyed.truncate(page.limit + 1);
        }
        keyed.sort_unstable_by(by_order);
        let page = Page::of(keyed, page.limit, |(key, run)| position(key, *run));
        Ok(Page { items: page.items.into_iter().map(|(_, run)| run).collect(), next: page.next })
    }

    fn resolve<'a>(
        &'a self,
        Position { run, key }: Position<'a>,
        order: &RunOrder,
    ) -> Result<(Vec<Cell<'a>>, RunId), SearchError> {
        let now = || Some(self.cells(self.slot(run)?, order));
        let key = key.or_else(now).filter(|key| key.len() == order.columns.len());
        key.map(|key| (key, run)).ok_or(SearchError::PageToken)
    }

    fn cells(&self, slot: u32, order: &RunOrder) -> Vec<Cell<'_>> {
        order.columns.iter().map(|(column, _)| self.cell(slot, column)).collect()
    }

    fn cell(&self, slot: u32, column: &RunColumn) -> Cell<'_> {
        let row = slot as usize;
        match column {
            RunColumn::Metric(key) => match self.metrics.get(key).and_then(|column| column.get(slot)) {
                Some(value) if value.is_nan() => Cell::Nan,
                Some(value) => Cell::Number(value.to_bits()),
                None => Cell::Missing,
            },
            RunColumn::Param(key) => text(self.params.get(key).and_then(|column| column.get(slot))),
            RunColumn::Tag(key) => text(self.tags.get(key).and_then(|column| column.get(slot))),
            RunColumn::Time(TimeAttribute::Start) => {
                self.starts.get(row).map_or(Cell::Missing, |ms| Cell::Int(*ms))
            }
            RunColumn::Time(TimeAttribute::End) => {
                self.ends.get(row).copied().flatten().map_or(Cell::Missing, Cell::Int)
            }
            RunColumn::Text(TextAttribute::RunId) => {
                self.ids.get(row).map_or(Cell::Missing, |id| Cell::Text(id.to_string().into()))
            }
            RunColumn::Text(TextAttribute::RunName) => text(self.names.get(row).map(AsRef::as_ref)),
            RunColumn::Text(TextAttribute::User) => text(self.users.get(row).map(AsRef::as_ref)),
            RunColumn::Text(TextAttribute::Status) => {
                text(self.statuses.get(row).map(|status| status.as_str()))
            }
            RunColumn::Text(TextAttribute::ArtifactUri) => {
                text(self.artifact_uris.get(row).map(AsRef::as_ref))
            }
            // An order over datasets is refused when it is parsed.
            RunColumn::Dataset(_) => Cell::Missing,
        }
    }
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Missing, |text| Cell::Text(Cow::Borrowed(text)))
}

fn position<'a>(key: &[Cell<'a>], run: RunId) -> Position<'a> {
    let fits = serde_json::to_vec(key).is_ok_and(|json| json.len() <= MAX_KEY);
    Position { run, key: fits.then(|| key.to_vec()) }
}
