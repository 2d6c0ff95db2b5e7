//! Webhooks.

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_governance::webhook::{
    Definition, Dialect, Subscription, Webhook, WebhookId, WebhookSecret, mlflow::MlflowEvent,
};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

const ONE: &str = "SELECT workspace, id, name, url, kinds, secret, dialect, description, active, created, updated \
    FROM webhooks WHERE workspace = $1 AND id = $2";
const ALL: &str = "SELECT workspace, id, name, url, kinds, secret, dialect, description, active, created, updated \
    FROM webhooks ORDER BY workspace, id";

/// The columns `kinds` and `secret`.
fn subscribed(subscription: &Subscription) -> Result<(String, Vec<u8>), StorageError> {
    Ok(match subscription {
        Subscription::Native { kinds, secret } => (json_text(kinds)?, secret.as_bytes().to_vec()),
        Subscription::Mlflow { events, secret } => {
            let events: Vec<_> = events.iter().map(MlflowEvent::to_string).collect();
            let secret = secret.as_ref().map(|secret| secret.as_bytes().to_vec());
            (json_text(&events)?, secret.unwrap_or_default())
        }
    })
}

pub(super) async fn insert(tx: &mut StoreTx, webhook: &Webhook) -> Result<(), StorageError> {
    let sql = "INSERT INTO webhooks (id, workspace, name, url, kinds, secret, dialect, description, active, \
        created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let Definition { name, description, url, is_active, subscription } = &webhook.definition;
    let (kinds, secret) = subscribed(subscription)?;
    let row = params![
        webhook.id.to_string(),
        tx.context.workspace.as_str(),
        name.as_str(),
        url,
        kinds,
        secret,
        subscription.dialect().as_str(),
        description,
        *is_active,
        webhook.created.micros(),
        webhook.updated.micros(),
    ];
    tx.execute(sql, row).await.map(drop)
}

pub(super) async fn one(tx: &mut StoreTx, id: WebhookId) -> Result<Option<Webhook>, StorageError> {
    let row = tx.query_one(ONE, params![tx.context.workspace.as_str(), id.to_string()]).await?;
    row.map(|row| read(&row).map(|(_, webhook)| webhook)).transpose()
}

pub(super) async fn update(tx: &mut StoreTx, webhook: &Webhook) -> Result<(), StorageError> {
    let sql = "UPDATE webhooks SET name = $3, url = $4, kinds = $5, secret = $6, description = $7, active = $8, \
        updated = $9 WHERE workspace = $1 AND id = $2";
    let Definition { name, description, url, is_active, subscription } = &webhook.definition;
    let (kinds, secret) = subscribed(subscription)?;
    let row = params![
        tx.context.workspace.as_str(),
        webhook.id.to_string(),
        name.as_str(),
        url,
        kinds,
        secret,
        description,
        *is_active,
        webhook.updated.micros(),
    ];
    tx.execute(sql, row).await.map(drop)
}

/// The events of the group that is being written have no position yet, so they are still told.
pub(super) async fn forget_untold(tx: &mut StoreTx, id: WebhookId) -> Result<(), StorageError> {
    let sql = "INSERT INTO webhook_cursors (webhook, position) \
        SELECT webhooks.id, audit_tree.size FROM webhooks, audit_tree \
        WHERE webhooks.workspace = $1 AND webhooks.id = $2 AND audit_tree.id = 1 \
        ON CONFLICT (webhook) DO UPDATE SET position = excluded.position";
    tx.execute(sql, params![tx.context.workspace.as_str(), id.to_string()]).await.map(drop)
}

pub(super) async fn delete(tx: &mut StoreTx, id: WebhookId) -> Result<bool, StorageError> {
    let cursor = "DELETE FROM webhook_cursors WHERE webhook IN \
        (SELECT id FROM webhooks WHERE workspace = $1 AND id = $2)";
    let key = params![tx.context.workspace.as_str(), id.to_string()];
    tx.execute(cursor, key).await?;
    let sql = "DELETE FROM webhooks WHERE workspace = $1 AND id = $2";
    Ok(tx.execute(sql, params![tx.context.workspace.as_str(), id.to_string()]).await? > 0)
}

pub(super) async fn all(reader: &Reader) -> Result<Vec<(Name, Webhook)>, StorageError> {
    reader.rows(ALL, params![]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(Name, Webhook), StorageError> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("a webhook's {what}"));
    let (kinds, secret): (Vec<String>, _) = (row.json(4)?, row.blob(5)?);
    let secret = Some(secret).filter(|secret| !secret.is_empty()).map(WebhookSecret::from_bytes);
    let subscription = match Dialect::named(row.text(6)?).ok_or_else(|| corrupt("dialect"))? {
        Dialect::Native => Subscription::Native { kinds, secret: secret.ok_or_else(|| corrupt("secret"))? },
        Dialect::Mlflow => {
            let events = kinds.iter().map(|event| event.parse().map_err(|_| corrupt("events")));
            Subscription::Mlflow { events: events.collect::<Result<_, _>>()?, secret }
        }
    };
    let definition = Definition {
        name: row.parsed(2)?,
        description: row.text(7)?.to_owned(),
        url: row.text(3)?.to_owned(),
        is_active: row.flag(8)?,
        subscription,
    };
    let webhook = Webhook {
        id: row.parsed(1)?,
        definition,
        created: MachineTime::from_micros(row.int(9)?),
        updated: MachineTime::from_micros(row.int(10)?),
    };
    Ok((row.parsed(0)?, webhook))
}
