//! Label-free guards: stop a candidate that breaks, within the data day.

use serde::{Deserialize, Serialize};

use super::{Alternative, BettingTest, Bounds, SequentialError};

/// What a guard counts on each request that both arms scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarded {
    /// An event of the candidate less the same event of the incumbent, −1, 0 or 1: an error, a
    /// fallback, a late answer, a feature outside its training range. What befalls both arms cancels.
    Excess,
    /// An event of the pair, 0 or 1: the two scores lie further apart than they did offline, or a
    /// feature of one name has two values.
    Rate,
}

/// One guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Its name, as shown.
    pub name: String,
    /// What it counts.
    pub counts: Guarded,
    /// The rate, as an average over the requests of a day, that is still tolerable; between 0 and 1.
    /// For a [`Guarded::Rate`] take the worst offline day and add the shift that matters.
    pub tolerance: f64,
}

/// Where one guard stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuardReading {
    /// Its name.
    pub name: String,
    /// Requests counted on the present day.
    pub requests: u64,
    /// The mean of what it counts on the present day.
    pub rate: f64,
    /// The tolerable rate.
    pub tolerance: f64,
    /// Greatest log e-value of the present day, against `rate ≤ tolerance`.
    pub log_e: f64,
    /// Whether it has ever tripped.
    pub tripped: bool,
}

/// Several guards over one rollout, folded request by request in (event time, prediction id) order.
///
/// Every guard is one [`BettingTest`] that starts afresh each data day: evidence of quiet days must
/// not have to be paid back before a fault shows. The level is shared out over guards and days, so
/// P(any guard ever trips on a candidate within all tolerances) ≤ `alpha`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    alpha: f64,
    day: Option<i64>,
    states: Vec<State>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    guard: Guard,
    test: BettingTest,
    sum: f64,
    tripped: bool,
}

impl Guards {
    /// Guards for a rollout of at most `days` data days, with total level `alpha`.
    ///
    /// # Errors
    /// [`SequentialError::Plan`] for a level or tolerance outside (0, 1), or no day.
    pub fn new(guards: Vec<Guard>, alpha: f64, days: u32) -> Result<Self, SequentialError> {
        if !(alpha > 0.0 && alpha < 1.0) || days == 0 {
            return Err(SequentialError::Plan("alpha lies between 0 and 1, and a plan has at least a day"));
        }
        let shares = guards.len().max(1) as f64 * f64::from(days);
        let states = guards.into_iter().map(|guard| {
            let lower = match guard.counts {
                Guarded::Excess => -1.0,
                Guarded::Rate => 0.0,
            };
            let test = BettingTest::new(guard.tolerance, Bounds { lower, upper: 1.0 }, Alternative::Above)?;
            if guard.tolerance > 0.0 {
                Ok(State { guard, test, sum: 0.0, tripped: false })
            } else {
                Err(SequentialError::Plan("a tolerance lies between 0 and 1"))
            }
        });
        Ok(Self { alpha: alpha / shares, day: None, states: states.collect::<Result<_, _>>()? })
    }

    /// Folds one request: for each guard, in order, what it counts, or `None` where that is not known
    /// (an arm gave no score). Returns whether any guard has tripped.
    ///
    /// # Errors
    /// [`SequentialError::Width`], [`SequentialError::OutOfOrder`] for a day before the present one,
    /// [`SequentialError::NotFinite`]; then nothing was folded.
    pub fn fold(&mut self, day: i64, counted: &[Option<f64>]) -> Result<bool, SequentialError> {
        if counted.len() != self.states.len() {
            return Err(SequentialError::Width { got: counted.len(), expected: self.states.len() });
        }
        if let Some(folded) = self.day.filter(|folded| day < *folded) {
            return Err(SequentialError::OutOfOrder { got: day, folded });
        }
        if counted.iter().flatten().any(|x| !x.is_finite()) {
            return Err(SequentialError::NotFinite);
        }
        if self.day != Some(day) {
            self.day = Some(day);
            for state in &mut self.states {
                state.test = state.test.restarted();
                state.sum = 0.0;
            }
        }
        for (state, x) in self.states.iter_mut().zip(counted) {
            if let Some(x) = x {
                state.test.fold(*x)?;
                state.sum += x;
                state.tripped |= state.test.rejects(self.alpha);
            }
        }
        Ok(self.has_tripped())
    }

    /// Whether any guard has tripped.
    pub fn has_tripped(&self) -> bool {
        self.states.iter().any(|state| state.tripped)
    }

    /// The figures of every guard.
    pub fn readings(&self) -> Vec<GuardReading> {
        let reading = |state: &State| {
            let requests = state.test.folded();
            GuardReading {
                name: state.guard.name.clone(),
                requests,
                rate: if requests == 0 { 0.0 } else { state.sum / requests as f64 },
                tolerance: state.guard.tolerance,
                log_e: state.test.peak_log_e(),
                tripped: state.tripped,
            }
        };
        self.states.iter().map(reading).collect()
    }
}
