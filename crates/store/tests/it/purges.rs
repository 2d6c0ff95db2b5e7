//! What is deleted for good: at once out of sight, then row by row, and never what something still needs.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::id::RunId;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::default_workspace;
use mainstay_registry::command::{CreateModel, DeleteVersion, RegisterVersion};
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_registry::port::RegistryTx;
use mainstay_retention::command::{NoteMeasured, Otherwise, StartPurge, Started, SweepPurge};
use mainstay_retention::port::{PurgeReader as _, PurgeTx};
use mainstay_retention::purge::{Cause, Measure, Purge, PurgeId};
use mainstay_retention::target::{Target, TargetKind};
use mainstay_traces::command::{DeleteTraces, Doomed, StartTrace};
use mainstay_traces::id::TraceId;
use mainstay_traces::merge::Summary;
use mainstay_traces::port::{TraceReader as _, TraceTx};
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{
    ArtifactLocation, CreateExperiment, CreateLoggedModel, CreateRun, LogBatch, LogInputs, RestoreRun,
};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::logged_model::LoggedModelId;
use mainstay_tracking::metric::Point;
use mainstay_tracking::port::{TrackingReader as _, TrackingTx};
use mainstay_tracking::text::{Overlong, Pair};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

struct Story<'a> {
    fresh: &'a Fresh,
    tracking: Commands<dyn TrackingTx>,
    traces: Commands<dyn TraceTx>,
    registry: Commands<dyn RegistryTx>,
    purges: Commands<dyn PurgeTx>,
    entropy: SeededEntropy,
}

fn caller() -> Principal {
    Principal::system("test")
}

fn target(kind: TargetKind, id: &(impl ToString + ?Sized)) -> Target {
    Target::new(kind, &id.to_string()).unwrap()
}

impl<'a> Story<'a> {
    fn new(fresh: &'a Fresh) -> Self {
        let unit = Arc::new(fresh.database.writer.clone());
        Self {
            fresh,
            tracking: Commands::new(unit.clone(), Arc::new(AllowAll)),
            traces: Commands::new(unit.clone(), Arc::new(AllowAll)),
            registry: Commands::new(unit.clone(), Arc::new(AllowAll)),
            purges: Commands::new(unit, Arc::new(AllowAll)),
            entropy: SeededEntropy::new(3),
        }
    }

    async fn experiment(&self, name: &str) -> ExperimentId {
        let create = CreateExperiment {
            workspace: default_workspace(),
            name: ExperimentName::new(name).unwrap(),
            location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
            tags: vec![Pair::experiment_tag("team", "a").unwrap()],
        };
        self.tracking.run(&caller(), create).await.unwrap().id
    }

    /// A run with three metrics of some points and a parameter.
    async fn run(&self, experiment: ExperimentId, n: u8) -> RunId {
        let (workspace, id) = (default_workspace(), RunId::from_bytes([n; 16]));
        let (name, user) = (format!("run-{n}"), String::new());
        let create = CreateRun { workspace, id, experiment, name, user, start_ms: 1, tags: Vec::new() };
        self.tracking.run(&caller(), create).await.unwrap();
        let point = |step| Point { step, timestamp_ms: step, value: 0.5 };
        let metrics = ["a", "b", "c"].map(|key| LoggedMetric::new(key, point(1)).unwrap());
        let params = vec![Pair::param("depth", "3", Overlong::Refuse).unwrap()];
        let batch = Batch::new(metrics.into(), params, Vec::new()).unwrap();
        let log = LogBatch { workspace: default_workspace(), run: id, batch };
        self.tracking.run(&caller(), log).await.unwrap();
        id
    }

    async fn model(&self, experiment: ExperimentId, source_run: Option<RunId>, n: u8) -> LoggedModelId {
        let create = CreateLoggedModel {
            workspace: default_workspace(),
            id: LoggedModelId::from_bytes([n; 16]),
            experiment,
            name: format!("model-{n}"),
            model_type: String::new(),
            source_run: source_run.map(RunRef::from),
            params: vec![Pair::param("depth", "3", Overlong::Refuse).unwrap()],
            tags: Vec::new(),
        };
        self.tracking.run(&caller(), create).await.unwrap().id
    }

    async fn trace(&self, experiment: ExperimentId, id: &str) {
        let start = StartTrace {
            workspace: default_workspace(),
            experiment,
            id: TraceId::parse(id).unwrap(),
            summary: Summary::default(),
            assessments: Vec::new(),
        };
        self.traces.run(&caller(), start).await.unwrap();
    }

    async fn version(&self, source: &str, run: Option<RunId>) -> VersionNumber {
        let name = ModelName::new("delay").unwrap();
        let create = CreateModel {
            workspace: default_workspace(),
            name: name.clone(),
            description: String::new(),
            tags: Vec::new(),
        };
        // The second one finds it there.
        drop(self.registry.run(&caller(), create).await);
        let register = RegisterVersion {
            workspace: default_workspace(),
            name,
            source: source.to_owned(),
            location: None,
            run: run.map(RunRef::from),
            run_link: String::new(),
            logged_model: None,
            description: String::new(),
            tags: Vec::new(),
            digest: None,
        };
        self.registry.run(&caller(), register).await.unwrap().number
    }

    fn purge(&self, targets: Vec<Target>, otherwise: Otherwise) -> StartPurge {
        StartPurge {
            workspace: default_workspace(),
            id: PurgeId::draw(&self.entropy),
            cause: Cause::Asked,
            reason: "tidying".to_owned(),
            targets,
            otherwise,
        }
    }

    async fn start(&self, targets: Vec<Target>) -> Started {
        self.purges.run(&caller(), self.purge(targets, Otherwise::Refuse)).await.unwrap()
    }

    /// Sweeps to the end, each item having one file of ten bytes.
    async fn sweep(&self, purge: PurgeId) -> Purge {
        loop {
            let items = self.fresh.database.reader.purge_items(purge, 2).await.unwrap();
            let measure = Measure { objects: 1, bytes: 10, elsewhere: false };
            let fresh = items.iter().filter(|item| !item.is_measured);
            let measured = fresh.map(|item| (item.target.clone(), measure)).collect();
            let note = NoteMeasured { workspace: default_workspace(), purge, measured };
            self.purges.run(&caller(), note).await.unwrap();
            let items = items.into_iter().map(|item| item.target).collect();
            let sweep = SweepPurge { workspace: default_workspace(), purge, items };
            let purge = self.purges.run(&caller(), sweep).await.unwrap();
            if purge.finished.is_some() {
                return purge;
            }
        }
    }

    async fn is_known(&self, run: RunId) -> bool {
        !self.fresh.database.reader.runs(&default_workspace(), &[run]).await.unwrap().is_empty()
    }
}

/// A purge that goes on, for whoever compares tables with the record.
pub(crate) async fn some(fresh: &Fresh) {
    let story = Story::new(fresh);
    let experiment = story.experiment("purged").await;
    let run = story.run(experiment, 200).await;
    story.start(vec![target(TargetKind::Run, &run)]).await;
}

both!(a_run_goes_at_once_and_its_rows_after_it, async |fresh: Fresh| {
    let story = Story::new(&fresh);
    let experiment = story.experiment("one").await;
    let (gone, stays) = (story.run(experiment, 1).await, story.run(experiment, 2).await);
    let model = story.model(experiment, Some(gone), 1).await;
    let started = story.start(vec![target(TargetKind::Run, &gone)]).await;
    let purge = started.purge.unwrap();
    assert_eq!((purge.takes.runs, purge.takes.logged_models, purge.left), (1, 1, 2));
    assert!(!story.is_known(gone).await && story.is_known(stays).await);
    let reader = &fresh.database.reader;
    assert!(reader.logged_models(&default_workspace(), &[model]).await.unwrap().is_empty());
    let restore = RestoreRun { workspace: default_workspace(), id: gone };
    let refused = story.tracking.run(&caller(), restore).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NotFound);

    let done = story.sweep(purge.id).await;
    // Three latest points, three blocks, a parameter and the tag of its name; a parameter of the model.
    assert_eq!((done.done.rows, done.done.objects, done.done.bytes, done.left), (9, 2, 20, 0));
    assert_eq!(reader.purge(&default_workspace(), purge.id).await.unwrap().unwrap(), done);
    assert!(reader.unfinished_purges(10).await.unwrap().is_empty());
    let page = reader.purges(&default_workspace(), &PageRequest::first(1)).await.unwrap();
    assert_eq!((page.items, page.next), (vec![done], None));
    assert_eq!(reader.points(&default_workspace(), stays, "a").await.unwrap().len(), 1);
    let again = story.purge(vec![target(TargetKind::Run, &gone)], Otherwise::Refuse);
    assert_eq!(story.purges.run(&caller(), again).await.unwrap_err().code(), ErrorCode::NotFound);
    assert!(reader.check_state().await.unwrap().is_good(), "the record tells what the tables hold");
});

both!(an_experiment_goes_whole_and_its_id_for_ever, async |fresh: Fresh| {
    let story = Story::new(&fresh);
    story.experiment("first").await;
    let experiment = story.experiment("big").await;
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(story.run(experiment, n).await);
    }
    story.model(experiment, None, 9).await;
    for id in ["tr-1", "tr-2", "tr-3"] {
        story.trace(experiment, id).await;
    }
    let purge = story.start(vec![target(TargetKind::Experiment, &experiment)]).await.purge.unwrap();
    assert_eq!((purge.takes.experiments, purge.takes.runs), (1, 0), "what lies in it is found later");
    let (reader, workspace) = (&fresh.database.reader, default_workspace());
    assert_eq!(reader.experiment(&workspace, experiment).await.unwrap(), None);
    for run in &runs {
        assert!(!story.is_known(*run).await, "out of sight with its experiment");
    }
    assert!(reader.summaries(None, 100).await.unwrap().0.is_empty());
    let traces = [TraceId::parse("tr-1").unwrap()];
    assert!(reader.traces(&workspace, &traces).await.unwrap().is_empty());
    // The name is free at once, and the id is not given again.
    let again = story.experiment("big").await;
    assert_eq!(again.0, experiment.0 + 1);

    let done = story.sweep(purge.id).await;
    let takes = done.takes;
    assert_eq!((takes.experiments, takes.runs, takes.logged_models, takes.traces), (1, 5, 1, 3));
    assert_eq!(done.done.objects, 10, "one for each of these");
    let events = fresh.database.read(&EventQuery::after(EventSeq(0), 1_000)).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "experiment.purged").count(), 1);
    let forgotten = events.iter().filter(|event| event.kind == "trace.purged");
    let forgotten = forgotten.flat_map(|event| mainstay_traces::index::touched_by(event).unwrap());
    assert_eq!(forgotten.count(), 3, "the index of traces is told");
    assert_eq!(*kinds.last().unwrap(), "purge.finished");
    assert!(reader.check_state().await.unwrap().is_good());
});

both!(what_a_version_or_another_run_needs_stays, async |fresh: Fresh| {
    let story = Story::new(&fresh);
    let experiment = story.experiment("one").await;
    let (maker, user) = (story.run(experiment, 1).await, story.run(experiment, 2).await);
    let model = story.model(experiment, Some(maker), 1).await;
    let models = vec![model];
    let inputs = LogInputs { workspace: default_workspace(), run: user, datasets: Vec::new(), models };
    story.tracking.run(&caller(), inputs).await.unwrap();
    let refused = async |targets: Vec<Target>| {
        let purge = story.purge(targets, Otherwise::Refuse);
        let error = story.purges.run(&caller(), purge).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::StillNeeded);
        error.to_string()
    };
    // Another run uses the model that it made.
    let told = refused(vec![target(TargetKind::Run, &maker)]).await;
    assert!(told.contains(&format!("still needed by run {user}")), "{told}");
    // A version was made of its artifacts, by the one name or the other.
    let below = format!("mlflow-artifacts:/{experiment}/{user}/artifacts/model");
    let by_place = story.version(&below, None).await;
    for what in [
        target(TargetKind::Run, &user),
        target(TargetKind::RunArtifacts, &user),
        target(TargetKind::Experiment, &experiment),
    ] {
        let told = refused(vec![what]).await;
        assert!(told.contains("still needed by model version delay/1"), "{told}");
    }
    // A neighbour whose name begins alike needs nothing of it.
    story.version(&format!("mlflow-artifacts:/{experiment}/{maker}/artifacts-of-old"), None).await;
    let delete = DeleteVersion {
        workspace: default_workspace(),
        name: ModelName::new("delay").unwrap(),
        number: by_place,
    };
    story.registry.run(&caller(), delete).await.unwrap();
    let (skipped, both) = (target(TargetKind::Run, &maker), target(TargetKind::Run, &user));
    let rule = story.purge(vec![skipped.clone()], Otherwise::Skip);
    let started = story.purges.run(&caller(), rule).await.unwrap();
    assert!(started.purge.is_none() && started.held[0].0 == skipped, "a rule leaves it out");
    // Both together need nothing but each other.
    assert_eq!(story.start(vec![skipped, both]).await.purge.unwrap().takes.runs, 2);
    // A version of a run needs its artifacts, however its source spells them.
    let named = story.run(experiment, 3).await;
    story.version(&format!("runs:/{named}/model"), Some(named)).await;
    for kind in [TargetKind::RunArtifacts, TargetKind::Run] {
        let told = refused(vec![target(kind, &named)]).await;
        assert!(told.contains("still needed by model version delay/3"), "{told}");
    }
});

both!(artifacts_alone_go_and_the_run_says_so, async |fresh: Fresh| {
    let story = Story::new(&fresh);
    let experiment = story.experiment("one").await;
    let run = story.run(experiment, 1).await;
    let purge = story.start(vec![target(TargetKind::RunArtifacts, &run)]).await.purge.unwrap();
    let done = story.sweep(purge.id).await;
    assert_eq!((done.takes.run_artifacts, done.done.rows, done.done.bytes), (1, 0, 10));
    let kept = fresh.database.reader.runs(&default_workspace(), &[run]).await.unwrap().remove(0);
    assert_eq!(kept.tags["mainstay.artifacts_purged"], purge.id.to_string());
    assert_eq!(kept.params["depth"], "3");
});

both!(what_cannot_be_is_refused_and_leaves_nothing, async |fresh: Fresh| {
    let story = Story::new(&fresh);
    let experiment = story.experiment("one").await;
    let run = story.run(experiment, 1).await;
    let code = async |targets: Vec<Target>| {
        let purge = story.purge(targets, Otherwise::Refuse);
        story.purges.run(&caller(), purge).await.unwrap_err().code()
    };
    assert_eq!(code(Vec::new()).await, ErrorCode::InvalidArgument);
    assert_eq!(code(vec![target(TargetKind::Experiment, &0)]).await, ErrorCode::WrongState);
    let missing = target(TargetKind::Run, &RunId::from_bytes([9; 16]));
    assert_eq!(code(vec![target(TargetKind::Run, &run), missing]).await, ErrorCode::NotFound);
    assert!(story.is_known(run).await, "all of it or nothing");
    assert!(fresh.database.reader.unfinished_purges(10).await.unwrap().is_empty());
    // What was deleted in the meantime by another way is no obstacle to a rule.
    story.trace(experiment, "tr-1").await;
    let doomed = Doomed::Named(vec![TraceId::parse("tr-1").unwrap()]);
    let delete = DeleteTraces { workspace: default_workspace(), experiment, doomed };
    story.traces.run(&caller(), delete).await.unwrap();
    let rule = story.purge(vec![target(TargetKind::Trace, "tr-1")], Otherwise::Skip);
    assert_eq!(story.purges.run(&caller(), rule).await.unwrap(), Started { purge: None, held: Vec::new() });
});
