//! Deadlines: leases that ran out, timers that are due, approvals that nobody gave.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::on_engine;
use crate::approval::ApprovalState;
use crate::engine::{apply, definition_of, load};
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::transition::Input;

/// Ends what is due, at most `limit` steps in one transaction.
#[derive(Debug, Clone)]
pub struct ExpireDue {
    /// Where.
    pub workspace: Name,
    /// Most steps at once.
    pub limit: usize,
}

/// What was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Steps that were taken back, woken or ended.
    pub steps: usize,
    /// Whether there may be more.
    pub more: bool,
}

#[async_trait]
impl Command for ExpireDue {
    type Tx = dyn PipelineTx;
    type Out = Expired;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_engine(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Expired, PipelineError> {
        let now = tx.now();
        let due = tx.due(now, self.limit).await?;
        let more = due.len() >= self.limit;
        let mut expired = Expired { steps: 0, more };
        for (id, name) in due {
            let Some(run) = tx.run_for_update(id).await? else { continue };
            let definition = definition_of(tx, &run).await?;
            let snapshot = load(tx, run, &definition).await?;
            // An earlier one of this batch may have moved it on.
            let Some(step) = snapshot.steps.get(&name).filter(|s| s.deadline.is_some_and(|at| at <= now))
            else {
                continue;
            };
            let asked = match step.approval {
                Some(approval) => tx.approval(approval).await?,
                None => None,
            };
            let input = match asked {
                Some(approval) => Input::Settle(approval.ended(ApprovalState::Expired, now)),
                None => Input::Expire { step: name },
            };
            apply(tx, &definition, snapshot, input).await?;
            expired.steps += 1;
        }
        Ok(expired)
    }
}
