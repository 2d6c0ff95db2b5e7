//! The port of traces: infos as rows, spans in blocks.

mod assessment;
mod read;
mod write;

use mainstay_core::error::StorageError;
use mainstay_traces::id::TraceId;
use mainstay_traces::info::{Pairs, TraceInfo, TraceState};
use mainstay_tracking::experiment::ExperimentId;

use crate::value::Row;

/// `id, experiment, request_ms, duration_ms, state, client_request_id, request_preview, response_preview,
/// root_name`, without tags and metadata.
fn bare_trace(row: &Row) -> Result<TraceInfo, StorageError> {
    let state = row.text(4)?;
    Ok(TraceInfo {
        id: trace_id(row, 0)?,
        experiment: ExperimentId(row.count(1)?),
        request_ms: row.int(2)?,
        duration_ms: row.opt_int(3)?,
        state: TraceState::parse(state)
            .map_err(|_| StorageError::Corrupt(format!("the trace state {state:?}")))?,
        client_request_id: row.opt_text(5)?.map(str::to_owned),
        request_preview: row.opt_text(6)?.map(str::to_owned),
        response_preview: row.opt_text(7)?.map(str::to_owned),
        root_name: row.opt_text(8)?.map(str::to_owned),
        tags: Pairs::new(),
        metadata: Pairs::new(),
    })
}

fn trace_id(row: &Row, column: usize) -> Result<TraceId, StorageError> {
    row.parsed(column)
}

/// `key, value` from a column on.
fn pair(row: &Row, from: usize) -> Result<(String, String), StorageError> {
    Ok((row.text(from)?.to_owned(), row.text(from + 1)?.to_owned()))
}
