//! The rules of the commands.

use mainstay_core::command::{Command, Commands};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::RunId;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{
    ArtifactLocation, CreateDefaultExperiment, CreateExperiment, CreateLoggedModel, CreateRun,
    DeleteExperiment, DeleteLoggedModel, DeleteRun, DeleteRunTag, FinalizeLoggedModel, LogBatch, LogInputs,
    LogOutputs, RecordModelHistory, RenameExperiment, RestoreExperiment, RestoreRun, SetExperimentTag,
    UpdateRun, resolve_name,
};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::index::{RunChange, changes_of};
use mainstay_tracking::input::{Dataset, DatasetInput, ModelOutput};
use mainstay_tracking::logged_model::{LoggedModelId, LoggedModelStatus};
use mainstay_tracking::metric::{Point, history};
use mainstay_tracking::port::TrackingTx;
use mainstay_tracking::run::{Lifecycle, RUN_NAME_TAG, RunStatus};
use mainstay_tracking::text::{Overlong, Pair};

use crate::memory::tracking;

type Tracking = Commands<dyn TrackingTx>;

async fn run<C>(commands: &Tracking, command: C) -> Result<C::Out, ErrorCode>
where
    C: Command<Tx = dyn TrackingTx, Error = TrackingError>,
{
    commands.run(&Principal::system("test"), command).await.map_err(|error| error.code())
}

fn tag(key: &str, value: &str) -> Pair {
    Pair::tag(key, value, Overlong::Refuse).unwrap()
}

fn name(text: &str) -> ExperimentName {
    ExperimentName::new(text).unwrap()
}

fn create(text: &str) -> CreateExperiment {
    CreateExperiment {
        workspace: default_workspace(),
        name: name(text),
        location: ArtifactLocation::Under("mlflow-artifacts:/".to_owned()),
        tags: vec![tag("team", "ops")],
    }
}

fn run_id(n: u8) -> RunId {
    RunId::from_bytes([n; 16])
}

async fn new_run(commands: &Tracking, n: u8) -> RunId {
    let create = CreateRun {
        workspace: default_workspace(),
        id: run_id(n),
        experiment: ExperimentId::DEFAULT,
        name: "brave-heron-1".to_owned(),
        user: "alice".to_owned(),
        start_ms: 10,
        tags: vec![tag("k", "v")],
    };
    run(commands, create).await.unwrap().run.id
}

async fn with_default(commands: &Tracking) {
    let location = ArtifactLocation::Under("mlflow-artifacts:/".to_owned());
    run(commands, CreateDefaultExperiment { workspace: default_workspace(), location }).await.unwrap();
}

fn batch(metrics: &[(&str, i64, f64)], params: &[(&str, &str)], tags: &[(&str, &str)]) -> Batch {
    let metric =
        |&(key, step, value)| LoggedMetric::new(key, Point { step, timestamp_ms: 1, value }).unwrap();
    let param = |&(key, value)| Pair::param(key, value, Overlong::Refuse).unwrap();
    let metrics = metrics.iter().map(metric).collect();
    let params = params.iter().map(param).collect();
    Batch::new(metrics, params, tags.iter().map(|(k, v)| tag(k, v)).collect()).unwrap()
}

fn log(run: RunId, batch: Batch) -> LogBatch {
    LogBatch { workspace: default_workspace(), run, batch }
}

#[tokio::test]
async fn experiments_count_up_and_keep_their_names_after_deletion() {
    let (memory, commands) = tracking();
    let workspace = default_workspace;
    with_default(&commands).await;
    with_default(&commands).await;
    let flights = run(&commands, create("flights")).await.unwrap();
    assert_eq!((flights.id, flights.artifact_location.as_str()), (ExperimentId(1), "mlflow-artifacts:/1"));
    assert_eq!(run(&commands, create("flights")).await.err(), Some(ErrorCode::AlreadyExists));
    let id = flights.id;
    run(&commands, DeleteExperiment { workspace: workspace(), id }).await.unwrap();
    assert_eq!(run(&commands, create("flights")).await.err(), Some(ErrorCode::AlreadyExists));
    for refused in [
        run(&commands, DeleteExperiment { workspace: workspace(), id }).await.err(),
        run(&commands, RestoreExperiment { workspace: workspace(), id: ExperimentId(9) }).await.err(),
    ] {
        assert_eq!(refused, Some(ErrorCode::NotFound));
    }
    for refused in [
        run(&commands, RenameExperiment { workspace: workspace(), id, name: name("x") }).await.err(),
        run(&commands, SetExperimentTag { workspace: workspace(), id, tag: tag("a", "b") }).await.err(),
    ] {
        assert_eq!(refused, Some(ErrorCode::WrongState));
    }
    run(&commands, RestoreExperiment { workspace: workspace(), id }).await.unwrap();
    let taken = RenameExperiment { workspace: workspace(), id, name: name("Default") };
    assert_eq!(run(&commands, taken).await.err(), Some(ErrorCode::AlreadyExists));
    run(&commands, RenameExperiment { workspace: workspace(), id, name: name("planes") }).await.unwrap();
    assert_eq!(run(&commands, create("flights")).await.unwrap().id, ExperimentId(2));
    let kinds: Vec<_> = memory.0.lock().unwrap().events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            "experiment.created",
            "experiment.created",
            "experiment.deleted",
            "experiment.restored",
            "experiment.renamed",
            "experiment.created",
        ]
    );
}

#[tokio::test]
async fn a_batch_is_logged_whole_or_not_at_all() {
    let (memory, commands) = tracking();
    with_default(&commands).await;
    let id = new_run(&commands, 1).await;
    run(&commands, log(id, batch(&[("loss", 1, 0.5)], &[("lr", "0.1")], &[]))).await.unwrap();
    let before = memory.0.lock().unwrap().events.len();

    let changed = batch(&[("loss", 2, 0.4)], &[("new", "1"), ("lr", "0.2")], &[("t", "v")]);
    assert_eq!(run(&commands, log(id, changed)).await.err(), Some(ErrorCode::InvalidArgument));
    {
        let state = memory.0.lock().unwrap();
        assert_eq!((state.events.len(), state.params.len(), state.blocks.len()), (before, 1, 1));
    }
    // The same value again is no change, and nothing new is no event.
    run(&commands, log(id, batch(&[], &[("lr", "0.1")], &[]))).await.unwrap();
    assert_eq!(memory.0.lock().unwrap().events.len(), before);
    assert_eq!(run(&commands, log(run_id(9), batch(&[], &[], &[]))).await.err(), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn points_are_kept_bit_for_bit_and_the_latest_beside() {
    let (memory, commands) = tracking();
    with_default(&commands).await;
    let id = new_run(&commands, 1).await;
    let points = [("loss", 1, 0.5), ("loss", 3, f64::NAN), ("acc", 0, f64::INFINITY), ("loss", 2, 0.1)];
    run(&commands, log(id, batch(&points, &[], &[]))).await.unwrap();
    // A retry, and a late point: the first is a duplicate, the second is not the latest.
    run(&commands, log(id, batch(&[("loss", 1, 0.5), ("loss", 0, 9.0)], &[], &[]))).await.unwrap();

    let state = memory.0.lock().unwrap();
    let steps: Vec<i64> = history(state.points(id, "loss")).iter().map(|point| point.step).collect();
    assert_eq!(steps, [0, 1, 2, 3]);
    assert_eq!(state.latest[&(id, "loss".to_owned())].step, 3);
    let bodies: Vec<_> = state.events.iter().filter(|e| e.kind == "run.logged").map(|e| &e.body).collect();
    assert_eq!(bodies[0]["metrics"]["loss"]["value"], "NaN");
    assert_eq!(bodies[0]["points"]["count"], 4);
    assert_eq!(bodies[1]["metrics"], serde_json::json!({}));
}

#[tokio::test]
async fn what_is_deleted_cannot_be_written_to() {
    let (memory, commands) = tracking();
    let workspace = default_workspace;
    with_default(&commands).await;
    let id = new_run(&commands, 1).await;
    let finished = UpdateRun {
        workspace: workspace(),
        id,
        status: Some(RunStatus::Finished),
        end_ms: Some(20),
        name: None,
    };
    assert_eq!(run(&commands, finished.clone()).await.unwrap().end_ms, Some(20));
    run(&commands, log(id, batch(&[], &[], &[("after", "the end")]))).await.unwrap();

    for _ in 0..2 {
        run(&commands, DeleteRun { workspace: workspace(), id }).await.unwrap();
    }
    let deletions = memory.0.lock().unwrap().events.iter().filter(|e| e.kind == "run.deleted").count();
    assert_eq!(deletions, 1);
    assert_eq!(
        run(&commands, log(id, batch(&[], &[], &[("a", "b")]))).await.err(),
        Some(ErrorCode::WrongState)
    );
    assert_eq!(run(&commands, finished).await.err(), Some(ErrorCode::WrongState));
    run(&commands, RestoreRun { workspace: workspace(), id }).await.unwrap();
    run(&commands, log(id, batch(&[], &[], &[("a", "b")]))).await.unwrap();

    let experiment = ExperimentId::DEFAULT;
    run(&commands, DeleteExperiment { workspace: workspace(), id: experiment }).await.unwrap();
    assert_eq!(
        run(&commands, log(id, batch(&[], &[], &[("a", "b")]))).await.err(),
        Some(ErrorCode::WrongState)
    );
}

#[tokio::test]
async fn the_name_and_its_tag_stay_equal() {
    let (memory, commands) = tracking();
    let workspace = default_workspace;
    with_default(&commands).await;
    let id = new_run(&commands, 1).await;
    let both = || {
        let state = memory.0.lock().unwrap();
        (state.runs[&id].name.clone(), state.tags[&(id, RUN_NAME_TAG.to_owned())].clone())
    };
    assert_eq!(both(), ("brave-heron-1".to_owned(), "brave-heron-1".to_owned()));
    run(&commands, log(id, batch(&[], &[], &[(RUN_NAME_TAG, "second")]))).await.unwrap();
    assert_eq!(both(), ("second".to_owned(), "second".to_owned()));
    let rename =
        UpdateRun { workspace: workspace(), id, status: None, end_ms: None, name: Some("third".to_owned()) };
    run(&commands, rename).await.unwrap();
    assert_eq!(both(), ("third".to_owned(), "third".to_owned()));

    let entropy = SeededEntropy::new(1);
    let tags = [tag(RUN_NAME_TAG, "a")];
    assert_eq!(resolve_name(Some("a"), &tags, &entropy).unwrap(), "a");
    assert_eq!(resolve_name(Some(""), &tags, &entropy).unwrap(), "a");
    assert!(matches!(resolve_name(Some("b"), &tags, &entropy), Err(TrackingError::TwoNames { .. })));
    assert_eq!(resolve_name(None, &[], &entropy).unwrap().split('-').count(), 3);
}

#[tokio::test]
async fn logged_models_go_from_pending_to_ready_and_are_judged() {
    let (memory, commands) = tracking();
    let workspace = default_workspace;
    with_default(&commands).await;
    let run_id = new_run(&commands, 1).await;
    let id = LoggedModelId::draw(&SeededEntropy::new(4));
    assert_eq!(id.to_string().parse::<LoggedModelId>().unwrap(), id);
    let create = CreateLoggedModel {
        workspace: workspace(),
        id,
        experiment: ExperimentId::DEFAULT,
        name: "model".to_owned(),
        model_type: String::new(),
        source_run: Some(run_id.into()),
        params: Vec::new(),
        tags: Vec::new(),
    };
    let outputs = || LogOutputs {
        workspace: workspace(),
        run: run_id,
        models: vec![ModelOutput { model: id, step: 0 }],
    };
    assert_eq!(run(&commands, outputs()).await.err(), Some(ErrorCode::NotFound));
    assert_eq!(run(&commands, create).await.unwrap().status, LoggedModelStatus::Pending);
    run(&commands, outputs()).await.unwrap();
    let status = LoggedModelStatus::Ready;
    let ready = run(&commands, FinalizeLoggedModel { workspace: workspace(), id, status }).await.unwrap();
    assert_eq!(ready.artifact_uri, format!("mlflow-artifacts:/0/models/{id}/artifacts"));

    let judge = |step, value| {
        let point = Point { step, timestamp_ms: 1, value };
        let dataset = Some(("flights".to_owned(), "abc".to_owned()));
        let metric = LoggedMetric::new("auc", point).unwrap().of_model(id, dataset).unwrap();
        log(run_id, Batch::new(vec![metric], Vec::new(), Vec::new()).unwrap())
    };
    for (step, value) in [(2, 0.8), (1, 0.9), (2, 0.8)] {
        run(&commands, judge(step, value)).await.unwrap();
    }
    let points: Vec<_> = memory.0.lock().unwrap().model_metrics.values().flatten().copied().collect();
    assert_eq!(points.iter().map(|point| point.value).collect::<Vec<_>>(), [0.8, 0.9]);

    for _ in 0..2 {
        run(&commands, DeleteLoggedModel { workspace: workspace(), id }).await.unwrap();
    }
    let deletions =
        memory.0.lock().unwrap().events.iter().filter(|event| event.kind == "logged_model.deleted").count();
    assert_eq!(deletions, 1);
    // A job that ends after somebody deleted its model ends well, as with a stock server.
    let late = FinalizeLoggedModel { workspace: workspace(), id, status };
    assert_eq!(run(&commands, late).await.unwrap().lifecycle, Lifecycle::Deleted);
}

fn input(context: &str) -> DatasetInput {
    let dataset = Dataset {
        name: "flights".to_owned(),
        digest: "abc".to_owned(),
        source_type: "local".to_owned(),
        source: "flights.parquet".to_owned(),
        schema: None,
        profile: None,
    };
    DatasetInput { dataset, tags: vec![("mlflow.data.context".to_owned(), context.to_owned())] }
}

/// What the index learns from the events alone must equal what the tables say.
#[tokio::test]
async fn the_events_hold_all_that_the_index_needs() {
    let (memory, commands) = tracking();
    let workspace = default_workspace;
    with_default(&commands).await;
    let id = new_run(&commands, 1).await;
    run(&commands, log(id, batch(&[("m", 1, 0.5), ("n", 1, 1.0)], &[("p", "1")], &[("t", "v"), ("u", "w")])))
        .await
        .unwrap();
    run(&commands, log(id, batch(&[("m", 2, 0.25)], &[], &[(RUN_NAME_TAG, "renamed")]))).await.unwrap();
    run(&commands, DeleteRunTag { workspace: workspace(), run: id, key: "u".to_owned() }).await.unwrap();
    let untag = DeleteRunTag { workspace: workspace(), run: id, key: "u".to_owned() };
    assert_eq!(run(&commands, untag).await.err(), Some(ErrorCode::NotFound));
    for context in ["training", "eval"] {
        let datasets = vec![input(context).checked().unwrap()];
        run(&commands, LogInputs { workspace: workspace(), run: id, datasets, models: Vec::new() })
            .await
            .unwrap();
    }
    let model = serde_json::json!({"artifact_path": "model"});
    run(&commands, RecordModelHistory { workspace: workspace(), run: id, model }).await.unwrap();
    let update = UpdateRun {
        workspace: workspace(),
        id,
        status: Some(RunStatus::Failed),
        end_ms: Some(99),
        name: Some("last".to_owned()),
    };
    run(&commands, update).await.unwrap();
    run(&commands, DeleteExperiment { workspace: workspace(), id: ExperimentId::DEFAULT }).await.unwrap();

    let state = memory.0.lock().unwrap();
    let mut summary = None;
    for event in state.recorded() {
        match (changes_of(&event).unwrap(), &mut summary) {
            (Some(RunChange::Created(created)), _) => summary = Some(*created),
            (Some(change), Some(summary)) => summary.apply(change),
            _ => {}
        }
    }
    assert_eq!(summary, Some(state.summary(id)));
}
