//! `/models/{name}/{version}/why`: how this version came to be and to answer, as far as the record tells.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::native::why::{Origin, Table, Training, Why};
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::event::RecordedEvent;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;
use mainstay_registry::name::{ModelName, VersionNumber};
use serde_json::Value;

use super::model_version::Report;
use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::{count, number, short, words};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::show::words::{Line, Part};
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    let model = RouteScope::Path(ResourceKind::Model, "name");
    vec![reads("/models/{name}/{version}/why", Action::ModelRead, model, show)]
}

struct DataRow {
    name: String,
    href: String,
    version: String,
    rows: String,
    source: String,
    digest: String,
    short: String,
    checks: Option<(&'static str, &'static str)>,
}

struct Made {
    run_href: String,
    run: String,
    pipeline: String,
    cause: String,
    author: String,
    data_time: Option<Moment>,
    training: Option<Trained>,
}

struct Trained {
    step: String,
    at: Moment,
    /// Facts of the step, by name.
    facts: Vec<(String, String)>,
    /// Figures of its validation: name, the model's, the trivial baseline's.
    figures: Vec<(String, String, String)>,
}

struct Definitions {
    project: String,
    service: String,
    revision: String,
    digest: String,
}

struct Word {
    step: String,
    says: &'static str,
    by: String,
    at: Option<Moment>,
    comment: Option<String>,
}

#[derive(Template)]
#[template(path = "why.html")]
struct WhyPage {
    shell: Shell,
    model: String,
    number: u32,
    here: String,
    digest: Option<(String, String)>,
    data: Vec<DataRow>,
    features: Option<Definitions>,
    made: Option<Made>,
    run: Option<SourceRun>,
    registered: Moment,
    creator: String,
    report: Option<Report>,
    approvals: Vec<Word>,
    rollouts: Vec<Line>,
    aliases: Vec<Line>,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path((name, number)): Path<(String, String)>,
) -> Page {
    let (name, number) = (ModelName::new(&name)?, VersionNumber::parse(&number)?);
    let found = Why::gather(&console.accounts(), &caller.workspace, &name, number).await?;
    let why = found.ok_or_else(|| Missing(format!("version {number} of model {name}")))?;
    let now = console.now();
    let lines = |events: &mut dyn Iterator<Item = &RecordedEvent>| -> Vec<Line> {
        events.map(|event| Line::of(event, now)).collect()
    };
    let training = why.origin.as_ref().and_then(|origin| origin.training.as_ref());
    // Oldest first, as the rest of the page.
    let phases = why.release.rollouts.iter().rev().flat_map(|rollout| &rollout.history);
    // A rollback by hand, which says why, stands right before the move of the alias that came with it.
    let backs = why.release.rollbacks.iter().map(|back| &back.event);
    let mut moves: Vec<_> = why.release.moves.iter().map(|moved| &moved.0).chain(backs).collect();
    moves.sort_by_key(|event| event.seq);
    let mut moves = moves.into_iter();
    let runs = why.tracking_run.iter().filter_map(RunRef::id).collect();
    let names = console.run_names(&caller, &runs).await?;
    page(&WhyPage {
        shell: Shell::new(format!("Why {name} v{number}"), Section::Models)
            .seen_by(&caller)
            .under("Models", "/models")
            .under(name.to_string(), link::model(&name))
            .under(format!("v{number}"), link::version(&name, number)),
        model: name.to_string(),
        number: number.0,
        here: link::version(&name, number),
        digest: why.digest.map(|digest| (digest.to_string(), short(&digest.to_string()))),
        data: why.data.iter().map(data_row).collect(),
        features: training.and_then(definitions),
        approvals: why.origin.as_ref().map(|origin| approvals(origin, now)).unwrap_or_default(),
        made: why.origin.as_ref().map(|origin| made(origin, now)),
        run: why.tracking_run.as_ref().map(|run| SourceRun::named(run, &names)),
        registered: Moment::ago(why.registered, now),
        creator: why.creator.as_ref().map_or_else(String::new, ToString::to_string),
        report: why.gates.as_ref().map(|report| Report::of(report, &console)),
        rollouts: lines(&mut phases.map(|phase| &phase.0)),
        aliases: lines(&mut moves),
    })
}

fn made(origin: &Origin, now: MachineTime) -> Made {
    Made {
        run_href: link::pipeline_run(origin.run),
        run: short(&origin.run.to_string()),
        pipeline: origin.pipeline.to_string(),
        cause: origin.cause.to_string(),
        author: origin.author.to_string(),
        data_time: origin.data_time.map(Moment::of_data),
        training: origin.training.as_ref().map(|training| trained(training, now)),
    }
}

fn trained(training: &Training, now: MachineTime) -> Trained {
    let value = &training.output;
    let mut facts = Vec::new();
    if let Some(rows) = value.get("rows").and_then(Value::as_u64) {
        facts.push(("rows".to_owned(), count(rows)));
    }
    if let Some(Value::Object(candidate)) = value.get("candidate") {
        facts.extend(candidate.iter().map(|(key, value)| (words(key), plain(value))));
    }
    let validation = value.get("validation").and_then(Value::as_object);
    let figures = validation.into_iter().flatten().filter_map(|(key, figure)| {
        let trivial = value.pointer("/baseline/validation").and_then(|baseline| baseline.get(key)?.as_f64());
        Some((words(key), number(figure.as_f64()?), trivial.map_or_else(String::new, number)))
    });
    Trained {
        step: training.step.to_string(),
        at: Moment::ago(training.accepted, now),
        facts,
        figures: figures.collect(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => words(text),
        Value::Number(given) => given.as_f64().map_or_else(String::new, number),
        other => other.to_string(),
    }
}

fn data_row(table: &Table) -> DataRow {
    let digest = table.digest.map(|digest| digest.to_string()).unwrap_or_default();
    let checks = match table.validations.as_slice() {
        [] => None,
        all if all.iter().all(|validation| validation.success) => Some(("met", "ok")),
        _ => Some(("not met", "bad")),
    };
    DataRow {
        href: link::dataset(&table.dataset),
        name: table.dataset.clone(),
        version: table.version.clone(),
        rows: table.rows.map_or_else(String::new, count),
        source: table.source.clone().unwrap_or_default(),
        short: short(&digest),
        digest,
        checks,
    }
}

/// The definitions that its features were computed by.
fn definitions(training: &Training) -> Option<Definitions> {
    let features = training.output.get("features")?;
    let text = |key: &str| features.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Definitions {
        project: text("project")?,
        service: text("service")?,
        revision: features.get("revision")?.to_string(),
        digest: text("digest").unwrap_or_default(),
    })
}

fn approvals(origin: &Origin, now: MachineTime) -> Vec<Word> {
    let word = |approval: &mainstay_api::native::why::Approval| Word {
        step: approval.step.to_string(),
        says: approval.state,
        by: approval.by.as_ref().map_or_else(String::new, ToString::to_string),
        at: approval.at.map(|at| Moment::ago(at, now)),
        comment: approval.comment.clone(),
    };
    origin.approvals.iter().map(word).collect()
}
