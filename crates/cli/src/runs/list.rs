//! `mainstay runs list`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::{Value, json};

use super::{SEARCH, unquoted, value_at};
use crate::at::At;
use crate::client::Client;
use crate::experiments;
use crate::render::{self, Digits, instant};
use crate::terminal::say;
use crate::{Failed, Session};

pub(super) const EXAMPLES: &str = "\
Examples:
  mainstay runs list --experiment flights --limit 10
  mainstay runs list --filter \"metrics.loss < 0.3 AND params.optimizer IN ('adam', 'sgd')\"
  mainstay runs list --order-by \"metrics.loss ASC\" --columns run_name,metrics.loss,params.lr
  mainstay runs list --filter \"status = 'FAILED' OR duration > 3600000\" --json
  mainstay runs list --deleted

The filter is written in the search language, which is MLflow's and more: OR, NOT, parentheses, IN, BETWEEN,
LIKE, RLIKE, IS NULL.";

#[derive(Debug, Args)]
pub struct List {
    /// Only of this experiment, by its name or id; of all, if left out. May be repeated.
    #[arg(long, value_name = "NAME|ID")]
    experiment: Vec<String>,
    /// Only those for which this holds, such as "metrics.auc > 0.8".
    #[arg(long, default_value = "")]
    filter: String,
    /// By what they are ordered, such as "metrics.loss ASC". May be repeated; the latest start comes first
    /// otherwise.
    #[arg(long, value_name = "COLUMN")]
    order_by: Vec<String>,
    /// What is shown, with commas between: `run_name`, `status`, `start_time`, `duration`, `user_id`,
    /// `metrics.KEY`, `params.KEY`, `tags.KEY`, or all of a kind, as `params.*`.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Only those that are deleted, and can be restored until they are purged.
    #[arg(long, conflicts_with = "all")]
    deleted: bool,
    /// Those that are deleted too.
    #[arg(long)]
    all: bool,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

/// What a list shows by itself: of metrics the first few.
const USUAL: [&str; 5] = ["run_name", "status", "start_time", "duration", "metrics.*"];
/// Most metrics of a run on its line; `runs show` has all of them.
const SHOWN: usize = 4;

/// Which metrics need all their digits, so that runs can be told apart.
fn digits(items: &[Value]) -> Digits {
    let metrics = items.iter().filter_map(|run| run["metrics"].as_object()).flatten();
    Digits::of(metrics.map(|(key, value)| (key.as_str(), value)))
}

impl List {
    const fn view(&self) -> &'static str {
        match (self.all, self.deleted) {
            (true, _) => "all",
            (false, true) => "deleted",
            (false, false) => "active",
        }
    }

    pub(super) async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.clone().connect(session).await?;
        let found = self.find(&client, session.json).await;
        client.close().await;
        let (items, names) = found?;
        if session.json {
            say(json!({ "items": items }).to_string());
        } else if self.columns.is_empty() {
            let titles = ["run", "name", "experiment", "status", "started", "duration", "metrics"];
            let digits = digits(&items);
            render::rows(&titles, items.iter().map(|run| usual(run, &names, &digits)).collect());
        } else {
            let columns = expanded(&self.columns, &items);
            let titles: Vec<&str> =
                std::iter::once("run").chain(columns.iter().map(String::as_str)).collect();
            let digits = digits(&items);
            render::rows(&titles, items.iter().map(|run| chosen(run, &columns, &digits)).collect());
        }
        Ok(())
    }

    /// The rows, and the names of experiments by their ids.
    async fn find(
        &self,
        client: &Client,
        is_for_programs: bool,
    ) -> Result<(Vec<Value>, BTreeMap<String, String>), Failed> {
        let mut body = json!({ "filter": self.filter, "order_by": self.order_by, "view": self.view() });
        if let Some(ids) = experiments::ids(client, &self.experiment).await? {
            body["experiments"] = ids.into();
        }
        if !self.columns.is_empty() {
            body["columns"] = json!(self.columns);
        } else if !is_for_programs {
            body["columns"] = json!(USUAL);
        }
        let items = client.search(SEARCH, body, "runs", self.limit as usize).await?;
        let is_named = !is_for_programs && self.columns.is_empty() && !items.is_empty();
        let names = if is_named { experiments::names(client).await? } else { BTreeMap::new() };
        Ok((items, names))
    }
}

fn usual(run: &Value, names: &BTreeMap<String, String>, digits: &Digits) -> Vec<String> {
    let id = run["experiment_id"].as_str().unwrap_or_default();
    vec![
        render::cell(&run["run_id"]),
        render::cell(&run["run_name"]),
        render::visible(names.get(id).map_or(id, String::as_str)),
        render::cell(&run["status"]),
        shown(run, "start_time"),
        shown(run, "duration"),
        last(&run["metrics"], digits),
    ]
}

fn chosen(run: &Value, columns: &[String], digits: &Digits) -> Vec<String> {
    let cells = columns.iter().map(|column| match column.strip_prefix("metrics.") {
        Some(key) => digits.cell(unquoted(key), value_at(run, column)),
        None => shown(run, column),
    });
    std::iter::once(render::cell(&run["run_id"])).chain(cells).collect()
}

/// A value as its column is read: instants and lengths are not shown as numbers.
pub(super) fn shown(run: &Value, column: &str) -> String {
    let value = value_at(run, column);
    let name = column.strip_prefix("attributes.").unwrap_or(column);
    match (name, value.as_i64()) {
        ("start_time" | "end_time", Some(at)) => instant(at),
        ("duration", Some(_)) => render::span(value.as_f64().unwrap_or_default()),
        _ => render::cell(value),
    }
}

/// The columns, with the keys that there are in place of `KIND.*`.
fn expanded(columns: &[String], items: &[Value]) -> Vec<String> {
    let mut all = Vec::new();
    for column in columns {
        let Some(kind) = column.strip_suffix(".*") else {
            all.push(column.clone());
            continue;
        };
        if kind == "attributes" {
            all.extend(["run_name", "status", "user_id", "start_time", "duration"].map(str::to_owned));
            continue;
        }
        let keys = items.iter().filter_map(|run| run[kind].as_object()).flat_map(|pairs| pairs.keys());
        let keys: BTreeSet<&String> = keys.collect();
        all.extend(keys.into_iter().map(|key| format!("{kind}.{key}")));
    }
    all
}

/// The last value of the first metrics: a model's own figures first, those of what it is compared with after them.
fn last(metrics: &Value, digits: &Digits) -> String {
    let mut pairs: Vec<(&String, &Value)> = metrics.as_object().into_iter().flatten().collect();
    pairs.sort_by_key(|(key, _)| key.contains('/'));
    let more = pairs.len().saturating_sub(SHOWN);
    let first = pairs.into_iter().take(SHOWN);
    let first = first.map(|(key, value)| format!("{}={}", render::visible(key), digits.cell(key, value)));
    let more = (more > 0).then(|| format!("and {more} more"));
    let text = first.chain(more).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_name_of_the_experiment_and_a_few_metrics() {
        let run = json!({
            "run_id": "ab", "experiment_id": "3", "run_name": "try", "status": "FINISHED", "start_time": 0,
            "duration": 61_000, "metrics": { "a/x": 1, "b": 0.123_456_7, "c": "NaN", "d": 2, "e": 3 },
        });
        let names = [("3".to_owned(), "flights".to_owned())].into();
        let line = usual(&run, &names, &Digits::default());
        assert_eq!(
            line,
            [
                "ab",
                "try",
                "flights",
                "FINISHED",
                "1970-01-01T00:00:00Z",
                "1m 01s",
                "b=0.12346 c=NaN d=2 e=3 and 1 more"
            ]
        );
        assert_eq!(
            usual(&json!({ "run_id": "ab", "experiment_id": "9" }), &names, &Digits::default())[2..],
            ["9", "-", "-", "-", "-"]
        );
    }

    #[test]
    fn all_of_a_kind_are_those_that_some_run_has() {
        let items = [json!({ "params": { "b": "1" } }), json!({ "params": { "a": "2" }, "metrics": {} })];
        let columns = ["run_name", "params.*", "metrics.*"].map(str::to_owned);
        assert_eq!(expanded(&columns, &items), ["run_name", "params.a", "params.b"]);
        let columns = ["params.a", "params.b"].map(str::to_owned);
        assert_eq!(chosen(&items[0], &columns, &Digits::default()), ["-", "-", "1"]);
        let near = [json!({ "metrics": { "auc": 0.999_976 } }), json!({ "metrics": { "auc": 0.999_98 } })];
        let rows = near.each_ref().map(|run| chosen(run, &["metrics.`auc`".to_owned()], &digits(&near)));
        assert_eq!(rows, [["-", "0.999976"], ["-", "0.99998"]]);
    }
}
