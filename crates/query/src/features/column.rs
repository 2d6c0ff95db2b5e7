//! Feature values in columns: reading them one by one, and building columns of them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, BooleanBuilder, Float64Array, Float64Builder, Int64Array,
    Int64Builder, StringArray, StringBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type, TimestampMicrosecondType};
use mainstay_core::time::DataTime;
use mainstay_data::schema::{Column, DataType, Schema, SchemaError};
use mainstay_features::definition::{CREATED_TIMESTAMP, Dtype, EVENT_TIMESTAMP, FeatureView};
use mainstay_features::online::Value;

use crate::columns::arrow_type;

/// The type of a table's column that holds values of a dtype.
pub(super) const fn data_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::Bool => DataType::Bool,
        Dtype::Int64 => DataType::Int64,
        Dtype::Float64 => DataType::Float64,
        Dtype::String => DataType::Utf8,
        Dtype::Timestamp => DataType::Timestamp,
    }
}

/// The Arrow type of a dtype.
pub(super) fn arrow_of(dtype: Dtype) -> ArrowType {
    arrow_type(data_type(dtype))
}

/// The columns of a view's emitted rows.
pub fn view_schema(view: &FeatureView) -> Result<Schema, SchemaError> {
    let mut columns: Vec<Column> =
        view.keys.iter().map(|key| Column::new(&key.name, data_type(key.dtype))).collect();
    columns.push(Column::new(EVENT_TIMESTAMP, DataType::Timestamp));
    columns.push(Column::new(CREATED_TIMESTAMP, DataType::Timestamp));
    columns.extend(view.schema().into_iter().map(|(name, dtype)| Column::new(name, data_type(dtype))));
    Schema::new(columns)
}

/// A column, read value by value.
pub(super) enum Reader<'a> {
    Bool(&'a BooleanArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Time(&'a TimestampMicrosecondArray),
}

impl<'a> Reader<'a> {
    /// `None` if the array is of a type that no dtype has.
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            ArrowType::Boolean => Self::Bool(array.as_boolean_opt()?),
            ArrowType::Int64 => Self::Int(array.as_primitive_opt::<Int64Type>()?),
            ArrowType::Float64 => Self::Float(array.as_primitive_opt::<Float64Type>()?),
            ArrowType::Utf8 => Self::Text(array.as_string_opt::<i32>()?),
            ArrowType::Timestamp(..) => Self::Time(array.as_primitive_opt::<TimestampMicrosecondType>()?),
            _ => return None,
        })
    }

    /// The value of a row, which must exist.
    pub(super) fn value(&self, row: usize) -> Value {
        match self {
            Self::Bool(a) if a.is_valid(row) => Value::Bool(a.value(row)),
            Self::Int(a) if a.is_valid(row) => Value::Int(a.value(row)),
            Self::Float(a) if a.is_valid(row) => Value::Float(a.value(row)),
            Self::Text(a) if a.is_valid(row) => Value::Text(a.value(row).to_owned()),
            Self::Time(a) if a.is_valid(row) => Value::Time(DataTime::from_micros(a.value(row))),
            _ => Value::Null,
        }
    }
}

/// A column in the making.
pub(super) enum Builder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    pub(super) fn new(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Bool => Self::Bool(BooleanBuilder::new()),
            Dtype::Int64 => Self::Int(Int64Builder::new()),
            Dtype::Float64 => Self::Float(Float64Builder::new()),
            Dtype::String => Self::Text(StringBuilder::new()),
            Dtype::Timestamp => {
                Self::Time(TimestampMicrosecondBuilder::new().with_data_type(arrow_of(Dtype::Timestamp)))
            }
        }
    }

    /// Appends a value. NULL, and a value of another type, which no caller has, become NULL.
    pub(super) fn append(&mut self, value: Option<&Value>) {
        match (self, value) {
            (Self::Bool(b), Some(Value::Bool(v))) => b.append_value(*v),
            (Self::Int(b), Some(Value::Int(v))) => b.append_value(*v),
            (Self::Float(b), Some(Value::Float(v))) => b.append_value(*v),
            (Self::Text(b), Some(Value::Text(v))) => b.append_value(v),
            (Self::Time(b), Some(Value::Time(v))) => b.append_value(v.micros()),
            (Self::Bool(b), _) => b.append_null(),
            (Self::Int(b), _) => b.append_null(),
            (Self::Float(b), _) => b.append_null(),
            (Self::Text(b), _) => b.append_null(),
            (Self::Time(b), _) => b.append_null(),
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int(b) => Arc::new(b.finish()),
            Self::Float(b) => Arc::new(b.finish()),
            Self::Text(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
        }
    }
}
