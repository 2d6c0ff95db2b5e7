//! Retention rules: kept, listed, and what they find.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::Commands;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{Clock as _, DAY, MachineTime};
use mainstay_retention::port::{RuleReader as _, RuleTx};
use mainstay_retention::rule::command::{DeleteRule, NoteApplied, SaveRule};
use mainstay_retention::rule::{RuleKind, Terms};
use mainstay_retention::survey::{Wanted, survey};
use mainstay_tracking::command::{
    ArtifactLocation, CreateExperiment, CreateRun, DeleteExperiment, DeleteRun, UpdateRun,
};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::port::TrackingTx;
use mainstay_tracking::run::RunStatus;
use mainstay_tracking::text::{Overlong, Pair};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn caller() -> Principal {
    Principal::system("test")
}

fn tracking(fresh: &Fresh) -> Commands<dyn TrackingTx> {
    Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll))
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

/// A rule, for whoever compares tables with the record.
pub(crate) async fn some(fresh: &Fresh) {
    let commands: Commands<dyn RuleTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    commands.run(&caller(), save(30)).await.unwrap();
}

fn save(days: u32) -> SaveRule {
    SaveRule {
        workspace: default_workspace(),
        name: Name::new("old-runs").unwrap(),
        kind: RuleKind::Runs,
        experiment: Some(ExperimentId(1)),
        terms: older(days),
    }
}

/// A run that ended on a day since the epoch; one that goes on, if there is none.
async fn run(
    tracking: &Commands<dyn TrackingTx>,
    experiment: ExperimentId,
    n: u8,
    ended: Option<i64>,
) -> RunId {
    let id = RunId::from_bytes([n; 16]);
    let create = CreateRun {
        workspace: default_workspace(),
        id,
        experiment,
        name: format!("run-{n}"),
        user: String::new(),
        start_ms: 0,
        tags: vec![Pair::tag("n", n.to_string(), Overlong::Refuse).unwrap()],
    };
    tracking.run(&caller(), create).await.unwrap();
    if let Some(day) = ended {
        let end_ms = Some(MachineTime::from_micros(day * DAY).millis());
        let status = Some(RunStatus::Finished);
        let update = UpdateRun { workspace: default_workspace(), id, status, end_ms, name: None };
        tracking.run(&caller(), update).await.unwrap();
    }
    id
}

/// The first bytes of what would go.
async fn found(
    fresh: &Fresh,
    kind: RuleKind,
    experiment: Option<ExperimentId>,
    terms: Terms,
) -> BTreeSet<String> {
    let wanted = Wanted { kind, experiment, terms };
    let reader = &fresh.database.reader;
    let survey = survey(reader, &default_workspace(), &wanted, fresh.clock.now(), 100).await.unwrap();
    assert!(survey.held.is_empty() && !survey.has_more);
    survey.takes.into_iter().map(|(found, _)| found.target.id.chars().take(2).collect()).collect()
}

fn set<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.into_iter().map(str::to_owned).collect()
}

fn older(days: u32) -> Terms {
    Terms { older_than_days: Some(days), ..Terms::default() }
}

both!(runs_are_found_by_age_number_and_tags, async |fresh: Fresh| {
    let commands = tracking(&fresh);
    let (first, second) = (experiment(&commands, "a").await, experiment(&commands, "b").await);
    for (n, day) in [(1, 10), (2, 20), (3, 30), (4, 90)] {
        run(&commands, first, n, Some(day)).await;
    }
    run(&commands, first, 5, None).await;
    run(&commands, second, 6, Some(10)).await;
    fresh.clock.advance(Duration::from_hours(24 * 100));
    assert_eq!(found(&fresh, RuleKind::Runs, None, older(75)).await, set(["01", "02", "06"]));
    assert_eq!(found(&fresh, RuleKind::Runs, Some(first), older(75)).await, set(["01", "02"]));
    // The one that goes on is the newest, so it and another are kept.
    let last = Terms { keep_last: Some(2), ..Terms::default() };
    assert_eq!(found(&fresh, RuleKind::Runs, None, last.clone()).await, set(["01", "02", "03"]));
    let both = Terms { older_than_days: Some(75), ..last };
    assert_eq!(found(&fresh, RuleKind::Runs, None, both).await, set(["01", "02"]));
    let tagged = Terms { keep_tagged: vec!["n=2".to_owned()], ..older(75) };
    assert_eq!(found(&fresh, RuleKind::Runs, None, tagged).await, set(["01", "06"]));
    assert_eq!(found(&fresh, RuleKind::RunArtifacts, None, older(75)).await, set(["01", "02", "06"]));
    assert!(found(&fresh, RuleKind::LoggedModels, None, older(1)).await.is_empty());
    assert!(found(&fresh, RuleKind::Traces, None, older(1)).await.is_empty());
});

both!(what_is_deleted_is_found_by_when_it_was, async |fresh: Fresh| {
    let commands = tracking(&fresh);
    let (first, second) = (experiment(&commands, "a").await, experiment(&commands, "b").await);
    let early = run(&commands, first, 1, None).await;
    let late = run(&commands, first, 2, Some(1)).await;
    run(&commands, first, 3, Some(1)).await;
    run(&commands, second, 4, Some(1)).await;
    let delete = async |id| {
        commands.run(&caller(), DeleteRun { workspace: default_workspace(), id }).await.unwrap();
    };
    delete(early).await;
    fresh.clock.advance(Duration::from_hours(24 * 10));
    delete(late).await;
    let gone = DeleteExperiment { workspace: default_workspace(), id: second };
    commands.run(&caller(), gone).await.unwrap();
    fresh.clock.advance(Duration::from_hours(24 * 5));
    let deleted = |days| Terms { deleted_for_days: Some(days), ..Terms::default() };
    assert_eq!(found(&fresh, RuleKind::Runs, None, deleted(1)).await, set(["01", "02", "04"]));
    assert_eq!(found(&fresh, RuleKind::Runs, None, deleted(7)).await, set(["01"]), "by its own deletion");
    assert_eq!(found(&fresh, RuleKind::Runs, None, deleted(16)).await, set([]));
    assert_eq!(found(&fresh, RuleKind::Experiments, None, deleted(1)).await, set([&*second.to_string()]));
    assert_eq!(found(&fresh, RuleKind::Experiments, None, deleted(7)).await, set([]));
});

both!(rules_are_kept_by_name_and_follow_from_the_record, async |fresh: Fresh| {
    let commands: Commands<dyn RuleTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let (workspace, name) = (default_workspace(), Name::new("old-runs").unwrap());
    commands.run(&caller(), save(30)).await.unwrap();
    let rule = commands.run(&caller(), save(60)).await.unwrap();
    assert!(commands.run(&caller(), save(0)).await.is_err());
    let reader = &fresh.database.reader;
    let kept = reader.rules(&workspace).await.unwrap();
    assert_eq!((kept.len(), &kept[0].rule, kept[0].applied), (1, &rule, None));
    let note = NoteApplied { workspace: workspace.clone(), name: name.clone() };
    commands.run(&caller(), note).await.unwrap();
    assert_eq!(reader.all_rules().await.unwrap()[0].1.applied, Some(fresh.clock.now()));
    assert!(reader.check_state().await.unwrap().is_good());
    let delete = || DeleteRule { workspace: default_workspace(), name: Name::new("old-runs").unwrap() };
    commands.run(&caller(), delete()).await.unwrap();
    assert!(commands.run(&caller(), delete()).await.is_err());
    assert!(reader.rules(&workspace).await.unwrap().is_empty());
    assert!(reader.check_state().await.unwrap().is_good());
});
