//! A trace on the wire, as a table shows it: previews and what it is called, not its spans.

use std::collections::BTreeMap;

use mainstay_core::search::{SearchError, parse_column};
use mainstay_core::text::{clip, exceeds};
use mainstay_traces::assessment::{AssessedTrace, Assessment};
use mainstay_traces::info::{Pairs, key};
use serde::Serialize;

/// Most columns that are named.
const MAX_COLUMNS: usize = 1_000;
/// Longest text in a row, in characters: a table shows its beginning.
const SHOWN: usize = 300;
/// Most assessments of a row.
const ASSESSMENTS: usize = 50;

/// Which tags and metadata are wanted; everything else is in each row.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    tags: Vec<String>,
    metadata: Vec<String>,
}

impl Wanted {
    /// Reads columns as the search language writes them. Attributes and assessments are there anyway.
    pub(super) fn parse(texts: &[String]) -> Result<Self, SearchError> {
        let mut wanted = Self::default();
        if texts.len() > MAX_COLUMNS {
            return Err(SearchError::Column {
                column: format!("{} columns", texts.len()),
                valid: "a list of at most 1000 columns",
            });
        }
        for text in texts {
            let column = parse_column(text)?;
            match column.entity.as_deref() {
                Some("tag" | "tags") => wanted.tags.push(column.key),
                Some("metadata" | "request_metadata") => wanted.metadata.push(column.key),
                None | Some("attributes" | "feedback" | "expectation") => {}
                Some(_) => {
                    return Err(SearchError::Column {
                        column: clip(text),
                        valid: "an attribute, a tag, metadata, feedback or an expectation",
                    });
                }
            }
        }
        Ok(wanted)
    }
}

/// A trace. Instants are milliseconds since the Unix epoch by the client's clock, durations milliseconds, costs US
/// dollars.
#[derive(Debug, Serialize)]
pub(super) struct RowBody {
    trace_id: String,
    experiment_id: String,
    status: &'static str,
    timestamp_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    tags: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
    assessments: Vec<SaidBody>,
}

/// What is said of a trace: the value is the text of a JSON value, cut.
#[derive(Debug, Serialize)]
struct SaidBody {
    name: String,
    kind: &'static str,
    value: String,
    /// Of feedback that could not be given: what went wrong, cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    source: &'static str,
}

impl From<Assessment> for SaidBody {
    fn from(said: Assessment) -> Self {
        Self {
            kind: said.judgement.kind().as_str(),
            value: cut(said.judgement.value().as_str()),
            error: said.judgement.failure().map(|failure| cut(&failure.to_string())),
            source: said.source.kind.as_str(),
            name: said.name,
        }
    }
}

impl RowBody {
    /// A trace of which this is wanted.
    pub(super) fn new(AssessedTrace { info, assessments }: AssessedTrace, wanted: &Wanted) -> Self {
        let text = |text: &str| cut(text);
        let said = assessments.into_iter().filter(|said| said.valid).take(ASSESSMENTS);
        Self {
            status: info.state.as_str(),
            timestamp_ms: info.request_ms,
            execution_time_ms: info.duration_ms,
            name: info.name().map(text),
            session: info.session().map(text),
            user: info.user().map(text),
            run_id: info.metadata.get(key::SOURCE_RUN).map(|run| cut(run)),
            tokens: info.total_tokens(),
            cost: info.total_cost().filter(|cost| cost.is_finite()),
            request: info.request_preview.as_deref().map(text),
            response: info.response_preview.as_deref().map(text),
            tags: chosen(&info.tags, &wanted.tags),
            metadata: chosen(&info.metadata, &wanted.metadata),
            assessments: said.map(SaidBody::from).collect(),
            trace_id: info.id.to_string(),
            experiment_id: info.experiment.to_string(),
            client_request_id: info.client_request_id,
        }
    }
}

fn chosen(pairs: &Pairs, keys: &[String]) -> BTreeMap<String, String> {
    keys.iter().filter_map(|key| Some((key.clone(), cut(pairs.get(key)?)))).collect()
}

/// The beginning of a text, and a sign that there is more.
fn cut(text: &str) -> String {
    match exceeds(text, SHOWN).and_then(|at| text.get(..at)) {
        Some(start) => format!("{start}…"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_columns_are_read_as_the_search_language_writes_them() {
        let parse =
            |texts: &[&str]| Wanted::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let wanted = parse(&["name", "tags.team", "metadata.`mlflow.user`", "feedback.correct"]).unwrap();
        assert_eq!(wanted, Wanted { tags: vec!["team".into()], metadata: vec!["mlflow.user".into()] });
        assert!(parse(&["span.name"]).is_err() && parse(&["tags."]).is_err());
        assert!(parse(&["name"; MAX_COLUMNS + 1]).is_err());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("é"), "é");
        assert_eq!(cut(&"é".repeat(SHOWN + 1)), format!("{}…", "é".repeat(SHOWN)));
    }
}
