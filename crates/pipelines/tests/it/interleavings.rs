//! Random interleavings of workers over random pipelines: the promises of the state machine.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_core::digest::Digest;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::circumstances::Provenance;
use mainstay_pipelines::definition::{Definition, Parameters, Source, StepName};
use mainstay_pipelines::refusal::Refusal;
use mainstay_pipelines::run::{
    Cause, CauseKind, Fact, PipelineRun, RunState, Snapshot, StepOutput, StepResult, StepState,
};
use mainstay_pipelines::transition::{Input, transition};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const LEASE: Duration = Duration::from_secs(30);

/// One thing that a worker, the clock or a person does. Numbers are taken modulo what is there.
#[derive(Debug, Clone)]
enum Act {
    Claim(usize),
    Heartbeat(usize),
    Accept(usize),
    Fail(usize, bool),
    Park(usize, u32),
    Wait(u32),
    Expire(usize),
    Cancel,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..99_usize).prop_map(Act::Claim),
        2 => (0..99_usize).prop_map(Act::Heartbeat),
        6 => (0..99_usize).prop_map(Act::Accept),
        2 => (0..99_usize, any::<bool>()).prop_map(|(n, again)| Act::Fail(n, again)),
        1 => (0..99_usize, 0..40_u32).prop_map(|(n, s)| Act::Park(n, s)),
        4 => (1..40_u32).prop_map(Act::Wait),
        5 => (0..99_usize).prop_map(Act::Expire),
        1 => Just(Act::Cancel),
    ]
}

/// Up to seven steps; step j may need any earlier one; some only run on a condition.
fn pipeline() -> impl Strategy<Value = Definition> {
    prop::collection::vec((any::<u8>(), 0..3_u32, 0..8_u8), 1..7).prop_map(|shape| {
        let mut stages = Map::new();
        for (j, (edges, retries, kind)) in shape.into_iter().enumerate() {
            let needs: Vec<String> =
                (0..j).filter(|i| edges >> i & 1 == 1).map(|i| format!("s{i}")).collect();
            let mut stage =
                json!({ "cmd": "true", "needs": needs, "retries": { "max": retries, "backoff": "5s" } });
            if kind == 0 && j > 0 {
                stage["if"] = json!("steps.s0.outcome == 'accepted'");
            }
            if kind == 1 {
                stage["frozen"] = json!(true);
            }
            stages.insert(format!("s{j}"), stage);
        }
        let text = json!({ "stages": stages }).to_string();
        Source::parse(&text).unwrap().resolve(&Parameters::default()).unwrap()
    })
}

struct World {
    definition: Definition,
    snapshot: Snapshot,
    now: MachineTime,
    /// Every claim ever made, in order: workers never forget, so stale ones keep trying.
    claims: Vec<(StepName, u64)>,
    results: BTreeMap<StepName, StepResult>,
}

impl World {
    fn new(definition: Definition) -> Self {
        let run = PipelineRun {
            id: PipelineRunId::from_bytes([1; 16]),
            pipeline: Name::new("p").unwrap(),
            definition: definition.digest(),
            params: Map::new(),
            data_time: None,
            cause: Cause { kind: CauseKind::Manual, evidence: Value::Null },
            author: Actor::local(),
            idempotency_key: None,
            group: None,
            state: RunState::Waiting,
            created: MachineTime::from_micros(0),
            started: None,
            finished: None,
        };
        let snapshot = Snapshot::new(run, &definition);
        let now = MachineTime::from_micros(0);
        let mut world = Self { definition, snapshot, now, claims: Vec::new(), results: BTreeMap::new() };
        world.feed(Input::Start).unwrap();
        world
    }

    /// Applies an input and checks everything that must hold afterwards.
    fn feed(&mut self, input: Input) -> Result<(), Refusal> {
        let before = self.snapshot.clone();
        let outcome = transition(&self.definition, self.snapshot.clone(), input, self.now)?;
        for fact in &outcome.facts {
            if let Fact::Accepted(result) = fact {
                let earlier = self.results.insert(result.step.clone(), result.clone());
                assert_eq!(earlier, None, "{} was accepted twice", result.step);
                assert_eq!(result.token, before.steps[&result.step].token, "not the newest token");
            }
        }
        for (name, step) in &outcome.snapshot.steps {
            let old = &before.steps[name];
            assert!(step == old || outcome.touched.contains(name), "{name} changed without being named");
            assert!(!old.state.is_over() || step == old, "{name} changed after its end");
            assert!(step.token == old.token || step.token == old.token + 1);
            let stage = &self.definition.stages[name];
            let ended = |need: &StepName| outcome.snapshot.steps[need].state.is_over();
            let accepted = |need: &StepName| outcome.snapshot.steps[need].state == StepState::Accepted;
            match step.state {
                StepState::Pending | StepState::Cancelled => {}
                StepState::Skipped | StepState::Failed => assert!(stage.needs.iter().all(ended)),
                StepState::Ready | StepState::Running | StepState::Waiting | StepState::Accepted => {
                    assert!(stage.needs.iter().all(ended), "{name} left pending too early");
                    assert!(stage.condition.is_some() || stage.needs.iter().all(accepted));
                }
            }
            let timed = matches!(step.state, StepState::Running | StepState::Waiting);
            assert_eq!(step.deadline.is_some(), timed, "{name} has a deadline while running or waiting only");
        }
        let over = outcome.snapshot.steps.values().all(|step| step.state.is_over());
        assert_eq!(over, outcome.snapshot.run.state.is_over());
        self.snapshot = outcome.snapshot;
        Ok(())
    }

    fn names(&self) -> Vec<StepName> {
        self.snapshot.steps.keys().cloned().collect()
    }

    fn some_claim(&self, n: usize) -> Option<(StepName, u64)> {
        self.claims.get(n.checked_rem(self.claims.len())?).cloned()
    }

    fn act(&mut self, act: &Act) {
        let held = |this: &Self, (step, token): &(StepName, u64)| {
            let step = &this.snapshot.steps[step];
            step.token == *token && step.state == StepState::Running
        };
        match act {
            Act::Claim(n) => {
                let names = self.names();
                let step = names[n % names.len()].clone();
                let ready = {
                    let step = &self.snapshot.steps[&step];
                    step.state == StepState::Ready && step.not_before <= self.now
                };
                let worker = format!("w{n}");
                let claimed = self.feed(Input::Claim { step: step.clone(), worker, lease: LEASE }).is_ok();
                assert_eq!(claimed, ready && !self.snapshot.run.state.is_over());
                if claimed {
                    self.claims.push((step.clone(), self.snapshot.steps[&step].token));
                }
            }
            Act::Heartbeat(n) => {
                let Some(claim) = self.some_claim(*n) else { return };
                let holds = held(self, &claim);
                let beat = Input::Heartbeat { step: claim.0, token: claim.1, lease: LEASE };
                assert_eq!(self.feed(beat).is_ok(), holds);
            }
            Act::Accept(n) => {
                let Some(claim) = self.some_claim(*n) else { return };
                let holds = held(self, &claim);
                assert_eq!(self.accept(claim).is_ok(), holds, "exactly the newest holder is heard");
            }
            Act::Fail(n, retryable) => {
                let Some(claim) = self.some_claim(*n) else { return };
                let holds = held(self, &claim);
                let reason = "no".to_owned();
                let fail =
                    Input::Fail { step: claim.0, token: claim.1, reason, retryable: *retryable, draw: 0.5 };
                assert_eq!(self.feed(fail).is_ok(), holds);
            }
            Act::Park(n, seconds) => {
                let Some(claim) = self.some_claim(*n) else { return };
                let holds = held(self, &claim);
                let until = self.now.after(Duration::from_secs(u64::from(*seconds)));
                let park = Input::Park { step: claim.0, token: claim.1, until, memo: Value::Null };
                assert_eq!(self.feed(park).is_ok(), holds);
            }
            Act::Wait(seconds) => self.now = self.now.after(Duration::from_secs(u64::from(*seconds))),
            Act::Expire(n) => {
                let names = self.names();
                let step = names[n % names.len()].clone();
                let due = self.snapshot.steps[&step].deadline.is_some_and(|at| at <= self.now);
                assert_eq!(self.feed(Input::Expire { step }).is_ok(), due);
            }
            Act::Cancel => drop(self.feed(Input::Cancel { reason: "enough".to_owned() })),
        }
    }

    fn accept(&mut self, (step, token): (StepName, u64)) -> Result<(), Refusal> {
        let output = StepOutput { value: json!({ "by": token }), ..StepOutput::default() };
        self.feed(Input::Accept { step, token, output, provenance: Provenance::default() })
    }

    /// Works everything off; the run must come to its end.
    fn drain(&mut self) {
        for _ in 0..200 {
            if self.snapshot.run.state.is_over() {
                return;
            }
            self.now = self.now.after(Duration::from_secs(3_700));
            for step in self.names() {
                let _ = self.feed(Input::Expire { step: step.clone() });
                let claim = Input::Claim { step: step.clone(), worker: "w".to_owned(), lease: LEASE };
                if self.feed(claim).is_ok() {
                    let token = self.snapshot.steps[&step].token;
                    self.accept((step, token)).unwrap();
                }
            }
        }
        panic!("the run never ended: {:?}", self.snapshot);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold(definition in pipeline(), acts in prop::collection::vec(act(), 0..120)) {
        let mut world = World::new(definition);
        for act in &acts {
            world.act(act);
        }
        world.drain();
        for (name, step) in &world.snapshot.steps {
            prop_assert_eq!(world.results.contains_key(name), step.state == StepState::Accepted);
        }
        let failed = world.snapshot.steps.values().any(|step| step.state == StepState::Failed);
        match world.snapshot.run.state {
            RunState::Succeeded => prop_assert!(!failed),
            RunState::Failed => prop_assert!(failed),
            state => prop_assert_eq!(state, RunState::Cancelled),
        }
    }
}

#[test]
fn a_step_that_always_loses_its_lease_is_given_up() {
    let text = "stages: {s: {cmd: 'true'}}";
    let mut world = World::new(Source::parse(text).unwrap().resolve(&Parameters::default()).unwrap());
    let step = StepName::new("s").unwrap();
    for _ in 0..=mainstay_pipelines::transition::MAX_LOSSES {
        world.feed(Input::Claim { step: step.clone(), worker: "w".to_owned(), lease: LEASE }).unwrap();
        world.now = world.now.after(LEASE);
        world.feed(Input::Expire { step: step.clone() }).unwrap();
    }
    assert_eq!(world.snapshot.steps[&step].state, StepState::Failed);
    assert_eq!(world.snapshot.run.state, RunState::Failed);
}

#[test]
fn an_output_that_is_too_large_is_refused() {
    let text = "stages: {s: {cmd: 'true'}}";
    let mut world = World::new(Source::parse(text).unwrap().resolve(&Parameters::default()).unwrap());
    let step = StepName::new("s").unwrap();
    world.feed(Input::Claim { step: step.clone(), worker: "w".to_owned(), lease: LEASE }).unwrap();
    let output = StepOutput {
        value: json!("x".repeat(70_000)),
        artifacts: [("a".to_owned(), Digest::of(b""))].into(),
    };
    let input = Input::Accept { step: step.clone(), token: 1, output, provenance: Provenance::default() };
    assert_eq!(world.feed(input), Err(Refusal::OutputTooLarge(step)));
}
