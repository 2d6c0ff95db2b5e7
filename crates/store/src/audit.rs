//! The log as the auditor reads it: every stored byte that the tree protects.

use async_trait::async_trait;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::{Frontier, Head, KeyId, SignedHead, StoredEvent};
use mainstay_governance::port::AuditTx;

use crate::driver::Connection;
use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::Row;

const ROWS: &str = "SELECT seq, at, kind, actor, workspace, subject, body, salt, body_digest, leaf \
    FROM events WHERE seq > $1 ORDER BY seq ASC LIMIT $2";

impl Reader {
    /// The events after a position, oldest first, byte for byte.
    pub async fn audit_rows(&self, after: EventSeq, limit: usize) -> Result<Vec<StoredEvent>, StorageError> {
        self.read(move |tx| Box::pin(async move { audit_page(&mut tx.connection, after, limit).await })).await
    }

    /// The right edge of the tree as the store keeps it.
    pub async fn frontier(&self) -> Result<Frontier, StorageError> {
        let read = self.read(|tx| {
            Box::pin(async move {
                let row = tx.query_one("SELECT frontier FROM audit_tree WHERE id = 1", params![]).await?;
                let row =
                    row.ok_or_else(|| StorageError::Corrupt("the audit tree has no frontier".into()))?;
                Frontier::from_bytes(row.blob(0)?).map_err(|e| StorageError::Corrupt(e.to_string()))
            })
        });
        read.await
    }
}

/// The events after a position as a transaction sees them, oldest first.
pub(crate) async fn audit_page(
    connection: &mut Connection,
    after: EventSeq,
    limit: usize,
) -> Result<Vec<StoredEvent>, StorageError> {
    connection.query(ROWS, params![after.0, limit as u64]).await?.iter().map(stored).collect()
}

const HEADS: &str = "SELECT size, at, root, key_id, signature FROM audit_heads ORDER BY size DESC LIMIT $1";

impl Reader {
    /// The newest signed heads, the newest first.
    pub async fn signed_heads(&self, limit: usize) -> Result<Vec<SignedHead>, StorageError> {
        let rows = self.rows(HEADS, params![limit as u64]).await?;
        rows.iter().map(signed_head).collect()
    }
}

fn signed_head(row: &Row) -> Result<SignedHead, StorageError> {
    let head =
        Head { size: row.count(0)?, time: MachineTime::from_micros(row.int(1)?), root: digest(row, 2)? };
    Ok(SignedHead { head, key: KeyId::stored(row.text(3)?), signature: hex::encode(row.blob(4)?) })
}

#[async_trait]
impl AuditTx for StoreTx {
    async fn insert_head(&mut self, signed: &SignedHead) -> Result<(), StorageError> {
        let sql = "INSERT INTO audit_heads (size, at, root, key_id, signature) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (size) DO NOTHING";
        let signature = hex::decode(&signed.signature).map_err(|error| StorageError::Failed(error.into()))?;
        let head = &signed.head;
        let row = params![
            head.size,
            head.time.micros(),
            head.root.as_bytes().to_vec(),
            signed.key.as_str(),
            signature,
        ];
        self.execute(sql, row).await.map(drop)
    }
}

fn stored(row: &Row) -> Result<StoredEvent, StorageError> {
    let salt =
        row.opt_blob(7)?.map(|bytes| bytes.try_into().map_err(|_| wrong_length("salt"))).transpose()?;
    Ok(StoredEvent {
        seq: EventSeq(row.count(0)?),
        at: MachineTime::from_micros(row.int(1)?),
        kind: row.text(2)?.to_owned(),
        actor: row.text(3)?.to_owned(),
        workspace: row.text(4)?.to_owned(),
        subject: row.text(5)?.to_owned(),
        body: row.opt_text(6)?.map(str::to_owned),
        salt,
        body_digest: digest(row, 8)?,
        leaf: digest(row, 9)?,
    })
}

fn digest(row: &Row, column: usize) -> Result<Digest, StorageError> {
    Ok(Digest::from_bytes(row.blob(column)?.try_into().map_err(|_| wrong_length("digest"))?))
}

fn wrong_length(what: &str) -> StorageError {
    StorageError::Corrupt(format!("an event's {what} has a wrong length"))
}
