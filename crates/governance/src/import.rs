//! Webhooks that another server kept, brought in whole; as they were there.

use mainstay_core::error::StorageError;
use mainstay_core::event::Event;

use crate::command::{webhook_subject, webhook_told};
use crate::port::GovernanceTx;
use crate::webhook::Webhook;

/// Adds a webhook. Event: `webhook.imported`, without secret and path.
pub async fn put_webhook(tx: &mut dyn GovernanceTx, webhook: &Webhook) -> Result<(), StorageError> {
    tx.insert_webhook(webhook).await?;
    tx.record(Event::new("webhook.imported", webhook_subject(webhook.id), webhook_told(&webhook.definition)));
    Ok(())
}
