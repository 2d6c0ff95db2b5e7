//! Gates on a quality metric over the rows of a held-out span.

use rand::Rng;

use super::{Figure, Outcome, Verdict, below, figure, shown};
use crate::performance::{Metric, PerformanceError, Resampling, Scored, paired_difference, report};
use crate::sequential::Interval;

/// Is the model better than always answering `constant`: the share of class 1, or the mean, of its
/// **training** rows? Paired over days; passes if the whole interval of the difference is an
/// improvement. The trivial figure always stands beside the model's.
///
/// # Errors
/// [`PerformanceError`] for rows the metric cannot take.
pub fn better_than_trivial(
    metric: Metric,
    model: &[Scored],
    constant: f64,
    resampling: Resampling,
    rng: &mut impl Rng,
) -> Result<Verdict, PerformanceError> {
    let trivial: Vec<Scored> = model.iter().map(|row| Scored { score: constant, ..*row }).collect();
    let worse = Worsening::of(metric, model, &trivial, resampling, rng)?;
    let outcome = match worse.interval {
        Some(interval) if interval.upper < 0.0 => Outcome::Passed,
        Some(interval) if interval.lower >= 0.0 => Outcome::Failed,
        _ => Outcome::Inconclusive,
    };
    let said = match outcome {
        Outcome::Passed => "is better than",
        Outcome::Failed => "is no better than",
        Outcome::Inconclusive => "is not shown to be better than",
    };
    let sentence = format!("{} {said} the trivial answer {constant:.4}: it {}", metric.name(), worse.shown());
    let figures = vec![
        figure("model", metric.value(model)?),
        figure("trivial", metric.value(&trivial)?),
        worse.figure(0.0),
    ];
    Ok(Verdict { name: "better_than_trivial".to_owned(), outcome, figures, sentence })
}

/// Is the candidate no worse than the incumbent by more than `margin`? Both scored the same rows; the
/// interval is a paired bootstrap over days. `margin` 0 asks for no worsening at all, a negative one for
/// an improvement.
///
/// # Errors
/// [`PerformanceError`] for rows the metric cannot take, or that are not the same.
pub fn against_incumbent(
    metric: Metric,
    candidate: &[Scored],
    incumbent: &[Scored],
    margin: f64,
    resampling: Resampling,
    rng: &mut impl Rng,
) -> Result<Verdict, PerformanceError> {
    let worse = Worsening::of(metric, candidate, incumbent, resampling, rng)?;
    let outcome = below(worse.interval, margin);
    let said = match outcome {
        Outcome::Passed if worse.interval.is_some_and(|interval| interval.upper < 0.0) => {
            "the candidate is better than the incumbent"
        }
        Outcome::Passed => "the candidate is no worse than the incumbent",
        Outcome::Failed => "the candidate is worse than the incumbent",
        Outcome::Inconclusive => "the candidate is not shown to be as good as the incumbent",
    };
    let sentence = format!("{said}: {} {}, margin {margin:.4}", metric.name(), worse.shown());
    let figures = vec![
        figure("candidate", metric.value(candidate)?),
        figure("incumbent", metric.value(incumbent)?),
        worse.figure(margin),
    ];
    Ok(Verdict { name: "against_incumbent".to_owned(), outcome, figures, sentence })
}

/// Is the expected calibration error at most `ceiling`? It is never 0 on a finite sample, and the
/// smaller the sample the greater: leave room for that.
///
/// # Errors
/// [`PerformanceError`] for rows the metric cannot take.
pub fn calibration(
    rows: &[Scored],
    ceiling: f64,
    resampling: Resampling,
    rng: &mut impl Rng,
) -> Result<Verdict, PerformanceError> {
    let report = report(Metric::Ece, rows, rows.len() as u64, resampling, rng)?;
    let interval = report.interval.map(|found| found.interval);
    let outcome = below(interval, ceiling);
    let sentence =
        format!("the expected calibration error is {}, ceiling {ceiling:.4}", shown(report.value, interval));
    let error = Figure { name: "ece".to_owned(), value: report.value, interval, limit: Some(ceiling) };
    let figures = vec![error, figure("rows", Some(report.rows as f64))];
    Ok(Verdict { name: "calibration".to_owned(), outcome, figures, sentence })
}

/// How much worse one model is than another: the difference, with its sign turned so that positive is
/// worse whatever the metric.
struct Worsening {
    value: Option<f64>,
    interval: Option<Interval>,
}

impl Worsening {
    fn of(
        metric: Metric,
        ours: &[Scored],
        theirs: &[Scored],
        resampling: Resampling,
        rng: &mut impl Rng,
    ) -> Result<Self, PerformanceError> {
        let (value, found) = paired_difference(metric, ours, theirs, resampling, rng)?;
        let interval = found.map(|found| found.interval);
        Ok(if metric.greater_is_better() {
            let turned = interval.map(|Interval { lower, upper }| Interval { lower: -upper, upper: -lower });
            Self { value: value.map(|value| -value), interval: turned }
        } else {
            Self { value, interval }
        })
    }

    /// In words: what is less than nothing is an improvement.
    fn shown(&self) -> String {
        if self.value.is_some_and(|value| value < 0.0) {
            let turned =
                self.interval.map(|Interval { lower, upper }| Interval { lower: -upper, upper: -lower });
            return format!("improves by {}", shown(self.value.map(|value| -value), turned));
        }
        format!("worsens by {}", shown(self.value, self.interval))
    }

    fn figure(&self, limit: f64) -> Figure {
        Figure {
            name: "worsening".to_owned(),
            value: self.value,
            interval: self.interval,
            limit: Some(limit),
        }
    }
}
