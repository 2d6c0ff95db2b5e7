use mainstay_core::time::{DAY, DataTime};
use mainstay_monitoring::alarm::{
    AgeRule, AlarmError, Baseline, CalibrationPlan, DayTotals, Look, Monitor, Series, SeriesKind, Statistic,
};
use mainstay_monitoring::drift::{psi_q10_ref, total_variation};

use crate::draws::Draws;
use crate::reference::close;

const PLAN: CalibrationPlan = CalibrationPlan {
    window_days: 7,
    persistence: 2,
    looks: 100,
    alpha: 0.05,
    block_days: 3,
    replicates: 199,
    min_rows: 50,
    recovery: 0.8,
};

/// A day of a feature in ten bins, shifted by the day's own effect: 300 rows that are far from
/// independent. `shift` is in bins.
fn feature_day(draws: &mut Draws, spread: f64, shift: f64) -> Vec<f64> {
    let effect = spread * draws.normal() + shift;
    let mut bins = vec![0.0; 10];
    for _ in 0..300 {
        let at = (4.5 + effect + 2.5 * draws.normal()).clamp(0.0, 9.0);
        let bin = (0..10_u8).rev().find(|bin| f64::from(*bin) <= at).unwrap_or(0);
        bins[usize::from(bin)] += 1.0;
    }
    bins
}

/// A day's summed loss and rows; days differ, some a lot.
fn loss_day(draws: &mut Draws, mean: f64) -> Vec<f64> {
    vec![300.0 * mean * (0.25 * draws.normal()).exp(), 300.0]
}

fn monitor(series: &[Series], days: &[DayTotals], seed: u64) -> Monitor {
    Monitor::new(Baseline::calibrate(PLAN, series, days, Draws::seeded(seed).rng()).unwrap())
}

fn looks(monitor: &mut Monitor, from: i64, days: Vec<DayTotals>) -> Vec<Look> {
    (from..).zip(days).filter_map(|(day, totals)| monitor.fold(day, totals).unwrap()).collect()
}

#[test]
fn statistics_of_sums_are_those_of_the_drift_module() {
    let (reference, current) = ([500_u64, 300, 200, 0], [50_u64, 10, 30, 7]);
    let [r, c] = [reference, current].map(|counts| counts.map(|n| n as f64));
    close(Statistic::Psi.value(&r, &c).unwrap(), psi_q10_ref(&reference, &current).unwrap().value);
    close(Statistic::Psi.expected(&r, &c).unwrap(), psi_q10_ref(&reference, &current).unwrap().expected);
    let distance = total_variation(&reference, &current).unwrap();
    close(Statistic::TotalVariation.value(&r, &c).unwrap(), distance);
    close(Statistic::RateChange.value(&[5.0, 100.0], &[2.0, 10.0]).unwrap(), 0.15);
    close(Statistic::RelativeIncrease.value(&[50.0, 100.0], &[6.0, 10.0]).unwrap(), 0.2);
    close(Statistic::RelativeDecrease.value(&[80.0, 100.0], &[6.0, 10.0]).unwrap(), 0.25);
    assert_eq!(Statistic::RelativeIncrease.value(&[0.0, 100.0], &[6.0, 10.0]), None);
    assert_eq!(Statistic::Psi.value(&r, &[0.0; 4]), None);
}

/// A hundred looks at each of four series whose days differ strongly, and nothing changes. The PSI
/// of such windows is far above 0.2 all the time, and any test on rows rejects on every day.
#[test]
fn days_that_differ_raise_no_alarm() {
    let series = [
        Series::feature_drift("a"),
        Series::feature_drift("b"),
        Series::feature_drift("c"),
        Series::loss("log_loss"),
    ];
    let (mut alarmed, mut largest) = (0, 0.0_f64);
    for seed in 0..40 {
        let mut draws = Draws::seeded(1000 + seed);
        let mut day = || -> DayTotals {
            let mut totals: DayTotals = (0..3).map(|_| feature_day(&mut draws, 2.5, 0.0)).collect();
            totals.push(loss_day(&mut draws, 0.5));
            totals
        };
        let reference: Vec<DayTotals> = (0..56).map(|_| day()).collect();
        let days: Vec<DayTotals> = (0..113).map(|_| day()).collect();
        let looks = looks(&mut monitor(&series, &reference, seed), 0, days);
        assert_eq!(looks.len(), 107);
        alarmed += i32::from(looks.iter().any(|look| look.alarm.is_some()));
        let values = looks.iter().filter_map(|look| look.signals[0].value);
        largest = values.fold(largest, f64::max);
    }
    // 0.05 promised; 40 repetitions at that rate exceed 5 in 1 of 100 cases.
    assert!(alarmed <= 5, "{alarmed} of 40 unchanged streams alarmed");
    assert!(largest > 0.4, "the test is about large PSIs: {largest}");
}

#[test]
fn a_drift_is_named_once_and_recovers() {
    let series = [Series::feature_drift("steady"), Series::feature_drift("warming")];
    let mut draws = Draws::seeded(3);
    let mut day = |shift: f64| vec![feature_day(&mut draws, 1.0, 0.0), feature_day(&mut draws, 1.0, shift)];
    let reference: Vec<DayTotals> = (0..56).map(|_| day(0.0)).collect();
    let mut days: Vec<DayTotals> = (0..30).map(|_| day(0.0)).collect();
    days.extend((0..30).map(|_| day(4.0)));
    days.extend((0..30).map(|_| day(0.0)));
    let looks = looks(&mut monitor(&series, &reference, 9), 100, days);

    let alarms: Vec<_> = looks.iter().filter_map(|look| look.alarm.as_ref()).collect();
    let [alarm] = alarms[..] else { panic!("one alarm, not {}", alarms.len()) };
    let [signal] = &alarm.signals[..] else { panic!("one feature") };
    assert_eq!((signal.series.name.as_str(), signal.series.kind), ("warming", SeriesKind::FeatureDrift));
    assert!(signal.value.unwrap() > 0.2 && signal.adjusted_p <= 0.05 && signal.is_open);
    assert!(signal.value.unwrap() > signal.critical, "{signal:?}");
    // The change comes on day 130; two windows of seven days must agree.
    assert!((136..=143).contains(&alarm.window.last_day), "{:?}", alarm.window);
    assert_eq!(alarm.window.last_day - alarm.window.first_day, 6);
    let recovered: Vec<_> = looks.iter().filter(|look| !look.recovered.is_empty()).collect();
    assert_eq!(recovered.len(), 1);
    assert!(recovered[0].window.last_day >= 166, "both windows are back");
    assert_eq!(recovered[0].recovered[0].name, "warming");
}

#[test]
fn one_wild_day_is_no_drift() {
    let series = [Series::missing_rate("wind")];
    let mut draws = Draws::seeded(4);
    let mut day = || vec![vec![(3.0 + draws.normal()).max(0.0), 300.0]];
    let reference: Vec<DayTotals> = (0..56).map(|_| day()).collect();
    let mut days: Vec<DayTotals> = (0..40).map(|_| day()).collect();
    days[20] = vec![vec![300.0, 300.0]];
    let all = looks(&mut monitor(&series, &reference, 5), 0, days.clone());
    assert!(all.iter().all(|look| look.alarm.is_none()));
    assert!(all.iter().any(|look| look.signals[0].value.unwrap() > 0.1), "the day shows, but does not ring");

    days[21..].fill(vec![vec![150.0, 300.0]]);
    let all = looks(&mut monitor(&series, &reference, 5), 0, days);
    assert_eq!(all.iter().filter(|look| look.alarm.is_some()).count(), 1, "a lasting outage does");
}

#[test]
fn a_significant_change_below_the_floor_is_silent() {
    let series = [Series::loss("log_loss")];
    let reference: Vec<DayTotals> = (0..56).map(|i| vec![vec![150.0 + f64::from(i % 3), 300.0]]).collect();
    let days: Vec<DayTotals> = (0..40).map(|i| vec![vec![156.0 + f64::from(i % 3), 300.0]]).collect();
    let looks = looks(&mut monitor(&series, &reference, 6), 0, days);
    let last = &looks.last().unwrap().signals[0];
    assert!(last.adjusted_p <= 0.01 && last.value.unwrap() > last.critical, "{last:?}");
    assert!(last.value.unwrap() < 0.05 && looks.iter().all(|look| look.alarm.is_none()));
}

#[test]
fn too_few_rows_are_not_judged() {
    let series = [Series::feature_drift("rare")];
    let reference: Vec<DayTotals> = (0..56).map(|_| vec![vec![10.0; 10]]).collect();
    let mut few = vec![0.0; 10];
    few[9] = 20.0;
    let days: Vec<DayTotals> = (0..30).map(|_| vec![few.clone()]).collect();
    let looks = looks(&mut monitor(&series, &reference, 7), 0, days);
    let last = &looks.last().unwrap().signals[0];
    // 140 rows in a window: (10 − 1)(1/5600 + 1/140) = 0.066 > 0.05.
    assert_eq!((last.rows, last.is_judged), (140, false));
    assert!(looks.iter().all(|look| look.alarm.is_none()));
}

#[test]
fn a_restart_between_any_two_days_changes_nothing() {
    let series = [Series::prediction_shift(), Series::score("accuracy")];
    let mut draws = Draws::seeded(8);
    let mut day = |shift| vec![feature_day(&mut draws, 0.5, shift), loss_day(&mut draws, 0.8)];
    let reference: Vec<DayTotals> = (0..30).map(|_| day(0.0)).collect();
    let mut whole = monitor(&series, &reference, 2);
    let mut stored = whole.clone();
    for number in 0..40_i32 {
        let totals = day(f64::from(number / 10));
        let look = whole.fold(i64::from(number), totals.clone()).unwrap();
        assert_eq!(stored.fold(i64::from(number), totals).unwrap(), look);
        stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
    }
    assert_eq!(whole, stored);
}

#[test]
fn bad_plans_and_totals_are_named() {
    let series = [Series::loss("a"), Series::loss("b")];
    let day = || vec![vec![1.0, 2.0]; 2];
    let calibrate = |plan, days: &[DayTotals]| {
        Baseline::calibrate(plan, &series, days, Draws::seeded(0).rng()).map(Monitor::new)
    };
    let days: Vec<DayTotals> = (0..20).map(|_| day()).collect();
    assert_eq!(calibrate(PLAN, &days[..13]), Err(AlarmError::FewDays { got: 13, window: 7, needed: 14 }));
    let rare = CalibrationPlan { alpha: 0.001, ..PLAN };
    assert_eq!(calibrate(rare, &days), Err(AlarmError::FewReplicates { series: 2, needed: 2000 }));
    assert!(matches!(calibrate(CalibrationPlan { looks: 0, ..PLAN }, &days), Err(AlarmError::Plan(_))));
    let mut ragged = days.clone();
    ragged[4][1] = vec![1.0];
    assert_eq!(calibrate(PLAN, &ragged), Err(AlarmError::Totals(4)));

    let mut monitor = calibrate(PLAN, &days).unwrap();
    monitor.fold(5, day()).unwrap();
    assert_eq!(monitor.fold(5, day()), Err(AlarmError::OutOfOrder { got: 5, folded: 5 }));
    assert_eq!(monitor.fold(6, vec![vec![1.0, 2.0]]), Err(AlarmError::Totals(6)));
    assert_eq!(monitor.fold(6, vec![vec![1.0, f64::NAN]; 2]), Err(AlarmError::Totals(6)));
}

#[test]
fn age_needs_no_test() {
    let rule = AgeRule { days: 60 };
    let trained = DataTime::from_micros(59 * DAY);
    assert_eq!(rule.check(trained, trained.plus(60 * DAY - 1)), None);
    let alarm = rule.check(trained, trained.plus(61 * DAY)).unwrap();
    assert_eq!((alarm.age_days, alarm.limit_days), (61, 60));
}
