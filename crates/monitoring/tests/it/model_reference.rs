//! The reference of a model version: made once, stored, and the one definition of a day's totals.

use mainstay_core::time::{DAY, DataTime, HOUR};
use mainstay_monitoring::alarm::{CalibrationPlan, SeriesKind, Statistic};
use mainstay_monitoring::performance::Metric;
use mainstay_monitoring::profile::{Column, Profile, Value, Values};
use mainstay_monitoring::reference::{
    Family, Losses, Reference, ReferenceError, ReferencePlan, TrainingRows, day_totals,
};

use crate::draws::Draws;
use crate::reference::close;

/// Rows of some days, forty a day, as a trainer holds them.
pub(crate) struct Rows {
    pub(crate) wind: Vec<f64>,
    pub(crate) carrier: Vec<Option<&'static str>>,
    pub(crate) times: Vec<DataTime>,
    pub(crate) scores: Vec<Option<f64>>,
    pub(crate) outcomes: Vec<f64>,
}

impl Rows {
    pub(crate) fn draw(days: u32, seed: u64) -> Self {
        let mut draws = Draws::seeded(seed);
        let mut rows =
            Self { wind: vec![], carrier: vec![], times: vec![], scores: vec![], outcomes: vec![] };
        for day in 0..i64::from(days) {
            let effect = 0.5 * draws.normal();
            for row in 0..40 {
                let wind = 10.0 + effect + draws.normal();
                let late = 1.0 / (1.0 + (10.0 - wind).exp());
                rows.wind.push(if row % 20 == 0 { f64::NAN } else { wind });
                rows.carrier.push(Some(if row % 3 == 0 { "AA" } else { "UA" }));
                rows.times.push(DataTime::from_micros(day * DAY + row * HOUR / 2));
                // The first quarter of the days was fitted on by every fold.
                rows.scores.push((day * 4 >= i64::from(days)).then_some(late));
                rows.outcomes.push(f64::from(u8::from(draws.uniform() < late)));
            }
        }
        rows
    }

    pub(crate) fn build(&self, plan: &ReferencePlan) -> Result<Reference, ReferenceError> {
        let columns = [
            Column { name: "wind", values: Values::Numeric(&self.wind) },
            Column { name: "carrier", values: Values::Categorical(&self.carrier) },
        ];
        let (times, scores, outcomes) = (&self.times, &self.scores, &self.outcomes);
        let rows = TrainingRows { columns: &columns, times, scores, outcomes };
        Reference::build(&rows, plan, Draws::seeded(1).rng())
    }
}

/// Windows of two days: alarms within a handful of days.
pub(crate) fn brisk() -> ReferencePlan {
    let plan = CalibrationPlan {
        window_days: 2,
        looks: 20,
        alpha: 0.05,
        block_days: 2,
        replicates: 99,
        min_rows: 20,
        ..CalibrationPlan::default()
    };
    ReferencePlan { day_offset: 0, features: plan, predictions: plan, quality: plan }
}

#[test]
fn it_holds_what_the_monitors_need_and_survives_its_file() {
    let rows = Rows::draw(32, 7);
    let reference = rows.build(&brisk()).unwrap();
    assert_eq!(reference.trained_through, *rows.times.last().unwrap());
    assert_eq!(reference.unwatched.len(), 0);
    let series = |family| {
        let baseline = reference.baseline(family).unwrap();
        baseline.series().map(|s| (s.name.as_str(), s.kind, s.statistic)).collect::<Vec<_>>()
    };
    assert_eq!(
        series(Family::Features),
        [
            ("wind", SeriesKind::FeatureDrift, Statistic::Psi),
            ("wind", SeriesKind::MissingRate, Statistic::RateChange),
            ("carrier", SeriesKind::FeatureDrift, Statistic::TotalVariation),
            ("carrier", SeriesKind::MissingRate, Statistic::RateChange),
        ]
    );
    let shift = [("score", SeriesKind::PredictionShift, Statistic::TotalVariation)];
    assert_eq!(series(Family::Predictions), shift);
    assert_eq!(series(Family::Quality), [("log_loss", SeriesKind::Performance, Statistic::RelativeIncrease)]);
    // All rows are in the features' profile, but only those with a score in that of the scores.
    assert_eq!(reference.profile.rows, 32 * 40);
    assert_eq!(reference.profile.score.as_ref().unwrap().counts.binned(), 24 * 40);
    // 4 series at 0.05 need 80 draws; the plan asks for 99.
    assert_eq!(reference.baseline(Family::Features).unwrap().plan().replicates, 99);

    let stored = serde_json::to_vec(&reference).unwrap();
    assert_eq!(Reference::from_json(&stored).unwrap(), reference);
    assert_eq!(rows.build(&brisk()).unwrap(), reference, "same rows and seed, same reference");
}

#[test]
fn a_stored_reference_that_does_not_fit_itself_is_refused() {
    let reference = Rows::draw(32, 7).build(&brisk()).unwrap();
    let refused = |change: &dyn Fn(&mut Reference)| {
        let mut changed = reference.clone();
        change(&mut changed);
        Reference::from_json(&serde_json::to_vec(&changed).unwrap()) == Err(ReferenceError::Unreadable)
    };
    assert!(refused(&|r| r.format += 1));
    assert!(refused(&|r| std::mem::swap(&mut r.features, &mut r.quality)));
    assert!(refused(&|r| r.profile.features.swap(0, 1)));
    assert_eq!(Reference::from_json(b"{"), Err(ReferenceError::Unreadable));
}

#[test]
fn families_without_enough_days_say_so() {
    // Eight days, of which six have scores: windows of two and blocks of two need four.
    let plan = ReferencePlan { features: CalibrationPlan { window_days: 5, ..brisk().features }, ..brisk() };
    let mut rows = Rows::draw(8, 3);
    let reference = rows.build(&plan).unwrap();
    assert!(reference.features.is_none() && reference.predictions.is_some() && reference.quality.is_some());
    assert!(reference.unwatched[&Family::Features].contains("8 reference days are too few"));

    rows.scores.fill(None);
    let reference = rows.build(&brisk()).unwrap();
    assert!(reference.features.is_some() && reference.predictions.is_none() && reference.quality.is_none());
    assert!(reference.profile.score.is_none());
    assert!(reference.unwatched[&Family::Quality].contains("no training row has a score"));
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let mut rows = Rows::draw(8, 3);
    rows.outcomes[5] = 2.0;
    assert_eq!(rows.build(&brisk()), Err(ReferenceError::Row(5)));
    rows.outcomes.truncate(5);
    let (what, got) = ("outcomes", 5);
    assert_eq!(rows.build(&brisk()), Err(ReferenceError::Ragged { rows: 320, what, got }));
}

#[test]
fn the_totals_of_a_day_are_its_counts() {
    let reference = Rows::draw(32, 7).build(&brisk()).unwrap();
    let mut day = Profile::new(&reference.profile);
    let mut losses = Losses::default();
    for family in Family::WATCHED {
        assert_eq!(day_totals(family, &reference.profile, &day, losses), None, "an empty day is left out");
    }
    for (wind, outcome) in [(f64::NAN, 1.0), (10.0, 0.0), (99.0, 1.0)] {
        day.observe(&reference.profile, &[Value::number(wind), Value::Category("XX")], Some(0.25)).unwrap();
        losses.add(0.25, outcome);
    }
    let features = day_totals(Family::Features, &reference.profile, &day, losses).unwrap();
    assert_eq!(features.iter().map(Vec::len).collect::<Vec<_>>(), [10, 2, 3, 2]);
    close(features[0].iter().sum(), 2.0);
    assert_eq!(
        (&features[1], &features[2], &features[3]),
        (&vec![1.0, 3.0], &vec![0.0, 0.0, 3.0], &vec![0.0, 3.0])
    );
    let scores = day_totals(Family::Predictions, &reference.profile, &day, losses).unwrap();
    close(scores[0].iter().sum(), 3.0);
    let quality = day_totals(Family::Quality, &reference.profile, &day, losses).unwrap();
    close(quality[0][0], -(2.0 * 0.25_f64.ln() + 0.75_f64.ln()));
    let mean = Metric::LogLoss.row_loss(0.25, 1.0).unwrap();
    close(mean, -0.25_f64.ln());
    close(quality[0][1], 3.0);
}
