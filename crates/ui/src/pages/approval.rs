//! `/approvals` and `/approvals/{id}`: a person's decision, with its evidence, bound to a digest.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Redirect;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventQuery;
use mainstay_core::id::ApprovalId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Role};
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_pipelines::approval::{Approval, ApprovalState, Decision};
use mainstay_pipelines::commands::DecideApproval;
use mainstay_pipelines::run::StepState;
use mainstay_registry::model::VersionDetail;
use serde::Deserialize;

use super::model_version::Report;
use super::{Row, filled, reads, sends};
use crate::frame::{Error, Missing, Page, page};
use crate::show::figure::short;
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Decided requests in the list.
const DECIDED: usize = 50;

pub(super) fn routes() -> Vec<Row> {
    let approval = RouteScope::Path(ResourceKind::Approval, "id");
    vec![
        reads("/approvals", Action::PipelineRead, RouteScope::Workspace, list),
        reads("/approvals/{id}", Action::PipelineRead, approval, show),
        sends("/approvals/{id}", Action::ApprovalDecide, approval, decide),
    ]
}

struct Asked {
    href: String,
    step: String,
    run_href: String,
    run: String,
    digest: String,
    short: String,
    by: String,
    expires: Moment,
}

struct Settled {
    href: String,
    step: String,
    state: ApprovalState,
    class: &'static str,
    by: String,
    at: Moment,
    comment: String,
}

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    shell: Shell,
    pending: Vec<Asked>,
    settled: Vec<Settled>,
}

async fn list(axum::extract::State(console): State, caller: Caller) -> Page {
    let pending = console.pipelines.pending_approvals(&caller.workspace).await?;
    let mut settled = Vec::new();
    for kind in ["approval.decided", "approval.expired", "approval.withdrawn"] {
        let events = console.events.read(&EventQuery::newest(DECIDED).of_kind(kind)).await?;
        settled.extend(events.into_iter().filter(|event| event.workspace == caller.workspace));
    }
    settled.sort_by_key(|event| std::cmp::Reverse(event.seq));
    settled.truncate(DECIDED);
    let now = console.now();
    let settled = settled.into_iter().filter_map(|event| {
        let approval: Approval = serde_json::from_value(event.body?).ok()?;
        Some(Settled {
            href: link::approval(approval.id),
            step: approval.step.to_string(),
            state: approval.state,
            class: look(approval.state),
            by: approval.decided_by.map_or_else(String::new, |actor| actor.to_string()),
            at: Moment::ago(event.at, now),
            comment: approval.comment.unwrap_or_default(),
        })
    });
    page(&ApprovalsPage {
        shell: Shell::new("Approvals", Section::Approvals).seen_by(&caller),
        pending: pending.iter().map(|approval| asked(approval, &console)).collect(),
        settled: settled.collect(),
    })
}

const fn look(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "now",
        ApprovalState::Approved => "ok",
        ApprovalState::Rejected => "bad",
        ApprovalState::Expired | ApprovalState::Withdrawn => "warn",
    }
}

fn asked(approval: &Approval, console: &Console) -> Asked {
    let now = console.now();
    Asked {
        href: link::approval(approval.id),
        step: approval.step.to_string(),
        run_href: link::pipeline_run(approval.run),
        run: short(&approval.run.to_string()),
        digest: approval.digest.to_string(),
        short: short(&approval.digest.to_string()),
        by: if approval.by.is_empty() { "whoever may approve".to_owned() } else { approval.by.join(", ") },
        expires: Moment::ahead(approval.expires, now),
    }
}

#[derive(Template)]
#[template(path = "approval.html")]
struct ApprovalPage {
    shell: Shell,
    asked: Asked,
    state: ApprovalState,
    class: &'static str,
    open: bool,
    own: bool,
    four_eyes: bool,
    author: Actor,
    requested: Moment,
    decided_by: Option<Actor>,
    comment: Option<String>,
    versions: Vec<(String, String)>,
    report: Option<Report>,
    steps: Vec<(String, String, String)>,
}

impl Console {
    /// A request, pending or settled: the pending ones stand in their table, the others in the record.
    async fn approval(&self, workspace: &Name, id: ApprovalId) -> Result<Option<Approval>, StorageError> {
        let pending = self.pipelines.pending_approvals(workspace).await?;
        if let Some(found) = pending.into_iter().find(|approval| approval.id == id) {
            return Ok(Some(found));
        }
        let about = EventQuery::newest(1).about(Subject::new(ResourceKind::Approval, id));
        let newest = self.events.read(&about).await?.into_iter().find(|event| event.workspace == *workspace);
        Ok(newest.and_then(|event| serde_json::from_value(event.body?).ok()))
    }
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(id): Path<String>) -> Page {
    let id: ApprovalId = id.parse()?;
    let approval = console.approval(&caller.workspace, id).await?;
    let approval = approval.ok_or_else(|| Missing(format!("request for approval {id}")))?;
    let same = console.registered.versions_of_digest(&caller.workspace, &approval.digest).await?;
    let report = console.judged(&caller.workspace, Some(approval.digest)).await?;
    let results = console.pipelines.results(&caller.workspace, approval.run).await?;
    let steps = results.iter().map(|result| {
        let value = serde_json::to_string_pretty(&result.output.value).unwrap_or_default();
        (result.step.to_string(), StepState::Accepted.to_string(), value)
    });
    let now = console.now();
    page(&ApprovalPage {
        shell: Shell::new(format!("Approve {}", approval.step), Section::Approvals)
            .seen_by(&caller)
            .under("Approvals", "/approvals"),
        asked: asked(&approval, &console),
        state: approval.state,
        class: look(approval.state),
        open: approval.state == ApprovalState::Pending && approval.expires > now,
        own: approval.four_eyes && approval.author == caller.principal.actor,
        four_eyes: approval.four_eyes,
        author: approval.author.clone(),
        requested: Moment::ago(approval.requested, now),
        decided_by: approval.decided_by.clone(),
        comment: approval.comment.clone(),
        versions: same
            .iter()
            .map(|VersionDetail { version, .. }| {
                let href = link::version(&version.model, version.number);
                (format!("{} v{}", version.model, version.number), href)
            })
            .collect(),
        report: report.as_ref().map(|report| Report::of(report, &console)),
        steps: steps.collect(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Approve,
    Reject,
}

#[derive(Debug, Deserialize)]
struct Fields {
    answer: Answer,
    digest: Digest,
    #[serde(default)]
    comment: String,
}

async fn decide(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Redirect, Error> {
    let approval: ApprovalId = id.parse()?;
    let Fields { answer, digest, comment } = filled(form)?;
    let has = |role: &Role| caller.principal.has(*role, &caller.workspace);
    let decision = Decision {
        approve: answer == Answer::Approve,
        digest,
        roles: Role::ALL.into_iter().filter(has).collect(),
        comment: Some(comment.trim().to_owned()).filter(|comment| !comment.is_empty()),
    };
    let command = DecideApproval { workspace: caller.workspace.clone(), approval, decision };
    console.deciding.run(&caller.principal, command).await?;
    Ok(Redirect::to(&link::approval(approval)))
}
