//! The domain's schemas and values as Arrow's.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray as _, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Field, Float64Type, Int64Type, Schema as ArrowSchema, SchemaRef,
    TimeUnit, TimestampMicrosecondType,
};
use mainstay_core::time::DataTime;
use mainstay_data::scalar::Scalar;
use mainstay_data::schema::{DataType, Schema};

/// The Arrow type in which a column is stored.
pub fn arrow_type(data_type: DataType) -> ArrowType {
    match data_type {
        DataType::Bool => ArrowType::Boolean,
        DataType::Int64 => ArrowType::Int64,
        DataType::Float64 => ArrowType::Float64,
        DataType::Utf8 => ArrowType::Utf8,
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Date => ArrowType::Date32,
    }
}

/// The Arrow schema in which a table is stored: every column may hold nulls.
pub fn arrow_schema(schema: &Schema) -> SchemaRef {
    let field =
        |column: &mainstay_data::schema::Column| Field::new(&column.name, arrow_type(column.data_type), true);
    Arc::new(ArrowSchema::new(schema.columns().iter().map(field).collect::<Vec<_>>()))
}

/// A column of a table by its type. `None` if the array is not what [`arrow_type`] says.
pub(crate) enum Values<'a> {
    Bool(&'a BooleanArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Timestamp(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
}

impl<'a> Values<'a> {
    pub(crate) fn of(array: &'a dyn Array, data_type: DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Bool => Self::Bool(array.as_boolean_opt()?),
            DataType::Int64 => Self::Int(array.as_primitive_opt::<Int64Type>()?),
            DataType::Float64 => Self::Float(array.as_primitive_opt::<Float64Type>()?),
            DataType::Utf8 => Self::Text(array.as_string_opt::<i32>()?),
            DataType::Timestamp => Self::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>()?),
            DataType::Date => Self::Date(array.as_primitive_opt::<Date32Type>()?),
        })
    }

    /// The value at `row`, which must exist; `None` for null.
    pub(crate) fn scalar(&self, row: usize) -> Option<Scalar> {
        match self {
            Self::Bool(a) => a.is_valid(row).then(|| Scalar::Bool(a.value(row))),
            Self::Int(a) => a.is_valid(row).then(|| Scalar::Int(a.value(row))),
            Self::Float(a) => a.is_valid(row).then(|| Scalar::Float(a.value(row))),
            Self::Text(a) => a.is_valid(row).then(|| Scalar::Text(a.value(row).to_owned())),
            Self::Timestamp(a) => {
                a.is_valid(row).then(|| Scalar::Timestamp(DataTime::from_micros(a.value(row))))
            }
            Self::Date(a) => a.is_valid(row).then(|| Scalar::Date(a.value(row))),
        }
    }
}
