//! Records the demonstration of a workspace: questions to the documentation are searched for, here and now, and what
//! happens is written through the commands that a client would cause.
//!
//! It lives in an experiment of its own, which is known by its name and a tag, [`MARK_TAG`]. The tag says what of it is there
//! whole, and what was begun; it is written before anything is recorded and again behind it. Of a demonstration that
//! was interrupted nothing is taken up: its experiment is renamed and deleted, in `MLflow`'s sense, and another one is
//! recorded, which whoever may create experiments may do. Only removing it takes all of them away for good.

mod evaluated;
mod traced;

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer as _, Commands, Verdict};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Failure, StorageError};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::Clock;
use mainstay_demonstration::feature::{Feature, Features, Mark};
use mainstay_demonstration::page::PAGES;
use mainstay_demonstration::passage::passages;
use mainstay_demonstration::port::{Demonstrated, Demonstrations};
use mainstay_demonstration::question::QUESTIONS;
use mainstay_demonstration::search::{Library, Method};
use mainstay_evaluation::command::DeleteEvaluationDataset;
use mainstay_evaluation::port::{EvaluationReader, EvaluationTx};
use mainstay_mlflow::ArtifactRoot;
use mainstay_retention::command::{MAX_TARGETS, Otherwise, StartPurge};
use mainstay_retention::port::PurgeTx;
use mainstay_retention::purge::{Cause, PurgeId};
use mainstay_retention::target::{Target, TargetKind};
use mainstay_traces::port::TraceTx;
use mainstay_tracking::command::{
    ArtifactLocation, CreateExperiment, DeleteExperiment, RenameExperiment, RestoreExperiment,
    SetExperimentTag,
};
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentName};
use mainstay_tracking::port::{TrackingReader, TrackingTx};
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::text::Pair;
use tokio::sync::Mutex;

use self::traced::answer;
use crate::Platform;
use crate::authority::Authority;

/// What the experiment is called, and the dataset of the questions.
const NAME: &str = "Demonstration: questions to the documentation";
/// The tag of the experiment by which it is known; of the dataset, that it belongs to it.
pub const MARK_TAG: &str = "mainstay.demonstration";
/// The tag that holds a description.
const NOTE_TAG: &str = "mlflow.note.content";

/// See the [module](self).
pub struct Recorder {
    tracking: Commands<dyn TrackingTx>,
    traces: Commands<dyn TraceTx>,
    evaluation: Commands<dyn EvaluationTx>,
    purges: Commands<dyn PurgeTx>,
    tracked: Arc<dyn TrackingReader>,
    evaluated: Arc<dyn EvaluationReader>,
    authority: Arc<Authority>,
    artifact_root: Arc<ArtifactRoot>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Who records or removes waits here: a data directory is open in one process.
    turn: Mutex<()>,
}

/// Who records, and where.
#[derive(Clone, Copy)]
struct Task<'a> {
    caller: &'a Principal,
    workspace: &'a Name,
    experiment: ExperimentId,
}

impl Recorder {
    /// Records on this platform.
    pub fn new(platform: &Platform) -> Self {
        let (writer, policy) = (Arc::new(platform.database.writer.clone()), platform.authority.clone());
        let reader = Arc::new(platform.database.reader.clone());
        Self {
            tracking: platform.tracking.clone(),
            traces: Commands::new(writer.clone(), policy.clone()),
            evaluation: Commands::new(writer.clone(), policy.clone()),
            purges: Commands::new(writer, policy.clone()),
            tracked: reader.clone(),
            evaluated: reader,
            authority: policy,
            artifact_root: platform.artifact_root.clone(),
            clock: platform.clock.clone(),
            entropy: platform.entropy.clone(),
            turn: Mutex::new(()),
        }
    }

    /// All demonstrations of a workspace, each with how much of it is there: one that stands, and those that were set
    /// aside or deleted.
    async fn all(&self, workspace: &Name) -> Result<Vec<(ExperimentDetail, Mark)>, StorageError> {
        let all = self.tracked.experiments(workspace).await?.into_iter();
        // Whoever may tag an experiment may not thereby have it removed.
        let named = all.filter(|detail| detail.experiment.name.as_str().starts_with(NAME));
        let marked = named.filter_map(|detail| {
            let mark = Mark::from(detail.tags.get(MARK_TAG)?.as_str());
            Some((detail, mark))
        });
        Ok(marked.collect())
    }

    async fn mark(&self, task: Task<'_>, mark: &Mark) -> Result<(), Failure> {
        let tag = Pair::experiment_tag(MARK_TAG, mark.to_string())?;
        let command = SetExperimentTag { workspace: task.workspace.clone(), id: task.experiment, tag };
        Ok(self.tracking.run(task.caller, command).await?)
    }

    /// Deletes the datasets that belong to a demonstration.
    async fn delete_datasets(&self, task: Task<'_>) -> Result<(), Failure> {
        let all = self.evaluated.evaluation_datasets(task.workspace).await?;
        let own = all.into_iter().filter(|detail| {
            detail.tags.contains_key(MARK_TAG) && detail.experiments.contains(&task.experiment)
        });
        for detail in own {
            let command =
                DeleteEvaluationDataset { workspace: task.workspace.clone(), id: detail.dataset.id };
            self.evaluation.run(task.caller, command).await?;
        }
        Ok(())
    }

    /// Marks one as no longer whole: should what follows be interrupted, nobody takes it for that.
    async fn doubt(&self, task: Task<'_>, mark: &Mark) -> Result<(), Failure> {
        if mark.whole.is_empty() {
            return Ok(());
        }
        self.mark(task, &Mark::begun(Features::new(), mark.all())).await
    }

    /// Makes room for another demonstration: this one gives up its name and its place.
    async fn set_aside(&self, task: Task<'_>, mark: &Mark, lifecycle: Lifecycle) -> Result<(), Failure> {
        let (caller, workspace, id) = (task.caller, task.workspace, task.experiment);
        if lifecycle == Lifecycle::Deleted {
            // What is deleted cannot be renamed.
            self.tracking.run(caller, RestoreExperiment { workspace: workspace.clone(), id }).await?;
        }
        self.doubt(task, mark).await?;
        self.delete_datasets(task).await?;
        let name = ExperimentName::new(format!("{NAME} (set aside, {id})"))?;
        self.tracking.run(caller, RenameExperiment { workspace: workspace.clone(), id, name }).await?;
        Ok(self.tracking.run(caller, DeleteExperiment { workspace: workspace.clone(), id }).await?)
    }

    /// The demonstration that stands, if it is whole as far as it goes; one that is not is set aside. With the
    /// features that are there, or were.
    async fn standing(
        &self,
        caller: &Principal,
        workspace: &Name,
    ) -> Result<(Option<ExperimentId>, Features), Failure> {
        let (mut standing, mut features) = (None, Features::new());
        for (ExperimentDetail { experiment, .. }, mark) in self.all(workspace).await? {
            let task = Task { caller, workspace, experiment: experiment.id };
            let is_active = experiment.lifecycle == Lifecycle::Active;
            if is_active && !mark.is_half() && standing.is_none() {
                (standing, features) = (Some(experiment.id), mark.whole);
            } else if is_active {
                self.set_aside(task, &mark, experiment.lifecycle).await?;
                features.extend(mark.whole);
            } else if experiment.name.as_str() == NAME {
                self.set_aside(task, &mark, experiment.lifecycle).await?;
            }
        }
        Ok((standing, features))
    }

    async fn create(
        &self,
        caller: &Principal,
        workspace: &Name,
        mark: &Mark,
    ) -> Result<ExperimentId, Failure> {
        let note = format!(
            "{} questions to Mainstay's own documentation, each answered by a search that quotes the passage it finds \
             first. All of it happened on this server when it was recorded: the times are those measured, the figures \
             are computed from what was found, and no language model took part.\n\n\
             POST /ajax-api/3.0/mlflow/demo/delete removes it for good.",
            QUESTIONS.len()
        );
        let command = CreateExperiment {
            workspace: workspace.clone(),
            name: ExperimentName::new(NAME)?,
            location: ArtifactLocation::Under(self.artifact_root.of(workspace)),
            tags: vec![
                Pair::experiment_tag(MARK_TAG, mark.to_string())?,
                Pair::experiment_tag(NOTE_TAG, note)?,
            ],
        };
        Ok(self.tracking.run(caller, command).await?.id)
    }

    /// Searches for all questions, and records what was asked for of what came of it.
    async fn perform(&self, task: Task<'_>, features: &Features) -> Result<(), Failure> {
        let library = Library::new(passages(PAGES));
        let ask = |method| QUESTIONS.iter().map(|one| answer(&library, one, method, &*self.clock)).collect();
        let found: Vec<_> = ask(Method::BM25);
        let run = if features.contains(&Feature::Evaluation) {
            let baseline: Vec<_> = ask(Method::SharedWords);
            let dataset = self.record_dataset(task).await?;
            self.record_run(task, &dataset, Method::SharedWords, &library, &baseline).await?;
            Some(self.record_run(task, &dataset, Method::BM25, &library, &found).await?)
        } else {
            None
        };
        if features.contains(&Feature::Traces) {
            self.record_traces(task, run, &library, &found).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Demonstrations for Recorder {
    fn is_open_to(&self, caller: &Principal, workspace: &Name) -> bool {
        let scope = Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace));
        self.authority.judges(caller, Action::ExperimentCreate, &scope) != Verdict::Refused
    }

    async fn record(
        &self,
        caller: &Principal,
        workspace: &Name,
        wanted: &Features,
    ) -> Result<Demonstrated, Failure> {
        let _turn = self.turn.lock().await;
        let (standing, known) = self.standing(caller, workspace).await?;
        let (experiment, whole, missing) = if let Some(experiment) = standing {
            let missing = wanted - &known;
            if missing.is_empty() {
                return Ok(Demonstrated { experiment, recorded: missing });
            }
            let task = Task { caller, workspace, experiment };
            self.mark(task, &Mark::begun(known.clone(), missing.clone())).await?;
            (experiment, known, missing)
        } else {
            // What was there of one that was interrupted is missing again.
            let missing = wanted | &known;
            let mark = Mark::begun(Features::new(), missing.clone());
            (self.create(caller, workspace, &mark).await?, Features::new(), missing)
        };
        let task = Task { caller, workspace, experiment };
        self.perform(task, &missing).await?;
        self.mark(task, &Mark::whole(&whole | &missing)).await?;
        Ok(Demonstrated { experiment, recorded: missing })
    }

    async fn remove(&self, caller: &Principal, workspace: &Name) -> Result<Features, Failure> {
        let _turn = self.turn.lock().await;
        let (mut features, mut targets) = (Features::new(), Vec::new());
        for (ExperimentDetail { experiment, .. }, mark) in self.all(workspace).await? {
            let task = Task { caller, workspace, experiment: experiment.id };
            if experiment.lifecycle == Lifecycle::Active {
                self.doubt(task, &mark).await?;
            }
            self.delete_datasets(task).await?;
            features.extend(mark.all());
            targets.push(Target::new(TargetKind::Experiment, &experiment.id.to_string())?);
        }
        for targets in targets.chunks(MAX_TARGETS) {
            let command = StartPurge {
                workspace: workspace.clone(),
                id: PurgeId::draw(&*self.entropy),
                cause: Cause::Asked,
                reason: "the demonstration is removed".to_owned(),
                targets: targets.to_vec(),
                otherwise: Otherwise::Refuse,
            };
            self.purges.run(caller, command).await?;
        }
        Ok(features)
    }
}
