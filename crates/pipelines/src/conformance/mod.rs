//! What every store of pipelines must do, as checks that any store can be run through.
//!
//! ```ignore
//! for check in conformance::CHECKS { (check.run)(bench().await).await?; }
//! ```
//!
//! Each check wants a [`Bench`] over an empty store, or an empty workspace of one, whose transactions
//! take their time from the bench's clock.

mod approvals;
mod groups;
mod leases;
mod runs;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Command, CommandError, Commands};
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::Scope;
use mainstay_core::time::ManualClock;
use serde_json::{Map, Value, json};

use crate::circumstances::Provenance;
use crate::commands::{AcceptStep, Claim, ClaimStep, ExpireDue, FailStep, How, StartRun, Started};
use crate::definition::{Parameters, Source, StepName};
use crate::engine::Acceptance;
use crate::port::{PipelineReader, PipelineTx};
use crate::refusal::PipelineError;
use crate::run::{Cause, CauseKind, PipelineRun, RunState, Step, StepOutput, StepState};

/// How a check ends.
pub type Checked = Result<(), Box<dyn Error + Send + Sync>>;

/// One check.
pub struct Check {
    /// What it is called.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(Bench) -> Pin<Box<dyn Future<Output = Checked> + Send>>,
}

macro_rules! checks {
    ($($module:ident :: $name:ident,)*) => {
        /// Every check.
        pub const CHECKS: &[Check] =
            &[$(Check { name: stringify!($name), run: |bench| Box::pin($module::$name(bench)) },)*];
    };
}

checks! {
    runs::a_chain_runs_in_order,
    runs::conditions_see_outputs_and_skip,
    runs::a_failed_step_skips_what_needs_it,
    runs::equal_keys_start_one_run,
    runs::a_schedule_fires_once,
    runs::a_trigger_counts_only_under_its_revision,
    runs::positions_go_forward,
    runs::results_are_found_by_their_key,
    runs::runs_are_listed_in_pages,
    runs::workspaces_do_not_meet,
    runs::pipelines_have_revisions,
    leases::concurrent_claims_take_different_steps,
    leases::a_stale_token_is_refused_and_leaves_nothing,
    leases::a_second_acceptance_is_refused,
    leases::heartbeats_keep_a_lease,
    leases::failures_are_retried_after_a_wait,
    leases::a_parked_step_wakes_with_its_memo,
    leases::cancelling_stops_everything,
    approvals::an_approval_is_bound_to_its_digest,
    approvals::only_those_asked_may_decide,
    approvals::an_approval_expires,
    approvals::a_running_step_can_ask,
    approvals::cancelling_withdraws_the_question,
    groups::further_runs_wait_for_their_turn,
    groups::further_causes_are_attached,
    groups::the_oldest_run_is_replaced,
    groups::a_full_group_refuses,
}

/// Allows everybody everything.
pub struct Everybody;

impl Authorizer for Everybody {
    fn allows(&self, _: &Principal, _: Action, _: &Scope) -> bool {
        true
    }

    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

/// A store under test.
pub struct Bench {
    /// Runs commands.
    pub commands: Commands<dyn PipelineTx>,
    /// Reads.
    pub reader: Arc<dyn PipelineReader>,
    /// Gives the transactions their time.
    pub clock: Arc<ManualClock>,
    /// Where the check works.
    pub workspace: Name,
    /// Counts up the ids of runs; start it at different multiples of 1,000 for checks that share a store.
    pub next_id: AtomicU64,
}

const LEASE: Duration = Duration::from_secs(30);

type Answer<T> = Result<T, CommandError<PipelineError>>;

impl Bench {
    async fn by<C>(&self, who: &str, command: C) -> Answer<C::Out>
    where
        C: Command<Tx = dyn PipelineTx, Error = PipelineError>,
    {
        let principal = Principal::new(Actor::stored(who), Vec::new());
        self.commands.run(&principal, command).await
    }

    async fn run<C>(&self, command: C) -> Answer<C::Out>
    where
        C: Command<Tx = dyn PipelineTx, Error = PipelineError>,
    {
        self.by("user:ann", command).await
    }

    fn start_of(&self, yaml: &str) -> Result<StartRun, Box<dyn Error + Send + Sync>> {
        let definition = Source::parse(yaml)?.resolve(&Parameters::default())?;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.next_id.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        Ok(StartRun {
            workspace: self.workspace.clone(),
            id: PipelineRunId::from_bytes(id),
            pipeline: Name::new("check")?,
            definition: Arc::new(definition),
            params: Map::new(),
            data_time: None,
            cause: Cause { kind: CauseKind::Manual, evidence: Value::Null },
            idempotency_key: None,
        })
    }

    async fn start(&self, yaml: &str) -> Result<PipelineRunId, Box<dyn Error + Send + Sync>> {
        let Started { run, how } = self.run(self.start_of(yaml)?).await?;
        assert_eq!(how, How::Running);
        Ok(run)
    }

    async fn try_claim(&self, worker: &str) -> Answer<Option<Claim>> {
        let workspace = self.workspace.clone();
        self.by("system:engine", ClaimStep { workspace, worker: worker.to_owned(), lease: LEASE }).await
    }

    /// Claims, and wants to get the step of that name.
    async fn claim(&self, expected: &str) -> Result<Claim, Box<dyn Error + Send + Sync>> {
        let claim = self.try_claim("w").await?.ok_or("nothing was ready")?;
        assert_eq!(claim.step.name.as_str(), expected);
        Ok(claim)
    }

    async fn accept(&self, step: &Step, value: Value) -> Answer<()> {
        let output = StepOutput { value, ..StepOutput::default() };
        let acceptance = Acceptance {
            run: step.run,
            step: step.name.clone(),
            token: step.token,
            output,
            provenance: Provenance::default(),
        };
        self.run(AcceptStep { workspace: self.workspace.clone(), acceptance }).await
    }

    async fn fail(&self, step: &Step, retryable: bool) -> Answer<()> {
        let (run, step, token) = (step.run, step.name.clone(), step.token);
        let reason = "exit status 1".to_owned();
        let workspace = self.workspace.clone();
        self.run(FailStep { workspace, run, step, token, reason, retryable, draw: 0.0 }).await
    }

    /// Advances the clock and ends what is due.
    async fn after(&self, wait: Duration) -> Answer<usize> {
        self.clock.advance(wait);
        let due = ExpireDue { workspace: self.workspace.clone(), limit: 100 };
        self.by("system:engine", due).await.map(|expired| expired.steps)
    }

    async fn state(&self, run: PipelineRunId) -> Result<RunState, Box<dyn Error + Send + Sync>> {
        Ok(self.found(run).await?.state)
    }

    async fn found(&self, run: PipelineRunId) -> Result<PipelineRun, Box<dyn Error + Send + Sync>> {
        Ok(self.reader.run(&self.workspace, run).await?.ok_or("the run is not there")?)
    }

    async fn step(&self, run: PipelineRunId, name: &str) -> Result<Step, Box<dyn Error + Send + Sync>> {
        let steps = self.reader.steps(&self.workspace, run).await?;
        Ok(steps.into_iter().find(|step| step.name.as_str() == name).ok_or("the step is not there")?)
    }

    async fn states(
        &self,
        run: PipelineRunId,
    ) -> Result<Vec<(String, StepState)>, Box<dyn Error + Send + Sync>> {
        let steps = self.reader.steps(&self.workspace, run).await?;
        Ok(steps.into_iter().map(|step| (step.name.to_string(), step.state)).collect())
    }

    async fn ledger(&self, run: PipelineRunId) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        let lines = self.reader.ledger(&self.workspace, run, 0, 1_000).await?;
        let show = |step: Option<StepName>| step.map(|step| format!(" {step}")).unwrap_or_default();
        Ok(lines.into_iter().map(|line| format!("{}{}", line.kind, show(line.step))).collect())
    }
}

/// Wants a refusal with a code.
fn refused<T>(answer: Answer<T>, code: ErrorCode) {
    match answer {
        Ok(_) => assert_eq!("accepted", code.as_str(), "should have been refused"),
        Err(error) => assert_eq!(error.code(), code, "{error}"),
    }
}

fn chain(steps: usize) -> String {
    let mut yaml = "stages:\n  s0: {cmd: 'true'}\n".to_owned();
    for step in 1..steps {
        yaml.push_str(&json_line(step));
    }
    yaml
}

fn json_line(step: usize) -> String {
    format!("  s{step}: {}\n", json!({ "cmd": "true", "needs": format!("s{}", step - 1) }))
}

#[cfg(test)]
mod tests {
    use mainstay_core::scope::default_workspace;
    use mainstay_core::time::MachineTime;

    use super::*;
    use crate::memory::MemoryStore;

    #[tokio::test]
    async fn the_store_in_memory_conforms() {
        for check in CHECKS {
            let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_000_000)));
            let store = Arc::new(MemoryStore::new(clock.clone()));
            let bench = Bench {
                commands: Commands::new(store.clone(), Arc::new(Everybody)),
                reader: store,
                clock,
                workspace: default_workspace(),
                next_id: AtomicU64::new(1),
            };
            (check.run)(bench).await.unwrap_or_else(|error| panic!("{}: {error}", check.name));
        }
    }
}
