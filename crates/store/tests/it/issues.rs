//! Issues of experiments.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_evaluation::issue::command::{CreateIssue, IssueChange, NewIssue, UpdateIssue};
use mainstay_evaluation::issue::port::{IssueReader as _, IssueTx};
use mainstay_evaluation::issue::{IssueId, IssueSeverity, IssueStatus};
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment, CreateRun, DeleteExperiment};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::port::TrackingTx;

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn commands(fresh: &Fresh) -> (Commands<dyn IssueTx>, Commands<dyn TrackingTx>) {
    let unit = Arc::new(fresh.database.writer.clone());
    (Commands::new(unit.clone(), Arc::new(AllowAll)), Commands::new(unit, Arc::new(AllowAll)))
}

fn caller() -> Principal {
    Principal::system("test")
}

async fn experiment(tracking: &Commands<dyn TrackingTx>, name: &str) -> ExperimentId {
    let create = CreateExperiment {
        workspace: default_workspace(),
        name: ExperimentName::new(name).unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: Vec::new(),
    };
    tracking.run(&caller(), create).await.unwrap().id
}

async fn run_in(tracking: &Commands<dyn TrackingTx>, experiment: ExperimentId) -> RunId {
    let create = CreateRun {
        workspace: default_workspace(),
        id: RunId::from_bytes([7; 16]),
        experiment,
        name: "run".to_owned(),
        user: String::new(),
        start_ms: 0,
        tags: Vec::new(),
    };
    tracking.run(&caller(), create).await.unwrap().run.id
}

fn id(text: &str) -> IssueId {
    text.parse().unwrap()
}

fn new(name: &str) -> NewIssue {
    NewIssue { name: name.to_owned(), description: "It is slow.".to_owned(), ..NewIssue::default() }
}

fn create(issue: &str, experiment: ExperimentId, new: NewIssue) -> CreateIssue {
    CreateIssue::new(default_workspace(), id(issue), experiment, new).unwrap()
}

both!(issues_are_kept_as_they_are_told, async |fresh: Fresh| {
    let ((issues, tracking), workspace) = (commands(&fresh), default_workspace());
    let (one, two) = (experiment(&tracking, "one").await, experiment(&tracking, "two").await);
    let run = run_in(&tracking, one).await;
    let told = NewIssue {
        status: IssueStatus::Rejected,
        severity: Some(IssueSeverity::High),
        root_causes: vec!["a".into(), "b".into()],
        source_run: Some(run),
        categories: vec!["Cost".into()],
        created_by: Some("ann".into()),
        last_seen_ms: Some(5),
        metadata: [("k".to_owned(), "v".to_owned())].into(),
        ..new("full")
    };
    let full = issues.run(&caller(), create("iss-full", one, told)).await.unwrap();
    let plain = issues.run(&caller(), create("iss-plain", two, new("plain"))).await.unwrap();
    assert_eq!((full.head.updated_by.as_deref(), full.head.last_seen_ms), (Some("ann"), 5));
    assert_eq!(plain.head.last_seen_ms, plain.head.created.millis());

    let reader = &fresh.database.reader;
    let wanted = [id("iss-plain"), id("iss-none"), id("iss-full")];
    assert_eq!(reader.issues(&workspace, &wanted).await.unwrap(), [plain, full.clone()]);
    assert_eq!(reader.issue_heads(&workspace, Some(one)).await.unwrap(), [full.head]);
    assert_eq!(reader.issue_heads(&workspace, None).await.unwrap().len(), 2);
    let elsewhere = Name::new("other").unwrap();
    assert!(reader.issues(&elsewhere, &wanted).await.unwrap().is_empty());
    assert!(reader.issue_heads(&elsewhere, None).await.unwrap().is_empty());

    let code = async |command: CreateIssue| issues.run(&caller(), command).await.unwrap_err().code();
    assert_eq!(code(create("iss-full", two, new("again"))).await, ErrorCode::AlreadyExists);
    assert_eq!(code(create("iss-a", ExperimentId(99), new("a"))).await, ErrorCode::NotFound);
    let foreign = NewIssue { source_run: Some(run), ..new("a") };
    assert_eq!(code(create("iss-a", two, foreign)).await, ErrorCode::InvalidArgument);
    tracking.run(&caller(), DeleteExperiment { workspace, id: two }).await.unwrap();
    assert_eq!(code(create("iss-a", two, new("a"))).await, ErrorCode::WrongState);
});

both!(an_issue_changes_where_it_is_told_to, async |fresh: Fresh| {
    let ((issues, tracking), workspace) = (commands(&fresh), default_workspace());
    let one = experiment(&tracking, "one").await;
    let told = NewIssue {
        categories: vec!["cost".into()],
        last_seen_ms: Some(50),
        metadata: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into(),
        ..new("old")
    };
    let old = issues.run(&caller(), create("iss-x", one, told)).await.unwrap();
    let change = async |change: IssueChange| {
        let command = UpdateIssue::new(default_workspace(), id("iss-x"), change).unwrap();
        issues.run(&caller(), command).await.unwrap()
    };
    let same = change(IssueChange::default()).await;
    assert_eq!(
        (&same.head.name, &same.head.categories, &same.detail),
        (&old.head.name, &old.head.categories, &old.detail)
    );
    let earlier = change(IssueChange { last_seen_ms: Some(10), ..IssueChange::default() }).await;
    assert_eq!(earlier.head.last_seen_ms, 50);
    let changed = change(IssueChange {
        name: Some("new".into()),
        description: Some(String::new()),
        status: Some(IssueStatus::Resolved),
        severity: Some(IssueSeverity::Low),
        categories: Some(Vec::new()),
        last_seen_ms: Some(60),
        updated_by: Some("bob".into()),
        metadata: [("c".to_owned(), "3".to_owned())].into(),
        delete_metadata: vec!["a".into()],
    })
    .await;
    let keys: Vec<&str> = changed.detail.metadata.keys().map(String::as_str).collect();
    assert_eq!((keys, changed.head.last_seen_ms, changed.head.categories.len()), (vec!["b", "c"], 60, 0));
    let reader = &fresh.database.reader;
    assert_eq!(reader.issues(&workspace, &[id("iss-x")]).await.unwrap(), [changed]);

    let none = UpdateIssue::new(workspace, id("iss-none"), IssueChange::default()).unwrap();
    let refused = issues.run(&caller(), none).await.unwrap_err();
    assert_eq!(refused.to_string(), "Issue with ID 'iss-none' not found");
});

#[test]
fn what_is_too_long_is_refused() {
    let experiment = ExperimentId(1);
    let refused = |new: NewIssue| {
        CreateIssue::new(default_workspace(), id("iss-x"), experiment, new).unwrap_err().to_string()
    };
    for (new, text) in [
        (new(&"x".repeat(251)), "Issue name must contain 1 to 250 characters"),
        (NewIssue { last_seen_ms: Some(-1), ..new("a") }, "last_seen_timestamp must be nonnegative"),
        (NewIssue { categories: vec![String::new()], ..new("a") }, "categories must contain at most 100"),
        (NewIssue { created_by: Some("x".repeat(256)), ..new("a") }, "Invalid created_by"),
        (
            NewIssue { metadata: [("k".to_owned(), "x".repeat(65_537))].into(), ..new("a") },
            "metadata must be a string map",
        ),
        (NewIssue { description: "x".repeat(65_537), ..new("a") }, "'description' exceeds"),
        (NewIssue { root_causes: vec!["a\0".into()], ..new("a") }, ""),
    ] {
        let told = refused(new);
        assert!(told.starts_with(text), "{told}");
    }
    let both = IssueChange {
        metadata: [("k".to_owned(), "v".to_owned())].into(),
        delete_metadata: vec!["k".into()],
        ..IssueChange::default()
    };
    let error = UpdateIssue::new(default_workspace(), id("iss-x"), both).unwrap_err();
    assert_eq!(error.to_string(), "Cannot update and delete the same key");
}
