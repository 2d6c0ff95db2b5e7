//! `/traces/{id}`: one trace, its spans on one axis of time, and what is said of it.
//!
//! The server draws the first spans, in the order of the tree; the island `trace-page.js` draws any number, and what
//! each of them holds.

use std::collections::HashMap;

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_traces::assessment::Assessment;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::info::key;
use mainstay_traces::span::{Span, StatusCode};
use mainstay_traces::stored::StoredSpans;

use super::run_columns::Status;
use super::trace_columns::{judged, lasted, spoken};
use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::{count, money};
use crate::show::link::{self, segment};
use crate::show::moment::{Moment, span as span_text};
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::{State, asset};

/// Spans that the server draws.
const DRAWN: usize = 200;
/// The deepest step of the tree that is told apart.
const DEEPEST: usize = 10;

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/traces/{id}", Action::RunRead, RouteScope::Workspace, show).for_levels()]
}

/// A span as a line of the tree.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    id: String,
    name: String,
    kind: String,
    /// How deep it lies, from 1.
    level: usize,
    failed: bool,
    took: String,
    /// Where it lies on the axis, of 1,000.
    left: u64,
    width: u64,
}

/// What somebody said.
struct Said {
    name: String,
    kind: &'static str,
    value: String,
    source: String,
    rationale: Option<String>,
    at: Moment,
    valid: bool,
    /// The span, if it is of one.
    span: Option<String>,
}

#[derive(Template)]
#[template(path = "trace.html")]
struct TracePage {
    shell: Shell,
    id: String,
    name: String,
    status: Status,
    started: Moment,
    took: Option<String>,
    tokens: Option<String>,
    cost: Option<String>,
    experiment: String,
    /// What it is called.
    group: String,
    /// Who looks at it, as the source of what they say.
    who: String,
    spans: usize,
    /// That number, as it is told.
    told: String,
    is_complete: bool,
    steps: Vec<Step>,
    request: Option<String>,
    response: Option<String>,
    session: Option<(String, String)>,
    user: Option<String>,
    runs: Vec<SourceRun>,
    /// The logged model that made it, and where its page is, if there is one.
    model: Option<(String, Option<String>)>,
    prompts: Vec<(String, String)>,
    client_id: Option<String>,
    said: Vec<Said>,
    tags: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(id): Path<String>) -> Page {
    let id = TraceId::parse(&id)?;
    let missing = || Missing(format!("trace {id}"));
    let found = console.traced.trace_with_spans(&caller.workspace, &id).await?;
    let (trace, stored) = found.ok_or_else(missing)?;
    let info = trace.info;
    caller.admitted(ResourceKind::Experiment, info.experiment)?;
    let linked = console.traced.indexed(std::slice::from_ref(&id)).await?;
    let (runs, prompts) =
        linked.into_iter().next().map_or_else(Default::default, |one| (one.runs, one.prompts));
    let drawing = tokio::task::spawn_blocking(move || drawn(&stored));
    let (spans, steps) = drawing.await.map_err(|error| StorageError::Failed(error.into()))??;
    let experiment = console.tracked.experiment(&caller.workspace, info.experiment).await?;
    let group = experiment.map_or_else(|| info.experiment.to_string(), |e| e.experiment.name.to_string());
    let now = console.now();
    // Of before roots gave their traces names.
    let first = steps.first().map(|step| step.name.as_str());
    let named = info.name().or(first).filter(|name| !name.is_empty());
    let name = named.unwrap_or(info.id.as_str()).to_owned();
    let own = |key: &str| !key.starts_with("mlflow.");
    let pairs = |pairs: &mainstay_traces::info::Pairs| -> Vec<(String, String)> {
        pairs.iter().filter(|(key, _)| own(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let runs = runs_of(info.metadata.get(key::SOURCE_RUN), runs);
    let run_names = console.run_names(&caller, &runs.iter().filter_map(RunRef::id).collect()).await?;
    let model = match info.metadata.get(MODEL) {
        Some(id) => {
            let found = console.readable_model(&caller, Some(id)).await?;
            Some((id.clone(), found.map(|found| link::logged_model(found.model.experiment, found.model.id))))
        }
        None => None,
    };
    page(&TracePage {
        shell: Shell::new(name.clone(), Section::Traces)
            .seen_by(&caller)
            .under("Experiments", "/experiments")
            .under(group.clone(), link::experiment(info.experiment))
            .under("Traces", link::traces_of(info.experiment)),
        status: info.state.into(),
        started: Moment::of_millis(info.request_ms, now),
        took: info.duration_ms.map(lasted),
        tokens: info.total_tokens().map(count),
        cost: info.total_cost().map(money),
        experiment: info.experiment.to_string(),
        group,
        who: caller.principal.actor.to_string(),
        told: count(spans as u64),
        spans,
        is_complete: info.is_complete(spans),
        steps,
        session: info.session().map(|session| (session.to_owned(), of_session(session))),
        user: info.user().map(str::to_owned),
        runs: runs.iter().map(|run| SourceRun::named(run, &run_names)).collect(),
        model,
        prompts: prompts.into_iter().map(|prompt| (link_of(&prompt), prompt)).collect(),
        client_id: info.client_request_id.clone(),
        said: trace.assessments.iter().map(|one| said(one, now)).collect(),
        tags: pairs(&info.tags),
        metadata: pairs(&info.metadata),
        request: info.request_preview.as_deref().map(spoken),
        response: info.response_preview.as_deref().map(spoken),
        id: info.id.to_string(),
        name,
    })
}

/// Metadata: the logged model that made it (`TraceMetadataKey.MODEL_ID` of MLflow).
const MODEL: &str = "mlflow.modelId";

/// The traces of a conversation.
fn of_session(session: &str) -> String {
    link::traces_with(Some("metadata"), key::SESSION, session)
}

/// The runs that a trace was made in, or linked to.
fn runs_of(source: Option<&String>, mut linked: Vec<String>) -> Vec<RunRef> {
    if let Some(source) = source.filter(|source| !linked.contains(source)) {
        linked.insert(0, source.clone());
    }
    linked.into_iter().filter_map(|run| RunRef::new(run).ok()).collect()
}

/// The page of a version of a prompt: `name/version`.
fn link_of(prompt: &str) -> String {
    let (name, version) = prompt.rsplit_once('/').unwrap_or((prompt, ""));
    format!("{}?version={}", link::prompt(name), segment(version))
}

fn said(one: &Assessment, now: mainstay_core::time::MachineTime) -> Said {
    let source = one.source.id.clone().unwrap_or_default();
    Said {
        name: one.name.clone(),
        kind: one.judgement.kind().as_str(),
        value: judged(&one.judgement),
        source: format!("{} {source}", one.source.kind.as_str().to_lowercase().replace('_', " ")),
        rationale: one.rationale.clone(),
        at: Moment::of_millis(one.updated_ms, now),
        valid: one.valid,
        span: one.span.clone(),
    }
}

/// What clients call a span of which nobody said what kind it is (`SpanType.UNKNOWN`).
const NO_KIND: &str = "UNKNOWN";

/// How many spans there are, and the first of them in the order of the tree.
fn drawn(stored: &StoredSpans) -> Result<(usize, Vec<Step>), StorageError> {
    let unpacked = stored.unpack()?;
    let spans: Vec<Span<&str>> = unpacked.read()?;
    Ok((spans.len(), steps(&spans)))
}

/// The first spans in the order of the tree; those whose parent has not come stand beside the roots.
fn steps(spans: &[Span<&str>]) -> Vec<Step> {
    let places: HashMap<SpanId, usize> = spans.iter().enumerate().map(|(at, span)| (span.id, at)).collect();
    let (mut below, mut tops) = (vec![Vec::new(); spans.len()], Vec::new());
    for (at, span) in spans.iter().enumerate() {
        let parent = span.parent.and_then(|parent| places.get(&parent)).filter(|parent| **parent != at);
        match parent.and_then(|parent| below.get_mut(*parent)) {
            Some(children) => children.push(at),
            None => tops.push(at),
        }
    }
    let origin = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
    let end = spans.iter().filter_map(|span| span.end_ns).max().unwrap_or(origin);
    let whole = end.saturating_sub(origin).max(1);
    let part =
        |ns: u64| u64::try_from(u128::from(ns) * 1_000 / u128::from(whole)).unwrap_or(1_000).min(1_000);
    let mut waiting: Vec<(usize, usize)> = tops.into_iter().rev().map(|at| (at, 1)).collect();
    let mut steps = Vec::new();
    while let Some((at, level)) = waiting.pop() {
        let (Some(span), Some(children)) = (spans.get(at), below.get(at)) else { continue };
        let took = span.end_ns.map(|end| end.saturating_sub(span.start_ns));
        let left = part(span.start_ns.saturating_sub(origin)).min(996);
        steps.push(Step {
            id: span.id.to_string(),
            name: span.name.to_owned(),
            kind: span
                .span_type()
                .filter(|kind| kind.as_ref() != NO_KIND)
                .map_or_else(String::new, |kind| kind.to_lowercase().replace('_', " ")),
            level: level.min(DEEPEST),
            failed: span.status == StatusCode::Error,
            took: took.map_or_else(
                || "goes on".to_owned(),
                |ns| span_text(i64::try_from(ns / 1_000).unwrap_or(i64::MAX)),
            ),
            left,
            width: part(took.unwrap_or(whole)).clamp(4, 1_000 - left),
        });
        if steps.len() == DRAWN {
            break;
        }
        waiting.extend(children.iter().rev().map(|child| (*child, level + 1)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use mainstay_traces::span::SpanKind;

    use super::*;

    fn span(id: u8, parent: Option<u8>, start_ns: u64, took: Option<u64>) -> Span<&'static str> {
        Span {
            id: SpanId([id; 8]),
            parent: parent.map(|id| SpanId([id; 8])),
            name: "step",
            kind: SpanKind::Internal,
            start_ns,
            end_ns: took.map(|took| start_ns + took),
            status: StatusCode::Ok,
            message: "",
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    #[test]
    fn spans_stand_in_the_order_of_the_tree() {
        let spans = [
            span(1, None, 1_000, Some(1_000)),
            span(9, Some(77), 1_100, Some(10)),
            span(2, Some(1), 1_200, None),
            span(3, Some(1), 1_500, Some(500)),
            span(4, Some(2), 1_600, Some(1)),
        ];
        let steps = steps(&spans);
        let told: Vec<_> =
            steps.iter().map(|step| (&step.id[..2], step.level, step.left, step.width)).collect();
        assert_eq!(
            told,
            [
                ("01", 1, 0, 1_000),
                ("02", 2, 200, 800),
                ("04", 3, 600, 4),
                ("03", 2, 500, 500),
                ("09", 1, 100, 10)
            ]
        );
        assert_eq!(steps[1].took, "goes on");
        assert!(super::steps(&[]).is_empty());
        let own_parent = [span(5, Some(5), 1, Some(1))];
        assert_eq!(super::steps(&own_parent).len(), 1);
        let many: Vec<_> = (0..=255).map(|id| span(id, None, u64::from(id), Some(1))).collect();
        assert_eq!(super::steps(&many).len(), DRAWN);
    }

    #[test]
    fn links_lead_to_what_a_trace_belongs_to() {
        assert_eq!(link_of("a b/3"), "/prompts/a%20b?version=3");
        assert!(of_session("it's").ends_with("%3D%20%22it%27s%22"), "{}", of_session("it's"));
        let run = "0".repeat(32);
        let runs = runs_of(Some(&run), vec!["elsewhere".to_owned()]);
        assert_eq!(runs.iter().map(RunRef::as_str).collect::<Vec<_>>(), [&run, "elsewhere"]);
        assert_eq!(runs_of(Some(&run), vec![run.clone()]).len(), 1);
    }
}
