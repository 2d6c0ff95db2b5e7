//! `mainstay traces`: what applications and models did, and where their time went.

mod waterfall;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::experiments;
use crate::near::Unknown;
use crate::render::{self, Page, cell, exact};
use crate::runs::quoted;
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Traces {
    /// Traces, the newest first.
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// One: its spans as a waterfall, with how long each took and its tokens.
    #[command(
        after_help = "Examples:\n  mainstay traces show tr-8f2c\n  mainstay traces show tr-8f2c --json | jq .spans.count"
    )]
    Show(Show),
}

const LIST_EXAMPLES: &str = "\
Examples:
  mainstay traces list --experiment support --limit 10
  mainstay traces list --filter \"trace.status = 'ERROR'\"
  mainstay traces list --order-by \"execution_time DESC\"";

#[derive(Debug, Args)]
pub struct List {
    /// Only of this experiment, by its name or id; of all, if left out. May be repeated.
    #[arg(long, value_name = "NAME|ID")]
    experiment: Vec<String>,
    /// Only those for which this holds, in the search language, such as "trace.status = 'ERROR'".
    #[arg(long, default_value = "")]
    filter: String,
    /// By what they are ordered, such as `"execution_time DESC"`. May be repeated.
    #[arg(long, value_name = "COLUMN")]
    order_by: Vec<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Show {
    /// Its id, or the first characters of it.
    trace: String,
    #[command(flatten)]
    at: At,
}

const API: &str = "/api/3.0/mlflow/traces";
/// The metadata of a trace with the tokens of all its spans, and the attribute of one span.
const TOKENS: [&str; 2] = ["mlflow.trace.tokenUsage", "mlflow.chat.tokenUsage"];
/// Most spans whose tokens are looked up one by one.
const ASKED: usize = 50;

impl Traces {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(session).await?,
            Self::Show(show) => show.run(session).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.clone().connect(session).await?;
        let found = if session.json { self.find(&client).await } else { self.find_rows(&client).await };
        client.close().await;
        let items = found?;
        if session.json {
            say(json!({ "items": items }).to_string());
        } else {
            let titles = ["trace", "state", "started", "duration", "tokens", "name", "request"];
            render::rows(&titles, items.iter().map(row).collect());
        }
        Ok(())
    }

    /// Rows of a table: here a trace that nobody named is called as its root, of which MLflow's API does not tell.
    async fn find_rows(&self, client: &Client) -> Result<Vec<Value>, Failed> {
        let body = json!({
            "experiments": experiments::ids(client, &self.experiment).await?, "filter": self.filter,
            "order_by": self.order_by, "columns": [format!("metadata.{}", TOKENS[0])],
        });
        client.search("/api/v1/traces/search", body, "traces", self.limit as usize).await
    }

    /// Traces as MLflow tells them.
    async fn find(&self, client: &Client) -> Result<Vec<Value>, Failed> {
        let ids = if let Some(ids) = experiments::ids(client, &self.experiment).await? {
            ids
        } else {
            let all = experiments::some(client, usize::MAX).await?;
            all.into_iter().map(|mut experiment| experiment["experiment_id"].take()).collect()
        };
        let location =
            |id: Value| json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": id } });
        let body = json!({
            "locations": ids.into_iter().map(location).collect::<Vec<_>>(), "filter": self.filter,
            "order_by": self.order_by,
        });
        client.search(&format!("{API}/search"), body, "traces", self.limit as usize).await
    }
}

fn row(trace: &Value) -> Vec<String> {
    vec![
        cell(&trace["trace_id"]),
        cell(&trace["status"]),
        trace["timestamp_ms"].as_i64().map_or_else(|| "-".to_owned(), render::instant),
        trace["execution_time_ms"].as_f64().map_or_else(|| "-".to_owned(), render::span),
        tokens(&trace["metadata"][TOKENS[0]]).unwrap_or_else(|| "-".to_owned()),
        cell(&trace["name"]),
        cell(&trace["request"]),
    ]
}

/// When it began, to the second.
fn started(trace: &Value) -> Option<String> {
    let text = trace["request_time"].as_str()?;
    let seconds = text.get(..19).filter(|_| text.ends_with('Z'));
    Some(seconds.map_or_else(|| text.to_owned(), |seconds| format!("{seconds}Z")))
}

/// How long it took; on the wire that is seconds, such as `1.5s`.
fn duration(trace: &Value) -> Option<String> {
    let seconds: f64 = trace["execution_duration"].as_str()?.strip_suffix('s')?.parse().ok()?;
    Some(render::span(seconds * 1_000.0))
}

/// `12 in, 34 out` of the JSON that MLflow's clients write of tokens, as a text or as an object.
fn tokens(usage: &Value) -> Option<String> {
    let parsed = usage.as_str().and_then(|text| serde_json::from_str(text).ok());
    let usage: &Value = parsed.as_ref().unwrap_or(usage);
    let count = |key: &str| usage[key].as_u64();
    match (count("input_tokens"), count("output_tokens"), count("total_tokens")) {
        (None, None, None) => None,
        (None, None, Some(total)) => Some(total.to_string()),
        (input, output, _) => {
            Some(format!("{} in, {} out", input.unwrap_or_default(), output.unwrap_or_default()))
        }
    }
}

impl Show {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let found = find(&client, &self.trace, session.json).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else {
            page(&found, render::width().unwrap_or(WIDTH)).print();
        }
        Ok(())
    }
}

/// The ids of two traces, at most, whose id compares so.
async fn search_ids(client: &Client, comparison: &str) -> Result<Vec<String>, Failed> {
    let body = json!({ "filter": format!("request_id {comparison}"), "limit": 2 });
    let mut found = client.post("/api/v1/traces/search", &body).await?["traces"].take();
    let ids = found.as_array_mut().into_iter().flatten().map(|trace| trace["trace_id"].take());
    Ok(ids.filter_map(|id| id.as_str().map(str::to_owned)).collect())
}

/// The id of the trace that begins so.
async fn resolve(client: &Client, text: &str) -> Result<String, Failed> {
    const HINT: &str = "give its id, or the first characters of it; `mainstay traces list` shows them";
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // One whole id may be the beginning of others.
    let mut ids = search_ids(client, &format!("= {}", quoted(text))).await?;
    if ids.is_empty() && is_id {
        ids = search_ids(client, &format!("LIKE '{text}%'")).await?;
    }
    match ids.as_slice() {
        [] => Err(Unknown::new("trace", text, std::iter::empty(), HINT).into()),
        [one] => Ok(one.clone()),
        [one, other, ..] => {
            Err(Failed::Usage(format!("'{text}' is several traces ({one}, {other}, …); give the id of one")))
        }
    }
}

/// How wide a waterfall is where there is no terminal.
const WIDTH: usize = 100;

/// The trace as MLflow tells it, with its `spans` column by column; for people also the `tokens` of those spans that
/// have some, by the place of the span.
async fn find(client: &Client, text: &str, is_for_programs: bool) -> Result<Value, Failed> {
    let id = &resolve(client, text).await?;
    let mut found = client.get(&format!("{API}/{}", part(id))).await?;
    let mut trace = found["trace"]["trace_info"].take();
    let path = format!("/api/v1/traces/{}/spans", part(id));
    trace["spans"] = client.get(&path).await?;
    if is_for_programs {
        return Ok(trace);
    }
    let columns = &trace["spans"]["columns"];
    let models: Vec<(usize, String)> = waterfall::spans(columns)
        .filter(|span| matches!(span.kind, "LLM" | "CHAT_MODEL" | "EMBEDDING"))
        .map(|span| (span.place, span.id.to_owned()))
        .take(ASKED)
        .collect();
    let mut counted = serde_json::Map::new();
    for (place, id) in models {
        let span = client.get(&format!("{path}/{id}")).await?;
        if let Some(text) = tokens(&span["attributes"][TOKENS[1]]) {
            counted.insert(place.to_string(), text.into());
        }
    }
    trace["tokens"] = counted.into();
    Ok(trace)
}

fn page(trace: &Value, width: usize) -> Page {
    let mut page = Page::titled(&format!("trace {}", cell(&trace["trace_id"])));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    page.fields(&[
        ("name", text(&trace["tags"]["mlflow.traceName"]).or_else(|| root(&trace["spans"]["columns"]))),
        ("state", text(&trace["state"])),
        ("experiment", text(&trace["trace_location"]["mlflow_experiment"]["experiment_id"])),
        ("started", started(trace)),
        ("duration", duration(trace)),
        ("tokens", tokens(&trace["trace_metadata"][TOKENS[0]])),
        ("session", text(&trace["trace_metadata"]["mlflow.trace.session"])),
        ("user", text(&trace["trace_metadata"]["mlflow.trace.user"])),
        ("request", text(&trace["request_preview"]).map(|text| render::cut(&text, 200))),
        ("response", text(&trace["response_preview"]).map(|text| render::cut(&text, 200))),
    ]);
    let lines = waterfall::lines(&trace["spans"], &trace["tokens"], width);
    if !lines.is_empty() {
        page.heading("Spans");
        for line in &lines {
            page.line(line);
        }
    }
    let assessment =
        |one: &Value| vec![cell(&one["assessment_name"]), said(one), cell(&one["source"]["source_id"])];
    let rows = trace["assessments"].as_array().into_iter().flatten().map(assessment).collect();
    page.table("Assessments", &["name", "value", "by"], rows);
    page
}

/// What an assessment says: a value, a structure, an issue, or why there is none.
fn said(assessment: &Value) -> String {
    let (feedback, expectation) = (&assessment["feedback"], &assessment["expectation"]);
    let error = &feedback["error"];
    if !error.is_null() {
        let told = ["error_code", "error_message"].map(|key| cell(&error[key]));
        return format!(
            "failed: {}",
            told.into_iter().filter(|text| text != "-").collect::<Vec<_>>().join(": ")
        );
    }
    // MLflow's clients write a structure as the text of its JSON.
    let text = expectation["serialized_value"]["value"].as_str();
    let structure = text.and_then(|text| serde_json::from_str::<Value>(text).ok()).map(|value| match value {
        Value::Object(_) | Value::Array(_) => render::visible(&value.to_string()),
        plain => exact(&plain),
    });
    let plain = [&feedback["value"], &expectation["value"], &assessment["issue"]["issue_name"]];
    let plain = plain.into_iter().find(|value| !value.is_null());
    structure.or_else(|| plain.map(exact)).unwrap_or_else(|| "-".to_owned())
}

/// What the first root is called; roots come first.
fn root(columns: &Value) -> Option<String> {
    let first = waterfall::spans(columns).next()?;
    (columns["parent"][first.place] == -1).then(|| first.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_tells_how_long_and_how_many_tokens() {
        let trace = json!({
            "trace_id": "tr-1", "status": "OK", "timestamp_ms": 1_767_225_600_123_i64, "execution_time_ms": 1_500,
            "metadata": { "mlflow.trace.tokenUsage": "{\"input_tokens\": 12, \"output_tokens\": 30}" },
            "name": "chat", "request": "hi",
        });
        assert_eq!(
            row(&trace),
            ["tr-1", "OK", "2026-01-01T00:00:00Z", "1.5 s", "12 in, 30 out", "chat", "hi"]
        );
        assert_eq!(row(&json!({ "trace_id": "tr-2" }))[1..], ["-", "-", "-", "-", "-", "-"]);
        let told = |one: Value| said(&one);
        let structure = json!({ "value": "{\"a\":1.0,\"b\":\"x\"}", "serialization_format": "JSON_FORMAT" });
        assert_eq!(told(json!({ "expectation": { "serialized_value": structure } })), r#"{"a":1.0,"b":"x"}"#);
        assert_eq!(told(json!({ "expectation": { "value": "yes" } })), "yes");
        let error = json!({ "error_code": "ValueError", "error_message": "judge failed" });
        assert_eq!(
            told(json!({ "feedback": { "value": null, "error": error } })),
            "failed: ValueError: judge failed"
        );
        assert_eq!(told(json!({ "issue": { "issue_name": "slow" } })), "slow");
        assert_eq!(told(json!({ "feedback": { "value": 0.123_456_789 } })), "0.123456789");
        assert_eq!(told(json!({})), "-");
        assert_eq!(tokens(&json!({ "total_tokens": 9 })).as_deref(), Some("9"));
    }
}
