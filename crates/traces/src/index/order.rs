//! In which order the wanted traces come, and where a page ends.

use std::borrow::Cow;

use mainstay_core::page::{Page, PageRequest, PageToken};

use super::TraceIndex;
use crate::id::TraceId;
use crate::search::{TextAttribute, TimeAttribute, TraceColumn, TraceOrder};
use mainstay_columns::ordered::{Cell, Ordered, Position, dense, text, texts};
use mainstay_core::search::SearchError;

impl TraceIndex {
    /// The page of `rows`, which are ascending, that was asked for.
    pub(super) fn one_page(
        &self,
        rows: &[u32],
        order: &TraceOrder,
        page: &PageRequest,
    ) -> Result<Page<TraceId>, SearchError> {
        let now = |id: &TraceId| {
            let row = [self.slot(id)?];
            Some(order.columns.iter().flat_map(|(column, _)| self.cells(&row, column)).collect())
        };
        let after = page.key::<Position<'_, TraceId>>()?;
        let after = after.map(|position| position.resolve(order.columns.len(), now)).transpose()?;
        let columns = order.columns.iter().map(|(column, ascending)| (self.cells(rows, column), *ascending));
        let ids = rows.iter().filter_map(|row| self.ids.get(*row as usize));
        let ordered = Ordered { ids: ids.collect(), columns: columns.collect() };
        let after = after.as_ref().map(|(key, id)| (key.as_slice(), id));
        let Page { items, next } = ordered.page(after.as_ref().map(|(key, id)| (*key, id)), page.limit);
        Ok(Page { items: items.into_iter().cloned().collect(), next })
    }

    /// The token of a page that ends with a trace, if it is still there.
    pub fn token_after(&self, order: &TraceOrder, id: &TraceId) -> Option<PageToken> {
        let row = [self.slot(id)?];
        let key = order.columns.iter().flat_map(|(column, _)| self.cells(&row, column)).collect();
        Some(PageToken::after(&Position::of(id, key)))
    }

    /// What each of the rows is ordered by in one column.
    fn cells(&self, rows: &[u32], column: &TraceColumn) -> Vec<Cell<'_>> {
        let whole = |ms: Option<i64>| ms.map_or(Cell::Missing, Cell::Int);
        match column {
            TraceColumn::Experiment => {
                dense(rows, &self.experiments, |id| Cell::Int(i64::try_from(id.0).unwrap_or(i64::MAX)))
            }
            TraceColumn::Time(TimeAttribute::Start) => dense(rows, &self.starts, |ms| Cell::Int(*ms)),
            TraceColumn::Time(TimeAttribute::Duration) => dense(rows, &self.durations, |ms| whole(*ms)),
            TraceColumn::Time(TimeAttribute::End) => rows.iter().map(|row| whole(self.end(*row))).collect(),
            TraceColumn::Text(TextAttribute::Id) => dense(rows, &self.ids, |id| text(id.as_str())),
            TraceColumn::Text(TextAttribute::State) => {
                dense(rows, &self.states, |state| Cell::Text(Cow::Borrowed(state.as_str())))
            }
            TraceColumn::Text(TextAttribute::ClientRequest) => texts(Some(&self.client_requests), rows),
            TraceColumn::Name => {
                self.names(rows).into_iter().map(|name| name.map_or(Cell::Missing, text)).collect()
            }
            TraceColumn::Tag(key) => texts(self.tags.get(key), rows),
            TraceColumn::Metadata(key) => texts(self.metadata.get(key), rows),
        }
    }
}
