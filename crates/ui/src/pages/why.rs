//! `/models/{name}/{version}/why`: how this version came to be and to answer, as far as the record tells.
//!
//! The thread through the record is the artifact's digest: the step that made it, the run of that step
//! with the data and features it read, the gates and approvals of these bytes, the rollouts and revisions
//! that pin them.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, EventSeq, RecordedEvent};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_pipelines::run::{PipelineRun, StepResult};
use mainstay_registry::model::{ModelVersion, model_subject};
use serde_json::Value;

use super::model_version::{Report, find};
use super::{Row, reads};
use crate::frame::{Page, page};
use crate::show::figure::{count, number, short, words};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::words::{Line, Part};
use crate::{Console, State, asset};

/// Events of one kind that are read at once, and at most.
const CHUNK: usize = 500;
const MOST: usize = 5_000;

pub(super) fn routes() -> Vec<Row> {
    let model = RouteScope::Path(ResourceKind::Model, "name");
    vec![reads("/models/{name}/{version}/why", Action::ModelRead, model, show)]
}

struct DataRow {
    name: String,
    href: String,
    version: u64,
    rows: String,
    digest: String,
    short: String,
    checks: Option<(String, &'static str)>,
}

struct Made {
    run_href: String,
    run: String,
    pipeline: String,
    cause: String,
    author: String,
    data_time: Option<Moment>,
    at: Moment,
    step: String,
    /// Facts of the step, by name.
    facts: Vec<(String, String)>,
    /// Figures of its validation: name, the model's, the trivial baseline's.
    figures: Vec<(String, String, String)>,
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
    features: Option<(String, u64, String)>,
    made: Option<Made>,
    run: Option<(String, String)>,
    registered: Moment,
    creator: String,
    report: Option<Report>,
    approvals: Vec<Line>,
    rollouts: Vec<Line>,
    aliases: Vec<Line>,
    complete: bool,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path((name, number)): Path<(String, String)>,
) -> Page {
    let workspace = &caller.workspace;
    let detail = find(&console, workspace, &name, &number).await?;
    let version = &detail.version;
    let story = match version.digest {
        Some(digest) => story(&console, workspace, version, digest).await?,
        None => Story { complete: true, ..Story::default() },
    };
    let now = console.now();
    let lines = |events: &[RecordedEvent]| events.iter().map(|event| Line::of(event, now)).collect();
    let report = console.judged(workspace, version.digest).await?;
    let made = story.made.as_ref().map(|(run, result)| made(run, result, &console));
    let from = story.made.as_ref().map(|(run, _)| run.id);
    let results = match from {
        Some(run) => console.pipelines.results(workspace, run).await?,
        None => Vec::new(),
    };
    page(&WhyPage {
        shell: Shell::new(format!("Why {} v{}", version.model, version.number), Section::Models)
            .under("Models", "/models")
            .under(version.model.to_string(), link::model(&version.model))
            .under(format!("v{}", version.number), link::version(&version.model, version.number)),
        model: version.model.to_string(),
        number: version.number.0,
        here: link::version(&version.model, version.number),
        digest: version.digest.map(|digest| (digest.to_string(), short(&digest.to_string()))),
        data: data(&results),
        features: features(&results),
        made,
        run: version.run.map(|run| (link::run(run), short(&run.to_string()))),
        registered: Moment::ago(version.created, now),
        creator: version.creator.as_ref().map_or_else(String::new, ToString::to_string),
        report: report.as_ref().map(|report| Report::of(report, &console)),
        approvals: lines(&story.approvals),
        rollouts: lines(&story.rollouts),
        aliases: lines(&story.aliases),
        complete: story.complete,
    })
}

/// What the record tells of a digest.
#[derive(Default)]
struct Story {
    /// The run and result of the step that made it.
    made: Option<(PipelineRun, StepResult)>,
    approvals: Vec<RecordedEvent>,
    rollouts: Vec<RecordedEvent>,
    aliases: Vec<RecordedEvent>,
    /// Whether the whole record was read.
    complete: bool,
}

async fn story(
    console: &Console,
    workspace: &Name,
    version: &ModelVersion,
    digest: Digest,
) -> Result<Story, StorageError> {
    let text = digest.to_string();
    let mut complete = true;
    let mut of = async |kinds: &[&str], pointers: &[&str]| -> Result<Vec<RecordedEvent>, StorageError> {
        let mut found = Vec::new();
        for kind in kinds {
            let (events, whole) = every(console, workspace, kind).await?;
            complete &= whole;
            found
                .extend(events.into_iter().filter(|event| pointers.iter().any(|at| names(event, at, &text))));
        }
        found.sort_by_key(|event| event.seq);
        Ok(found)
    };
    let accepted = of(&["step.accepted"], &["/output/artifacts/model", "/output/value/digest"]).await?;
    let approvals = of(&["approval.requested", "approval.decided", "approval.expired"], &["/digest"]).await?;
    let candidate = ["/candidate/digest"];
    let rollouts = of(
        &[
            "rollout.started",
            "rollout.advanced",
            "rollout.held",
            "rollout.promoted",
            "rollout.rolled_back",
            "rollout.aborted",
        ],
        &candidate,
    )
    .await?;
    let moved = EventQuery::newest(CHUNK).about(model_subject(&version.model));
    let mut aliases = console.events.read(&moved).await?;
    aliases.retain(|event| event.workspace == *workspace && names(event, "/digest", &text));
    aliases.reverse();
    // Later steps pass the digest on; the first one made it.
    let made = match accepted.first() {
        Some(event) => made_by(console, workspace, event).await?,
        None => None,
    };
    Ok(Story { made, approvals, rollouts, aliases, complete })
}

fn names(event: &RecordedEvent, pointer: &str, text: &str) -> bool {
    event.body.as_ref().and_then(|body| body.pointer(pointer)?.as_str()) == Some(text)
}

/// The events of a kind, oldest first, and whether these are all.
async fn every(
    console: &Console,
    workspace: &Name,
    kind: &str,
) -> Result<(Vec<RecordedEvent>, bool), StorageError> {
    let (mut found, mut after, mut read) = (Vec::new(), EventSeq(0), 0);
    loop {
        let events = console.events.read(&EventQuery::after(after, CHUNK).of_kind(kind)).await?;
        let last = events.len() < CHUNK;
        read += events.len();
        after = events.last().map_or(after, |event| event.seq);
        found.extend(events.into_iter().filter(|event| event.workspace == *workspace));
        if last || read >= MOST {
            return Ok((found, last));
        }
    }
}

async fn made_by(
    console: &Console,
    workspace: &Name,
    event: &RecordedEvent,
) -> Result<Option<(PipelineRun, StepResult)>, StorageError> {
    let Ok(id) = event.subject.id.parse::<PipelineRunId>() else { return Ok(None) };
    let Some(run) = console.pipelines.run(workspace, id).await? else { return Ok(None) };
    let result = event.body.clone().and_then(|body| serde_json::from_value(body).ok());
    Ok(result.map(|result| (run, result)))
}

fn made(run: &PipelineRun, result: &StepResult, console: &Console) -> Made {
    let value = &result.output.value;
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
    Made {
        run_href: link::pipeline_run(run.id),
        run: short(&run.id.to_string()),
        pipeline: run.pipeline.to_string(),
        cause: run.cause.kind.to_string(),
        author: run.author.to_string(),
        data_time: run.data_time.map(Moment::of_data),
        at: Moment::ago(result.at, console.now()),
        step: result.step.to_string(),
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

/// The table versions that the run's steps imported or checked.
fn data(results: &[StepResult]) -> Vec<DataRow> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for result in results {
        let value = &result.output.value;
        let named = (text(value, "dataset"), value.get("version").and_then(Value::as_u64));
        let (Some(name), Some(version)) = named else { continue };
        if !seen.insert((name.clone(), version)) {
            continue;
        }
        let same = |other: &&StepResult| {
            let value = &other.output.value;
            text(value, "dataset").as_deref() == Some(&name)
                && value.get("version").and_then(Value::as_u64) == Some(version)
        };
        let every = || results.iter().filter(same);
        let table = every().find_map(|result| result.output.artifacts.get("table"));
        let imported = every().find_map(|result| result.output.value.get("rows")?.as_u64());
        let checks = every().find_map(|result| {
            let statistics = result.output.value.get("statistics")?;
            let all = statistics.get("evaluated_expectations")?.as_u64()?;
            let passed = statistics.get("successful_expectations")?.as_u64()?;
            Some((format!("{passed} of {all} checks"), if passed == all { "ok" } else { "bad" }))
        });
        let digest = table.map(ToString::to_string).unwrap_or_default();
        rows.push(DataRow {
            href: link::dataset(&name),
            name,
            version,
            rows: imported.map_or_else(String::new, count),
            short: short(&digest),
            digest,
            checks,
        });
    }
    rows
}

/// Project, revision and digest of the definitions that the run applied.
fn features(results: &[StepResult]) -> Option<(String, u64, String)> {
    results.iter().find_map(|result| {
        let value = &result.output.value;
        let digest = result.output.artifacts.get("definitions")?;
        let project = value.get("project")?.as_str()?;
        Some((project.to_owned(), value.get("revision")?.as_u64()?, digest.to_string()))
    })
}
