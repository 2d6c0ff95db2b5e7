//! `TreeEnsembleRegressor` and `TreeEnsemble`, and the sums over leaves that all tree operators share.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::ml::scores::PostTransform;
use crate::node::{Built, Node};
use crate::tensor::{DType, Data, Shape, Tensor};
use crate::trees::attributes::{self, Names};
use crate::trees::compact;
use crate::trees::ensemble::{Ensemble, Leaves, Real};

/// How the trees' weights for a target become its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

impl Aggregate {
    fn of(node: &Node<'_>) -> Result<Self, NodeError> {
        Ok(match node.text("aggregate_function")?.unwrap_or("SUM") {
            "SUM" => Self::Sum,
            "AVERAGE" => Self::Average,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            _ => {
                return Err(NodeError::AttributeValue {
                    name: "aggregate_function",
                    problem: "is not known",
                });
            }
        })
    }

    /// By the number that `TreeEnsemble` stores.
    const fn numbered(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Average,
            1 => Self::Sum,
            2 => Self::Min,
            3 => Self::Max,
            _ => return None,
        })
    }

    fn combine<T: Real>(self, score: &mut T, seen: &mut bool, weight: T) {
        match self {
            Self::Sum | Self::Average => *score += weight,
            Self::Min => {
                if !*seen || weight < *score {
                    *score = weight;
                }
            }
            Self::Max => {
                if !*seen || weight > *score {
                    *score = weight;
                }
            }
        }
        *seen = true;
    }
}

/// Scores per row, and whether any leaf had a weight for them. With [`Leaves::Single`] there is one
/// column, always seen; otherwise one per target.
pub(crate) struct Scores<'a, T> {
    pub(crate) scores: &'a mut Vec<T>,
    pub(crate) seen: &'a mut Vec<bool>,
}

impl<T: Real> Ensemble<T> {
    pub(crate) const fn columns(&self) -> usize {
        match self.leaves {
            Leaves::Single { .. } => 1,
            Leaves::Dense(_) | Leaves::Sparse { .. } => self.targets,
        }
    }

    /// Adds up the leaves of all rows, in the type of the thresholds and in the order of the trees, as
    /// ONNX Runtime does.
    pub(crate) fn score(&self, rows: &[T], width: usize, aggregate: Aggregate, out: Scores<'_, T>) {
        let columns = self.columns();
        let Scores { scores, seen } = out;
        let adds = matches!(aggregate, Aggregate::Sum | Aggregate::Average);
        let sparse = matches!(self.leaves, Leaves::Sparse { .. });
        let count = rows.len() / width.max(1) * columns;
        scores.clear();
        scores.resize(count, T::ZERO);
        seen.clear();
        seen.resize(count, adds && !sparse);
        match &self.leaves {
            Leaves::Single { .. } if adds => self.walk(rows, width, |row, weight| {
                if let Some(score) = scores.get_mut(row) {
                    *score += weight;
                }
            }),
            Leaves::Single { .. } => self.walk(rows, width, |row, weight| {
                if let (Some(score), Some(seen)) = (scores.get_mut(row), seen.get_mut(row)) {
                    aggregate.combine(score, seen, weight);
                }
            }),
            Leaves::Dense(weights) => self.walk(rows, width, |row, leaf| {
                let first = leaf.unpack() as usize * columns;
                let weights = weights.get(first..first + columns).unwrap_or_default();
                let range = row * columns..(row + 1) * columns;
                let scores = scores.get_mut(range.clone()).unwrap_or_default();
                if adds {
                    scores.iter_mut().zip(weights).for_each(|(score, &weight)| *score += weight);
                } else {
                    let seen = seen.get_mut(range).unwrap_or_default();
                    for ((score, seen), &weight) in scores.iter_mut().zip(seen).zip(weights) {
                        aggregate.combine(score, seen, weight);
                    }
                }
            }),
            Leaves::Sparse { ranges, weights } => self.walk(rows, width, |row, leaf| {
                let range = ranges.get(leaf.unpack() as usize).cloned().unwrap_or_default();
                for &(target, weight) in weights.get(range).unwrap_or_default() {
                    let at = row * columns + target as usize;
                    if let (Some(score), Some(seen)) = (scores.get_mut(at), seen.get_mut(at)) {
                        aggregate.combine(score, seen, weight);
                    }
                }
            }),
        }
    }
}

/// An ensemble over float32 (which also serves integers) or over float64.
#[derive(Debug)]
pub(crate) enum AnyEnsemble {
    F32(Ensemble<f32>),
    F64(Ensemble<f64>),
}

impl AnyEnsemble {
    pub(crate) fn new(dtype: DType, source: &super::source::Source, single: bool) -> Result<Self, NodeError> {
        if dtype == DType::F64 {
            Ensemble::new(source, single).map(Self::F64)
        } else {
            Ensemble::new(source, single).map(Self::F32)
        }
    }
}

/// Checks that the rows are wide enough, and charges the budget for the walk.
pub(crate) fn admit<T: Real>(
    ensemble: &Ensemble<T>,
    input: &Tensor,
    outputs: &mut Outputs<'_>,
) -> Result<(usize, usize), KernelError> {
    let shape = *input.shape();
    let (rows, width) = shape.rows_and_columns();
    if width < ensemble.features || !(1..=2).contains(&shape.rank()) {
        let problem = "the trees ask for more features than the input has";
        return Err(KernelError::shape(problem, shape));
    }
    outputs.budget.charge_work(rows, ensemble.steps)?;
    outputs.budget.charge_elements(rows.saturating_mul(ensemble.columns()))?;
    Ok((rows, width))
}

/// The rows in the type in which an ensemble over float32 compares.
pub(crate) fn rows_f32<'a>(input: &'a Tensor, buffer: &'a mut Vec<f32>) -> Result<&'a [f32], KernelError> {
    match input.data() {
        Data::F64(_) => Err(KernelError::Operand),
        _ => crate::ml::as_f32(input, buffer),
    }
}

/// Base values and transformation of a regressor.
#[derive(Debug)]
struct Finish {
    aggregate: Aggregate,
    base: Vec<f64>,
    post_transform: PostTransform,
}

impl Finish {
    fn push<T: Real>(&self, ensemble: &Ensemble<T>, scores: &[T], seen: &[bool], out: &mut Vec<f32>) {
        let targets = ensemble.targets;
        let trees = T::from_count(ensemble.tree_count());
        for (scores, seen) in scores.chunks_exact(targets).zip(seen.chunks_exact(targets)) {
            let first = out.len();
            for (target, (&score, &seen)) in scores.iter().zip(seen).enumerate() {
                let base = T::from_f64(self.base.get(target).copied().unwrap_or(0.0));
                let score = match self.aggregate {
                    Aggregate::Average => score.div(trees),
                    Aggregate::Min | Aggregate::Max if !seen => T::ZERO,
                    _ => score,
                };
                out.push(score.add(base).to_f32());
            }
            // As ONNX Runtime: a single score is transformed by PROBIT only; exports put a Sigmoid
            // node behind it where they want one.
            if targets > 1 || self.post_transform == PostTransform::Probit {
                self.post_transform.apply(out.get_mut(first..).unwrap_or_default());
            }
        }
    }
}

#[derive(Debug)]
struct TreeEnsembleRegressor {
    ensemble: AnyEnsemble,
    finish: Finish,
}

impl Kernel for TreeEnsembleRegressor {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let input = inputs.tensor(0)?;
        let mut seen = std::mem::take(&mut outputs.workspace.seen);
        match &self.ensemble {
            AnyEnsemble::F32(ensemble) => {
                let (rows, width) = admit(ensemble, input, outputs)?;
                let mut scores = std::mem::take(&mut outputs.workspace.f32);
                let mut buffer = std::mem::take(&mut outputs.workspace.rows);
                let data = rows_f32(input, &mut buffer)?;
                ensemble.score(
                    data,
                    width,
                    self.finish.aggregate,
                    Scores { scores: &mut scores, seen: &mut seen },
                );
                let out = outputs.buffer(0, Shape::matrix(rows, ensemble.targets))?;
                self.finish.push(ensemble, &scores, &seen, out);
                outputs.workspace.f32 = scores;
                outputs.workspace.rows = buffer;
            }
            AnyEnsemble::F64(ensemble) => {
                let (rows, width) = admit(ensemble, input, outputs)?;
                let mut scores = std::mem::take(&mut outputs.workspace.f64);
                let (_, data) = inputs.slice::<f64>(0)?;
                ensemble.score(
                    data,
                    width,
                    self.finish.aggregate,
                    Scores { scores: &mut scores, seen: &mut seen },
                );
                let out = outputs.buffer(0, Shape::matrix(rows, ensemble.targets))?;
                self.finish.push(ensemble, &scores, &seen, out);
                outputs.workspace.f64 = scores;
            }
        }
        outputs.workspace.seen = seen;
        Ok(())
    }
}

/// The declared number of targets.
fn targets(node: &Node<'_>) -> Result<usize, NodeError> {
    let targets = node.int("n_targets")?.unwrap_or(1);
    usize::try_from(targets)
        .ok()
        .filter(|targets| (1..=1 << 20).contains(targets))
        .ok_or(NodeError::AttributeValue { name: "n_targets", problem: "is absurd" })
}

fn checked_base(base: Vec<f64>, targets: usize) -> Result<Vec<f64>, NodeError> {
    if base.is_empty() || base.len() == targets {
        return Ok(base);
    }
    Err(NodeError::AttributeValue { name: "base_values", problem: "must hold one value per target, or none" })
}

/// Compiles `TreeEnsembleRegressor`.
pub(crate) fn build_regressor(node: &Node<'_>) -> Result<Built, NodeError> {
    const NAMES: Names = Names {
        ids: "target_ids",
        nodes: "target_nodeids",
        trees: "target_treeids",
        weights: "target_weights",
        weights_tensor: "target_weights_as_tensor",
    };
    node.arity(1, 1)?;
    let dtype = node.number(0)?;
    let targets = targets(node)?;
    let source = attributes::read(node, &NAMES, targets)?;
    let base = attributes::numbers(node, "base_values", "base_values_as_tensor")?;
    let finish = Finish {
        aggregate: Aggregate::of(node)?,
        base: checked_base(base, targets)?,
        post_transform: PostTransform::of(node)?,
    };
    let ensemble = AnyEnsemble::new(dtype, &source, targets == 1)?;
    Ok(Built::one(DType::F32, TreeEnsembleRegressor { ensemble, finish }))
}

/// Compiles `TreeEnsemble` over float32.
pub(crate) fn build_ensemble(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let dtype = node.input_of(0, &[DType::F32])?;
    let targets = targets(node)?;
    let source = compact::read(node, targets)?;
    let unknown = |name| NodeError::AttributeValue { name, problem: "is not known" };
    let finish = Finish {
        aggregate: Aggregate::numbered(node.int("aggregate_function")?.unwrap_or(1))
            .ok_or(unknown("aggregate_function"))?,
        base: Vec::new(),
        post_transform: PostTransform::numbered(node.int("post_transform")?.unwrap_or(0))
            .ok_or(unknown("post_transform"))?,
    };
    let ensemble = AnyEnsemble::new(dtype, &source, targets == 1)?;
    Ok(Built::one(DType::F32, TreeEnsembleRegressor { ensemble, finish }))
}
