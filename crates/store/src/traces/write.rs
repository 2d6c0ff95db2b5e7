//! The writing side.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentError;
use mainstay_traces::assessment::{Assessment, AssessmentId};
use mainstay_traces::batch::Block;
use mainstay_traces::block;
use mainstay_traces::id::TraceId;
use mainstay_traces::info::{Pairs, TraceInfo};
use mainstay_traces::port::TraceTx;
use mainstay_traces::usage::Node;
use mainstay_tracking::experiment::ExperimentId;

use super::{bare_trace, pair, trace_id};
use crate::tx::StoreTx;
use crate::{params, row};

const TRACE: &str = "SELECT id, experiment, request_ms, duration_ms, state, client_request_id, \
    request_preview, response_preview, root_name FROM traces WHERE id = $1";
const PUT_TRACE: &str = "INSERT INTO traces (id, workspace, experiment, request_ms, duration_ms, state, \
    client_request_id, request_preview, response_preview, root_name) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (id) DO UPDATE SET request_ms = excluded.request_ms, duration_ms = excluded.duration_ms, \
    state = excluded.state, client_request_id = excluded.client_request_id, \
    request_preview = excluded.request_preview, response_preview = excluded.response_preview, \
    root_name = excluded.root_name";
const APPEND: &str = "INSERT INTO span_blocks (trace, number, spans, block) \
    VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM span_blocks WHERE trace = $1), $2, $3)";
const UNTIL: &str = "SELECT id FROM traces WHERE experiment = $1 AND request_ms <= $2 \
    ORDER BY request_ms, id LIMIT $3";
const BLOCKS: &str = "SELECT block FROM span_blocks WHERE trace = $1 ORDER BY number";

const PUT_TAG: &str = "INSERT INTO trace_tags (trace, key, value) VALUES ($1, $2, $3) \
    ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value";
const PUT_METADATA: &str = "INSERT INTO trace_metadata (trace, key, value) VALUES ($1, $2, $3) \
    ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value";

#[async_trait]
impl TraceTx for StoreTx {
    async fn trace(&mut self, id: &TraceId) -> Result<Option<TraceInfo>, StorageError> {
        let Some(row) = self.query_one(TRACE, params![id.as_str()]).await? else { return Ok(None) };
        let mut info = bare_trace(&row)?;
        for row in
            self.query("SELECT key, value FROM trace_tags WHERE trace = $1", params![id.as_str()]).await?
        {
            info.tags.extend([pair(&row, 0)?]);
        }
        let metadata = "SELECT key, value FROM trace_metadata WHERE trace = $1";
        for row in self.query(metadata, params![id.as_str()]).await? {
            info.metadata.extend([pair(&row, 0)?]);
        }
        Ok(Some(info))
    }

    async fn put_trace(&mut self, info: &TraceInfo) -> Result<(), ExperimentError> {
        self.count_trace(info.id.as_str()).await?;
        let row = params![
            info.id.as_str(),
            self.workspace().as_str(),
            info.experiment.0,
            info.request_ms,
            info.duration_ms,
            info.state.as_str(),
            info.client_request_id.as_deref(),
            info.request_preview.as_deref(),
            info.response_preview.as_deref(),
            info.root_name.as_deref(),
        ];
        self.execute(PUT_TRACE, row).await?;
        Ok(())
    }

    async fn put_trace_tags(&mut self, id: &TraceId, tags: &Pairs) -> Result<(), StorageError> {
        self.put_pairs(PUT_TAG, id, tags).await
    }

    async fn delete_trace_tag(&mut self, id: &TraceId, key: &str) -> Result<bool, StorageError> {
        let sql = "DELETE FROM trace_tags WHERE trace = $1 AND key = $2";
        Ok(self.execute(sql, params![id.as_str(), key]).await? > 0)
    }

    async fn put_trace_metadata(&mut self, id: &TraceId, metadata: &Pairs) -> Result<(), StorageError> {
        self.put_pairs(PUT_METADATA, id, metadata).await
    }

    async fn append_spans(&mut self, id: &TraceId, block: &Block) -> Result<(), StorageError> {
        let row = params![id.as_str(), block.spans as u64, block.bytes.as_slice()];
        self.execute(APPEND, row).await.map(drop)
    }

    async fn span_outlines(&mut self, id: &TraceId) -> Result<Vec<Node>, StorageError> {
        let mut nodes = Vec::new();
        for row in self.query(BLOCKS, params![id.as_str()]).await? {
            block::outline(row.blob(0)?, &mut nodes)?;
        }
        Ok(nodes)
    }

    async fn link_trace_to_run(&mut self, id: &TraceId, run: &str) -> Result<(), StorageError> {
        let sql = "INSERT INTO trace_runs (trace, workspace, run) VALUES ($1, $2, $3) \
            ON CONFLICT (trace, workspace, run) DO NOTHING";
        self.execute(sql, params![id.as_str(), self.workspace().as_str(), run]).await.map(drop)
    }

    async fn link_trace_to_prompt(&mut self, id: &TraceId, prompt: &str) -> Result<(), StorageError> {
        let sql = "INSERT INTO trace_prompts (trace, prompt) VALUES ($1, $2) \
            ON CONFLICT (trace, prompt) DO NOTHING";
        self.execute(sql, params![id.as_str(), prompt]).await.map(drop)
    }

    async fn assessments(&mut self, trace: &TraceId) -> Result<Vec<Assessment>, StorageError> {
        self.all_assessments(trace).await
    }

    async fn assessment(
        &mut self,
        trace: &TraceId,
        id: &AssessmentId,
    ) -> Result<Option<Assessment>, StorageError> {
        self.one_assessment(trace, id).await
    }

    async fn put_assessment(&mut self, assessment: &Assessment) -> Result<(), StorageError> {
        self.set_assessment(assessment).await
    }

    async fn delete_assessment(&mut self, trace: &TraceId, id: &AssessmentId) -> Result<(), StorageError> {
        let sql = "DELETE FROM assessments WHERE trace = $1 AND id = $2";
        self.execute(sql, params![trace.as_str(), id.as_str()]).await.map(drop)
    }

    async fn traces_until(
        &mut self,
        experiment: ExperimentId,
        max_ms: i64,
        limit: usize,
    ) -> Result<Vec<TraceId>, StorageError> {
        let rows = self.query(UNTIL, params![experiment.0, max_ms, limit as u64]).await?;
        rows.iter().map(|row| trace_id(row, 0)).collect()
    }

    async fn delete_trace(&mut self, experiment: ExperimentId, id: &TraceId) -> Result<bool, StorageError> {
        let sql = "DELETE FROM traces WHERE id = $1 AND experiment = $2";
        if self.execute(sql, params![id.as_str(), experiment.0]).await? == 0 {
            return Ok(false);
        }
        for sql in [
            "DELETE FROM trace_tags WHERE trace = $1",
            "DELETE FROM trace_metadata WHERE trace = $1",
            "DELETE FROM trace_runs WHERE trace = $1",
            "DELETE FROM trace_prompts WHERE trace = $1",
            "DELETE FROM span_blocks WHERE trace = $1",
            "DELETE FROM assessments WHERE trace = $1",
        ] {
            self.execute(sql, params![id.as_str()]).await?;
        }
        Ok(true)
    }
}

impl StoreTx {
    async fn put_pairs(
        &mut self,
        sql: &'static str,
        id: &TraceId,
        pairs: &Pairs,
    ) -> Result<(), StorageError> {
        let rows = pairs.iter().map(|(key, value)| row![id.as_str(), key, value]);
        self.execute_rows(sql, &rows.collect::<Vec<_>>()).await
    }
}
