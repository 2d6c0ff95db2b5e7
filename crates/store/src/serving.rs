//! The serving domain's port: endpoints, their revisions and rollouts, and sealed segments.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::id::{PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::port::{GateStatus, ServingStore, ServingTx};
use mainstay_serving::revision::Revision;
use mainstay_serving::rollout::Rollout;
use mainstay_serving::segment::{SealedSegment, SegmentId, SegmentKind};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{Row, after, document, documents, json_text};

const NEWEST_REVISION: &str = "SELECT document FROM endpoint_revisions \
    WHERE workspace = $1 AND endpoint = $2 ORDER BY number DESC LIMIT 1";

#[async_trait]
impl ServingTx for StoreTx {
    async fn endpoint(&mut self, name: &Name) -> Result<Option<Endpoint>, StorageError> {
        let sql = "SELECT document FROM endpoints WHERE workspace = $1 AND name = $2";
        document(self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?.as_ref())
    }

    async fn governed_endpoint(&mut self, model: &Name) -> Result<Option<Name>, StorageError> {
        let sql = "SELECT name FROM endpoints WHERE workspace = $1 AND model = $2 AND governed = 1 \
            ORDER BY name LIMIT 1";
        let row = self.query_one(sql, params![self.workspace().as_str(), model.as_str()]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn put_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError> {
        let sql = "INSERT INTO endpoints (workspace, name, model, governed, document) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (workspace, name) DO UPDATE SET model = excluded.model, governed = excluded.governed, \
            document = excluded.document";
        let row = params![
            self.workspace().as_str(),
            endpoint.name.as_str(),
            endpoint.model.as_str(),
            endpoint.governed,
            json_text(endpoint)?,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn revision(&mut self, endpoint: &Name) -> Result<Option<Revision>, StorageError> {
        let key = params![self.workspace().as_str(), endpoint.as_str()];
        document(self.query_one(NEWEST_REVISION, key).await?.as_ref())
    }

    async fn insert_revision(&mut self, revision: &Revision) -> Result<(), StorageError> {
        let sql =
            "INSERT INTO endpoint_revisions (workspace, endpoint, number, document) VALUES ($1, $2, $3, $4)";
        let row = params![
            self.workspace().as_str(),
            revision.endpoint.as_str(),
            revision.number,
            json_text(revision)?,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn running_rollout(&mut self, endpoint: &Name) -> Result<Option<Rollout>, StorageError> {
        let sql = "SELECT document FROM rollouts WHERE workspace = $1 AND endpoint = $2 AND running = 1";
        document(self.query_one(sql, params![self.workspace().as_str(), endpoint.as_str()]).await?.as_ref())
    }

    async fn rollouts_of(&mut self, run: &PipelineRunId) -> Result<Vec<Rollout>, StorageError> {
        // Of few running ones.
        let sql = "SELECT document FROM rollouts WHERE workspace = $1 AND running = 1 ORDER BY id";
        let rows = self.query(sql, params![self.workspace().as_str()]).await?;
        let mut running: Vec<Rollout> = documents(&rows)?;
        running.retain(|rollout| rollout.run == Some(*run));
        Ok(running)
    }

    async fn rollout(&mut self, id: &RolloutId) -> Result<Option<Rollout>, StorageError> {
        let sql = "SELECT document FROM rollouts WHERE workspace = $1 AND id = $2";
        document(self.query_one(sql, params![self.workspace().as_str(), id.to_string()]).await?.as_ref())
    }

    async fn put_rollout(&mut self, rollout: &Rollout) -> Result<(), StorageError> {
        let sql = "INSERT INTO rollouts (id, workspace, endpoint, running, number, document) \
            SELECT $1, $2, $3, $4, COALESCE(MAX(number), 0) + 1, $5 FROM rollouts \
            WHERE workspace = $2 AND endpoint = $3 \
            ON CONFLICT (id) DO UPDATE SET running = excluded.running, document = excluded.document";
        let row = params![
            rollout.id.to_string(),
            self.workspace().as_str(),
            rollout.endpoint.as_str(),
            rollout.state.phase.is_running(),
            json_text(rollout)?,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn gate_status(&mut self, digest: &Digest) -> Result<GateStatus, StorageError> {
        Ok(match self.judged(digest).await? {
            mainstay_governance::gate::GateStatus::Passed => GateStatus::Passed,
            mainstay_governance::gate::GateStatus::Missing(what) => GateStatus::Missing(what),
        })
    }

    async fn segment(&mut self, id: &SegmentId) -> Result<Option<SealedSegment>, StorageError> {
        let sql = "SELECT document FROM sealed_segments WHERE workspace = $1 AND log = $2 AND sequence = $3";
        let key = params![self.workspace().as_str(), id.log.to_string(), id.sequence];
        document(self.query_one(sql, key).await?.as_ref())
    }

    async fn insert_segment(
        &mut self,
        kind: SegmentKind,
        segment: &SealedSegment,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO sealed_segments (log, sequence, workspace, kind, document) \
            VALUES ($1, $2, $3, $4, $5)";
        let row = params![
            segment.id.log.to_string(),
            segment.id.sequence,
            self.workspace().as_str(),
            kind.as_str(),
            json_text(segment)?,
        ];
        self.execute(sql, row).await.map(drop)
    }
}

const ENDPOINTS: &str = "SELECT e.document, r.document FROM endpoints AS e JOIN endpoint_revisions AS r \
    ON r.workspace = e.workspace AND r.endpoint = e.name AND r.number = (SELECT MAX(number) \
    FROM endpoint_revisions AS n WHERE n.workspace = e.workspace AND n.endpoint = e.name) \
    WHERE e.workspace = $1 AND e.name > $2 ORDER BY e.name LIMIT $3";
const ONE_ENDPOINT: &str = "SELECT e.document, r.document FROM endpoints AS e JOIN endpoint_revisions AS r \
    ON r.workspace = e.workspace AND r.endpoint = e.name \
    WHERE e.workspace = $1 AND e.name = $2 ORDER BY r.number DESC LIMIT 1";

#[async_trait]
impl ServingStore for Reader {
    async fn endpoint(
        &self,
        workspace: &Name,
        name: &Name,
    ) -> Result<Option<(Endpoint, Revision)>, StorageError> {
        let rows = self.rows(ONE_ENDPOINT, params![workspace.as_str(), name.as_str()]).await?;
        rows.first().map(with_revision).transpose()
    }

    async fn endpoints(
        &self,
        workspace: &Name,
        page: &PageRequest,
    ) -> Result<Page<(Endpoint, Revision)>, StorageError> {
        let after: String = after(page)?.unwrap_or_default();
        let rows = self.rows(ENDPOINTS, params![workspace.as_str(), after, page.limit as u64 + 1]).await?;
        let endpoints = rows.iter().map(with_revision).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(endpoints, page.limit, |(endpoint, _)| endpoint.name.to_string()))
    }

    async fn revisions(
        &self,
        workspace: &Name,
        endpoint: &Name,
        page: &PageRequest,
    ) -> Result<Page<Revision>, StorageError> {
        let sql = "SELECT document FROM endpoint_revisions \
            WHERE workspace = $1 AND endpoint = $2 AND number < $3 ORDER BY number DESC LIMIT $4";
        let before = after(page)?.unwrap_or(u64::MAX);
        let key = params![workspace.as_str(), endpoint.as_str(), before, page.limit as u64 + 1];
        let revisions = documents(&self.rows(sql, key).await?)?;
        Ok(Page::of(revisions, page.limit, |revision: &Revision| revision.number))
    }

    async fn rollouts(
        &self,
        workspace: &Name,
        endpoint: &Name,
        page: &PageRequest,
    ) -> Result<Page<Rollout>, StorageError> {
        let sql = "SELECT document, number FROM rollouts \
            WHERE workspace = $1 AND endpoint = $2 AND number < $3 ORDER BY number DESC LIMIT $4";
        let before = after(page)?.unwrap_or(u64::MAX);
        let key = params![workspace.as_str(), endpoint.as_str(), before, page.limit as u64 + 1];
        let rows = self.rows(sql, key).await?;
        let numbered = rows.iter().map(|row| Ok((row.json(0)?, row.count(1)?)));
        let numbered = numbered.collect::<Result<Vec<(Rollout, u64)>, StorageError>>()?;
        let page = Page::of(numbered, page.limit, |(_, number)| *number);
        Ok(Page { items: page.items.into_iter().map(|(rollout, _)| rollout).collect(), next: page.next })
    }

    async fn rollout(&self, workspace: &Name, id: &RolloutId) -> Result<Option<Rollout>, StorageError> {
        let sql = "SELECT document FROM rollouts WHERE workspace = $1 AND id = $2";
        document(self.rows(sql, params![workspace.as_str(), id.to_string()]).await?.first())
    }

    async fn segments(
        &self,
        workspace: &Name,
        kind: SegmentKind,
        page: &PageRequest,
    ) -> Result<Page<SealedSegment>, StorageError> {
        let sql = "SELECT document FROM sealed_segments WHERE workspace = $1 AND kind = $2 \
            AND (log > $3 OR (log = $3 AND sequence > $4)) ORDER BY log, sequence LIMIT $5";
        let (log, sequence) = after::<(String, i64)>(page)?.unwrap_or((String::new(), -1));
        let key = params![workspace.as_str(), kind.as_str(), log, sequence, page.limit as u64 + 1];
        let segments = documents(&self.rows(sql, key).await?)?;
        Ok(Page::of(segments, page.limit, |s: &SealedSegment| (s.id.log.to_string(), s.id.sequence)))
    }
}

fn with_revision(row: &Row) -> Result<(Endpoint, Revision), StorageError> {
    Ok((row.json(0)?, row.json(1)?))
}
