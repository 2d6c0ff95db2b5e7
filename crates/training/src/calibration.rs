//! Platt scaling: a monotone correction of a model's margin into a calibrated probability.

use serde::{Deserialize, Serialize};

/// The calibrated probability is σ(`slope` · margin + `intercept`), σ the logistic function.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    /// Factor of the margin, per unit of log-odds.
    pub slope: f64,
    /// Added log-odds.
    pub intercept: f64,
}

impl Platt {
    /// The calibrated log-odds of a margin.
    pub fn logit(self, margin: f64) -> f64 {
        self.slope * margin + self.intercept
    }

    /// The calibrated probability of a margin.
    pub fn probability(self, margin: f64) -> f64 {
        sigmoid(self.logit(margin))
    }

    /// Fits slope and intercept by maximum likelihood on smoothed targets: (n₊ + 1)/(n₊ + 2) for
    /// positive rows and 1/(n₋ + 2) for negative ones, so that separable rows give finite values.
    /// `None` if `margins` is empty, differs in length from `positive` or holds a value that is not finite.
    ///
    /// Sources: Platt, *Probabilistic outputs for support vector machines* (1999), for the model and
    /// the targets; Lin, Lin & Weng, *A note on Platt's probabilistic outputs for support vector
    /// machines*, Machine Learning 68 (2007), for Newton's method with backtracking, its ridge of
    /// 1e-12 and the loss in a form that neither overflows nor cancels. They write σ(−(A·m + B)).
    pub fn fit(margins: &[f64], positive: &[bool]) -> Option<Self> {
        if margins.is_empty() || margins.len() != positive.len() || margins.iter().any(|m| !m.is_finite()) {
            return None;
        }
        let hits = positive.iter().filter(|&&hit| hit).count() as f64;
        let misses = positive.len() as f64 - hits;
        let high = (hits + 1.0) / (hits + 2.0);
        let low = 1.0 / (misses + 2.0);
        let targets: Vec<f64> = positive.iter().map(|&hit| if hit { high } else { low }).collect();

        let mut fitted = Self { slope: 0.0, intercept: ((hits + 1.0) / (misses + 1.0)).ln() };
        let mut loss = fitted.loss(margins, &targets);
        for _ in 0..MAX_STEPS {
            let (gradient, hessian) = fitted.derivatives(margins, &targets);
            if gradient.iter().all(|g| g.abs() < TOLERANCE) {
                break;
            }
            let [saa, sab, sbb] = hessian;
            let determinant = saa * sbb - sab * sab;
            let slope_step = -(sbb * gradient[0] - sab * gradient[1]) / determinant;
            let intercept_step = -(saa * gradient[1] - sab * gradient[0]) / determinant;
            let descent = gradient[0] * slope_step + gradient[1] * intercept_step;
            let Some((next, next_loss)) = backtrack(|share| {
                let next = Self {
                    slope: fitted.slope + share * slope_step,
                    intercept: fitted.intercept + share * intercept_step,
                };
                let next_loss = next.loss(margins, &targets);
                (next_loss < loss + 1e-4 * share * descent).then_some((next, next_loss))
            }) else {
                break;
            };
            (fitted, loss) = (next, next_loss);
        }
        (fitted.slope.is_finite() && fitted.intercept.is_finite()).then_some(fitted)
    }

    /// The cross-entropy of the targets, summed: softplus(z) − t·z.
    fn loss(self, margins: &[f64], targets: &[f64]) -> f64 {
        margins
            .iter()
            .zip(targets)
            .map(|(&margin, &target)| {
                let z = self.logit(margin);
                softplus(z) - target * z
            })
            .sum()
    }

    /// Gradient [∂slope, ∂intercept] and Hessian [slope², slope·intercept, intercept²] of the loss.
    fn derivatives(self, margins: &[f64], targets: &[f64]) -> ([f64; 2], [f64; 3]) {
        let mut gradient = [0.0; 2];
        let mut hessian = [RIDGE, 0.0, RIDGE];
        for (&margin, &target) in margins.iter().zip(targets) {
            let p = self.probability(margin);
            let weight = p * (1.0 - p);
            gradient[0] += (p - target) * margin;
            gradient[1] += p - target;
            hessian[0] += weight * margin * margin;
            hessian[1] += weight * margin;
            hessian[2] += weight;
        }
        (gradient, hessian)
    }
}

const MAX_STEPS: usize = 100;
const TOLERANCE: f64 = 1e-9;
const RIDGE: f64 = 1e-12;

/// Tries the step whole, then halved, until `accept` takes it or the step is below 1e-10.
fn backtrack<T>(mut accept: impl FnMut(f64) -> Option<T>) -> Option<T> {
    let mut share = 1.0;
    while share >= 1e-10 {
        if let Some(accepted) = accept(share) {
            return Some(accepted);
        }
        share /= 2.0;
    }
    None
}

/// The logistic function 1 / (1 + e^−z), without overflow for any finite z.
pub(crate) fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

/// ln(1 + e^z), without overflow for any finite z.
pub(crate) fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}
