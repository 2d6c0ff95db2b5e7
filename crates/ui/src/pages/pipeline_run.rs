//! `/pipeline-runs/{id}`: the steps as a graph, their states, attempts, results and logs.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::id::PipelineRunId;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::definition::{Definition, Stage, Work};
use mainstay_pipelines::run::{PipelineRun, Step, StepResult, StepState};
use serde::Deserialize;

use super::pipeline::class;
use super::{Row, asked, reads};
use crate::frame::{Error, Missing, Page, page};
use crate::show::figure::short;
use crate::show::graph::Layout;
use crate::show::link::{self, segment};
use crate::show::moment::{Moment, span};
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Bytes of a log that the page itself holds; the whole is one link away.
const LOG_TAIL: u64 = 64 * 1024;
/// Characters of a step's name in its box.
const BOX_NAME: usize = 17;

pub(super) fn routes() -> Vec<Row> {
    let run = RouteScope::Path(ResourceKind::PipelineRun, "id");
    vec![reads("/pipeline-runs/{id}", Action::PipelineRead, run, show)]
}

struct NodeBox {
    href: String,
    x: u32,
    y: u32,
    name: String,
    short: String,
    says: String,
    class: &'static str,
    chosen: bool,
}

struct Graph {
    width: u32,
    height: u32,
    box_width: u32,
    box_height: u32,
    boxes: Vec<NodeBox>,
    edges: Vec<String>,
}

struct StepRow {
    href: String,
    name: String,
    state: StepState,
    class: &'static str,
    work: String,
    attempt: u32,
    lasted: String,
    note: String,
    approval: Option<String>,
    reused: Option<(String, String)>,
}

struct Chosen {
    name: String,
    attempt: u32,
    log: String,
    log_href: String,
    next: u64,
    grows: bool,
    output: Option<String>,
    artifacts: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "pipeline_run.html")]
struct PipelineRunPage {
    shell: Shell,
    id: String,
    run: PipelineRun,
    class: &'static str,
    live: bool,
    started: Moment,
    lasted: String,
    data_time: Option<Moment>,
    params: Vec<(String, String)>,
    graph: Graph,
    steps: Vec<StepRow>,
    chosen: Option<Chosen>,
}

#[derive(Debug, Default, Deserialize)]
struct Selection {
    #[serde(default)]
    step: String,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Selection>, QueryRejection>,
) -> Page {
    let id: PipelineRunId = id.parse()?;
    let wanted = asked(query)?.step;
    let run = console.pipelines.run(&caller.workspace, id).await?;
    let run = run.ok_or_else(|| Missing(format!("pipeline run {id}")))?;
    let steps = console.pipelines.steps(&caller.workspace, id).await?;
    let results = console.pipelines.results(&caller.workspace, id).await?;
    let definition = console.pipelines.definition(&run.definition).await?;
    let started = run.started.unwrap_or(run.created);
    let now = console.now();
    let chosen = steps.iter().find(|step| step.name.as_str() == wanted).or_else(|| interesting(&steps));
    let stages = definition.as_deref();
    let graph = graph(&run, &steps, stages, chosen, now);
    // In the order of the picture: column by column.
    let mut order: Vec<_> =
        graph.boxes.iter().zip(&steps).map(|(node, step)| ((node.x, node.y), step)).collect();
    order.sort_by_key(|(place, _)| *place);
    let rows = order.into_iter().map(|(_, step)| step_row(step, stages, &results, now)).collect();
    page(&PipelineRunPage {
        shell: Shell::new(format!("{} {}", run.pipeline, short(&id.to_string())), Section::Pipelines)
            .seen_by(&caller)
            .under("Pipelines", "/pipelines")
            .under(run.pipeline.to_string(), link::pipeline(&run.pipeline)),
        id: id.to_string(),
        class: class(run.state),
        live: !run.state.is_over(),
        started: Moment::ago(started, now),
        lasted: run.finished.map_or_else(String::new, |end| span(end.since(started))),
        data_time: run.data_time.map(Moment::of_data),
        params: run.params.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        graph,
        steps: rows,
        chosen: match chosen {
            Some(step) => Some(open(&console, step, &results).await?),
            None => None,
        },
        run,
    })
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The step that a person would look at: one that failed, else one that runs, else the last that ended.
fn interesting(steps: &[Step]) -> Option<&Step> {
    let in_state = |state| steps.iter().find(|step| step.state == state);
    let last = || steps.iter().max_by_key(|step| step.ended);
    in_state(StepState::Failed).or_else(|| in_state(StepState::Running)).or_else(last)
}

const fn look(state: StepState) -> &'static str {
    match state {
        StepState::Accepted => "ok",
        StepState::Running => "now",
        StepState::Failed => "bad",
        StepState::Waiting | StepState::Cancelled => "warn",
        StepState::Pending | StepState::Ready | StepState::Skipped => "idle",
    }
}

fn stage<'d>(definition: Option<&'d Definition>, step: &Step) -> Option<&'d Stage> {
    definition?.stages.get(&step.name)
}

/// How long a step has run.
fn taken(step: &Step, now: MachineTime) -> String {
    let Some(started) = step.started else { return String::new() };
    match step.state {
        StepState::Running => span(now.since(started)),
        _ => step.ended.map_or_else(String::new, |ended| span(ended.since(started))),
    }
}

fn address(run: PipelineRunId, step: &Step) -> String {
    format!("{}?step={}#step", link::pipeline_run(run), segment(&step.name))
}

fn graph(
    run: &PipelineRun,
    steps: &[Step],
    definition: Option<&Definition>,
    chosen: Option<&Step>,
    now: MachineTime,
) -> Graph {
    let places: BTreeMap<&str, usize> =
        steps.iter().enumerate().map(|(at, s)| (s.name.as_str(), at)).collect();
    let mut edges = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let needs = stage(definition, step).into_iter().flat_map(|stage| &stage.needs);
        edges.extend(needs.filter_map(|need| places.get(need.as_str())).map(|before| (*before, at)));
    }
    let layout = Layout::of(steps.len(), &edges);
    let boxes = layout.boxes.iter().filter_map(|placed| {
        let step = steps.get(placed.index)?;
        let name = step.name.as_str();
        let lasted = taken(step, now);
        Some(NodeBox {
            href: address(run.id, step),
            x: placed.x,
            y: placed.y,
            short: if name.chars().count() > BOX_NAME {
                name.chars().take(BOX_NAME - 1).chain(['…']).collect()
            } else {
                name.to_owned()
            },
            name: name.to_owned(),
            says: if lasted.is_empty() {
                step.state.to_string()
            } else {
                format!("{} · {lasted}", step.state)
            },
            class: look(step.state),
            chosen: chosen.is_some_and(|chosen| chosen.name == step.name),
        })
    });
    Graph {
        width: layout.width,
        height: layout.height,
        box_width: Layout::BOX_WIDTH,
        box_height: Layout::BOX_HEIGHT,
        boxes: boxes.collect(),
        edges: layout.edges,
    }
}

fn step_row(
    step: &Step,
    definition: Option<&Definition>,
    results: &[StepResult],
    now: MachineTime,
) -> StepRow {
    let work = stage(definition, step).map_or_else(String::new, |stage| match &stage.work {
        Work::Commands(commands) => commands.first().cloned().unwrap_or_default(),
        Work::BuiltIn { uses, .. } => format!("uses {uses}"),
        Work::Nothing => "waits".to_owned(),
    });
    let result = results.iter().find(|result| result.step == step.name);
    let reused = result.and_then(|result| result.reused_from);
    StepRow {
        href: address(step.run, step),
        name: step.name.to_string(),
        state: step.state,
        class: look(step.state),
        work,
        attempt: step.attempt,
        lasted: taken(step, now),
        note: step.reason.clone().unwrap_or_default(),
        approval: step.approval.filter(|_| step.state == StepState::Waiting).map(link::approval),
        reused: reused.map(|run| (link::pipeline_run(run), short(&run.to_string()))),
    }
}

async fn open(console: &Console, step: &Step, results: &[StepResult]) -> Result<Chosen, Error> {
    let result = results.iter().find(|result| result.step == step.name);
    let part = console.logs.read(step.run, &step.name, step.attempt, 0, LOG_TAIL).await?;
    let output = result.map(|result| &result.output);
    let value = output.map(|output| &output.value).filter(|value| !value.is_null());
    Ok(Chosen {
        name: step.name.to_string(),
        attempt: step.attempt,
        log: String::from_utf8_lossy(&part.bytes).into_owned(),
        log_href: format!("{}/steps/{}/log", link::pipeline_run(step.run), segment(&step.name)),
        next: part.next,
        grows: step.state == StepState::Running,
        output: value.map(|value| serde_json::to_string_pretty(value).unwrap_or_default()),
        artifacts: output
            .iter()
            .flat_map(|output| &output.artifacts)
            .map(|(role, digest)| (role.clone(), digest.to_string()))
            .collect(),
    })
}
