//! The end of an attempt: a result, an earlier result, or a failure.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::on_run;
use crate::circumstances::Provenance;
use crate::definition::StepName;
use crate::engine::{Acceptance, accept, forward};
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::run::StepResult;
use crate::transition::Input;

/// Accepts the result of a step whose effect is outside the database, such as a command's.
#[derive(Debug, Clone)]
pub struct AcceptStep {
    /// Where.
    pub workspace: Name,
    /// The result, with the token.
    pub acceptance: Acceptance,
}

#[async_trait]
impl Command for AcceptStep {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.acceptance.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        accept(tx, &self.acceptance).await
    }
}

/// Lets the newest earlier result with a cache key stand for a step.
#[derive(Debug, Clone)]
pub struct AcceptCached {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// The key.
    pub key: Digest,
}

#[async_trait]
impl Command for AcceptCached {
    type Tx = dyn PipelineTx;
    /// The earlier result.
    type Out = StepResult;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<StepResult, PipelineError> {
        let found = tx.find_cached(&self.key).await?.ok_or(PipelineError::NotCached)?;
        let input = Input::Accept {
            step: self.step.clone(),
            token: self.token,
            output: found.output.clone(),
            provenance: Provenance {
                cache_key: Some(self.key),
                reused_from: Some(found.reused_from.unwrap_or(found.run)),
                circumstances: found.circumstances.clone(),
            },
        };
        forward(tx, self.run, input).await?;
        Ok(found)
    }
}

/// Reports that an attempt failed. It is retried as the definition says, or fails for good.
#[derive(Debug, Clone)]
pub struct FailStep {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// Why, for people: an exit status, the last lines of the log.
    pub reason: String,
    /// Whether another attempt may succeed; a wrong definition stays wrong.
    pub retryable: bool,
    /// A uniform draw from 0 to 1 for the jitter of the wait.
    pub draw: f64,
}

/// Longest reason kept, in characters.
const MAX_REASON: usize = 2_000;

#[async_trait]
impl Command for FailStep {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        let input = Input::Fail {
            step: self.step.clone(),
            token: self.token,
            reason: self.reason.chars().take(MAX_REASON).collect(),
            retryable: self.retryable,
            draw: self.draw,
        };
        forward(tx, self.run, input).await
    }
}
