//! `mainstay runs`: runs of experiments, as scripts and pipelines logged them.

mod compare;
mod difference;
mod list;
mod reproduce;
mod show;

use std::process::ExitCode;

use clap::Subcommand;
use mainstay_core::error::{Coded, ErrorCode};
use serde_json::{Value, json};
use thiserror::Error;

use crate::client::Client;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Runs {
    /// Runs, the newest first.
    #[command(after_help = list::EXAMPLES)]
    List(list::List),
    /// One: state, parameters, the last value of each metric, tags, code, what went in and what came out.
    #[command(after_help = show::EXAMPLES)]
    Show(show::Show),
    /// Several side by side: in which parameters and metrics they differ.
    #[command(after_help = compare::EXAMPLES)]
    Compare(compare::Compare),
    /// Do one again, with the recorded code, parameters, data and seed, and say what comes to something else.
    #[command(after_help = reproduce::EXAMPLES)]
    Reproduce(reproduce::Reproduce),
}

impl Runs {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(session).await?,
            Self::Show(show) => show.run(session).await?,
            Self::Compare(compare) => compare.run(session).await?,
            Self::Reproduce(reproduce) => return reproduce.run(session).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) const SEARCH: &str = "/api/v1/runs/search";

/// Why a run was not found by what it was called.
#[derive(Debug, Error)]
enum NotOne {
    #[error(
        "there is no run '{0}': give its id, the first characters of it, or its name; `mainstay runs list` shows them"
    )]
    None(String),
    #[error("there is no run '{0}': give its whole id, or its name; `mainstay runs list --all` shows them")]
    Whole(String),
    #[error("'{0}' is several runs ({1}, …); give the id of one")]
    Several(String, String),
}

impl Coded for NotOne {
    fn code(&self) -> ErrorCode {
        match self {
            Self::None(_) | Self::Whole(_) => ErrorCode::NotFound,
            Self::Several(..) => ErrorCode::InvalidArgument,
        }
    }
}

/// The id of the run of this id or name: of what cannot be undone, the beginning of an id is not enough.
pub(crate) async fn whole(client: &Client, text: &str) -> Result<String, Failed> {
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let filter = if is_id { format!("run_id = '{}'", text.to_lowercase()) } else { named(text) };
    let found = matching(client, &filter).await?;
    match found.as_slice() {
        // What else has an id is not asked here.
        [] if is_id => Ok(text.to_lowercase()),
        [] => Err(NotOne::Whole(text.to_owned()).into()),
        found => one(text, found),
    }
}

/// The id of the run that a person means: by its id, by the first characters of it, or by its name.
async fn resolve(client: &Client, text: &str) -> Result<String, Failed> {
    let is_id = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let by_id = (is_id && !text.is_empty()).then(|| format!("run_id LIKE '{}%'", text.to_lowercase()));
    for filter in by_id.into_iter().chain([named(text)]) {
        let found = matching(client, &filter).await?;
        if !found.is_empty() {
            return one(text, &found);
        }
    }
    Err(NotOne::None(text.to_owned()).into())
}

fn named(name: &str) -> String {
    format!("run_name = {}", quoted(name))
}

/// The ids of the first two runs for which a filter holds, deleted ones among them.
async fn matching(client: &Client, filter: &str) -> Result<Vec<String>, Failed> {
    let wanted = json!({ "filter": filter, "columns": [], "limit": 2, "view": "all" });
    let found = client.post(SEARCH, &wanted).await?;
    let runs = found["runs"].as_array().into_iter().flatten();
    Ok(runs.filter_map(|run| run["run_id"].as_str().map(str::to_owned)).collect())
}

fn one(text: &str, found: &[String]) -> Result<String, Failed> {
    match found {
        [] => Err(NotOne::None(text.to_owned()).into()),
        [one] => Ok(one.clone()),
        [one, other, ..] => Err(NotOne::Several(text.to_owned(), format!("{one}, {other}")).into()),
    }
}

/// A text as a string of the search language.
pub(crate) fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The value of a column in a row of the search: an attribute, or `metrics.KEY`, `params.KEY`, `tags.KEY`.
fn value_at<'a>(row: &'a Value, column: &str) -> &'a Value {
    match column.split_once('.') {
        Some((kind @ ("metrics" | "params" | "tags"), key)) => &row[kind][unquoted(key)],
        Some(("attributes", key)) => &row[key],
        _ => &row[column],
    }
}

/// A key without the quotes that it may stand in.
fn unquoted(key: &str) -> &str {
    let inner = |quote| key.strip_prefix(quote)?.strip_suffix(quote);
    inner('`').or_else(|| inner('"')).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_the_names_of_the_search_language() {
        let row = json!({ "run_name": "a", "metrics": { "val/loss": 0.5 }, "params": { "a.b": "1" } });
        assert_eq!(value_at(&row, "run_name"), "a");
        assert_eq!(value_at(&row, "attributes.run_name"), "a");
        assert_eq!(value_at(&row, "metrics.`val/loss`"), 0.5);
        assert_eq!(value_at(&row, "params.a.b"), "1");
        assert_eq!(value_at(&row, "tags.none"), &Value::Null);
        assert_eq!(quoted("it's \\"), "E'it\\'s \\\\'");
    }
}
