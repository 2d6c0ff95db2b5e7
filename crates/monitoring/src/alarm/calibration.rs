//! How far unchanged days stray, by resampling the reference's own.

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use super::AlarmError;
use super::statistic::Series;

/// How a monitor looks, and how often it may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationPlan {
    /// Data days of a window; a look is taken at the end of each day. Whole weeks keep every weekday
    /// equally often in it.
    pub window_days: usize,
    /// Windows, one after the other, that must agree: a look counts as far as the least of them, so
    /// that no single wild day raises an alarm.
    pub persistence: usize,
    /// Looks of a horizon, and so the time over which `alpha` is spent; a new reference begins anew.
    pub looks: usize,
    /// P(any alarm within a horizon | nothing changed), for all series of one monitor together.
    pub alpha: f64,
    /// Reference days that are drawn together: as long as a spell of unusual days lasts.
    pub block_days: usize,
    /// Horizons drawn. A p-value is never below `1 / (replicates + 1)`.
    pub replicates: usize,
    /// The least rows of a window.
    pub min_rows: u64,
    /// An alarm is over when the last `persistence` windows all lie below this share of what can raise
    /// one.
    pub recovery: f64,
}

impl Default for CalibrationPlan {
    fn default() -> Self {
        Self {
            window_days: 14,
            persistence: 2,
            looks: 365,
            alpha: 0.01,
            block_days: 3,
            replicates: 2999,
            min_rows: 200,
            recovery: 0.8,
        }
    }
}

impl CalibrationPlan {
    /// Days that a look reaches back.
    pub(super) fn span(&self) -> usize {
        self.window_days * self.persistence
    }

    fn check(&self, days: usize, series: usize) -> Result<(), AlarmError> {
        let counts = [self.window_days, self.persistence, self.looks, self.block_days, self.replicates];
        if counts.contains(&0) || series == 0 {
            return Err(AlarmError::Plan(
                "a monitor needs a series, and every count of its plan is positive",
            ));
        }
        if !(self.alpha > 0.0 && self.alpha < 1.0 && self.recovery > 0.0 && self.recovery <= 1.0) {
            return Err(AlarmError::Plan("alpha lies between 0 and 1, and recovery is at most 1"));
        }
        let needed = (2 * self.window_days).max(2 * self.block_days);
        if days < needed {
            return Err(AlarmError::FewDays { got: days, window: self.window_days, needed });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive count")]
        let needed = (series as f64 / self.alpha).ceil() as usize;
        if self.replicates < needed {
            return Err(AlarmError::FewReplicates { series, needed });
        }
        Ok(())
    }
}

/// The totals of one data day: one list a series, in the series' order.
pub type DayTotals = Vec<Vec<f64>>;

/// What the reference says about each series: its totals, and how far unchanged horizons go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub(super) plan: CalibrationPlan,
    pub(super) series: Vec<Calibrated>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibrated {
    pub(super) series: Series,
    /// Totals of the whole reference.
    pub(super) reference: Vec<f64>,
    /// The greatest statistic of each drawn horizon, descending; only the upper fifth is kept.
    pub(super) extremes: Vec<f64>,
    replicates: usize,
}

impl Calibrated {
    /// The share of unchanged horizons that went at least this far, the one at hand included; 1 where
    /// that is more than a fifth.
    pub(super) fn p_value(&self, statistic: f64) -> f64 {
        let further = self.extremes.partition_point(|extreme| *extreme >= statistic);
        if further == self.extremes.len() {
            return 1.0;
        }
        (further + 1) as f64 / (self.replicates + 1) as f64
    }

    /// What a horizon stays below with probability `1 − alpha`.
    pub(super) fn critical(&self, alpha: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "alpha in (0, 1)")]
        let rank = (alpha * (self.replicates + 1) as f64) as usize;
        self.extremes.get(rank.saturating_sub(1)).or(self.extremes.last()).copied().unwrap_or(f64::INFINITY)
    }
}

impl Baseline {
    /// Draws the horizons. `days` are the totals of the reference's days in order, **of rows the model
    /// was not fitted on** wherever predictions or losses are concerned (out of fold, or held out).
    ///
    /// Cost: replicates × looks × bins; 2,000 × 365 × 300 bins take a few seconds.
    ///
    /// Sources: Politis & Romano, "A circular block-resampling procedure" (1992), for the draw; the
    /// maximum over a horizon as threshold is the run-length calibration of sequential detectors
    /// (Cobb, Van Looveren & Klaise, "Sequential multivariate change detection with calibrated and
    /// memoryless false detection rates", 2022).
    ///
    /// # Errors
    /// [`AlarmError::Plan`], [`AlarmError::FewDays`], [`AlarmError::FewReplicates`] or
    /// [`AlarmError::Totals`].
    pub fn calibrate(
        plan: CalibrationPlan,
        series: &[Series],
        days: &[DayTotals],
        rng: &mut impl Rng,
    ) -> Result<Self, AlarmError> {
        plan.check(days.len(), series.len())?;
        let mut drawings: Vec<Drawing<'_>> = Vec::with_capacity(series.len());
        for (index, one) in series.iter().enumerate() {
            drawings.push(Drawing::new(one, own_days(days, index, series.len())?));
        }
        for _ in 0..plan.replicates {
            let reference = draw(days.len(), days.len(), plan.block_days, rng);
            let stream = draw(days.len(), plan.span() + plan.looks - 1, plan.block_days, rng);
            for drawing in &mut drawings {
                drawing.replicate(&plan, &reference, &stream);
            }
        }
        Ok(Self { plan, series: drawings.into_iter().map(|drawing| drawing.finish(&plan)).collect() })
    }

    /// The plan it was drawn for.
    pub fn plan(&self) -> &CalibrationPlan {
        &self.plan
    }

    /// Whether it could have been drawn for these series, from days with totals of these widths: what
    /// was read from a file is checked before a monitor is made of it.
    pub(crate) fn takes(&self, series: &[Series], totals: &DayTotals) -> bool {
        self.plan.check(usize::MAX, series.len()).is_ok()
            && self.series().eq(series)
            && self.series.iter().map(|own| own.reference.len()).eq(totals.iter().map(Vec::len))
    }

    /// The watched series, in order.
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().map(|calibrated| &calibrated.series)
    }
}

/// The days of one series, checked.
fn own_days(days: &[DayTotals], index: usize, series: usize) -> Result<Vec<&[f64]>, AlarmError> {
    let mut own: Vec<&[f64]> = Vec::with_capacity(days.len());
    for (number, day) in days.iter().enumerate() {
        let totals = day.get(index).filter(|totals| {
            day.len() == series
                && own.first().is_none_or(|first| first.len() == totals.len())
                && totals.iter().all(|total| total.is_finite())
        });
        let wrong = || AlarmError::Totals(i64::try_from(number).unwrap_or(i64::MAX));
        own.push(totals.map(Vec::as_slice).ok_or_else(wrong)?);
    }
    Ok(own)
}

/// `count` day indexes in whole blocks of consecutive days, the last one following on the first.
fn draw(days: usize, count: usize, block: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(count + block);
    while drawn.len() < count {
        let start = rng.random_range(0..days);
        drawn.extend((start..start + block).map(|day| day % days));
    }
    drawn.truncate(count);
    drawn
}

/// One series while its horizons are drawn.
struct Drawing<'a> {
    series: &'a Series,
    days: Vec<&'a [f64]>,
    reference: Vec<f64>,
    spread: f64,
    extremes: Vec<f64>,
}

impl<'a> Drawing<'a> {
    fn new(series: &'a Series, days: Vec<&'a [f64]>) -> Self {
        let reference = sum_of(&days);
        let spread = daily_spread(series, &reference, &days);
        Self { series, days, reference, spread, extremes: Vec::new() }
    }

    /// Draws one horizon. Its statistic is taken in units of the drawn reference's own daily spread,
    /// and put back into those of the true one: a reference of few days may happen to show too little of
    /// how days differ, and the bootstrap would believe it (this is the bootstrap-t). The unit is kept
    /// above a quarter of the true one, so that a rare event that a draw misses cannot make it vanish.
    fn replicate(&mut self, plan: &CalibrationPlan, reference: &[usize], stream: &[usize]) {
        let pick = |at: &usize| self.days.get(*at).copied();
        let reference: Vec<&[f64]> = reference.iter().filter_map(pick).collect();
        let stream: Vec<&[f64]> = stream.iter().filter_map(pick).collect();
        let total = sum_of(&reference);
        let furthest = furthest(self.series, plan, &total, &stream);
        let unit = daily_spread(self.series, &total, &reference).max(self.spread / 4.0);
        self.extremes.push(if unit > 0.0 { furthest / unit * self.spread } else { furthest });
    }

    fn finish(mut self, plan: &CalibrationPlan) -> Calibrated {
        self.extremes.sort_unstable_by(|a, b| b.total_cmp(a));
        self.extremes.truncate(plan.replicates.div_ceil(5));
        Calibrated {
            series: self.series.clone(),
            reference: self.reference,
            extremes: self.extremes,
            replicates: plan.replicates,
        }
    }
}

/// Root mean square of the statistic of single days.
fn daily_spread(series: &Series, reference: &[f64], days: &[&[f64]]) -> f64 {
    let daily = days.iter().filter_map(|day| series.statistic.value(reference, day));
    let (squares, count) = daily.fold((0.0, 0.0), |(squares, count), x| (squares + x * x, count + 1.0));
    if count > 0.0 { f64::sqrt(squares / count) } else { 0.0 }
}

/// The greatest statistic over all looks at a stream of days, a look counting as far as the least of
/// its `persistence` disjoint windows.
fn furthest(series: &Series, plan: &CalibrationPlan, reference: &[f64], stream: &[&[f64]]) -> f64 {
    let mut window = vec![0.0; reference.len()];
    let mut looks: Vec<f64> = Vec::with_capacity(stream.len());
    let mut greatest = 0.0_f64;
    for (at, totals) in stream.iter().enumerate() {
        add(&mut window, totals, 1.0);
        if let Some(left) = at.checked_sub(plan.window_days).and_then(|gone| stream.get(gone)) {
            add(&mut window, left, -1.0);
        }
        if at + 1 >= plan.window_days {
            looks.push(series.statistic.value(reference, &window).unwrap_or(0.0));
        }
        if at + 1 >= plan.span() {
            let windows = looks.iter().rev().step_by(plan.window_days).take(plan.persistence);
            greatest = greatest.max(windows.copied().fold(f64::INFINITY, f64::min));
        }
    }
    greatest
}

fn sum_of(days: &[&[f64]]) -> Vec<f64> {
    let mut sum = vec![0.0; days.first().map_or(0, |day| day.len())];
    for day in days {
        add(&mut sum, day, 1.0);
    }
    sum
}

pub(super) fn add(sum: &mut [f64], totals: &[f64], sign: f64) {
    sum.iter_mut().zip(totals).for_each(|(sum, total)| *sum += sign * total);
}
