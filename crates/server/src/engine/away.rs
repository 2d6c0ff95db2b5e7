//! A store that is away before a step, and when the step reports its end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::id::PipelineRunId;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{MachineTime, ManualClock};
use mainstay_governance::policy::Mode;
use mainstay_pipelines::commands::{ClaimStep, StartRun};
use mainstay_pipelines::definition::{Parameters, Source};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::run::{Cause, CauseKind, RunState, StepOutput};
use mainstay_runner::{Spawner, SpawnerConfig};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{Engine, EngineOptions};
use mainstay_platform::clock::SystemEntropy;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};
use mainstay_platform::{Environment, Platform};
use mainstay_steps::{BuiltIn, Held, Prepared, StepError};

fn away() -> StorageError {
    StorageError::Unavailable("the database is locked".into())
}

/// How often a step asked for each of these; the first time each, the store is away.
#[derive(Clone, Default)]
struct Asked {
    prepared: Arc<AtomicU32>,
    concluded: Arc<AtomicU32>,
    applied: Arc<AtomicU32>,
}

/// Counts one more; whether it is the first.
fn is_first(count: &AtomicU32) -> bool {
    count.fetch_add(1, Ordering::SeqCst) == 0
}

#[async_trait]
impl BuiltIn for Asked {
    fn name(&self) -> &'static str {
        "asked"
    }

    fn check(&self, _: &Map<String, Value>) -> Result<(), String> {
        Ok(())
    }

    async fn prepare(&self, _: &Platform, _: &Held) -> Result<Prepared, StepError> {
        if is_first(&self.prepared) {
            return Err(StepError::of(away()));
        }
        Ok(Prepared::Done(Value::Null))
    }

    fn perform(&self, _: Value, _: &Path) -> Result<Value, StepError> {
        Ok(Value::Null)
    }

    async fn conclude(&self, _: &Platform, _: &Held, _: Value) -> Result<Box<dyn Effect>, StepError> {
        if is_first(&self.concluded) {
            return Err(StepError::of(away()));
        }
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Effect for Asked {
    async fn apply(&self, _: &mut Tx) -> Result<Conclusion, EffectError> {
        if is_first(&self.applied) {
            return Err(away().into());
        }
        Ok(Conclusion::Accepted(StepOutput::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_done_once_and_reported_when_the_store_is_back() {
    let data = tempfile::tempdir().unwrap();
    let environment = Environment {
        clock: Arc::new(ManualClock::starting_at(MachineTime::from_micros(1))),
        entropy: Arc::new(SystemEntropy),
        mode: Mode::Required,
        guard_events: true,
    };
    let platform = Arc::new(Platform::open(data.path(), None, environment).await.unwrap());
    // Nothing is spawned.
    let spawner = Spawner::start(SpawnerConfig { program: "cat".into(), args: Vec::new() }).unwrap();
    let asked = Asked::default();
    let steps = [Box::new(asked.clone()) as Box<dyn BuiltIn>].into_iter().collect();
    let engine = Engine::new(platform.clone(), Arc::new(spawner), steps, EngineOptions::default());

    let definition = Source::parse("stages: { a: { uses: asked } }").unwrap();
    let start = StartRun {
        workspace: default_workspace(),
        id: PipelineRunId::draw(&*platform.entropy),
        pipeline: "check".parse().unwrap(),
        definition: Arc::new(definition.resolve(&Parameters::default()).unwrap()),
        params: Map::new(),
        data_time: None,
        cause: Cause { kind: CauseKind::Manual, evidence: Value::Null },
        idempotency_key: None,
    };
    let system = Principal::system("test");
    let run = platform.pipelines.run(&system, start).await.unwrap().run;
    let claim =
        ClaimStep { workspace: default_workspace(), worker: "w".to_owned(), lease: Duration::from_mins(1) };
    let claim = platform.pipelines.run(&system, claim).await.unwrap().unwrap();
    let (_stop, stopping) = watch::channel(false);
    engine.execute(&default_workspace(), claim, &stopping).await;

    let state = platform.database.reader.run(&default_workspace(), run).await.unwrap().unwrap().state;
    assert_eq!(state, RunState::Succeeded);
    let counts =
        [&asked.prepared, &asked.concluded, &asked.applied].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts, [2, 2, 2], "none of them more than once after the store was back");
    platform.close().await;
}
