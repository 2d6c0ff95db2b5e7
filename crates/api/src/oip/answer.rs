//! The body of an answer: JSON, and behind it the outputs in binary form where asked for.
//!
//! Source: Open Inference Protocol, "Inference Response JSON Object"; Triton's
//! `extension_binary_data.md`. Parameters of ours: `prediction_ids`, `versions` and `sources` with one
//! entry for each row, the endpoint's `revision`, and `durability`: how safe the predictions are.

use std::fmt::Display;
use std::io::Write as _;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};
use mainstay_serving::traffic::Source;
use serde::Serialize;

use super::binary;
use super::error::OipError;
use super::request::Wanted;
use super::service::InferAnswer;
use super::tensor::Tensor;

/// The header that gives the length of the JSON part.
pub(super) const HEADER_LENGTH: &str = "inference-header-content-length";
/// Bytes that the answer for a row or two takes.
const SHORT_ANSWER: usize = 1 << 10;

/// The word for who answered.
pub(super) const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Assigned => "assigned",
        Source::Champion => "champion",
        Source::Previous => "previous",
    }
}

/// Writes the answer to a request for `endpoint`.
pub(super) fn write(endpoint: &str, answer: &InferAnswer, wanted: &Wanted) -> Result<Response, OipError> {
    let chosen = chosen(answer, wanted)?;
    let mut json = Json(Vec::with_capacity(SHORT_ANSWER));
    let mut tail = Vec::new();
    json.plain(r#"{"model_name":"#);
    json.value(endpoint)?;
    json.plain(r#","model_version":"#);
    json.shown(answer.rows.first().map_or(&"" as &dyn Display, |row| &row.version));
    if !wanted.id.is_empty() {
        json.plain(r#","id":"#);
        json.value(&wanted.id)?;
    }
    json.plain(r#","parameters":{"prediction_ids":"#);
    json.list(&answer.rows, |json, row| {
        json.shown(&row.id);
        Ok(())
    })?;
    json.plain(r#","versions":"#);
    json.list(&answer.rows, |json, row| json.value(&row.version))?;
    json.plain(r#","sources":"#);
    json.list(&answer.rows, |json, row| {
        json.shown(&source_name(row.source));
        Ok(())
    })?;
    json.plain(r#","revision":"#);
    json.value(&answer.revision)?;
    json.plain(r#","durability":"#);
    json.shown(&answer.receipt.as_str());
    json.plain(r#"},"outputs":"#);
    json.list(&chosen, |json, (tensor, in_binary)| json.output(tensor, in_binary.then_some(&mut tail)))?;
    json.plain("}");
    let Json(mut bytes) = json;
    if !chosen.iter().any(|(_, in_binary)| *in_binary) {
        return Ok(respond(bytes, "application/json"));
    }
    let length = HeaderValue::from(bytes.len());
    bytes.append(&mut tail);
    let mut response = respond(bytes, "application/octet-stream");
    response.headers_mut().insert(HEADER_LENGTH, length);
    Ok(response)
}

fn respond(body: Vec<u8>, content_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// JSON that is being written. By hand: the general writer looks through the names of fields for what to escape,
/// which took a third as long as the model.
struct Json(Vec<u8>);

impl Json {
    /// Text that is JSON as it is.
    fn plain(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A text in which nothing is to be escaped: a number, an id, a word of ours.
    fn shown(&mut self, text: &dyn Display) {
        // Writing to a list of bytes does not fail.
        let _ = write!(self.0, "\"{text}\"");
    }

    /// Anything else.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OipError> {
        serde_json::to_writer(&mut self.0, value).map_err(OipError::Json)
    }

    fn list<T>(
        &mut self,
        items: &[T],
        mut item: impl FnMut(&mut Self, &T) -> Result<(), OipError>,
    ) -> Result<(), OipError> {
        self.plain("[");
        for (at, each) in items.iter().enumerate() {
            if at > 0 {
                self.plain(",");
            }
            item(self, each)?;
        }
        self.plain("]");
        Ok(())
    }

    /// An output: its elements stand here, or in binary form in the `tail`.
    fn output(&mut self, tensor: &Tensor, tail: Option<&mut Vec<u8>>) -> Result<(), OipError> {
        self.plain(r#"{"name":"#);
        self.value(&tensor.name)?;
        self.plain(r#","datatype":""#);
        self.plain(tensor.data.datatype().as_str());
        self.plain(r#"","shape":"#);
        self.value(&*tensor.shape)?;
        if let Some(tail) = tail {
            self.plain(r#","parameters":{"binary_data_size":"#);
            self.value(&binary::encode(&tensor.data, tail))?;
            self.plain("}}");
        } else {
            self.plain(r#","data":"#);
            self.value(&tensor.data)?;
            self.plain("}");
        }
        Ok(())
    }
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
