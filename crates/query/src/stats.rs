//! Least and greatest values and nulls of columns, gathered while a file is written.

use arrow::array::{Array, ArrayRef};
use arrow::compute::{max, max_boolean, max_string, min, min_boolean, min_string};
use mainstay_core::time::DataTime;
use mainstay_data::scalar::Scalar;
use mainstay_data::schema::DataType;
use mainstay_data::table::ColumnStats;

use crate::columns::Values;

/// Longest text that is kept as a bound, in bytes.
const MAX_TEXT: usize = 256;

/// Gathers the statistics of one column over many batches.
#[derive(Debug, Default)]
pub(crate) struct StatsBuilder {
    bounds: Option<(Scalar, Scalar)>,
    nulls: u64,
}

impl StatsBuilder {
    pub(crate) fn update(&mut self, array: &ArrayRef, data_type: DataType) {
        self.nulls += array.null_count() as u64;
        let Some((low, high)) = Values::of(array, data_type).as_ref().and_then(bounds) else { return };
        self.bounds = Some(match self.bounds.take() {
            None => (low, high),
            Some((a, b)) => (if less(&low, &a) { low } else { a }, if less(&b, &high) { high } else { b }),
        });
    }

    pub(crate) fn finish(self) -> ColumnStats {
        let (min, max) = self.bounds.unzip();
        ColumnStats { min: min.filter(storable), max: max.filter(storable), nulls: self.nulls }
    }
}

fn bounds(values: &Values<'_>) -> Option<(Scalar, Scalar)> {
    Some(match values {
        Values::Bool(a) => (Scalar::Bool(min_boolean(a)?), Scalar::Bool(max_boolean(a)?)),
        Values::Int(a) => (Scalar::Int(min(a)?), Scalar::Int(max(a)?)),
        Values::Text(a) => (Scalar::Text(min_string(a)?.to_owned()), Scalar::Text(max_string(a)?.to_owned())),
        Values::Date(a) => (Scalar::Date(min(a)?), Scalar::Date(max(a)?)),
        Values::Timestamp(a) => {
            let at = |micros| Scalar::Timestamp(DataTime::from_micros(micros));
            (at(min(a)?), at(max(a)?))
        }
        Values::Float(a) => {
            let numbers = || a.iter().flatten().filter(|value| !value.is_nan());
            let low = numbers().reduce(f64::min)?;
            (Scalar::Float(low), Scalar::Float(numbers().reduce(f64::max)?))
        }
    })
}

fn less(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::Bool(a), Scalar::Bool(b)) => a < b,
        (Scalar::Int(a), Scalar::Int(b)) => a < b,
        (Scalar::Float(a), Scalar::Float(b)) => a < b,
        (Scalar::Text(a), Scalar::Text(b)) => a < b,
        (Scalar::Timestamp(a), Scalar::Timestamp(b)) => a < b,
        (Scalar::Date(a), Scalar::Date(b)) => a < b,
        _ => false,
    }
}

fn storable(bound: &Scalar) -> bool {
    match bound {
        Scalar::Float(value) => value.is_finite(),
        Scalar::Text(text) => text.len() <= MAX_TEXT,
        _ => true,
    }
}
