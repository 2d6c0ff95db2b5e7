//! Arrow arrays of any simple type as one of the types that tables have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, Int64Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, Float64Type};
use mainstay_core::error::StorageError;
use mainstay_data::schema::DataType;

use super::cells::{Cell, ColumnBuilder, Grammar, whole};
use crate::columns::arrow_type;

/// The type that an Arrow type becomes by itself; `None` if tables have nothing like it.
pub(super) fn natural(from: &ArrowType) -> Option<DataType> {
    use ArrowType as A;
    Some(match from {
        A::Boolean => DataType::Bool,
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => {
            DataType::Int64
        }
        A::Float16
        | A::Float32
        | A::Float64
        | A::Decimal32(..)
        | A::Decimal64(..)
        | A::Decimal128(..)
        | A::Decimal256(..) => DataType::Float64,
        A::Utf8 | A::LargeUtf8 | A::Utf8View | A::Null => DataType::Utf8,
        A::Timestamp(..) => DataType::Timestamp,
        A::Date32 | A::Date64 => DataType::Date,
        A::Dictionary(_, values) => natural(values)?,
        _ => return None,
    })
}

/// Whether values of `from` can be read as `to`. Numbers are no instants: their unit is unknown.
pub(super) fn converts(from: &ArrowType, to: DataType) -> bool {
    use DataType::{Date, Float64, Int64, Timestamp, Utf8};
    let Some(natural) = natural(from) else { return false };
    natural == to
        || *from == ArrowType::Null
        || matches!(
            (natural, to),
            (Utf8, _)
                | (_, Utf8)
                | (Int64, Float64)
                | (Float64, Int64)
                | (Date, Timestamp)
                | (Timestamp, Date)
        )
}

/// A converted column, and the rows whose values did not convert: they hold null.
pub(super) struct Converted {
    pub(super) array: ArrayRef,
    pub(super) bad: Vec<usize>,
}

/// Converts a column whose type [`converts`]. Text is read as in CSV; a float becomes an integer only if
/// it is one.
pub(super) fn convert(
    array: &ArrayRef,
    to: DataType,
    grammar: &Grammar<'_>,
) -> Result<Converted, StorageError> {
    let from = natural(array.data_type());
    if from == Some(DataType::Utf8) && to != DataType::Utf8 && *array.data_type() != ArrowType::Null {
        return parsed(&cast(array, &ArrowType::Utf8)?, to, grammar);
    }
    if from == Some(DataType::Float64) && to == DataType::Int64 {
        return Ok(integral(&cast(array, &ArrowType::Float64)?));
    }
    let converted = cast(array, &arrow_type(to))?;
    let bad = if converted.null_count() > array.logical_null_count() {
        let before = array.logical_nulls();
        let was_null = |row| before.as_ref().is_some_and(|nulls| nulls.is_null(row));
        (0..array.len()).filter(|&row| converted.is_null(row) && !was_null(row)).collect()
    } else {
        Vec::new()
    };
    Ok(Converted { array: converted, bad })
}

fn cast(array: &ArrayRef, to: &ArrowType) -> Result<ArrayRef, StorageError> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| StorageError::Failed(error.into()))
}

fn parsed(texts: &ArrayRef, to: DataType, grammar: &Grammar<'_>) -> Result<Converted, StorageError> {
    let texts = texts.as_string_opt::<i32>();
    let texts = texts.ok_or_else(|| StorageError::Failed("a cast to text gave another type".into()))?;
    let mut builder = ColumnBuilder::new(to);
    let mut bad = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let cell = match text {
            None => Cell::Null,
            Some(text) => grammar.parse(text, to).unwrap_or_else(|| {
                bad.push(row);
                Cell::Null
            }),
        };
        builder.append(cell, "");
    }
    Ok(Converted { array: builder.finish(), bad })
}

fn integral(floats: &ArrayRef) -> Converted {
    let mut bad = Vec::new();
    let floats = floats.as_primitive::<Float64Type>();
    let whole_or_bad = |(row, value): (usize, Option<f64>)| {
        let value = value.filter(|value| !value.is_nan())?;
        let integer = whole(value);
        if integer.is_none() {
            bad.push(row);
        }
        integer
    };
    let array: Int64Array = floats.iter().enumerate().map(whole_or_bad).collect();
    Converted { array: Arc::new(array), bad }
}
