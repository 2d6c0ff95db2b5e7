//! `/endpoints` and `/endpoints/{name}`: what answers, in what part, and how a candidate fares.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, RecordedEvent};
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::retraining::{PolicyAction, Trigger};
use mainstay_serving::revision::{Arm, BasisPoints, Revision, Role};
use mainstay_serving::rollout::{Bake, Evidence, GuardVerdict, OnInconclusive, Phase, Rollout};

use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::chart::{Chart, Point, Series};
use crate::show::figure::{count, number, short, words};
use crate::show::link;
use crate::show::moment::{Moment, data_minute, day_label, span};
use crate::show::shell::{Section, Shell};
use crate::show::words::{Line, Part};
use crate::{Console, State, asset};

/// Most endpoints in the list, revisions and rollouts on a page.
const ENDPOINTS: usize = 200;
const REVISIONS: usize = 20;
const ROLLOUTS: usize = 10;
/// Most events of one rollout that are read for its evidence.
const EVENTS: usize = 500;

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
    rows: Vec<ListRow>,
}

async fn list(axum::extract::State(console): State, caller: Caller) -> Page {
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
    page(&EndpointsPage { shell: Shell::new("Endpoints", Section::Endpoints), rows: rows.collect() })
}

/// A phase of a plan.
struct PhaseRow {
    name: String,
    weight: String,
    bake: String,
    class: &'static str,
}

struct GuardRow {
    name: String,
    observed: String,
    limit: String,
    verdict: &'static str,
    class: &'static str,
    /// Observed in percent of the limit, at most 100.
    part: String,
}

struct Quality {
    verdict: String,
    class: &'static str,
    difference: String,
    pairs: String,
    coverage: String,
}

struct RolloutView {
    id: String,
    candidate: u64,
    candidate_href: String,
    champion: u64,
    phase: String,
    class: &'static str,
    started: Moment,
    entered: Moment,
    phases: Vec<PhaseRow>,
    margin: String,
    harm_margin: String,
    horizon: String,
    longest: String,
    otherwise: &'static str,
    guards: Vec<GuardRow>,
    quality: Option<Quality>,
    e_values: Option<Chart>,
    history: Vec<Line>,
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    shell: Shell,
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
    history: Vec<Line>,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(name): Path<String>) -> Page {
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
        shell: Shell::new(name.to_string(), Section::Endpoints).under("Endpoints", "/endpoints"),
        here: link::endpoint(&name),
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

fn phase(rollout: &Rollout) -> (String, &'static str) {
    match rollout.state.phase {
        Phase::Shadow => ("in shadow".to_owned(), "now"),
        Phase::Canary { step } => {
            let steps = rollout.plan.spec().steps.len();
            (format!("in canary, step {} of {steps}", step + 1), "now")
        }
        Phase::Inconclusive => ("inconclusive: a person decides".to_owned(), "warn"),
        Phase::Promoted => ("promoted".to_owned(), "ok"),
        Phase::RolledBack => ("rolled back".to_owned(), "bad"),
        Phase::Aborted => ("aborted by a person".to_owned(), "bad"),
    }
}

fn phases(rollout: &Rollout) -> Vec<PhaseRow> {
    let spec = rollout.plan.spec();
    let bake = |bake: &Bake| match bake.min_pairs {
        0 => span(bake.micros),
        pairs => format!("{} and {} pairs", span(bake.micros), count(pairs)),
    };
    // How many phases are behind: the shadow is phase 0.
    let reached = match rollout.state.phase {
        Phase::Shadow => Some(0),
        Phase::Canary { step } => Some(step + 1),
        Phase::Promoted => Some(usize::MAX),
        Phase::Inconclusive | Phase::RolledBack | Phase::Aborted => None,
    };
    let look = |at: usize| match reached {
        Some(now) if at < now => "ok",
        Some(now) if at == now => "now",
        _ => "idle",
    };
    let shadow = PhaseRow {
        name: "shadow".to_owned(),
        weight: "0 %".to_owned(),
        bake: bake(&spec.shadow),
        class: look(0),
    };
    let steps = spec.steps.iter().enumerate().map(|(at, step)| PhaseRow {
        name: format!("canary {}", at + 1),
        weight: step.weight.to_string(),
        bake: bake(&step.bake),
        class: look(at + 1),
    });
    std::iter::once(shadow).chain(steps).collect()
}

/// The evidence that an event carries.
fn evidence(event: &RecordedEvent) -> Option<Evidence> {
    let found = event.body.as_ref()?;
    let value = found.pointer("/detail/evidence").or_else(|| found.pointer("/evidence"))?;
    serde_json::from_value(value.clone()).ok()
}

async fn view(
    console: &Console,
    endpoint: &Endpoint,
    rollout: &Rollout,
) -> Result<RolloutView, StorageError> {
    let about = Subject::new(ResourceKind::Rollout, rollout.id);
    let mut events = console.events.read(&EventQuery::newest(EVENTS).about(about)).await?;
    events.reverse();
    let seen: Vec<Evidence> = events.iter().filter_map(evidence).collect();
    let newest = seen.last();
    let spec = rollout.plan.spec();
    let (phase, class) = phase(rollout);
    let moves = events.iter().rev().filter(|event| event.kind != "rollout.evidence");
    Ok(RolloutView {
        id: rollout.id.to_string(),
        candidate: rollout.candidate.version,
        candidate_href: link::version(&endpoint.model, rollout.candidate.version),
        champion: rollout.champion.version,
        phase,
        class,
        started: Moment::of_data(rollout.state.started_at),
        entered: Moment::of_data(rollout.state.entered_at),
        phases: phases(rollout),
        margin: number(spec.margin),
        harm_margin: number(spec.harm_margin),
        horizon: span(spec.horizon_micros),
        longest: span(spec.max_data_time_micros),
        otherwise: match spec.on_inconclusive {
            OnInconclusive::Promote => "promote all the same",
            OnInconclusive::Rollback => "roll back",
            OnInconclusive::Wait => "wait for a person",
        },
        guards: newest.map(guards).unwrap_or_default(),
        quality: newest.and_then(quality),
        e_values: e_values(&seen),
        history: moves.map(|event| Line::of(event, console.now())).collect(),
    })
}

fn guards(evidence: &Evidence) -> Vec<GuardRow> {
    let row = |reading: &mainstay_serving::rollout::GuardReading| {
        let (verdict, class) = match reading.verdict {
            GuardVerdict::TooFew => ("too few to tell", "idle"),
            GuardVerdict::Holds => ("holds", "ok"),
            GuardVerdict::Breached => ("breached", "bad"),
        };
        let name = serde_json::to_value(reading.guard).ok();
        GuardRow {
            name: name.as_ref().and_then(serde_json::Value::as_str).map(words).unwrap_or_default(),
            observed: number(reading.observed),
            limit: number(reading.limit),
            verdict,
            class,
            part: format!(
                "{:.1}",
                (reading.observed / reading.limit.max(f64::MIN_POSITIVE) * 100.0).clamp(0.0, 100.0)
            ),
        }
    };
    evidence.guards.iter().map(row).collect()
}

fn quality(evidence: &Evidence) -> Option<Quality> {
    use mainstay_serving::rollout::QualityVerdict;
    let quality = evidence.quality?;
    let (verdict, class) = match quality.verdict {
        QualityVerdict::Undecided => ("undecided", "idle"),
        QualityVerdict::NonInferior => ("no worse than the champion", "ok"),
        QualityVerdict::Harmful => ("harmful", "bad"),
    };
    Some(Quality {
        verdict: verdict.to_owned(),
        class,
        difference: number(quality.mean_difference),
        pairs: count(quality.mature_pairs),
        coverage: format!("{:.1} %", quality.coverage * 100.0),
    })
}

/// The two log e-values over data time.
fn e_values(seen: &[Evidence]) -> Option<Chart> {
    let line = |class: &'static str, name: &str, value: fn(&mainstay_serving::rollout::Quality) -> f64| {
        let points = seen.iter().filter_map(|evidence| {
            let quality = evidence.quality.as_ref()?;
            let at = evidence.watermark;
            let says = format!("{}: {name}, ln e = {}", data_minute(at), number(value(quality)));
            Some(Point { x: at.micros() as f64, y: value(quality), says })
        });
        Series { class, points: points.collect() }
    };
    let series = [
        line("l1", "no worse", |quality| quality.log_e_non_inferior),
        line("l3", "harm", |quality| quality.log_e_harm),
    ];
    let label = "Evidence by data time: natural logarithm of the e-values for no worse and for harm";
    Chart::draw(label, &series, &[], day_of)
}

/// The day of a chart's position in microseconds.
fn day_of(micros: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a float that was made of an i64")]
    let micros = micros as i64;
    day_label(mainstay_core::time::DataTime::from_micros(micros).day())
}

#[cfg(test)]
mod tests {
    use mainstay_core::digest::Digest;
    use mainstay_core::id::RolloutId;
    use mainstay_core::time::{DAY, DataTime};
    use mainstay_serving::revision::{Pinned, RevisionDraft};
    use mainstay_serving::rollout::{
        Guard, GuardReading, Quality as Measured, QualityVerdict, RolloutPlan, RolloutState,
    };

    use super::*;

    fn pinned(version: u64) -> Pinned {
        Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
    }

    fn rollout(phase: Phase) -> Rollout {
        Rollout {
            id: RolloutId::from_bytes([1; 16]),
            endpoint: Name::new("delays").unwrap(),
            candidate: pinned(2),
            champion: pinned(1),
            plan: RolloutPlan::default(),
            state: RolloutState::starting(DataTime::default()).entering(phase, DataTime::default()),
        }
    }

    #[test]
    fn phases_behind_are_done_and_the_present_one_is_lit() {
        let classes = |phase| phases(&rollout(phase)).iter().map(|row| row.class).collect::<Vec<_>>();
        assert_eq!(classes(Phase::Shadow), ["now", "idle", "idle", "idle"]);
        assert_eq!(classes(Phase::Canary { step: 1 }), ["ok", "ok", "now", "idle"]);
        assert_eq!(classes(Phase::Promoted), ["ok"; 4]);
        assert_eq!(classes(Phase::RolledBack), ["idle"; 4]);
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

    #[test]
    fn evidence_is_read_from_events_and_drawn_over_days() {
        let at = |day: i64, log_e: f64| Evidence {
            watermark: DataTime::from_micros(day * DAY),
            pairs: 400,
            guards: vec![GuardReading {
                guard: Guard::OutputShift,
                observed: 0.4,
                limit: 0.2,
                verdict: GuardVerdict::Breached,
            }],
            quality: Some(Measured {
                verdict: QualityVerdict::Undecided,
                log_e_non_inferior: log_e,
                log_e_harm: -log_e,
                mean_difference: -0.014,
                mature_pairs: 4_112,
                coverage: 0.978,
            }),
        };
        let seen = [at(15_900, 0.5), at(15_901, 1.5)];
        let drawn = e_values(&seen).unwrap().render().unwrap();
        assert!(drawn.contains("<title>2013-07-15 00:00: no worse, ln e = 1.5</title>"), "{drawn}");
        let guard = guards(&seen[1]).pop().unwrap();
        assert_eq!(
            (guard.name.as_str(), guard.verdict, guard.part.as_str()),
            ("output shift", "breached", "100.0")
        );
        let quality = quality(&seen[1]).unwrap();
        assert_eq!((quality.difference.as_str(), quality.coverage.as_str()), ("−0.014", "97.8 %"));
    }
}
