//! Intervals whose unit is the data day.

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};
use statrs::function::beta::inv_beta_reg;

use super::PerformanceError;
use crate::quantile::of_sorted;
use crate::sequential::Interval;

/// From this many days on, days are resampled.
const BOOTSTRAP_DAYS: usize = 10;

/// How an interval is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resampling {
    /// Two-sided coverage, e.g. 0.95.
    pub level: f64,
    /// Bootstrap replicates.
    pub replicates: usize,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { level: 0.95, replicates: 2000 }
    }
}

/// How an interval was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// Percentiles of the figure over days drawn with replacement: ten days or more.
    DayBootstrap,
    /// Delete-one-day jackknife with Student's t on `days − 1` degrees: two to nine days, where the
    /// bootstrap's percentiles are too narrow.
    DayJackknife,
}

/// An interval of a figure over days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayInterval {
    /// Its ends.
    pub interval: Interval,
    /// How it was found.
    pub method: IntervalMethod,
    /// Days behind it.
    pub days: usize,
}

/// The interval of a figure that is a function of the days' weights (1 each for the figure itself).
/// `None` for fewer than two days, or if the figure is undefined for some resample that matters: one day
/// says nothing about how days differ.
///
/// Sources: Davison & Hinkley, "Bootstrap Methods and their Application" (1997), §3.8 (clusters are
/// resampled whole), §5.3.1 (percentile interval; quantiles by [`crate::quantile::of_sorted`]);
/// `MacKinnon`, Nielsen & Webb, "Cluster-robust inference: a guide to empirical practice" (2023), §2.4,
/// for the cluster jackknife (CV3) with few clusters.
///
/// # Errors
/// [`PerformanceError::Resampling`].
pub fn day_interval(
    days: usize,
    resampling: Resampling,
    figure: impl Fn(&[f64]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Result<Option<DayInterval>, PerformanceError> {
    let Resampling { level, replicates } = resampling;
    if !(level > 0.0 && level < 1.0) || replicates == 0 {
        return Err(PerformanceError::Resampling);
    }
    let (interval, method) = match days {
        0 | 1 => return Ok(None),
        2..BOOTSTRAP_DAYS => (jackknife(days, level, figure), IntervalMethod::DayJackknife),
        _ => (bootstrap(days, level, replicates, figure, rng), IntervalMethod::DayBootstrap),
    };
    Ok(interval.map(|interval| DayInterval { interval, method, days }))
}

fn bootstrap(
    days: usize,
    level: f64,
    replicates: usize,
    figure: impl Fn(&[f64]) -> Option<f64>,
    rng: &mut impl Rng,
) -> Option<Interval> {
    let mut weights = vec![0.0; days];
    let mut figures: Vec<f64> = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        weights.fill(0.0);
        for _ in 0..days {
            if let Some(weight) = weights.get_mut(rng.random_range(0..days)) {
                *weight += 1.0;
            }
        }
        // A resample of days without one of the classes has no AUC: it says nothing.
        figures.extend(figure(&weights));
    }
    if figures.len() * 10 < replicates * 9 {
        return None;
    }
    figures.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval { lower: of_sorted(&figures, tail)?, upper: of_sorted(&figures, 1.0 - tail)? })
}

fn jackknife(days: usize, level: f64, figure: impl Fn(&[f64]) -> Option<f64>) -> Option<Interval> {
    let mut weights = vec![1.0; days];
    let centre = figure(&weights)?;
    let mut squares = 0.0;
    for day in 0..days {
        weights.iter_mut().enumerate().for_each(|(at, weight)| *weight = f64::from(u8::from(at != day)));
        squares += (figure(&weights)? - centre).powi(2);
    }
    let degrees = (days - 1) as f64;
    let half = student_t(f64::midpoint(1.0, level), degrees) * (squares * degrees / days as f64).sqrt();
    Some(Interval { lower: centre - half, upper: centre + half })
}

/// The `p`-quantile of Student's t, `p > 1/2`. `scipy.stats.t.ppf`.
fn student_t(p: f64, degrees: f64) -> f64 {
    let x = inv_beta_reg(degrees / 2.0, 0.5, 2.0 * (1.0 - p));
    (degrees * (1.0 - x) / x).sqrt()
}
