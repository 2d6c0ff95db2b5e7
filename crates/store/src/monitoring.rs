//! The monitoring domain's port: alarms, and the figures of looks.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::id::AlarmId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_monitoring::port::{AlarmFilter, MonitoringReader, MonitoringTx};
use mainstay_monitoring::record::{RecordedAlarm, RecordedLook};
use mainstay_monitoring::reference::Family;
use mainstay_monitoring::watch::FindingKey;

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{after, documents, json_text};

#[async_trait]
impl MonitoringTx for StoreTx {
    async fn alarm(
        &mut self,
        endpoint: &Name,
        finding: &FindingKey,
    ) -> Result<Option<RecordedAlarm>, StorageError> {
        let sql = "SELECT document FROM alarms WHERE workspace = $1 AND endpoint = $2 AND finding = $3";
        let key = params![self.workspace().as_str(), endpoint.as_str(), finding.to_string()];
        self.query_one(sql, key).await?.map(|row| row.json(0)).transpose()
    }

    async fn put_alarm(&mut self, alarm: &RecordedAlarm) -> Result<(), StorageError> {
        let sql = "INSERT INTO alarms (id, workspace, endpoint, finding, is_open, number, document) \
            SELECT $1, $2, $3, $4, $5, COALESCE(MAX(number), 0) + 1, $6 FROM alarms WHERE workspace = $2 \
            ON CONFLICT (id) DO UPDATE SET is_open = excluded.is_open, document = excluded.document";
        let row = params![
            alarm.id.to_string(),
            self.workspace().as_str(),
            alarm.endpoint.as_str(),
            alarm.finding.to_string(),
            alarm.resolution.is_none(),
            json_text(alarm)?,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn put_look(&mut self, endpoint: &Name, look: &RecordedLook) -> Result<(), StorageError> {
        let sql = "INSERT INTO monitor_looks (workspace, endpoint, family, day, finding, document) \
            VALUES ($1, $2, $3, $4, $5, $6) \
            ON CONFLICT (workspace, endpoint, family, day, finding) DO UPDATE SET document = excluded.document";
        let row = params![
            self.workspace().as_str(),
            endpoint.as_str(),
            look.finding.family.as_str(),
            look.finding.day,
            look.finding.to_string(),
            json_text(look)?,
        ];
        self.execute(sql, row).await.map(drop)
    }
}

#[async_trait]
impl MonitoringReader for Reader {
    async fn alarm(&self, workspace: &Name, id: &AlarmId) -> Result<Option<RecordedAlarm>, StorageError> {
        let sql = "SELECT document FROM alarms WHERE workspace = $1 AND id = $2";
        let rows = self.rows(sql, params![workspace.as_str(), id.to_string()]).await?;
        rows.first().map(|row| row.json(0)).transpose()
    }

    async fn alarms(
        &self,
        workspace: &Name,
        filter: &AlarmFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordedAlarm>, StorageError> {
        // No endpoint has the empty name.
        let sql = "SELECT document, number FROM alarms WHERE workspace = $1 AND ($2 = '' OR endpoint = $2) \
            AND is_open >= $3 AND number < $4 ORDER BY number DESC LIMIT $5";
        let before = after(page)?.unwrap_or(i64::MAX);
        let endpoint = filter.endpoint.as_ref().map_or("", Name::as_str);
        let key = params![workspace.as_str(), endpoint, filter.open_only, before, page.limit as u64 + 1];
        let rows = self.rows(sql, key).await?;
        let numbered = rows.iter().map(|row| Ok((row.json(0)?, row.int(1)?)));
        let numbered = numbered.collect::<Result<Vec<(RecordedAlarm, i64)>, StorageError>>()?;
        let page = Page::of(numbered, page.limit, |(_, number)| *number);
        Ok(Page { items: page.items.into_iter().map(|(alarm, _)| alarm).collect(), next: page.next })
    }

    async fn looks(
        &self,
        workspace: &Name,
        endpoint: &Name,
        family: Family,
        page: &PageRequest,
    ) -> Result<Page<RecordedLook>, StorageError> {
        let sql = "SELECT document FROM monitor_looks WHERE workspace = $1 AND endpoint = $2 \
            AND family = $3 AND (day < $4 OR (day = $4 AND finding > $5)) ORDER BY day DESC, finding LIMIT $6";
        let (day, finding) = after::<(i64, String)>(page)?.unwrap_or((i64::MAX, String::new()));
        let limit = page.limit as u64 + 1;
        let key = params![workspace.as_str(), endpoint.as_str(), family.as_str(), day, finding, limit];
        let looks: Vec<RecordedLook> = documents(&self.rows(sql, key).await?)?;
        Ok(Page::of(looks, page.limit, |look| (look.finding.day, look.finding.to_string())))
    }
}
