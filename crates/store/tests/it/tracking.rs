//! Experiments, runs, metric points, inputs and logged models.

use std::sync::Arc;

use mainstay_core::command::{CommandError, Commands};
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{
    ArtifactLocation, CreateDefaultExperiment, CreateExperiment, CreateLoggedModel, CreateRun,
    DeleteExperiment, DeleteRunTag, FinalizeLoggedModel, LogBatch, LogInputs, LogOutputs, RestoreExperiment,
    SetExperimentTag, UpdateRun,
};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::index::{Deadline, RunIndex, Wanted};
use mainstay_tracking::input::{DATASET_CONTEXT_TAG, Dataset, DatasetInput, DatasetUse, ModelOutput};
use mainstay_tracking::logged_model::{LoggedModelId, LoggedModelStatus};
use mainstay_tracking::metric::{Point, history};
use mainstay_tracking::port::{TrackingReader as _, TrackingTx};
use mainstay_tracking::run::{Lifecycle, RunStatus};
use mainstay_tracking::search::{
    LoggedModelFilter, LoggedModelOrder, LoggedModelSearch, RunFilter, RunOrder, View,
};
use mainstay_tracking::text::{Overlong, Pair};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn commands(fresh: &Fresh) -> Commands<dyn TrackingTx> {
    Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll))
}

fn caller() -> Principal {
    Principal::system("test")
}

fn run_id(n: u8) -> RunId {
    RunId::from_bytes([n; 16])
}

fn point(step: i64, value: f64) -> Point {
    Point { step, timestamp_ms: 1_000 + step, value }
}

pub(crate) fn create_default() -> CreateDefaultExperiment {
    let location = ArtifactLocation::Under("mlflow-artifacts:/".into());
    CreateDefaultExperiment { workspace: default_workspace(), location }
}

fn create_experiment(name: &str) -> CreateExperiment {
    CreateExperiment {
        workspace: default_workspace(),
        name: ExperimentName::new(name).unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: vec![Pair::experiment_tag("team", "a").unwrap()],
    }
}

pub(crate) fn create_run(n: u8) -> CreateRun {
    CreateRun {
        workspace: default_workspace(),
        id: run_id(n),
        experiment: ExperimentId::DEFAULT,
        name: format!("run-{n}"),
        user: "alice".into(),
        start_ms: i64::from(n),
        tags: vec![Pair::tag("t", "v", Overlong::Refuse).unwrap()],
    }
}

fn log(n: u8, metrics: &[(&str, Point)], params: &[(&str, &str)]) -> LogBatch {
    let metrics = metrics.iter().map(|(key, point)| LoggedMetric::new(*key, *point).unwrap()).collect();
    let params = params.iter().map(|(key, value)| Pair::param(*key, *value, Overlong::Refuse).unwrap());
    let batch = Batch::new(metrics, params.collect(), Vec::new()).unwrap();
    LogBatch { workspace: default_workspace(), run: run_id(n), batch }
}

both!(experiments_count_up_and_keep_their_names_when_deleted, async |fresh: Fresh| {
    let (commands, workspace) = (commands(&fresh), default_workspace());
    commands.run(&caller(), create_default()).await.unwrap();
    commands.run(&caller(), create_default()).await.unwrap();
    let one = commands.run(&caller(), create_experiment("one")).await.unwrap();
    assert_eq!((one.id, one.artifact_location.as_str()), (ExperimentId(1), "mlflow-artifacts:/1"));
    let tag = Pair::experiment_tag("team", "b").unwrap();
    commands
        .run(&caller(), SetExperimentTag { workspace: workspace.clone(), id: one.id, tag })
        .await
        .unwrap();
    commands.run(&caller(), DeleteExperiment { workspace: workspace.clone(), id: one.id }).await.unwrap();
    let again = commands.run(&caller(), create_experiment("one")).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::AlreadyExists);

    let reader = &fresh.database.reader;
    let named =
        reader.experiment_named(&workspace, &ExperimentName::new("one").unwrap()).await.unwrap().unwrap();
    assert_eq!((named.experiment.lifecycle, named.tags["team"].as_str()), (Lifecycle::Deleted, "b"));
    let all = reader.experiments(&workspace).await.unwrap();
    assert_eq!(all.iter().map(|e| e.experiment.id.0).collect::<Vec<_>>(), [0, 1]);
    let elsewhere = Name::new("other").unwrap();
    assert_eq!(reader.experiment(&elsewhere, one.id).await.unwrap(), None);
    assert!(reader.experiments(&elsewhere).await.unwrap().is_empty());
});

both!(a_param_is_logged_once_and_the_same_value_again_is_no_mistake, async |fresh: Fresh| {
    let commands = commands(&fresh);
    commands.run(&caller(), create_default()).await.unwrap();
    commands.run(&caller(), create_run(1)).await.unwrap();
    let (caller, logs) = (caller(), ["1", "1", "2", "1"].map(|value| log(1, &[], &[("a", value)])));
    // All four may share one transaction; the savepoints keep them apart.
    let [first, same, other, last] = logs.map(|log| commands.run(&caller, log));
    let (first, same, other, last) = tokio::join!(first, same, other, last);
    assert!(first.is_ok() && same.is_ok() && last.is_ok());
    assert!(matches!(other, Err(CommandError::Refused(TrackingError::ParamChanged { .. }))));
    let run = &fresh.database.reader.runs(&default_workspace(), &[run_id(1)]).await.unwrap()[0];
    assert_eq!(run.params["a"], "1");
});

both!(a_batch_with_a_bad_param_leaves_nothing, async |fresh: Fresh| {
    let commands = commands(&fresh);
    commands.run(&caller(), create_default()).await.unwrap();
    commands.run(&caller(), create_run(1)).await.unwrap();
    commands.run(&caller(), log(1, &[("m", point(1, 1.0))], &[("bad", "old")])).await.unwrap();
    let before = fresh.database.head().borrow().0;
    let params = [("a", "1"), ("bad", "new"), ("z", "1")];
    let refused =
        commands.run(&caller(), log(1, &[("m", point(2, 2.0)), ("n", point(2, 2.0))], &params)).await;
    assert_eq!(refused.unwrap_err().code(), ErrorCode::InvalidArgument);

    let (reader, workspace) = (&fresh.database.reader, default_workspace());
    let run = &reader.runs(&workspace, &[run_id(1)]).await.unwrap()[0];
    assert_eq!(run.params, [("bad".to_owned(), "old".to_owned())].into());
    assert_eq!(run.metrics, [("m".to_owned(), point(1, 1.0))].into());
    assert_eq!(reader.points(&workspace, run_id(1), "m").await.unwrap(), [point(1, 1.0)]);
    assert_eq!(fresh.database.head().borrow().0, before);
});

both!(points_survive_bit_for_bit_and_the_latest_stands_beside, async |fresh: Fresh| {
    let (commands, workspace) = (commands(&fresh), default_workspace());
    commands.run(&caller(), create_default()).await.unwrap();
    commands.run(&caller(), create_run(1)).await.unwrap();
    let points = [point(3, f64::NAN), point(1, f64::NEG_INFINITY), point(2, -0.0), point(3, f64::NAN)];
    for point in points {
        commands.run(&caller(), log(1, &[("m/a b", point)], &[])).await.unwrap();
    }
    let reader = &fresh.database.reader;
    let stored = history(reader.points(&workspace, run_id(1), "m/a b").await.unwrap());
    assert_eq!(stored, [points[1], points[2], points[0]]);
    let run = &reader.runs(&workspace, &[run_id(1)]).await.unwrap()[0];
    assert_eq!(run.metrics["m/a b"], points[0]);
    let elsewhere = Name::new("other").unwrap();
    assert!(reader.points(&elsewhere, run_id(1), "m/a b").await.unwrap().is_empty());
    assert!(reader.runs(&elsewhere, &[run_id(1)]).await.unwrap().is_empty());
    let refused = reader.points(&workspace, run_id(1), "m\0").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
});

fn dataset_input(context: &str) -> DatasetInput {
    let dataset = Dataset {
        name: "iris".into(),
        digest: "d1".into(),
        source_type: "code".into(),
        source: "{}".into(),
        schema: Some("{\"a\": \"b\"}".into()),
        profile: None,
    };
    DatasetInput { dataset, tags: vec![(DATASET_CONTEXT_TAG.into(), context.into())] }.checked().unwrap()
}

both!(inputs_and_logged_models_hang_on_their_runs, async |fresh: Fresh| {
    let (commands, workspace) = (commands(&fresh), default_workspace());
    commands.run(&caller(), create_default()).await.unwrap();
    commands.run(&caller(), create_run(1)).await.unwrap();
    let model = LoggedModelId::from_bytes([9; 16]);
    let create = CreateLoggedModel {
        workspace: workspace.clone(),
        id: model,
        experiment: ExperimentId::DEFAULT,
        name: "model".into(),
        model_type: String::new(),
        source_run: Some(run_id(1).into()),
        params: vec![Pair::param("depth", "3", Overlong::Refuse).unwrap()],
        tags: vec![Pair::tag("k", "v", Overlong::Refuse).unwrap()],
    };
    commands.run(&caller(), create).await.unwrap();
    let ready =
        FinalizeLoggedModel { workspace: workspace.clone(), id: model, status: LoggedModelStatus::Ready };
    commands.run(&caller(), ready).await.unwrap();
    let inputs = |context, models| LogInputs {
        workspace: default_workspace(),
        run: run_id(1),
        datasets: vec![dataset_input(context)],
        models,
    };
    commands.run(&caller(), inputs("train", vec![model])).await.unwrap();
    commands.run(&caller(), inputs("eval", Vec::new())).await.unwrap();
    let output = ModelOutput { model, step: 4 };
    let outputs = LogOutputs { workspace: workspace.clone(), run: run_id(1), models: vec![output.clone()] };
    commands.run(&caller(), outputs).await.unwrap();
    let judged = LoggedMetric::new("acc", point(1, 0.5)).unwrap();
    let judged = judged.of_model(model, Some(("iris".into(), "d1".into()))).unwrap();
    let later = LoggedMetric { point: point(2, f64::NAN), ..judged.clone() };
    for metrics in [vec![judged.clone(), later], vec![judged]] {
        let batch = Batch::new(metrics, Vec::new(), Vec::new()).unwrap();
        let command = LogBatch { workspace: workspace.clone(), run: run_id(1), batch };
        commands.run(&caller(), command).await.unwrap();
    }

    let reader = &fresh.database.reader;
    let uses = reader.dataset_uses(&workspace, &[ExperimentId::DEFAULT]).await.unwrap();
    let (name, digest, context) = ("iris".to_owned(), "d1".to_owned(), Some("train".to_owned()));
    assert_eq!(uses, [DatasetUse { experiment: ExperimentId::DEFAULT, name, digest, context }]);
    let elsewhere = Name::new("other").unwrap();
    assert!(reader.dataset_uses(&elsewhere, &[ExperimentId::DEFAULT]).await.unwrap().is_empty());
    let run = &reader.runs(&workspace, &[run_id(1)]).await.unwrap()[0];
    assert_eq!(run.attached.datasets, [dataset_input("train")], "what is noted stays");
    assert_eq!(
        (run.attached.model_inputs.as_slice(), run.attached.model_outputs.as_slice()),
        (&[model][..], &[output][..])
    );
    let newest = |experiments| {
        let (filter, order) = (LoggedModelFilter::default(), LoggedModelOrder::default());
        let search = LoggedModelSearch::new(filter, order, &PageRequest::first(2)).unwrap();
        reader.search_logged_models(&workspace, experiments, search)
    };
    let listed = newest(&[ExperimentId::DEFAULT]).await.unwrap().items;
    assert!(newest(&[ExperimentId(7)]).await.unwrap().items.is_empty());
    assert_eq!(reader.count_logged_models(&workspace, ExperimentId::DEFAULT).await.unwrap(), 1);
    assert_eq!(listed, reader.logged_models(&workspace, &[model]).await.unwrap());
    let detail = &listed[0];
    assert_eq!((detail.model.status, detail.params["depth"].as_str()), (LoggedModelStatus::Ready, "3"));
    assert_eq!(detail.metrics[0].dataset, Some(("iris".into(), "d1".into())));
    let points: Vec<Point> = detail.metrics.iter().map(|metric| metric.point).collect();
    assert_eq!(points, [point(1, 0.5), point(2, f64::NAN)]);
});

both!(the_index_is_the_same_from_the_tables_and_from_the_log, async |fresh: Fresh| {
    let (commands, workspace) = (commands(&fresh), default_workspace());
    commands.run(&caller(), create_default()).await.unwrap();
    for n in 1..=120 {
        commands.run(&caller(), create_run(n)).await.unwrap();
        let metrics = [("m", point(1, f64::from(n)))];
        commands
            .run(&caller(), log(n, &metrics, &[("p", if n % 2 == 0 { "even" } else { "odd" })]))
            .await
            .unwrap();
    }
    let finished = UpdateRun {
        workspace: workspace.clone(),
        id: run_id(7),
        status: Some(RunStatus::Finished),
        end_ms: Some(99),
        name: Some("seventh".into()),
    };
    commands.run(&caller(), finished).await.unwrap();
    let untag = DeleteRunTag { workspace: workspace.clone(), run: run_id(9), key: "t".into() };
    commands.run(&caller(), untag).await.unwrap();
    commands
        .run(&caller(), DeleteExperiment { workspace: workspace.clone(), id: ExperimentId(0) })
        .await
        .unwrap();
    commands.run(&caller(), RestoreExperiment { workspace, id: ExperimentId(0) }).await.unwrap();

    let (mut from_tables, mut last) = (RunIndex::new(), None);
    loop {
        let (chunk, head) = fresh.database.reader.summaries(last, 50).await.unwrap();
        assert_eq!(head, *fresh.database.head().borrow());
        let Some(end) = chunk.last() else { break };
        last = Some(end.run.id);
        for summary in chunk {
            from_tables.put(summary);
        }
    }
    let mut from_log = RunIndex::new();
    for event in fresh.database.read(&EventQuery::after(EventSeq(0), 10_000)).await.unwrap() {
        if let Some(change) = mainstay_tracking::index::changes_of(&event).unwrap() {
            assert!(from_log.apply(change));
        }
    }
    assert_eq!((from_tables.len(), from_log.len()), (120, 120));
    for filter in ["metrics.m > 100 and params.p = 'even'", "run_name = 'seventh'", "tags.t IS NULL", ""] {
        let filter = RunFilter::parse(filter).unwrap();
        let order = RunOrder::parse(&["metrics.m DESC".to_owned()]).unwrap();
        let page = PageRequest::first(1_000);
        let here = default_workspace();
        let wanted = Wanted {
            workspace: &here,
            experiments: &[ExperimentId(0)],
            view: View::Active,
            filter: &filter,
            deadline: Deadline::NONE,
        };
        let search = |index: &RunIndex| index.search(&wanted, &order, &page).unwrap().0.items;
        let found = search(&from_tables);
        assert!(!found.is_empty());
        assert_eq!(found, search(&from_log));
    }
});
