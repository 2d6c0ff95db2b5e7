//! `/runs/{id}`: one training run.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelId};
use mainstay_tracking::run::RunStatus;
use serde_json::Value;

use super::run_charts::{Drawn, charts};
use super::run_columns::{Status, lasted};
use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::{number, short};
use crate::show::link::{self, segment};
use crate::show::markdown::Markdown;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/runs/{id}", Action::RunRead, RouteScope::Path(ResourceKind::Run, "id"), show)]
}

struct Metric {
    key: String,
    key_in_query: String,
    value: String,
    step: i64,
}

/// A model that the run logged, and the versions that were registered of it.
struct Made {
    id: String,
    name: Option<String>,
    versions: Vec<(String, String)>,
}

struct Input {
    name: String,
    digest: String,
    context: String,
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
    metrics: Vec<Metric>,
    charts: Vec<Drawn>,
    more_charts: usize,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    inputs: Vec<Input>,
    models: Vec<Made>,
    traces: String,
    artifacts: String,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(id): Path<String>) -> Page {
    let id: RunId = id.parse()?;
    let run = console.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
    let run = run.ok_or_else(|| Missing(format!("run {id}")))?;
    let experiment = console.tracked.experiment(&caller.workspace, run.run.experiment).await?;
    let group = experiment.map_or_else(|| run.run.experiment.to_string(), |e| e.experiment.name.to_string());
    let (charts, more_charts) = charts(&console, &caller.workspace, &run).await?;
    let own = |key: &str| !key.starts_with("mlflow.");
    let ids: Vec<LoggedModelId> = run.attached.model_outputs.iter().map(|output| output.model).collect();
    let logged = console.tracked.logged_models(&caller.workspace, &ids).await?;
    let models = ids.iter().map(|id| made(*id, logged.iter().find(|known| known.model.id == *id))).collect();
    let inputs = run.attached.datasets.iter().map(|input| Input {
        name: input.dataset.name.clone(),
        digest: short(&input.dataset.digest),
        context: input.context().unwrap_or_default().to_owned(),
    });
    page(&RunPage {
        shell: Shell::new(run.run.name.clone(), Section::Experiments)
            .under("Experiments", "/experiments")
            .under(group, link::experiment(run.run.experiment)),
        id: id.to_string(),
        name: run.run.name.clone(),
        user: run.run.user.clone(),
        status: run.run.status.into(),
        live: matches!(run.run.status, RunStatus::Running | RunStatus::Scheduled),
        started: Moment::of_millis(run.run.start_ms, console.now()),
        lasted: lasted(&run.run),
        note: run.tags.get("mlflow.note.content").and_then(|note| Markdown::some(note)),
        metrics: run.metrics.iter().map(|(key, latest)| metric(key, latest.value, latest.step)).collect(),
        charts,
        more_charts,
        params: run.params.clone().into_iter().collect(),
        tags: run.tags.iter().filter(|(key, _)| own(key)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        inputs: inputs.collect(),
        models,
        traces: format!("/traces?filter={}", segment(format!("run_id = '{id}'"))),
        artifacts: run.run.artifact_uri.clone(),
    })
}

/// The versions stand in a tag: a list of `{"name": …, "version": …}`, as clients read it.
fn made(id: LoggedModelId, logged: Option<&LoggedModelDetail>) -> Made {
    let said = logged.and_then(|logged| logged.tags.get("mlflow.modelVersions"));
    let all: Vec<Value> = said.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let version = |one: &Value| {
        let (name, number) = (one.get("name")?.as_str()?, one.get("version")?);
        let number = number.as_str().map_or_else(|| number.to_string(), str::to_owned);
        Some((link::version(name, segment(&number)), format!("{name} v{number}")))
    };
    Made {
        id: id.to_string(),
        name: logged.map(|logged| logged.model.name.clone()),
        versions: all.iter().filter_map(version).collect(),
    }
}

fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric { key: key.to_owned(), key_in_query: segment(key), value: number(value), step }
}
