//! The state machine of a run: pure, total, the same for every store.
//!
//! What holds at every moment (and is tested over random interleavings of workers in
//! `tests/it/interleavings.rs`):
//! - a step has at most one accepted result, and it never changes;
//! - no step leaves `pending` before all that it needs have ended;
//! - only the newest claimant's token is listened to.

mod input;

use std::collections::{BTreeSet, VecDeque};

use mainstay_core::digest::Digest;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::time::MachineTime;
use serde_json::{Value, json};

use crate::approval::{Approval, ApprovalState};
use crate::circumstances::Provenance;
use crate::definition::{Approve, Definition, OnTimeout, Retries, Stage, StepName, Work};
use crate::refusal::Refusal;
use crate::run::{Fact, MAX_OUTPUT, RunState, Snapshot, Step, StepOutput, StepResult, StepState};

pub use input::Input;

/// Leases that may run out in a row before a step is given up: its execution probably takes the server
/// down each time.
pub const MAX_LOSSES: u32 = 64;

/// What a transition gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The run afterwards.
    pub snapshot: Snapshot,
    /// The steps that differ from before.
    pub touched: BTreeSet<StepName>,
    /// What was established, in order.
    pub facts: Vec<Fact>,
}

/// Applies one input at an instant of machine time.
pub fn transition(
    definition: &Definition,
    snapshot: Snapshot,
    input: Input,
    now: MachineTime,
) -> Result<Outcome, Refusal> {
    let mut machine = Machine {
        definition,
        outcome: Outcome { snapshot, touched: BTreeSet::new(), facts: Vec::new() },
        now,
    };
    machine.apply(input)?;
    Ok(machine.outcome)
}

struct Machine<'d> {
    definition: &'d Definition,
    outcome: Outcome,
    now: MachineTime,
}

impl Machine<'_> {
    fn apply(&mut self, input: Input) -> Result<(), Refusal> {
        let state = self.outcome.snapshot.run.state;
        let fits = match &input {
            Input::Start => state == RunState::Waiting,
            Input::Cancel { .. } => !state.is_over(),
            // Whoever shows a token is told about the token rather than about the run.
            Input::Heartbeat { .. }
            | Input::Accept { .. }
            | Input::Fail { .. }
            | Input::Park { .. }
            | Input::RequestApproval { .. } => true,
            Input::Claim { .. }
            | Input::Settle(_)
            | Input::Expire { .. }
            | Input::Abandoned { .. }
            | Input::Wake { .. } => state == RunState::Running,
        };
        if !fits {
            return Err(Refusal::RunState(state));
        }
        match input {
            Input::Start => self.start(),
            Input::Claim { step, worker, lease } => {
                let claimed = self.step(&step)?.claimed(&worker, lease, self.now)?;
                self.outcome.facts.push(Fact::Claimed(claimed.clone()));
                self.put(claimed);
            }
            Input::Heartbeat { step, token, lease } => {
                let renewed = self.step(&step)?.renewed(token, lease, self.now)?;
                self.put(renewed);
            }
            Input::Accept { step, token, output, provenance } => {
                let held = match self.held(&step, token) {
                    Err(Refusal::StepState { state: StepState::Accepted, .. })
                        if is_planted(Fault::DoubleAccept) =>
                    {
                        self.step(&step)?.clone()
                    }
                    held => held?,
                };
                if output_size(&output) > MAX_OUTPUT {
                    return Err(Refusal::OutputTooLarge(step));
                }
                self.accept(held, output, provenance);
                self.advance([step]);
            }
            Input::Fail { step, token, reason, retryable, draw } => {
                let held = self.held(&step, token)?;
                self.fail(held, reason, retryable, draw);
                self.advance([step]);
            }
            Input::Park { step, token, until, memo } => {
                let held = self.held(&step, token)?;
                self.outcome.facts.push(Fact::Parked(step, until));
                self.put(Step { state: StepState::Waiting, deadline: Some(until), memo, losses: 0, ..held });
            }
            Input::RequestApproval { step, token, digest, terms, memo } => {
                let held = self.held(&step, token)?;
                self.ask(Step { memo, losses: 0, ..held }, digest, &terms);
            }
            Input::Settle(approval) => self.settle(&approval)?,
            Input::Expire { step } => self.expire(&step)?,
            Input::Abandoned { step } => self.lose(&step)?,
            Input::Wake { step } => self.wake(&step)?,
            Input::Cancel { reason } => self.cancel(reason),
        }
        Ok(())
    }

    fn step(&self, name: &StepName) -> Result<&Step, Refusal> {
        self.outcome.snapshot.steps.get(name).ok_or_else(|| Refusal::NoSuchStep(name.to_string()))
    }

    fn held(&self, name: &StepName, token: u64) -> Result<Step, Refusal> {
        let step = self.step(name)?;
        step.held_under(token)?;
        Ok(step.clone())
    }

    fn put(&mut self, step: Step) {
        self.outcome.touched.insert(step.name.clone());
        self.outcome.snapshot.steps.insert(step.name.clone(), step);
    }

    fn start(&mut self) {
        self.outcome.snapshot.run.state = RunState::Running;
        self.outcome.snapshot.run.started = Some(self.now);
        self.outcome.facts.push(Fact::RunStarted);
        let roots: Vec<StepName> = self
            .definition
            .stages
            .iter()
            .filter(|(_, stage)| stage.needs.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        let mut ended = Vec::new();
        for name in roots {
            ended.extend(self.consider(&name));
        }
        self.advance(ended);
    }

    fn accept(&mut self, step: Step, output: StepOutput, provenance: Provenance) {
        let Provenance { cache_key, reused_from, circumstances } = provenance;
        let result = StepResult {
            run: step.run,
            step: step.name.clone(),
            token: step.token,
            attempt: step.attempt,
            cache_key,
            reused_from,
            output,
            circumstances,
            at: self.now,
        };
        self.outcome.snapshot.outputs.insert(step.name.clone(), result.output.clone());
        self.outcome.facts.push(Fact::Accepted(result));
        self.put(Step {
            state: StepState::Accepted,
            deadline: None,
            reason: None,
            ended: Some(self.now),
            ..step
        });
    }

    fn fail(&mut self, step: Step, reason: String, retryable: bool, draw: f64) {
        let retries = self.definition.stages.get(&step.name).map_or_else(Retries::default, |s| s.retries);
        let failed = Step { deadline: None, reason: Some(reason), ended: Some(self.now), ..step };
        if retryable && failed.attempt <= retries.max {
            let at = self.now.plus(retries.wait(failed.attempt, draw));
            self.outcome.facts.push(Fact::Failed(failed.clone(), Some(at)));
            let attempt = failed.attempt + 1;
            // What an attempt left itself is the next one's too: it began something that stands.
            self.put(Step { state: StepState::Ready, attempt, losses: 0, not_before: at, ..failed });
        } else {
            self.give_up(failed);
        }
    }

    /// Fails a step for good.
    fn give_up(&mut self, step: Step) {
        let failed = Step { state: StepState::Failed, deadline: None, ended: Some(self.now), ..step };
        self.outcome.facts.push(Fact::Failed(failed.clone(), None));
        self.put(failed);
    }

    fn skip(&mut self, step: Step, reason: String) {
        self.outcome.facts.push(Fact::Skipped(step.name.clone(), reason.clone()));
        let ended = Some(self.now);
        self.put(Step { state: StepState::Skipped, deadline: None, reason: Some(reason), ended, ..step });
    }

    fn ready(&mut self, step: Step, at: MachineTime) {
        self.outcome.facts.push(Fact::Ready(step.name.clone(), at));
        self.put(Step { state: StepState::Ready, deadline: None, not_before: at, ..step });
    }

    fn ask(&mut self, step: Step, digest: Digest, terms: &Approve) {
        let approval = Approval {
            id: Approval::id_for(step.run, &step.name, step.token),
            run: step.run,
            step: step.name.clone(),
            digest,
            by: terms.by.clone(),
            four_eyes: terms.four_eyes,
            author: self.outcome.snapshot.run.author.clone(),
            requested: self.now,
            expires: self.now.plus(terms.timeout.micros()),
            on_timeout: terms.on_timeout,
            state: ApprovalState::Pending,
            decided_by: None,
            decided_at: None,
            comment: None,
        };
        let waiting = Step {
            state: StepState::Waiting,
            deadline: Some(approval.expires),
            approval: Some(approval.id),
            ..step
        };
        self.put(waiting);
        self.outcome.facts.push(Fact::ApprovalRequested(approval));
    }

    fn settle(&mut self, approval: &Approval) -> Result<(), Refusal> {
        let step = self.step(&approval.step)?.clone();
        if step.state != StepState::Waiting || step.approval != Some(approval.id) {
            return Err(Refusal::StepState { step: step.name, state: step.state });
        }
        let name = step.name.clone();
        let step = Step { approval: None, ..step };
        let decider = approval.decided_by.as_ref().map_or("nobody", |actor| actor.as_str()).to_owned();
        self.outcome.facts.push(Fact::ApprovalSettled(approval.clone()));
        match (approval.state, approval.on_timeout) {
            (ApprovalState::Approved, _) => {
                let step = Step { approved: Some(approval.digest), ..step };
                let only_approval = |stage: &Stage| stage.work == Work::Nothing;
                if self.definition.stages.get(&name).is_some_and(only_approval) {
                    let value = json!({ "approved": approval.digest, "by": decider });
                    self.accept(step, StepOutput { value, ..StepOutput::default() }, Provenance::default());
                } else {
                    self.ready(step, self.now);
                }
            }
            (ApprovalState::Expired, OnTimeout::Skip) => self.skip(step, "nobody decided in time".to_owned()),
            (ApprovalState::Expired, OnTimeout::Reject) => {
                self.give_up(Step { reason: Some("nobody decided in time".to_owned()), ..step });
            }
            (ApprovalState::Rejected | ApprovalState::Withdrawn | ApprovalState::Pending, _) => {
                self.give_up(Step { reason: Some(format!("rejected by {decider}")), ..step });
            }
        }
        self.advance([name]);
        Ok(())
    }

    /// A passed deadline of a lease or a timer. An approval expires through [`Input::Settle`].
    fn expire(&mut self, name: &StepName) -> Result<(), Refusal> {
        let step = self.step(name)?.clone();
        if step.deadline.is_none_or(|deadline| deadline > self.now) {
            return Err(Refusal::TooEarly(step.name));
        }
        match step.state {
            StepState::Running => self.lose(name),
            StepState::Waiting => self.wake(name),
            state => Err(Refusal::StepState { step: step.name, state }),
        }
    }

    /// Takes a running step from a worker that is gone, or taken to be.
    fn lose(&mut self, name: &StepName) -> Result<(), Refusal> {
        let step = self.step(name)?.clone();
        if step.state != StepState::Running {
            return Err(Refusal::StepState { step: step.name, state: step.state });
        }
        let losses = step.losses + 1;
        self.outcome.facts.push(Fact::LeaseLost(step.clone()));
        if losses > MAX_LOSSES {
            let reason = format!("its lease ran out {losses} times in a row without progress");
            self.give_up(Step { losses, reason: Some(reason), ..step });
            self.advance([name.clone()]);
        } else {
            self.ready(Step { losses, ..step }, self.now);
        }
        Ok(())
    }

    fn wake(&mut self, name: &StepName) -> Result<(), Refusal> {
        let step = self.step(name)?.clone();
        if !step.is_parked() {
            return Err(Refusal::StepState { step: step.name, state: step.state });
        }
        self.ready(step, self.now);
        Ok(())
    }

    fn cancel(&mut self, reason: String) {
        let open: Vec<Step> =
            self.outcome.snapshot.steps.values().filter(|step| !step.state.is_over()).cloned().collect();
        for step in open {
            self.outcome.facts.push(Fact::Cancelled(step.name.clone()));
            let ended = Some(self.now);
            self.put(Step { state: StepState::Cancelled, deadline: None, approval: None, ended, ..step });
        }
        self.finish(RunState::Cancelled, Some(reason));
    }

    fn finish(&mut self, state: RunState, reason: Option<String>) {
        self.outcome.snapshot.run.state = state;
        self.outcome.snapshot.run.finished = Some(self.now);
        self.outcome.facts.push(Fact::RunFinished(state, reason));
    }

    /// Follows the consequences of steps that ended, and ends the run with its last step.
    fn advance(&mut self, ended: impl IntoIterator<Item = StepName>) {
        let mut queue: VecDeque<StepName> = ended.into_iter().collect();
        while let Some(name) = queue.pop_front() {
            let over = self.outcome.snapshot.steps.get(&name).is_some_and(|step| step.state.is_over());
            if over {
                let successors: Vec<StepName> = self.definition.successors(&name).cloned().collect();
                for successor in successors {
                    queue.extend(self.consider(&successor));
                }
            }
        }
        let steps = &self.outcome.snapshot.steps;
        if steps.values().all(|step| step.state.is_over()) {
            let failed = steps.values().any(|step| step.state == StepState::Failed);
            self.finish(if failed { RunState::Failed } else { RunState::Succeeded }, None);
        }
    }

    /// Decides what becomes of a pending step once all that it needs has ended. Gives its name if it
    /// ended at once.
    fn consider(&mut self, name: &StepName) -> Option<StepName> {
        let stage = self.definition.stages.get(name)?;
        let steps = &self.outcome.snapshot.steps;
        let step = steps.get(name).filter(|step| step.state == StepState::Pending)?.clone();
        let state_of = |need: &StepName| steps.get(need).map(|step| step.state);
        if !stage.needs.iter().all(|need| state_of(need).is_some_and(StepState::is_over)) {
            return None;
        }
        let missing = stage.needs.iter().find(|need| state_of(need) != Some(StepState::Accepted)).cloned();
        match (&stage.condition, missing) {
            (None, Some(need)) => {
                let how = state_of(&need).unwrap_or(StepState::Pending);
                self.skip(step, format!("it needs '{need}', which is {how}"));
            }
            (Some(condition), _) => {
                let values = self.outcome.snapshot.values(self.definition);
                match condition.holds(values.as_value()) {
                    Ok(true) => self.release(step, stage),
                    Ok(false) => self.skip(step, format!("its condition does not hold: {condition}")),
                    Err(error) => {
                        self.give_up(Step {
                            reason: Some(format!("its condition '{condition}': {error}")),
                            ..step
                        });
                    }
                }
            }
            (None, None) => self.release(step, stage),
        }
        self.outcome.snapshot.steps.get(name).filter(|step| step.state.is_over()).map(|_| name.clone())
    }

    /// Lets a step go: it is frozen and thus done, waits for approval, or may be claimed.
    fn release(&mut self, step: Step, stage: &Stage) {
        if stage.frozen {
            return self.accept(step, StepOutput::default(), Provenance::default());
        }
        let Some(terms) = &stage.approve else { return self.ready(step, self.now) };
        match self.digest_to_approve(stage, terms) {
            Ok(digest) => self.ask(step, digest, terms),
            Err(reason) => self.give_up(Step { reason: Some(reason), ..step }),
        }
    }

    fn digest_to_approve(&self, stage: &Stage, terms: &Approve) -> Result<Digest, String> {
        let snapshot = &self.outcome.snapshot;
        let Some(reference) = &terms.of else {
            // What the stage would act on: its definition and the results that it needs.
            let outputs: Vec<_> = stage.needs.iter().map(|need| (need, snapshot.outputs.get(need))).collect();
            let outputs = serde_json::to_vec(&outputs).unwrap_or_default();
            return Ok(Digest::of_parts([snapshot.run.definition.as_bytes().as_slice(), &outputs]));
        };
        let value = reference.value(snapshot.values(self.definition).as_value());
        let digest = value.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok());
        digest.ok_or_else(|| format!("'{}', which is to be approved, is no digest", reference.text()))
    }
}

fn output_size(output: &StepOutput) -> usize {
    serde_json::to_vec(output).map_or(usize::MAX, |json| json.len())
}
