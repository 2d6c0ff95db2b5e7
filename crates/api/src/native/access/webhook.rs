//! `/api/v1/webhooks`: where notices of events are sent, and of which.
//!
//! `kinds` names kinds of event (`alarm.raised`), or all of one subject (`rollout.*`). The secret with
//! which deliveries are signed is in the answer to the request that makes the webhook, and nowhere else.

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::command::{CreateWebhook, DeleteWebhook};
use mainstay_governance::webhook::{Definition, Dialect, Subscription, Webhook, WebhookId, WebhookSecret};
use serde::{Deserialize, Serialize};

use super::AccessState;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::request::{JsonBody, One};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<AccessState>> {
    let manage = (Action::AccessManage, RouteScope::Workspace);
    let one = (Action::AccessManage, RouteScope::Path(ResourceKind::Webhook, "id"));
    let (native, path) = (Protocol::Native, "/api/v1/webhooks");
    vec![
        Route::new(native, (Method::GET, path), manage, list),
        Route::new(native, (Method::POST, path), manage, create),
        Route::new(native, (Method::DELETE, "/api/v1/webhooks/{id}"), one, remove),
    ]
}

/// A webhook on the wire, without its secret.
#[derive(Debug, Serialize)]
struct WebhookBody {
    id: WebhookId,
    name: Name,
    url: String,
    kinds: Vec<String>,
}

impl WebhookBody {
    /// A webhook in our own dialect; those in another one are not of this API.
    fn of(Webhook { id, definition, .. }: Webhook) -> Option<Self> {
        let Definition { name, url, subscription, .. } = definition;
        let Subscription::Native { kinds, .. } = subscription else { return None };
        Some(Self { id, name, url, kinds })
    }
}

async fn list(State(state): State<AccessState>, caller: Caller) -> Result<Json<Listing<WebhookBody>>, Error> {
    let all = state.reader.webhooks().await?.into_iter();
    let here = all.filter(|(workspace, _)| *workspace == caller.workspace);
    Ok(Json(Listing::whole(here.filter_map(|(_, webhook)| WebhookBody::of(webhook)).collect())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    name: Name,
    url: String,
    kinds: Vec<String>,
}

/// The only answer that holds the secret.
#[derive(Debug, Serialize)]
struct CreatedBody {
    #[serde(flatten)]
    webhook: WebhookBody,
    secret: String,
}

async fn create(
    State(state): State<AccessState>,
    caller: Caller,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<(StatusCode, Json<CreatedBody>), Error> {
    let secret = WebhookSecret::draw(&*state.entropy);
    let shown = secret.reveal();
    let id = WebhookId::draw(&*state.entropy);
    let definition = Definition::native(body.name.clone(), body.url.clone(), body.kinds.clone(), secret)?;
    let command = CreateWebhook { workspace: caller.workspace, id, definition };
    state.commands.run(&caller.principal, command).await?;
    let webhook = WebhookBody { id, name: body.name, url: body.url, kinds: body.kinds };
    Ok((StatusCode::CREATED, Json(CreatedBody { webhook, secret: shown })))
}

async fn remove(
    State(state): State<AccessState>,
    caller: Caller,
    One(id): One<WebhookId>,
) -> Result<StatusCode, Error> {
    let delete = DeleteWebhook { workspace: caller.workspace, id, dialect: Dialect::Native };
    state.commands.run(&caller.principal, delete).await?;
    Ok(StatusCode::NO_CONTENT)
}
