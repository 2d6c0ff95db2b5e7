//! `/experiments/{id}/traces` and `/traces?experiment=…`: the traces of one experiment, of some, or of all.
//!
//! As on the page of [runs](super::runs), the address holds the whole state; the island `traces.js` reads and writes
//! the same, and the server draws the first rows.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::page::{Page as Part, PageRequest};
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::id::TraceId;
use mainstay_traces::port::{TraceQuery, TraceScope};
use mainstay_traces::search::{TraceFilter, TraceOrder};

use super::plain_words::searched;
use super::run_columns::Cell;
use super::table_page::{Asked, Line, PAGE, Pairs, Sheet, or_fault};
use super::trace_columns::Column;
use super::{Row, asked, reads};
use crate::address::Address;
use crate::frame::{Error, Missing, page};
use crate::show::link;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![
        reads("/experiments/{id}/traces", Action::RunRead, RouteScope::Workspace, of_one).for_levels(),
        reads("/traces", Action::RunRead, RouteScope::Workspace, of_many).for_levels(),
    ]
}

/// How far back a table looks: what the address says, in words, and in milliseconds.
const TIMES: [(&str, &str, i64); 5] = [
    ("15m", "Last 15 minutes", 900_000),
    ("1h", "Last hour", 3_600_000),
    ("24h", "Last 24 hours", 86_400_000),
    ("7d", "Last 7 days", 604_800_000),
    ("30d", "Last 30 days", 2_592_000_000),
];

struct Choice {
    value: &'static str,
    title: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "traces.html")]
struct TracesPage {
    shell: Shell,
    heading: String,
    /// The id of the experiment, where there is one.
    id: Option<String>,
    here: String,
    /// Ids with spaces between; nothing where all are asked for.
    experiments: String,
    filter: String,
    /// What the form sends besides its fields.
    hidden: Pairs,
    times: Vec<Choice>,
    sheet: Sheet,
    searched: bool,
    cleared: String,
    /// Whether the caller may record a demonstration; asked where all traces are, and there is none.
    offers_demonstration: bool,
    /// What is wrong with the search that the address asks for.
    fault: Option<String>,
    address: Address,
}

async fn of_one(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    address: Address,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Response, Error> {
    let id = ExperimentId::parse(&id)?;
    caller.admitted(ResourceKind::Experiment, id)?;
    let found = console.tracked.experiment(&caller.workspace, id).await?;
    let found = found.ok_or_else(|| Missing(format!("experiment {id}")))?;
    let mut asked = Asked::parse(asked(query)?)?;
    asked.experiments = vec![id];
    let name = found.experiment.name.to_string();
    let shell = Shell::new(format!("Traces of {name}"), Section::Traces)
        .seen_by(&caller)
        .under("Experiments", "/experiments")
        .under(name.clone(), link::experiment(id));
    drawn(&console, &caller, asked, (shell, name, Some(id)), address).await
}

async fn of_many(
    axum::extract::State(console): State,
    caller: Caller,
    address: Address,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Response, Error> {
    let asked = Asked::parse(asked(query)?)?;
    let shell = Shell::new("Traces", Section::Traces).seen_by(&caller);
    drawn(&console, &caller, asked, (shell, "Traces".to_owned(), None), address).await
}

async fn drawn(
    console: &Console,
    caller: &Caller,
    mut asked: Asked<Column>,
    (shell, heading, id): (Shell, String, Option<ExperimentId>),
    address: Address,
) -> Result<Response, Error> {
    asked.filter = searched(&asked.filter, "name");
    let now = console.now();
    let here = id.map_or_else(|| "/traces".to_owned(), link::traces_of);
    let scope = scope(console, caller, &asked.experiments).await?;
    let several = scope.experiments.len();
    let since = asked.said("since").and_then(|text| TIMES.iter().find(|(value, ..)| *value == text));
    let within = since.map(|(.., span)| format!("timestamp_ms >= {}", now.millis().saturating_sub(*span)));
    let found = found(console, scope, &asked, within.as_deref().unwrap_or_default()).await;
    let (found, fault) = or_fault(found)?;
    let traces = console.traced.traces(&caller.workspace, &found.items).await?;
    let columns =
        if asked.columns.is_empty() { Column::usual(&traces, several) } else { asked.columns.clone() };
    let is_chosen = |value: &str| since.is_some_and(|(chosen, ..)| *chosen == value);
    let choice = |(value, title, _): (&'static str, &'static str, i64)| Choice {
        value,
        title,
        is_chosen: is_chosen(value),
    };
    let offers_demonstration =
        id.is_none() && console.demonstrations.is_open_to(&caller.principal, &caller.workspace);
    let status = if fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let drawn = page(&TracesPage {
        offers_demonstration,
        shell,
        heading,
        id: id.map(|id| id.to_string()),
        experiments: asked.experiments.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        hidden: asked.hidden(&["filter", "since"]),
        times: TIMES.map(choice).into(),
        sheet: Sheet {
            one: "trace",
            first: ("name", "Trace"),
            heads: columns.iter().map(|column| asked.head(column, &here, "timestamp_ms DESC")).collect(),
            lines: traces.iter().map(|trace| line(trace, &columns, now)).collect(),
            next: found.next.map(|token| asked.further(&here, &token)),
        },
        searched: !asked.filter.is_empty() || since.is_some() || fault.is_some(),
        cleared: asked.with(&here, &[("filter", ""), ("since", "")]),
        filter: asked.filter,
        here,
        fault,
        address,
    })?;
    Ok((status, drawn).into_response())
}

/// The traces that are asked for, of those that started `within` a time.
async fn found(
    console: &Console,
    scope: TraceScope,
    asked: &Asked<Column>,
    within: &str,
) -> Result<Part<TraceId>, Error> {
    let query = TraceQuery {
        scope,
        filter: TraceFilter::parse_both(&asked.filter, within)?,
        order: TraceOrder::parse(&asked.orders)?,
        page: PageRequest { limit: PAGE, after: asked.after.clone() },
    };
    Ok(console.traces.search(&query).await?)
}

/// Those experiments, or all that have traces, of which the caller may read.
async fn scope(console: &Console, caller: &Caller, named: &[ExperimentId]) -> Result<TraceScope, Error> {
    let mut experiments = match named {
        [] => console.traces.experiments_with_traces(&caller.workspace).await?,
        named => named.to_vec(),
    };
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    Ok(TraceScope { workspace: caller.workspace.clone(), experiments })
}

fn line(trace: &AssessedTrace, columns: &[Column], now: MachineTime) -> Line {
    let info = &trace.info;
    Line {
        id: info.id.to_string(),
        href: link::trace(&info.id),
        name: info.name().filter(|name| !name.is_empty()).unwrap_or(info.id.as_str()).to_owned(),
        cells: columns.iter().map(|column| column.cell(trace, now)).collect(),
    }
}
