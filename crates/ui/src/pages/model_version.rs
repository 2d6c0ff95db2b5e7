//! `/models/{name}/{version}`: one version with its gates.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::gate::{Figure, GateReport, GateResult, Verdict};
use mainstay_registry::model::{ModelVersion, VersionDetail, version_subject};
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_registry::prompt::is_prompt;
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelDetail};
use mainstay_tracking::run::{Lifecycle, RunDetail};

use super::model::Judged;
use super::model_card::{Folder, Measured, given, measured};
use super::model_files::Example;
use super::version_facts::root_of;
use super::{Row, reads};
use crate::frame::{Error, Missing, page};
use crate::show::figure::{counted, number, short, words};
use crate::show::link;
use crate::show::markdown::Markdown;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::{Console, State, asset};

/// Figures of a gate beyond which the rest is folded away.
pub(super) const FIGURES: usize = 4;

pub(super) fn routes() -> Vec<Row> {
    let model = RouteScope::Path(ResourceKind::Model, "name");
    vec![reads("/models/{name}/{version}", Action::ModelRead, model, show).for_levels()]
}

/// A figure with its interval and limit on one scale, in percent of its width.
pub(super) struct FigureRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) interval: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) bar: Option<Bar>,
}

/// Where things lie on a bar from 0 to 100.
pub(super) struct Bar {
    pub(super) low: String,
    pub(super) width: String,
    pub(super) value: String,
    pub(super) limit: Option<String>,
}

impl Bar {
    fn of(figure: &Figure) -> Option<Self> {
        let (low, high) = figure.interval?;
        let ends = [low, high, figure.value].into_iter().chain(figure.limit);
        let (least, most) = ends.fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(x), b.max(x)));
        let room = ((most - least) * 0.08).max(f64::MIN_POSITIVE);
        let span = most - least + 2.0 * room;
        let at = |value: f64| format!("{:.1}", (value - least + room) / span * 100.0);
        Some(Self {
            low: at(low),
            width: format!("{:.1}", ((high - low) / span * 100.0).max(0.5)),
            value: at(figure.value),
            limit: figure.limit.map(at),
        })
    }
}

/// A gate.
pub(super) struct Gate {
    pub(super) name: String,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    pub(super) sentence: String,
    pub(super) figures: Vec<FigureRow>,
    pub(super) more: Vec<FigureRow>,
}

impl From<&GateResult> for Gate {
    fn from(result: &GateResult) -> Self {
        let row = |(name, figure): (&String, &Figure)| FigureRow {
            name: words(name),
            value: number(figure.value),
            interval: figure.interval.map(|(low, high)| format!("{} to {}", number(low), number(high))),
            limit: figure.limit.map(number),
            bar: Bar::of(figure),
        };
        let mut figures: Vec<FigureRow> = result.figures.iter().map(row).collect();
        let more = figures.split_off(figures.len().min(FIGURES));
        let class = match result.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "bad",
            Verdict::Inconclusive => "warn",
        };
        let (name, sentence) = (words(&result.name), result.sentence.clone());
        Self { name, verdict: result.verdict.as_str(), class, sentence, figures, more }
    }
}

/// A report as it is shown.
pub(super) struct Report {
    pub(super) gates: Vec<Gate>,
    pub(super) judged: Judged,
    pub(super) evaluated: Moment,
    /// Names and versions of the data, with addresses.
    pub(super) data: Vec<(String, String, String)>,
}

impl Report {
    pub(super) fn of(report: &GateReport, console: &Console) -> Self {
        let data = report.data.iter();
        Self {
            gates: report.gates.iter().map(Gate::from).collect(),
            judged: Judged::by(Some(report)),
            evaluated: Moment::ago(report.evaluated, console.now()),
            data: data
                .map(|(table, version)| (table.clone(), short(version), link::dataset(table)))
                .collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "model_version.html")]
struct VersionPage {
    shell: Shell,
    model: String,
    number: u32,
    here: String,
    audit: String,
    aliases: Vec<String>,
    stage: Option<&'static str>,
    about: Option<Markdown>,
    /// As it was written.
    description: String,
    digest: Option<String>,
    source: String,
    run: Option<SourceRun>,
    /// The address and the name of the logged model, and whether that is deleted.
    logged: Option<(String, String, bool)>,
    creator: String,
    created: Moment,
    tags: Vec<(String, String)>,
    metrics: Vec<Measured>,
    params: Vec<(String, String)>,
    folder: Folder,
    report: Option<Report>,
    /// How many more reports there are, if there are.
    earlier: Option<String>,
    deleted: bool,
    /// The version before, and the address of what differs from it.
    compared: Option<(u32, String)>,
    /// What the caller may do to it.
    rights: Rights,
}

/// What somebody may do to a model.
pub(super) struct Rights {
    pub(super) write: bool,
    pub(super) delete: bool,
}

impl Rights {
    pub(super) fn of(caller: &Caller, model: &ModelName) -> Self {
        let may = |action| caller.could(action, ResourceKind::Model, model);
        Self { write: may(Action::ModelWrite), delete: may(Action::ModelDelete) }
    }
}

/// The version that a path names.
pub(super) async fn find(
    console: &Console,
    workspace: &Name,
    name: &str,
    number: &str,
) -> Result<VersionDetail, Error> {
    let (name, number) = (ModelName::new(name)?, VersionNumber::parse(number)?);
    let found = console.registered.version(workspace, &name, number).await?;
    Ok(found.ok_or_else(|| Missing(format!("version {number} of model {name}")))?)
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Error> {
    let detail = find(&console, &caller.workspace, &name, &number).await?;
    if is_prompt(&detail.tags) {
        let prompt = format!("{}?version={}", link::prompt(&detail.version.model), detail.version.number);
        return Ok(Redirect::to(&prompt).into_response());
    }
    let version = &detail.version;
    let reports = match version.digest {
        Some(digest) => console.governed.reports(&caller.workspace, &digest).await?,
        None => Vec::new(),
    };
    let model = &version.model;
    let numbers = console.registered.version_numbers(&caller.workspace, model).await?;
    let before = numbers.into_iter().find(|number| *number < version.number);
    let run = match version.run.as_ref().and_then(RunRef::id) {
        Some(id) => console.readable_run(&caller, id).await?,
        None => None,
    };
    let logged = console.readable_model(&caller, version.logged_model.as_deref()).await?;
    let names = run.iter().map(|run| (run.run.id, run.run.name.clone()));
    let names = names.filter(|(_, name)| !name.is_empty()).collect();
    let drawn = page(&VersionPage {
        shell: Shell::new(format!("{model} v{}", version.number), Section::Models)
            .seen_by(&caller)
            .under("Models", "/models")
            .under(model.to_string(), link::model(model)),
        model: model.to_string(),
        number: version.number.0,
        here: link::version(model, version.number),
        audit: link::audit_of(version_subject(model, version.number)),
        aliases: detail.aliases.iter().map(ToString::to_string).collect(),
        stage: Some(version.stage.as_str()).filter(|stage| *stage != "None"),
        about: Markdown::some(&version.description),
        description: version.description.clone(),
        digest: version.digest.map(|digest| digest.to_string()),
        source: version.source.clone(),
        run: version.run.as_ref().map(|run| SourceRun::named(run, &names)),
        logged: logged.as_ref().map(|logged| {
            let LoggedModel { id, experiment, name, lifecycle, .. } = &logged.model;
            (link::logged_model(experiment, id), name.clone(), *lifecycle == Lifecycle::Deleted)
        }),
        creator: version.creator.as_ref().map_or_else(String::new, ToString::to_string),
        created: Moment::ago(version.created, console.now()),
        tags: detail.tags.clone().into_iter().collect(),
        metrics: measured(run.as_ref(), logged.as_ref()),
        params: given(run.as_ref(), logged.as_ref()),
        folder: folder(&console, version, run.as_ref(), logged.as_ref()).await?,
        report: reports.first().map(|report| Report::of(report, &console)),
        earlier: (reports.len() > 1).then(|| counted(reports.len() - 1, "report", "reports")),
        deleted: version.is_deleted(),
        compared: before.map(|before| {
            (before.0, format!("{}/compare?from={before}&to={}", link::model(model), version.number))
        }),
        rights: Rights::of(&caller, model),
    })?;
    Ok(drawn.into_response())
}

/// What lies where clients find its artifacts, if that is here.
async fn folder(
    console: &Console,
    version: &ModelVersion,
    run: Option<&RunDetail>,
    logged: Option<&LoggedModelDetail>,
) -> Result<Folder, Error> {
    let artifacts = run.map(|run| (run.run.id, run.run.artifact_uri.clone()));
    let model = logged.map(|logged| logged.model.artifact_uri.as_str());
    let root = root_of(console, version, artifacts.as_ref(), model);
    let Some(root) = root.filter(|_| !version.is_deleted()) else { return Ok(Folder::default()) };
    let is_withheld = logged.is_some_and(|logged| {
        let model = &logged.model;
        model.lifecycle == Lifecycle::Deleted && (console.locate)(&model.artifact_uri).as_ref() == Some(&root)
    });
    let (name, number) = (&version.model, version.number);
    let download =
        format!("/model-versions/get-artifact?name={}&version={number}&path=", link::segment(name));
    let found = Folder::read(console, &root, (&format!("models:/{name}/{number}"), &download)).await?;
    Ok(if is_withheld { found.withheld() } else { found })
}
