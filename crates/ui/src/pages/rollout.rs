//! A rollout as its endpoint's page shows it: the plan, the phase, and the evidence that its events carry.

use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, RecordedEvent};
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::rollout::{Bake, Evidence, GuardVerdict, OnInconclusive, Phase, Rollout};

use crate::Console;
use crate::show::chart::{Chart, Point, Series, Size};
use crate::show::figure::{count, number, words};
use crate::show::link;
use crate::show::moment::{Moment, data_minute, day_label, span};
use crate::show::words::Line;

/// Most events of one rollout that are read for its evidence.
const EVENTS: usize = 500;

/// A phase of a plan.
pub(super) struct PhaseRow {
    pub(super) name: String,
    pub(super) weight: String,
    pub(super) bake: String,
    pub(super) class: &'static str,
}

pub(super) struct GuardRow {
    pub(super) name: String,
    pub(super) observed: String,
    pub(super) limit: String,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    /// Observed in percent of the limit, at most 100.
    pub(super) part: String,
}

pub(super) struct Quality {
    pub(super) verdict: String,
    pub(super) class: &'static str,
    pub(super) difference: String,
    pub(super) pairs: String,
    pub(super) coverage: String,
}

pub(super) struct RolloutView {
    pub(super) id: String,
    pub(super) candidate: u64,
    pub(super) candidate_href: String,
    pub(super) champion: u64,
    pub(super) phase: String,
    pub(super) class: &'static str,
    /// None before the endpoint's first data.
    pub(super) started: Option<Moment>,
    pub(super) entered: Option<Moment>,
    pub(super) phases: Vec<PhaseRow>,
    pub(super) margin: String,
    pub(super) harm_margin: String,
    pub(super) horizon: String,
    pub(super) longest: String,
    pub(super) otherwise: &'static str,
    pub(super) guards: Vec<GuardRow>,
    pub(super) quality: Option<Quality>,
    pub(super) e_values: Option<Chart>,
    pub(super) history: Vec<Line>,
}

pub(super) fn phase(rollout: &Rollout) -> (String, &'static str) {
    match rollout.state.phase {
        Phase::Shadow => ("in shadow".to_owned(), "now"),
        Phase::Canary { step } => {
            let steps = rollout.plan.spec().steps.len();
            (format!("in canary, step {} of {steps}", step + 1), "now")
        }
        Phase::Inconclusive => ("inconclusive: a person decides".to_owned(), "warn"),
        Phase::Promoted => ("promoted".to_owned(), "ok"),
        Phase::RolledBack => ("rolled back".to_owned(), "bad"),
        Phase::Aborted => ("aborted".to_owned(), "bad"),
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

/// A rollout with what its events tell.
pub(super) async fn view(
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
        started: rollout.state.started().map(Moment::of_data),
        entered: rollout.state.entered().map(Moment::of_data),
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
    Chart::draw(Size::Wide, label, &series, &[], day_of)
}

/// The day of a chart's position in microseconds.
fn day_of(micros: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a float that was made of an i64")]
    let micros = micros as i64;
    day_label(mainstay_core::time::DataTime::from_micros(micros).day())
}

#[cfg(test)]
mod tests {
    use askama::Template as _;
    use mainstay_core::digest::Digest;
    use mainstay_core::id::RolloutId;
    use mainstay_core::name::Name;
    use mainstay_core::time::{DAY, DataTime};
    use mainstay_serving::revision::Pinned;
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
            run: None,
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
    fn evidence_is_read_from_events_and_drawn_over_days() {
        let at = |day: i64, log_e: f64| Evidence {
            watermark: DataTime::from_micros(day * DAY),
            pairs: 400,
            first_pair: None,
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
