//! `/api/v1/approvals`: what waits for a person, and their decision.
//!
//! A decision names the digest that the person looked at; it counts for those bytes and no others. Who
//! decides, and with which roles, comes from the credential.

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::principal::{Actor, Role};
use mainstay_core::scope::ResourceKind;
use mainstay_pipelines::approval::{Approval, Decision};
use mainstay_pipelines::commands::DecideApproval;
use mainstay_pipelines::definition::{OnTimeout, StepName};
use serde::{Deserialize, Serialize};

use super::PipelineState;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::reason::reason;
use crate::native::request::{JsonBody, One};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<PipelineState>> {
    let all = (Action::PipelineRead, RouteScope::Workspace);
    let one = (Action::ApprovalDecide, RouteScope::Path(ResourceKind::Approval, "id"));
    vec![
        Route::new(Protocol::Native, (Method::GET, "/api/v1/approvals"), all, pending),
        Route::new(Protocol::Native, (Method::POST, "/api/v1/approvals/{id}"), one, decide),
    ]
}

/// A request for approval on the wire. Instants are machine time.
#[derive(Debug, Serialize)]
struct ApprovalBody {
    id: ApprovalId,
    run: PipelineRunId,
    step: StepName,
    /// What is approved: name it in the decision.
    digest: Digest,
    /// Roles or actors that may decide; everybody whom the policy allows, if empty.
    by: Vec<String>,
    /// Whether the author is kept from deciding.
    four_eyes: bool,
    author: Actor,
    requested: String,
    expires: String,
    on_timeout: OnTimeout,
}

impl From<Approval> for ApprovalBody {
    fn from(approval: Approval) -> Self {
        Self {
            id: approval.id,
            run: approval.run,
            step: approval.step,
            digest: approval.digest,
            by: approval.by,
            four_eyes: approval.four_eyes,
            author: approval.author,
            requested: approval.requested.to_string(),
            expires: approval.expires.to_string(),
            on_timeout: approval.on_timeout,
        }
    }
}

async fn pending(
    State(state): State<PipelineState>,
    caller: Caller,
) -> Result<Json<Listing<ApprovalBody>>, Error> {
    let pending = state.reader.pending_approvals(&caller.workspace).await?;
    Ok(Json(Listing::whole(pending.into_iter().map(ApprovalBody::from).collect())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    decision: Word,
    digest: Digest,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Approve,
    Reject,
}

#[derive(Debug, Serialize)]
struct DecidedBody {
    id: ApprovalId,
    state: &'static str,
}

async fn decide(
    State(state): State<PipelineState>,
    caller: Caller,
    One(id): One<ApprovalId>,
    JsonBody(body): JsonBody<DecisionBody>,
) -> Result<Json<DecidedBody>, Error> {
    let roles = Role::ALL.into_iter().filter(|role| caller.principal.has(*role, &caller.workspace));
    let decision = Decision {
        approve: body.decision == Word::Approve,
        digest: body.digest,
        roles: roles.collect(),
        comment: body.reason.map(reason).transpose()?,
    };
    let command = DecideApproval { workspace: caller.workspace, approval: id, decision };
    let decided = state.commands.run(&caller.principal, command).await?;
    Ok(Json(DecidedBody { id, state: decided.as_str() }))
}
