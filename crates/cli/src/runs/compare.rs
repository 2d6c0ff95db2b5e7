//! `mainstay runs compare`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{NotOne, SEARCH, resolve};
use crate::at::At;
use crate::client::Client;
use crate::render::{self, cell, exact};
use crate::terminal::{note, say};
use crate::{Failed, Session};

pub(super) const EXAMPLES: &str = "\
Examples:
  mainstay runs compare 8f2c 91ab
  mainstay runs compare baseline try-1 try-2 --all

With --json: {\"runs\": [ids], \"attributes\", \"params\", \"metrics\", \"tags\": {name: [a value for each run, null
where it has none]}}.";

#[derive(Debug, Args)]
pub struct Compare {
    /// The runs: ids, the first characters of them, or names.
    #[arg(required = true, num_args = 2..=20, value_name = "RUN")]
    runs: Vec<String>,
    /// Show also what is the same in all of them.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    at: At,
}

impl Compare {
    pub(super) async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let Self { runs, all, at } = self;
        let client = at.connect(session).await?;
        let found = find(&client, &runs).await;
        client.close().await;
        let compared = compared(&found?, all);
        if session.json {
            say(compared.to_string());
        } else {
            print(&compared);
        }
        Ok(())
    }
}

async fn find(client: &Client, runs: &[String]) -> Result<Vec<Value>, Failed> {
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        let id = resolve(client, run).await?;
        let body = json!({ "filter": format!("run_id = '{id}'"), "view": "all", "limit": 1 });
        let mut answer = client.post(SEARCH, &body).await?;
        let missing = || Failed::from(NotOne::None(run.clone()));
        found.push(answer.pointer_mut("/runs/0").map(Value::take).ok_or_else(missing)?);
    }
    Ok(found)
}

/// Which attributes say something of a run beside what identifies it.
const ATTRIBUTES: [&str; 4] = ["run_name", "status", "duration", "user_id"];

/// What runs have, kind by kind, a value for each run; without `all` only where they differ.
pub(super) fn compared(runs: &[Value], all: bool) -> Value {
    let ids: Vec<&Value> = runs.iter().map(|run| &run["run_id"]).collect();
    let differs = |values: &[&Value]| values.windows(2).any(|pair| pair[0] != pair[1]);
    let mut attributes = Map::new();
    for name in ATTRIBUTES {
        let values: Vec<&Value> = runs.iter().map(|run| &run[name]).collect();
        if all || differs(&values) {
            attributes.insert(name.to_owned(), json!(values));
        }
    }
    let mut compared = json!({ "runs": ids, "attributes": attributes });
    for kind in ["params", "metrics", "tags"] {
        let keys = runs.iter().filter_map(|run| run[kind].as_object()).flat_map(Map::keys);
        let keys: BTreeSet<&String> =
            keys.filter(|key| kind != "tags" || !key.starts_with("mlflow.")).collect();
        let mut values = Map::new();
        for key in keys {
            let of: Vec<&Value> = runs.iter().map(|run| &run[kind][key.as_str()]).collect();
            if all || differs(&of) {
                values.insert(key.clone(), json!(of));
            }
        }
        compared[kind] = values.into();
    }
    compared
}

fn print(compared: &Value) {
    let ids = compared["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let short: Vec<String> = ids.iter().map(|id| cell(id).chars().take(8).collect()).collect();
    let titles: Vec<&str> = ["what", "name"].into_iter().chain(short.iter().map(String::as_str)).collect();
    let rows = lines(compared);
    if rows.is_empty() {
        note("they are the same, as far as they were logged");
        return;
    }
    render::rows(&titles, rows);
}

fn lines(compared: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (kind, word) in [("attributes", "run"), ("params", "param"), ("metrics", "metric"), ("tags", "tag")] {
        for (key, values) in compared[kind].as_object().into_iter().flatten() {
            let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
            let cells = if kind == "attributes" && key == "duration" {
                durations(values)
            } else {
                values.iter().map(exact).collect()
            };
            rows.push([word.to_owned(), render::visible(key)].into_iter().chain(cells).collect());
        }
    }
    rows
}

/// How long runs took; in milliseconds where they would look the same and are not.
fn durations(values: &[Value]) -> Vec<String> {
    let spans: Vec<String> =
        values.iter().map(|value| value.as_f64().map_or_else(|| cell(value), render::span)).collect();
    let told: BTreeSet<(&String, String)> = spans.iter().zip(values.iter().map(exact)).collect();
    if told.len() == spans.iter().collect::<BTreeSet<_>>().len() {
        return spans;
    }
    let millis = |value: &Value| if value.is_null() { cell(value) } else { format!("{} ms", exact(value)) };
    values.iter().map(millis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_shown_only_if_it_is_wanted() {
        let runs = [
            json!({ "run_id": "a", "status": "FINISHED", "duration": 1000, "params": { "lr": "0.1", "n": "3" },
                "metrics": { "loss": 0.5 }, "tags": { "mlflow.user": "x" } }),
            json!({ "run_id": "b", "status": "FINISHED", "duration": 2000, "params": { "lr": "0.2", "n": "3" },
                "metrics": {}, "tags": { "mlflow.user": "y" } }),
        ];
        let differing = compared(&runs, false);
        assert_eq!(
            differing,
            json!({ "runs": ["a", "b"], "attributes": { "duration": [1000, 2000] }, "params": { "lr": ["0.1", "0.2"] },
                "metrics": { "loss": [0.5, null] }, "tags": {} })
        );
        assert_eq!(
            lines(&differing),
            [
                ["run", "duration", "1 s", "2 s"],
                ["param", "lr", "0.1", "0.2"],
                ["metric", "loss", "0.5", "-"]
            ]
        );
        let near = [
            json!({ "run_id": "a", "metrics": { "auc": 0.999_976, "n_params": 7_241_732_096.0, "low": "-Infinity" } }),
            json!({ "run_id": "b", "metrics": { "auc": 0.999_98, "n_params": 7_241_732_097.0, "low": "NaN" } }),
        ];
        assert_eq!(
            lines(&compared(&near, false)),
            [
                ["metric", "auc", "0.999976", "0.99998"],
                ["metric", "low", "-Infinity", "NaN"],
                ["metric", "n_params", "7241732096", "7241732097"]
            ]
        );
        assert_eq!(durations(&[json!(1_500), json!(1_501), Value::Null]), ["1500 ms", "1501 ms", "-"]);
        assert_eq!(durations(&[json!(1_500), json!(1_500)]), ["1.5 s", "1.5 s"]);
        assert_eq!(compared(&runs, true)["params"]["n"], json!(["3", "3"]));
        assert!(lines(&compared(&runs[..1], false)).is_empty());
    }
}
