//! `webhooks` with `webhook_events`: those that nobody deleted.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_governance::webhook::mlflow::{
    MlflowEvent, check_description, check_name, check_secret, check_url, webhook_id,
};
use mainstay_governance::webhook::{Definition, Subscription, Webhook, WebhookSecret};
use mainstay_store::params;
use mainstay_store::value::Row;

use super::{Page, Stock, instant};
use crate::error::ImportError;
use crate::finding::Finding;
use crate::unsealing::Unsealing;

const PAGE: u64 = 200;
const ROWS: &str = "SELECT webhook_id, name, description, url, status, secret, creation_timestamp, \
    last_updated_timestamp FROM webhooks \
    WHERE workspace = $1 AND deleted_timestamp IS NULL AND webhook_id > $2 ORDER BY webhook_id LIMIT $3";
const EVENTS: &str = "SELECT webhook_id, entity, action FROM webhook_events \
    WHERE webhook_id > $1 AND webhook_id <= $2 ORDER BY webhook_id, entity, action";
/// A webhook that is told of what happens.
const ACTIVE: &str = "ACTIVE";

/// Webhooks, and the id of the last.
pub type Webhooks = Page<Webhook, String>;

impl Stock {
    /// The webhooks of a workspace behind the one of that id.
    pub async fn webhooks(
        &mut self,
        workspace: &Name,
        after: Option<String>,
    ) -> Result<Webhooks, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ROWS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let events = self.query(EVENTS, params![&after, &last]).await?;
        webhooks(&rows, &events, &self.unsealing, last).map_err(ImportError::Source)
    }
}

fn webhooks(
    rows: &[Row],
    events: &[Row],
    unsealing: &Unsealing,
    last: String,
) -> Result<Webhooks, StorageError> {
    let (mut events_of, mut findings) = (BTreeMap::<&str, Vec<MlflowEvent>>::new(), Vec::new());
    for row in events {
        let (id, name) = (row.text(0)?, format!("{}.{}", row.text(1)?, row.text(2)?));
        match name.parse() {
            Ok(event) => events_of.entry(id).or_default().push(event),
            Err(error) => findings.push(Finding::new(format!("event {name:?} of webhook {id}"), error)),
        }
    }
    let mut items = Vec::new();
    for row in rows {
        let id = row.text(0)?;
        match webhook(row, events_of.remove(id).unwrap_or_default(), unsealing, &mut findings)? {
            Ok(webhook) => items.push(webhook),
            Err(reason) => findings.push(Finding::new(format!("webhook {id:?}"), reason)),
        }
    }
    Ok(Page { items, findings, last: Some(last) })
}

fn webhook(
    row: &Row,
    events: Vec<MlflowEvent>,
    unsealing: &Unsealing,
    findings: &mut Vec<Finding>,
) -> Result<Result<Webhook, String>, StorageError> {
    let sealed = row.opt_text(5)?;
    let secret = sealed.and_then(|sealed| opened(unsealing, sealed));
    let is_closed = sealed.is_some() && secret.is_none();
    // Whoever checks signatures would refuse what comes without one.
    let is_active = row.text(4)? == ACTIVE && !is_closed;
    let definition = || {
        Ok(Definition {
            name: check_name(row.text(1).map_err(told)?).map_err(told)?,
            description: check_description(row.opt_text(2).map_err(told)?.unwrap_or_default().to_owned())
                .map_err(told)?,
            // Where it may go is judged when something is sent.
            url: check_url(row.text(3).map_err(told)?.to_owned(), true).map_err(told)?,
            is_active,
            subscription: Subscription::Mlflow { events, secret },
        })
    };
    let definition = match definition() {
        Ok(definition) => definition,
        Err(reason) => return Ok(Err(reason)),
    };
    let Ok(id) = webhook_id(row.text(0)?) else { return Ok(Err("its id is no UUID".to_owned())) };
    let created = row.opt_int(6)?;
    let (Some(created), Some(updated)) = (instant(created), instant(row.opt_int(7)?.or(created))) else {
        return Ok(Err("its times are beyond all time".to_owned()));
    };
    if is_closed {
        let reason = "its secret cannot be opened: MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY is not set, or not what the \
            stock server had. The webhook comes without it, and inactive; set it anew, and the status to ACTIVE";
        findings.push(Finding::new(format!("the secret of webhook {:?}", definition.name.as_str()), reason));
    }
    Ok(Ok(Webhook { id, definition, created, updated }))
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn opened(unsealing: &Unsealing, sealed: &str) -> Option<WebhookSecret> {
    let bytes = unsealing.webhook(sealed)?;
    check_secret(String::from_utf8(bytes.to_vec()).ok()?).ok()?
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value as Cell;

    use super::*;

    fn row(id: &str, name: &str, secret: Cell) -> Row {
        let cells = [id, name, "", "https://chat.example/x", "ACTIVE"].map(Cell::from);
        Row::new(cells.into_iter().chain([secret, 5_i64.into(), Cell::Null]).collect())
    }

    #[test]
    fn without_its_secret_a_webhook_is_told_nothing() {
        let ids = ["0d6f6a2e-5f9b-4d9a-8a53-1b1f0a9d2c76", "0d6f6a2e-5f9b-4d9a-8a53-1b1f0a9d2c77"];
        let rows = [
            row(ids[0], "open", Cell::Null),
            row(ids[1], "closed", "a token".into()),
            row("x", "-", Cell::Null),
        ];
        let event = |action: &str| Row::new(vec![ids[0].into(), "prompt".into(), action.into()]);
        let unsealing = Unsealing::new(None, None).unwrap();
        let page = webhooks(&rows, &[event("created"), event("eaten")], &unsealing, "x".into()).unwrap();
        let told: Vec<_> =
            page.items.iter().map(|one| (one.definition.name.as_str(), one.definition.is_active)).collect();
        assert_eq!(told, [("open", true), ("closed", false)]);
        let Subscription::Mlflow { events, secret: None } = &page.items[0].definition.subscription else {
            panic!("{:?}", page.items)
        };
        assert_eq!(events[..], [MlflowEvent::PromptCreated]);
        assert_eq!((page.items[0].id.to_string(), page.findings.len()), (ids[0].replace('-', ""), 3));
    }
}
