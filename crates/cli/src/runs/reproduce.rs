//! `mainstay runs reproduce`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mainstay_core::error::{Coded, ErrorCode};
use serde_json::{Value, json};
use thiserror::Error;

use super::difference::{Comparison, Difference};
use super::show::tag;
use super::{SEARCH, resolve};
use crate::at::At;
use crate::client::{Client, part};
use crate::experiments::MLFLOW;
use crate::render::{Page, cell};
use crate::terminal::{note, say};
use crate::{Exit, Failed, Session};

pub(super) const EXAMPLES: &str = "\
The steps that compute (commands, and the step `train`) are done again; what the run did to the record besides
(datasets, registered versions, endpoints) is taken over, and not done twice.

Exit codes: 0 if it came to the same, whatever machine it ran on; 5 if not, and what differs is printed; 6 if it
cannot be done again, and why.

Examples:
  mainstay runs reproduce 0f3a5d6e8b7c4a1d9e2f3a4b5c6d7e8f
  mainstay runs reproduce sedate-ram-12 --json | jq '.results[] | select(.kind == \"metric\")'

With --json: {\"run\", \"reproduction\", \"outcome\": \"equal\" or \"different\", \"computed\", \"taken_over\": [steps],
\"results\", \"surroundings\": [{\"kind\", \"step\", \"name\", \"before\", \"after\"}]}.";

#[derive(Debug, Args)]
pub struct Reproduce {
    /// A run of a pipeline, by its id; or a run of an experiment that a pipeline's step logged.
    run: String,
    #[command(flatten)]
    at: At,
}

/// How it ended.
enum Ending {
    Compared { first: String, second: String, comparison: Comparison },
    Stopped,
}

/// The run did not come out of a pipeline.
#[derive(Debug, Error)]
#[error(
    "run {0} was logged by a program that no pipeline ran: how it was started is not recorded. Write its command into \
     a pipeline file and run that with `mainstay run`; its runs can be done again"
)]
struct NoPipeline(String);

impl Coded for NoPipeline {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotReproducible
    }
}

const RUNS: &str = "/api/v1/pipeline-runs";
/// How often it is looked how far the run has come.
const PAUSE: Duration = Duration::from_millis(300);
/// Most runs of experiments that one run of a pipeline is compared by.
const LOGGED: usize = 10_000;

impl Reproduce {
    pub(super) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let mut client = self.at.connect(session).await?;
        let ended = reproduce(&mut client, &self.run, session.json).await;
        client.close().await;
        let (first, second, comparison) = match ended? {
            Ending::Stopped => return Ok(Exit::Stopped.into()),
            Ending::Compared { first, second, comparison } => (first, second, comparison),
        };
        if session.json {
            say(document(&first, &second, &comparison).to_string());
        } else {
            page(&first, &second, &comparison).print();
        }
        Ok(if comparison.is_equal() { ExitCode::SUCCESS } else { Exit::Different.into() })
    }
}

async fn reproduce(client: &mut Client, text: &str, quiet: bool) -> Result<Ending, Failed> {
    let first = pipeline_run(client, text).await?;
    let started = client.post(&format!("{RUNS}/{}/reproduce", part(&first)), &Value::Null).await?;
    let second = cell(&started["run"]);
    note(format!("run {first} is done again as run {second}"));
    client.carry_out().await?;
    let followed = tokio::select! {
        followed = follow(client, &second, quiet) => Some(followed?),
        stopped = tokio::signal::ctrl_c() => {
            stopped.map_err(|error| Failed::outside("waiting for signals", error))?;
            None
        }
    };
    let Some(after) = followed else {
        let reason = json!({ "reason": "stopped at the terminal" });
        client.post(&format!("{RUNS}/{second}/cancel"), &reason).await?;
        note(format!("cancelled · run {second}"));
        return Ok(Ending::Stopped);
    };
    let before = client.get(&format!("{RUNS}/{}", part(&first))).await?;
    let mut comparison = Comparison::of(&before, &after);
    comparison.logged(&logged(client, &first).await?, &logged(client, &second).await?);
    Ok(Ending::Compared { first, second, comparison })
}

/// The run of a pipeline that is meant: by its own id, or by a run of an experiment that one of its steps logged.
async fn pipeline_run(client: &Client, text: &str) -> Result<String, Failed> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        match client.get(&format!("{RUNS}/{text}")).await {
            Ok(run) => return Ok(cell(&run["id"])),
            Err(failed) if failed.code() == Some(ErrorCode::NotFound) => {}
            Err(failed) => return Err(failed),
        }
    }
    let id = resolve(client, text).await?;
    let run = client.get(&format!("{MLFLOW}/runs/get?run_id={}", part(&id))).await?["run"].take();
    let pipeline = tag(&run, "mainstay.pipeline_run").map(str::to_owned);
    pipeline.ok_or_else(|| NoPipeline(id).into())
}

/// Tells what happens to a run until it is over.
async fn follow(client: &Client, run: &str, quiet: bool) -> Result<Value, Failed> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let found = client.get(&format!("{RUNS}/{run}")).await?;
        for step in found["steps"].as_array().into_iter().flatten() {
            let (name, state) = (cell(&step["name"]), cell(&step["state"]));
            if told.get(&name) == Some(&state) {
                continue;
            }
            if let Some(line) = progress(&name, &state, step).filter(|_| !quiet) {
                note(line);
            }
            told.insert(name, state);
        }
        if matches!(found["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn progress(name: &str, state: &str, step: &Value) -> Option<String> {
    match state {
        "accepted" if step["output"]["reused_from"].is_string() => Some(format!("= {name}  as it was")),
        "accepted" => Some(format!("✓ {name}")),
        "running" => Some(format!("… {name}")),
        "failed" | "skipped" | "cancelled" => Some(format!("✗ {name}  {}", cell(&step["reason"]))),
        _ => None,
    }
}

/// The runs of experiments that the steps of a pipeline's run logged, the oldest first.
async fn logged(client: &Client, run: &str) -> Result<Vec<Value>, Failed> {
    let filter = format!("tags.`mainstay.pipeline_run` = '{run}'");
    let body = json!({
        "filter": filter, "order_by": ["start_time ASC"], "columns": ["params.*", "metrics.*", "tags.mainstay.step"],
    });
    client.search(SEARCH, body, "runs", LOGGED).await
}

fn document(first: &str, second: &str, found: &Comparison) -> Value {
    let list = |differences: &[Difference]| differences.iter().map(Difference::json).collect::<Vec<_>>();
    json!({
        "run": first, "reproduction": second,
        "outcome": if found.is_equal() { "equal" } else { "different" },
        "computed": found.computed, "taken_over": found.taken_over,
        "results": list(&found.results), "surroundings": list(&found.surroundings),
    })
}

fn page(first: &str, second: &str, found: &Comparison) -> Page {
    let mut page = if found.is_equal() {
        Page::titled(&format!("equal: run {second} came to what run {first} came to"))
    } else {
        Page::titled(&format!("different: run {second} did not come to what run {first} came to"))
    };
    let names = |steps: &[String]| (!steps.is_empty()).then(|| steps.join(", "));
    page.fields(&[("done again", names(&found.computed)), ("taken over", names(&found.taken_over))]);
    let titles = ["what", "step", "name", "before", "after"];
    let row = |one: &Difference| {
        vec![one.kind.to_owned(), one.step.clone(), one.name.clone(), whole(&one.before), whole(&one.after)]
    };
    page.table("Results that differ", &titles, found.results.iter().map(row).collect());
    page.table("Surroundings that differ", &titles, found.surroundings.iter().map(row).collect());
    page
}

/// A value with all its digits: figures that differ in the last one are not the same.
fn whole(value: &Value) -> String {
    if value.is_number() { value.to_string() } else { cell(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_differs_with_all_digits() {
        let difference = |kind, name: &str, before: Value, after: Value| Difference {
            kind,
            step: "fit".into(),
            name: name.into(),
            before,
            after,
        };
        let mut found = Comparison {
            computed: vec!["fit".into()],
            taken_over: vec!["load".into()],
            results: vec![difference("metric", "loss", json!(0.123_456_789), json!(0.123_456_788))],
            surroundings: vec![difference("hardware", "hardware.cores", json!(2), json!(4))],
        };
        let expected = [
            "different: run b did not come to what run a came to",
            "  done again  fit",
            "  taken over  load",
            "",
            "Results that differ",
            "  WHAT    STEP  NAME  BEFORE       AFTER",
            "  metric  fit   loss  0.123456789  0.123456788",
            "",
            "Surroundings that differ",
            "  WHAT      STEP  NAME            BEFORE  AFTER",
            "  hardware  fit   hardware.cores  2       4",
        ];
        assert_eq!(page("a", "b", &found).lines(), expected);
        found.results.clear();
        assert_eq!(page("a", "b", &found).lines()[0], "equal: run b came to what run a came to");
        let document = document("a", "b", &found);
        assert_eq!(
            (&document["outcome"], &document["surroundings"][0]["after"]),
            (&json!("equal"), &json!(4))
        );
    }
}
