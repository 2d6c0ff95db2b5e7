//! The reading side.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_retention::port::PurgeReader;
use mainstay_retention::purge::{Item, Purge, PurgeId};
use mainstay_retention::target::{Found, Hold, Target};

use super::{find, holds};
use crate::params;
use crate::reader::Reader;
use crate::value::{after, document, documents};

/// The newest first: behind a start and an id.
const PURGES: &str = "SELECT document FROM purges WHERE workspace = $1 AND (started < $2 OR (started = $2 AND id < $3)) \
    ORDER BY started DESC, id DESC LIMIT $4";
const PURGE: &str = "SELECT document FROM purges WHERE workspace = $1 AND id = $2";
const UNFINISHED: &str =
    "SELECT workspace, id FROM purges WHERE finished IS NULL ORDER BY started, id LIMIT $1";
/// An experiment waits for what lies in it.
const ITEMS: &str = "SELECT kind, id, place, measured, elsewhere FROM purge_items WHERE purge = $1 \
    ORDER BY CASE kind WHEN 'experiment' THEN 1 ELSE 0 END, kind, id LIMIT $2";

#[async_trait]
impl PurgeReader for Reader {
    async fn purges(&self, workspace: &Name, page: &PageRequest) -> Result<Page<Purge>, StorageError> {
        let (started, id) = after::<(i64, String)>(page)?.unwrap_or((i64::MAX, String::new()));
        let rows = self
            .rows(PURGES, params![workspace.as_str(), started, id, page.limit.saturating_add(1) as u64])
            .await?;
        let purges: Vec<Purge> = documents(&rows)?;
        Ok(Page::of(purges, page.limit, |purge| (purge.started.micros(), purge.id.to_string())))
    }

    async fn purge(&self, workspace: &Name, id: PurgeId) -> Result<Option<Purge>, StorageError> {
        document(self.rows(PURGE, params![workspace.as_str(), id.to_string()]).await?.first())
    }

    async fn unfinished_purges(&self, limit: usize) -> Result<Vec<(Name, PurgeId)>, StorageError> {
        let rows = self.rows(UNFINISHED, params![limit as u64]).await?;
        rows.iter().map(|row| Ok((row.parsed(0)?, row.parsed(1)?))).collect()
    }

    async fn purge_items(&self, purge: PurgeId, limit: usize) -> Result<Vec<Item>, StorageError> {
        let rows = self.rows(ITEMS, params![purge.to_string(), limit as u64]).await?;
        let item = |row: &crate::value::Row| {
            let target = Target { kind: row.parsed(0)?, id: row.text(1)?.to_owned() };
            let (is_measured, is_elsewhere) = (row.flag(3)?, row.flag(4)?);
            Ok(Item { target, place: row.text(2)?.to_owned(), is_measured, is_elsewhere })
        };
        rows.iter().map(item).collect()
    }

    async fn look_up(
        &self,
        workspace: &Name,
        targets: &[Target],
    ) -> Result<Vec<(Found, Vec<Hold>)>, StorageError> {
        let (workspace, targets) = (workspace.clone(), targets.to_vec());
        self.read(move |tx| {
            Box::pin(async move {
                let mut known = Vec::with_capacity(targets.len());
                for target in &targets {
                    if let Some(found) = find(tx, workspace.as_str(), target).await? {
                        let holds = holds::holds(tx, workspace.as_str(), &found).await?;
                        known.push((found, holds));
                    }
                }
                Ok(known)
            })
        })
        .await
    }
}
