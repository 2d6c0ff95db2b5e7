//! Asking a person, and their answer.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::Value;

use super::on_run;
use crate::approval::{Approval, ApprovalState, Decision};
use crate::definition::{Approve, StepName};
use crate::engine::forward;
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::transition::Input;

/// A running built-in step asks for approval of a digest and gives up its lease. Once approved it is
/// ready again, with the digest in [`Step::approved`](crate::run::Step::approved).
#[derive(Debug, Clone)]
pub struct RequestApproval {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// What is to be approved.
    pub digest: Digest,
    /// By whom, and until when.
    pub terms: Approve,
    /// What the next execution gets to see.
    pub memo: Value,
}

#[async_trait]
impl Command for RequestApproval {
    type Tx = dyn PipelineTx;
    /// The request's id.
    type Out = ApprovalId;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ApprovalId, PipelineError> {
        let input = Input::RequestApproval {
            step: self.step.clone(),
            token: self.token,
            digest: self.digest,
            terms: self.terms.clone(),
            memo: self.memo.clone(),
        };
        forward(tx, self.run, input).await?;
        Ok(Approval::id_for(self.run, &self.step, self.token))
    }
}

/// A person decides. The decision counts only for the digest that they name.
#[derive(Debug, Clone)]
pub struct DecideApproval {
    /// Where.
    pub workspace: Name,
    /// The request.
    pub approval: ApprovalId,
    /// The decision; its roles are filled in from the caller's credential.
    pub decision: Decision,
}

#[async_trait]
impl Command for DecideApproval {
    type Tx = dyn PipelineTx;
    /// Where the request stands now.
    type Out = ApprovalState;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::ApprovalDecide
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Approval, self.approval))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ApprovalState, PipelineError> {
        let missing = PipelineError::NoSuchApproval(self.approval);
        let first = tx.approval(self.approval).await?.ok_or(missing)?;
        // The run's lock guards its requests: read again under it.
        tx.run_for_update(first.run).await?.ok_or(PipelineError::NoSuchRun(first.run))?;
        let asked = tx.approval(self.approval).await?.unwrap_or(first);
        let decided = asked.decided(tx.actor(), &self.decision, tx.now())?;
        let state = decided.state;
        forward(tx, decided.run, Input::Settle(decided)).await?;
        Ok(state)
    }
}
