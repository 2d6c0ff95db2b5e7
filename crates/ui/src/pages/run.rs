//! `/runs/{id}`: one training run.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::run::{Lifecycle, RunDetail, RunStatus};

use super::run_charts::{Drawn, charts};
use super::run_columns::{Cell, Status, lasted};
use super::run_datasets::{Dataset, datasets};
use super::run_family::{self, Children, Parent};
use super::run_made::{Made, made};
use super::run_origin::{Fact, NOTE, Tags};
use super::run_traces::traces_of;
use super::{Row, may, reads};
use crate::frame::{Page, page};
use crate::show::figure::{exact, logged};
use crate::show::link::{self, segment};
use crate::show::long_text::LongText;
use crate::show::markdown::Markdown;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/runs/{id}", Action::RunRead, RouteScope::Path(ResourceKind::Run, "id"), show).for_levels()]
}

struct Metric {
    key: String,
    key_in_query: String,
    value: String,
    /// All of its digits.
    exact: String,
    step: i64,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    shell: Shell,
    id: String,
    name: String,
    user: String,
    status: Status,
    live: bool,
    started: Moment,
    lasted: String,
    note: Option<Markdown>,
    /// What the caller may change.
    may: String,
    is_deleted: bool,
    /// Where its experiment is deleted too: the name and page of that.
    deleted_experiment: Option<(String, String)>,
    parent: Option<Parent>,
    children: Option<Children>,
    metrics: Vec<Metric>,
    charts: Vec<Drawn>,
    more_charts: usize,
    params: Vec<Fact>,
    tags: Tags,
    datasets: Vec<Dataset>,
    models: Vec<Made>,
    traces: String,
    artifacts: String,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(id): Path<String>) -> Page {
    let id: RunId = id.parse()?;
    let run = console.run(&caller, id).await?;
    let experiment = console.tracked.experiment(&caller.workspace, run.run.experiment).await?;
    let is_gone = experiment.as_ref().is_some_and(|e| e.experiment.lifecycle == Lifecycle::Deleted);
    let group = experiment.map_or_else(|| run.run.experiment.to_string(), |e| e.experiment.name.to_string());
    let in_group = link::experiment(run.run.experiment);
    let (charts, more_charts) = charts(&console, &caller.workspace, &run).await?;
    let models = made(&console, &caller, &run).await?;
    let parent = run_family::parent(&console, &caller, &run).await?;
    let children = run_family::children(&console, &caller.workspace, &run).await?;
    let shell = Shell::new(run.run.name.clone(), Section::Experiments)
        .seen_by(&caller)
        .under("Experiments", "/experiments")
        .under(group.clone(), in_group.clone());
    let above = parent.as_ref().and_then(|above| Some((above.name.clone(), above.href.clone()?)));
    page(&RunPage {
        shell: above.into_iter().fold(shell, |shell, (name, href)| shell.under(name, href)),
        id: id.to_string(),
        name: run.run.name.clone(),
        user: who(&run),
        status: run.run.status.into(),
        live: matches!(run.run.status, RunStatus::Running | RunStatus::Scheduled),
        started: Moment::of_millis(run.run.start_ms, console.now()),
        lasted: lasted(&run.run),
        note: run.tags.get(NOTE).and_then(|note| Markdown::some(note)),
        may: may::in_experiment(&caller, run.run.experiment),
        is_deleted: run.run.lifecycle == Lifecycle::Deleted,
        deleted_experiment: is_gone.then_some((group, in_group)),
        parent,
        children,
        metrics: run.metrics.iter().map(|(key, latest)| metric(key, latest.value, latest.step)).collect(),
        charts,
        more_charts,
        params: run.params.iter().map(|(key, value)| (key.clone(), LongText::new(value))).collect(),
        tags: Tags::of(&run.tags),
        datasets: datasets(&run),
        models,
        traces: traces_of(&console, &caller, &run).await?,
        artifacts: run.run.artifact_uri.clone(),
    })
}

/// Who runs it, as the client says: with the run, or in a tag.
fn who(run: &RunDetail) -> String {
    let said = || run.tags.get("mlflow.user").cloned().unwrap_or_default();
    if run.run.user.is_empty() { said() } else { run.run.user.clone() }
}

fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric {
        key: key.to_owned(),
        key_in_query: segment(key),
        value: logged(value),
        exact: exact(value),
        step,
    }
}
