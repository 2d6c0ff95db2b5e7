//! `LinearClassifier` and `LinearRegressor`.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::ml::scores::{Labels, PostTransform};
use crate::node::{Built, Node};
use crate::ops::product_with_rows;
use crate::tensor::{DType, Data, Shape, Tensor};

/// Weights `[targets, features]` and an intercept per target, or none.
#[derive(Debug)]
struct Weights {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    targets: usize,
}

impl Weights {
    fn new(coefficients: &[f32], intercepts: &[f32], targets: usize) -> Result<Self, NodeError> {
        if coefficients.is_empty() || targets == 0 || !coefficients.len().is_multiple_of(targets) {
            return Err(NodeError::AttributeValue {
                name: "coefficients",
                problem: "must hold as many weights for each target",
            });
        }
        Ok(Self { coefficients: coefficients.to_vec(), intercepts: intercepts.to_vec(), targets })
    }

    fn features(&self) -> usize {
        self.coefficients.len() / self.targets
    }

    /// Rows and width of the input, which must be one feature per weight.
    fn rows(&self, shape: &Shape) -> Result<usize, KernelError> {
        let (rows, columns) = shape.rows_and_columns();
        if columns == self.features() && (1..=2).contains(&shape.rank()) {
            Ok(rows)
        } else {
            Err(KernelError::shape("the model was made for another number of features", *shape))
        }
    }
}

#[derive(Debug)]
struct LinearRegressor {
    weights: Weights,
    post_transform: PostTransform,
}

impl Kernel for LinearRegressor {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<f32>(0)?;
        let rows = self.weights.rows(&shape)?;
        outputs.budget.charge_work(rows, self.weights.coefficients.len())?;
        let out = outputs.buffer(0, Shape::matrix(rows, self.weights.targets))?;
        for row in data.chunks_exact(self.weights.features().max(1)) {
            product_with_rows(row, &self.weights.coefficients, &self.weights.intercepts, out);
        }
        out.chunks_exact_mut(self.weights.targets).for_each(|scores| self.post_transform.apply(scores));
        Ok(())
    }
}

/// Compiles `LinearRegressor` over float32.
pub(crate) fn build_regressor(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.input_of(0, &[DType::F32])?;
    let targets = node.int("targets")?.unwrap_or(1);
    let targets = usize::try_from(targets)
        .map_err(|_| NodeError::AttributeValue { name: "targets", problem: "is negative" })?;
    let intercepts = node.floats("intercepts")?;
    let intercepts = if intercepts.len() == targets { intercepts } else { &[] };
    let weights = Weights::new(node.floats("coefficients")?, intercepts, targets)?;
    Ok(Built::one(DType::F32, LinearRegressor { weights, post_transform: PostTransform::of(node)? }))
}

#[derive(Debug)]
struct LinearClassifier {
    weights: Weights,
    labels: Labels,
    post_transform: PostTransform,
}

impl LinearClassifier {
    /// The class with the greatest raw score; with a single score, whether it is above zero.
    fn class(scores: &[f32]) -> usize {
        if let [score] = scores {
            return usize::from(*score > 0.0);
        }
        let mut best = 0;
        let mut greatest = f32::NEG_INFINITY;
        for (class, &score) in scores.iter().enumerate() {
            if score > greatest || class == 0 {
                (best, greatest) = (class, score);
            }
        }
        best
    }

    /// The scores as they leave the operator. A single score stands for the second of two classes.
    fn push_scores(&self, scores: &mut [f32], out: &mut Vec<f32>) {
        if let ([score], true) = (&mut *scores, self.labels.len() == 2) {
            let mut positive = [*score];
            self.post_transform.apply(&mut positive);
            let [positive] = positive;
            out.extend([1.0 - positive, positive]);
            return;
        }
        self.post_transform.apply(scores);
        out.extend_from_slice(scores);
    }
}

impl Kernel for LinearClassifier {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let rows = self.weights.rows(source.shape())?;
        outputs.budget.charge_work(rows, self.weights.coefficients.len())?;
        let mut scores = std::mem::take(&mut outputs.workspace.f32);
        let mut converted = std::mem::take(&mut outputs.workspace.rows);
        scores.clear();
        for row in as_f32(source, &mut converted)?.chunks_exact(self.weights.features().max(1)) {
            product_with_rows(row, &self.weights.coefficients, &self.weights.intercepts, &mut scores);
        }
        let targets = self.weights.targets;
        self.labels.write(outputs, scores.chunks_exact(targets).map(Self::class))?;
        let columns = if targets == 1 { self.labels.len().min(2) } else { targets };
        let out = outputs.buffer(1, Shape::matrix(rows, columns))?;
        scores.chunks_exact_mut(targets).for_each(|scores| self.push_scores(scores, out));
        outputs.workspace.f32 = scores;
        outputs.workspace.rows = converted;
        Ok(())
    }
}

/// The data of a numeric tensor as float32, converted into `buffer` if need be.
pub(crate) fn as_f32<'a>(tensor: &'a Tensor, buffer: &'a mut Vec<f32>) -> Result<&'a [f32], KernelError> {
    buffer.clear();
    match tensor.data() {
        Data::F32(data) => return Ok(data),
        #[expect(clippy::cast_possible_truncation, reason = "linear classifiers compute in float32")]
        Data::F64(data) => buffer.extend(data.iter().map(|&value| value as f32)),
        Data::I64(data) => buffer.extend(data.iter().map(|&value| value as f32)),
        Data::I32(data) => buffer.extend(data.iter().map(|&value| value as f32)),
        Data::Bool(_) | Data::Str(_) => return Err(KernelError::Operand),
    }
    Ok(buffer)
}

/// Compiles `LinearClassifier`.
pub(crate) fn build_classifier(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.number(0)?;
    let intercepts = node.floats("intercepts")?;
    let weights = Weights::new(node.floats("coefficients")?, intercepts, intercepts.len())?;
    let labels = Labels::of(node, "classlabels_ints", "classlabels_strings")?;
    if labels.len() != weights.targets && (weights.targets != 1 || labels.len() != 2) {
        return Err(NodeError::AttributeValue {
            name: "classlabels_ints",
            problem: "must name one class per intercept",
        });
    }
    let dtypes = [labels.dtype(), DType::F32];
    let post_transform = PostTransform::of(node)?;
    Ok(Built::two(dtypes, LinearClassifier { weights, labels, post_transform }))
}
