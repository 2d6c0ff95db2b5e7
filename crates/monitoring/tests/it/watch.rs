//! The watch of an endpoint against a slow reference, and the order of things that must not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_core::digest::Digest;
use mainstay_core::id::{PredictionId, RolloutId};
use mainstay_core::time::{DAY, DataTime, HOUR};
use mainstay_monitoring::alarm::{AgeRule, Look, Monitor};
use mainstay_monitoring::drift::psi_q10_ref;
use mainstay_monitoring::maturity::{Cursor, Label, Labels, MaturityRule, Missing, Prediction};
use mainstay_monitoring::performance::Metric;
use mainstay_monitoring::profile::{Binning, Profile, Value};
use mainstay_monitoring::reference::{Family, Losses, Reference, day_totals};
use mainstay_monitoring::sequential::{PairedPlan, PairedQuality};
use mainstay_monitoring::watch::{
    ArmScore, BlockEvidence, ChampionWatch, FeatureValue, Finding, GuardFigure, GuardKind, GuardLimits,
    GuardVerdict, Observation, RolloutWatch, Taken, Watch, WatchPlan,
};
use proptest::prelude::*;

use crate::draws::Draws;
use crate::model_reference::{Rows, brisk};
use crate::reference::close;

const RULE: MaturityRule =
    MaturityRule { horizon: 30 * HOUR, missing: Missing::TreatAs(0.0), day_offset: -5 * HOUR };
const DISORDER: i64 = HOUR;
const ROLLOUT: RolloutId = RolloutId::from_bytes([9; 16]);
const LIMITS: GuardLimits = GuardLimits {
    max_error_rate: 0.05,
    max_latency_ratio: 3.0,
    max_fallback_rate: 0.05,
    max_out_of_range_rate: 0.2,
    max_output_shift: 0.2,
};

fn reference() -> Arc<Reference> {
    Arc::new(Rows::draw(32, 7).build(&brisk()).unwrap())
}

fn plan() -> WatchPlan {
    let features = ["carrier", "wind"].map(str::to_owned).to_vec();
    WatchPlan { features, maturity: RULE, disorder: DISORDER }
}

fn champion() -> ChampionWatch {
    let since = DataTime::from_micros(100 * DAY - 3 * HOUR);
    ChampionWatch { version: 1, digest: Digest::of(b"one"), since, age_rules: vec![AgeRule { days: 72 }] }
}

fn rollout() -> RolloutWatch {
    RolloutWatch {
        id: ROLLOUT,
        champion: 1,
        candidate: 2,
        started_at: DataTime::from_micros(102 * DAY + 7 * HOUR + 1),
        guards: LIMITS,
        quality: PairedPlan {
            margin: 0.05,
            harm_margin: 0.05,
            bound: 0.2,
            promote_alpha: 0.05,
            harm_alpha: 0.05,
            min_rows: 10,
        },
        horizon: 20 * HOUR,
        max_days: 14,
    }
}

#[derive(Debug, Clone)]
enum Event {
    Observe(Observation),
    Label { id: PredictionId, version: u32, arrived: DataTime, value: bool },
    Begin,
}

/// Microseconds from 0 up to `span`.
fn within(draws: &mut Draws, span: i64) -> i64 {
    if span == 0 { 0 } else { draws.rng().random_range(0..span) }
}

/// Predictions of ten days from day 100 on, with their labels; from day 106 on the wind has changed, and
/// with it how often flights are late. The rollout begins within day 102.
fn events(seed: u64, a_day: u32) -> Vec<Event> {
    let mut draws = Draws::seeded(seed);
    let mut events = vec![Event::Begin];
    let mut number = 0_u64;
    for day in 100..110_i64 {
        let effect = 0.5 * draws.normal() + if day >= 106 { 3.0 } else { 0.0 };
        for _ in 0..a_day {
            number += 1;
            let mut bytes = [0; 16];
            // Ids in no order of time.
            bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let id = PredictionId::from_bytes(bytes);
            let at = DataTime::from_micros(day * DAY + within(&mut draws, DAY));
            let wind = 10.0 + effect + draws.normal();
            let late = 1.0 / (1.0 + (10.0 - wind).exp());
            let rare = |draws: &mut Draws| draws.uniform() < 0.04;
            let mut arm = |version, score| {
                let failed = rare(&mut draws);
                let latency_micros = u32::try_from(1_500 + within(&mut draws, 1_500)).unwrap();
                ArmScore { version, score: (!failed).then_some(score), latency_micros, failed }
            };
            let under = (at >= rollout().started_at).then_some(ROLLOUT);
            let mut arms = vec![arm(1, 1.0 / (1.0 + (10.2 - wind).exp()))];
            if under.is_some() {
                arms.push(arm(2, late * 0.9 + 0.05));
            }
            let assigned = if under.is_some() && draws.uniform() < 0.3 { 2 } else { 1 };
            let answered = if rare(&mut draws) { Some(3 - assigned) } else { Some(assigned) };
            let carrier = if draws.uniform() < 0.33 { "AA" } else { "UA" };
            let features = vec![FeatureValue::Category(carrier.into()), FeatureValue::Number(wind)];
            let out_of_range = u32::from(wind > 14.0);
            let value = draws.uniform() < late;
            // Some labels come after the horizon, some are corrected, some never come.
            let arrived = at.plus(within(&mut draws, 34 * HOUR));
            if !rare(&mut draws) {
                events.push(Event::Label { id, version: 0, arrived, value });
            }
            if rare(&mut draws) {
                let arrived = arrived.plus(2 * HOUR);
                events.push(Event::Label { id, version: 1, arrived, value: !value });
            }
            let made = Observation { id, at, features, arms, assigned, answered, out_of_range, under };
            events.push(Event::Observe(made.clone()));
            if rare(&mut draws) {
                events.push(Event::Observe(made));
            }
        }
    }
    events
}

/// When an event would be fed if nothing came out of order.
fn due(event: &Event) -> DataTime {
    match event {
        Event::Observe(observation) => observation.at,
        Event::Label { arrived, .. } => *arrived,
        Event::Begin => rollout().started_at.plus(-1),
    }
}

/// In the order of data time, each up to `disorder` later than due.
fn arrivals(mut events: Vec<Event>, seed: u64, disorder: i64) -> Vec<Event> {
    let mut draws = Draws::seeded(seed);
    events.sort_by_cached_key(|event| match event {
        Event::Begin => due(event),
        _ => due(event).plus(within(&mut draws, disorder)),
    });
    events
}

fn fresh(reference: &Arc<Reference>) -> Watch {
    let mut watch = Watch::new(plan()).unwrap();
    watch.set_champion(champion(), Some(Arc::clone(reference)));
    watch
}

fn feed(watch: &mut Watch, event: &Event, reference: &Reference) {
    match event.clone() {
        Event::Observe(observation) => drop(watch.observe(&observation)),
        Event::Label { id, version, arrived, value } => watch.label(id, version, arrived, value),
        Event::Begin if watch.rollout().is_none() => watch.begin_rollout(rollout(), Some(reference)).unwrap(),
        Event::Begin => {}
    }
}

fn evidence(watch: &mut Watch) -> Vec<BlockEvidence> {
    std::iter::from_fn(|| watch.next_evidence()).collect()
}

fn run(events: &[Event], reference: &Arc<Reference>) -> (Vec<Finding>, Vec<BlockEvidence>, u64) {
    let mut watch = fresh(reference);
    for event in events {
        feed(&mut watch, event, reference);
    }
    (watch.poll(), evidence(&mut watch), watch.late())
}

/// A copy with another value that the log holds behind the first one, as one that came so long after it that nobody
/// remembered, counts for nothing.
#[test]
fn the_first_value_of_a_label_counts() {
    let reference = reference();
    let events = arrivals(events(1, 30), 1, DISORDER);
    let mut copies = Vec::new();
    for event in &events {
        copies.push(event.clone());
        if let Event::Label { id, version, arrived, value } = event.clone() {
            copies.push(Event::Label { id, version, arrived, value: !value });
        }
    }
    assert!(copies.len() > events.len());
    assert_eq!(run(&copies, &reference), run(&events, &reference));
}

/// Each id once, by (data time, id).
fn observations(events: &[Event]) -> Vec<Observation> {
    let rows = events.iter().filter_map(|event| match event {
        Event::Observe(row) => Some(((row.at, row.id), row.clone())),
        _ => None,
    });
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn labels(events: &[Event]) -> Labels {
    let mut labels = Labels::default();
    for event in events {
        if let Event::Label { id, version, arrived, value } = event {
            let (prediction_id, value) = (id.to_string(), f64::from(u8::from(*value)));
            labels
                .add(Label { prediction_id, version: (*version).into(), arrived: *arrived, value })
                .unwrap();
        }
    }
    labels
}

fn score(row: &Observation, version: u64) -> Option<f64> {
    row.arms.iter().find(|arm| arm.version == version)?.score
}

/// Folded slowly: every figure from all rows, each day by the rule of `maturity`.
#[test]
fn the_champions_days_are_those_of_the_slow_fold() {
    let reference = reference();
    let events = arrivals(events(1, 30), 1, DISORDER);
    let (found, ..) = run(&events, &reference);
    let rows = observations(&events);
    let watermark = rows.iter().map(|row| row.at).max().unwrap();
    let rows = rows.iter().filter_map(|row| Some((row, score(row, 1)?)));

    let mut looks: BTreeMap<(Family, i64), Look> = BTreeMap::new();
    let mut monitors = Family::WATCHED.map(|f| Monitor::new(reference.baseline(f).unwrap().clone()));
    for day in 100..109 {
        let mut profile = Profile::new(&reference.profile);
        for (row, score) in rows.clone().filter(|(row, _)| RULE.day(row.at) == day) {
            let [FeatureValue::Category(carrier), FeatureValue::Number(wind)] = &row.features[..] else {
                panic!("two features")
            };
            let values = [Value::number(*wind), Value::Category(carrier)];
            profile.observe(&reference.profile, &values, Some(score)).unwrap();
        }
        for (family, monitor) in Family::WATCHED.into_iter().zip(&mut monitors).take(2) {
            let totals = day_totals(family, &reference.profile, &profile, Losses::default()).unwrap();
            looks.extend(monitor.fold(day, totals).unwrap().map(|look| ((family, day), look)));
        }
    }
    let predictions =
        rows.map(|(row, score)| Prediction { id: row.id.to_string(), event_time: row.at, payload: score });
    let start = DataTime::from_micros(100 * DAY + 5 * HOUR);
    let mut coverage = BTreeMap::new();
    let closed = watermark.plus(-DISORDER);
    let mut cursor = Cursor::starting_at(RULE, start).unwrap();
    for day in cursor.fold(closed, predictions, &labels(&events)) {
        let mut losses = Losses::default();
        day.rows.iter().for_each(|row| losses.add(row.prediction.payload, row.label.unwrap()));
        coverage.insert(day.day, day.coverage().unwrap());
        let look = monitors[2].fold(day.day, losses.totals().unwrap()).unwrap();
        looks.extend(look.map(|look| ((Family::Quality, day.day), look)));
    }

    let mut raised = 0;
    for finding in &found {
        match finding {
            Finding::Looked { key, look, coverage: seen } => {
                assert_eq!(looks.remove(&(key.family, key.day)).as_ref(), Some(look), "{key}");
                let expected = (key.family == Family::Quality).then(|| coverage[&key.day]);
                assert_eq!(*seen, expected);
                raised += usize::from(look.alarm.is_some());
            }
            Finding::Raised { alarm, .. } => assert_eq!(alarm.alpha.to_bits(), 0.05_f64.to_bits()),
            Finding::Recovered { .. } => panic!("nothing recovers"),
            Finding::Aged { key, alarm } => {
                assert_eq!((key.day, alarm.limit_days, alarm.age_days), (72, 72, 72));
            }
        }
    }
    assert!(looks.is_empty(), "missed: {:?}", looks.keys());
    let count = |wanted: fn(&Finding) -> bool| found.iter().filter(|f| wanted(f)).count();
    assert!(raised > 0 && count(|f| matches!(f, Finding::Raised { .. })) == raised);
    assert_eq!(count(|f| matches!(f, Finding::Aged { .. })), 1);
}

fn figure(evidence: &BlockEvidence, guard: GuardKind) -> GuardFigure {
    *evidence.guards.iter().find(|figure| figure.guard == guard).unwrap()
}

type Pair<'a> = (&'a Observation, f64, f64);

/// What the rollout's requests were, slowly: its observations, and those that both versions scored.
fn asked(rows: &[Observation]) -> (Vec<&Observation>, Vec<Pair<'_>>) {
    let asked: Vec<_> = rows.iter().filter(|row| row.under == Some(ROLLOUT)).collect();
    let pairs = asked.iter().filter_map(|row| Some((*row, score(row, 1)?, score(row, 2)?))).collect();
    (asked, pairs)
}

/// The days that are mature, by the rule that is known to be right.
fn check_quality(now: &BlockEvidence, pairs: &[Pair<'_>], labels: &Labels) {
    let rule = MaturityRule { horizon: rollout().horizon, ..RULE };
    let predictions = pairs.iter().map(|(row, champion, candidate)| Prediction {
        id: row.id.to_string(),
        event_time: row.at,
        payload: (*champion, *candidate),
    });
    let mut cursor = Cursor::starting_at(rule, rollout().started_at).unwrap();
    let (mut slow, mut mature, mut labelled) = (PairedQuality::new(rollout().quality).unwrap(), 0, 0);
    for day in cursor.fold(now.watermark, predictions, labels) {
        let loss = |score, label| Metric::LogLoss.row_loss(score, label).unwrap();
        let differences = day.rows.iter().map(|row| {
            let ((champion, candidate), label) = (row.prediction.payload, row.label.unwrap());
            loss(candidate, label) - loss(champion, label)
        });
        slow.fold(day.day, &differences.collect::<Vec<_>>()).unwrap();
        mature += day.rows.len() as u64;
        labelled += day.labelled;
    }
    assert_eq!(now.mature_pairs, mature);
    assert_eq!(now.quality, (mature > 0).then(|| slow.reading().unwrap()));
    assert_eq!(now.coverage, (mature > 0).then(|| labelled as f64 / mature as f64));
}

/// Rates of the present data day, and counts and latencies since the start.
fn check_rates(now: &BlockEvidence, asked: &[&Observation]) {
    let day = RULE.day(now.watermark.plus(-1));
    let mean = |counted: &dyn Fn(&Observation) -> Option<f64>| {
        let today = asked.iter().filter(|row| RULE.day(row.at) == day);
        let today: Vec<f64> = today.filter_map(|row| counted(row)).collect();
        if today.is_empty() { 0.0 } else { today.iter().sum::<f64>() / today.len() as f64 }
    };
    let failed = |row: &Observation, at: usize| f64::from(u8::from(row.arms[at].failed));
    let errors = figure(now, GuardKind::ErrorRate);
    close(errors.observed, mean(&|row| Some(failed(row, 1) - failed(row, 0))));
    assert_eq!(errors.requests, asked.len() as u64);
    let fell_back =
        |row: &Observation| (row.assigned == 2).then(|| f64::from(u8::from(row.answered != Some(2))));
    let fallback = figure(now, GuardKind::FallbackRate);
    close(fallback.observed, mean(&fell_back));
    assert_eq!(fallback.requests, asked.iter().filter(|row| row.assigned == 2).count() as u64);
    let outside = figure(now, GuardKind::OutOfRangeRate);
    if outside.verdict != GuardVerdict::Breached {
        close(outside.observed, mean(&|row| Some(f64::from(row.out_of_range) / 2.0)));
    }
    let p95 = |at: usize| {
        let mut all: Vec<u32> =
            asked.iter().filter(|r| !r.arms[at].failed).map(|r| r.arms[at].latency_micros).collect();
        all.sort_unstable();
        all.get((all.len() * 19).div_ceil(20).saturating_sub(1)).copied().map(f64::from)
    };
    if let (Some(candidate), Some(champion)) = (p95(1), p95(0)) {
        let ratio = figure(now, GuardKind::LatencyRatio).observed;
        // Bins are 3 % wide on either side.
        assert!((ratio / (candidate / champion) - 1.0).abs() < 0.07, "{ratio}");
    }
}

/// The scores of the present data day and the one before, counted anew.
fn check_shift(now: &BlockEvidence, pairs: &[Pair<'_>], reference: &Reference) {
    let today = RULE.day(now.watermark.plus(-1));
    if !pairs.iter().any(|(row, ..)| RULE.day(row.at) == today) {
        return;
    }
    let Binning::Numeric { edges } = &reference.profile.score.as_ref().unwrap().binning else {
        panic!("scores are numbers")
    };
    let mut counts = [vec![0; edges.bins()], vec![0; edges.bins()]];
    for (_, champion, candidate) in pairs.iter().filter(|(row, ..)| RULE.day(row.at) >= today - 1) {
        counts[0][edges.bin(*champion)] += 1;
        counts[1][edges.bin(*candidate)] += 1;
    }
    let shift = figure(now, GuardKind::OutputShift);
    close(shift.observed, psi_q10_ref(&counts[0], &counts[1]).unwrap().value);
    assert_eq!(shift.requests, counts[0].iter().sum::<u64>());
}

#[test]
fn evidence_after_each_hour_is_that_of_the_slow_fold() {
    let reference = reference();
    let events = arrivals(events(2, 60), 2, DISORDER);
    let (_, evidence, _) = run(&events, &reference);
    let (rows, labels) = (observations(&events), labels(&events));
    let (asked, pairs) = asked(&rows);
    assert!(evidence.len() > 7 * 20 && evidence.is_sorted_by_key(|e| e.watermark));
    assert!(evidence.iter().filter(|e| e.quality.is_some()).count() > 100);
    for now in &evidence {
        let asked: Vec<_> = asked.iter().copied().filter(|row| row.at < now.watermark).collect();
        let before: Vec<_> = pairs.iter().copied().filter(|(row, ..)| row.at < now.watermark).collect();
        let in_hour = before.iter().filter(|(row, ..)| row.at >= now.watermark.plus(-HOUR));
        assert_eq!(now.pairs, in_hour.count() as u64, "{}", now.watermark);
        // By maturity's own rule, so from all pairs.
        check_quality(now, &pairs, &labels);
        check_rates(now, &asked);
        check_shift(now, &before, &reference);
    }
}

#[test]
fn pairs_are_counted_between_any_two_hours() {
    let reference = reference();
    let mut watch = fresh(&reference);
    for event in &arrivals(events(2, 60), 2, DISORDER) {
        feed(&mut watch, event, &reference);
    }
    let evidence = evidence(&mut watch);
    let sum = |blocks: &[BlockEvidence]| blocks.iter().map(|e| e.pairs).sum::<u64>();
    let end = evidence.last().unwrap().watermark;
    assert_eq!(watch.pairs(DataTime::MIN, end), sum(&evidence));
    let (from, until) = (evidence[30].watermark, evidence[50].watermark);
    assert_eq!(watch.pairs(from, until), sum(&evidence[31..=50]));
    assert_eq!(watch.pairs(from.plus(1), until.plus(1)), sum(&evidence[32..=50]), "whole hours only");
    assert_eq!(watch.pairs(until, from), 0);
    let first = evidence.iter().find(|e| e.pairs > 0).unwrap().watermark;
    assert_eq!(watch.first_pair(first), Some(first.plus(-HOUR)));
    assert_eq!(watch.first_pair(end), Some(first.plus(-HOUR)));
    assert_eq!(watch.first_pair(first.plus(-1)), None, "its hour is not over");
}

/// A candidate that was trained on other units sees the same features as the champion, and says
/// something else: all the more if it has but one that matters. With 500 requests a day it shows within the first data day.
#[test]
fn a_unit_error_shows_within_a_data_day_and_a_sound_candidate_never() {
    let reference = reference();
    let run_with = |wrong: bool| {
        let mut events = arrivals(events(3, 500), 3, 0);
        for event in &mut events {
            if let Event::Observe(row) = event
                && let [_, FeatureValue::Number(wind)] = row.features[..]
                && let Some(arm) = row.arms.get_mut(1).filter(|_| wrong)
            {
                // Miles an hour taken for metres a second.
                arm.score = arm.score.map(|_| 1.0 / (1.0 + (10.0 - 0.447 * wind).exp()));
            }
        }
        run(&events, &reference).1
    };
    let breach = |evidence: &[BlockEvidence], guard| {
        let breached = |e: &&BlockEvidence| figure(e, guard).verdict == GuardVerdict::Breached;
        evidence.iter().find(breached).map(|e| e.watermark.since(rollout().started_at))
    };
    let (sound, wrong) = (run_with(false), run_with(true));
    assert_eq!(breach(&sound, GuardKind::OutputShift), None);
    assert_eq!(figure(sound.last().unwrap(), GuardKind::OutputShift).verdict, GuardVerdict::Holds);
    let after = breach(&wrong, GuardKind::OutputShift).unwrap();
    assert!(after <= DAY, "{} hours", after / HOUR);
    // What was seen when it was breached is kept.
    let last = figure(wrong.last().unwrap(), GuardKind::OutputShift);
    assert!(last.observed > LIMITS.max_output_shift && last.verdict == GuardVerdict::Breached);
    for guard in [GuardKind::ErrorRate, GuardKind::LatencyRatio] {
        assert_eq!(breach(&wrong, guard), None, "{guard:?}");
    }
}

/// A correction may overtake the label that it corrects: what counts is its version.
#[test]
fn of_the_versions_of_a_label_the_greatest_counts_and_not_the_one_that_came_last() {
    let reference = reference();
    let in_order = arrivals(events(4, 60), 0, 0);
    let correction = |of: &PredictionId| {
        in_order.iter().find(|event| matches!(event, Event::Label { id, version: 1, .. } if id == of))
    };
    let mut overtaken = Vec::new();
    let mut ahead = BTreeSet::new();
    for event in &in_order {
        match event {
            Event::Label { id, version: 0, .. } => {
                overtaken.extend(correction(id).cloned().inspect(|_| _ = ahead.insert(*id)));
            }
            Event::Label { id, .. } if ahead.contains(id) => continue,
            _ => {}
        }
        overtaken.push(event.clone());
    }
    assert!(ahead.len() > 10);
    assert_eq!(run(&overtaken, &reference), run(&in_order, &reference));
}

#[test]
fn what_comes_after_its_hour_is_counted_and_no_more() {
    let mut watch = Watch::new(plan()).unwrap();
    let made = |number: u8, at: i64| Observation {
        id: PredictionId::from_bytes([number; 16]),
        at: DataTime::from_micros(at),
        features: Vec::new(),
        arms: Vec::new(),
        assigned: 1,
        answered: Some(1),
        out_of_range: 0,
        under: None,
    };
    let noon = 200 * DAY + 12 * HOUR;
    assert_eq!(watch.observe(&made(1, noon)), Taken::New);
    assert_eq!(watch.observe(&made(1, noon)), Taken::Known);
    assert_eq!(watch.observe(&made(1, noon + 5)), Taken::Known, "an id counts once a day");
    assert_eq!(watch.observe(&made(2, noon + 2 * HOUR - 1)), Taken::New);
    assert_eq!(watch.observe(&made(3, noon + HOUR - 1)), Taken::New, "one hour of disorder is allowed");
    assert_eq!(watch.observe(&made(4, noon + 2 * HOUR)), Taken::New);
    assert_eq!(watch.observe(&made(5, noon + HOUR - 1)), Taken::Late);
    assert_eq!(watch.observe(&made(6, i64::MAX)), Taken::Late, "no data time");
    assert_eq!(watch.observe(&made(7, i64::MIN)), Taken::Late);
    assert_eq!((watch.late(), watch.watermark()), (3, Some(DataTime::from_micros(noon + 2 * HOUR))));
    // A leap of ten thousand years costs no more than an hour.
    assert_eq!(watch.observe(&made(8, 3_650_000 * DAY)), Taken::New);
    assert!(watch.unfolded_from() > DataTime::from_micros(190 * DAY));
}

#[test]
fn bad_plans_are_named() {
    let refused = |change: &dyn Fn(&mut RolloutWatch)| {
        let mut watch = rollout();
        change(&mut watch);
        Watch::new(plan()).unwrap().begin_rollout(watch, None).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|r| r.horizon = -1));
    assert!(refused(&|r| r.max_days = 0));
    assert!(refused(&|r| r.guards.max_output_shift = 0.0));
    assert!(refused(&|r| r.guards.max_error_rate = f64::NAN));
    assert!(refused(&|r| r.quality.bound = 0.0));
    assert!(!refused(&|r| (r.guards.max_error_rate, r.guards.max_fallback_rate) = (0.0, 1.0)));
    assert!(Watch::new(WatchPlan { disorder: -1, ..plan() }).is_err());
}

/// Drops what came again, equal, after a restart.
fn once<T: Clone + PartialEq + std::fmt::Debug, K: Ord>(all: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen: BTreeMap<K, T> = BTreeMap::new();
    let mut first = Vec::new();
    for item in all {
        if let Some(known) = seen.get(&key(item)) {
            assert_eq!(known, item);
        } else {
            seen.insert(key(item), item.clone());
            first.push(item.clone());
        }
    }
    first
}

fn name(finding: &Finding) -> (String, u8) {
    match finding {
        Finding::Looked { key, .. } => (key.to_string(), 0),
        Finding::Raised { key, .. } => (key.to_string(), 1),
        Finding::Recovered { key, raised } => (format!("{key} {raised}"), 2),
        Finding::Aged { key, .. } => (key.to_string(), 3),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Stragglers included: fetching at any time, and crashing at any time after any checkpoint, gives
    /// the same findings and evidence.
    #[test]
    fn batches_and_restarts_change_nothing(
        seed in 0_u64..1000,
        steps in prop::collection::vec((1_usize..60, 0_u8..4), 30..60),
    ) {
        let reference = reference();
        let events = arrivals(events(seed, 30), seed, 2 * DISORDER);
        let (found, expected, late) = run(&events, &reference);
        let (mut findings, mut evidences) = (Vec::new(), Vec::new());
        let mut watch = fresh(&reference);
        let mut saved = (serde_json::to_string(&watch.checkpoint()).unwrap(), watch.unfolded_from(), 0);
        let (mut at, mut steps) = (0, steps.into_iter());
        while at < events.len() {
            let (count, what) = steps.next().unwrap_or((events.len(), 0));
            for event in events.iter().skip(at).take(count) {
                feed(&mut watch, event, &reference);
            }
            at = (at + count).min(events.len());
            match what {
                0 => findings.extend(watch.poll()),
                1 => evidences.extend(watch.next_evidence()),
                2 => {
                    let checkpoint = serde_json::to_string(&watch.checkpoint()).unwrap();
                    saved = (checkpoint, watch.unfolded_from(), at);
                }
                _ => {
                    let checkpoint = serde_json::from_str(&saved.0).unwrap();
                    watch = Watch::restore(checkpoint, Some(Arc::clone(&reference))).unwrap();
                    for (index, event) in events.iter().enumerate().take(at) {
                        let is_again = match event {
                            Event::Begin => index >= saved.2,
                            _ => due(event) >= saved.1,
                        };
                        if is_again {
                            feed(&mut watch, event, &reference);
                        }
                    }
                }
            }
        }
        findings.extend(watch.poll());
        evidences.extend(evidence(&mut watch));
        prop_assert!(late > 0 && !found.is_empty() && expected.len() > 100);
        prop_assert_eq!(once(&findings, name), found);
        prop_assert_eq!(once(&evidences, |e| e.watermark), expected);
        prop_assert_eq!(watch.late(), late);
    }

    /// As long as nothing comes later than allowed, the order does not matter.
    #[test]
    fn the_order_of_arrival_changes_nothing(seed in 0_u64..1000, order in 0_u64..1000) {
        let reference = reference();
        let events = events(seed, 20);
        let in_order = run(&arrivals(events.clone(), 0, 0), &reference);
        prop_assert_eq!(in_order.2, 0);
        prop_assert_eq!(run(&arrivals(events, order, DISORDER), &reference), in_order);
    }
}
