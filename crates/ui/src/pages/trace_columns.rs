//! The columns of a table of traces: as the address names them, and what a cell says.

use mainstay_core::time::MachineTime;
use mainstay_traces::assessment::{AssessedTrace, Judgement, Kind};
use mainstay_traces::info::{TraceInfo, TraceState, key};
use mainstay_traces::span::unquoted;

use super::run_columns::{Cell, Status};
use super::table_page::TableColumn;
use crate::show::figure::{count, money};
use crate::show::moment::{Moment, span};

/// How far a trace is: a word and its look.
impl From<TraceState> for Status {
    fn from(state: TraceState) -> Self {
        let (word, class) = match state {
            TraceState::Unspecified => ("unknown", "idle"),
            TraceState::Ok => ("ok", "ok"),
            TraceState::Error => ("error", "bad"),
            TraceState::InProgress => ("in progress", "now"),
        };
        Self { word, class }
    }
}

/// Whose values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Attribute,
    Tag,
    Metadata,
    Feedback,
    Expectation,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    of: Of,
    key: String,
    /// As the search language writes it.
    name: String,
    /// Stays in sight when the table is moved sideways.
    pinned: bool,
    width: Option<u32>,
}

/// Names and titles of what is known of a trace as a whole.
const ATTRIBUTES: [(&str, &str); 14] = [
    ("trace_id", "Trace id"),
    ("status", "State"),
    ("timestamp_ms", "Started"),
    ("execution_time_ms", "Took"),
    ("tokens", "Tokens"),
    ("cost", "Cost"),
    ("request", "Request"),
    ("response", "Response"),
    ("assessments", "Assessments"),
    ("experiment_id", "Experiment"),
    ("session", "Session"),
    ("user", "User"),
    ("run_id", "Run"),
    ("client_request_id", "Client's id"),
];

impl Column {
    fn attribute(name: &str) -> Self {
        Self { of: Of::Attribute, key: name.to_owned(), name: name.to_owned(), pinned: false, width: None }
    }

    /// The trace's value.
    pub(super) fn cell(&self, trace: &AssessedTrace, now: MachineTime) -> Cell {
        let info = &trace.info;
        let known = |text: Option<&str>| text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()));
        let pair = |found: Option<&String>| known(found.map(String::as_str));
        match self.of {
            Of::Tag => pair(info.tags.get(&self.key)),
            Of::Metadata => pair(info.metadata.get(&self.key)),
            Of::Feedback => said(trace, |kind, name| kind == Kind::Feedback && name == self.key, false),
            Of::Expectation => said(trace, |kind, name| kind == Kind::Expectation && name == self.key, false),
            Of::Attribute => match self.key.as_str() {
                "status" => Cell::Status(info.state.into()),
                "timestamp_ms" => Cell::Moment(Moment::of_millis(info.request_ms, now)),
                "execution_time_ms" => info.duration_ms.map_or(Cell::Empty, |ms| Cell::Number(lasted(ms))),
                "tokens" => info.total_tokens().map_or(Cell::Empty, |tokens| Cell::Number(count(tokens))),
                "cost" => info.total_cost().map_or(Cell::Empty, |cost| Cell::Number(money(cost))),
                "request" => {
                    info.request_preview.as_deref().map_or(Cell::Empty, |text| Cell::Text(spoken(text)))
                }
                "response" => {
                    info.response_preview.as_deref().map_or(Cell::Empty, |text| Cell::Text(spoken(text)))
                }
                "assessments" => said(trace, |_, _| true, true),
                "experiment_id" => Cell::Text(info.experiment.to_string()),
                "session" => known(info.session()),
                "user" => known(info.user()),
                "run_id" => pair(info.metadata.get(key::SOURCE_RUN)),
                "client_request_id" => known(info.client_request_id.as_deref()),
                _ => Cell::Text(info.id.to_string()),
            },
        }
    }

    /// What most would want to see of these traces, where nobody chose.
    pub(super) fn usual(traces: &[AssessedTrace], experiments: usize) -> Vec<Self> {
        let some = |has: fn(&TraceInfo) -> bool| traces.iter().any(|trace| has(&trace.info));
        let is_shown = |name: &str| match name {
            "tokens" => some(|info| info.total_tokens().is_some()),
            "cost" => some(|info| info.total_cost().is_some()),
            "session" => some(|info| info.session().is_some()),
            "user" => some(|info| info.user().is_some()),
            "assessments" => traces.iter().any(|trace| !trace.assessments.is_empty()),
            "experiment_id" => experiments > 1,
            "trace_id" | "run_id" | "client_request_id" => false,
            _ => true,
        };
        let shown = ATTRIBUTES.iter().map(|(name, _)| *name).filter(|name| is_shown(name));
        shown.map(Self::attribute).collect()
    }
}

impl TableColumn for Column {
    fn parse(text: &str) -> Option<Self> {
        let (pinned, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let sized = rest.split_once(':').and_then(|(width, rest)| Some((width.parse::<u32>().ok()?, rest)));
        let (width, name) = sized.map_or((None, rest), |(width, rest)| (Some(width.clamp(48, 1_200)), rest));
        let column = match name.split_once('.') {
            Some((entity, key)) => {
                let of = match entity {
                    "tags" => Of::Tag,
                    "metadata" => Of::Metadata,
                    "feedback" => Of::Feedback,
                    "expectation" => Of::Expectation,
                    _ => return None,
                };
                let bare = key.strip_prefix('`').and_then(|key| key.strip_suffix('`')).unwrap_or(key);
                Self { of, key: bare.to_owned(), ..Self::attribute(name) }
            }
            None => Self::attribute(ATTRIBUTES.iter().find(|(known, _)| *known == name)?.0),
        };
        Some(Self { pinned, width, ..column })
    }

    fn title(&self) -> &str {
        let known = ATTRIBUTES.iter().find(|(name, _)| self.of == Of::Attribute && *name == self.key);
        known.map_or(self.key.as_str(), |(_, title)| *title)
    }

    fn is_number(&self) -> bool {
        self.of == Of::Attribute && matches!(self.key.as_str(), "execution_time_ms" | "tokens" | "cost")
    }

    fn written(&self) -> String {
        let pinned = if self.pinned { "!" } else { "" };
        let width = self.width.map_or_else(String::new, |width| format!("{width}:"));
        format!("{pinned}{width}{}", self.name)
    }

    fn ordered_by(&self) -> Option<String> {
        match (self.of, self.key.as_str()) {
            (Of::Feedback | Of::Expectation, _)
            | (Of::Attribute, "tokens" | "cost" | "request" | "response" | "assessments") => None,
            (Of::Attribute, "trace_id") => Some("request_id".to_owned()),
            (Of::Attribute, "session") => Some(format!("metadata.`{}`", key::SESSION)),
            (Of::Attribute, "user") => Some(format!("metadata.`{}`", key::USER)),
            _ => Some(self.name.clone()),
        }
    }
}

/// What a preview says: a text without the quotes that JSON puts around it, even where its end is cut off; anything else
/// as it is.
pub(super) fn spoken(preview: &str) -> String {
    let Some(begun) = preview.strip_prefix('"') else { return preview.to_owned() };
    if let Ok(whole) = serde_json::from_str::<String>(preview) {
        return whole;
    }
    let Some(begun) = begun.strip_suffix("...").or_else(|| begun.strip_suffix('…')) else {
        return preview.to_owned();
    };
    // The cut may lie within an escape, of which the longest are two of `\uXXXX`.
    let ends = begun.char_indices().map(|(at, _)| at).rev().take(12);
    let starts = std::iter::once(begun.len()).chain(ends).filter_map(|end| begun.get(..end));
    let mut read = starts.filter_map(|start| serde_json::from_str::<String>(&format!("\"{start}\"")).ok());
    read.next().map_or_else(|| preview.to_owned(), |text| format!("{text}…"))
}

/// How long it took, from milliseconds.
pub(super) fn lasted(milliseconds: i64) -> String {
    span(milliseconds.saturating_mul(1_000))
}

/// What is said of a trace, with names if several are asked for.
fn said(trace: &AssessedTrace, wanted: impl Fn(Kind, &str) -> bool, named: bool) -> Cell {
    let valid = trace.assessments.iter().filter(|said| said.valid);
    let those = valid.filter(|said| wanted(said.judgement.kind(), &said.name));
    let texts: Vec<String> = those
        .map(|said| {
            let value = judged(&said.judgement);
            if named { format!("{}: {value}", said.name) } else { value }
        })
        .collect();
    if texts.is_empty() { Cell::Empty } else { Cell::Text(texts.join(", ")) }
}

/// What a judgement says, or what kept it from being made.
pub(super) fn judged(judgement: &Judgement) -> String {
    match judgement.failure() {
        Some(failure) => format!("failed: {failure}"),
        None => unquoted(judgement.value().as_str()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_traces::assessment::{AssessmentValue, Failure};

    use super::*;

    #[test]
    fn what_kept_a_judgement_from_being_made_is_told() {
        let value = AssessmentValue::stored;
        let failure =
            Failure { code: "ValueError".into(), message: Some("judge failed".into()), stack: None };
        let failed = Judgement::Feedback(value("null"), Some(failure));
        assert_eq!(judged(&failed), "failed: ValueError: judge failed");
        assert_eq!(judged(&Judgement::Expectation(value("\"no\""))), "no");
    }

    #[test]
    fn previews_of_texts_are_read_without_quotes() {
        assert_eq!(spoken(r#""hello \"you\"""#), "hello \"you\"");
        assert_eq!(spoken(r#""one\ntwo..."#), "one\ntwo…");
        assert_eq!(spoken("\"cut \\ud83d..."), "cut …", "within an escape");
        for other in [r#"{"a": "b"}"#, "plain", "\"", "\"a\" and \"b\"", ""] {
            assert_eq!(spoken(other), other);
        }
    }

    #[test]
    fn a_column_reads_as_it_is_written() {
        for text in
            ["status", "!160:metadata.`mlflow.user`", "!timestamp_ms", "80:tags.`a b`", "feedback.correct"]
        {
            assert_eq!(Column::parse(text).unwrap().written(), text);
        }
        for wrong in ["", "nothing", "span.name", "metrics.loss"] {
            assert_eq!(Column::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_ordered_is_not_offered() {
        let order = |name: &str| Column::parse(name).unwrap().ordered_by();
        assert_eq!((order("tokens"), order("feedback.correct")), (None, None));
        assert_eq!(order("trace_id").as_deref(), Some("request_id"));
        assert_eq!(order("session").as_deref(), Some("metadata.`mlflow.trace.session`"));
        assert_eq!(order("tags.topic").as_deref(), Some("tags.topic"));
    }
}
