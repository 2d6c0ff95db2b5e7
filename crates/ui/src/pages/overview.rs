//! `/`: the loop's seven stages, what runs and what answers, what happened.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, RecordedEvent};
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_monitoring::port::AlarmFilter;
use mainstay_monitoring::record::RecordedAlarm;
use mainstay_pipelines::port::RunFilter;
use mainstay_pipelines::run::{PipelineRun, RunState};
use mainstay_registry::model::ModelSummary;
use mainstay_registry::search::{ModelFilter, ModelOrder, ModelSearch};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::revision::Revision;
use mainstay_serving::rollout::{Phase, Rollout};
use serde_json::Value;

use super::overview_runs::{Home, TrackedRow};
use super::{Row, reads};
use crate::address::Address;
use crate::frame::{Error, page};
use crate::show::figure::{count, counted, number, short, words};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::words::{Line, Part};
use crate::{Console, State, asset};

/// Lines of news.
const NEWS: usize = 14;
/// Most endpoints, models, experiments and runs on this page; their lists have the rest.
pub(super) const SHOWN: usize = 8;
/// How many steps are looked at to find the newest that trained something.
const STEPS: usize = 50;

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/", Action::RunRead, RouteScope::Workspace, show).for_levels()]
}

/// One stage of the loop.
struct Stage {
    name: &'static str,
    href: String,
    class: &'static str,
    big: String,
    says: String,
    hint: String,
}

impl Stage {
    /// A stage where nothing happened yet.
    fn idle(name: &'static str, href: &str, hint: &str) -> Self {
        let (href, hint) = (href.to_owned(), hint.to_owned());
        Self { name, href, class: "idle", big: "–".to_owned(), says: "nothing yet".to_owned(), hint }
    }
}

struct EndpointRow {
    name: String,
    href: String,
    model: String,
    model_href: String,
    champion: Option<u64>,
    other: Option<(String, String)>,
    phase: Option<&'static str>,
}

struct ModelRow {
    name: String,
    href: String,
    versions: usize,
    newest: Option<u32>,
    aliases: Vec<(String, u32)>,
    updated: Moment,
}

struct RunRow {
    href: String,
    pipeline: String,
    id: String,
    state: RunState,
    since: Moment,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    address: Address,
    empty: bool,
    stages: Vec<Stage>,
    endpoints: Vec<EndpointRow>,
    models: Vec<ModelRow>,
    home: Home,
    running: Vec<RunRow>,
    approvals: Vec<(String, String, Moment)>,
    /// Address, what it is about, on which endpoint, and since when.
    alarms: Vec<(String, String, String, Moment)>,
    news: Vec<Line>,
    head: u64,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    address: Address,
) -> Result<Response, Error> {
    // It tells of all that there is. Whoever may open single experiments begins with those.
    if !caller.has_role_for(Action::AuditRead) {
        return Ok(Redirect::to("/experiments").into_response());
    }
    let workspace = &caller.workspace;
    let now = console.now();
    let head = console.events.head().borrow().0;
    let home = console.home(&caller).await?;
    let endpoints = console.served.endpoints(workspace, &PageRequest::first(SHOWN)).await?;
    let (endpoints, more_endpoints) = (endpoints.items, endpoints.next.is_some());
    let mut rollouts = Vec::new();
    for (endpoint, _) in &endpoints {
        rollouts
            .extend(console.served.rollouts(workspace, &endpoint.name, &PageRequest::first(1)).await?.items);
    }
    let active = RunFilter { pipeline: None, states: vec![RunState::Running, RunState::Waiting] };
    let running = console.pipelines.runs(workspace, &active, &PageRequest::first(SHOWN)).await?.items;
    let pending = console.pipelines.pending_approvals(workspace).await?;
    let unresolved = AlarmFilter { endpoint: None, open_only: true };
    let open = console.monitored.alarms(workspace, &unresolved, &PageRequest::first(SHOWN)).await?;
    let (open, more_alarms) = (open.items, open.next.is_some());
    let stages = vec![
        data(&console, workspace).await?,
        features(&console, workspace).await?,
        train(&console, workspace, &home).await?,
        gates(&console, workspace).await?,
        release(&rollouts),
        serve(&endpoints, more_endpoints),
        watch((&open, more_alarms), console.newest(workspace, "segment.sealed").await?.as_ref()),
    ];
    let drawn = page(&OverviewPage {
        shell: Shell::new("Overview", Section::Overview).seen_by(&caller),
        empty: home.runs.is_empty() && stages.iter().all(|stage| stage.class == "idle"),
        alarms: open
            .iter()
            .map(|alarm| {
                let href = format!("{}/monitor", link::endpoint(&alarm.endpoint));
                (
                    href,
                    super::monitor::heading(alarm),
                    alarm.endpoint.to_string(),
                    Moment::of_data(alarm.data_time),
                )
            })
            .collect(),
        endpoints: endpoint_rows(&endpoints, &rollouts),
        models: model_rows(&console, &caller).await?,
        running: running.iter().map(|run| run_row(run, &console)).collect(),
        approvals: pending
            .iter()
            .map(|asked| {
                (link::approval(asked.id), asked.step.to_string(), Moment::ahead(asked.expires, now))
            })
            .collect(),
        news: console.news(workspace, NEWS).await?.iter().map(|event| Line::of(event, now)).collect(),
        address,
        home,
        stages,
        head,
    })?;
    Ok(drawn.into_response())
}

fn field<'e>(event: &'e RecordedEvent, pointer: &str) -> Option<&'e Value> {
    event.body.as_ref()?.pointer(pointer)
}

fn whole(event: &RecordedEvent, pointer: &str) -> u64 {
    field(event, pointer).and_then(Value::as_u64).unwrap_or(0)
}

async fn data(console: &Console, workspace: &Name) -> Result<Stage, StorageError> {
    let Some(table) = console.newest(workspace, "table.committed").await? else {
        return Ok(Stage::idle("Data", "/datasets", "import a table"));
    };
    let validated = console.newest(workspace, "table.validated").await?;
    let (passed, all) = validated.as_ref().map_or((0, 0), |event| {
        let statistic = |name: &str| whole(event, &format!("/statistics/{name}"));
        (statistic("successful_expectations"), statistic("evaluated_expectations"))
    });
    Ok(Stage {
        name: "Data",
        href: link::dataset(&table.subject.id),
        class: if passed == all { "ok" } else { "warn" },
        big: format!("v{}", whole(&table, "/version")),
        says: format!("{}, {} rows", table.subject.id, count(whole(&table, "/rows"))),
        hint: if all == 0 { "not checked".to_owned() } else { format!("{passed} of {all} checks") },
    })
}

async fn features(console: &Console, workspace: &Name) -> Result<Stage, StorageError> {
    let Some(applied) = console.newest(workspace, "features.applied").await? else {
        return Ok(Stage::idle("Features", "/features", "apply definitions"));
    };
    let views = field(&applied, "/views").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let carried = console.newest(workspace, "features.materialised").await?;
    let hint = carried.as_ref().and_then(|event| field(event, "/until")?.as_str()).map_or_else(
        || "not carried online".to_owned(),
        |until| format!("online up to {}", until.get(..16).unwrap_or(until).replace('T', " ")),
    );
    Ok(Stage {
        name: "Features",
        href: link::features(),
        class: "ok",
        big: counted(views, "view", "views"),
        says: format!("{}, revision {}", applied.subject.id, whole(&applied, "/revision")),
        hint,
    })
}

/// The newest of a trained model of a pipeline, or a run of a client.
async fn train(console: &Console, workspace: &Name, home: &Home) -> Result<Stage, StorageError> {
    let query = EventQuery::newest(STEPS).within(workspace).of_kind("step.accepted");
    let steps = console.events.read(&query).await?;
    let trained =
        steps.iter().find(|event| field(event, "/output/value/validation").is_some_and(Value::is_object));
    match (trained, home.runs.iter().max_by_key(|run| run.seen)) {
        (Some(event), run) if run.is_none_or(|run| run.seen.micros() <= event.at.micros()) => {
            Ok(trained_stage(event))
        }
        (_, Some(run)) => Ok(run_stage(run)),
        (_, None) => Ok(Stage::idle("Train", "/experiments", "log a run with mlflow")),
    }
}

fn run_stage(run: &TrackedRow) -> Stage {
    let (big, says) = match &run.figure {
        Some((name, value)) => (value.clone(), words(name)),
        None => (run.status.word.to_owned(), run.experiment.clone()),
    };
    Stage {
        name: "Train",
        href: run.href.clone(),
        class: run.status.class,
        big,
        says,
        hint: format!("run {}", run.name),
    }
}

/// Area under the curve where there is one, else the first figure of the validation.
fn trained_stage(event: &RecordedEvent) -> Stage {
    let figures = field(event, "/output/value/validation").and_then(Value::as_object);
    let named = |name: &'static str| Some((name, figures?.get(name)?.as_f64()?));
    let figure = ["auc", "r2", "rmse", "log_loss"].into_iter().find_map(named);
    Stage {
        name: "Train",
        href: link::subject(&event.subject),
        class: "ok",
        big: figure.map_or_else(|| "done".to_owned(), |(_, value)| number(value)),
        says: figure.map_or_else(String::new, |(name, _)| {
            let title = if name == "auc" { "AUC".to_owned() } else { words(name) };
            format!("{title}, {} rows", count(whole(event, "/output/value/rows")))
        }),
        hint: field(event, "/output/value/candidate/algorithm").and_then(Value::as_str).map_or_else(
            || "trained by a pipeline".to_owned(),
            |algorithm| format!("{} in run {}", words(algorithm), short(&event.subject.id)),
        ),
    }
}

async fn gates(console: &Console, workspace: &Name) -> Result<Stage, StorageError> {
    let Some(judged) = console.newest(workspace, "gates.evaluated").await? else {
        return Ok(Stage::idle("Gates", "/models", "judge a version"));
    };
    let gates = field(&judged, "/gates").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let verdict = |gate: &Value| gate.get("verdict").and_then(Value::as_str).unwrap_or_default().to_owned();
    let passed = gates.iter().filter(|gate| verdict(gate) == "passed").count();
    let open = gates.iter().find(|gate| verdict(gate) != "passed");
    let name = judged
        .subject
        .id
        .rsplit_once('/')
        .map_or_else(|| judged.subject.id.clone(), |(model, version)| format!("{model} v{version}"));
    Ok(Stage {
        name: "Gates",
        href: link::subject(&judged.subject),
        class: if open.is_none() { "ok" } else { "warn" },
        big: format!("{passed} / {}", gates.len()),
        says: name,
        hint: open
            .and_then(|gate| gate.get("name")?.as_str())
            .map_or_else(|| "all passed".to_owned(), |gate| format!("not passed: {}", words(gate))),
    })
}

fn release(rollouts: &[Rollout]) -> Stage {
    let newest = rollouts.iter().find(|rollout| rollout.state.phase.is_running()).or(rollouts.first());
    let Some(rollout) = newest else {
        return Stage::idle("Release", "/endpoints", "start a rollout");
    };
    let version = rollout.candidate.version;
    let (class, big, says) = match rollout.state.phase {
        Phase::Shadow => {
            ("now", "shadow".to_owned(), format!("v{version} scores, v{} answers", rollout.champion.version))
        }
        Phase::Canary { step } => {
            let weight =
                rollout.plan.step(step).map_or_else(|| "canary".to_owned(), |at| at.weight.to_string());
            let steps = rollout.plan.spec().steps.len();
            ("now", weight, format!("v{version} in canary, step {} of {steps}", step + 1))
        }
        Phase::Inconclusive => ("warn", "undecided".to_owned(), format!("v{version} waits for a person")),
        Phase::Promoted => ("ok", format!("v{version}"), "promoted".to_owned()),
        Phase::RolledBack => ("warn", format!("v{version}"), "rolled back".to_owned()),
        Phase::Aborted => ("warn", format!("v{version}"), "aborted".to_owned()),
    };
    let href = link::endpoint(&rollout.endpoint);
    Stage { name: "Release", href, class, big, says, hint: format!("on {}", rollout.endpoint) }
}

/// How many there are, as far as they were read.
fn counted_of((read, has_more): (usize, bool), one: &str, many: &str) -> String {
    let counted = counted(read, one, many);
    if has_more { format!("over {counted}") } else { counted }
}

fn serve(endpoints: &[(Endpoint, Revision)], has_more: bool) -> Stage {
    let Some((endpoint, revision)) = endpoints.first() else {
        return Stage::idle("Serve", "/endpoints", "create an endpoint");
    };
    let champion = revision.champion();
    Stage {
        name: "Serve",
        href: if endpoints.len() == 1 { link::endpoint(&endpoint.name) } else { "/endpoints".to_owned() },
        class: if champion.is_some() { "ok" } else { "idle" },
        big: champion.map_or_else(|| "–".to_owned(), |arm| format!("v{}", arm.pinned.version)),
        says: endpoint.name.to_string(),
        hint: match endpoints.len() {
            1 => format!("revision {}", revision.number),
            many => counted_of((many, has_more), "endpoint", "endpoints"),
        },
    }
}

fn watch((open, has_more): (&[RecordedAlarm], bool), sealed: Option<&RecordedEvent>) -> Stage {
    let Some(first) = open.first() else {
        let Some(sealed) = sealed else {
            return Stage::idle("Watch", "/endpoints", "send predictions");
        };
        return Stage {
            name: "Watch",
            href: "/endpoints".to_owned(),
            class: "ok",
            big: "quiet".to_owned(),
            says: "no alarm is open".to_owned(),
            hint: format!("{} rows in the newest segment", count(whole(sealed, "/segment/records"))),
        };
    };
    Stage {
        name: "Watch",
        href: format!("{}/monitor", link::endpoint(&first.endpoint)),
        class: "warn",
        big: counted_of((open.len(), has_more), "alarm", "alarms"),
        says: super::monitor::heading(first),
        hint: format!("on {}", first.endpoint),
    }
}

fn endpoint_rows(endpoints: &[(Endpoint, Revision)], rollouts: &[Rollout]) -> Vec<EndpointRow> {
    let row = |(endpoint, revision): &(Endpoint, Revision)| {
        let rollout = rollouts.iter().find(|rollout| rollout.endpoint == endpoint.name);
        let other = revision.arms.iter().find(|arm| Some(*arm) != revision.champion());
        EndpointRow {
            name: endpoint.name.to_string(),
            href: link::endpoint(&endpoint.name),
            model: endpoint.model.to_string(),
            model_href: link::model(&endpoint.model),
            champion: revision.champion().map(|arm| arm.pinned.version),
            other: other.map(|arm| (format!("v{}", arm.pinned.version), super::endpoint::role(arm))),
            phase: rollout.filter(|rollout| rollout.state.phase.is_running()).map(|r| r.state.phase.as_str()),
        }
    };
    endpoints.iter().map(row).collect()
}

/// The models that changed last; prompts have a list of their own.
async fn model_rows(console: &Console, caller: &Caller) -> Result<Vec<ModelRow>, Error> {
    let (workspace, readable) = (&caller.workspace, caller.doing(Action::ModelRead).readable());
    let (filter, page) = (ModelFilter::default(), PageRequest::first(SHOWN));
    let search = ModelSearch::new(filter, ModelOrder::last_updated_first(), readable, &page)?;
    let shown = console.registered.search_models(workspace, search).await?.items;
    let shown: Vec<_> = shown.into_iter().map(|detail| detail.model.name).collect();
    let found = console.registered.summaries(workspace, &shown).await?;
    let row = |ModelSummary { detail, versions, newest }| ModelRow {
        href: link::model(&detail.model.name),
        versions,
        newest: newest.map(|newest| newest.0),
        aliases: detail.aliases.iter().map(|(alias, to)| (alias.to_string(), to.0)).collect(),
        updated: Moment::ago(detail.model.updated, console.now()),
        name: detail.model.name.to_string(),
    };
    Ok(found.into_iter().map(row).collect())
}

fn run_row(run: &PipelineRun, console: &Console) -> RunRow {
    RunRow {
        href: link::pipeline_run(run.id),
        pipeline: run.pipeline.to_string(),
        id: short(&run.id.to_string()),
        state: run.state,
        since: Moment::ago(run.started.unwrap_or(run.created), console.now()),
    }
}
