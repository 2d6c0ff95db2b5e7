//! `uses: rollout`: brings a judged version to an endpoint. The first one answers at once; any later one
//! goes from shadow over canary steps to champion, or back.
//!
//! The step holds no worker while it waits: it parks itself, and whoever watches the endpoint wakes it
//! when the plan and the evidence demand something. Each phase is a command of its own, written together
//! with the step's next wait or its acceptance.

use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::{ErrorCode, StorageError};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::time::{DataTime, MachineTime};
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_serving::command::{AdvanceRollout, Basis, FinishRollout, Outcome, SetRevision, StartRollout};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::port::{ServingStore as _, ServingTx};
use mainstay_serving::retraining::PolicyAction;
use mainstay_serving::revision::{Pinned, Revision, RevisionDraft};
use mainstay_serving::rollout::{Decision, Evidence, Rollout, RolloutPlan, decide};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{BuiltIn, Held, Prepared, StepError, read, write};
use mainstay_platform::Platform;
use mainstay_platform::endpoint_commands::WithAlias;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, OutputOnly, Tx};
use mainstay_platform::rollout_memo::RolloutMemo;

/// How long it waits, unless it is woken.
const LOOK: Duration = Duration::from_secs(30);

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    endpoint: Name,
    /// The version, and the digest that its gates judged.
    version: u64,
    digest: Digest,
    /// The retraining policy of the endpoint whose plan it goes by.
    policy: Option<Name>,
    /// Or the plan itself; the default one if neither is given.
    plan: Option<RolloutPlan>,
}

/// What there is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Task {
    /// There is no champion yet.
    First,
    /// It serves already.
    Serves,
    /// Begin.
    Start,
    /// The evidence demands something of the rollout.
    Decide(RolloutId, Box<Evidence>),
    /// The rollout is over: a person, or an earlier execution, ended it.
    Over(RolloutId),
}

/// The step.
pub struct RollOut;

#[async_trait]
impl BuiltIn for RollOut {
    fn name(&self) -> &'static str {
        "rollout"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn prepare(&self, platform: &Platform, held: &Held) -> Result<Prepared, StepError> {
        let arguments: Arguments = held.arguments()?;
        platform.decisions.caught_up().await;
        let rollout = match RolloutMemo::rollout_of(&held.claim.step.memo) {
            None => begun(platform, held, &arguments.endpoint).await?,
            known => known,
        };
        let task = match rollout {
            None => {
                let (_, revision) = endpoint(platform, held, &arguments.endpoint).await?;
                match revision.champion() {
                    None => Task::First,
                    Some(champion) if champion.pinned.digest == arguments.digest => Task::Serves,
                    Some(_) => Task::Start,
                }
            }
            Some(rollout) => {
                let running = rollout_of(platform, held, rollout).await?.state.phase.is_running();
                match platform.decisions.pending(&rollout).filter(|_| running) {
                    None if running => {
                        let memo = write(&RolloutMemo { rollout })?;
                        return Ok(Prepared::Wait { until: platform.clock.now().after(LOOK), memo });
                    }
                    None => Task::Over(rollout),
                    Some(evidence) => Task::Decide(rollout, Box::new(evidence)),
                }
            }
        };
        Ok(Prepared::Done(write(&task)?))
    }

    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        result: Value,
    ) -> Result<Box<dyn Effect>, StepError> {
        let arguments: Arguments = held.arguments()?;
        let pinned = Pinned { version: arguments.version, digest: arguments.digest };
        let workspace = held.workspace.clone();
        match read(result)? {
            Task::Serves => Ok(Box::new(OutputOnly(output("serves already", &pinned)))),
            Task::First => {
                let (definition, revision) = endpoint(platform, held, &arguments.endpoint).await?;
                let set = SetRevision {
                    workspace,
                    endpoint: arguments.endpoint.clone(),
                    expected: revision.number,
                    governed: definition.governed,
                    draft: RevisionDraft::champion(pinned),
                };
                Ok(Box::new(First { set: WithAlias { command: set, endpoint: arguments.endpoint }, pinned }))
            }
            Task::Start => {
                let (definition, revision) = endpoint(platform, held, &arguments.endpoint).await?;
                let plan = plan_of(&definition, &arguments)?;
                let start = StartRollout {
                    workspace,
                    expected: revision.number,
                    rollout: RolloutId::draw(&*platform.entropy),
                    candidate: pinned,
                    plan,
                    watermark: platform
                        .decisions
                        .watermark(&held.workspace, &arguments.endpoint)
                        .or(held.claim.run.data_time)
                        .unwrap_or(DataTime::MIN),
                    run: Some(held.claim.run.id),
                    endpoint: arguments.endpoint,
                };
                Ok(Box::new(Start { start, until: platform.clock.now().after(LOOK) }))
            }
            Task::Over(rollout) => {
                let rollout = rollout_of(platform, held, rollout).await?;
                Ok(Box::new(OutputOnly(output(rollout.state.phase.as_str(), &rollout.candidate))))
            }
            Task::Decide(rollout, evidence) => {
                let rollout = rollout_of(platform, held, rollout).await?;
                let (_, revision) = endpoint(platform, held, &arguments.endpoint).await?;
                let until = platform.clock.now().after(LOOK);
                Ok(Box::new(Move {
                    workspace,
                    expected: revision.number,
                    rollout,
                    evidence: *evidence,
                    until,
                }))
            }
        }
    }
}

fn output(outcome: &str, pinned: &Pinned) -> StepOutput {
    let value = json!({ "outcome": outcome, "version": pinned.version, "digest": pinned.digest });
    StepOutput { value, artifacts: [("model".to_owned(), pinned.digest)].into() }
}

/// The rollout that an execution of this very step began and then forgot.
async fn begun(platform: &Platform, held: &Held, endpoint: &Name) -> Result<Option<RolloutId>, StepError> {
    // Of all rollouts of an endpoint at most one runs: the newest.
    let newest = PageRequest::first(1);
    let newest = platform.database.reader.rollouts(&held.workspace, endpoint, &newest).await;
    let run = Some(held.claim.run.id);
    let own = |rollout: &Rollout| rollout.run == run && rollout.state.phase.is_running();
    Ok(newest.map_err(StepError::of)?.items.into_iter().find(own).map(|rollout| rollout.id))
}

async fn endpoint(platform: &Platform, held: &Held, name: &Name) -> Result<(Endpoint, Revision), StepError> {
    let found = platform.database.reader.endpoint(&held.workspace, name).await.map_err(StepError::of)?;
    let missing =
        || StepError::refused(ErrorCode::NotFound, format!("there is no endpoint {name}; make it first"));
    found.ok_or_else(missing)
}

async fn rollout_of(platform: &Platform, held: &Held, id: RolloutId) -> Result<Rollout, StepError> {
    let found = platform.database.reader.rollout(&held.workspace, &id).await.map_err(StepError::of)?;
    found.ok_or_else(|| StepError::refused(ErrorCode::NotFound, format!("there is no rollout {id}")))
}

fn plan_of(endpoint: &Endpoint, arguments: &Arguments) -> Result<RolloutPlan, StepError> {
    if let Some(plan) = &arguments.plan {
        return Ok(plan.clone());
    }
    let Some(name) = &arguments.policy else { return Ok(RolloutPlan::default()) };
    let policy = endpoint.retraining.iter().find(|policy| policy.name == *name).ok_or_else(|| {
        let message = format!("endpoint {} has no retraining policy {name}", endpoint.name);
        StepError::refused(ErrorCode::NotFound, message)
    })?;
    match &policy.action {
        PolicyAction::Rollout { plan } => Ok((**plan).clone()),
        PolicyAction::Register => Err(StepError::refused(
            ErrorCode::WrongState,
            format!("the policy {name} leaves it to a person to release a version; start a rollout by hand"),
        )),
    }
}

/// Whether an endpoint is no longer as it was read. Then the step parks itself and looks again at once: it
/// has lost nothing.
async fn is_overtaken(tx: &mut Tx, endpoint: &Name, read: u64) -> Result<bool, StorageError> {
    Ok(tx.revision(endpoint).await?.is_none_or(|newest| newest.number != read))
}

/// The first champion.
struct First {
    set: WithAlias<SetRevision>,
    pinned: Pinned,
}

#[async_trait]
impl Effect for First {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        if is_overtaken(tx, &self.set.endpoint, self.set.command.expected).await? {
            return Ok(Conclusion::Parked { until: tx.now(), memo: Value::Null });
        }
        self.set.apply(tx).await?;
        Ok(Conclusion::Accepted(output("promoted", &self.pinned)))
    }
}

/// The beginning: a shadow beside the champion.
struct Start {
    start: StartRollout,
    until: MachineTime,
}

#[async_trait]
impl Effect for Start {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        if is_overtaken(tx, &self.start.endpoint, self.start.expected).await? {
            return Ok(Conclusion::Parked { until: tx.now(), memo: Value::Null });
        }
        let tx: &mut (dyn ServingTx + 'static) = tx;
        let rollout = self.start.apply(tx).await.map_err(EffectError::from_coded)?;
        Ok(Conclusion::Parked { until: self.until, memo: json!(RolloutMemo { rollout: rollout.id }) })
    }
}

/// What the evidence demands: the next phase, or the end.
struct Move {
    workspace: Name,
    expected: u64,
    rollout: Rollout,
    evidence: Evidence,
    until: MachineTime,
}

#[async_trait]
impl Effect for Move {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let Rollout { id, endpoint, plan, state, candidate, .. } = &self.rollout;
        let parked = |until| Conclusion::Parked { until, memo: json!(RolloutMemo { rollout: *id }) };
        let is_over = !tx.rollout(id).await?.is_some_and(|rollout| rollout.state.phase.is_running());
        if is_over || is_overtaken(tx, endpoint, self.expected).await? {
            return Ok(parked(tx.now()));
        }
        let outcome = match decide(plan, state, &self.evidence) {
            // Somebody moved it meanwhile; the next look decides.
            Decision::Stay => return Ok(parked(self.until)),
            Decision::Advance { .. } | Decision::AskPerson => {
                let advance = AdvanceRollout {
                    workspace: self.workspace.clone(),
                    endpoint: endpoint.clone(),
                    rollout: *id,
                    expected: self.expected,
                    evidence: self.evidence.clone(),
                };
                let tx: &mut (dyn ServingTx + 'static) = tx;
                advance.apply(tx).await.map_err(EffectError::from_coded)?;
                return Ok(parked(self.until));
            }
            Decision::Promote(_) => Outcome::Promote,
            Decision::RollBack(_) => Outcome::RollBack,
        };
        let command = FinishRollout {
            workspace: self.workspace.clone(),
            endpoint: endpoint.clone(),
            rollout: *id,
            expected: self.expected,
            outcome,
            basis: Basis::Evidence(self.evidence.clone()),
        };
        let over = WithAlias { command, endpoint: endpoint.clone() }.apply(tx).await?;
        Ok(Conclusion::Accepted(output(over.state.phase.as_str(), candidate)))
    }
}
