//! Making a reference from training rows.

use std::collections::BTreeMap;

use mainstay_core::time::DataTime;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{FORMAT, Family, Losses, Reference, ReferenceError, day_totals};
use crate::alarm::{Baseline, CalibrationPlan, DayTotals};
use crate::profile::{Column, Profile, ReferenceProfile, Value, Values};

/// The rows that a model version was trained on, column by column.
#[derive(Debug, Clone, Copy)]
pub struct TrainingRows<'a> {
    /// The features, in the order of the model's inputs.
    pub columns: &'a [Column<'a>],
    /// The data time of each row.
    pub times: &'a [DataTime],
    /// The probability of class 1 that a model **not fitted on the row** gave it (out of fold, or held
    /// out); `None` where there is none.
    pub scores: &'a [Option<f64>],
    /// What came true: 0 or 1.
    pub outcomes: &'a [f64],
}

/// How days are cut, and how each family is calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReferencePlan {
    /// Microseconds added to a data time before it is cut into days. Take the endpoint's.
    pub day_offset: i64,
    /// For the features.
    pub features: CalibrationPlan,
    /// For the scores.
    pub predictions: CalibrationPlan,
    /// For the loss.
    pub quality: CalibrationPlan,
}

impl Default for ReferencePlan {
    /// A false alarm in fifty years: 0.01 a year for the features, 0.005 for scores and loss each.
    fn default() -> Self {
        let at = |alpha| CalibrationPlan { alpha, ..CalibrationPlan::default() };
        Self { day_offset: 0, features: at(0.01), predictions: at(0.005), quality: at(0.005) }
    }
}

impl ReferencePlan {
    fn of(&self, family: Family, series: usize) -> CalibrationPlan {
        let plan = match family {
            Family::Features => self.features,
            Family::Predictions => self.predictions,
            Family::Quality | Family::Age => self.quality,
        };
        // As many draws as it takes for one series of so many to reach significance alone.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive count")]
        let needed = (series as f64 / plan.alpha).ceil() as usize;
        CalibrationPlan { replicates: plan.replicates.max(needed), ..plan }
    }
}

/// One data day of the training rows.
struct Day {
    profile: Profile,
    losses: Losses,
}

impl Reference {
    /// Profiles the rows and calibrates the three families on their days. A family that cannot be
    /// calibrated, because there are too few days for instance, is left unwatched with the reason.
    ///
    /// Cost: that of [`Baseline::calibrate`] for two series a feature; about two seconds for fifteen.
    ///
    /// # Errors
    /// [`ReferenceError::Profile`], [`ReferenceError::Ragged`] or [`ReferenceError::Row`].
    pub fn build(
        rows: &TrainingRows<'_>,
        plan: &ReferencePlan,
        rng: &mut impl Rng,
    ) -> Result<Self, ReferenceError> {
        let scores: Vec<f64> = rows.scores.iter().map(|score| score.unwrap_or(f64::NAN)).collect();
        let is_scored = scores.iter().any(|score| !score.is_nan());
        check(rows)?;
        let profile = ReferenceProfile::build(rows.columns, is_scored.then_some(scores.as_slice()))?;
        let days = days(rows, plan.day_offset, &profile)?;
        let mut calibrate = |family| calibrate(family, plan, &profile, &days, rng);
        let drawn = Family::WATCHED.map(|family| (family, calibrate(family)));
        let unwatched = drawn
            .iter()
            .filter_map(|(family, baseline)| Some((*family, baseline.as_ref().err()?.clone())))
            .collect();
        let [features, predictions, quality] = drawn.map(|(_, baseline)| baseline.ok());
        let trained_through = rows.times.iter().copied().max().unwrap_or_default();
        Ok(Self {
            format: FORMAT,
            trained_through,
            day_offset: plan.day_offset,
            profile,
            features,
            predictions,
            quality,
            unwatched,
        })
    }
}

fn check(rows: &TrainingRows<'_>) -> Result<(), ReferenceError> {
    let count = rows.times.len();
    for (what, got) in [("scores", rows.scores.len()), ("outcomes", rows.outcomes.len())] {
        if got != count {
            return Err(ReferenceError::Ragged { rows: count, what, got });
        }
    }
    if let Some(column) = rows.columns.first().filter(|column| column.values.len() != count) {
        return Err(ReferenceError::Ragged { rows: column.values.len(), what: "times", got: count });
    }
    let is_sound = |(score, outcome): (&Option<f64>, &f64)| {
        score.is_none_or(|score| (0.0..=1.0).contains(&score)) && [0.0, 1.0].contains(outcome)
    };
    match rows.scores.iter().zip(rows.outcomes).position(|row| !is_sound(row)) {
        Some(row) => Err(ReferenceError::Row(row)),
        None => Ok(()),
    }
}

fn days(
    rows: &TrainingRows<'_>,
    day_offset: i64,
    reference: &ReferenceProfile,
) -> Result<BTreeMap<i64, Day>, ReferenceError> {
    let mut days = BTreeMap::<i64, Day>::new();
    let mut row = Vec::with_capacity(rows.columns.len());
    let labelled = rows.scores.iter().zip(rows.outcomes);
    for (index, (time, (score, outcome))) in rows.times.iter().zip(labelled).enumerate() {
        row.clear();
        row.extend(rows.columns.iter().map(|column| match column.values {
            Values::Numeric(values) => values.get(index).map_or(Value::Missing, |v| Value::number(*v)),
            Values::Categorical(values) => Value::category(values.get(index).copied().flatten()),
        }));
        let day = days
            .entry(time.plus(day_offset).day())
            .or_insert_with(|| Day { profile: Profile::new(reference), losses: Losses::default() });
        day.profile.observe(reference, &row, *score)?;
        if let Some(score) = score {
            day.losses.add(*score, *outcome);
        }
    }
    Ok(days)
}

fn calibrate(
    family: Family,
    plan: &ReferencePlan,
    reference: &ReferenceProfile,
    days: &BTreeMap<i64, Day>,
    rng: &mut impl Rng,
) -> Result<Baseline, String> {
    let series = family.series(reference);
    let totals: Vec<DayTotals> =
        days.values().filter_map(|day| day_totals(family, reference, &day.profile, day.losses)).collect();
    if totals.is_empty() {
        return Err("no training row has a score from a model that was not fitted on it".to_owned());
    }
    Baseline::calibrate(plan.of(family, series.len()), &series, &totals, rng)
        .map_err(|error| error.to_string())
}
