//! The reading side: one query for each table and chunk of ids, never one for each trace.

use std::collections::HashMap;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::name::Name;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::id::TraceId;
use mainstay_traces::index::IndexedTrace;
use mainstay_traces::port::TraceReader;
use mainstay_traces::stored::StoredSpans;

use super::assessment::assessment;
use super::{bare_trace, pair, trace_id};
use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::value::{Row, Value};

/// How many ids the wide texts take. Positions that are left over hold `''`, which is no id.
const CHUNK: usize = 50;

const AFTER: &str = "SELECT id FROM traces WHERE id > $1 AND EXISTS (SELECT 1 FROM experiments e WHERE e.id = traces.experiment) \
    ORDER BY id LIMIT $2";
const HEAD: &str = "SELECT size FROM audit_tree WHERE id = 1";

struct Texts {
    traces: &'static str,
    tags: &'static str,
    metadata: &'static str,
    runs: &'static str,
    prompts: &'static str,
    assessments: &'static str,
    blocks: &'static str,
}

macro_rules! texts {
    ($which:literal) => {
        Texts {
            traces: concat!(
                "SELECT id, experiment, request_ms, duration_ms, state, client_request_id, request_preview, ",
                "response_preview, root_name, workspace FROM traces ",
                "WHERE EXISTS (SELECT 1 FROM experiments e WHERE e.id = traces.experiment) AND id ",
                $which
            ),
            tags: concat!("SELECT trace, key, value FROM trace_tags WHERE trace ", $which),
            metadata: concat!("SELECT trace, key, value FROM trace_metadata WHERE trace ", $which),
            runs: concat!(
                "SELECT l.trace, l.run FROM trace_runs l JOIN traces t ON t.id = l.trace ",
                "AND t.workspace = l.workspace WHERE l.trace ",
                $which,
                " ORDER BY l.trace, l.run"
            ),
            prompts: concat!(
                "SELECT trace, prompt FROM trace_prompts WHERE trace ",
                $which,
                " ORDER BY trace, prompt"
            ),
            assessments: concat!(
                "SELECT trace, id, name, kind, value, failure, source, source_id, span, rationale, metadata, ",
                "overrides, valid, created_ms, updated_ms FROM assessments WHERE trace ",
                $which,
                " ORDER BY trace, number"
            ),
            blocks: concat!("SELECT trace, block FROM span_blocks WHERE trace ", $which, " ORDER BY trace, number"),
        }
    };
}

static ONE: Texts = texts!("= $1");
static MANY: Texts = texts!(
    "IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
     $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, \
     $44, $45, $46, $47, $48, $49, $50)"
);
static BETWEEN: Texts = texts!("BETWEEN $1 AND $2");

/// The texts for a chunk of ids, and their parameters: as many as they take.
fn texts_for(ids: &[TraceId]) -> (&'static Texts, Vec<Value>) {
    let mut key: Vec<Value> = ids.iter().map(|id| Value::from(id.as_str())).collect();
    if ids.len() == 1 {
        return (&ONE, key);
    }
    key.resize(CHUNK, Value::from(""));
    (&MANY, key)
}

#[async_trait]
impl TraceReader for Reader {
    async fn traces(&self, workspace: &Name, ids: &[TraceId]) -> Result<Vec<AssessedTrace>, StorageError> {
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.read(move |tx| Box::pin(async move { infos(tx, &workspace, &ids).await })).await
    }

    async fn trace_with_spans(
        &self,
        workspace: &Name,
        id: &TraceId,
    ) -> Result<Option<(AssessedTrace, StoredSpans)>, StorageError> {
        let (workspace, id) = (workspace.clone(), id.clone());
        self.read(move |tx| {
            Box::pin(async move {
                let found = infos(tx, &workspace, std::slice::from_ref(&id)).await?;
                let Some(info) = found.into_iter().next() else { return Ok(None) };
                let rows = tx.query(ONE.blocks, params![id.as_str()]).await?;
                let blocks = rows.iter().map(|row| Ok(row.blob(1)?.to_vec()));
                Ok(Some((info, StoredSpans::new(blocks.collect::<Result<_, StorageError>>()?))))
            })
        })
        .await
    }

    async fn spans(&self, ids: &[TraceId]) -> Result<Vec<(TraceId, StoredSpans)>, StorageError> {
        let ids = ids.to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let mut found: HashMap<TraceId, Vec<Vec<u8>>> = HashMap::with_capacity(ids.len());
                for chunk in ids.chunks(CHUNK) {
                    let (texts, key) = texts_for(chunk);
                    for row in tx.query(texts.blocks, &key).await? {
                        found.entry(trace_id(&row, 0)?).or_default().push(row.blob(1)?.to_vec());
                    }
                }
                let spans = |id: &TraceId| Some((id.clone(), StoredSpans::new(found.remove(id)?)));
                Ok(ids.iter().filter_map(spans).collect())
            })
        })
        .await
    }

    async fn indexed(&self, ids: &[TraceId]) -> Result<Vec<IndexedTrace>, StorageError> {
        let ids = ids.to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let mut found = HashMap::with_capacity(ids.len());
                for chunk in ids.chunks(CHUNK) {
                    let (texts, key) = texts_for(chunk);
                    index(tx, texts, &key, &mut found).await?;
                }
                Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
            })
        })
        .await
    }

    async fn all_indexed(
        &self,
        after: Option<&TraceId>,
        limit: usize,
    ) -> Result<(Vec<IndexedTrace>, EventSeq), StorageError> {
        // '' sorts before every id.
        let key = params![after.map_or("", TraceId::as_str), limit as u64].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let head = tx.query_one(HEAD, &[]).await?.map_or(Ok(0), |row| row.count(0))?;
                let rows = tx.query(AFTER, &key).await?;
                let ids = rows.iter().map(|row| trace_id(row, 0)).collect::<Result<Vec<_>, _>>()?;
                let mut found = HashMap::with_capacity(ids.len());
                if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
                    index(tx, &BETWEEN, params![first.as_str(), last.as_str()], &mut found).await?;
                }
                Ok((ids.iter().filter_map(|id| found.remove(id)).collect(), EventSeq(head)))
            })
        })
        .await
    }
}

/// The traces of a workspace, in the order of `ids`.
async fn infos(
    tx: &mut ReadTx,
    workspace: &Name,
    ids: &[TraceId],
) -> Result<Vec<AssessedTrace>, StorageError> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let (texts, key) = texts_for(chunk);
        for row in tx.query(texts.traces, &key).await? {
            if row.text(9)? == workspace.as_str() {
                let trace = AssessedTrace { info: bare_trace(&row)?, assessments: Vec::new() };
                found.insert(trace.info.id.clone(), trace);
            }
        }
        fill(tx, texts, &key, &mut found, |trace| trace).await?;
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Adds what the index knows of the traces that the texts ask for.
async fn index(
    tx: &mut ReadTx,
    texts: &Texts,
    key: &[Value],
    found: &mut HashMap<TraceId, IndexedTrace>,
) -> Result<(), StorageError> {
    for row in tx.query(texts.traces, key).await? {
        let (info, workspace) = (bare_trace(&row)?, row.parsed(9)?);
        let id = info.id.clone();
        let trace = AssessedTrace { info, assessments: Vec::new() };
        found.insert(id, IndexedTrace { workspace, trace, runs: Vec::new(), prompts: Vec::new() });
    }
    fill(tx, texts, key, found, |indexed| &mut indexed.trace).await?;
    each(found, &tx.query(texts.runs, key).await?, |trace, row| {
        trace.runs.push(row.text(1)?.to_owned());
        Ok(())
    })?;
    each(found, &tx.query(texts.prompts, key).await?, |trace, row| {
        trace.prompts.push(row.text(1)?.to_owned());
        Ok(())
    })
}

/// Reads tags, metadata and assessments.
async fn fill<D>(
    tx: &mut ReadTx,
    texts: &Texts,
    key: &[Value],
    found: &mut HashMap<TraceId, D>,
    trace: fn(&mut D) -> &mut AssessedTrace,
) -> Result<(), StorageError> {
    each(found, &tx.query(texts.tags, key).await?, |known, row| {
        trace(known).info.tags.extend([pair(row, 1)?]);
        Ok(())
    })?;
    each(found, &tx.query(texts.metadata, key).await?, |known, row| {
        trace(known).info.metadata.extend([pair(row, 1)?]);
        Ok(())
    })?;
    each(found, &tx.query(texts.assessments, key).await?, |known, row| {
        trace(known).assessments.push(assessment(row)?);
        Ok(())
    })
}

/// Gives each row to the trace that its first column names.
fn each<D>(
    found: &mut HashMap<TraceId, D>,
    rows: &[Row],
    take: impl Fn(&mut D, &Row) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    for row in rows {
        if let Some(known) = found.get_mut(&trace_id(row, 0)?) {
            take(known, row)?;
        }
    }
    Ok(())
}
