//! What becomes of a rollout when the step that carries it out fails, is stopped, is overtaken or forgets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::digest::Digest;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::id::{PipelineRunId, PredictionId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{DataTime, HOUR, MachineTime, ManualClock};
use mainstay_governance::policy::Mode;
use mainstay_pipelines::circumstances::Provenance;
use mainstay_pipelines::commands::{
    CancelRun, Claim, ClaimStep, ExpireDue, FailStep, ParkStep, StartRun, WakeRun,
};
use mainstay_pipelines::definition::{Parameters, Source, Work};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::run::{Cause, CauseKind, RunState};
use mainstay_serving::command::{ChangeEndpoint, CreateEndpoint, SetRevision, StartRollout};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::port::ServingStore as _;
use mainstay_serving::record::{ArmRole, ArmScore, PredictionRecord};
use mainstay_serving::revision::{Pinned, Revision, RevisionDraft};
use mainstay_serving::rollout::{Phase, Rollout, RolloutPlan};
use mainstay_serving::schema::{FeatureKind, FeatureSpec, InputSchema};
use mainstay_serving::value::FeatureValue;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::endpoint::Watched;
use mainstay_platform::clock::SystemEntropy;
use mainstay_platform::loop_tx::{ConcludeStep, Effect};
use mainstay_platform::{Environment, Platform};
use mainstay_steps::rollout::RollOut;
use mainstay_steps::{BuiltIn as _, Held, Prepared};

const LEASE: Duration = Duration::from_mins(1);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn pinned(version: u64) -> Pinned {
    Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
}

/// An hour of shadow, and then half of the requests for a while.
fn plan() -> RolloutPlan {
    let plan = json!({
        "shadow": { "micros": HOUR, "min_pairs": 1 },
        "steps": [{ "weight": 5_000, "bake": { "micros": 100 * HOUR, "min_pairs": 1 } }],
        "horizon_micros": HOUR,
        "max_data_time_micros": 200 * HOUR,
        "on_inconclusive": "rollback",
    });
    serde_json::from_value(plan).unwrap()
}

/// A platform with an endpoint that version 1 answers for.
struct Bench {
    platform: Platform,
    clock: Arc<ManualClock>,
    system: Principal,
    _data: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1)));
        let environment = Environment {
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            mode: Mode::Required,
            guard_events: true,
        };
        let platform = Platform::open(data.path(), None, environment).await.unwrap();
        let this = Self { platform, clock, system: Principal::system("test"), _data: data };
        let create = CreateEndpoint { workspace: default_workspace(), endpoint: endpoint(0) };
        this.platform.serving.run(&this.system, create).await.unwrap();
        let set = SetRevision {
            workspace: default_workspace(),
            endpoint: name("delays"),
            expected: 1,
            governed: false,
            draft: RevisionDraft::champion(pinned(1)),
        };
        this.platform.serving.run(&this.system, set).await.unwrap();
        this
    }

    /// Starts a run that rolls version 2 out, with another step beside.
    async fn start(&self, retries: u32) -> PipelineRunId {
        let text = json!({ "stages": {
            "release": {
                "uses": "rollout",
                "with": { "endpoint": "delays", "version": 2, "digest": pinned(2).digest, "plan": plan() },
                "retries": { "max": retries, "backoff": "10s" },
            },
            "zzz": { "cmd": "true" },
        }});
        let definition = Source::parse(&text.to_string()).unwrap().resolve(&Parameters::default()).unwrap();
        let start = StartRun {
            workspace: default_workspace(),
            id: PipelineRunId::draw(&*self.platform.entropy),
            pipeline: name("release"),
            definition: Arc::new(definition),
            params: Map::new(),
            data_time: None,
            cause: Cause { kind: CauseKind::Manual, evidence: Value::Null },
            idempotency_key: None,
        };
        self.platform.pipelines.run(&self.system, start).await.unwrap().run
    }

    /// Claims the step that rolls out.
    async fn claim(&self) -> Claim {
        let workspace = default_workspace();
        let expire = ExpireDue { workspace: workspace.clone(), limit: 100 };
        self.platform.pipelines.run(&self.system, expire).await.unwrap();
        loop {
            let claim = ClaimStep { workspace: workspace.clone(), worker: "w".to_owned(), lease: LEASE };
            let claim = self.platform.pipelines.run(&self.system, claim).await.unwrap().unwrap();
            if claim.step.name.as_str() == "release" {
                return claim;
            }
        }
    }

    /// What an execution of the step does to the record, or `None` if it waits on.
    async fn look(&self, claim: &Claim) -> Option<Box<dyn Effect>> {
        let stage = claim.definition.stages[&claim.step.name].at_run_time(&claim.values).unwrap();
        let Work::BuiltIn { with, .. } = stage.work else { panic!("the step is built in") };
        let held = Held {
            workspace: default_workspace(),
            claim: claim.clone(),
            with,
            directory: PathBuf::new(),
            root: PathBuf::new(),
        };
        match RollOut.prepare(&self.platform, &held).await.unwrap() {
            Prepared::Done(result) => Some(RollOut.conclude(&self.platform, &held, result).await.unwrap()),
            Prepared::Wait { until, memo } => {
                self.park(claim, until, memo).await;
                None
            }
            Prepared::Child(_) => panic!("it needs no child"),
        }
    }

    async fn park(&self, claim: &Claim, until: MachineTime, memo: Value) {
        let (run, step, token) = (claim.run.id, claim.step.name.clone(), claim.step.token);
        let park = ParkStep { workspace: default_workspace(), run, step, token, until, memo };
        self.platform.pipelines.run(&self.system, park).await.unwrap();
    }

    async fn conclude(&self, claim: &Claim, effect: Box<dyn Effect>) {
        let conclude = ConcludeStep {
            workspace: default_workspace(),
            run: claim.run.id,
            step: claim.step.name.clone(),
            token: claim.step.token,
            provenance: Provenance::default(),
            effect: effect.into(),
        };
        self.platform.looped.run(&self.system, conclude).await.unwrap();
    }

    /// Starts a run, and its rollout.
    async fn begin(&self, retries: u32) -> PipelineRunId {
        let run = self.start(retries).await;
        let claim = self.claim().await;
        let effect = self.look(&claim).await.unwrap();
        self.conclude(&claim, effect).await;
        assert_eq!(self.newest().await.state.phase, Phase::Shadow);
        run
    }

    /// The step again, before its time.
    async fn woken(&self, run: PipelineRunId) -> Claim {
        let wake = WakeRun { workspace: default_workspace(), run };
        assert_eq!(self.platform.pipelines.run(&self.system, wake).await.unwrap(), 1);
        self.claim().await
    }

    async fn fail(&self, claim: &Claim, retryable: bool) {
        let (run, step, token) = (claim.run.id, claim.step.name.clone(), claim.step.token);
        let (workspace, reason) = (default_workspace(), "it went wrong".to_owned());
        let fail = FailStep { workspace, run, step, token, reason, retryable, draw: 0.0 };
        self.platform.pipelines.run(&self.system, fail).await.unwrap();
    }

    async fn cancel(&self, run: PipelineRunId) {
        let cancel = CancelRun { workspace: default_workspace(), run, reason: "wrong data".to_owned() };
        self.platform.pipelines.run(&self.system, cancel).await.unwrap();
    }

    /// Somebody puts another definition of the endpoint.
    async fn change(&self) {
        let (definition, revision) = self.endpoint().await;
        let endpoint = endpoint(definition.day_offset_micros + HOUR);
        let change = ChangeEndpoint {
            workspace: default_workspace(),
            expected: revision.number,
            governed: false,
            endpoint,
        };
        self.platform.serving.run(&self.system, change).await.unwrap();
    }

    async fn endpoint(&self) -> (Endpoint, Revision) {
        let reader = &self.platform.database.reader;
        reader.endpoint(&default_workspace(), &name("delays")).await.unwrap().unwrap()
    }

    async fn newest(&self) -> Rollout {
        let (reader, page) = (&self.platform.database.reader, PageRequest::first(1));
        let page = reader.rollouts(&default_workspace(), &name("delays"), &page).await.unwrap();
        page.items.into_iter().next().unwrap()
    }

    async fn run_state(&self, run: PipelineRunId) -> RunState {
        self.platform.database.reader.run(&default_workspace(), run).await.unwrap().unwrap().state
    }

    /// The rollout is aborted, version 1 answers alone, and the record says why.
    async fn assert_aborted(&self, why: &str) {
        let rollout = self.newest().await;
        assert_eq!(rollout.state.phase, Phase::Aborted);
        let (_, revision) = self.endpoint().await;
        let arms: Vec<_> = revision.arms.iter().map(|arm| arm.pinned).collect();
        assert_eq!((arms, revision.rollout), (vec![pinned(1)], None));
        let events = self.platform.database.read(&EventQuery::after(EventSeq(0), 1_000)).await.unwrap();
        let aborted = events.iter().rfind(|event| event.kind == "rollout.aborted").unwrap();
        assert_eq!(aborted.body.as_ref().unwrap()["detail"]["reason"], why);
    }

    async fn watch(&self) -> Watched {
        let (endpoint, revision) = self.endpoint().await;
        let endpoint = (endpoint, revision.number);
        Watched::open(&self.platform, &default_workspace(), endpoint, None).await.unwrap()
    }
}

fn endpoint(day_offset_micros: i64) -> Endpoint {
    let hour = FeatureSpec { name: "hour".into(), kind: FeatureKind::Float, nullable: false, range: None };
    Endpoint {
        name: name("delays"),
        model: name("flights"),
        governed: false,
        features: None,
        day_offset_micros,
        schema: InputSchema::new(vec![hour]).unwrap(),
        labels: None,
        retraining: Vec::new(),
    }
}

/// A prediction that both versions scored, so many hours after the beginning of 1970.
fn record(revision: u64, hour: i64) -> PredictionRecord {
    let arm = |version, role| ArmScore { version, role, latency_micros: 9, outcome: Ok(vec![0.4]) };
    PredictionRecord {
        id: PredictionId::from_bytes(i128::from(hour).to_be_bytes()),
        endpoint: name("delays"),
        revision,
        at: DataTime::from_micros(hour * HOUR),
        received: MachineTime::from_micros(1),
        sticky_key: None,
        entity_keys: Vec::new(),
        features: vec![FeatureValue::Float(0.5)],
        reads: Vec::new(),
        arms: vec![arm(1, ArmRole::Champion), arm(2, ArmRole::Shadow)],
        assigned: 0,
        answered: Some(0),
        violations: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_takes_its_rollout_with_it() {
    let bench = Bench::new().await;
    let run = bench.begin(0).await;
    bench.cancel(run).await;
    bench.assert_aborted("its run was cancelled: wrong data").await;
    // The endpoint is free for another.
    bench.begin(0).await;
    bench.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_for_good_takes_its_rollout_with_it_and_a_retry_goes_on_with_it() {
    let bench = Bench::new().await;
    let run = bench.begin(1).await;
    let first = bench.woken(run).await;
    bench.fail(&first, true).await;
    let rollout = bench.newest().await;
    assert_eq!(rollout.state.phase, Phase::Shadow);
    bench.clock.advance(Duration::from_secs(10));
    let second = bench.claim().await;
    assert_eq!(second.step.attempt, 2);
    assert!(bench.look(&second).await.is_none(), "it waits on for the rollout that there is");
    let third = bench.woken(run).await;
    bench.fail(&third, false).await;
    assert_eq!(bench.run_state(run).await, RunState::Running, "the other step is open");
    bench.assert_aborted("step release of its run failed: it went wrong").await;
    bench.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_without_a_memo_goes_on_with_the_rollout_of_its_run() {
    let bench = Bench::new().await;
    let run = bench.begin(0).await;
    let known = bench.newest().await.id;
    let claim = bench.woken(run).await;
    bench.park(&claim, bench.platform.clock.now(), Value::Null).await;
    let claim = bench.claim().await;
    assert_eq!(claim.step.memo, Value::Null);
    assert!(bench.look(&claim).await.is_none());
    assert_eq!(bench.woken(run).await.step.memo, json!({ "rollout": known }));
    bench.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_overtaken_looks_again() {
    let bench = Bench::new().await;
    let run = bench.start(0).await;
    let claim = bench.claim().await;
    let late = bench.look(&claim).await.unwrap();
    bench.change().await;
    bench.conclude(&claim, late).await;
    let claim = bench.claim().await;
    let start = bench.look(&claim).await.unwrap();
    bench.conclude(&claim, start).await;
    assert_eq!(bench.newest().await.state.phase, Phase::Shadow);

    // The same between the evidence that demands a move, and the move.
    let mut watched = bench.watch().await;
    let (_, revision) = bench.endpoint().await;
    for hour in 0..4 {
        watched.observe(&bench.platform, record(revision.number, hour)).await.unwrap();
    }
    watched.decide(&bench.platform).await.unwrap();
    assert!(watched.is_deciding());
    let claim = bench.claim().await;
    let late = bench.look(&claim).await.unwrap();
    bench.change().await;
    bench.conclude(&claim, late).await;
    assert_eq!(bench.newest().await.state.phase, Phase::Shadow);
    let claim = bench.claim().await;
    let advance = bench.look(&claim).await.unwrap();
    bench.conclude(&claim, advance).await;
    assert_eq!(bench.newest().await.state.phase, Phase::Canary { step: 0 });
    assert_eq!(bench.run_state(run).await, RunState::Running);
    bench.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_whose_run_is_over_keeps_nobody_busy() {
    let bench = Bench::new().await;
    let run = bench.start(0).await;
    bench.cancel(run).await;
    let start = StartRollout {
        workspace: default_workspace(),
        endpoint: name("delays"),
        expected: 2,
        rollout: RolloutId::from_bytes([7; 16]),
        candidate: pinned(2),
        plan: plan(),
        watermark: DataTime::default(),
        run: Some(run),
    };
    bench.platform.serving.run(&bench.system, start).await.unwrap();
    let mut watched = bench.watch().await;
    for hour in 0..4 {
        watched.observe(&bench.platform, record(3, hour)).await.unwrap();
    }
    watched.decide(&bench.platform).await.unwrap();
    bench.assert_aborted("its run is over").await;
    watched.decide(&bench.platform).await.unwrap();
    assert!(!watched.is_deciding() && watched.keep().is_some());
    bench.platform.close().await;
}
