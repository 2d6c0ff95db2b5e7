//! Up to which event each webhook was told.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_governance::port::DeliveryTx;
use mainstay_governance::webhook::WebhookId;

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;

#[async_trait]
impl DeliveryTx for StoreTx {
    async fn put_cursor(&mut self, webhook: WebhookId, position: EventSeq) -> Result<(), StorageError> {
        let sql = "INSERT INTO webhook_cursors (webhook, position) SELECT id, $2 FROM webhooks WHERE id = $1 \
            ON CONFLICT (webhook) DO UPDATE SET position = excluded.position \
            WHERE webhook_cursors.position < excluded.position";
        self.execute(sql, params![webhook.to_string(), position.0]).await.map(drop)
    }
}

impl Reader {
    /// Up to which event a webhook was told; `None` before its first.
    pub async fn webhook_cursor(&self, webhook: WebhookId) -> Result<Option<EventSeq>, StorageError> {
        let sql = "SELECT position FROM webhook_cursors WHERE webhook = $1";
        let rows = self.rows(sql, params![webhook.to_string()]).await?;
        rows.first().map(|row| row.count(0).map(EventSeq)).transpose()
    }
}
