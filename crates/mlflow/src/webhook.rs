//! Webhooks: create, list, get, update, delete, and try out. Those of our own API are not shown here, nor these
//! there.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::command::CommandError;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest, PageToken};
use mainstay_core::text::clip;
use mainstay_core::time::MachineTime;
use mainstay_governance::command::{CreateWebhook, DeleteWebhook, NewSecret, UpdateWebhook, WebhookChange};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::port::Probed;
use mainstay_governance::webhook::mlflow::{
    InvalidWebhook, MlflowEvent, check_description, check_name, check_secret, check_url, webhook_id,
};
use mainstay_governance::webhook::{Definition, Dialect, Subscription, Webhook, WebhookId};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::table::Table;
use crate::webhook_body::{EventMessage, WebhookBody, events, is_active};
use crate::wire::{Choice, Empty, int64, list as list_of, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let manage = Action::AccessManage;
    Table::v2()
        .post("webhooks", manage, create)
        .get("webhooks", manage, list)
        .get("webhooks/{webhook_id}", manage, get)
        .patch("webhooks/{webhook_id}", manage, update)
        .delete("webhooks/{webhook_id}", manage, delete)
        .post("webhooks/{webhook_id}/test", manage, test)
        .rows()
}

#[derive(Debug, Serialize)]
struct One {
    webhook: WebhookBody,
}

fn one(webhook: Webhook) -> Json<One> {
    Json(One { webhook: webhook.into() })
}

/// The webhooks of this workspace that are of this dialect.
async fn all(state: &Mlflow, workspace: &Name) -> Result<impl Iterator<Item = Webhook>, Error> {
    let all = state.governed.webhooks().await?.into_iter();
    let here = all.filter(move |(at, webhook)| {
        at == workspace && webhook.definition.subscription.dialect() == Dialect::Mlflow
    });
    Ok(here.map(|(_, webhook)| webhook))
}

/// The webhook that a path names.
async fn existing(state: &Mlflow, workspace: &Name, id: &str) -> Result<Webhook, Error> {
    let none = || MlflowError::NoWebhook(clip(id));
    let wanted = webhook_id(id).map_err(|_| none())?;
    let found = all(state, workspace).await?.find(|webhook| webhook.id == wanted);
    Ok(found.ok_or_else(none)?)
}

/// Says of a webhook that went away in the meantime what is said of one that never was.
fn refused(error: CommandError<GovernanceError>) -> Error {
    match error {
        CommandError::Refused(GovernanceError::NoWebhook(id)) => {
            MlflowError::NoWebhook(id.to_string()).into()
        }
        error => error.into(),
    }
}

/// What a request says of a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    name: Option<String>,
    url: Option<String>,
    #[serde(deserialize_with = "list_of")]
    events: Vec<EventMessage>,
    description: Option<String>,
    secret: Option<String>,
    status: Option<Choice>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let (name, url) = (required("name", request.name)?, required("url", request.url)?);
    if request.events.is_empty() {
        return Err(MlflowError::Missing("events").into());
    }
    let (is_active, events) = (is_active(request.status.as_ref())?, events(&request.events)?);
    let definition = Definition {
        name: check_name(&name)?,
        url: check_url(url, state.webhooks.allows_private())?,
        description: check_description(request.description.unwrap_or_default())?,
        is_active: is_active.unwrap_or(true),
        subscription: Subscription::Mlflow {
            events,
            secret: check_secret(request.secret.unwrap_or_default())?,
        },
    };
    let id = WebhookId::draw(&*state.entropy);
    let command = CreateWebhook { workspace: caller.workspace, id, definition };
    Ok(one(state.governance.run(&caller.principal, command).await?))
}

/// By what webhooks are listed.
type Key = (MachineTime, WebhookId);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

impl Wanted {
    fn page(self) -> Result<PageRequest, Error> {
        let limit = match self.max_results {
            None | Some(0) => 100,
            Some(number) => {
                let wanted = usize::try_from(number).ok().filter(|wanted| *wanted <= 1_000);
                wanted.ok_or(MlflowError::WebhookPage)?
            }
        };
        let token = self.page_token.filter(|token| !token.is_empty());
        let after = token.map(|token| token.parse::<PageToken>()).transpose()?;
        Ok(PageRequest { limit, after })
    }
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    webhooks: Vec<WebhookBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Wanted>,
) -> Result<Json<Found>, Error> {
    let page = request.page()?;
    let all = all(&state, &caller.workspace).await?;
    let key = |webhook: &Webhook| -> Key { (webhook.created, webhook.id) };
    // The newest first.
    let newest = |a: &Key, b: &Key| (Reverse(a.0), a.1).cmp(&(Reverse(b.0), b.1));
    let found = Page::sorted(all, &page, key, newest)?;
    Ok(Json(Found {
        webhooks: found.items.into_iter().map(WebhookBody::from).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<One>, Error> {
    Ok(one(existing(&state, &caller.workspace, &id).await?))
}

/// What a request changes. An empty name, URL or list of events is left as it is; an empty description or
/// secret replaces the one that there was.
fn change(
    request: Message,
    (is_active, events): (Option<bool>, Vec<MlflowEvent>),
    allow_private: bool,
) -> Result<WebhookChange, InvalidWebhook> {
    let filled = |text: &String| !text.is_empty();
    let name = request.name.filter(filled).map(|name| check_name(&name)).transpose()?;
    let url = request.url.filter(filled).map(|url| check_url(url, allow_private)).transpose()?;
    let description = request.description.map(check_description).transpose()?;
    let secret = request.secret.map(check_secret).transpose()?;
    let secret = secret.map(|secret| secret.map_or(NewSecret::None, NewSecret::Is));
    let events = Some(events).filter(|events| !events.is_empty());
    Ok(WebhookChange { name, description, url, is_active, events, secret })
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let said = (is_active(request.status.as_ref())?, events(&request.events)?);
    let id = existing(&state, &caller.workspace, &id).await?.id;
    let change = change(request, said, state.webhooks.allows_private())?;
    let command = UpdateWebhook { workspace: caller.workspace, id, change };
    Ok(one(state.governance.run(&caller.principal, command).await.map_err(refused)?))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Empty>, Error> {
    let id = existing(&state, &caller.workspace, &id).await?.id;
    let command = DeleteWebhook { workspace: caller.workspace, id, dialect: Dialect::Mlflow };
    state.governance.run(&caller.principal, command).await.map_err(refused)?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Trial {
    event: Option<EventMessage>,
}

/// `WebhookTestResult`.
#[derive(Debug, Serialize)]
struct Outcome {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

impl From<Probed> for Outcome {
    fn from(probed: Probed) -> Self {
        let none = Self { success: false, response_status: None, response_body: None, error_message: None };
        match probed {
            Probed::Answered { status, body } => Self {
                success: status < 400,
                response_status: Some(status),
                response_body: Some(body),
                ..none
            },
            Probed::Unanswered(why) => {
                Self { error_message: Some(format!("Failed to test webhook: {why}")), ..none }
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Tried {
    result: Outcome,
}

/// Sends an example of the event that was named, or else of the webhook's first one.
async fn test(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Trial>,
) -> Result<Json<Tried>, Error> {
    let named = request.event.map(|event| event.read()).transpose()?;
    let webhook = existing(&state, &caller.workspace, &id).await?;
    let first = match &webhook.definition.subscription {
        Subscription::Mlflow { events, .. } => events.first().copied(),
        Subscription::Native { .. } => None,
    };
    let event = named.or(first).ok_or(MlflowError::NoWebhook(id))?;
    Ok(Json(Tried { result: state.webhooks.probe(&webhook, event).await.into() }))
}
