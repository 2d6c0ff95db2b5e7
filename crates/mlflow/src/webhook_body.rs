//! Webhooks on the wire, and how their events and states are read.

use mainstay_core::name::Name;
use mainstay_governance::webhook::mlflow::{MlflowAction, MlflowEntity, MlflowEvent};
use mainstay_governance::webhook::{Definition, Subscription, Webhook, WebhookId};
use serde::{Deserialize, Serialize};

use crate::wire::Choice;
use crate::{Error, MlflowError};

/// `WebhookStatus`, counted from 1.
const STATUSES: [&str; 2] = ["ACTIVE", "DISABLED"];

#[derive(Debug, Serialize)]
struct EventBody {
    entity: String,
    action: String,
}

impl From<&MlflowEvent> for EventBody {
    fn from(event: &MlflowEvent) -> Self {
        let (entity, action) = event.parts();
        Self { entity: entity.as_str().to_ascii_uppercase(), action: action.as_str().to_ascii_uppercase() }
    }
}

/// `Webhook`, without its secret.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookBody {
    webhook_id: WebhookId,
    name: Name,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    url: String,
    events: Vec<EventBody>,
    status: &'static str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
}

impl From<Webhook> for WebhookBody {
    fn from(Webhook { id, definition, created, updated }: Webhook) -> Self {
        let Definition { name, description, url, is_active, subscription } = definition;
        let events = match &subscription {
            Subscription::Native { .. } => Vec::new(),
            Subscription::Mlflow { events, .. } => events.iter().map(EventBody::from).collect(),
        };
        let [active, disabled] = STATUSES;
        Self {
            webhook_id: id,
            name,
            description,
            url,
            events,
            status: if is_active { active } else { disabled },
            creation_timestamp: created.millis(),
            last_updated_timestamp: updated.millis(),
        }
    }
}

/// `WebhookEvent`, as it comes in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventMessage {
    entity: Option<Choice>,
    action: Option<Choice>,
}

impl EventMessage {
    /// The event, if there is one of that action on that entity.
    pub(crate) fn read(&self) -> Result<MlflowEvent, Error> {
        let entity = chosen(self.entity.as_ref(), MlflowEntity::ALL, MlflowEntity::as_str);
        let action = chosen(self.action.as_ref(), MlflowAction::ALL, MlflowAction::as_str);
        let (Some(entity), Some(action)) = (entity, action) else {
            let hint = "an event is an entity and an action, such as MODEL_VERSION and CREATED";
            return Err(MlflowError::invalid("events", format!("{self:?}"), hint).into());
        };
        Ok(MlflowEvent::new(entity, action)?)
    }
}

/// The events, in their order; one that is named again adds nothing.
pub(crate) fn events(messages: &[EventMessage]) -> Result<Vec<MlflowEvent>, Error> {
    let mut events = Vec::new();
    for message in messages {
        let event = message.read()?;
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Ok(events)
}

/// A value by its number, which counts from 1, or by its name in upper case.
fn chosen<T: Copy>(choice: Option<&Choice>, all: &[T], name: impl Fn(T) -> &'static str) -> Option<T> {
    let names: Vec<_> = all.iter().map(|each| name(*each).to_ascii_uppercase()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let chosen = choice?.name(&names, 1)?;
    all.iter().copied().find(|each| name(*each).eq_ignore_ascii_case(chosen))
}

/// Whether a webhook shall be told anything; `None` if nothing is said.
pub(crate) fn is_active(status: Option<&Choice>) -> Result<Option<bool>, MlflowError> {
    let Some(choice) = status else { return Ok(None) };
    let [active, _] = STATUSES;
    match choice.name(&STATUSES, 1) {
        Some(name) => Ok(Some(name == active)),
        None => Err(MlflowError::invalid("status", format!("{choice:?}"), "use ACTIVE or DISABLED")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(messages: serde_json::Value) -> Result<Vec<String>, Error> {
        let messages: Vec<EventMessage> = serde_json::from_value(messages).unwrap();
        Ok(events(&messages)?.iter().map(MlflowEvent::to_string).collect())
    }

    #[test]
    fn events_are_names_or_numbers_in_the_order_of_the_request() {
        let messages = json!([
            {"entity": "PROMPT_ALIAS", "action": "DELETED"},
            {"entity": 1, "action": 1},
            {"entity": "PROMPT_ALIAS", "action": 3},
            {"entity": "BUDGET_POLICY", "action": "EXCEEDED"},
        ]);
        let expected = ["prompt_alias.deleted", "registered_model.created", "budget_policy.exceeded"];
        assert_eq!(read(messages).unwrap(), expected);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for bad in [
            json!({}),
            json!({"entity": "MODEL_VERSION"}),
            json!({"entity": "ENTITY_UNSPECIFIED", "action": "CREATED"}),
            json!({"entity": 0, "action": 1}),
            json!({"entity": 11, "action": 1}),
            json!({"entity": "model_version", "action": "CREATED"}),
            json!({"entity": "MODEL_VERSION", "action": "UPDATED"}),
        ] {
            assert!(read(json!([bad])).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_status_is_a_name_or_a_number() {
        let name = |name: &str| Choice::Name(name.to_owned());
        assert_eq!(is_active(None), Ok(None));
        assert_eq!(is_active(Some(&name("ACTIVE"))), Ok(Some(true)));
        assert_eq!(is_active(Some(&Choice::Number(2))), Ok(Some(false)));
        for bad in [name("active"), name(""), Choice::Number(0), Choice::Number(3)] {
            assert!(is_active(Some(&bad)).is_err(), "{bad:?}");
        }
    }
}
