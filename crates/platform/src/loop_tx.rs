//! The few commands that span domains: the effect of a built-in step and the acceptance of that step
//! under its token are one command (invariant 4).

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{BoxFuture, Command, Context, Job, Refused, Unit};
use mainstay_core::error::{Coded, ErrorCode, Failure, StorageError};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::MachineTime;
use mainstay_data::ports::DataTx;
use mainstay_features::port::FeaturesTx;
use mainstay_governance::port::GovernanceTx;
use mainstay_pipelines::circumstances::Provenance;
use mainstay_pipelines::commands::{FailStep, ParkStep};
use mainstay_pipelines::definition::StepName;
use mainstay_pipelines::engine::{Acceptance, accept};
use mainstay_pipelines::port::PipelineTx;
use mainstay_pipelines::run::StepOutput;
use mainstay_registry::port::RegistryTx;
use mainstay_serving::port::ServingTx;
use mainstay_store::StoreTx;
use mainstay_store::writer::Writer;
use mainstay_tracking::port::TrackingTx;
use serde_json::Value;
use thiserror::Error;

/// What a step's effect may write through.
pub trait LoopTx:
    DataTx + FeaturesTx + GovernanceTx + PipelineTx + RegistryTx + ServingTx + TrackingTx
{
}

impl<T: DataTx + FeaturesTx + GovernanceTx + PipelineTx + RegistryTx + ServingTx + TrackingTx> LoopTx for T {}

/// The transaction as effects and commands see it: one that owns what it needs.
pub type Tx = dyn LoopTx + 'static;

/// How a step ends once its effect is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// It is accepted with this output.
    Accepted(StepOutput),
    /// What it found speaks against going on: it fails for good, and what it found stays on the record.
    Failed(String),
    /// It has done a part, and puts itself aside: until an instant, or until something wakes it.
    Parked {
        /// The instant.
        until: MachineTime,
        /// What it finds when it goes on.
        memo: Value,
    },
}

/// What a step does to the record besides being accepted. Applied again if the database asks for it.
#[async_trait]
pub trait Effect: Send + Sync + 'static {
    /// Writes, and tells how the step ends.
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError>;
}

/// Why an effect was refused: any domain's reason.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct EffectError(Failure);

impl EffectError {
    /// Any coded error.
    pub fn from_coded(error: impl Coded) -> Self {
        Self(Failure::from(error))
    }
}

impl Coded for EffectError {
    fn code(&self) -> ErrorCode {
        self.0.code()
    }
}

impl From<StorageError> for EffectError {
    fn from(error: StorageError) -> Self {
        Self(Failure::from(error))
    }
}

/// The effect of a step that has none: its output is all there is.
pub struct OutputOnly(pub StepOutput);

#[async_trait]
impl Effect for OutputOnly {
    async fn apply(&self, _: &mut Tx) -> Result<Conclusion, EffectError> {
        Ok(Conclusion::Accepted(self.0.clone()))
    }
}

/// Has a step's effect and accepts the step, together or not at all.
#[derive(Clone)]
pub struct ConcludeStep {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// Where the result comes from.
    pub provenance: Provenance,
    /// The effect.
    pub effect: Arc<dyn Effect>,
}

#[async_trait]
impl Command for ConcludeStep {
    type Tx = dyn LoopTx;
    type Out = ();
    type Error = EffectError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::PipelineRun, self.run))
    }

    fn run(&self) -> Option<PipelineRunId> {
        Some(self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), EffectError> {
        let (run, step, token) = (self.run, self.step.clone(), self.token);
        let done = match self.effect.apply(tx).await? {
            Conclusion::Accepted(output) => {
                let acceptance = Acceptance { run, step, token, output, provenance: self.provenance.clone() };
                accept(tx, &acceptance).await.map(drop)
            }
            Conclusion::Parked { until, memo } => {
                let park = ParkStep { workspace: self.workspace.clone(), run, step, token, until, memo };
                park.apply(tx).await
            }
            Conclusion::Failed(reason) => {
                let workspace = self.workspace.clone();
                // The draw spreads retries; a failure for good has none.
                let failure = FailStep { workspace, run, step, token, reason, retryable: false, draw: 0.0 };
                failure.apply(tx).await.map(drop)
            }
        };
        done.map_err(EffectError::from_coded)
    }
}

/// The writer, as the unit of commands that span domains.
pub struct LoopUnit(pub Writer);

struct Narrowed(Box<dyn Job<dyn LoopTx>>);

impl Job<StoreTx> for Narrowed {
    fn context(&self) -> &Context {
        self.0.context()
    }

    fn apply<'a>(&'a mut self, tx: &'a mut StoreTx) -> BoxFuture<'a, Result<(), Refused>> {
        self.0.apply(tx)
    }

    fn settle(self: Box<Self>, committed: Result<(), StorageError>) {
        self.0.settle(committed);
    }
}

impl Unit<dyn LoopTx> for LoopUnit {
    fn submit(&self, job: Box<dyn Job<dyn LoopTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Unit::<StoreTx>::submit(&self.0, Box::new(Narrowed(job)))
    }
}
