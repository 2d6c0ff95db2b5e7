//! `/endpoints/{name}/rollback`: what a rollback would do, on a page of its own, and doing it.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Redirect;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::ResourceKind;
use mainstay_serving::command::RollBackEndpoint;
use mainstay_serving::revision::{Pinned, Revision, Role};
use serde::Deserialize;

use super::endpoint::role;
use super::{Row, filled, reads, sends};
use crate::frame::{Error, Missing, Page, page};
use crate::show::figure::short;
use crate::show::link;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

pub(super) fn routes() -> Vec<Row> {
    let endpoint = RouteScope::Path(ResourceKind::Endpoint, "name");
    vec![
        reads("/endpoints/{name}/rollback", Action::EndpointRollback, endpoint, ask),
        sends("/endpoints/{name}/rollback", Action::EndpointRollback, endpoint, act),
    ]
}

/// Why a form was not taken.
#[derive(Debug, thiserror::Error)]
enum RollbackForm {
    #[error("say why in 1 to {MAX_REASON} characters: the reason stands in the record")]
    Reason,
}

impl Coded for RollbackForm {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Who answers after a rollback of this revision, without regard to a rollout in the shadow: canaries go
/// first, and the champion stays; else the champion before. `RollBackEndpoint` decides.
pub(super) fn goes_back_to(revision: &Revision) -> Option<Pinned> {
    let champion = revision.champion()?.pinned;
    let canaries = revision.arms.iter().any(|arm| matches!(arm.role, Role::Canary { .. }));
    if canaries || (revision.fallback.is_none() && revision.rollout.is_some()) {
        return Some(champion);
    }
    revision.fallback
}

#[derive(Template)]
#[template(path = "endpoint_rollback.html")]
struct RollbackPage {
    shell: Shell,
    name: String,
    here: String,
    back: String,
    revision: u64,
    before: Vec<(u64, String)>,
    after: Option<(u64, String, String)>,
    stays: bool,
    aborts: Option<(u64, &'static str)>,
}

async fn ask(axum::extract::State(console): State, caller: Caller, Path(name): Path<String>) -> Page {
    let name = Name::new(name)?;
    let found = console.served.endpoint(&caller.workspace, &name).await?;
    let (_, revision) = found.ok_or_else(|| Missing(format!("endpoint {name}")))?;
    let rollouts = console.served.rollouts(&caller.workspace, &name, &PageRequest::first(1)).await?.items;
    let running = rollouts.first().filter(|rollout| rollout.state.phase.is_running());
    let after = goes_back_to(&revision);
    let champion = revision.champion().map(|arm| arm.pinned);
    page(&RollbackPage {
        shell: Shell::new(format!("Roll back {name}"), Section::Endpoints)
            .seen_by(&caller)
            .under("Endpoints", "/endpoints")
            .under(name.to_string(), link::endpoint(&name)),
        back: link::endpoint(&name),
        here: format!("{}/rollback", link::endpoint(&name)),
        name: name.to_string(),
        revision: revision.number,
        before: revision.arms.iter().map(|arm| (arm.pinned.version, role(arm))).collect(),
        stays: after == champion,
        after: after.map(|p| (p.version, p.digest.to_string(), short(&p.digest.to_string()))),
        aborts: running.map(|rollout| (rollout.candidate.version, rollout.state.phase.as_str())),
    })
}

#[derive(Debug, Deserialize)]
struct Fields {
    expected: u64,
    reason: String,
}

async fn act(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Redirect, Error> {
    let name = Name::new(name)?;
    let Fields { expected, reason } = filled(form)?;
    let reason = reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(RollbackForm::Reason.into());
    }
    let (workspace, endpoint) = (caller.workspace.clone(), name.clone());
    let command = RollBackEndpoint { workspace, endpoint, expected: Some(expected), reason };
    console.endpoints.roll_back(&caller.principal, command).await?;
    Ok(Redirect::to(&link::endpoint(&name)))
}

#[cfg(test)]
mod tests {
    use mainstay_core::digest::Digest;
    use mainstay_serving::revision::{Arm, BasisPoints, RevisionDraft};

    use super::*;

    fn pinned(version: u64) -> Pinned {
        Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
    }

    #[test]
    fn the_page_foretells_what_the_command_does() {
        let first = Revision::first(Name::new("e").unwrap(), Digest::of(b"policy"));
        assert_eq!(goes_back_to(&first), None);
        let one = first.with_arms(RevisionDraft::champion(pinned(1)), None).unwrap();
        assert_eq!(goes_back_to(&one), None, "nothing before");
        let canary = Arm::new(pinned(2), Role::Canary { weight: BasisPoints::new(500).unwrap() });
        let beside = one.with_arms(RevisionDraft::pair(pinned(1), canary), None).unwrap();
        assert_eq!(goes_back_to(&beside), Some(pinned(1)), "the canary goes first");
        let two = beside.with_arms(RevisionDraft::champion(pinned(2)), None).unwrap();
        assert_eq!(goes_back_to(&two), Some(pinned(1)));
    }
}
