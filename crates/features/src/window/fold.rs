//! One aggregate over the cells of one window.

use super::{Cell, WindowError};
use crate::definition::{Aggregate, Dtype, Function};
use crate::online::Value;

/// Folds the cells, in their order; NULLs are left out.
pub(super) fn fold(aggregate: &Aggregate, cells: impl Iterator<Item = Cell>) -> Result<Value, WindowError> {
    let cells = cells.filter(|cell| *cell != Cell::Null);
    match (aggregate.function, aggregate.dtype) {
        (Function::Count, _) => Ok(Value::Int(i64::try_from(cells.count()).unwrap_or(i64::MAX))),
        (Function::Sum, Dtype::Int64) => whole_sum(aggregate, cells),
        (Function::Min, Dtype::Int64) => Ok(cells.filter_map(whole).min().map_or(Value::Null, Value::Int)),
        (Function::Max, Dtype::Int64) => Ok(cells.filter_map(whole).max().map_or(Value::Null, Value::Int)),
        (Function::Sum, _) => Ok(Sum::of(cells).total().map_or(Value::Null, Value::Float)),
        (Function::Mean | Function::Rate, _) => Ok(Sum::of(cells).mean().map_or(Value::Null, Value::Float)),
        (Function::Min, _) => Ok(extreme(cells, |a, b| if b < a || b.is_nan() { b } else { a })),
        (Function::Max, _) => Ok(extreme(cells, |a, b| if b > a || b.is_nan() { b } else { a })),
    }
}

fn whole(cell: Cell) -> Option<i64> {
    match cell {
        Cell::Int(i) => Some(i),
        Cell::Null | Cell::Float(_) => None,
    }
}

fn double(cell: Cell) -> f64 {
    match cell {
        Cell::Int(i) => i as f64,
        Cell::Float(f) => f,
        Cell::Null => f64::NAN,
    }
}

fn whole_sum(aggregate: &Aggregate, cells: impl Iterator<Item = Cell>) -> Result<Value, WindowError> {
    let mut sum: Option<i128> = None;
    for value in cells.filter_map(whole) {
        sum = Some(sum.unwrap_or(0) + i128::from(value));
    }
    let Some(sum) = sum else { return Ok(Value::Null) };
    i64::try_from(sum).map(Value::Int).map_err(|_| WindowError::Overflow(aggregate.name.clone()))
}

/// The extreme by `choose`, into which a NaN must pass; NULL of nothing.
fn extreme(cells: impl Iterator<Item = Cell>, choose: impl Fn(f64, f64) -> f64) -> Value {
    let keep = |a: f64, b: f64| if a.is_nan() { a } else { choose(a, b) };
    cells.map(double).reduce(keep).map_or(Value::Null, Value::Float)
}

/// Neumaier's compensated sum.
#[derive(Default)]
struct Sum {
    count: u64,
    plain: f64,
    compensation: f64,
}

impl Sum {
    fn of(cells: impl Iterator<Item = Cell>) -> Self {
        cells.map(double).fold(Self::default(), |mut so_far, value| {
            let plain = so_far.plain + value;
            so_far.compensation += if so_far.plain.abs() >= value.abs() {
                (so_far.plain - plain) + value
            } else {
                (value - plain) + so_far.plain
            };
            so_far.plain = plain;
            so_far.count += 1;
            so_far
        })
    }

    fn total(&self) -> Option<f64> {
        // An infinite sum makes the compensation NaN; the plain sum is then the answer.
        let compensated = self.plain + self.compensation;
        (self.count > 0).then_some(if self.plain.is_finite() { compensated } else { self.plain })
    }

    fn mean(&self) -> Option<f64> {
        self.total().map(|total| total / self.count as f64)
    }
}
