//! Records of evaluation datasets: merge, list, delete.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::page::InvalidPageToken;
use mainstay_core::time::MachineTime;
use mainstay_evaluation::DatasetId;
use mainstay_evaluation::command::{DeleteRecords, MAX_RECORDS, MergeRecords};
use mainstay_evaluation::error::EvaluationError;
use mainstay_evaluation::port::{EvaluationReader, RecordStart};
use mainstay_evaluation::record::{DatasetRecord, NewRecord};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::evaluation_body::{RecordBody, SentRecords};
use crate::evaluation_dataset::admit;
use crate::json_text;
use crate::table::Table;
use crate::wire::{int64, list, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// `LOAD_DATASET_RECORDS_MAX_RESULTS`.
const DEFAULT_PAGE: usize = 1_000;
/// How many records are read at once.
const CHUNK: usize = 50;
/// How long the text of a page grows before the page ends, in bytes.
const LONG_PAGE: usize = 16 << 20;

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
    match id.parse() {
        Ok(id) => {
            if caller.is_confined()
                && let Some(found) = state.evaluated.evaluation_dataset(&caller.workspace, id).await?
            {
                admit(&caller, &found)?;
            }
            Ok(Json(page(&*state.evaluated, (&caller.workspace, id), start, limit).await?))
        }
        Err(_) => Ok(Json(Records { records: "[]".to_owned(), next_page_token: None })),
    }
}

/// At most `limit` records: fewer if they are long.
async fn page(
    reader: &dyn EvaluationReader,
    (workspace, dataset): (&Name, DatasetId),
    mut start: RecordStart,
    limit: usize,
) -> Result<Records, Error> {
    let (mut text, mut left, mut next_page_token) = ("[".to_owned(), limit, None);
    loop {
        let wanted = left.min(CHUNK);
        let found = reader.evaluation_records(workspace, dataset, start, wanted + 1).await?;
        let more = found.len() > wanted;
        for record in found.into_iter().take(wanted) {
            start = RecordStart::Behind(record.created, record.id);
            next_page_token = Some(token(&record));
            let record = serde_json::to_string(&RecordBody::from(record));
            text.push_str(if text.len() > 1 { "," } else { "" });
            text.push_str(&record.map_err(|error| StorageError::Failed(error.into()))?);
        }
        left -= wanted;
        if !more {
            next_page_token = None;
        }
        if !more || left == 0 || text.len() > LONG_PAGE {
            text.push(']');
            return Ok(Records { records: text, next_page_token });
        }
    }
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
    use std::sync::Mutex;

    use async_trait::async_trait;
    use mainstay_core::scope::default_workspace;
    use mainstay_evaluation::RecordId;
    use mainstay_evaluation::dataset::EvaluationDatasetDetail;
    use serde_json::{Value, json};

    use super::*;

    const ID: DatasetId = DatasetId::from_bytes([1; 16]);
    const AT: MachineTime = MachineTime::from_micros(5);

    /// So many records, each with a text of that length; and how many were asked for at once.
    struct Long(u8, usize, Mutex<Vec<usize>>);

    #[async_trait]
    impl EvaluationReader for Long {
        async fn evaluation_dataset(
            &self,
            _: &Name,
            _: DatasetId,
        ) -> Result<Option<EvaluationDatasetDetail>, StorageError> {
            Ok(None)
        }

        async fn evaluation_datasets(&self, _: &Name) -> Result<Vec<EvaluationDatasetDetail>, StorageError> {
            Ok(Vec::new())
        }

        async fn evaluation_records(
            &self,
            _: &Name,
            id: DatasetId,
            start: RecordStart,
            limit: usize,
        ) -> Result<Vec<DatasetRecord>, StorageError> {
            self.2.lock().unwrap().push(limit);
            let first = match start {
                RecordStart::Skipping(skipped) => u8::try_from(skipped).unwrap(),
                RecordStart::Behind(_, last) => {
                    (0..self.0).find(|n| RecordId::from_bytes([*n; 16]) == last).unwrap() + 1
                }
            };
            let record = |n: u8| {
                let inputs = [("q".to_owned(), json!("x".repeat(self.1)))].into_iter().collect();
                let new = NewRecord { inputs, ..NewRecord::default() };
                DatasetRecord::new(RecordId::from_bytes([n; 16]), id, new.identity(), &new, AT)
            };
            Ok((first..self.0).take(limit).map(record).collect())
        }
    }

    /// The lengths of all pages, and how many records were read at once at most.
    async fn pages(records: u8, length: usize, limit: usize) -> (Vec<usize>, usize) {
        let (reader, mut lengths, mut at) =
            (Long(records, length, Mutex::default()), Vec::new(), RecordStart::Skipping(0));
        loop {
            let found = page(&reader, (&default_workspace(), ID), at, limit).await.unwrap();
            let items: Vec<Value> = serde_json::from_str(&found.records).unwrap();
            lengths.push(items.len());
            match found.next_page_token {
                Some(token) => at = start(&token).unwrap(),
                None => return (lengths, reader.2.lock().unwrap().iter().copied().max().unwrap()),
            }
        }
    }

    #[tokio::test]
    async fn pages_end_where_they_are_long() {
        assert_eq!(pages(0, 1, 10).await, (vec![0], 11));
        assert_eq!(pages(5, 1, 2).await, (vec![2, 2, 1], 3));
        assert_eq!(pages(4, 1, 2).await.0, [2, 2]);
        assert_eq!(pages(120, 1, 120).await, (vec![120], CHUNK + 1));
        assert_eq!(pages(120, 1, 110).await.0, [110, 10]);
        // After the chunk in which it has grown long.
        assert_eq!(pages(120, LONG_PAGE / CHUNK, 1_000).await.0, [50, 50, 20]);
    }

    #[test]
    fn tokens_lead_behind_a_record_or_skip() {
        let (id, new) = (RecordId::from_bytes([7; 16]), NewRecord::default());
        let at = MachineTime::from_micros(1_700_000_000_000_123);
        let record = DatasetRecord::new(id, ID, new.identity(), &new, at);
        assert_eq!(start(&token(&record)), Ok(RecordStart::Behind(at, id)));
        assert_eq!(start("20"), Ok(RecordStart::Skipping(20)));
        for wrong in ["-1", "x", "MTI=", "MTp4"] {
            assert_eq!(start(wrong), Err(InvalidPageToken), "{wrong}");
        }
    }
}
