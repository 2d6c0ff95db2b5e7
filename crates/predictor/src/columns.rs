//! How a model's inputs read the features of an endpoint.
//!
//! An input of one column whose name is a feature's reads that feature. Any other input is a block: it
//! takes the next of the features that no input names, in the schema's order, as many as it is wide. So
//! both kinds of export work: one input a feature, and one matrix of all of them.

use std::sync::Arc;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_inference::{DType, Data, Model, Shape, Tensor, TensorError, TensorSpec};
use mainstay_serving::schema::{FeatureKind, InputSchema};
use mainstay_serving::value::FeatureValue;
use thiserror::Error;

use super::rows::Rows;

/// Why a model does not fit the schema of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum FitError {
    /// The first dimension is not the number of rows.
    #[error("the model's input '{0}' has a fixed number of rows; export it with an open first dimension")]
    FixedRows(String),
    /// A width that is not known.
    #[error("the model's input '{0}' does not say how wide it is; export it with a fixed second dimension")]
    Width(String),
    /// Features are missing.
    #[error(
        "the model's input '{input}' is {width} wide, and the endpoint's schema has only {left} features left for it"
    )]
    TooWide {
        /// The input.
        input: String,
        /// Its width.
        width: usize,
        /// Features that no other input reads.
        left: usize,
    },
    /// Text where numbers are wanted, or the reverse.
    #[error("the model's input '{input}' takes {dtype}, and the feature '{feature}' is of another kind")]
    Kind {
        /// The input.
        input: String,
        /// Its type.
        dtype: DType,
        /// The feature.
        feature: String,
    },
}

impl Coded for FitError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidModel
    }
}

/// A missing value for an input of whole numbers or truth values, which have none to stand for it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BuildError {
    /// Nothing can stand for a missing value.
    #[error("the model's input '{0}' cannot hold a missing value; send one, or export the model with floats")]
    Missing(String),
    /// The data does not fill the shape: a fault of ours.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// One input: its features, in the order of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// Its name.
    pub(super) name: String,
    /// Positions in the schema.
    pub(super) features: Vec<usize>,
    dtype: DType,
    /// That of one row.
    shape: Shape,
}

/// The inputs of a model, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns(Vec<Input>);

impl Columns {
    /// Assigns features to the inputs of a model.
    pub(super) fn fit(model: &Model, schema: &InputSchema) -> Result<Self, FitError> {
        let specs = model.inputs();
        let named = |spec: &TensorSpec| {
            let single = spec.shape.iter().skip(1).all(|size| *size == Some(1));
            single.then(|| schema.position(&spec.name).ok()).flatten()
        };
        let taken: Vec<usize> = specs.iter().filter_map(named).collect();
        let mut free = (0..schema.features().len()).filter(|position| !taken.contains(position));
        let mut left = schema.features().len() - taken.len();
        let mut inputs = Vec::with_capacity(specs.len());
        for spec in specs {
            let name = || spec.name.clone();
            if spec.shape.first() != Some(&None) {
                return Err(FitError::FixedRows(name()));
            }
            let (features, shape) = if let Some(position) = named(spec) {
                (vec![position], vec![1; spec.shape.len()])
            } else {
                // A lone matrix of unknown width is as wide as the schema.
                let open = if specs.len() == 1 && spec.shape.len() == 2 { Some(left) } else { None };
                let inner = spec.shape.iter().skip(1).map(|size| size.or(open));
                let shape: Option<Vec<usize>> = std::iter::once(Some(1)).chain(inner).collect();
                let shape = shape.ok_or_else(|| FitError::Width(name()))?;
                let width = shape.iter().fold(1_usize, |product, size| product.saturating_mul(*size));
                if width > left {
                    return Err(FitError::TooWide { input: name(), width, left });
                }
                left -= width;
                (free.by_ref().take(width).collect(), shape)
            };
            for feature in features.iter().filter_map(|position| schema.features().get(*position)) {
                if (feature.kind == FeatureKind::Text) != (spec.dtype == DType::Str) {
                    let feature = feature.name.clone();
                    return Err(FitError::Kind { input: name(), dtype: spec.dtype, feature });
                }
            }
            let shape = Shape::new(&shape).map_err(|_| FitError::Width(name()))?;
            inputs.push(Input { name: name(), features, dtype: spec.dtype, shape });
        }
        Ok(Self(inputs))
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> &[Input] {
        &self.0
    }

    /// The input tensors of some rows, in the model's order. A missing number is NaN, a missing text is
    /// empty: what the trainers of this field export for.
    pub(super) fn build(&self, rows: &Rows) -> Result<Vec<Tensor>, BuildError> {
        let mut tensors = Vec::with_capacity(self.0.len());
        for input in &self.0 {
            tensors.push(input.build(rows)?);
        }
        Ok(tensors)
    }
}

impl Input {
    fn build(&self, rows: &Rows) -> Result<Tensor, BuildError> {
        let missing = || BuildError::Missing(self.name.clone());
        let data = match self.dtype {
            #[expect(clippy::cast_possible_truncation, reason = "the model computes in f32")]
            DType::F32 => Data::F32(self.cells(rows).map(|cell| number(cell) as f32).collect()),
            DType::F64 => Data::F64(self.cells(rows).map(number).collect()),
            DType::I64 => {
                let cells: Option<Vec<i64>> = self.cells(rows).map(whole).collect();
                Data::I64(cells.ok_or_else(missing)?)
            }
            DType::I32 => {
                let cells = self.cells(rows).map(|cell| whole(cell).and_then(|int| i32::try_from(int).ok()));
                Data::I32(cells.collect::<Option<Vec<i32>>>().ok_or_else(missing)?)
            }
            DType::Bool => {
                let cells: Option<Vec<bool>> =
                    self.cells(rows).map(|cell| whole(cell).map(|int| int != 0)).collect();
                Data::Bool(cells.ok_or_else(missing)?)
            }
            DType::Str => Data::Str(self.cells(rows).map(text).collect()),
        };
        Ok(Tensor::new(self.shape.with_first(rows.count()).dims(), data)?)
    }

    /// The values of this input, row by row.
    fn cells<'r>(&'r self, rows: &'r Rows) -> impl Iterator<Item = &'r FeatureValue> {
        rows.iter().flat_map(move |row| self.features.iter().filter_map(move |position| row.get(*position)))
    }
}

fn number(cell: &FeatureValue) -> f64 {
    match cell {
        FeatureValue::Boolean(flag) => f64::from(u8::from(*flag)),
        other => other.as_number().unwrap_or(f64::NAN),
    }
}

fn whole(cell: &FeatureValue) -> Option<i64> {
    match cell {
        FeatureValue::Integer(int) => Some(*int),
        FeatureValue::Boolean(flag) => Some(i64::from(*flag)),
        FeatureValue::Float(number) => integral(*number),
        FeatureValue::Null | FeatureValue::Text(_) => None,
    }
}

/// A float that is a whole number within ±2^53, where every whole number is exact.
pub(super) fn integral(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked on the line above")]
    exact.then_some(number as i64)
}

fn text(cell: &FeatureValue) -> Arc<str> {
    match cell {
        FeatureValue::Text(text) => Arc::from(text.as_str()),
        _ => Arc::from(""),
    }
}
