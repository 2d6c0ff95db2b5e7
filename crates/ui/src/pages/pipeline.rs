//! `/pipelines` and `/pipelines/{name}`: named pipelines and what ran.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::page::{InvalidPageToken, PageRequest, PageToken};
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::port::RunFilter;
use mainstay_pipelines::run::{PipelineRun, RunState};
use mainstay_pipelines::trigger::{Instant, Standing, standing};
use serde::Deserialize;

use super::{Row, asked, reads};
use crate::frame::{Page, page};
use crate::show::figure::short;
use crate::show::link;
use crate::show::moment::{Moment, span};
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

/// Runs on a page.
const PAGE: usize = 50;

pub(super) fn routes() -> Vec<Row> {
    let pipeline = RouteScope::Path(ResourceKind::Pipeline, "name");
    vec![
        reads("/pipelines", Action::PipelineRead, RouteScope::Workspace, list),
        reads("/pipelines/{name}", Action::PipelineRead, pipeline, show),
    ]
}

#[derive(Debug, Default, Deserialize)]
struct Position {
    #[serde(default)]
    page: String,
}

impl Position {
    /// A token that holds no key of a run is refused here, and not by the store.
    fn request(self) -> Result<PageRequest, InvalidPageToken> {
        let after = Some(self.page).filter(|token| !token.is_empty());
        let after = after.map(|token| token.parse::<PageToken>()).transpose()?;
        let request = PageRequest { limit: PAGE, after };
        request.key::<(i64, String)>()?;
        Ok(request)
    }
}

/// The look of a run's state.
pub(super) const fn class(state: RunState) -> &'static str {
    match state {
        RunState::Waiting => "idle",
        RunState::Running => "now",
        RunState::Succeeded => "ok",
        RunState::Failed => "bad",
        RunState::Cancelled => "warn",
    }
}

struct RunRow {
    href: String,
    id: String,
    pipeline: String,
    pipeline_href: String,
    state: RunState,
    class: &'static str,
    cause: &'static str,
    author: String,
    started: Moment,
    lasted: String,
}

fn row(run: &PipelineRun, now: MachineTime) -> RunRow {
    let started = run.started.unwrap_or(run.created);
    RunRow {
        href: link::pipeline_run(run.id),
        id: short(&run.id.to_string()),
        pipeline: run.pipeline.to_string(),
        pipeline_href: link::pipeline(&run.pipeline),
        state: run.state,
        class: class(run.state),
        cause: run.cause.kind.as_str(),
        author: run.author.to_string(),
        started: Moment::ago(started, now),
        lasted: run.finished.map_or_else(String::new, |end| span(end.since(started))),
    }
}

#[derive(Template)]
#[template(path = "pipelines.html")]
struct PipelinesPage {
    shell: Shell,
    pipelines: Vec<(String, String, u64, Moment)>,
    runs: Vec<RunRow>,
    next: Option<String>,
}

async fn list(
    axum::extract::State(console): State,
    caller: Caller,
    query: Result<Query<Position>, QueryRejection>,
) -> Page {
    let request = asked(query)?.request()?;
    let now = console.now();
    let pipelines = console.pipelines.pipelines(&caller.workspace).await?;
    let runs = console.pipelines.runs(&caller.workspace, &RunFilter::default(), &request).await?;
    page(&PipelinesPage {
        shell: Shell::new("Pipelines", Section::Pipelines).seen_by(&caller),
        pipelines: pipelines
            .iter()
            .map(|p| (p.name.to_string(), link::pipeline(&p.name), p.revision, Moment::ago(p.updated, now)))
            .collect(),
        runs: runs.items.iter().map(|run| row(run, now)).collect(),
        next: runs.next.map(|token| format!("/pipelines?page={token}")),
    })
}

/// A trigger of a pipeline's text.
struct TriggerRow {
    kind: &'static str,
    when: String,
    last: Option<Moment>,
    /// The event that it fired for last.
    event: Option<i64>,
    next: Option<Moment>,
}

impl TriggerRow {
    fn new(Standing { trigger, last, next }: Standing, now: MachineTime) -> Self {
        let moment = |instant| match instant {
            Instant::Machine(at) if at > now => Some(Moment::ahead(at, now)),
            Instant::Machine(at) => Some(Moment::ago(at, now)),
            Instant::Data(at) => Some(Moment::of_data(at)),
            Instant::Event(_) => None,
        };
        let event = last.and_then(|last| if let Instant::Event(seq) = last { Some(seq) } else { None });
        let (last, next) = (last.and_then(moment), next.and_then(moment));
        Self { kind: trigger.kind().as_str(), when: trigger.when(), last, event, next }
    }
}

#[derive(Template)]
#[template(path = "pipeline.html")]
struct PipelinePage {
    shell: Shell,
    name: String,
    source: Option<(u64, String)>,
    triggers: Vec<TriggerRow>,
    runs: Vec<RunRow>,
    next: Option<String>,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    query: Result<Query<Position>, QueryRejection>,
) -> Page {
    let name = Name::new(name)?;
    let request = asked(query)?.request()?;
    let now = console.now();
    let defined = console.pipelines.pipeline(&caller.workspace, &name).await?;
    let triggers = match &defined {
        Some(pipeline) => standing(&*console.pipelines, &caller.workspace, pipeline).await?,
        None => Vec::new(),
    };
    let filter = RunFilter { pipeline: Some(name.clone()), states: Vec::new() };
    let runs = console.pipelines.runs(&caller.workspace, &filter, &request).await?;
    page(&PipelinePage {
        shell: Shell::new(name.to_string(), Section::Pipelines)
            .seen_by(&caller)
            .under("Pipelines", "/pipelines"),
        next: runs.next.map(|token| format!("{}?page={token}", link::pipeline(&name))),
        name: name.to_string(),
        triggers: triggers.into_iter().map(|trigger| TriggerRow::new(trigger, now)).collect(),
        source: defined.map(|pipeline| (pipeline.revision, pipeline.source)),
        runs: runs.items.iter().map(|run| row(run, now)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_position_is_refused() {
        let request = |page: &str| Position { page: page.to_owned() }.request();
        assert_eq!(request(""), Ok(PageRequest::first(PAGE)));
        assert!(request(&PageToken::after(&(7_i64, "run")).to_string()).is_ok());
        for foreign in ["00", "x", &PageToken::after(&"name").to_string()] {
            assert_eq!(request(foreign), Err(InvalidPageToken), "{foreign}");
        }
    }
}
