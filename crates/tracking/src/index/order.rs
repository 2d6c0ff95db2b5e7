//! In which order the wanted runs come, and where a page ends.

use std::borrow::Cow;

use mainstay_core::id::RunId;
use mainstay_core::page::{Page, PageRequest};

use super::part::Part;
use super::select::Found;
use super::{Place, RunIndex};
use crate::search::{RunColumn, RunOrder, SearchError, TextAttribute, TimeAttribute};
use mainstay_columns::ordered::{Cell, Ordered, Position, dense, number, numbers_and_texts, text, texts};

impl RunIndex {
    /// The page of what was found that was asked for.
    pub(super) fn one_page(
        &self,
        found: &[Found<'_>],
        order: &RunOrder,
        page: &PageRequest,
    ) -> Result<Page<RunId>, SearchError> {
        let now = |run: &RunId| {
            let Place { experiment, slot } = *self.places.get(run)?;
            let (part, row) = (self.parts.get(&experiment)?, [slot]);
            Some(
                order
                    .columns
                    .iter()
                    .flat_map(|(column, _)| part.cells(&row, column, order.is_natural))
                    .collect(),
            )
        };
        let after = page.key::<Position<'_, RunId>>()?;
        let after = after.map(|position| position.resolve(order.columns.len(), now)).transpose()?;
        let after = after.as_ref().map(|(key, run)| (key.as_slice(), run));
        Ok(ordered(found, order).page(after, page.limit))
    }
}

/// What was found, with what it is ordered by.
pub(super) fn ordered<'a>(found: &'a [Found<'_>], order: &RunOrder) -> Ordered<'a, RunId> {
    let id = |part: &Part, row: u32| part.ids.get(row as usize).copied();
    let ids = found.iter().flat_map(|Found { part, rows }| rows.iter().filter_map(|row| id(part, *row)));
    let cells = |column| {
        found.iter().flat_map(|Found { part, rows }| part.cells(rows, column, order.is_natural)).collect()
    };
    let columns = order.columns.iter().map(|(column, ascending)| (cells(column), *ascending));
    Ordered { ids: ids.collect(), columns: columns.collect() }
}

impl Part {
    /// What each of the rows is ordered by in one column.
    pub(super) fn cells(&self, rows: &[u32], column: &RunColumn, is_natural: bool) -> Vec<Cell<'_>> {
        match column {
            RunColumn::Metric(key) => match self.metrics.get(key) {
                Some(column) => column.map(rows, |value| value.map_or(Cell::Missing, number)),
                None => vec![Cell::Missing; rows.len()],
            },
            RunColumn::Param(key) if is_natural => numbers_and_texts(self.params.get(key), rows),
            RunColumn::Tag(key) if is_natural => numbers_and_texts(self.tags.get(key), rows),
            RunColumn::Param(key) => texts(self.params.get(key), rows),
            RunColumn::Tag(key) => texts(self.tags.get(key), rows),
            RunColumn::Time(TimeAttribute::Start) => dense(rows, &self.starts, |ms| Cell::Int(*ms)),
            RunColumn::Time(TimeAttribute::End) => {
                dense(rows, &self.ends, |end| end.map_or(Cell::Missing, Cell::Int))
            }
            RunColumn::Time(TimeAttribute::Duration) => {
                let duration =
                    |row: &u32| self.time(*row, TimeAttribute::Duration).map_or(Cell::Missing, Cell::Int);
                rows.iter().map(duration).collect()
            }
            RunColumn::Text(TextAttribute::Experiment) => {
                vec![Cell::Text(Cow::Owned(self.experiment().to_string())); rows.len()]
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
