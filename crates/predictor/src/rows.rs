//! The rows of a request: one value for each feature of the endpoint's schema.

use mainstay_api::oip::per_row::MAX_ROWS;
use mainstay_api::oip::tensor::{Data, Tensor};
use mainstay_serving::schema::{FeatureKind, InputSchema, SchemaError, Violation};
use mainstay_serving::value::FeatureValue;

use super::columns::{Columns, integral};
use super::error::PredictError;

/// Most values of one request: rows times features.
const MAX_VALUES: usize = 1 << 22;

/// Rows of values in the order of the schema. What a request left out is null.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rows {
    count: usize,
    width: usize,
    values: Vec<FeatureValue>,
}

impl Rows {
    /// Takes the values from the tensors of a request. A tensor is one of `columns`' inputs, or a
    /// feature by its name. `hint` is the number of rows that the request's parameters speak of.
    ///
    /// NaN and the empty text mean that a value is missing.
    pub(super) fn gather(
        schema: &InputSchema,
        columns: &Columns,
        tensors: &[Tensor],
        hint: Option<usize>,
    ) -> Result<Self, PredictError> {
        let count = row_count(tensors, hint)?;
        let width = schema.features().len();
        let total = count.checked_mul(width).filter(|total| *total <= MAX_VALUES);
        let total = total.ok_or(PredictError::TooManyValues(MAX_VALUES))?;
        let mut rows = Self { count, width, values: vec![FeatureValue::Null; total] };
        let mut given = vec![false; width];
        for (place, tensor) in tensors.iter().enumerate() {
            let single;
            // As a rule they come in the model's order.
            let expected = columns.inputs().get(place).filter(|input| input.name == tensor.name);
            let input = expected.or_else(|| columns.inputs().iter().find(|input| input.name == tensor.name));
            let features = if let Some(input) = input {
                input.features.as_slice()
            } else {
                single = [schema.position(&tensor.name).map_err(|_| unknown(&tensor.name, columns))?];
                &single[..]
            };
            for position in features {
                if given.get_mut(*position).is_some_and(|flag| std::mem::replace(flag, true)) {
                    return Err(PredictError::GivenTwice(tensor.name.clone()));
                }
            }
            rows.fill(schema, tensor, features)?;
        }
        Ok(rows)
    }

    fn fill(
        &mut self,
        schema: &InputSchema,
        tensor: &Tensor,
        features: &[usize],
    ) -> Result<(), PredictError> {
        if tensor.data.len() != self.count * features.len() {
            let (name, width) = (tensor.name.clone(), features.len());
            return Err(PredictError::Width { name, width, given: tensor.shape.to_vec() });
        }
        for (column, position) in features.iter().enumerate() {
            let Some(feature) = schema.features().get(*position) else { continue };
            for (row, values) in self.values.chunks_exact_mut(self.width).enumerate() {
                if let Some(place) = values.get_mut(*position) {
                    *place = value(&tensor.data, row * features.len() + column, feature.kind);
                }
            }
        }
        Ok(())
    }

    /// How many rows.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The rows, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[FeatureValue]> {
        self.values.chunks_exact(self.width)
    }

    /// The rows, to complete them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut [FeatureValue]> {
        self.values.chunks_exact_mut(self.width)
    }

    /// Holds every row to the schema; what is unusual comes back, row by row.
    pub(super) fn check(&self, schema: &InputSchema) -> Result<Vec<Vec<Violation>>, SchemaError> {
        let check = |row: &[FeatureValue]| {
            let mut flagged = Vec::new();
            schema.check(row, &mut flagged).map(|()| flagged)
        };
        self.iter().map(check).collect()
    }
}

/// The first dimension, which all tensors share.
fn row_count(tensors: &[Tensor], hint: Option<usize>) -> Result<usize, PredictError> {
    let mut count = hint;
    for tensor in tensors {
        let given = tensor.shape.first().copied().unwrap_or(1);
        let expected = *count.get_or_insert(given);
        if given != expected {
            return Err(PredictError::RowCount { what: tensor.name.clone(), expected, given });
        }
    }
    match count.unwrap_or(1) {
        0 => Err(PredictError::NoRows),
        count if count > MAX_ROWS => Err(PredictError::TooManyRows(count)),
        count => Ok(count),
    }
}

fn unknown(name: &str, columns: &Columns) -> PredictError {
    let known: Vec<&str> = columns.inputs().iter().map(|input| input.name.as_str()).take(50).collect();
    PredictError::UnknownInput { name: name.chars().take(250).collect(), known: known.join(", ") }
}

/// One element as the schema's kind, where that loses nothing: matrices carry whole numbers and truth
/// values as floats.
fn value(data: &Data, at: usize, kind: FeatureKind) -> FeatureValue {
    let value = match data {
        Data::Bool(all) => all.get(at).map(|flag| FeatureValue::Boolean(*flag)),
        Data::I32(all) => all.get(at).map(|int| FeatureValue::Integer(i64::from(*int))),
        Data::I64(all) => all.get(at).map(|int| FeatureValue::Integer(*int)),
        Data::F32(all) => all.get(at).map(|number| FeatureValue::Float(f64::from(*number))),
        Data::F64(all) => all.get(at).map(|number| FeatureValue::Float(*number)),
        Data::Text(all) => {
            all.get(at).filter(|t| !t.is_empty()).map(|t| FeatureValue::Text((**t).to_owned()))
        }
    };
    match (kind, value) {
        (_, None) => FeatureValue::Null,
        (_, Some(missing)) if missing.is_missing() => FeatureValue::Null,
        (FeatureKind::Integer, Some(FeatureValue::Float(number))) => {
            integral(number).map_or(FeatureValue::Float(number), FeatureValue::Integer)
        }
        (FeatureKind::Boolean, Some(FeatureValue::Integer(int @ (0 | 1)))) => FeatureValue::Boolean(int == 1),
        (FeatureKind::Boolean, Some(FeatureValue::Float(number))) => match integral(number) {
            Some(int @ (0 | 1)) => FeatureValue::Boolean(int == 1),
            _ => FeatureValue::Float(number),
        },
        (_, Some(value)) => value,
    }
}
