//! What a table of runs asks of the index.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{ColumnKind, Deadline, Groups, ListKey, Values, Vocabulary, Wanted};
use mainstay_tracking::port::{ProjectedPage, RowRange, Rows, RunSelection, RunTable};
use mainstay_tracking::search::{GroupColumn, RunGrouping, RunOrder, RunProjection};

use super::RunIndexKeeper;

fn wanted<'a>(selection: &'a RunSelection, deadline: Deadline<'a>) -> Wanted<'a> {
    let RunSelection { workspace, experiments, view, filter } = selection;
    Wanted { workspace, experiments, view: *view, filter, deadline }
}

#[async_trait]
impl RunTable for RunIndexKeeper {
    async fn experiments_with_runs(&self, workspace: &Name) -> Result<Vec<ExperimentId>, TrackingError> {
        Ok(self.index.ask(|index| index.experiments_of(workspace)).await?)
    }

    async fn page(
        &self,
        selection: RunSelection,
        order: RunOrder,
        page: PageRequest,
        columns: RunProjection,
    ) -> Result<ProjectedPage, TrackingError> {
        let found = self.read(move |index, deadline| {
            let (Page { items, next }, total) = index.search(&wanted(&selection, deadline), &order, &page)?;
            let items = items.into_iter().filter_map(|run| index.projected(run, &columns)).collect();
            Ok(ProjectedPage { page: Page { items, next }, total })
        });
        found.await
    }

    async fn rows(
        &self,
        selection: RunSelection,
        order: RunOrder,
        range: RowRange,
        columns: RunProjection,
    ) -> Result<Rows, TrackingError> {
        let lists = Arc::clone(&self.lists);
        let found = self.read(move |index, deadline| {
            let RunSelection { workspace, experiments, view, filter } = selection.clone();
            let key = ListKey { workspace, experiments, view, filter, order };
            let now = index.versions(&selection.workspace, &selection.experiments);
            let known = || lists.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = known().find(range.list.as_deref(), &key, &now);
            let (list, is_kept) = if let Some(list) = kept {
                (list, true)
            } else {
                let list = Arc::new(index.list(&wanted(&selection, deadline), key)?);
                let is_kept = known().keep(&list);
                (list, is_kept)
            };
            let rows = list.runs.iter().skip(range.offset).take(range.limit);
            Ok(Rows {
                runs: rows.map(|run| index.projected(*run, &columns)).collect(),
                total: list.runs.len(),
                list: is_kept.then(|| list.name.clone()),
                is_current: list.versions == now,
            })
        });
        found.await
    }

    async fn groups(
        &self,
        selection: RunSelection,
        order: RunOrder,
        grouping: RunGrouping,
        window: (usize, usize),
    ) -> Result<Groups, TrackingError> {
        self.read(move |index, deadline| {
            index.groups(&wanted(&selection, deadline), &order, &grouping, window)
        })
        .await
    }

    async fn vocabulary(
        &self,
        selection: RunSelection,
        kinds: Vec<ColumnKind>,
        prefix: String,
        limit: usize,
    ) -> Result<Vocabulary, TrackingError> {
        self.read(move |index, deadline| {
            index.vocabulary(&wanted(&selection, deadline), &kinds, &prefix, limit)
        })
        .await
    }

    async fn values(
        &self,
        selection: RunSelection,
        column: GroupColumn,
        prefix: String,
        limit: usize,
    ) -> Result<Values, TrackingError> {
        self.read(move |index, deadline| index.values(&wanted(&selection, deadline), &column, &prefix, limit))
            .await
    }
}
