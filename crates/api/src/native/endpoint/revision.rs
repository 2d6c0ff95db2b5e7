//! `/api/v1/endpoints/{name}/revisions`: what an endpoint served, and setting what it serves.
//!
//! A revision is set against the one that the caller read (`expected`, or `If-Match`). An arm names a
//! version; its digest is looked up, and where the caller gives one it must be the same.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_registry::error::RegistryError;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_serving::command::SetRevision;
use mainstay_serving::revision::{Arm, BasisPoints, MAX_ARMS, Pinned, Revision, RevisionDraft, Role};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::{EndpointState, ONE, existing};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::{Listing, PageParams};
use crate::native::precondition::{etag, expected};
use crate::native::request::{JsonBody, One, Params};
use crate::route::Route;

const PATH: &str = "/api/v1/endpoints/{name}/revisions";

pub(super) fn routes() -> Vec<Route<EndpointState>> {
    vec![
        Route::new(Protocol::Native, (Method::GET, PATH), (Action::EndpointRead, ONE), list),
        Route::new(Protocol::Native, (Method::POST, PATH), (Action::EndpointWrite, ONE), set),
    ]
}

/// Why arms cannot be set.
#[derive(Debug, ThisError)]
enum ArmsError {
    /// No revision to compare with.
    #[error("say which revision you read: 'expected' in the body, or If-Match")]
    Unconditional,
    /// Too many.
    #[error("a revision has at most {MAX_ARMS} arms; this one has {0}")]
    Count(usize),
    /// A canary without a share.
    #[error("the canary of version {0} needs a 'weight' in basis points, 0 to 10000")]
    NoWeight(u32),
    /// A share that is not its own.
    #[error("version {0} has a 'weight', which only canaries have; the champion answers the rest")]
    Weight(u32),
    /// Artifacts elsewhere.
    #[error("the artifacts of version {0} are not kept here, so it cannot be served; log the model here")]
    NotKept(u32),
    /// Another artifact than the caller means.
    #[error("version {version} is {is}, not {given}; look at it again")]
    Digest {
        /// The version.
        version: u32,
        /// Its digest.
        is: Digest,
        /// The caller's.
        given: Digest,
    },
}

impl Coded for ArmsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Digest { .. } => ErrorCode::RevisionConflict,
            Self::NotKept(_) => ErrorCode::WrongState,
            _ => ErrorCode::InvalidArgument,
        }
    }
}

/// A version held fast, on the wire.
#[derive(Debug, Serialize)]
pub(super) struct PinnedBody {
    version: u64,
    digest: Digest,
}

impl From<Pinned> for PinnedBody {
    fn from(Pinned { version, digest }: Pinned) -> Self {
        Self { version, digest }
    }
}

/// An arm on the wire.
#[derive(Debug, Serialize)]
struct ArmBody {
    version: u64,
    digest: Digest,
    role: RoleName,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<BasisPoints>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RoleName {
    Champion,
    Shadow,
    Canary,
}

impl From<Arm> for ArmBody {
    fn from(Arm { pinned: Pinned { version, digest }, role }: Arm) -> Self {
        let (role, weight) = match role {
            Role::Champion => (RoleName::Champion, None),
            Role::Shadow => (RoleName::Shadow, None),
            Role::Canary { weight } => (RoleName::Canary, Some(weight)),
        };
        Self { version, digest, role, weight }
    }
}

/// A revision on the wire.
#[derive(Debug, Serialize)]
pub(super) struct RevisionBody {
    number: u64,
    arms: Vec<ArmBody>,
    /// The champion before: answers when the present one cannot, and is what a rollback goes back to.
    fallback: Option<PinnedBody>,
    /// The rollout that it is a stage of.
    rollout: Option<RolloutId>,
    /// The digest of the endpoint's definition.
    policy: Digest,
}

impl From<Revision> for RevisionBody {
    fn from(revision: Revision) -> Self {
        Self {
            number: revision.number,
            arms: revision.arms.into_iter().map(ArmBody::from).collect(),
            fallback: revision.fallback.map(PinnedBody::from),
            rollout: revision.rollout,
            policy: revision.policy,
        }
    }
}

async fn list(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<RevisionBody>>, Error> {
    existing(&state, &caller, &name).await?;
    let page = state.endpoints.revisions(&caller.workspace, &name, &page.request::<u64>()?).await?;
    Ok(Json(Listing::of(page, RevisionBody::from)))
}

/// The arms that somebody wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBody {
    expected: Option<u64>,
    arms: Vec<WantedArm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedArm {
    version: u32,
    digest: Option<Digest>,
    role: RoleName,
    weight: Option<BasisPoints>,
}

impl WantedArm {
    fn role(&self) -> Result<Role, ArmsError> {
        match (self.role, self.weight) {
            (RoleName::Champion, None) => Ok(Role::Champion),
            (RoleName::Shadow, None) => Ok(Role::Shadow),
            (RoleName::Canary, Some(weight)) => Ok(Role::Canary { weight }),
            (RoleName::Canary, None) => Err(ArmsError::NoWeight(self.version)),
            (_, Some(_)) => Err(ArmsError::Weight(self.version)),
        }
    }
}

async fn set(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SetBody>,
) -> Result<impl IntoResponse, Error> {
    let expected = expected(&headers, body.expected)?.ok_or(ArmsError::Unconditional)?;
    if body.arms.len() > MAX_ARMS {
        return Err(ArmsError::Count(body.arms.len()).into());
    }
    let (endpoint, _) = existing(&state, &caller, &name).await?;
    let mut arms = Vec::with_capacity(body.arms.len());
    for wanted in &body.arms {
        let role = wanted.role()?;
        arms.push(Arm::new(pinned(&state, &caller, &endpoint.model, wanted).await?, role));
    }
    let command = SetRevision {
        workspace: caller.workspace,
        endpoint: name,
        expected,
        governed: endpoint.governed,
        draft: RevisionDraft { arms },
    };
    let revision = state.commands.set_revision(&caller.principal, command).await?;
    Ok((StatusCode::CREATED, etag(revision.number), Json(RevisionBody::from(revision))))
}

/// The artifact of a version. A version keeps its digest for ever, so reading it here is as good as
/// reading it in the transaction.
async fn pinned(
    state: &EndpointState,
    caller: &Caller,
    model: &Name,
    wanted: &WantedArm,
) -> Result<Pinned, Error> {
    let (model, number) = (ModelName::new(model.as_str())?, VersionNumber(wanted.version));
    let found = state.registered.version(&caller.workspace, &model, number).await?;
    let found = found.filter(|detail| !detail.version.is_deleted());
    let detail = found.ok_or(RegistryError::NoVersion(model, number))?;
    let is = detail.version.digest.ok_or(ArmsError::NotKept(wanted.version))?;
    match wanted.digest {
        Some(given) if given != is => Err(ArmsError::Digest { version: wanted.version, is, given }.into()),
        _ => Ok(Pinned { version: wanted.version.into(), digest: is }),
    }
}
