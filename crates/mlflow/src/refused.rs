//! What a stock server answers and this one does not: a clean 501, by which a client can tell it from a mistyped
//! address. `docs/mlflow-compatibility.md` says why each is refused.
//!
//! A 404 would mean something else: clients ask a list of addresses in turn and go on at `ENDPOINT_NOT_FOUND`
//! (`call_endpoints` of `mlflow/utils/rest_utils.py`), and take it at `server-info` and `workspaces` for an old
//! server. All of those are served.

use http::Uri;
use mainstay_core::action::Action;

use crate::table::Table;
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::route::Route;

/// Everything below these, under `/api/3.0/mlflow` and its twin.
const V3: &[&str] = &["label-schemas", "mcp-servers", "prompt-optimization", "review-queues", "skills"];

/// Everything below these, under `/ajax-api/3.0/mlflow` alone: what only stock's own pages ask for.
const PAGES: &[&str] =
    &["assistant", "genai", "issues/invoke", "issues/schedule", "jobs", "scorer", "ui-telemetry"];

/// The jobs of a stock server, under `/ajax-api/3.0/jobs`.
const JOBS: &str = "jobs";

/// Calls that a stock server has and does not implement, under `/api/2.0/mlflow` and its twin.
const NOWHERE: &[&str] = &["get-online-trace-details", "unified-traces"];

/// Without any prefix: the page on which people of a stock server sign up, whose form goes to `users/create-ui`.
const PLAIN: &[&str] = &["signup"];
/// See [`PLAIN`], under `/api/2.0/mlflow`.
const SIGN_UP: &str = "users/create-ui";

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    [
        below(Table::v3(), V3),
        below(Table::ajax("/3.0/mlflow"), PAGES),
        below(Table::ajax("/3.0"), &[JOBS]),
        below(Table::v2(), NOWHERE),
        below(Table::v2(), &[SIGN_UP]),
        below(Table::plain(), PLAIN),
    ]
    .into_iter()
    .flat_map(Table::rows)
    .collect()
}

/// Rows for each prefix and all that is below it, for every method. Who may not even read or write runs is refused as
/// anywhere else.
fn below(table: Table, prefixes: &[&str]) -> Table {
    prefixes.iter().fold(table, |table, prefix| {
        [(*prefix).to_owned(), format!("{prefix}/"), format!("{prefix}/{{*rest}}")].iter().fold(
            table,
            |table, path| {
                table
                    .get(path, Action::RunRead, refuse)
                    .post(path, Action::RunWrite, refuse)
                    .put(path, Action::RunWrite, refuse)
                    .patch(path, Action::RunWrite, refuse)
                    .delete(path, Action::RunDelete, refuse)
            },
        )
    })
}

async fn refuse(uri: Uri) -> Result<(), Error> {
    Err(MlflowError::Refused(uri.path().chars().take(200).collect()).into())
}
