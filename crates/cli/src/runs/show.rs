//! `mainstay runs show`.

use clap::Args;
use serde_json::{Value, json};

use super::{SEARCH, resolve};
use crate::at::At;
use crate::client::{Client, part};
use crate::experiments::{MLFLOW, visible_tags};
use crate::render::{self, Page, cell, exact, instant};
use crate::terminal::say;
use crate::{Failed, Session};

pub(super) const EXAMPLES: &str = "\
Examples:
  mainstay runs show 8f2c
  mainstay runs show sedate-ram-12
  mainstay runs show 8f2c --json | jq .data.metrics

With --json: the run in the words of MLflow's API, with `experiment_name`, and in `versions` the versions of
registered models that were made of it.";

#[derive(Debug, Args)]
pub struct Show {
    /// Its id, the first characters of it, or its name.
    run: String,
    #[command(flatten)]
    at: At,
}

impl Show {
    pub(super) async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let found = async {
            let mut run = find(&client, &self.run).await?;
            if !session.json {
                told_as_they_are(&client, &mut run).await?;
            }
            Ok::<_, Failed>(run)
        };
        let found = found.await;
        client.close().await;
        let run = found?;
        if session.json {
            say(run.to_string());
        } else {
            page(&run).print();
        }
        Ok(())
    }
}

/// The run as MLflow tells it, with its experiment's name and the versions that were made of it.
pub(super) async fn find(client: &Client, text: &str) -> Result<Value, Failed> {
    let id = resolve(client, text).await?;
    let mut run = client.get(&format!("{MLFLOW}/runs/get?run_id={}", part(&id))).await?["run"].take();
    let experiment = cell(&run["info"]["experiment_id"]);
    let path = format!("{MLFLOW}/experiments/get?experiment_id={}", part(&experiment));
    run["experiment_name"] = client.get(&path).await?["experiment"]["name"].take();
    let filter = part(&format!("run_id = '{id}'"));
    let path = format!("{MLFLOW}/model-versions/search?max_results=100&filter={filter}");
    let mut versions = client.get(&path).await?["model_versions"].take();
    let pairs = versions.as_array_mut().into_iter().flatten().map(|version| {
        json!({ "name": version["name"], "version": version["version"], "aliases": version["aliases"] })
    });
    run["versions"] = pairs.collect::<Vec<_>>().into();
    Ok(run)
}

/// Puts the values of metrics in place of those that MLflow's API tells, which has no infinities.
async fn told_as_they_are(client: &Client, run: &mut Value) -> Result<(), Failed> {
    let filter = format!("run_id = '{}'", cell(&run["info"]["run_id"]));
    let body = json!({ "filter": filter, "view": "all", "columns": ["metrics.*"], "limit": 1 });
    let own = client.post(SEARCH, &body).await?["runs"][0]["metrics"].take();
    for metric in run.pointer_mut("/data/metrics").and_then(Value::as_array_mut).into_iter().flatten() {
        let known = metric["key"].as_str().and_then(|key| own.get(key)).cloned();
        if let Some(value) = known {
            metric["value"] = value;
        }
    }
    Ok(())
}

/// The value of a tag.
pub(super) fn tag<'a>(run: &'a Value, key: &str) -> Option<&'a str> {
    let tags = run.pointer("/data/tags").and_then(Value::as_array)?;
    tags.iter().find(|tag| tag["key"] == key)?["value"].as_str()
}

fn page(run: &Value) -> Page {
    let info = &run["info"];
    let mut page = Page::titled(&format!("run {}  {}", cell(&info["run_id"]), cell(&info["run_name"])));
    let (started, ended) = (info["start_time"].as_i64(), info["end_time"].as_i64());
    let length = started.zip(ended).map(|(from, until)| until.saturating_sub(from));
    let text = |key: &str| info[key].as_str().map(str::to_owned);
    let pipeline = tag(run, "mainstay.pipeline_run").map(|id| match tag(run, "mainstay.step") {
        Some(step) => format!("{id}, step {step}"),
        None => id.to_owned(),
    });
    page.fields(&[
        ("experiment", Some(format!("{} ({})", cell(&run["experiment_name"]), cell(&info["experiment_id"])))),
        ("status", text("status")),
        ("deleted", text("lifecycle_stage").filter(|stage| stage != "active").map(|_| "yes".to_owned())),
        ("started", started.map(instant)),
        ("duration", length.map(|millis| render::span(millis as f64))),
        ("user", text("user_id")),
        ("code", code(run)),
        ("parent run", tag(run, "mlflow.parentRunId").map(str::to_owned)),
        ("pipeline run", pipeline),
        ("artifacts", text("artifact_uri")),
    ]);
    let list =
        |pointer: &str| run.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let pairs = |items: &'_ [Value]| {
        items.iter().map(|item| vec![cell(&item["key"]), cell(&item["value"])]).collect::<Vec<_>>()
    };
    page.table("Params", &["name", "value"], pairs(list("/data/params")));
    let metric = |one: &Value| vec![cell(&one["key"]), exact(&one["value"]), cell(&one["step"])];
    page.table("Metrics", &["name", "latest", "step"], list("/data/metrics").iter().map(metric).collect());
    let own = visible_tags(list("/data/tags")).filter(|(key, _)| !key.starts_with("mainstay."));
    page.pairs("Tags", own);
    let input = |one: &Value| {
        let context = one["tags"].as_array().into_iter().flatten();
        let context =
            context.filter(|tag| tag["key"] == "mlflow.data.context").map(|tag| cell(&tag["value"]));
        let dataset = &one["dataset"];
        let context: String = context.collect();
        vec![
            cell(&dataset["name"]),
            cell(&dataset["digest"]),
            if context.is_empty() { "-".into() } else { context },
        ]
    };
    let inputs = list("/inputs/dataset_inputs").iter().map(input).collect();
    page.table("Inputs", &["dataset", "digest", "context"], inputs);
    let logged =
        list("/outputs/model_outputs").iter().map(|one| vec![cell(&one["model_id"]), cell(&one["step"])]);
    page.table("Logged models", &["model", "step"], logged.collect());
    let version = |one: &Value| vec![cell(&one["name"]), cell(&one["version"]), cell(&one["aliases"])];
    page.table(
        "Registered as",
        &["model", "version", "aliases"],
        list("/versions").iter().map(version).collect(),
    );
    page
}

/// Where its code stands, as far as the client said.
fn code(run: &Value) -> Option<String> {
    let commit = tag(run, "mlflow.source.git.commit").map(|commit| format!("commit {commit}"));
    let dirty = tag(run, "mlflow.source.git.dirty").filter(|dirty| dirty.eq_ignore_ascii_case("true"));
    let commit = match (commit, dirty) {
        (Some(commit), Some(_)) => Some(format!("{commit}, with changes that are not committed")),
        (commit, _) => commit,
    };
    let parts: Vec<String> =
        tag(run, "mlflow.source.name").map(str::to_owned).into_iter().chain(commit).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_a_person_asks_first() {
        let run = json!({
            "info": { "run_id": "ab", "run_name": "try", "experiment_id": "3", "status": "FINISHED", "user_id": "ann",
                "start_time": 0, "end_time": 2_500, "artifact_uri": "mlflow-artifacts:/3/ab", "lifecycle_stage": "active" },
            "data": {
                "metrics": [{ "key": "loss", "value": 0.25, "step": 7 }, { "key": "temp", "value": 299.999, "step": 7 },
                    { "key": "low", "value": "-Infinity", "step": 0 }], "params": [{ "key": "lr", "value": "0.1" }],
                "tags": [{ "key": "mlflow.source.name", "value": "train.py" },
                    { "key": "mlflow.source.git.commit", "value": "abc" }, { "key": "team", "value": "ops" },
                    { "key": "mainstay.pipeline_run", "value": "ff" }, { "key": "mainstay.step", "value": "train" }],
            },
            "inputs": { "dataset_inputs": [{ "dataset": { "name": "flights", "digest": "d1" },
                "tags": [{ "key": "mlflow.data.context", "value": "training" }] }] },
            "outputs": {}, "experiment_name": "flights",
            "versions": [{ "name": "delay", "version": "4", "aliases": ["champion"] }],
        });
        let page = page(&run);
        let expected = [
            "run ab  try",
            "  experiment    flights (3)",
            "  status        FINISHED",
            "  started       1970-01-01T00:00:00Z",
            "  duration      2.5 s",
            "  user          ann",
            "  code          train.py, commit abc",
            "  pipeline run  ff, step train",
            "  artifacts     mlflow-artifacts:/3/ab",
            "",
            "Params",
            "  NAME  VALUE",
            "  lr    0.1",
            "",
            "Metrics",
            "  NAME  LATEST     STEP",
            "  loss  0.25       7",
            "  temp  299.999    7",
            "  low   -Infinity  0",
            "",
            "Tags",
            "  team  ops",
            "",
            "Inputs",
            "  DATASET  DIGEST  CONTEXT",
            "  flights  d1      training",
            "",
            "Registered as",
            "  MODEL  VERSION  ALIASES",
            "  delay  4        champion",
        ];
        assert_eq!(page.lines(), expected);
    }
}
