//! A one-sided test of the mean of bounded observations by betting.

use serde::{Deserialize, Serialize};

use super::SequentialError;

/// The range that observations are known, or made, to lie in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least value.
    pub lower: f64,
    /// The greatest value.
    pub upper: f64,
}

impl Bounds {
    /// The value itself, or the bound that it passes.
    pub fn winsorise(&self, value: f64) -> f64 {
        value.max(self.lower).min(self.upper)
    }
}

/// On which side of the null value the alternative lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// Null: the mean is at least the null value. Evidence says that it is below.
    Below,
    /// Null: the mean is at most the null value. Evidence says that it is above.
    Above,
}

/// The gamblers: the share of the greatest bet that cannot lose everything, and the share of the
/// first wealth. The boldest starts with half of it, because clear cases should end soon; the mixture
/// is behind the best gambler in hindsight by `ln 2` if that is the boldest and `ln 32` at most.
const GAMBLERS: [(f64, f64); 6] = [
    (0.95, 0.5),
    (0.475, 0.25),
    (0.2375, 0.125),
    (0.118_75, 0.0625),
    (0.059_375, 0.031_25),
    (0.029_687_5, 0.031_25),
];

/// An e-process for the mean of observations in known bounds.
///
/// With null value `m` and alternative *above*, gambler `k` multiplies its wealth by
/// `1 + λ_k (x − m)`, `λ_k = stake_k / (m − lower)`; *below* is the mirror image. The e-value is
/// their total wealth.
///
/// Under the null — **the running average of the conditional means** of the observations is at most
/// `m`; they need be neither independent nor identically distributed — P(the e-value ever reaches
/// 1/α) ≤ α (Ville). A bet that stays the same over time is what buys the *average*: the expected
/// wealth is at most `Π (1 + λ (μ_i − m)) ≤ exp(λ Σ (μ_i − m)) ≤ 1`. Adaptive bets would need every
/// single conditional mean to obey the null, and days don't.
///
/// Sources: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting" (JRSS B
/// 2024), §4; the average-mean reading as in Choe & Ramdas, "Comparing sequential forecasters" (2024).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BettingTest {
    null: f64,
    bounds: Bounds,
    alternative: Alternative,
    log_wealth: [f64; GAMBLERS.len()],
    peak: f64,
    folded: u64,
}

impl BettingTest {
    /// A test with no evidence yet.
    ///
    /// # Errors
    /// [`SequentialError::Plan`] unless all are finite and `lower < null < upper`.
    pub fn new(null: f64, bounds: Bounds, alternative: Alternative) -> Result<Self, SequentialError> {
        let finite = bounds.lower.is_finite() && bounds.upper.is_finite();
        if finite && bounds.lower < null && null < bounds.upper {
            Ok(Self {
                null,
                bounds,
                alternative,
                log_wealth: GAMBLERS.map(|(_, share)| share.ln()),
                peak: 0.0,
                folded: 0,
            })
        } else {
            Err(SequentialError::Plan("the null value must lie between finite bounds"))
        }
    }

    /// Folds one observation, winsorised to the bounds; what is then tested is the mean of the
    /// winsorised value.
    ///
    /// # Errors
    /// [`SequentialError::NotFinite`]; then nothing was folded.
    pub fn fold(&mut self, observation: f64) -> Result<(), SequentialError> {
        if !observation.is_finite() {
            return Err(SequentialError::NotFinite);
        }
        let x = self.bounds.winsorise(observation);
        let gain = match self.alternative {
            Alternative::Above => (x - self.null) / (self.null - self.bounds.lower),
            Alternative::Below => (self.null - x) / (self.bounds.upper - self.null),
        };
        for (wealth, (stake, _)) in self.log_wealth.iter_mut().zip(GAMBLERS) {
            // The gain is at least -1 and the stake at most 0.95.
            *wealth += (stake * gain).ln_1p();
        }
        self.folded += 1;
        self.peak = self.peak.max(self.log_e());
        Ok(())
    }

    /// Natural logarithm of the present e-value.
    pub fn log_e(&self) -> f64 {
        let greatest = self.log_wealth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.log_wealth.iter().map(|wealth| (wealth - greatest).exp()).sum();
        greatest + sum.ln()
    }

    /// Natural logarithm of the greatest e-value so far; its negative bounds the logarithm of an
    /// anytime-valid p-value.
    pub fn peak_log_e(&self) -> f64 {
        self.peak
    }

    /// Whether the null was ever rejected at level `alpha`: the peak reached `1 / alpha`.
    pub fn rejects(&self, alpha: f64) -> bool {
        self.peak >= -alpha.ln()
    }

    /// How many observations are folded.
    pub fn folded(&self) -> u64 {
        self.folded
    }

    /// The same test with no evidence yet.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { log_wealth: GAMBLERS.map(|(_, share)| share.ln()), peak: 0.0, folded: 0, ..self.clone() }
    }
}
