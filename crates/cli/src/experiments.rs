//! `mainstay experiments`, and what a person may call one.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::near::Unknown;
use crate::render::{self, Page, instant};
use crate::terminal::say;
use crate::{Failed, Session};

/// MLflow's API.
pub(crate) const MLFLOW: &str = "/api/2.0/mlflow";

#[derive(Debug, Subcommand)]
pub enum Experiments {
    /// Experiments, those that changed last first.
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// One, with its tags, how many runs it has in which state, and the newest of them.
    #[command(
        after_help = "Examples:\n  mainstay experiments show flights\n  mainstay experiments show 3 --json"
    )]
    Show(Show),
}

const LIST_EXAMPLES: &str = "\
Examples:
  mainstay experiments list
  mainstay experiments list --filter \"name LIKE 'flight%'\"
  mainstay experiments list --filter \"tags.team = 'ops'\" --order-by \"name ASC\"";

#[derive(Debug, Args)]
pub struct List {
    /// Only those for which this holds, in the search language, such as "name LIKE 'flight%'".
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// By what they are ordered, such as "name ASC". May be repeated.
    #[arg(long, value_name = "COLUMN", default_value = "last_update_time DESC")]
    order_by: Vec<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Show {
    /// Its name, or its id.
    experiment: String,
    #[command(flatten)]
    at: At,
}

impl Experiments {
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
        let Self { filter, order_by, limit, at } = self;
        let client = at.connect(session).await?;
        let body = json!({ "filter": filter, "order_by": order_by });
        let path = format!("{MLFLOW}/experiments/search");
        let found = async {
            let mut found = client.search(&path, body, "experiments", limit as usize).await?;
            count(&client, &mut found).await?;
            Ok::<_, Failed>(found)
        };
        let found = found.await;
        client.close().await;
        let found = found?;
        if session.json {
            say(json!({ "items": found }).to_string());
            return Ok(());
        }
        let row = |experiment: &Value| {
            let changed = experiment["last_update_time"].as_i64().map_or_else(|| "-".into(), instant);
            let tags = experiment["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
            let tags = visible_tags(tags).map(|(key, value)| format!("{key}={}", render::cell(value)));
            let tags = tags.collect::<Vec<_>>().join(",");
            let tags = if tags.is_empty() { "-".to_owned() } else { render::visible(&tags) };
            let [name, id, runs] =
                ["name", "experiment_id", "runs"].map(|key| render::cell(&experiment[key]));
            vec![name, id, runs, changed, tags]
        };
        render::rows(&["name", "id", "runs", "changed", "tags"], found.iter().map(row).collect());
        Ok(())
    }
}

impl Show {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let found = show(&client, &self.experiment).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else {
            page(&found).print();
        }
        Ok(())
    }
}

/// Most experiments that a search of runs names.
const GROUPS: usize = 1_000;

/// Adds to experiments how many runs they have that are not deleted, by one search; nothing for a caller who may not
/// search runs.
async fn count(client: &Client, found: &mut [Value]) -> Result<(), Failed> {
    for some in found.chunks_mut(GROUPS) {
        let ids: Vec<&Value> = some.iter().map(|experiment| &experiment["experiment_id"]).collect();
        let body = json!({ "experiments": ids, "group_by": ["experiment_id"], "limit": GROUPS });
        let groups = match client.post("/api/v1/runs/search", &body).await {
            Ok(mut answer) => answer["groups"].take(),
            Err(failed) if failed.code() == Some(ErrorCode::PermissionDenied) => return Ok(()),
            Err(failed) => return Err(failed),
        };
        let groups = groups.as_array().map(Vec::as_slice).unwrap_or_default();
        let counts: BTreeMap<&str, &Value> =
            groups.iter().filter_map(|group| Some((group["key"][0].as_str()?, &group["runs"]))).collect();
        for experiment in some {
            let runs = experiment["experiment_id"].as_str().and_then(|id| counts.get(id));
            experiment["runs"] = runs.map_or_else(|| 0.into(), |runs| (*runs).clone());
        }
    }
    Ok(())
}

/// The experiment as MLflow tells it, with `runs` by status and the `newest` of them.
async fn show(client: &Client, name: &str) -> Result<Value, Failed> {
    let mut found = resolve(client, name).await?;
    let experiments = json!([found["experiment_id"]]);
    let groups = json!({ "experiments": experiments, "group_by": ["status"], "limit": 100 });
    let groups = client.post("/api/v1/runs/search", &groups).await?;
    let groups = groups["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counts = groups.iter().map(|group| (render::cell(&group["key"][0]), group["runs"].clone()));
    found["runs"] = counts.collect::<serde_json::Map<_, _>>().into();
    let newest = json!({
        "experiments": experiments, "columns": ["run_name", "status", "start_time", "duration"], "limit": 5,
    });
    found["newest"] = client.post("/api/v1/runs/search", &newest).await?["runs"].take();
    Ok(found)
}

fn page(found: &Value) -> Page {
    let mut page = Page::titled(&format!("experiment {}", render::cell(&found["name"])));
    let at = |key: &str| found[key].as_i64().map(instant);
    let stage = found["lifecycle_stage"].as_str().filter(|stage| *stage != "active");
    page.fields(&[
        ("id", found["experiment_id"].as_str().map(str::to_owned)),
        ("deleted", stage.map(|_| "yes".to_owned())),
        ("created", at("creation_time")),
        ("changed", at("last_update_time")),
        ("artifacts", found["artifact_location"].as_str().map(str::to_owned)),
    ]);
    page.pairs("Tags", visible_tags(found["tags"].as_array().map(Vec::as_slice).unwrap_or_default()));
    let runs = found["runs"].as_object();
    page.pairs("Runs", runs.into_iter().flatten().map(|(status, count)| (status.as_str(), count)));
    let newest = found["newest"].as_array().map(Vec::as_slice).unwrap_or_default();
    page.table("Newest", &["run", "name", "status", "started", "duration"], newest.iter().map(row).collect());
    page
}

fn row(run: &Value) -> Vec<String> {
    let length = run["duration"].as_f64().map_or_else(|| "-".to_owned(), render::span);
    let started = run["start_time"].as_i64().map_or_else(|| "-".to_owned(), instant);
    vec![
        render::cell(&run["run_id"]),
        render::cell(&run["run_name"]),
        render::cell(&run["status"]),
        started,
        length,
    ]
}

/// Tags as people set them: those of MLflow's clients are left out.
pub(crate) fn visible_tags(tags: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
    let pairs = tags.iter().filter_map(|tag| Some((tag["key"].as_str()?, &tag["value"])));
    pairs.filter(|(key, _)| !key.starts_with("mlflow."))
}

/// The experiment of that name or id, as MLflow tells it.
pub(crate) async fn resolve(client: &Client, name: &str) -> Result<Value, Failed> {
    let by_name = format!("{MLFLOW}/experiments/get-by-name?experiment_name={}", part(name));
    match client.get(&by_name).await {
        Ok(mut found) => return Ok(found["experiment"].take()),
        Err(failed) if failed.code() == Some(ErrorCode::NotFound) => {}
        Err(failed) => return Err(failed),
    }
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        match client.get(&format!("{MLFLOW}/experiments/get?experiment_id={}", part(name))).await {
            Ok(mut found) => return Ok(found["experiment"].take()),
            Err(failed) if failed.code() == Some(ErrorCode::NotFound) => {}
            Err(failed) => return Err(failed),
        }
    }
    let known = some(client, NAMED).await?;
    let hint = "`mainstay experiments list` shows those that there are";
    Err(Unknown::new("experiment", name, known.iter().filter_map(|one| one["name"].as_str()), hint).into())
}

/// The ids of the experiments of these names; of all, if there are none.
pub(crate) async fn ids(client: &Client, names: &[String]) -> Result<Option<Vec<Value>>, Failed> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        ids.push(id(client, name).await?);
    }
    Ok(Some(ids))
}

/// The id of the experiment of that name or id.
pub(crate) async fn id(client: &Client, name: &str) -> Result<Value, Failed> {
    Ok(resolve(client, name).await?["experiment_id"].take())
}

/// Most experiments whose names are looked up for a table or a proposal.
const NAMED: usize = 1_000;

/// Experiments, as MLflow tells them, so many at most.
pub(crate) async fn some(client: &Client, most: usize) -> Result<Vec<Value>, Failed> {
    client.search(&format!("{MLFLOW}/experiments/search"), json!({}), "experiments", most).await
}

/// The names of experiments by their ids.
pub(crate) async fn names(client: &Client) -> Result<BTreeMap<String, String>, Failed> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pair = |one: Value| Some((text(&one["experiment_id"])?, text(&one["name"])?));
    Ok(some(client, NAMED).await?.into_iter().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_of_the_runs_by_state() {
        let found = json!({
            "name": "flights", "experiment_id": "3", "creation_time": 0, "lifecycle_stage": "active",
            "tags": [{ "key": "mlflow.note", "value": "x" }, { "key": "team", "value": "ops" }],
            "runs": { "FINISHED": 12 },
            "newest": [{ "run_id": "aa", "run_name": "try", "status": "FINISHED", "start_time": 0, "duration": 1500 }],
        });
        let page = page(&found);
        let expected = [
            "experiment flights",
            "  id       3",
            "  created  1970-01-01T00:00:00Z",
            "",
            "Tags",
            "  team  ops",
            "",
            "Runs",
            "  FINISHED  12",
            "",
            "Newest",
            "  RUN  NAME  STATUS    STARTED               DURATION",
            "  aa   try   FINISHED  1970-01-01T00:00:00Z  1.5 s",
        ];
        assert_eq!(page.lines(), expected);
    }
}
