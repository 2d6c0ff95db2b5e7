//! Webhooks are made, changed and removed.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::{Value, json};

use crate::error::GovernanceError;
use crate::port::GovernanceTx;
use crate::webhook::mlflow::MlflowEvent;
use crate::webhook::{Definition, Dialect, Subscription, Webhook, WebhookId, WebhookSecret};

/// By how much the time of a change moves at least, in microseconds: MLflow's clients see milliseconds.
const NEXT_MILLISECOND: i64 = 1_000;

/// Creates a webhook. Event: `webhook.created`, without secret and path.
#[derive(Debug, Clone)]
pub struct CreateWebhook {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: WebhookId,
    /// What it is.
    pub definition: Definition,
}

#[async_trait]
impl Command for CreateWebhook {
    type Tx = dyn GovernanceTx;
    type Out = Webhook;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        webhook_scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Webhook, GovernanceError> {
        let now = tx.now();
        let webhook =
            Webhook { id: self.id, definition: self.definition.clone(), created: now, updated: now };
        tx.insert_webhook(&webhook).await?;
        tx.record(Event::new("webhook.created", self.scope().subject, told(&webhook.definition)));
        Ok(webhook)
    }
}

/// What of a webhook in MLflow's dialect is replaced, each checked by its function in
/// [`mlflow`](crate::webhook::mlflow); what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// The name.
    pub name: Option<Name>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it goes.
    pub url: Option<String>,
    /// Whether it is told anything.
    pub is_active: Option<bool>,
    /// Of what it is told.
    pub events: Option<Vec<MlflowEvent>>,
    /// What it is signed with.
    pub secret: Option<NewSecret>,
}

/// What becomes of a secret.
#[derive(Debug, Clone)]
pub enum NewSecret {
    /// Deliveries are signed with this one.
    Is(WebhookSecret),
    /// They are not signed any more.
    None,
}

/// Changes a webhook in MLflow's dialect. If it is told of other events than before, or was not active, it is
/// told of what happens from then on; else what it was not told of yet goes on, to where it now is. Event:
/// `webhook.changed`, without secret and path.
#[derive(Debug, Clone)]
pub struct UpdateWebhook {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: WebhookId,
    /// What is different.
    pub change: WebhookChange,
}

impl UpdateWebhook {
    /// The definition afterwards; `None` if it is not of MLflow's dialect.
    fn changed(&self, old: &Definition) -> Option<Definition> {
        let Subscription::Mlflow { events, secret } = &old.subscription else { return None };
        let change = self.change.clone();
        let secret = match change.secret {
            None => secret.clone(),
            Some(NewSecret::None) => None,
            Some(NewSecret::Is(secret)) => Some(secret),
        };
        let events = change.events.unwrap_or_else(|| events.clone());
        Some(Definition {
            name: change.name.unwrap_or_else(|| old.name.clone()),
            description: change.description.unwrap_or_else(|| old.description.clone()),
            url: change.url.unwrap_or_else(|| old.url.clone()),
            is_active: change.is_active.unwrap_or(old.is_active),
            subscription: Subscription::Mlflow { events, secret },
        })
    }
}

#[async_trait]
impl Command for UpdateWebhook {
    type Tx = dyn GovernanceTx;
    type Out = Webhook;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        webhook_scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Webhook, GovernanceError> {
        let old = tx.webhook(self.id).await?.ok_or(GovernanceError::NoWebhook(self.id))?;
        let definition = self.changed(&old.definition).ok_or(GovernanceError::NoWebhook(self.id))?;
        let updated = tx.now().max(old.updated.plus(NEXT_MILLISECOND));
        let webhook = Webhook { definition, updated, ..old.clone() };
        tx.update_webhook(&webhook).await?;
        let begins = webhook.definition.is_active && !old.definition.is_active;
        if begins || events(&webhook.definition) != events(&old.definition) {
            tx.forget_untold(self.id).await?;
        }
        tx.record(Event::new("webhook.changed", self.scope().subject, told(&webhook.definition)));
        Ok(webhook)
    }
}

/// Removes a webhook. Event: `webhook.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteWebhook {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: WebhookId,
    /// Of which dialect it must be.
    pub dialect: Dialect,
}

#[async_trait]
impl Command for DeleteWebhook {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        webhook_scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        let known = tx.webhook(self.id).await?;
        if !known.is_some_and(|known| known.definition.subscription.dialect() == self.dialect) {
            return Err(GovernanceError::NoWebhook(self.id));
        }
        tx.delete_webhook(self.id).await?;
        tx.record(Event::new("webhook.deleted", self.scope().subject, json!({})));
        Ok(())
    }
}

/// How the record names a webhook.
pub(crate) fn subject(id: WebhookId) -> Subject {
    Subject::new(ResourceKind::Webhook, id)
}

fn webhook_scope(workspace: &Name, id: WebhookId) -> Scope {
    Scope::new(workspace.clone(), subject(id))
}

fn events(definition: &Definition) -> &[MlflowEvent] {
    match &definition.subscription {
        Subscription::Native { .. } => &[],
        Subscription::Mlflow { events, .. } => events,
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..host + end)).unwrap_or(url)
}

/// What the record says of a definition: all but secrets. A path is often one, as with the URLs that chats give out,
/// and the record has more readers than there are admins; its digest tells one from another.
pub(crate) fn told(definition: &Definition) -> Value {
    let Definition { name, description, url, is_active, subscription } = definition;
    let (origin, url) = (origin(url), Digest::of(url.as_bytes()));
    match subscription {
        Subscription::Native { kinds, .. } => {
            json!({"name": name, "origin": origin, "url": url, "kinds": kinds})
        }
        Subscription::Mlflow { events, secret } => {
            let events: Vec<_> = events.iter().map(MlflowEvent::to_string).collect();
            json!({
                "name": name, "description": description, "origin": origin, "url": url, "active": is_active,
                "dialect": subscription.dialect().as_str(), "events": events, "signed": secret.is_some(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_stands_before_the_path() {
        for (url, expected) in [
            ("https://chat.example/T0/secret", "https://chat.example"),
            ("http://[::1]:80?x", "http://[::1]:80"),
            ("https://chat.example#x/y", "https://chat.example"),
            ("https://chat.example:1", "https://chat.example:1"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
