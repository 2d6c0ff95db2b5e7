//! `/experiments/{id}/models/{model}`, to which `/logged-models/{model}` leads: a model that a run logged, before and
//! after somebody registers it.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Path;
use axum::response::Redirect;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::logged_model::{
    LoggedModelDetail, LoggedModelId, LoggedModelStatus, logged_model_subject,
};
use mainstay_tracking::run::Lifecycle;

use super::model_card::{Folder, own_tags};
use super::model_files::Example;
use super::registered::{Registered, registered};
use super::run_columns::Status;
use super::run_origin::NOTE;
use super::{Row, reads};
use crate::frame::{Error, Missing, Page, page};
use crate::show::figure::{exact, logged};
use crate::show::link;
use crate::show::markdown::Markdown;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    let experiment = RouteScope::Path(ResourceKind::Experiment, "id");
    vec![
        reads("/experiments/{id}/models/{model}", Action::RunRead, experiment, show).for_levels(),
        reads("/logged-models/{id}", Action::RunRead, RouteScope::Workspace, follow).for_levels(),
    ]
}

/// Leads to a logged model of which one knows the id alone.
async fn follow(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Redirect, Error> {
    let id: LoggedModelId = id.parse()?;
    let found = console.readable_model(&caller, Some(&id.to_string())).await?;
    let found = found.ok_or_else(|| Missing(format!("logged model {id}")))?;
    Ok(Redirect::to(&link::logged_model(found.model.experiment, id)))
}

/// A point of a metric.
struct Measured {
    key: String,
    value: String,
    exact: String,
    step: i64,
    on: Option<String>,
    run: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "logged_model.html")]
struct LoggedModelPage {
    shell: Shell,
    id: String,
    name: String,
    experiment: (String, String),
    list: String,
    status: Status,
    is_deleted: bool,
    kind: String,
    created: Moment,
    note: Option<Markdown>,
    run: Option<SourceRun>,
    run_id: String,
    artifacts: String,
    metrics: Vec<Measured>,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    versions: Vec<Registered>,
    folder: Folder,
    audit: String,
    /// Whether the caller may register a version of it.
    can_register: bool,
}

/// How far a logged model is.
pub(super) fn status_of(status: LoggedModelStatus) -> Status {
    let (word, class) = match status {
        LoggedModelStatus::Pending => ("pending", "now"),
        LoggedModelStatus::Ready => ("ready", "ok"),
        LoggedModelStatus::Failed => ("failed", "bad"),
    };
    Status { word, class }
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path((experiment, id)): Path<(String, String)>,
) -> Page {
    let experiment = ExperimentId::parse(&experiment)?;
    let id: LoggedModelId = id.parse()?;
    caller.admitted(ResourceKind::Experiment, experiment)?;
    let found = console.tracked.logged_models(&caller.workspace, &[id]).await?.into_iter().next();
    let found = found.filter(|found| found.model.experiment == experiment);
    let found = found.ok_or_else(|| Missing(format!("logged model {id} in experiment {experiment}")))?;
    let group = console.tracked.experiment(&caller.workspace, experiment).await?;
    let group = group.map_or_else(|| experiment.to_string(), |group| group.experiment.name.to_string());
    let source = found.model.source_run.as_ref();
    let ids: BTreeSet<RunId> = found
        .metrics
        .iter()
        .map(|metric| metric.run)
        .chain(source.and_then(mainstay_core::run_ref::RunRef::id))
        .collect();
    let names = console.run_names(&caller, &ids).await?;
    let folder = match (console.locate)(&found.model.artifact_uri) {
        Some(root) => {
            let download =
                format!("/ajax-api/2.0/mlflow/logged-models/{id}/artifacts/files?artifact_file_path=");
            Folder::read(&console, &root, (&format!("models:/{id}"), &download)).await?
        }
        None => Folder::default(),
    };
    let model = &found.model;
    let is_deleted = model.lifecycle == Lifecycle::Deleted;
    let folder = if is_deleted { folder.withheld() } else { folder };
    let list = link::logged_models(experiment);
    page(&LoggedModelPage {
        shell: Shell::new(model.name.clone(), Section::Experiments)
            .seen_by(&caller)
            .under("Experiments", "/experiments")
            .under(group.clone(), link::experiment(experiment))
            .under("Models", list.clone()),
        id: id.to_string(),
        name: model.name.clone(),
        experiment: (link::experiment(experiment), group),
        list,
        status: status_of(model.status),
        is_deleted,
        kind: model.model_type.clone(),
        created: Moment::ago(model.created, console.now()),
        note: found.tags.get(NOTE).and_then(|note| Markdown::some(note)),
        run: source.map(|run| SourceRun::named(run, &names)),
        run_id: source.map_or_else(String::new, ToString::to_string),
        artifacts: model.artifact_uri.clone(),
        metrics: metrics(&found, &names),
        params: found.params.clone().into_iter().collect(),
        tags: own_tags(&found.tags),
        versions: registered(&console, &caller, &found).await?,
        folder,
        audit: link::audit_of(logged_model_subject(id)),
        can_register: !is_deleted
            && caller.could(Action::ModelWrite, ResourceKind::Workspace, &caller.workspace),
    })
}

/// The last point of each metric on each dataset, in each run.
fn metrics(found: &LoggedModelDetail, names: &BTreeMap<RunId, String>) -> Vec<Measured> {
    let mut last = BTreeMap::new();
    let mut points: Vec<_> = found.metrics.iter().collect();
    points.sort_by_key(|metric| (metric.point.step, metric.point.timestamp_ms));
    for metric in points {
        last.insert((&metric.key, metric.dataset.as_ref(), metric.run), metric.point);
    }
    let rows = last.into_iter().map(|((key, on, run), point)| Measured {
        key: key.clone(),
        value: logged(point.value),
        exact: exact(point.value),
        step: point.step,
        on: on.map(|(name, _)| name.clone()),
        run: names.get(&run).map(|name| (link::run(run), name.clone())),
    });
    rows.collect()
}
