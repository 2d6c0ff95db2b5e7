//! Records of evaluation datasets: merge, list, delete.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mainstay_core::action::Action;
use mainstay_core::page::InvalidPageToken;
use mainstay_core::time::MachineTime;
use mainstay_tracking::evaluation::command::{DeleteRecords, MAX_RECORDS, MergeRecords};
use mainstay_tracking::evaluation::error::EvaluationError;
use mainstay_tracking::evaluation::port::RecordStart;
use mainstay_tracking::evaluation::record::{DatasetRecord, NewRecord};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::body::Call;
use crate::evaluation_body::{RecordBody, SentRecords};
use crate::json_text;
use crate::table::Table;
use crate::wire::{int64, list, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// `LOAD_DATASET_RECORDS_MAX_RESULTS`.
const DEFAULT_PAGE: usize = 1_000;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3()
        .post("datasets/{dataset_id}/records", Action::RunWrite, merge)
        .get("datasets/{dataset_id}/records", Action::RunRead, records)
        .delete("datasets/{dataset_id}/records", Action::RunWrite, delete)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Merge {
    records: Option<String>,
}

#[derive(Debug, Serialize)]
struct Merged {
    inserted_count: usize,
    updated_count: usize,
}

async fn merge(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Merge>,
) -> Result<Json<Merged>, Error> {
    let text = required("records", request.records)?;
    let id = id.parse().map_err(|_| EvaluationError::NoDataset(id))?;
    let SentRecords(sent) = json_text::read("records", &text)?;
    // Never both at once: the text may be as large as what it says.
    drop(text);
    let records = sent.into_iter().map(NewRecord::try_from).collect::<Result<_, _>>()?;
    let command = MergeRecords::new(caller.workspace, id, records, &*state.entropy)?;
    let merged = state.evaluation.run(&caller.principal, command).await?;
    Ok(Json(Merged { inserted_count: merged.inserted, updated_count: merged.updated }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listing {
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Records {
    records: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The token of the page behind a record: base64 of `microseconds:id`.
fn token(last: &DatasetRecord) -> String {
    BASE64_STANDARD.encode(format!("{}:{}", last.created.micros(), last.id))
}

/// Reads a [`token`], or a plain number of records to skip.
fn start(text: &str) -> Result<RecordStart, InvalidPageToken> {
    if let Ok(skipped) = text.parse::<u32>() {
        return Ok(RecordStart::Skipping(skipped.into()));
    }
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| InvalidPageToken)?;
    let key = std::str::from_utf8(&bytes).map_err(|_| InvalidPageToken)?;
    let (created, id) = key.split_once(':').ok_or(InvalidPageToken)?;
    let created = created.parse().map_err(|_| InvalidPageToken)?;
    Ok(RecordStart::Behind(MachineTime::from_micros(created), id.parse().map_err(|_| InvalidPageToken)?))
}

async fn records(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Listing>,
) -> Result<Json<Records>, Error> {
    let limit = match request.max_results {
        None | Some(0) => DEFAULT_PAGE,
        // A page is never longer than what one call may bring; its token leads on.
        Some(wanted) => usize::try_from(wanted)
            .map_err(|_| MlflowError::invalid("max_results", wanted, "it must be a positive integer"))?
            .min(MAX_RECORDS),
    };
    let token_text = request.page_token.filter(|token| !token.is_empty());
    let start = token_text.map_or(Ok(RecordStart::Skipping(0)), |text| start(&text))?;
    let mut found = match id.parse() {
        Ok(id) => state.evaluated.evaluation_records(&caller.workspace, id, start, limit + 1).await?,
        Err(_) => Vec::new(),
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next_page_token = found.last().filter(|_| more).map(token);
    let items: Vec<RecordBody> = found.into_iter().map(RecordBody::from).collect();
    Ok(Json(Records { records: json!(items).to_string(), next_page_token }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delete {
    #[serde(alias = "datasetRecordIds", deserialize_with = "list")]
    dataset_record_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Deleted {
    deleted_count: usize,
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Delete>,
) -> Result<Json<Deleted>, Error> {
    let Ok(id) = id.parse() else { return Ok(Json(Deleted { deleted_count: 0 })) };
    // Texts that are no ids name no record.
    let records = request.dataset_record_ids.iter().filter_map(|id| id.parse().ok()).collect();
    let command = DeleteRecords::new(caller.workspace, id, records)?;
    let deleted_count = state.evaluation.run(&caller.principal, command).await?;
    Ok(Json(Deleted { deleted_count }))
}

#[cfg(test)]
mod tests {
    use mainstay_tracking::evaluation::{DatasetId, RecordId};

    use super::*;

    #[test]
    fn tokens_lead_behind_a_record_or_skip() {
        let (id, dataset, new) =
            (RecordId::from_bytes([7; 16]), DatasetId::from_bytes([1; 16]), NewRecord::default());
        let at = MachineTime::from_micros(1_700_000_000_000_123);
        let record = DatasetRecord::new(id, dataset, new.identity(), &new, at);
        assert_eq!(start(&token(&record)), Ok(RecordStart::Behind(at, id)));
        assert_eq!(start("20"), Ok(RecordStart::Skipping(20)));
        for wrong in ["-1", "x", "MTI=", "MTp4"] {
            assert_eq!(start(wrong), Err(InvalidPageToken), "{wrong}");
        }
    }
}
