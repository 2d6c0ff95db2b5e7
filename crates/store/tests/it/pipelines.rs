//! The suite of the pipeline domain, on both databases.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Command, Commands};
use mainstay_core::event::{Event, EventSeq};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_core::time::MachineTime;
use mainstay_pipelines::commands::{DefinePipeline, FireSchedule, StartRun};
use mainstay_pipelines::conformance::{Bench, CHECKS, Everybody};
use mainstay_pipelines::definition::{Parameters, Source};
use mainstay_pipelines::port::{PipelineReader as _, PipelineTx, RunFilter};
use mainstay_pipelines::refusal::PipelineError;
use mainstay_pipelines::trigger::{cron_cause, schedule_name};
use mainstay_store::Database;

use crate::both;
use crate::databases::Fresh;

/// A bench in a workspace of its own; checks share the database and its clock.
pub(crate) fn bench(fresh: &Fresh, number: u64) -> Bench {
    Bench {
        commands: Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(Everybody)),
        reader: Arc::new(fresh.database.reader.clone()),
        clock: fresh.clock.clone(),
        workspace: Name::new(format!("check-{number}")).unwrap(),
        next_id: AtomicU64::new(number * 1_000),
    }
}

both!(the_store_of_pipelines_passes_its_suite, async |fresh: Fresh| {
    let mut failed = Vec::new();
    for (number, check) in (1..).zip(CHECKS) {
        if let Err(error) = (check.run)(bench(&fresh, number)).await {
            failed.push(format!("{}: {error}", check.name));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    let state = fresh.database.reader.check_state().await.unwrap();
    assert!(state.is_good(), "{state:#?}");
});

const TEXT: &str = "stages: {only: {cmd: 'true'}}\non: {cron: '* * * * *'}\n";

fn commands(database: &Database) -> Commands<dyn PipelineTx> {
    Commands::new(Arc::new(database.writer.clone()), Arc::new(Everybody))
}

/// What a server does that sees an instant of the first trigger due.
fn fire(id: u8, at_micros: i64) -> FireSchedule {
    let (name, at) = (Name::new("minutely").unwrap(), MachineTime::from_micros(at_micros));
    let definition = Source::parse(TEXT).unwrap().resolve(&Parameters::default()).unwrap();
    let start = StartRun {
        workspace: default_workspace(),
        id: PipelineRunId::from_bytes([id; 16]),
        pipeline: name.clone(),
        definition: Arc::new(definition),
        params: serde_json::Map::new(),
        data_time: None,
        cause: cron_cause(at, 1, 0),
        idempotency_key: None,
    };
    FireSchedule { schedule: schedule_name(&name, 1, 0), at_micros, revision: Some(1), start }
}

both!(two_servers_on_one_database_fire_an_instant_once, async |fresh: Fresh| {
    let other = fresh.reopen().await;
    let (here, there) = (commands(&fresh.database), commands(&other));
    let system = Principal::system("triggers");
    let define =
        DefinePipeline::new(default_workspace(), Name::new("minutely").unwrap(), TEXT.to_owned(), &["train"])
            .unwrap();
    here.run(&system, define).await.unwrap();
    for round in 0..20 {
        let at = i64::from(round) * 60_000_000;
        let (one, two) =
            tokio::join!(here.run(&system, fire(2 * round, at)), there.run(&system, fire(2 * round + 1, at)));
        let fired = [one.unwrap(), two.unwrap()];
        assert_eq!(fired.iter().flatten().count(), 1, "{fired:?}");
    }
    let (workspace, page) = (default_workspace(), PageRequest::first(100));
    let runs = fresh.database.reader.runs(&workspace, &RunFilter::default(), &page).await.unwrap();
    assert_eq!(runs.items.len(), 20);
    other.close().await;
});

/// Records a fact as a step of a run, or as nobody's.
struct Note(Option<PipelineRunId>);

#[async_trait]
impl Command for Note {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        Scope::new(default_workspace(), Subject::new(ResourceKind::Server, "test"))
    }

    fn run(&self) -> Option<PipelineRunId> {
        self.0
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        tx.record(Event::new("server.noted", self.scope().subject, serde_json::json!({})));
        Ok(())
    }
}

both!(an_event_tells_the_run_whose_step_recorded_it, async |fresh: Fresh| {
    let (commands, system) = (commands(&fresh.database), Principal::system("engine"));
    let run = PipelineRunId::from_bytes([7; 16]);
    for of in [None, Some(run), None] {
        commands.run(&system, Note(of)).await.unwrap();
    }
    let reader = &fresh.database.reader;
    let mut runs = Vec::new();
    for seq in 1..=3 {
        runs.push(reader.run_behind(EventSeq(seq)).await.unwrap());
    }
    assert_eq!(runs, [None, Some(run), None]);
});
