//! `mainstay models`: registered models, their versions, aliases and gates.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::experiments::MLFLOW;
use crate::model_ref::{ModelRef, NoVersion};
use crate::near::Unknown;
use crate::render::{self, Column, Page, cell};
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Models {
    /// All of them, by name.
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// One, with its versions, their aliases and what their gates said; or one version, with everything.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
}

const LIST_EXAMPLES: &str = "\
Examples:
  mainstay models list
  mainstay models list --filter \"name LIKE 'flight%' AND tags.team = 'ops'\"";
const SHOW_EXAMPLES: &str = "\
Examples:
  mainstay models show flight-delay
  mainstay models show flight-delay/3
  mainstay models show flight-delay@champion --json

`mainstay why NAME@champion` tells how a version came to be.";

#[derive(Debug, Args)]
pub struct List {
    /// Only those for which this holds, in the search language, such as "tags.team = 'ops'".
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Show {
    /// Its name; also a version, as NAME/3, or an alias, as NAME@champion.
    name: String,
    #[command(flatten)]
    at: At,
}

pub(crate) const PATH: &str = "/api/v1/models";
/// The tag of a registered model that is a prompt, in MLflow's words.
pub(crate) const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
const COLUMNS: &[Column] =
    &[("name", "/name"), ("aliases", "/aliases"), ("updated", "/updated"), ("description", "/description")];
/// Most versions of a model that are shown.
const VERSIONS: usize = 20;

impl Models {
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
        let Self { filter, limit, at } = self;
        let client = at.connect(session).await?;
        let found = list(&client, filter.as_deref(), limit as usize).await;
        client.close().await;
        let items = found?;
        if session.json {
            say(json!({ "items": items }).to_string());
        } else {
            render::table(&items, COLUMNS);
        }
        Ok(())
    }
}

/// The models for which a filter holds, without prompts.
async fn list(client: &Client, filter: Option<&str>, limit: usize) -> Result<Vec<Value>, Failed> {
    let mut all = client.list(PATH, usize::MAX).await?;
    all.retain(|model| !is_prompt(model));
    if let Some(filter) = filter {
        let names = names(client, filter).await?;
        all.retain(|model| names.contains(&model["name"]));
    }
    all.truncate(limit);
    Ok(all)
}

pub(crate) fn is_prompt(model: &Value) -> bool {
    model["tags"][IS_PROMPT].as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// The names of the registered models for which a filter holds.
pub(crate) async fn names(client: &Client, filter: &str) -> Result<Vec<Value>, Failed> {
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let path =
            format!("{MLFLOW}/registered-models/search?max_results=1000&filter={}{token}", part(filter));
        let mut page = client.get(&path).await?;
        if let Some(models) = page["registered_models"].as_array_mut() {
            names.extend(models.iter_mut().map(|model| model["name"].take()));
        }
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={}", part(next)),
            None => return Ok(names),
        }
    }
}

impl Show {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let found = find(&client, &ModelRef::parse(&self.name), session.json).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else if found["versions"].is_array() {
            page(&found).print();
        } else {
            render::document(&found);
        }
        Ok(())
    }
}

async fn find(client: &Client, wanted: &ModelRef, is_for_programs: bool) -> Result<Value, Failed> {
    let found = async {
        if let Some(number) = wanted.number(client).await? {
            return client.get(&format!("{PATH}/{}/versions/{number}", part(wanted.name()))).await;
        }
        let path = format!("{PATH}/{}", part(wanted.name()));
        let mut model = client.get(&path).await?;
        let mut versions = client.list(&format!("{path}/versions"), VERSIONS).await?;
        if !is_for_programs {
            for version in &mut versions {
                *version = client.get(&format!("{path}/versions/{}", cell(&version["number"]))).await?;
            }
        }
        model["versions"] = versions.into();
        Ok(model)
    };
    match found.await {
        Err(failed) if failed.code() == Some(ErrorCode::NotFound) => missing(client, wanted, failed).await,
        answered => answered,
    }
}

/// What was meant, where there is no such thing: proposes names, if it is the name that is not there.
pub(crate) async fn missing(client: &Client, wanted: &ModelRef, failed: Failed) -> Result<Value, Failed> {
    let name = wanted.name();
    let all = client.list(PATH, usize::MAX).await?;
    let names = || all.iter().filter(|model| !is_prompt(model)).filter_map(|model| model["name"].as_str());
    if names().any(|known| known == name) {
        return Err(match wanted {
            ModelRef::Version(name, number) => NoVersion(name.clone(), *number).into(),
            ModelRef::Model(_) | ModelRef::Alias(..) => failed,
        });
    }
    Err(Unknown::new("model", name, names(), "`mainstay models list` shows those that there are").into())
}

fn page(model: &Value) -> Page {
    let mut page = Page::titled(&format!("model {}", cell(&model["name"])));
    let text = |key: &str| model[key].as_str().map(str::to_owned);
    page.fields(&[
        ("description", text("description")),
        ("created", text("created")),
        ("updated", text("updated")),
        ("tags", Some(cell(&model["tags"])).filter(|tags| tags != "-")),
    ]);
    let aliases = model["aliases"].as_object().into_iter().flatten();
    page.table(
        "Aliases",
        &["alias", "version"],
        aliases.map(|(name, at)| vec![name.clone(), cell(at)]).collect(),
    );
    let row = |version: &Value| {
        vec![
            cell(&version["number"]),
            cell(&version["aliases"]),
            gates(version),
            cell(&version["created"]),
            version["run"].as_str().map_or_else(|| "-".to_owned(), str::to_owned),
            cell(&version["digest"]),
        ]
    };
    let versions = model["versions"].as_array().into_iter().flatten().map(row).collect();
    page.table("Versions", &["version", "aliases", "gates", "created", "run", "digest"], versions);
    page
}

/// What the newest report of a version's artifact says: how many gates passed, and which did not.
fn gates(version: &Value) -> String {
    let Some(report) = version["reports"].as_array().and_then(|reports| reports.first()) else {
        return "-".to_owned();
    };
    let gates = report["gates"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failing = gates.iter().filter(|gate| gate["verdict"] != "passed");
    let failing: Vec<String> =
        failing.map(|gate| format!("{} {}", cell(&gate["name"]), cell(&gate["verdict"]))).collect();
    if failing.is_empty() { format!("{} passed", gates.len()) } else { failing.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_shown_with_what_their_gates_said() {
        let gate = |name: &str, verdict: &str| json!({ "name": name, "verdict": verdict });
        let model = json!({
            "name": "delay", "description": "", "created": "2026-01-01T00:00:00Z", "updated": "2026-01-02T00:00:00Z",
            "tags": {}, "aliases": { "champion": 2 },
            "versions": [
                { "number": 2, "aliases": ["champion"], "created": "c", "run": "r", "digest": "d",
                  "reports": [{ "gates": [gate("a", "passed"), gate("b", "passed")] }] },
                { "number": 1, "aliases": [], "created": "c", "digest": null,
                  "reports": [{ "gates": [gate("a", "failed"), gate("b", "passed")] }] },
            ],
        });
        let page = page(&model);
        let expected = [
            "model delay",
            "  created  2026-01-01T00:00:00Z",
            "  updated  2026-01-02T00:00:00Z",
            "",
            "Aliases",
            "  ALIAS     VERSION",
            "  champion  2",
            "",
            "Versions",
            "  VERSION  ALIASES   GATES     CREATED  RUN  DIGEST",
            "  2        champion  2 passed  c        r    d",
            "  1        -         a failed  c        -    -",
        ];
        assert_eq!(page.lines(), expected);
    }

    #[test]
    fn prompts_are_no_models() {
        assert!(is_prompt(&json!({ "tags": { "mlflow.prompt.is_prompt": "True" } })));
        assert!(!is_prompt(&json!({ "tags": { "mlflow.prompt.is_prompt": "false" } })));
        assert!(!is_prompt(&json!({ "tags": {} })));
    }
}
