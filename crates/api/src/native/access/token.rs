//! `/api/v1/tokens`: what programs show as `Authorization: Bearer …`.
//!
//! A token is for the workspace in which it is made. Its text is in the answer to the request that makes
//! it and nowhere else: only a digest is kept.

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::DAY;
use mainstay_governance::command::{CreateToken, RevokeToken};
use mainstay_governance::token::{ApiToken, StoredToken};
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::AccessState;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::request::{JsonBody, One};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<AccessState>> {
    let manage = (Action::AccessManage, RouteScope::Workspace);
    let one = (Action::AccessManage, RouteScope::Path(ResourceKind::Token, "id"));
    let (native, path) = (Protocol::Native, "/api/v1/tokens");
    vec![
        Route::new(native, (Method::GET, path), manage, list),
        Route::new(native, (Method::POST, path), manage, create),
        Route::new(native, (Method::DELETE, "/api/v1/tokens/{id}"), one, revoke),
    ]
}

/// Most days that a token can be given.
const MAX_DAYS: u32 = 36_500;

/// No time at all, or more than anybody will see.
#[derive(Debug, ThisError)]
#[error("'expires_in_days' is from 1 to {MAX_DAYS}; leave it out for a token that stays")]
struct InvalidExpiry;

impl Coded for InvalidExpiry {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A token on the wire, without its secret. Instants are machine time.
#[derive(Debug, Serialize)]
struct TokenBody {
    id: TokenId,
    label: Name,
    roles: Vec<Role>,
    creator: Actor,
    created: String,
    expires: Option<String>,
}

impl TokenBody {
    /// The token with its roles in a workspace; `None` if it has none there.
    fn within(workspace: &Name, token: StoredToken) -> Option<Self> {
        let here = |grant: &&Grant| grant.workspace.as_ref().is_none_or(|known| known == workspace);
        let roles: Vec<Role> = token.grants.iter().filter(here).map(|grant| grant.role).collect();
        (!roles.is_empty()).then(|| Self {
            id: token.id,
            label: token.label,
            roles,
            creator: token.creator,
            created: token.created.to_string(),
            expires: token.expires.map(|at| at.to_string()),
        })
    }
}

async fn list(State(state): State<AccessState>, caller: Caller) -> Result<Json<Listing<TokenBody>>, Error> {
    let tokens = state.reader.tokens().await?.into_iter();
    let here = tokens.filter_map(|token| TokenBody::within(&caller.workspace, token));
    Ok(Json(Listing::whole(here.collect())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    label: Name,
    role: Role,
    expires_in_days: Option<u32>,
}

/// The only answer that holds the token.
#[derive(Debug, Serialize)]
struct CreatedBody {
    id: TokenId,
    token: String,
}

async fn create(
    State(state): State<AccessState>,
    caller: Caller,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<(StatusCode, Json<CreatedBody>), Error> {
    let expires = match body.expires_in_days {
        None => None,
        Some(days @ 1..=MAX_DAYS) => Some(state.clock.now().plus(i64::from(days) * DAY)),
        Some(_) => return Err(InvalidExpiry.into()),
    };
    let token = ApiToken::draw(&*state.entropy);
    let command = CreateToken {
        workspace: caller.workspace.clone(),
        id: token.id(),
        label: body.label,
        digest: token.digest(),
        grants: vec![Grant { workspace: Some(caller.workspace), role: body.role }],
        expires,
    };
    state.commands.run(&caller.principal, command).await?;
    Ok((StatusCode::CREATED, Json(CreatedBody { id: token.id(), token: token.reveal() })))
}

async fn revoke(
    State(state): State<AccessState>,
    caller: Caller,
    One(id): One<TokenId>,
) -> Result<StatusCode, Error> {
    state.commands.run(&caller.principal, RevokeToken { workspace: caller.workspace, id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
