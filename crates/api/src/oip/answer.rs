//! The body of an answer: JSON, and behind it the outputs in binary form where asked for.
//!
//! Source: Open Inference Protocol, "Inference Response JSON Object"; Triton's
//! `extension_binary_data.md`. Parameters of ours: `prediction_ids`, `versions` and `sources` with one
//! entry for each row, the endpoint's `revision`, and `durability`: how safe the predictions are.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use mainstay_serving::traffic::Source;
use serde::Serialize;
use serde::ser::Serializer;

use super::binary;
use super::error::OipError;
use super::request::Wanted;
use super::service::{InferAnswer, RowAnswer};
use super::tensor::{Data, Tensor};

/// The header that gives the length of the JSON part.
pub(super) const HEADER_LENGTH: &str = "inference-header-content-length";
/// Bytes that the answer for a row or two takes.
const SHORT_ANSWER: usize = 1 << 10;

#[derive(Serialize)]
struct Body<'a> {
    model_name: &'a str,
    model_version: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    parameters: Parameters<'a>,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Parameters<'a> {
    #[serde(serialize_with = "ids")]
    prediction_ids: &'a [RowAnswer],
    #[serde(serialize_with = "versions")]
    versions: &'a [RowAnswer],
    #[serde(serialize_with = "sources")]
    sources: &'a [RowAnswer],
    revision: u64,
    durability: &'static str,
}

fn ids<S: Serializer>(rows: &&[RowAnswer], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| row.id))
}

fn versions<S: Serializer>(rows: &&[RowAnswer], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| row.version))
}

fn sources<S: Serializer>(rows: &&[RowAnswer], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| source_name(row.source)))
}

/// The word for who answered.
pub(super) const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Assigned => "assigned",
        Source::Champion => "champion",
        Source::Previous => "previous",
    }
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Data>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

/// Writes the answer to a request for `endpoint`.
pub(super) fn write(endpoint: &str, answer: &InferAnswer, wanted: &Wanted) -> Result<Response, OipError> {
    let mut tail = Vec::new();
    let mut any_binary = false;
    let mut outputs = Vec::with_capacity(answer.outputs.len());
    for (tensor, in_binary) in chosen(answer, wanted)? {
        any_binary |= in_binary;
        let size = in_binary.then(|| binary::encode(&tensor.data, &mut tail));
        outputs.push(Output {
            name: &tensor.name,
            datatype: tensor.data.datatype().as_str(),
            shape: &tensor.shape,
            parameters: size.map(|binary_data_size| BinarySize { binary_data_size }),
            data: (!in_binary).then_some(&tensor.data),
        });
    }
    let body = Body {
        model_name: endpoint,
        model_version: answer.rows.first().map(|row| row.version.to_string()).unwrap_or_default(),
        id: &wanted.id,
        parameters: Parameters {
            prediction_ids: &answer.rows,
            versions: &answer.rows,
            sources: &answer.rows,
            revision: answer.revision,
            durability: answer.receipt.as_str(),
        },
        outputs,
    };
    let mut bytes = Vec::with_capacity(SHORT_ANSWER);
    serde_json::to_writer(&mut bytes, &body).map_err(OipError::Json)?;
    if !any_binary {
        return Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response());
    }
    let length = HeaderValue::from(bytes.len());
    bytes.append(&mut tail);
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    response.headers_mut().insert(HEADER_LENGTH, length);
    Ok(response)
}

/// The outputs to be sent, each with whether in binary form.
fn chosen<'a>(answer: &'a InferAnswer, wanted: &Wanted) -> Result<Vec<(&'a Tensor, bool)>, OipError> {
    let Some(names) = &wanted.outputs else {
        return Ok(answer.outputs.iter().map(|tensor| (tensor, wanted.binary)).collect());
    };
    let find = |(name, in_binary): &(String, bool)| {
        let tensor = answer.outputs.iter().find(|tensor| tensor.name == *name);
        tensor
            .map(|tensor| (tensor, *in_binary))
            .ok_or_else(|| unknown(name, answer.outputs.iter().map(|t| &*t.name)))
    };
    names.iter().map(find).collect()
}

/// Refuses an output that the endpoint does not have.
pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> OipError {
    let known = known.collect::<Vec<_>>().join(", ");
    OipError::UnknownOutput { name: name.chars().take(250).collect(), known }
}
