//! What tracking needs of a store. `None` means that there is no such thing. Experiments belong to
//! the transaction's workspace, or the one given; runs and logged models to their experiment.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::experiment::{ExperimentError, ExperimentTx};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};

use crate::error::TrackingError;
use crate::experiment::{Experiment, ExperimentDetail, ExperimentId, ExperimentName};
use crate::index::{Activity, ColumnKind, Groups, RunSummary, Values, Vocabulary};
use crate::input::{DatasetInput, DatasetUse, ModelOutput};
use crate::logged_model::{LoggedModel, LoggedModelDetail, LoggedModelId, ModelMetric};
use crate::metric::{Latest, Point};
use crate::run::{Attachments, Lifecycle, Run, RunDetail};
use crate::search::{GroupColumn, LoggedModelSearch, RunFilter, RunGrouping, RunOrder, RunProjection, View};
use crate::text::Pair;

/// Texts by key: each key once, of those given twice the last.
pub type Texts<'a> = BTreeMap<&'a str, &'a str>;

/// The texts of pairs.
pub(crate) fn texts<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Texts<'a> {
    pairs.into_iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect()
}

/// Points of a metric on their way to the store, as a [`block`](crate::block).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedBlock<'a> {
    /// The metric.
    pub key: &'a str,
    /// How many points there are.
    pub points: usize,
    /// The points.
    pub bytes: Vec<u8>,
}

/// What the commands of tracking write through.
///
/// An insert of something that exists is [`StorageError::Contended`]: the commands look first, so
/// only another process can be the cause, and a replay sees it.
#[async_trait]
pub trait TrackingTx: ExperimentTx {
    /// An experiment of this workspace by its name, deleted ones included.
    async fn experiment_named(&mut self, name: &ExperimentName) -> Result<Option<Experiment>, StorageError>;
    /// The highest id ever given, in any workspace.
    async fn last_experiment(&mut self) -> Result<Option<ExperimentId>, StorageError>;
    /// The places of this workspace's experiments with higher ids than `last`, deleted ones included.
    async fn places_after(
        &mut self,
        last: Option<ExperimentId>,
    ) -> Result<Vec<(ExperimentId, String)>, StorageError>;
    /// Adds an experiment, if there may be one more.
    async fn insert_experiment(&mut self, experiment: &Experiment) -> Result<(), ExperimentError>;
    /// Replaces name, lifecycle and update time.
    async fn update_experiment(&mut self, experiment: &Experiment) -> Result<(), StorageError>;
    /// Sets a tag.
    async fn put_experiment_tag(&mut self, id: ExperimentId, tag: &Pair) -> Result<(), StorageError>;
    /// Removes a tag; `false` if there was none.
    async fn delete_experiment_tag(&mut self, id: ExperimentId, key: &str) -> Result<bool, StorageError>;
    /// Deletes, or restores, all runs of an experiment.
    async fn set_lifecycle_of_runs(
        &mut self,
        id: ExperimentId,
        lifecycle: Lifecycle,
    ) -> Result<(), StorageError>;

    /// A run of this workspace.
    async fn run(&mut self, id: RunId) -> Result<Option<Run>, StorageError>;
    /// Adds a run, if there may be one more.
    async fn insert_run(&mut self, run: &Run) -> Result<(), ExperimentError>;
    /// Replaces name, status, end and lifecycle.
    async fn update_run(&mut self, run: &Run) -> Result<(), StorageError>;
    /// The values of some parameters; those that there are not are left out.
    async fn params(&mut self, run: RunId, keys: &[&str]) -> Result<BTreeMap<String, String>, StorageError>;
    /// Adds parameters.
    async fn insert_params(&mut self, run: RunId, params: &Texts<'_>) -> Result<(), StorageError>;
    /// The value of a tag.
    async fn run_tag(&mut self, run: RunId, key: &str) -> Result<Option<String>, StorageError>;
    /// Sets tags.
    async fn put_run_tags(&mut self, run: RunId, tags: &Texts<'_>) -> Result<(), StorageError>;
    /// Removes a tag; `false` if there was none.
    async fn delete_run_tag(&mut self, run: RunId, key: &str) -> Result<bool, StorageError>;
    /// The latest points of some metrics; those that have none are left out.
    async fn latest(&mut self, run: RunId, keys: &[&str]) -> Result<BTreeMap<String, Latest>, StorageError>;
    /// Replaces the latest points of metrics.
    async fn put_latest(&mut self, run: RunId, latest: &BTreeMap<&str, Latest>) -> Result<(), StorageError>;
    /// Appends blocks, each of another metric.
    async fn append_blocks(&mut self, run: RunId, blocks: &[EncodedBlock<'_>]) -> Result<(), StorageError>;
    /// Notes that a dataset went into a run, and with which tags; `false` if that is noted already, which stays as it
    /// is. A dataset that is known by name and digest is not stored again.
    async fn put_dataset_input(&mut self, run: &Run, input: &DatasetInput) -> Result<bool, StorageError>;
    /// Notes that a logged model went into a run.
    async fn put_model_input(&mut self, run: RunId, model: LoggedModelId) -> Result<(), StorageError>;
    /// Notes that a logged model came out of a run.
    async fn put_model_output(&mut self, run: RunId, output: &ModelOutput) -> Result<(), StorageError>;

    /// A logged model of this workspace.
    async fn logged_model(&mut self, id: LoggedModelId) -> Result<Option<LoggedModel>, StorageError>;
    /// Adds a logged model.
    async fn insert_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError>;
    /// Replaces status, lifecycle and update time.
    async fn update_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError>;
    /// Sets parameters of a logged model.
    async fn put_logged_model_params(
        &mut self,
        id: LoggedModelId,
        params: &Texts<'_>,
    ) -> Result<(), StorageError>;
    /// Sets tags of a logged model.
    async fn put_logged_model_tags(
        &mut self,
        id: LoggedModelId,
        tags: &Texts<'_>,
    ) -> Result<(), StorageError>;
    /// Removes a tag of a logged model; `false` if there was none.
    async fn delete_logged_model_tag(&mut self, id: LoggedModelId, key: &str) -> Result<bool, StorageError>;
    /// Adds points of logged models' metrics; those that are there already are left alone.
    async fn put_model_metrics(&mut self, metrics: &[ModelMetric]) -> Result<(), StorageError>;
}

/// What readers of tracking ask.
#[async_trait]
pub trait TrackingReader: Send + Sync {
    /// An experiment.
    async fn experiment(
        &self,
        workspace: &Name,
        id: ExperimentId,
    ) -> Result<Option<ExperimentDetail>, StorageError>;
    /// An experiment by its name, deleted ones included.
    async fn experiment_named(
        &self,
        workspace: &Name,
        name: &ExperimentName,
    ) -> Result<Option<ExperimentDetail>, StorageError>;
    /// All experiments, deleted ones included.
    async fn experiments(&self, workspace: &Name) -> Result<Vec<ExperimentDetail>, StorageError>;
    /// The places of a workspace's experiments, by id; deleted ones included.
    async fn places(&self, workspace: &Name) -> Result<Vec<(ExperimentId, String)>, StorageError>;
    /// Those of the experiments of all workspaces with higher ids than `last`.
    async fn all_places(
        &self,
        last: Option<ExperimentId>,
    ) -> Result<Vec<(ExperimentId, String)>, StorageError>;
    /// Runs with everything that hangs on them, in the order asked for; those that do not exist in
    /// this workspace are left out.
    async fn runs(&self, workspace: &Name, ids: &[RunId]) -> Result<Vec<RunDetail>, StorageError>;
    /// What went into some runs, and what came out of them; those of which that is nothing are left out.
    async fn attachments(
        &self,
        workspace: &Name,
        ids: &[RunId],
    ) -> Result<Vec<(RunId, Attachments)>, StorageError>;
    /// All points of a metric, in the order in which they were logged, duplicates included; see
    /// [`history`](crate::metric::history).
    async fn points(&self, workspace: &Name, run: RunId, key: &str) -> Result<Vec<Point>, StorageError>;
    /// The first `limit` points of the [`history`](crate::metric::history) of a metric behind one of them. Reads
    /// little more than those, if they were logged about as time went on.
    async fn history_after(
        &self,
        workspace: &Name,
        run: RunId,
        key: &str,
        after: Option<Point>,
        limit: usize,
    ) -> Result<Vec<Point>, StorageError>;
    /// Logged models by id, in the order asked for; those that do not exist are left out.
    async fn logged_models(
        &self,
        workspace: &Name,
        ids: &[LoggedModelId],
    ) -> Result<Vec<LoggedModelDetail>, StorageError>;
    /// One page of the logged models of some experiments, deleted ones left out. Holds little more than the page.
    async fn search_logged_models(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
        search: LoggedModelSearch,
    ) -> Result<Page<LoggedModelDetail>, StorageError>;
    /// How many logged models an experiment has, without deleted ones.
    async fn count_logged_models(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
    ) -> Result<u64, StorageError>;
    /// The datasets that went into the runs of some experiments, deleted runs included; one that was used several
    /// times in the same way may be named as often. Experiments of other workspaces have none.
    async fn dataset_uses(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
    ) -> Result<Vec<DatasetUse>, StorageError>;
    /// The summaries of all runs in all workspaces, in chunks, for building the index, with the
    /// position in the log that they reflect at least.
    async fn summaries(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<(Vec<RunSummary>, EventSeq), StorageError>;
}

/// Which runs are wanted, and how.
#[derive(Debug, Clone)]
pub struct RunQuery {
    /// Of this workspace.
    pub workspace: Name,
    /// Of these experiments.
    pub experiments: Vec<ExperimentId>,
    /// Whether deleted ones are shown.
    pub view: View,
    /// Which.
    pub filter: RunFilter,
    /// In which order.
    pub order: RunOrder,
    /// Which part of them.
    pub page: PageRequest,
}

/// Searches over the summaries of all runs, as
/// [`RunIndex`](crate::index::RunIndex) does.
#[async_trait]
pub trait RunSearch: Send + Sync {
    /// One page of runs. Whatever was committed before the call is in it.
    async fn search(&self, query: &RunQuery) -> Result<Page<RunSummary>, TrackingError>;
    /// What goes on in the experiments of a workspace that have runs, by their ids.
    async fn activity(&self, workspace: &Name) -> Result<Vec<Activity>, TrackingError>;
}

/// Which runs are wanted.
#[derive(Debug, Clone)]
pub struct RunSelection {
    /// Of this workspace.
    pub workspace: Name,
    /// Of these experiments.
    pub experiments: Vec<ExperimentId>,
    /// Whether deleted ones are shown.
    pub view: View,
    /// Which.
    pub filter: RunFilter,
}

/// Which rows of an ordered list of runs are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRange {
    /// How many rows come before.
    pub offset: usize,
    /// At most this many rows.
    pub limit: usize,
    /// The name of the list that they are of, if it is still known.
    pub list: Option<String>,
}

/// Some rows of an ordered list of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The runs; `None` for one that is gone for good since the list was made.
    pub runs: Vec<Option<RunSummary>>,
    /// How many runs the list has.
    pub total: usize,
    /// The name of the list, by which other rows of it can be asked for; `None` if it is too long to be kept.
    pub list: Option<String>,
    /// Whether nothing happened to the runs of these experiments since the list was made.
    pub is_current: bool,
}

/// One page of runs, as far as they are wanted, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectedPage {
    /// The runs.
    pub page: Page<RunSummary>,
    /// How many runs were found in all.
    pub total: usize,
}

/// What a table of runs asks, as the [`RunIndex`](crate::index::RunIndex) answers it. Whatever was committed before a
/// call is in its answer.
#[async_trait]
pub trait RunTable: Send + Sync {
    /// The experiments of a workspace that have runs, ascending.
    async fn experiments_with_runs(&self, workspace: &Name) -> Result<Vec<ExperimentId>, TrackingError>;
    /// One page of runs, with what is wanted of each.
    async fn page(
        &self,
        selection: RunSelection,
        order: RunOrder,
        page: PageRequest,
        columns: RunProjection,
    ) -> Result<ProjectedPage, TrackingError>;
    /// Any rows of the ordered list of runs, with what is wanted of each.
    async fn rows(
        &self,
        selection: RunSelection,
        order: RunOrder,
        range: RowRange,
        columns: RunProjection,
    ) -> Result<Rows, TrackingError>;
    /// Runs in groups: `limit` of them from `offset` on.
    async fn groups(
        &self,
        selection: RunSelection,
        order: RunOrder,
        grouping: RunGrouping,
        window: (usize, usize),
    ) -> Result<Groups, TrackingError>;
    /// Which columns runs have whose keys begin so; at most `limit`.
    async fn vocabulary(
        &self,
        selection: RunSelection,
        kinds: Vec<ColumnKind>,
        prefix: String,
        limit: usize,
    ) -> Result<Vocabulary, TrackingError>;
    /// Which values a column has that begin so; at most `limit`.
    async fn values(
        &self,
        selection: RunSelection,
        column: GroupColumn,
        prefix: String,
        limit: usize,
    ) -> Result<Values, TrackingError>;
}
