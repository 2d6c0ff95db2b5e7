//! The daily look.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::AlarmError;
use super::calibration::{Baseline, Calibrated, CalibrationPlan, DayTotals, add};
use super::statistic::Series;
use crate::drift::benjamini_hochberg;

/// The days of a window, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Number of the first day.
    pub first_day: i64,
    /// Number of the last day.
    pub last_day: i64,
}

/// One series at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The series: its name, kind, statistic and effect floor.
    pub series: Series,
    /// The statistic of this window; absent if it had no rows.
    pub value: Option<f64>,
    /// What an unchanged series stays below for a whole horizon, with probability `1 − alpha`.
    pub critical: f64,
    /// Share of unchanged horizons that went as far at any look; 1 for any share above a fifth.
    pub p_value: f64,
    /// The same after Benjamini & Hochberg over the series of the monitor.
    pub adjusted_p: f64,
    /// Rows of the window.
    pub rows: u64,
    /// Rows of the reference.
    pub reference_rows: u64,
    /// For a PSI, `(B − 1)(1/n + 1/m)`: above 0.05 there are too few rows for its floor.
    pub expected: Option<f64>,
    /// Whether the sample was large enough to judge.
    pub is_judged: bool,
    /// Whether an alarm about this series is open after this look.
    pub is_open: bool,
}

/// An alarm: what has changed, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The window of the look that raised it.
    pub window: Window,
    /// The level that its adjusted p-values are held to.
    pub alpha: f64,
    /// The series that went off at this look, the greatest multiple of its floor first.
    pub signals: Vec<Signal>,
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Its window.
    pub window: Window,
    /// Every series, in the monitor's order.
    pub signals: Vec<Signal>,
    /// The alarm that begins with this look, if any.
    pub alarm: Option<Alarm>,
    /// The series whose alarm ends with this look.
    pub recovered: Vec<Series>,
}

/// A monitor of one family of series that become known together: the features of an endpoint, its
/// predictions, or its quality. Give each family its share of the endpoint's false-alarm budget as its
/// `alpha`.
///
/// An endpoint's page and its alarms read the same [`Look`]s. The state is small, and serialises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    baseline: Baseline,
    state: MonitorState,
}

/// What a monitor has seen, without the baseline that it compares with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorState {
    days: VecDeque<(i64, DayTotals)>,
    memory: Vec<Memory>,
}

/// What is remembered of a series from look to look.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Memory {
    /// The statistics of the last looks, absent ones included: as many as the windows reach back.
    recent: VecDeque<Option<f64>>,
    /// While an alarm is open: below this the series recovers.
    recovers_below: Option<f64>,
}

impl Memory {
    fn remember(&mut self, statistic: Option<f64>, plan: &CalibrationPlan) {
        self.recent.push_back(statistic);
        if self.recent.len() > plan.span() - plan.window_days + 1 {
            self.recent.pop_front();
        }
    }

    /// The statistics of the last `persistence` disjoint windows; `None` until all were judged.
    fn windows(&self, plan: &CalibrationPlan) -> Option<Vec<f64>> {
        let ends = self.recent.iter().rev().step_by(plan.window_days);
        let windows: Vec<f64> = ends.take(plan.persistence).map_while(|statistic| *statistic).collect();
        (windows.len() == plan.persistence).then_some(windows)
    }

    /// How far the series persisted: the least of those statistics.
    fn persisted(&self, plan: &CalibrationPlan) -> Option<f64> {
        Some(self.windows(plan)?.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// Opens an alarm, or ends it: it stays open until the statistic was clearly below what can raise
    /// one, so that a series on the border does not ring every other day.
    fn judge(&mut self, signal: &Signal, plan: &CalibrationPlan) {
        let persisted = self.persisted(plan);
        if let Some(below) = self.recovers_below {
            if self.windows(plan).is_some_and(|all| all.iter().all(|statistic| *statistic < below)) {
                self.recovers_below = None;
            }
        } else if signal.adjusted_p <= plan.alpha && persisted.is_some_and(|s| s >= signal.series.floor) {
            self.recovers_below = Some(plan.recovery * signal.critical.max(signal.series.floor));
        }
    }
}

impl Monitor {
    /// A monitor that has seen nothing yet.
    pub fn new(baseline: Baseline) -> Self {
        let memory = vec![Memory::default(); baseline.series.len()];
        Self { baseline, state: MonitorState { days: VecDeque::new(), memory } }
    }

    /// A monitor that goes on where one of the same baseline stood.
    ///
    /// # Errors
    /// [`AlarmError::Totals`] if the state was not one of this baseline.
    pub fn resume(baseline: Baseline, state: MonitorState) -> Result<Self, AlarmError> {
        let monitor = Self::new(baseline);
        let stray = state.days.iter().find(|(_, totals)| !monitor.fits(totals));
        match stray {
            Some((day, _)) => Err(AlarmError::Totals(*day)),
            None if state.memory.len() != monitor.state.memory.len() => Err(AlarmError::Totals(0)),
            None => Ok(Self { state, ..monitor }),
        }
    }

    /// What it has seen.
    pub fn state(&self) -> &MonitorState {
        &self.state
    }

    fn fits(&self, totals: &DayTotals) -> bool {
        totals.len() == self.baseline.series.len()
            && self.baseline.series.iter().zip(totals).all(|(series, totals)| {
                series.reference.len() == totals.len() && totals.iter().all(|total| total.is_finite())
            })
    }

    /// Adds one data day and looks, once a whole window of days is there. Days without rows may be
    /// left out: a window is the last so many days that had any.
    ///
    /// # Errors
    /// [`AlarmError::OutOfOrder`] or [`AlarmError::Totals`]; then nothing was folded.
    pub fn fold(&mut self, day: i64, totals: DayTotals) -> Result<Option<Look>, AlarmError> {
        if let Some((folded, _)) = self.state.days.back().filter(|(folded, _)| day <= *folded) {
            return Err(AlarmError::OutOfOrder { got: day, folded: *folded });
        }
        if !self.fits(&totals) {
            return Err(AlarmError::Totals(day));
        }
        self.state.days.push_back((day, totals));
        if self.state.days.len() > self.baseline.plan.window_days {
            self.state.days.pop_front();
        }
        Ok((self.state.days.len() == self.baseline.plan.window_days).then(|| self.look()))
    }

    /// The calibrated reference.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    fn look(&mut self) -> Look {
        let plan = self.baseline.plan;
        let mut signals: Vec<Signal> = Vec::with_capacity(self.state.memory.len());
        for (index, (calibrated, memory)) in
            self.baseline.series.iter().zip(&mut self.state.memory).enumerate()
        {
            let mut window = vec![0.0; calibrated.reference.len()];
            for totals in self.state.days.iter().filter_map(|(_, totals)| totals.get(index)) {
                add(&mut window, totals, 1.0);
            }
            let mut signal = measure(calibrated, &window, plan.alpha, plan.min_rows);
            memory.remember(signal.value.filter(|_| signal.is_judged), &plan);
            let persisted = memory.persisted(&plan);
            signal.p_value = persisted.map_or(1.0, |statistic| calibrated.p_value(statistic));
            signals.push(signal);
        }
        let p_values: Vec<f64> = signals.iter().map(|signal| signal.p_value).collect();
        let (mut raised, mut recovered) = (Vec::new(), Vec::new());
        let adjusted = benjamini_hochberg(&p_values);
        for ((signal, memory), adjusted_p) in signals.iter_mut().zip(&mut self.state.memory).zip(adjusted) {
            signal.adjusted_p = adjusted_p;
            let was_open = memory.recovers_below.is_some();
            memory.judge(signal, &plan);
            signal.is_open = memory.recovers_below.is_some();
            match (was_open, signal.is_open) {
                (false, true) => raised.push(signal.clone()),
                (true, false) => recovered.push(signal.series.clone()),
                _ => {}
            }
        }
        raised.sort_by(|a, b| b.multiple().total_cmp(&a.multiple()));
        let window = Window {
            first_day: self.state.days.front().map_or(0, |(day, _)| *day),
            last_day: self.state.days.back().map_or(0, |(day, _)| *day),
        };
        let alarm = (!raised.is_empty()).then_some(Alarm { window, alpha: plan.alpha, signals: raised });
        Look { window, signals, alarm, recovered }
    }
}

impl Signal {
    /// How many times its floor the statistic is.
    fn multiple(&self) -> f64 {
        self.value.unwrap_or(0.0) / self.series.floor
    }
}

fn measure(calibrated: &Calibrated, window: &[f64], alpha: f64, min_rows: u64) -> Signal {
    let statistic = calibrated.series.statistic;
    let expected = statistic.expected(&calibrated.reference, window);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of row counts")]
    let [rows, reference_rows] =
        [window, calibrated.reference.as_slice()].map(|totals| statistic.rows(totals).round() as u64);
    Signal {
        series: calibrated.series.clone(),
        value: statistic.value(&calibrated.reference, window),
        critical: calibrated.critical(alpha),
        p_value: 1.0,
        adjusted_p: 1.0,
        rows,
        reference_rows,
        expected,
        is_judged: rows >= min_rows && expected.is_none_or(|expected| expected <= 0.05),
        is_open: false,
    }
}
