use mainstay_monitoring::gate::{
    Outcome, Slice, SlicePlan, against_incumbent, better_than_trivial, calibration, data_checks, latency_p95,
    slice_floor,
};
use mainstay_monitoring::performance::{Metric, Resampling, Scored};

use crate::draws::Draws;
use crate::reference::close;

const RESAMPLING: Resampling = Resampling { level: 0.95, replicates: 300 };

/// Labels that come true with the probability `truth`, and the score `score` made of it.
fn world(days: i64, seed: u64, score: impl Fn(f64) -> f64) -> Vec<Scored> {
    let mut draws = Draws::seeded(seed);
    let mut rows = Vec::new();
    for day in 0..days {
        for _ in 0..60 {
            let truth = 0.05 + 0.6 * draws.uniform();
            let label = f64::from(u8::from(draws.uniform() < truth));
            rows.push(Scored { day, score: score(truth), label });
        }
    }
    rows
}

#[test]
fn a_model_that_knows_something_beats_the_trivial_answer() {
    let mut draws = Draws::seeded(1);
    for metric in [Metric::LogLoss, Metric::Brier, Metric::Auc] {
        let good = better_than_trivial(metric, &world(20, 1, |p| p), 0.35, RESAMPLING, draws.rng()).unwrap();
        assert_eq!(good.outcome, Outcome::Passed, "{}", good.sentence);
        let bad =
            better_than_trivial(metric, &world(20, 1, |p| 0.9 - p), 0.35, RESAMPLING, draws.rng()).unwrap();
        assert_eq!(bad.outcome, Outcome::Failed, "{}", bad.sentence);
    }
    let one_day = better_than_trivial(Metric::Brier, &world(1, 1, |p| p), 0.35, RESAMPLING, draws.rng());
    assert_eq!(one_day.unwrap().outcome, Outcome::Inconclusive, "one day is never enough");
}

#[test]
fn a_candidate_is_judged_against_the_incumbent_with_its_margin() {
    let mut draws = Draws::seeded(2);
    let incumbent = world(20, 2, |p| p);
    let mut judge = |score: fn(f64) -> f64, margin| {
        let candidate = world(20, 2, score);
        against_incumbent(Metric::LogLoss, &candidate, &incumbent, margin, RESAMPLING, draws.rng()).unwrap()
    };
    let nearly = |p: f64| p * 0.999;
    assert_eq!(judge(nearly, 0.01).outcome, Outcome::Passed);
    assert_eq!(judge(|p| 1.0 - p, 0.01).outcome, Outcome::Failed);
    let same = judge(|p| p, 0.0);
    assert_eq!(same.outcome, Outcome::Passed, "an equal model worsens by nothing");
    assert_eq!(same.figures[2].value, Some(0.0));
    let open = judge(|p| 0.8 * p + 0.07, 0.003);
    assert_eq!(open.outcome, Outcome::Inconclusive, "{}", open.sentence);
}

#[test]
fn calibration_has_a_ceiling() {
    let mut draws = Draws::seeded(3);
    let judge = |score: fn(f64) -> f64, draws: &mut Draws| {
        calibration(&world(40, 3, score), 0.08, RESAMPLING, draws.rng()).unwrap()
    };
    let good = judge(|p| p, &mut draws);
    assert_eq!(good.outcome, Outcome::Passed, "{}", good.sentence);
    let bad = judge(|p| (p + 0.3).min(1.0), &mut draws);
    assert_eq!(bad.outcome, Outcome::Failed, "{}", bad.sentence);
}

#[test]
fn a_bad_slice_fails_and_a_small_one_is_only_shown() {
    let plan = SlicePlan { metric: Metric::Auc, limit: 0.55, min_rows: 200, resampling: RESAMPLING };
    let slice = |name: &str, rows| Slice { name: name.to_owned(), rows };
    let (good, bad, small) = (world(20, 4, |p| p), world(20, 5, |p| 1.0 - p), world(2, 6, |p| 1.0 - p));
    let mut draws = Draws::seeded(4);
    let mut judge = |slices: &[Slice]| slice_floor(plan, slices, draws.rng()).unwrap();

    let passed = judge(&[slice("AA", good.clone()), slice("tiny", small.clone())]);
    assert_eq!(passed.outcome, Outcome::Passed);
    assert_eq!((passed.figures[1].name.as_str(), passed.figures[1].limit), ("tiny", None));
    assert!(passed.sentence.ends_with("1 slices have too few rows to judge"), "{}", passed.sentence);
    let failed = judge(&[slice("AA", good), slice("UA", bad)]);
    assert_eq!(failed.outcome, Outcome::Failed);
    assert_eq!(failed.sentence, "auc is beyond 0.5500 for UA");
    assert_eq!(judge(&[slice("tiny", small)]).outcome, Outcome::Inconclusive);
}

#[test]
fn latency_is_judged_by_order_statistics() {
    let even = |n: u32| -> Vec<f64> { (1..=n).map(f64::from).collect() };
    let verdict = latency_p95(&even(1000), 970.0);
    assert_eq!(verdict.outcome, Outcome::Passed);
    let p95 = &verdict.figures[0];
    close(p95.value.unwrap(), 950.05);
    // scipy.stats.binom: P(B ≥ 936) = 0.9793, P(B ≥ 937) = 0.9716; P(B ≥ 963) = 0.0307, P(B ≥ 964) = 0.0212.
    assert_eq!(p95.interval.map(|ends| (ends.lower, ends.upper)), Some((936.0, 964.0)));
    assert_eq!(latency_p95(&even(1000), 955.0).outcome, Outcome::Inconclusive);
    assert_eq!(latency_p95(&even(1000), 900.0).outcome, Outcome::Failed);
    assert_eq!(latency_p95(&even(71), 1000.0).outcome, Outcome::Inconclusive);
    assert_eq!(latency_p95(&[f64::NAN], 1.0).outcome, Outcome::Inconclusive);
}

#[test]
fn data_checks_must_be_there_and_pass() {
    let check = |name: &str, passed| (name.to_owned(), passed);
    assert_eq!(data_checks(&[]).outcome, Outcome::Inconclusive);
    assert_eq!(data_checks(&[check("not null", true)]).outcome, Outcome::Passed);
    let failed = data_checks(&[check("not null", true), check("range", false)]);
    assert_eq!((failed.outcome, &*failed.sentence), (Outcome::Failed, "1 of 2 data checks failed: range"));
}

#[test]
fn a_verdict_survives_storage() {
    let verdict = latency_p95(&[1.0, 2.0], 3.0);
    let text = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<mainstay_monitoring::gate::Verdict>(&text).unwrap(), verdict);
}
