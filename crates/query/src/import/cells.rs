//! Texts as values of a type, and the columns that they are gathered in.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use mainstay_core::time::DataTime;
use mainstay_data::scalar::{parse_date, parse_timestamp};
use mainstay_data::schema::DataType;

use super::options::{ImportOptions, TextFormat};

/// A field, read as a value of its column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    /// An integer, an instant in microseconds, or a date in days.
    Int(i64),
    Float(f64),
    /// The field's own text.
    Text,
}

/// How texts are read as values: which of them mean null, and how numbers and dates are written.
pub(super) struct Grammar<'a> {
    null_tokens: &'a [String],
    text_null_tokens: &'a [String],
    format: TextFormat,
}

impl<'a> Grammar<'a> {
    pub(super) fn of(options: &'a ImportOptions) -> Self {
        let ImportOptions { null_tokens, text_null_tokens, format, .. } = options;
        Self { null_tokens, text_null_tokens, format: *format }
    }

    /// Whether `field` is null in a column of `data_type`.
    fn is_null(&self, field: &str, data_type: DataType) -> bool {
        let tokens = if data_type == DataType::Utf8 { self.text_null_tokens } else { self.null_tokens };
        tokens.iter().any(|token| token == field)
    }

    /// Whether `field` says nothing about the type of its column.
    pub(super) fn is_silent(&self, field: &str) -> bool {
        self.null_tokens.iter().any(|token| token == field)
    }

    /// Whether dates come in another form than RFC 3339's, too.
    pub(super) const fn has_date_order(&self) -> bool {
        self.format.date_order.is_some()
    }

    /// Reads a field; `None` if it is no value of that type.
    pub(super) fn parse(&self, field: &str, data_type: DataType) -> Option<Cell> {
        if data_type == DataType::Utf8 {
            return Some(if self.is_null(field, data_type) { Cell::Null } else { Cell::Text });
        }
        let field = field.trim_ascii();
        if self.is_null(field, data_type) {
            return Some(Cell::Null);
        }
        match data_type {
            DataType::Bool => parse_bool(field).map(Cell::Bool),
            DataType::Int64 => self.int(field).map(Cell::Int),
            DataType::Float64 => self.float(field).map(Cell::Float),
            DataType::Timestamp => self.timestamp(field).map(|at| Cell::Int(at.micros())),
            DataType::Date => self.date(field).map(|days| Cell::Int(i64::from(days))),
            DataType::Utf8 => None,
        }
    }

    /// A decimal integer, also one written as a float without a fraction (`517.0`, as pandas writes
    /// integers beside nulls), as long as a double holds it exactly.
    fn int(&self, field: &str) -> Option<i64> {
        field.parse().ok().or_else(|| whole(self.float(field)?))
    }

    /// A finite decimal number; words such as `inf` are none. With a decimal comma there is no point in it.
    pub(super) fn float(&self, field: &str) -> Option<f64> {
        if self.format.decimal_comma { parse_float_with_comma(field) } else { parse_float(field) }
    }

    /// An instant; a date alone is its midnight in UTC.
    pub(super) fn timestamp(&self, field: &str) -> Option<DataTime> {
        parse_timestamp(field).or_else(|| parse_timestamp(&self.format.date_order?.rfc3339(field)?))
    }

    /// A date: days since 1970-01-01.
    pub(super) fn date(&self, field: &str) -> Option<i32> {
        parse_date(field).or_else(|| parse_date(&self.format.date_order?.rfc3339(field)?))
    }
}

/// `true` or `false`, in any case.
pub(super) fn parse_bool(field: &str) -> Option<bool> {
    if field.eq_ignore_ascii_case("true") {
        Some(true)
    } else if field.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A float that is an integer, as that integer.
pub(super) fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "the value is whole and within ±2^53")]
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

/// A finite decimal number; words such as `inf` are none.
pub(super) fn parse_float(field: &str) -> Option<f64> {
    let numeric = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    if !field.bytes().all(numeric) {
        return None;
    }
    field.parse().ok().filter(|value: &f64| value.is_finite())
}

/// As [`parse_float`], with a comma where that has a point.
pub(super) fn parse_float_with_comma(field: &str) -> Option<f64> {
    if field.contains('.') { None } else { parse_float(&field.replace(',', ".")) }
}

/// A column under construction.
pub(super) enum ColumnBuilder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Date(Date32Builder),
}

impl ColumnBuilder {
    pub(super) fn new(data_type: DataType) -> Self {
        match data_type {
            DataType::Bool => Self::Bool(BooleanBuilder::new()),
            DataType::Int64 => Self::Int(Int64Builder::new()),
            DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            DataType::Date => Self::Date(Date32Builder::new()),
        }
    }

    /// Appends what [`Grammar::parse`] gave for this column's type; `field` is the text of [`Cell::Text`].
    pub(super) fn append(&mut self, cell: Cell, field: &str) {
        match (self, cell) {
            (Self::Bool(builder), Cell::Bool(value)) => builder.append_value(value),
            (Self::Int(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Float(builder), Cell::Float(value)) => builder.append_value(value),
            (Self::Text(builder), Cell::Text) => builder.append_value(field),
            (Self::Timestamp(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Date(builder), Cell::Int(value)) => builder.append_option(i32::try_from(value).ok()),
            (Self::Bool(builder), _) => builder.append_null(),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Float(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Timestamp(builder), _) => builder.append_null(),
            (Self::Date(builder), _) => builder.append_null(),
        }
    }

    /// The column so far; the builder starts again.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use DataType::{Bool, Date, Float64, Int64, Timestamp, Utf8};

    use mainstay_data::dates::DateOrder;

    use super::*;

    #[test]
    fn fields_are_read_by_type() {
        let options = ImportOptions::default();
        let grammar = Grammar::of(&options);
        let read = |field, data_type| grammar.parse(field, data_type);

        assert_eq!(read(" 517 ", Int64), Some(Cell::Int(517)));
        assert_eq!(read("517.0", Int64), Some(Cell::Int(517)));
        assert_eq!(read("9223372036854775807", Int64), Some(Cell::Int(i64::MAX)));
        for bad in ["5.5", "9223372036854775808", "1e300", "x", "١"] {
            assert_eq!(read(bad, Int64), None, "{bad}");
        }
        assert_eq!(read("-1.5e3", Float64), Some(Cell::Float(-1500.0)));
        for bad in ["inf", "1e999", "0x10", "1,5", "."] {
            assert_eq!(read(bad, Float64), None, "{bad}");
        }
        assert_eq!(read("TRUE", Bool), Some(Cell::Bool(true)));
        assert_eq!(read("1", Bool), None);
        assert_eq!(read("1970-01-02", Date), Some(Cell::Int(1)));
        assert_eq!(read("1970-01-01 00:00:01", Timestamp), Some(Cell::Int(1_000_000)));
        assert_eq!(read("1970-01-01T01:00:00.5+01:00", Timestamp), Some(Cell::Int(500_000)));
        assert_eq!(read("yesterday", Timestamp), None);

        assert_eq!([read("NA", Int64), read("", Date)], [Some(Cell::Null); 2]);
        assert_eq!([read("NA", Utf8), read("", Utf8)], [Some(Cell::Text), Some(Cell::Null)]);
    }
    #[test]
    fn numbers_and_dates_are_read_as_they_are_written() {
        let format =
            TextFormat { decimal_comma: true, date_order: Some(DateOrder::DayFirst), ..Default::default() };
        let options = ImportOptions { format, ..ImportOptions::default() };
        let grammar = Grammar::of(&options);
        let read = |field, data_type| grammar.parse(field, data_type);

        assert_eq!(read("-1,5", Float64), Some(Cell::Float(-1.5)));
        assert_eq!(read("517,0", Int64), Some(Cell::Int(517)));
        for bad in ["1.5", "1.234,5", "1,5,0"] {
            assert_eq!(read(bad, Float64), None, "{bad}");
        }
        assert_eq!(read("02.01.1970", Date), Some(Cell::Int(1)));
        assert_eq!(read("02/01/1970 00:00:01", Timestamp), Some(Cell::Int(86_401_000_000)));
        assert_eq!(read("1970-01-02", Date), Some(Cell::Int(1)), "RFC 3339 is always read");
        assert_eq!(read("01/31/1970", Date), None);
    }
}
