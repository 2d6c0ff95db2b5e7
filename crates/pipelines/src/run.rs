//! Runs of pipelines and their steps, as data.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::time::{DataTime, MachineTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::approval::Approval;
use crate::circumstances::Circumstances;
use crate::definition::{Definition, RuntimeValues, StepName};

macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in the store.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The state of that name.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// Where a run stands.
    RunState {
        /// Its concurrency group is full; it starts when its turn comes.
        Waiting = "waiting",
        /// Its steps are under way, or wait for people and timers.
        Running = "running",
        /// Every step ended, none failed.
        Succeeded = "succeeded",
        /// Every step ended, at least one failed.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Whether nothing follows.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

states! {
    /// Where a step stands.
    StepState {
        /// Steps that it needs have not ended.
        Pending = "pending",
        /// May be claimed, from `not_before` on.
        Ready = "ready",
        /// A worker holds its lease.
        Running = "running",
        /// For a person or a timer.
        Waiting = "waiting",
        /// Its one result stands.
        Accepted = "accepted",
        /// It failed for good.
        Failed = "failed",
        /// Its condition did not hold, or what it needs is not there.
        Skipped = "skipped",
        /// The run was stopped.
        Cancelled = "cancelled",
    }
}

impl StepState {
    /// Whether nothing follows.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Accepted | Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// `manual`, `cron`, `schedule` or `event`.
    pub kind: CauseKind,
    /// What it was seen from: an event's sequence number and kind, a firing, a request.
    pub evidence: Value,
}

states! {
    /// The kinds of cause.
    CauseKind {
        /// A person or a program asked.
        Manual = "manual",
        /// The machine's clock.
        Cron = "cron",
        /// The data's clock.
        Schedule = "schedule",
        /// A fact.
        Event = "event",
    }
}

/// One execution of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineRun {
    /// Its id.
    pub id: PipelineRunId,
    /// The pipeline's name.
    pub pipeline: Name,
    /// The digest of the definition that it runs.
    pub definition: Digest,
    /// The parameters that were given for it.
    pub params: Map<String, Value>,
    /// The data time as of which it works.
    pub data_time: Option<DataTime>,
    /// What started it.
    pub cause: Cause,
    /// Who started it.
    pub author: Actor,
    /// A second start with this key gives this run.
    pub idempotency_key: Option<String>,
    /// Its concurrency group.
    pub group: Option<String>,
    /// Where it stands.
    pub state: RunState,
    /// When it was asked for.
    pub created: MachineTime,
    /// When its first steps became ready.
    pub started: Option<MachineTime>,
    /// When it ended.
    pub finished: Option<MachineTime>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The run.
    pub run: PipelineRunId,
    /// Its name, unique in the run.
    pub name: StepName,
    /// Position within its group, if it has one.
    pub map_index: Option<u32>,
    /// Where it stands.
    pub state: StepState,
    /// Number of the present attempt, from 1; a failure that is retried counts it up.
    pub attempt: u32,
    /// Leases that ran out since the step last made progress.
    pub losses: u32,
    /// The fencing token: counted up by each claim, so that only the newest claimant's word counts.
    pub token: u64,
    /// The worker that holds, or last held, the lease.
    pub owner: Option<String>,
    /// While running: when the lease ends. While waiting: when the wait ends.
    pub deadline: Option<MachineTime>,
    /// While ready: not to be claimed earlier.
    pub not_before: MachineTime,
    /// While waiting for a person: for which decision.
    pub approval: Option<ApprovalId>,
    /// The digest that a person approved for this step.
    pub approved: Option<Digest>,
    /// What the step noted for its next execution when it parked itself.
    pub memo: Value,
    /// Why it failed, was skipped, or is retried.
    pub reason: Option<String>,
    /// When the present or last execution began.
    pub started: Option<MachineTime>,
    /// When it ended.
    pub ended: Option<MachineTime>,
}

impl Step {
    /// A step before anything happened.
    pub fn new(run: PipelineRunId, name: StepName, map_index: Option<u32>) -> Self {
        Self {
            run,
            name,
            map_index,
            state: StepState::Pending,
            attempt: 1,
            losses: 0,
            token: 0,
            owner: None,
            deadline: None,
            not_before: MachineTime::MIN,
            approval: None,
            approved: None,
            memo: Value::Null,
            reason: None,
            started: None,
            ended: None,
        }
    }

    /// Whether it put itself aside and waits for an instant, not for a person.
    pub fn is_parked(&self) -> bool {
        self.state == StepState::Waiting && self.approval.is_none()
    }

    /// What a command's environment carries as `STEP_IDEMPOTENCY_KEY`: equal for all executions of one
    /// attempt, so that an effect outside can tell a repetition from a new try.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.run, self.name, self.attempt)
    }
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepOutput {
    /// Facts for later steps and conditions; at most [`MAX_OUTPUT`] bytes of JSON.
    pub value: Value,
    /// The content-addressed artifacts that it left, by path or role.
    pub artifacts: BTreeMap<String, Digest>,
}

/// Most bytes of a step's output as JSON.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// The one accepted result of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token under which it was accepted; 0 for a step that nobody executed.
    pub token: u64,
    /// The attempt that gave it.
    pub attempt: u32,
    /// The key under which it may stand for an equal step.
    pub cache_key: Option<Digest>,
    /// The run that computed it, if it was taken over from there.
    pub reused_from: Option<PipelineRunId>,
    /// What it gave.
    pub output: StepOutput,
    /// What the step found where it ran; of results that are older than this field, and of steps that nobody
    /// executed, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circumstances: Option<Box<Circumstances>>,
    /// When it was accepted.
    pub at: MachineTime,
}

/// A run with its steps: what a transition reads and gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The run.
    pub run: PipelineRun,
    /// Its steps.
    pub steps: BTreeMap<StepName, Step>,
    /// The outputs of accepted steps, as far as conditions may ask for them.
    pub outputs: BTreeMap<StepName, StepOutput>,
}

impl Snapshot {
    /// A run that has not started.
    pub fn new(run: PipelineRun, definition: &Definition) -> Self {
        let steps = definition
            .stages
            .iter()
            .map(|(name, stage)| (name.clone(), Step::new(run.id, name.clone(), stage.map_index)))
            .collect();
        Self { run, steps, outputs: BTreeMap::new() }
    }

    /// What references are answered from.
    pub fn values(&self, definition: &Definition) -> RuntimeValues {
        let ended = self.steps.values().filter(|step| step.state.is_over());
        let steps = ended.map(|step| {
            let output = self.outputs.get(&step.name).map_or(Value::Null, |output| output.value.clone());
            (step.name.as_str().to_owned(), with_outcome(output, step.state))
        });
        RuntimeValues::new(steps.collect(), definition.params.clone(), run_values(&self.run))
    }
}

fn with_outcome(output: Value, state: StepState) -> Value {
    let mut map = match output {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    map.insert("outcome".to_owned(), Value::from(state.as_str()));
    Value::Object(map)
}

fn run_values(run: &PipelineRun) -> Map<String, Value> {
    let values = json!({
        "id": run.id,
        "pipeline": run.pipeline,
        "data_time": run.data_time.map(|at| at.to_string()),
        "cause": run.cause,
        "author": run.author,
    });
    if let Value::Object(map) = values { map } else { Map::new() }
}

/// Something that a transition established. Each becomes an entry of the step ledger; those that say
/// what the run did, and not only how, become events as well.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The run waits for its turn.
    RunQueued,
    /// The run started.
    RunStarted,
    /// The run ended.
    RunFinished(RunState, Option<String>),
    /// A step may be claimed from an instant on.
    Ready(StepName, MachineTime),
    /// A worker holds a step's lease.
    Claimed(Step),
    /// A step's result stands.
    Accepted(StepResult),
    /// An attempt failed; it is retried at an instant, or not at all.
    Failed(Step, Option<MachineTime>),
    /// A lease ran out; the step runs again under a new token.
    LeaseLost(Step),
    /// A step put itself aside until an instant.
    Parked(StepName, MachineTime),
    /// A step will not run, and why.
    Skipped(StepName, String),
    /// A step was stopped with its run.
    Cancelled(StepName),
    /// A person is asked.
    ApprovalRequested(Approval),
    /// A person decided, or the request expired or was withdrawn.
    ApprovalSettled(Approval),
}
