//! Tracking in memory: one transaction type, and a unit that keeps a command's effects only if the
//! command succeeds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, BoxFuture, Commands, Context, Job, Journal, Ownership, Unit};
use mainstay_core::error::StorageError;
use mainstay_core::event::{Event, EventSeq, RecordedEvent};
use mainstay_core::experiment::{ExperimentError, ExperimentTx};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::{Scope, Subject, default_workspace};
use mainstay_core::time::MachineTime;
use mainstay_tracking::block;
use mainstay_tracking::experiment::{Experiment, ExperimentId, ExperimentName};
use mainstay_tracking::index::{DatasetRef, RunSummary};
use mainstay_tracking::input::{DatasetInput, ModelOutput};
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelId, ModelMetric};
use mainstay_tracking::metric::{Latest, Point};
use mainstay_tracking::port::{EncodedBlock, Texts, TrackingTx};
use mainstay_tracking::run::{Lifecycle, Run};
use mainstay_tracking::text::Pair;

type ModelMetricKey = (LoggedModelId, RunId, String, Option<(String, String)>);

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) experiments: BTreeMap<ExperimentId, Experiment>,
    pub(crate) experiment_tags: BTreeMap<(ExperimentId, String), String>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) params: BTreeMap<(RunId, String), String>,
    pub(crate) tags: BTreeMap<(RunId, String), String>,
    pub(crate) latest: BTreeMap<(RunId, String), Latest>,
    pub(crate) blocks: Vec<(RunId, String, Vec<u8>)>,
    pub(crate) datasets: BTreeMap<(RunId, String, String), DatasetInput>,
    pub(crate) inputs: Vec<(RunId, LoggedModelId)>,
    pub(crate) outputs: Vec<(RunId, ModelOutput)>,
    pub(crate) models: BTreeMap<LoggedModelId, LoggedModel>,
    pub(crate) model_tags: BTreeMap<(LoggedModelId, String), String>,
    pub(crate) model_metrics: BTreeMap<ModelMetricKey, Vec<Point>>,
    pub(crate) events: Vec<Event>,
}

impl State {
    /// The events as the log would hold them.
    pub(crate) fn recorded(&self) -> Vec<RecordedEvent> {
        let recorded = |(n, event): (usize, &Event)| RecordedEvent {
            seq: EventSeq(n as u64 + 1),
            at: MachineTime::from_micros(0),
            kind: event.kind.to_owned(),
            actor: Actor::local(),
            workspace: default_workspace(),
            subject: event.subject.clone(),
            body: Some(event.body.clone()),
        };
        self.events.iter().enumerate().map(recorded).collect()
    }

    pub(crate) fn summary(&self, id: RunId) -> RunSummary {
        let of_run = |all: &BTreeMap<(RunId, String), String>| {
            all.iter().filter(|((run, _), _)| *run == id).map(|((_, k), v)| (k.clone(), v.clone())).collect()
        };
        let latest = self.latest.iter().filter(|((run, _), _)| *run == id);
        let datasets = self.datasets.iter().filter(|((run, ..), _)| *run == id);
        RunSummary {
            run: self.runs[&id].clone(),
            workspace: default_workspace(),
            metrics: latest.map(|((_, key), point)| (key.clone(), *point)).collect(),
            params: of_run(&self.params),
            tags: of_run(&self.tags),
            datasets: datasets
                .map(|(_, input)| DatasetRef {
                    name: input.dataset.name.clone(),
                    digest: input.dataset.digest.clone(),
                    context: input.context().map(str::to_owned),
                })
                .collect(),
            is_attached: self.datasets.keys().any(|(run, ..)| *run == id)
                || self.inputs.iter().any(|(run, _)| *run == id)
                || self.outputs.iter().any(|(run, _)| *run == id),
        }
    }

    pub(crate) fn points(&self, id: RunId, key: &str) -> Vec<Point> {
        let mut points = Vec::new();
        for (_, _, bytes) in self.blocks.iter().filter(|(run, k, _)| *run == id && k == key) {
            block::decode(bytes, &mut points).unwrap();
        }
        points
    }
}

pub(crate) struct Tx {
    state: State,
    context: Context,
}

impl Journal for Tx {
    fn record(&mut self, event: Event) {
        self.state.events.push(event);
    }
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(self.state.events.len().try_into().unwrap())
    }
    fn actor(&self) -> &Actor {
        &self.context.actor
    }
    fn workspace(&self) -> &Name {
        &self.context.workspace
    }
}

#[async_trait]
impl Ownership for Tx {
    async fn own(&mut self, _: &Subject) -> Result<(), StorageError> {
        Ok(())
    }
}

#[async_trait]
impl ExperimentTx for Tx {
    async fn experiment(&mut self, id: ExperimentId) -> Result<Option<Experiment>, StorageError> {
        Ok(self.state.experiments.get(&id).cloned())
    }

    async fn experiment_of_run(&mut self, run: RunId) -> Result<Option<ExperimentId>, StorageError> {
        Ok(self.run(run).await?.map(|run| run.experiment))
    }
}

#[async_trait]
impl TrackingTx for Tx {
    async fn experiment_named(&mut self, name: &ExperimentName) -> Result<Option<Experiment>, StorageError> {
        Ok(self.state.experiments.values().find(|experiment| experiment.name == *name).cloned())
    }
    async fn last_experiment(&mut self) -> Result<Option<ExperimentId>, StorageError> {
        Ok(self.state.experiments.keys().max().copied())
    }
    async fn places_after(
        &mut self,
        last: Option<ExperimentId>,
    ) -> Result<Vec<(ExperimentId, String)>, StorageError> {
        let after = self.state.experiments.values().filter(|experiment| Some(experiment.id) > last);
        Ok(after.map(|experiment| (experiment.id, experiment.artifact_location.clone())).collect())
    }
    async fn insert_experiment(&mut self, experiment: &Experiment) -> Result<(), ExperimentError> {
        assert!(self.state.experiments.insert(experiment.id, experiment.clone()).is_none());
        Ok(())
    }
    async fn update_experiment(&mut self, experiment: &Experiment) -> Result<(), StorageError> {
        assert!(self.state.experiments.insert(experiment.id, experiment.clone()).is_some());
        Ok(())
    }
    async fn put_experiment_tag(&mut self, id: ExperimentId, tag: &Pair) -> Result<(), StorageError> {
        self.state.experiment_tags.insert((id, tag.key.clone()), tag.value.clone());
        Ok(())
    }
    async fn delete_experiment_tag(&mut self, id: ExperimentId, key: &str) -> Result<bool, StorageError> {
        Ok(self.state.experiment_tags.remove(&(id, key.to_owned())).is_some())
    }
    async fn set_lifecycle_of_runs(
        &mut self,
        id: ExperimentId,
        lifecycle: Lifecycle,
    ) -> Result<(), StorageError> {
        let runs = self.state.runs.values_mut().filter(|run| run.experiment == id);
        runs.for_each(|run| run.lifecycle = lifecycle);
        Ok(())
    }
    async fn run(&mut self, id: RunId) -> Result<Option<Run>, StorageError> {
        Ok(self.state.runs.get(&id).cloned())
    }
    async fn insert_run(&mut self, run: &Run) -> Result<(), ExperimentError> {
        assert!(self.state.runs.insert(run.id, run.clone()).is_none());
        Ok(())
    }
    async fn update_run(&mut self, run: &Run) -> Result<(), StorageError> {
        assert!(self.state.runs.insert(run.id, run.clone()).is_some());
        Ok(())
    }
    async fn params(&mut self, run: RunId, keys: &[&str]) -> Result<BTreeMap<String, String>, StorageError> {
        let of =
            |key: &&str| Some(((*key).to_owned(), self.state.params.get(&(run, (*key).to_owned()))?.clone()));
        Ok(keys.iter().filter_map(of).collect())
    }
    async fn insert_params(&mut self, run: RunId, params: &Texts<'_>) -> Result<(), StorageError> {
        for (key, value) in params {
            assert!(self.state.params.insert((run, (*key).to_owned()), (*value).to_owned()).is_none());
        }
        Ok(())
    }
    async fn run_tag(&mut self, run: RunId, key: &str) -> Result<Option<String>, StorageError> {
        Ok(self.state.tags.get(&(run, key.to_owned())).cloned())
    }
    async fn put_run_tags(&mut self, run: RunId, tags: &Texts<'_>) -> Result<(), StorageError> {
        self.state
            .tags
            .extend(tags.iter().map(|(key, value)| ((run, (*key).to_owned()), (*value).to_owned())));
        Ok(())
    }
    async fn delete_run_tag(&mut self, run: RunId, key: &str) -> Result<bool, StorageError> {
        Ok(self.state.tags.remove(&(run, key.to_owned())).is_some())
    }
    async fn latest(&mut self, run: RunId, keys: &[&str]) -> Result<BTreeMap<String, Latest>, StorageError> {
        let of = |key: &&str| Some(((*key).to_owned(), *self.state.latest.get(&(run, (*key).to_owned()))?));
        Ok(keys.iter().filter_map(of).collect())
    }
    async fn put_latest(&mut self, run: RunId, latest: &BTreeMap<&str, Latest>) -> Result<(), StorageError> {
        self.state.latest.extend(latest.iter().map(|(key, latest)| ((run, (*key).to_owned()), *latest)));
        Ok(())
    }
    async fn append_blocks(&mut self, run: RunId, blocks: &[EncodedBlock<'_>]) -> Result<(), StorageError> {
        self.state.blocks.extend(blocks.iter().map(|block| (run, block.key.to_owned(), block.bytes.clone())));
        Ok(())
    }
    async fn put_dataset_input(&mut self, run: &Run, input: &DatasetInput) -> Result<bool, StorageError> {
        let key = (run.id, input.dataset.name.clone(), input.dataset.digest.clone());
        let is_new = !self.state.datasets.contains_key(&key);
        self.state.datasets.entry(key).or_insert_with(|| input.clone());
        Ok(is_new)
    }
    async fn put_model_input(&mut self, run: RunId, model: LoggedModelId) -> Result<(), StorageError> {
        self.state.inputs.push((run, model));
        Ok(())
    }
    async fn put_model_output(&mut self, run: RunId, output: &ModelOutput) -> Result<(), StorageError> {
        self.state.outputs.push((run, output.clone()));
        Ok(())
    }
    async fn logged_model(&mut self, id: LoggedModelId) -> Result<Option<LoggedModel>, StorageError> {
        Ok(self.state.models.get(&id).cloned())
    }
    async fn insert_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError> {
        assert!(self.state.models.insert(model.id, model.clone()).is_none());
        Ok(())
    }
    async fn update_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError> {
        assert!(self.state.models.insert(model.id, model.clone()).is_some());
        Ok(())
    }
    async fn put_logged_model_params(&mut self, _: LoggedModelId, _: &Texts<'_>) -> Result<(), StorageError> {
        Ok(())
    }
    async fn put_logged_model_tags(
        &mut self,
        id: LoggedModelId,
        tags: &Texts<'_>,
    ) -> Result<(), StorageError> {
        let tags = tags.iter().map(|(key, value)| ((id, (*key).to_owned()), (*value).to_owned()));
        self.state.model_tags.extend(tags);
        Ok(())
    }
    async fn delete_logged_model_tag(&mut self, id: LoggedModelId, key: &str) -> Result<bool, StorageError> {
        Ok(self.state.model_tags.remove(&(id, key.to_owned())).is_some())
    }
    async fn put_model_metrics(&mut self, metrics: &[ModelMetric]) -> Result<(), StorageError> {
        for metric in metrics {
            let key = (metric.model, metric.run, metric.key.clone(), metric.dataset.clone());
            let points = self.state.model_metrics.entry(key).or_default();
            if !points.contains(&metric.point) {
                points.push(metric.point);
            }
        }
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Memory(pub(crate) Mutex<State>);

impl Unit<dyn TrackingTx> for Memory {
    fn submit(&self, mut job: Box<dyn Job<dyn TrackingTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let state = self.0.lock().unwrap().clone();
            let mut tx = Tx { state, context: job.context().clone() };
            if job.apply(&mut tx).await.is_ok() {
                *self.0.lock().unwrap() = tx.state;
            }
            job.settle(Ok(()));
            Ok(())
        })
    }
}

struct Everything;

impl Authorizer for Everything {
    fn allows(&self, _: &Principal, _: Action, _: &Scope) -> bool {
        true
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

pub(crate) fn tracking() -> (Arc<Memory>, Commands<dyn TrackingTx>) {
    let memory = Arc::new(Memory::default());
    (Arc::clone(&memory), Commands::new(memory, Arc::new(Everything)))
}
