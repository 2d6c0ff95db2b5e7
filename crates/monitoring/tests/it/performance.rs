use mainstay_core::time::{DAY, DataTime, HOUR};
use mainstay_monitoring::maturity::{Label, Labels, MaturityRule, Missing, Prediction};
use mainstay_monitoring::performance::{
    IntervalMethod, Metric, PerformanceError, Resampling, Scored, as_known_at, paired_difference, report,
};
use serde_json::Value;

use crate::draws::Draws;
use crate::reference::{close, float, floats, list, load};

const CLASS_METRICS: [Metric; 5] =
    [Metric::LogLoss, Metric::Brier, Metric::Accuracy { threshold: 0.4 }, Metric::Auc, Metric::Ece];

fn rows(case: &Value) -> Vec<Scored> {
    let days = case["day"].as_array();
    let scored = floats(&case["score"]).into_iter().zip(floats(&case["label"])).enumerate();
    scored
        .map(|(i, (score, label))| {
            let day = days.and_then(|days| days.get(i)).and_then(Value::as_i64).unwrap_or(0);
            Scored { day, score, label }
        })
        .collect()
}

#[test]
fn metrics_agree_with_scikit_learn() {
    let cases = load(include_str!("../reference/performance.json"));
    for case in list(&cases["classes"]) {
        for metric in CLASS_METRICS {
            close(metric.value(&rows(case)).unwrap().unwrap(), float(&case["figures"][metric.name()]));
        }
    }
    for metric in [Metric::MeanAbsoluteError, Metric::MeanSquaredError] {
        let value = metric.value(&rows(&cases["numbers"])).unwrap().unwrap();
        close(value, float(&cases["numbers"][metric.name()]));
    }
}

#[test]
fn few_days_get_the_jackknife_interval_of_the_slow_version() {
    let cases = load(include_str!("../reference/performance.json"));
    for case in list(&cases["classes"]) {
        for metric in [Metric::Brier, Metric::Auc, Metric::Ece] {
            let resampling = Resampling { level: 0.9, replicates: 1 };
            let rows = rows(case);
            let report = report(metric, &rows, 300, resampling, Draws::seeded(0).rng()).unwrap();
            let found = report.interval.unwrap();
            assert_eq!((found.method, found.days), (IntervalMethod::DayJackknife, 5));
            close(found.interval.lower, float(&case["jackknife"][metric.name()][0]));
            close(found.interval.upper, float(&case["jackknife"][metric.name()][1]));
            assert_eq!(report.coverage, Some(rows.len() as f64 / 300.0));
        }
    }
}

/// Days with a strong common effect: intervals over days cover, intervals over rows would not.
#[test]
fn the_day_bootstrap_covers_where_rows_of_a_day_are_alike() {
    let mut draws = Draws::seeded(4);
    let mut covered = 0;
    for _ in 0..200 {
        let mut rows = Vec::new();
        for day in 0..30 {
            // The chance of a 1 is 0.5 on average, and between 0.1 and 0.9 by day.
            let chance = 0.1 + 0.8 * draws.uniform();
            rows.extend((0..40).map(|_| {
                let label = f64::from(u8::from(draws.uniform() < chance));
                Scored { day, score: 1.0, label }
            }));
        }
        let metric = Metric::Accuracy { threshold: 0.5 };
        let resampling = Resampling { level: 0.9, replicates: 300 };
        let report = report(metric, &rows, 1200, resampling, draws.rng()).unwrap();
        let found = report.interval.unwrap();
        assert_eq!(found.method, IntervalMethod::DayBootstrap);
        covered += i32::from(found.interval.lower <= 0.5 && 0.5 <= found.interval.upper);
        // Rows taken as independent would give a half-width of 1.645 √(¼ / 1200) = 0.024.
        assert!(found.interval.upper - found.interval.lower > 2.0 * 0.024);
    }
    // 0.9 promised; 200 repetitions have a standard error of 0.021.
    assert!((168..=195).contains(&covered), "{covered} of 200");
}

#[test]
fn pairing_takes_out_what_a_hard_day_does_to_both() {
    let mut draws = Draws::seeded(6);
    let (mut candidate, mut incumbent) = (Vec::new(), Vec::new());
    for day in 0..20 {
        let hard = draws.uniform();
        for _ in 0..50 {
            let label = f64::from(u8::from(draws.uniform() < hard));
            let score = 0.05 + 0.9 * draws.uniform();
            candidate.push(Scored { day, score: 0.02 + 0.96 * score, label });
            incumbent.push(Scored { day, score, label });
        }
    }
    let one = report(Metric::Brier, &candidate, 1000, Resampling::default(), draws.rng()).unwrap();
    let (difference, pair) =
        paired_difference(Metric::Brier, &candidate, &incumbent, Resampling::default(), draws.rng()).unwrap();
    let (pair, one) = (pair.unwrap().interval, one.interval.unwrap().interval);
    assert!((pair.lower..=pair.upper).contains(&difference.unwrap()));
    assert!((pair.upper - pair.lower) * 5.0 < one.upper - one.lower, "{pair:?} against {one:?}");

    incumbent[3].day = 7;
    let unpaired =
        paired_difference(Metric::Brier, &candidate, &incumbent, Resampling::default(), draws.rng());
    assert_eq!(unpaired, Err(PerformanceError::Unpaired));
}

#[test]
fn what_is_not_defined_is_absent_and_what_is_wrong_is_refused() {
    let row = |score, label| Scored { day: 0, score, label };
    assert_eq!(Metric::Auc.value(&[row(0.5, 1.0)]), Ok(None));
    assert_eq!(Metric::LogLoss.value(&[]), Ok(None));
    assert!(Metric::LogLoss.value(&[row(0.0, 1.0)]).unwrap().unwrap() > 36.0, "certain and wrong");
    assert!(Metric::Brier.value(&[row(1.5, 1.0)]).is_err());
    assert!(Metric::Auc.value(&[row(1.5, 0.5)]).is_err());
    assert!(Metric::MeanSquaredError.value(&[row(f64::NAN, 0.5)]).is_err());
    let one_day = report(Metric::Brier, &[row(0.5, 1.0)], 1, Resampling::default(), Draws::seeded(0).rng());
    assert_eq!(one_day.unwrap().interval, None, "one day says nothing about how days differ");
}

#[test]
fn a_past_day_is_restated_as_labels_come() {
    let at = |hour: i64| DataTime::from_micros(hour * HOUR);
    let prediction = |id: &str, hour| Prediction { id: id.to_owned(), event_time: at(hour), payload: 0.9 };
    let predictions = [prediction("a", 1), prediction("b", 2), prediction("c", 30)];
    let mut labels = Labels::default();
    for (id, version, hour, value) in [("a", 1, 3, 0.0), ("a", 2, 8, 1.0), ("c", 1, 31, 1.0)] {
        let label = Label { prediction_id: id.to_owned(), version, arrived: at(hour), value };
        labels.add(label).unwrap();
    }
    let rule = MaturityRule { horizon: DAY, missing: Missing::TreatAs(0.0), day_offset: 0 };
    let known = |hour| -> Vec<(i64, f64)> {
        let rows = as_known_at(&predictions, &labels, &rule, at(hour), |score| *score);
        rows.iter().map(|row| (row.day, row.label)).collect()
    };
    assert_eq!(known(2), vec![]);
    assert_eq!(known(4), vec![(0, 0.0)]);
    assert_eq!(known(9), vec![(0, 1.0)], "the correction replaces the first version");
    assert_eq!(known(31), vec![(0, 1.0), (0, 0.0), (1, 1.0)], "b never got a label and counts as declared");
}
