//! Evaluation datasets and their records.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::Clock as _;
use mainstay_evaluation::DatasetId;
use mainstay_evaluation::command::{
    CreateEvaluationDataset, DeleteEvaluationDataset, DeleteRecords, LinkEvaluationDataset, MergeRecords,
    Merged, TagEvaluationDataset, UnlinkEvaluationDataset, UntagEvaluationDataset,
};
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::port::{EvaluationReader as _, EvaluationTx, RecordStart};
use mainstay_evaluation::record::{DatasetRecord, NewRecord};
use mainstay_tracking::command::{ArtifactLocation, CreateDefaultExperiment};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::port::TrackingTx;
use serde_json::{Value, json};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

const ID: DatasetId = DatasetId::from_bytes([7; 16]);
const START: RecordStart = RecordStart::Skipping(0);

fn commands(fresh: &Fresh) -> Commands<dyn EvaluationTx> {
    Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll))
}

fn caller() -> Principal {
    Principal::system("test")
}

fn create(tags: &[(&str, &str)], experiments: &[u64]) -> CreateEvaluationDataset {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let experiments = experiments.iter().map(|id| ExperimentId(*id)).collect();
    CreateEvaluationDataset::new(default_workspace(), ID, "qa".to_owned(), tags, experiments).unwrap()
}

/// A record that asks `question`, with outputs and tags.
fn record(question: Value, outputs: Option<Value>, user: &str) -> NewRecord {
    NewRecord {
        inputs: [("question".to_owned(), question)].into_iter().collect(),
        outputs,
        tags: [("mlflow.user".to_owned(), json!(user))].into_iter().collect(),
        ..NewRecord::default()
    }
}

fn merge(seed: u64, records: Vec<NewRecord>) -> MergeRecords {
    MergeRecords::new(default_workspace(), ID, records, &SeededEntropy::new(seed)).unwrap()
}

async fn read(fresh: &Fresh) -> Option<EvaluationDatasetDetail> {
    fresh.database.reader.evaluation_dataset(&default_workspace(), ID).await.unwrap()
}

async fn records(fresh: &Fresh, start: RecordStart, limit: usize) -> Vec<DatasetRecord> {
    fresh.database.reader.evaluation_records(&default_workspace(), ID, start, limit).await.unwrap()
}

both!(what_a_record_says_twice_is_merged, async |fresh: Fresh| {
    let commands = commands(&fresh);
    let created = commands.run(&caller(), create(&[("mlflow.user", "ann")], &[])).await.unwrap();
    assert_eq!(read(&fresh).await, Some(created.clone()));
    assert_eq!((&created.dataset.schema, &created.dataset.profile), (&None, &None));

    let sent = vec![
        record(json!(1), Some(json!({"answer": "x"})), "bob"),
        record(json!(1.0), None, "bob"),
        record(json!(1), Some(json!("y")), "eve"),
    ];
    let first = commands.run(&caller(), merge(1, sent)).await.unwrap();
    assert_eq!(first, Merged { inserted: 2, updated: 1 });
    fresh.clock.advance(std::time::Duration::from_secs(1));
    let second =
        commands.run(&caller(), merge(2, vec![record(json!(1), Some(Value::Null), "zoe")])).await.unwrap();
    assert_eq!(second, Merged { inserted: 0, updated: 1 });

    let stored = records(&fresh, START, 10).await;
    let by_outputs =
        |wanted: Option<Value>| stored.iter().find(|record| record.content.outputs == wanted).unwrap();
    let (once, thrice) = (by_outputs(Some(json!({}))), by_outputs(None));
    assert_eq!((stored.len(), &once.content.inputs["question"]), (2, &json!(1.0)));
    assert_eq!(thrice.content.created_by.as_deref(), Some("bob"));
    assert_eq!(thrice.content.updated_by.as_deref(), Some("zoe"));
    assert_eq!(thrice.created, once.created);
    assert!(thrice.updated > once.updated);

    let nobody = MergeRecords::new(
        default_workspace(),
        ID,
        vec![record(json!(2), None, "\0")],
        &SeededEntropy::new(3),
    );
    assert_eq!(nobody.unwrap_err().code(), ErrorCode::InvalidArgument);

    let dataset = read(&fresh).await.unwrap().dataset;
    assert_eq!(dataset.profile.as_deref(), Some(r#"{"num_records":2}"#));
    let schema: Value = serde_json::from_str(dataset.schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema["inputs"], json!({"question": "integer"}));
    assert_eq!((dataset.created_by.as_deref(), dataset.updated_by.as_deref()), (Some("ann"), Some("zoe")));
    assert_ne!(dataset.digest, created.dataset.digest);
    assert_eq!(dataset.updated, fresh.clock.now());

    let log = fresh.database.read(&EventQuery::newest(1)).await.unwrap();
    let body = log[0].body.as_ref().unwrap();
    assert_eq!(log[0].kind, "evaluation_dataset.records_merged");
    assert_eq!((&body["inserted"], &body["updated"], &body["records"]), (&json!(0), &json!(1), &json!(2)));
    assert!(body["content"].as_str().unwrap().starts_with("sha256:"));
});

both!(records_are_listed_by_creation_and_deleted_by_id, async |fresh: Fresh| {
    let commands = commands(&fresh);
    commands.run(&caller(), create(&[], &[])).await.unwrap();
    for batch in 0..3 {
        // More than one text of identities holds.
        let sent = (0..40).map(|n| record(json!([batch, n]), None, "ann")).collect();
        commands.run(&caller(), merge(batch, sent)).await.unwrap();
        fresh.clock.advance(std::time::Duration::from_millis(1));
    }
    let all = records(&fresh, START, 1_000).await;
    let mut sorted = all.clone();
    sorted.sort_by_key(|record| (record.created, record.id));
    assert_eq!((all.len(), &all), (120, &sorted));
    let (mut paged, mut start) = (Vec::new(), START);
    loop {
        let page = records(&fresh, start, 50).await;
        let Some(last) = page.last() else { break };
        start = RecordStart::Behind(last.created, last.id);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(records(&fresh, RecordStart::Skipping(100), 50).await, all[100..]);
    let again = (0..120).map(|n| record(json!([n / 40, n % 40]), None, "ann")).collect();
    assert_eq!(commands.run(&caller(), merge(9, again)).await.unwrap(), Merged { inserted: 0, updated: 120 });

    let delete = |ids: &[DatasetRecord]| {
        DeleteRecords::new(default_workspace(), ID, ids.iter().map(|record| record.id).collect()).unwrap()
    };
    let before = read(&fresh).await.unwrap().dataset;
    assert_eq!(commands.run(&caller(), delete(&all[..100])).await.unwrap(), 100);
    assert_eq!(commands.run(&caller(), delete(&all[..100])).await.unwrap(), 0);
    let after = read(&fresh).await.unwrap().dataset;
    assert_eq!((after.profile.as_deref(), after.updated), (Some(r#"{"num_records":20}"#), before.updated));
    assert_eq!(commands.run(&caller(), delete(&all)).await.unwrap(), 20);
    assert_eq!(read(&fresh).await.unwrap().dataset.profile.as_deref(), Some("null"));
});

both!(a_record_does_not_grow_for_ever, async |fresh: Fresh| {
    let commands = commands(&fresh);
    commands.run(&caller(), create(&[], &[])).await.unwrap();
    let with = |name: &str| {
        let expected = [(name.to_owned(), json!("x".repeat(3 << 20)))].into_iter().collect();
        NewRecord { expectations: Some(expected), ..record(json!(1), None, "ann") }
    };
    commands.run(&caller(), merge(1, vec![with("one")])).await.unwrap();
    let (all, head) = (records(&fresh, START, 10).await, fresh.database.head().borrow().0);
    let other = record(json!(2), None, "ann");
    let refused = commands.run(&caller(), merge(2, vec![other, with("two")])).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    assert!(refused.to_string().starts_with("a record of an evaluation dataset holds at most 4194304 bytes"));
    // Nothing of the call is left.
    assert_eq!((records(&fresh, START, 10).await, fresh.database.head().borrow().0), (all, head));
    assert_eq!(commands.run(&caller(), merge(3, vec![with("one")])).await.unwrap().updated, 1);
});

both!(tags_and_links_change_by_themselves, async |fresh: Fresh| {
    let (commands, workspace) = (commands(&fresh), default_workspace());
    let tracking: Commands<dyn TrackingTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let location = ArtifactLocation::Under("mlflow-artifacts:/".into());
    tracking
        .run(&caller(), CreateDefaultExperiment { workspace: workspace.clone(), location })
        .await
        .unwrap();
    // Experiment 9 does not exist: creation does not look.
    commands.run(&caller(), create(&[("env", "dev")], &[9])).await.unwrap();
    fresh.clock.advance(std::time::Duration::from_secs(1));
    let tags = vec![("env".to_owned(), "prod".to_owned()), ("new".to_owned(), String::new())];
    let tag = TagEvaluationDataset::new(workspace.clone(), ID, tags).unwrap();
    commands.run(&caller(), tag).await.unwrap();
    let untag =
        |key: &str| UntagEvaluationDataset { workspace: default_workspace(), id: ID, key: key.to_owned() };
    commands.run(&caller(), untag("new")).await.unwrap();
    commands.run(&caller(), untag("new")).await.unwrap();
    let tagged = read(&fresh).await.unwrap();
    assert_eq!(tagged.tags, [("env".to_owned(), "prod".to_owned())].into());
    assert_eq!(tagged.dataset.updated, tagged.dataset.created);

    let link = |ids: &[u64]| {
        let ids = ids.iter().map(|id| ExperimentId(*id)).collect();
        LinkEvaluationDataset::new(default_workspace(), ID, ids).unwrap()
    };
    let refused = commands.run(&caller(), link(&[0, 8])).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.to_string().as_str()),
        (ErrorCode::NotFound, "No Experiment with id=8")
    );
    assert_eq!(read(&fresh).await.unwrap(), tagged);
    let linked = commands.run(&caller(), link(&[0])).await.unwrap();
    assert_eq!(linked.experiments, [ExperimentId(0), ExperimentId(9)].into());
    assert_eq!((linked.dataset.updated, &linked.dataset.digest), (fresh.clock.now(), &tagged.dataset.digest));
    assert_eq!(read(&fresh).await.unwrap(), linked);
    fresh.clock.advance(std::time::Duration::from_secs(1));
    let unlink = |id: u64| UnlinkEvaluationDataset {
        workspace: default_workspace(),
        id: ID,
        experiments: [ExperimentId(id)].into(),
    };
    assert_eq!(commands.run(&caller(), unlink(5)).await.unwrap(), linked);
    let left = commands.run(&caller(), unlink(9)).await.unwrap();
    assert_eq!((left.experiments.len(), left.dataset.updated), (1, fresh.clock.now()));
    assert_eq!(read(&fresh).await.unwrap(), left);
});

both!(a_deleted_dataset_leaves_nothing_and_another_workspace_sees_none, async |fresh: Fresh| {
    let (commands, workspace) = (commands(&fresh), default_workspace());
    commands.run(&caller(), create(&[("a", "b")], &[1])).await.unwrap();
    commands.run(&caller(), merge(1, vec![record(json!("q"), None, "ann")])).await.unwrap();
    let (reader, elsewhere) = (&fresh.database.reader, Name::new("other").unwrap());
    assert_eq!(reader.evaluation_dataset(&elsewhere, ID).await.unwrap(), None);
    assert!(reader.evaluation_datasets(&elsewhere).await.unwrap().is_empty());
    assert!(reader.evaluation_records(&elsewhere, ID, START, 10).await.unwrap().is_empty());
    assert_eq!(reader.evaluation_datasets(&workspace).await.unwrap(), [read(&fresh).await.unwrap()]);
    let foreign = MergeRecords::new(elsewhere.clone(), ID, Vec::new(), &SeededEntropy::new(1)).unwrap();
    assert_eq!(commands.run(&caller(), foreign).await.unwrap_err().code(), ErrorCode::NotFound);
    commands.run(&caller(), DeleteEvaluationDataset { workspace: elsewhere, id: ID }).await.unwrap();
    assert!(read(&fresh).await.is_some());

    let delete = || DeleteEvaluationDataset { workspace: default_workspace(), id: ID };
    commands.run(&caller(), delete()).await.unwrap();
    let head = fresh.database.head().borrow().0;
    commands.run(&caller(), delete()).await.unwrap();
    assert_eq!(fresh.database.head().borrow().0, head);
    assert_eq!(read(&fresh).await, None);
    // The same id again finds nothing of before.
    let again = commands.run(&caller(), create(&[], &[])).await.unwrap();
    assert_eq!(read(&fresh).await, Some(again));
    assert!(records(&fresh, START, 10).await.is_empty());
    assert_eq!(
        commands.run(&caller(), merge(3, vec![record(json!("q"), None, "ann")])).await.unwrap(),
        Merged { inserted: 1, updated: 0 }
    );
});
