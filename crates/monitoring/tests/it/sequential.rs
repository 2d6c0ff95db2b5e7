use mainstay_monitoring::sequential::{
    Alternative, BettingTest, Bounds, Guard, Guarded, Guards, PairedPlan, PairedQuality, SequentialError,
    Standing, confidence_sequence,
};
use proptest::prelude::*;

use crate::draws::Draws;
use crate::reference::{close, float, floats, list, load};

const PLAN: PairedPlan = PairedPlan {
    margin: 0.002,
    harm_margin: 0.001,
    bound: 0.008,
    promote_alpha: 0.05,
    harm_alpha: 0.05,
    min_rows: 1,
};

#[test]
fn wealth_and_intervals_agree_with_the_slow_version() {
    let cases = load(include_str!("../reference/sequential.json"));
    for case in list(&cases) {
        let bounds = Bounds { lower: float(&case["bounds"][0]), upper: float(&case["bounds"][1]) };
        let values = floats(&case["values"]);
        for (side, name) in [(Alternative::Above, "above"), (Alternative::Below, "below")] {
            let mut test = BettingTest::new(float(&case["null"]), bounds, side).unwrap();
            for (x, wealth) in values.iter().zip(floats(&case[name])) {
                test.fold(*x).unwrap();
                close(test.log_e(), wealth.ln());
            }
        }
        let interval = confidence_sequence(&values, bounds, float(&case["alpha"])).unwrap();
        close(interval.lower, float(&case["interval"][0]));
        close(interval.upper, float(&case["interval"][1]));
    }
}

/// Rows of one day share an effect ten times their own share of the noise. The true mean difference
/// sits exactly on the boundary of each null in turn; a hundred looks each.
#[test]
fn verdicts_keep_their_level_when_days_have_strong_effects() {
    let mut draws = Draws::seeded(1);
    let mut share = |mean: f64, wrong: Standing| {
        let verdicts = (0..400).filter(|_| {
            let mut test = PairedQuality::new(PLAN).unwrap();
            (0..100_i64).any(|day| {
                let effect = 0.003 * draws.normal();
                let rows: Vec<f64> = (0..20).map(|_| mean + effect + 0.0003 * draws.normal()).collect();
                test.fold(day, &rows).unwrap() == wrong
            })
        });
        verdicts.count() as f64 / 400.0
    };
    let (harm, promoted) =
        (share(PLAN.harm_margin, Standing::Harmful), share(PLAN.margin, Standing::NonInferior));
    // 0.05 promised; 0.05 + 2.3 standard errors of 400 repetitions is 0.075.
    assert!(harm <= 0.075, "{harm}");
    assert!(promoted <= 0.075, "{promoted}");
}

/// The null is about the *average* day: good and bad spells may follow each other.
#[test]
fn level_holds_when_the_mean_changes_from_week_to_week() {
    let mut draws = Draws::seeded(2);
    let wrong = (0..400).filter(|_| {
        let mut test = PairedQuality::new(PLAN).unwrap();
        (0..98_i64).any(|day| {
            // A week 0.003 better than the boundary, then a week 0.003 worse.
            let spell = if day / 7 % 2 == 0 { -0.003 } else { 0.003 };
            let x = PLAN.harm_margin + spell + 0.002 * draws.normal();
            test.fold(day, &[x]).unwrap() == Standing::Harmful
        })
    });
    let share = wrong.count() as f64 / 400.0;
    assert!(share <= 0.075, "{share}");
}

fn days_until(mean: f64, sd: f64, wanted: Standing, seed: u64) -> Option<u64> {
    let mut draws = Draws::seeded(seed);
    let mut test = PairedQuality::new(PLAN).unwrap();
    (0..365_i64)
        .find(|day| test.fold(*day, &[mean + sd * draws.normal()]).unwrap() == wanted)
        .map(|day| day.unsigned_abs() + 1)
}

fn median_days(mean: f64, sd: f64, wanted: Standing) -> Option<u64> {
    let mut days: Vec<u64> =
        (0..101).map(|seed| days_until(mean, sd, wanted, seed).unwrap_or(u64::MAX)).collect();
    days.sort_unstable();
    (days[50] < u64::MAX).then_some(days[50])
}

/// The table in the documentation of `PairedQuality::fold`.
#[test]
fn the_documented_number_of_days_is_right() {
    let m = PLAN.margin;
    let promote = |d: f64, s: f64| median_days(d * m, s * m, Standing::NonInferior);
    let harm = |d: f64, s: f64| median_days(d * m, s * m, Standing::Harmful);
    let promoted = [[0.0, 0.5], [0.0, 1.0], [0.0, 2.0], [-1.0, 0.5], [-1.0, 1.0], [-1.0, 2.0]];
    assert_eq!(promoted.map(|[d, s]| promote(d, s)), [14, 15, 26, 8, 8, 9].map(Some));
    let harmed = [[1.0, 1.0], [2.0, 0.5], [2.0, 1.0], [2.0, 2.0], [4.0, 2.0], [20.0, 2.0]];
    assert_eq!(harmed.map(|[d, s]| harm(d, s)), [42, 13, 14, 16, 8, 7].map(Some));
}

#[test]
fn a_harmful_and_an_equal_candidate_are_told_apart() {
    let mut harmful = PairedQuality::new(PLAN).unwrap();
    let mut equal = PairedQuality::new(PLAN).unwrap();
    for day in 0..20 {
        let wave = if day % 2 == 0 { 0.0005 } else { -0.0005 };
        harmful.fold(day, &[0.05 + wave, 0.03]).unwrap();
        equal.fold(day, &[wave, -wave]).unwrap();
    }
    let (worse, same) = (harmful.reading().unwrap(), equal.reading().unwrap());
    assert_eq!((worse.standing, same.standing), (Standing::Harmful, Standing::NonInferior));
    assert!(worse.interval.lower > PLAN.harm_margin, "{worse:?}");
    assert!(same.interval.upper < PLAN.margin, "{same:?}");
    close(worse.mean.unwrap(), PLAN.bound);
    assert_eq!((same.blocks, same.rows), (20, 40));
}

#[test]
fn few_rows_wait_for_more() {
    let mut test = PairedQuality::new(PairedPlan { min_rows: 5, ..PLAN }).unwrap();
    test.fold(1, &[0.001; 3]).unwrap();
    assert_eq!(test.reading().unwrap().blocks, 0);
    test.fold(2, &[]).unwrap();
    test.fold(4, &[0.002; 2]).unwrap();
    let reading = test.reading().unwrap();
    assert_eq!((reading.blocks, reading.rows), (1, 5));
    close(reading.mean.unwrap(), 0.0014);
    assert_eq!(test.fold(4, &[0.0]), Err(SequentialError::OutOfOrder { got: 4, folded: 4 }));
    assert_eq!(test.fold(5, &[f64::NAN]), Err(SequentialError::NotFinite));
    assert_eq!(test.newest_day(), Some(4));
}

#[test]
fn evidence_survives_a_restart() {
    let mut whole = PairedQuality::new(PLAN).unwrap();
    let mut stored = whole.clone();
    let mut draws = Draws::seeded(5);
    for day in 0..30 {
        let x = 0.004 * draws.normal();
        whole.fold(day, &[x]).unwrap();
        stored.fold(day, &[x]).unwrap();
        stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
    }
    assert_eq!(whole, stored);
}

fn guards() -> Guards {
    let guard = |name: &str, counts, tolerance| Guard { name: name.to_owned(), counts, tolerance };
    let all = vec![
        guard("errors", Guarded::Excess, 0.01),
        guard("out of range", Guarded::Excess, 0.05),
        guard("disagreement", Guarded::Rate, 0.15),
    ];
    Guards::new(all, 0.01, 30).unwrap()
}

/// Days differ a lot, and both arms suffer alike; disagreement runs at two thirds of its tolerance on
/// average and above it on one day in six.
#[test]
fn guards_stay_quiet_on_a_sound_candidate() {
    let tripped = (0..40).filter(|seed| {
        let mut draws = Draws::seeded(*seed);
        let mut guards = guards();
        for day in 0..30 {
            let outside = 0.3 * draws.uniform();
            let apart = 0.06 + 0.08 * draws.uniform();
            for _ in 0..200 {
                let event = |p: f64, u: f64| f64::from(u8::from(u < p));
                let range = event(outside, draws.uniform()) - event(outside + 0.01, draws.uniform());
                let counted = [Some(0.0), Some(range), Some(event(apart, draws.uniform()))];
                guards.fold(day, &counted).unwrap();
            }
        }
        guards.has_tripped()
    });
    assert!(tripped.count() <= 1);
}

#[test]
fn guards_act_within_the_day_after_a_long_quiet_time() {
    let mut guards = guards();
    for day in 0..20 {
        for _ in 0..2_000 {
            assert!(!guards.fold(day, &[Some(0.0), Some(0.0), Some(0.0)]).unwrap());
        }
    }
    let needed = (1..100).find(|_| guards.fold(20, &[Some(0.0), Some(1.0), Some(1.0)]).unwrap()).unwrap();
    assert!(needed <= 12, "{needed} requests of a unit error");
    let reading = guards.readings();
    assert!(!reading[0].tripped && reading[2].tripped, "{reading:?}");
    assert_eq!(reading[2].requests, needed);
}

#[test]
fn plans_are_checked() {
    let bounds = Bounds { lower: 0.0, upper: 1.0 };
    assert!(BettingTest::new(1.0, bounds, Alternative::Above).is_err());
    assert!(BettingTest::new(f64::NAN, bounds, Alternative::Above).is_err());
    assert!(PairedQuality::new(PairedPlan { bound: 0.001, ..PLAN }).is_err());
    assert!(PairedQuality::new(PairedPlan { margin: f64::NAN, ..PLAN }).is_err());
    assert!(PairedQuality::new(PairedPlan { harm_alpha: 0.0, ..PLAN }).is_err());
    let guard = Guard { name: "g".to_owned(), counts: Guarded::Excess, tolerance: -0.1 };
    assert!(Guards::new(vec![guard], 0.05, 3).is_err());
    assert!(guards().fold(0, &[None]).is_err());
}

proptest! {
    /// Evidence is never negative wealth, and the interval holds the winsorised mean.
    #[test]
    fn the_interval_holds_the_mean(values in prop::collection::vec(-2.0..2.0_f64, 1..40)) {
        let bounds = Bounds { lower: -1.0, upper: 1.0 };
        let interval = confidence_sequence(&values, bounds, 0.1).unwrap();
        let last = values.len() as f64;
        let mean = values.iter().map(|x| bounds.winsorise(*x)).sum::<f64>() / last;
        // At any look so far: the interval of the last look alone would hold it always.
        let early = confidence_sequence(&values[..1], bounds, 0.1).unwrap();
        prop_assert!(early.lower <= interval.lower && interval.upper <= early.upper);
        prop_assert!(interval.lower - 1.0 <= mean && mean <= interval.upper + 1.0);
    }
}
