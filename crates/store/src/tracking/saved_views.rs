//! Views of runs that people keep.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_tracking::saved_view::port::{SavedViewReader, SavedViewTx};
use mainstay_tracking::saved_view::{SavedView, ViewQuery};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

const VIEWS: &str = "SELECT name, experiments, query, author, saved FROM saved_views WHERE workspace = $1 \
    ORDER BY name";
const VIEW: &str = "SELECT name, experiments, query, author, saved FROM saved_views \
    WHERE workspace = $1 AND name = $2";
const PUT: &str = "INSERT INTO saved_views (workspace, name, experiments, query, author, saved) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace, name) DO UPDATE SET \
    experiments = excluded.experiments, query = excluded.query, author = excluded.author, saved = excluded.saved";

#[async_trait]
impl SavedViewTx for StoreTx {
    async fn other_views(&mut self, name: &Name) -> Result<u64, StorageError> {
        let sql = "SELECT COUNT(*) FROM saved_views WHERE workspace = $1 AND name <> $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        row.map_or(Ok(0), |row| row.count(0))
    }

    async fn put_view(&mut self, view: &SavedView) -> Result<(), StorageError> {
        let row = params![
            self.workspace().as_str(),
            view.name.as_str(),
            json_text(&view.experiments)?,
            view.query.as_str(),
            &view.author,
            view.saved.micros(),
        ];
        self.execute(PUT, row).await.map(drop)
    }

    async fn delete_view(&mut self, name: &Name) -> Result<bool, StorageError> {
        let sql = "DELETE FROM saved_views WHERE workspace = $1 AND name = $2";
        let deleted = self.execute(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        Ok(deleted > 0)
    }
}

#[async_trait]
impl SavedViewReader for Reader {
    async fn saved_views(&self, workspace: &Name) -> Result<Vec<SavedView>, StorageError> {
        let key = params![workspace.as_str()].to_vec();
        let rows = self.read(move |tx| Box::pin(async move { tx.query(VIEWS, &key).await })).await?;
        rows.iter().map(saved_view).collect()
    }

    async fn saved_view(&self, workspace: &Name, name: &Name) -> Result<Option<SavedView>, StorageError> {
        let key = params![workspace.as_str(), name.as_str()].to_vec();
        let row = self.read(move |tx| Box::pin(async move { tx.query_one(VIEW, &key).await })).await?;
        row.as_ref().map(saved_view).transpose()
    }
}

fn saved_view(row: &Row) -> Result<SavedView, StorageError> {
    Ok(SavedView {
        name: row.parsed(0)?,
        experiments: row.json(1)?,
        query: ViewQuery::new(row.text(2)?).map_err(|error| StorageError::Corrupt(error.to_string()))?,
        author: row.text(3)?.to_owned(),
        saved: MachineTime::from_micros(row.int(4)?),
    })
}
