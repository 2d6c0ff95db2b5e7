//! `mainstay runs`: runs of experiments, as training scripts logged them. Asked in MLflow's words, which
//! are their API.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::at::At;
use crate::catalog::Show;
use crate::client::{Client, part};
use crate::render::{self, Column};
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Runs {
    /// Runs, the newest first.
    List(List),
    /// One, with its parameters and the last value of each metric.
    Show(Show),
}

#[derive(Debug, Args)]
pub struct List {
    /// Only of this experiment; of all, if left out.
    #[arg(long)]
    experiment: Option<String>,
    /// Only those for which this holds, such as "metrics.auc > 0.8".
    #[arg(long, default_value = "")]
    filter: String,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

const API: &str = "/api/2.0/mlflow";
const COLUMNS: &[Column] = &[
    ("run", "/info/run_id"),
    ("name", "/info/run_name"),
    ("experiment", "/info/experiment_id"),
    ("status", "/info/status"),
    ("started", "/info/start_time"),
    ("metrics", "/last"),
];
/// Most metrics of a run on its line; `runs show` has all of them.
const SHOWN: usize = 4;
/// Most experiments that one search goes over.
const EXPERIMENTS: usize = 1_000;

impl Runs {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => {
                let client = list.at.clone().connect(session).await?;
                let found = list.find(&client).await;
                client.close().await;
                let mut found = found?;
                if session.json {
                    say(json!({ "items": found }).to_string());
                } else {
                    found.iter_mut().for_each(sum_up);
                    render::table(&found, COLUMNS);
                }
            }
            Self::Show(show) => {
                let (name, client) = show.connect(session).await?;
                let found = client.get(&format!("{API}/runs/get?run_id={}", part(&name))).await;
                client.close().await;
                let run = found?["run"].take();
                if session.json {
                    say(run.to_string());
                } else {
                    render::document(&run);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn find(&self, client: &Client) -> Result<Vec<Value>, Failed> {
        let experiments = if let Some(name) = &self.experiment {
            let path = format!("{API}/experiments/get-by-name?experiment_name={}", part(name));
            vec![client.get(&path).await?["experiment"]["experiment_id"].take()]
        } else {
            let body = json!({ "max_results": EXPERIMENTS });
            let found = client.post(&format!("{API}/experiments/search"), &body).await?;
            let all = found["experiments"].as_array().map_or(&[][..], Vec::as_slice);
            all.iter().map(|experiment| experiment["experiment_id"].clone()).collect()
        };
        let body = json!({
            "experiment_ids": experiments, "filter": self.filter, "max_results": self.limit,
            "order_by": ["attributes.start_time DESC"],
        });
        let mut found = client.post(&format!("{API}/runs/search"), &body).await?;
        Ok(match found["runs"].take() {
            Value::Array(runs) => runs,
            _ => Vec::new(),
        })
    }
}

/// The last value of each metric, and the start as an instant.
fn sum_up(run: &mut Value) {
    let metrics = run.pointer("/data/metrics").and_then(Value::as_array);
    let mut metrics: Vec<&Value> = metrics.into_iter().flatten().collect();
    // A model's own figures first, those of what it is compared with after them.
    metrics.sort_by_key(|metric| metric["key"].as_str().is_some_and(|key| key.contains('/')));
    let metrics = metrics.into_iter();
    let last =
        metrics.map(|metric| format!("{}={}", render::cell(&metric["key"]), render::cell(&metric["value"])));
    let all: Vec<String> = last.collect();
    let more = all.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("and {more} more"));
    run["last"] = all.into_iter().take(SHOWN).chain(more).collect::<Vec<_>>().join(" ").into();
    let started = run["info"]["start_time"].as_i64().and_then(|millis| millis.checked_mul(1_000));
    if let Some(micros) = started {
        run["info"]["start_time"] = mainstay_core::time::MachineTime::from_micros(micros).to_string().into();
    }
}
