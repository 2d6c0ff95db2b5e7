//! `/endpoints` and `/endpoints/{name}`: what answers, in what part, and how a candidate fares.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::native::endpoint::ViewReads;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::event::EventQuery;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::retraining::{PolicyAction, Trigger};
use mainstay_serving::revision::{Arm, BasisPoints, Revision, Role};

use super::rollout::{RolloutView, phase, view};
use super::{Row, reads};
use crate::address::Address;
use crate::frame::{Missing, Page, page};
use crate::show::figure::{count, number, short};
use crate::show::link;
use crate::show::moment::{Moment, span};
use crate::show::shell::{Section, Shell};
use crate::show::words::{Line, Part};
use crate::{State, asset};

/// Most endpoints in the list, revisions and rollouts on a page.
const ENDPOINTS: usize = 200;
const REVISIONS: usize = 20;
const ROLLOUTS: usize = 10;

pub(super) fn routes() -> Vec<Row> {
    let endpoint = RouteScope::Path(ResourceKind::Endpoint, "name");
    vec![
        reads("/endpoints", Action::EndpointRead, RouteScope::Workspace, list),
        reads("/endpoints/{name}", Action::EndpointRead, endpoint, show),
    ]
}

/// What an arm does, with its share: `canary, 25 %`.
pub(super) fn role(arm: &Arm) -> String {
    match arm.role {
        Role::Champion => "champion".to_owned(),
        Role::Shadow => "shadow, never answers".to_owned(),
        Role::Canary { weight } => format!("canary, {weight}"),
    }
}

struct ArmRow {
    version: u64,
    href: String,
    role: String,
    class: &'static str,
    /// The share of requests that it answers, in percent.
    share: String,
    digest: String,
    short: String,
}

fn arms(endpoint: &Endpoint, revision: &Revision) -> Vec<ArmRow> {
    let taken: u16 = revision.arms.iter().map(|arm| arm.weight().get()).sum();
    let row = |arm: &Arm| {
        let (class, points) = match arm.role {
            Role::Champion => ("ok", BasisPoints::WHOLE.get().saturating_sub(taken)),
            Role::Shadow => ("idle", 0),
            Role::Canary { weight } => ("now", weight.get()),
        };
        ArmRow {
            version: arm.pinned.version,
            href: link::version(&endpoint.model, arm.pinned.version),
            role: match arm.role {
                Role::Champion => "champion".to_owned(),
                Role::Shadow => "shadow".to_owned(),
                Role::Canary { .. } => "canary".to_owned(),
            },
            class,
            share: number(f64::from(points) / 100.0),
            digest: arm.pinned.digest.to_string(),
            short: short(&arm.pinned.digest.to_string()),
        }
    };
    revision.arms.iter().map(row).collect()
}

struct ListRow {
    href: String,
    name: String,
    model: String,
    model_href: String,
    governed: bool,
    revision: u64,
    arms: Vec<ArmRow>,
}

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    shell: Shell,
    address: Address,
    rows: Vec<ListRow>,
}

async fn list(axum::extract::State(console): State, caller: Caller, address: Address) -> Page {
    let found = console.served.endpoints(&caller.workspace, &PageRequest::first(ENDPOINTS)).await?;
    let rows = found.items.iter().map(|(endpoint, revision)| ListRow {
        href: link::endpoint(&endpoint.name),
        name: endpoint.name.to_string(),
        model: endpoint.model.to_string(),
        model_href: link::model(&endpoint.model),
        governed: endpoint.governed,
        revision: revision.number,
        arms: arms(endpoint, revision),
    });
    page(&EndpointsPage {
        shell: Shell::new("Endpoints", Section::Endpoints).seen_by(&caller),
        rows: rows.collect(),
        address,
    })
}

/// A view of stored features, as requests with entity keys read it.
struct StoredRow {
    view: String,
    until: Option<Moment>,
    reads: String,
    /// How many asked for later data; empty if none did.
    beyond: String,
}

impl StoredRow {
    fn of(ViewReads { view, until, reads, beyond }: ViewReads) -> Self {
        let beyond = if beyond == 0 { String::new() } else { count(beyond) };
        Self { view, until: until.map(Moment::of_data), reads: count(reads), beyond }
    }
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    shell: Shell,
    address: Address,
    name: String,
    here: String,
    model: String,
    model_href: String,
    governed: bool,
    service: Option<String>,
    horizon: Option<String>,
    revision: u64,
    arms: Vec<ArmRow>,
    fallback: Option<(u64, String)>,
    can_roll_back: bool,
    rollout: Option<RolloutView>,
    earlier: Vec<(u64, String, &'static str, Moment)>,
    revisions: Vec<(u64, String, bool)>,
    policies: Vec<(String, String, String, String)>,
    inputs: Vec<(String, String, bool)>,
    stored: Vec<StoredRow>,
    history: Vec<Line>,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
    address: Address,
) -> Page {
    let name = Name::new(name)?;
    let workspace = &caller.workspace;
    let found = console.served.endpoint(workspace, &name).await?;
    let (endpoint, revision) = found.ok_or_else(|| Missing(format!("endpoint {name}")))?;
    let revisions = console.served.revisions(workspace, &name, &PageRequest::first(REVISIONS)).await?.items;
    let rollouts = console.served.rollouts(workspace, &name, &PageRequest::first(ROLLOUTS)).await?.items;
    let newest = match rollouts.first() {
        Some(rollout) => Some(view(&console, &endpoint, rollout).await?),
        None => None,
    };
    let about = EventQuery::newest(REVISIONS).about(Subject::new(ResourceKind::Endpoint, &name));
    let events = console.events.read(&about).await?;
    let ours = events.iter().filter(|event| event.workspace == *workspace);
    let earlier = rollouts.iter().skip(1);
    page(&EndpointPage {
        shell: Shell::new(name.to_string(), Section::Endpoints)
            .seen_by(&caller)
            .under("Endpoints", "/endpoints"),
        here: link::endpoint(&name),
        address,
        name: name.to_string(),
        model_href: link::model(&endpoint.model),
        model: endpoint.model.to_string(),
        governed: endpoint.governed,
        service: endpoint.features.as_ref().map(|features| features.service.clone()),
        horizon: endpoint.labels.as_ref().map(|labels| span(labels.horizon_micros)),
        revision: revision.number,
        arms: arms(&endpoint, &revision),
        fallback: revision.fallback.map(|p| (p.version, link::version(&endpoint.model, p.version))),
        can_roll_back: super::endpoint_rollback::goes_back_to(&revision).is_some(),
        rollout: newest,
        earlier: earlier
            .map(|r| {
                let (phase, class) = phase(r);
                (r.candidate.version, phase, class, Moment::of_data(r.state.entered_at))
            })
            .collect(),
        revisions: revisions.iter().map(|r| (r.number, in_words(r), r.number == revision.number)).collect(),
        policies: policies(&endpoint),
        inputs: endpoint.schema.features().iter().map(|f| (f.name.clone(), usual(f), f.nullable)).collect(),
        stored: console.serving.served(workspace, &name).reads.into_iter().map(StoredRow::of).collect(),
        history: ours.map(|event| Line::of(event, console.now())).collect(),
    })
}

/// A feature's kind and usual values.
fn usual(feature: &mainstay_serving::schema::FeatureSpec) -> String {
    let kind = format!("{:?}", feature.kind).to_lowercase();
    match feature.range {
        Some(range) => format!("{kind}, {} to {}", number(range.min), number(range.max)),
        None => kind,
    }
}

fn in_words(revision: &Revision) -> String {
    let arms: Vec<String> =
        revision.arms.iter().map(|arm| format!("v{} {}", arm.pinned.version, role(arm))).collect();
    if arms.is_empty() { "serves nothing yet".to_owned() } else { arms.join(" · ") }
}

/// Name, when, how, and then.
fn policies(endpoint: &Endpoint) -> Vec<(String, String, String, String)> {
    let row = |policy: &mainstay_serving::retraining::RetrainingPolicy| {
        let when = match policy.trigger {
            Trigger::Alarm => "on an alarm".to_owned(),
            Trigger::Age { days } => format!("{days} days after the champion's start"),
            Trigger::Manual => "when a person asks".to_owned(),
        };
        let then = match policy.action {
            PolicyAction::Register => "register, a person decides",
            PolicyAction::Rollout { .. } => "roll out by its plan",
        };
        let rest = format!("{then}; not again for {}", span(policy.cool_down_micros));
        (policy.name.to_string(), when, policy.strategy.pipeline.to_string(), rest)
    };
    endpoint.retraining.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use mainstay_core::digest::Digest;
    use mainstay_serving::revision::{Pinned, RevisionDraft};

    use super::*;

    fn pinned(version: u64) -> Pinned {
        Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
    }

    #[test]
    fn a_champion_answers_what_canaries_leave() {
        let canary = Arm::new(pinned(2), Role::Canary { weight: BasisPoints::new(2_500).unwrap() });
        let first = Revision::first(Name::new("delays").unwrap(), Digest::of(b"policy"));
        let revision = first.with_arms(RevisionDraft::pair(pinned(1), canary), None).unwrap();
        let model = serde_json::json!({
            "name": "delays", "model": "m", "governed": true, "schema": [{"name": "hour", "kind": "float"}],
        });
        let rows = arms(&serde_json::from_value(model).unwrap(), &revision);
        let shares: Vec<_> = rows.iter().map(|row| (row.version, row.share.as_str(), row.class)).collect();
        assert_eq!(shares, [(1, "75", "ok"), (2, "25", "now")]);
        assert_eq!(in_words(&revision), "v1 champion · v2 canary, 25 %");
    }
}
