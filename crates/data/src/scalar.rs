//! Single values: what statistics, filters and unexpected values hold.

use mainstay_core::time::{DataTime, civil, day_number};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::DataType;

/// One non-null value of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scalar {
    /// Of a [`DataType::Bool`] column.
    Bool(bool),
    /// Of a [`DataType::Int64`] column.
    Int(i64),
    /// Of a [`DataType::Float64`] column.
    Float(f64),
    /// Of a [`DataType::Utf8`] column.
    Text(String),
    /// Of a [`DataType::Timestamp`] column.
    Timestamp(DataTime),
    /// Of a [`DataType::Date`] column: days since 1970-01-01.
    Date(i32),
}

impl Scalar {
    /// The type of the columns that hold such values.
    pub const fn data_type(&self) -> DataType {
        match self {
            Self::Bool(_) => DataType::Bool,
            Self::Int(_) => DataType::Int64,
            Self::Float(_) => DataType::Float64,
            Self::Text(_) => DataType::Utf8,
            Self::Timestamp(_) => DataType::Timestamp,
            Self::Date(_) => DataType::Date,
        }
    }

    /// The value as JSON of its own kind; instants as RFC 3339, dates as `YYYY-MM-DD`, and floats
    /// that JSON cannot hold as `"Infinity"`, `"-Infinity"` and `"NaN"`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Float(value) if value.is_nan() => Value::from("NaN"),
            Self::Float(value) if value.is_infinite() => {
                Value::from(if *value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Self::Float(value) => Value::from(*value),
            Self::Text(value) => Value::from(value.as_str()),
            Self::Timestamp(value) => Value::from(value.to_string()),
            Self::Date(days) => {
                let (year, month, day) = civil(i64::from(*days));
                Value::from(format!("{year:04}-{month:02}-{day:02}"))
            }
        }
    }
}

/// Reads `YYYY-MM-DD` as days since 1970-01-01.
pub fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let field = |range: std::ops::Range<usize>| {
        let field = text.get(range)?;
        field.bytes().all(|b| b.is_ascii_digit()).then(|| field.parse::<u32>().ok())?
    };
    let number = day_number(i64::from(field(0..4)?), field(5..7)?, field(8..10)?)?;
    i32::try_from(number).ok()
}

/// Reads an instant as [`DataTime::parse`] does, and nothing outside ASCII.
pub fn parse_timestamp(text: &str) -> Option<DataTime> {
    if text.is_ascii() { DataTime::parse(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_instants_read_back_what_json_shows() {
        for text in ["1970-01-01", "2012-02-29", "0001-01-01", "9999-12-31"] {
            let days = parse_date(text).unwrap();
            assert_eq!(Scalar::Date(days).to_json(), text);
        }
        assert_eq!(parse_date("1970-01-02"), Some(1));
        for bad in ["2013-02-29", "2013-1-1", "2013-01-01T00", "20130101", "+013-01-01", "2013-01-é"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        let at = parse_timestamp("2013-01-01 05:00:00").unwrap();
        assert_eq!(Scalar::Timestamp(at).to_json(), "2013-01-01T05:00:00Z");
        assert_eq!(parse_timestamp("2013-01-01T00:00:00.12345é"), None);
    }

    #[test]
    fn floats_outside_json_are_words() {
        assert_eq!(Scalar::Float(f64::NEG_INFINITY).to_json(), "-Infinity");
        assert_eq!(Scalar::Float(1.0).to_json().to_string(), "1.0");
    }
}
