//! What classifiers and regressors do with their raw scores.

use std::sync::Arc;

use crate::error::{KernelError, NodeError};
use crate::kernel::Outputs;
use crate::node::Node;
use crate::tensor::{DType, Shape};

/// The `post_transform` of the `ai.onnx.ml` operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    pub(crate) fn of(node: &Node<'_>) -> Result<Self, NodeError> {
        Ok(match node.text("post_transform")?.unwrap_or("NONE") {
            "NONE" => Self::None,
            "SOFTMAX" => Self::Softmax,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            _ => return Err(NodeError::AttributeValue { name: "post_transform", problem: "is not known" }),
        })
    }

    /// By the number that `TreeEnsemble` stores.
    pub(crate) const fn numbered(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Softmax,
            2 => Self::Logistic,
            3 => Self::SoftmaxZero,
            4 => Self::Probit,
            _ => return None,
        })
    }

    /// Transforms the scores of one row.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            Self::Softmax => softmax(scores, |_| true),
            Self::SoftmaxZero => softmax(scores, |score| score.abs() > 1e-7),
        }
    }
}

/// The logistic function, computed so that nothing overflows.
pub(crate) fn logistic(score: f32) -> f32 {
    let upper = 1.0 / (1.0 + (-score.abs()).exp());
    if score < 0.0 { 1.0 - upper } else { upper }
}

/// The quantile function of the normal distribution by Winitzki's approximation of the inverse error
/// function (S. Winitzki, "A handy approximation for the error function and its inverse", 2008), with
/// the constant 0.147 that ONNX Runtime uses.
pub(crate) fn probit(probability: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * probability - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let root = ((half * half - log / A).sqrt() - half).sqrt();
    std::f32::consts::SQRT_2 * if x < 0.0 { -root } else { root }
}

/// Exponentials over their sum; a score that `takes_part` refuses is scaled instead, and stays zero
/// when it is zero.
fn softmax(scores: &mut [f32], takes_part: impl Fn(f32) -> bool) {
    let greatest = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut total = 0.0;
    for score in &mut *scores {
        if takes_part(*score) {
            *score = (*score - greatest).exp();
            total += *score;
        } else {
            *score *= (-greatest).exp();
        }
    }
    for score in scores {
        *score /= total;
    }
}

/// The labels of a classifier.
#[derive(Debug)]
pub(crate) enum Labels {
    Ints(Vec<i64>),
    Texts(Vec<Arc<str>>),
}

impl Labels {
    /// Reads the labels from the attributes; exactly one kind must be given, with two labels or more.
    pub(crate) fn of(node: &Node<'_>, ints: &'static str, texts: &'static str) -> Result<Self, NodeError> {
        let labels = (node.ints(ints)?.to_vec(), node.texts(texts)?);
        let labels = match labels {
            (ints, texts) if texts.is_empty() => Self::Ints(ints),
            (_, texts) => Self::Texts(texts),
        };
        if labels.len() < 2 {
            return Err(NodeError::AttributeValue { name: ints, problem: "must name two classes or more" });
        }
        Ok(labels)
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Ints(labels) => labels.len(),
            Self::Texts(labels) => labels.len(),
        }
    }

    pub(crate) const fn dtype(&self) -> DType {
        match self {
            Self::Ints(_) => DType::I64,
            Self::Texts(_) => DType::Str,
        }
    }

    /// Writes the label of each class in `classes` to output 0.
    pub(crate) fn write(
        &self,
        outputs: &mut Outputs<'_>,
        classes: impl ExactSizeIterator<Item = usize>,
    ) -> Result<(), KernelError> {
        let shape = Shape::vector(classes.len());
        match self {
            Self::Ints(labels) => {
                let out = outputs.buffer(0, shape)?;
                for class in classes {
                    out.push(*labels.get(class).ok_or(KernelError::Operand)?);
                }
            }
            Self::Texts(labels) => {
                let out = outputs.buffer(0, shape)?;
                for class in classes {
                    out.push(labels.get(class).ok_or(KernelError::Operand)?.clone());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_does_not_overflow() {
        let mut scores = [1000.0, 1001.0];
        PostTransform::Softmax.apply(&mut scores);
        assert!((scores[0] + scores[1] - 1.0).abs() < 1e-6);
        // 1 / (1 + e)
        assert!((scores[0] - 0.268_941_43).abs() < 1e-6);
    }

    #[test]
    fn softmax_zero_leaves_zeros() {
        let mut scores = [0.0, 1.0, 2.0];
        PostTransform::SoftmaxZero.apply(&mut scores);
        assert!(scores[0].abs() < f32::EPSILON);
        assert!((scores[1] + scores[2] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn probit_is_close_to_the_normal_quantile() {
        // scipy.stats.norm.ppf(0.975) = 1.959964, ppf(0.25) = -0.6744898; the approximation is good to 0.2 %.
        assert!((probit(0.975) - 1.959_964).abs() < 4e-3);
        assert!((probit(0.25) + 0.674_489_8).abs() < 2e-3);
    }
}
