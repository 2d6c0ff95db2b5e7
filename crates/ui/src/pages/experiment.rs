//! `/experiments` and `/experiments/{id}`: groups of runs, searched in MLflow's language.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::page::{PageRequest, PageToken};
use mainstay_core::time::MachineTime;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::RunSummary;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{RunFilter, RunOrder, View};
use serde::Deserialize;

use super::{Row, asked, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::number;
use crate::show::link::{self, segment};
use crate::show::moment::{Moment, span};
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

/// Runs on a page.
const PAGE: usize = 50;
/// Most columns of metrics, and of parameters.
const COLUMNS: usize = 6;

pub(super) fn routes() -> Vec<Row> {
    vec![
        reads("/experiments", Action::RunRead, RouteScope::Workspace, list),
        reads("/experiments/{id}", Action::RunRead, RouteScope::Workspace, show),
    ]
}

struct ListRow {
    href: String,
    name: String,
    id: u64,
    created: Moment,
    updated: Moment,
}

#[derive(Template)]
#[template(path = "experiments.html")]
struct ExperimentsPage {
    shell: Shell,
    rows: Vec<ListRow>,
}

async fn list(axum::extract::State(console): State, caller: Caller) -> Page {
    let mut all = console.tracked.experiments(&caller.workspace).await?;
    all.retain(|detail| detail.experiment.lifecycle == Lifecycle::Active);
    all.sort_by_key(|detail| std::cmp::Reverse((detail.experiment.updated, detail.experiment.id)));
    let now = console.now();
    let rows = all.into_iter().map(|detail| ListRow {
        href: link::experiment(detail.experiment.id),
        name: detail.experiment.name.to_string(),
        id: detail.experiment.id.0,
        created: Moment::ago(detail.experiment.created, now),
        updated: Moment::ago(detail.experiment.updated, now),
    });
    page(&ExperimentsPage { shell: Shell::new("Experiments", Section::Experiments), rows: rows.collect() })
}

#[derive(Debug, Default, Deserialize)]
struct Search {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    page: String,
}

struct RunRow {
    href: String,
    name: String,
    status: Status,
    started: Moment,
    lasted: String,
    metrics: Vec<String>,
    params: Vec<String>,
}

/// A run's status: a word and its look.
pub(super) struct Status {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl From<RunStatus> for Status {
    fn from(status: RunStatus) -> Self {
        let (word, class) = match status {
            RunStatus::Running => ("running", "now"),
            RunStatus::Scheduled => ("scheduled", "idle"),
            RunStatus::Finished => ("finished", "ok"),
            RunStatus::Failed => ("failed", "bad"),
            RunStatus::Killed => ("killed", "bad"),
        };
        Self { word, class }
    }
}

#[derive(Template)]
#[template(path = "experiment.html")]
struct ExperimentPage {
    shell: Shell,
    name: String,
    id: u64,
    note: Option<String>,
    filter: String,
    order: String,
    searched: bool,
    metrics: Vec<String>,
    params: Vec<String>,
    rows: Vec<RunRow>,
    next: Option<String>,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Search>, QueryRejection>,
) -> Page {
    let id = ExperimentId::parse(&id)?;
    let Search { filter, order, page: after } = asked(query)?;
    let detail = console.tracked.experiment(&caller.workspace, id).await?;
    let detail = detail.ok_or_else(|| Missing(format!("experiment {id}")))?;
    let after =
        Some(after).filter(|token| !token.is_empty()).map(|token| token.parse::<PageToken>()).transpose()?;
    let orders: Vec<String> =
        Some(order.trim().to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
    let query = RunQuery {
        workspace: caller.workspace.clone(),
        experiments: vec![id],
        view: View::Active,
        filter: RunFilter::parse(&filter)?,
        order: if orders.is_empty() { RunOrder::default() } else { RunOrder::parse(&orders)? },
        page: PageRequest { limit: PAGE, after },
    };
    let found = console.runs.search(&query).await?;
    let runs = found.items;
    let metrics = most_common(runs.iter().map(|run| run.metrics.keys()));
    let params = most_common(runs.iter().map(|run| run.params.keys()));
    let now = console.now();
    let rows = runs.iter().map(|run| run_row(run, &metrics, &params, now)).collect();
    let here = link::experiment(id);
    page(&ExperimentPage {
        shell: Shell::new(detail.experiment.name.to_string(), Section::Experiments)
            .under("Experiments", "/experiments"),
        name: detail.experiment.name.to_string(),
        id: id.0,
        note: detail.tags.get("mlflow.note.content").cloned(),
        searched: !filter.trim().is_empty() || !order.trim().is_empty(),
        next: found.next.map(|token| {
            format!("{here}?filter={}&order={}&page={token}", segment(&filter), segment(&order))
        }),
        filter,
        order,
        metrics,
        params,
        rows,
    })
}

fn run_row(run: &RunSummary, metrics: &[String], params: &[String], now: MachineTime) -> RunRow {
    let metric = |key: &String| run.metrics.get(key).map_or_else(String::new, |point| number(point.value));
    let param = |key: &String| run.params.get(key).cloned().unwrap_or_default();
    RunRow {
        href: link::run(run.run.id),
        name: run.run.name.clone(),
        status: run.run.status.into(),
        started: Moment::of_millis(run.run.start_ms, now),
        lasted: lasted(&run.run),
        metrics: metrics.iter().map(metric).collect(),
        params: params.iter().map(param).collect(),
    }
}

/// How long a run took; empty while it goes on.
pub(super) fn lasted(run: &Run) -> String {
    run.end_ms.map_or_else(String::new, |end| span(end.saturating_sub(run.start_ms).saturating_mul(1_000)))
}

/// The keys that most runs have, in the order of their names; a client's own (`system/…`) left out.
fn most_common<'k>(keys: impl Iterator<Item = impl Iterator<Item = &'k String>>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for key in keys.flatten().filter(|key| !key.starts_with("system/")) {
        *counts.entry(key).or_default() += 1;
    }
    let mut ranked: Vec<(&str, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut chosen: Vec<String> = ranked.into_iter().take(COLUMNS).map(|(key, _)| key.to_owned()).collect();
    chosen.sort();
    chosen
}
