//! A feature value, outside of any column.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DataTime;
use serde_json::Value as Json;
use thiserror::Error;

use crate::definition::Dtype;

/// A value that does not have the declared type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{found} is not a {expected}")]
pub struct ValueError {
    /// The declared type.
    pub expected: Dtype,
    /// The beginning of what was given.
    pub found: String,
}

impl Coded for ValueError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// [`Dtype::Bool`].
    Bool(bool),
    /// [`Dtype::Int64`].
    Int(i64),
    /// [`Dtype::Float64`].
    Float(f64),
    /// [`Dtype::String`].
    Text(String),
    /// [`Dtype::Timestamp`].
    Time(DataTime),
}

impl Value {
    /// Reads a JSON value as `dtype`. JSON null is [`Value::Null`]; a whole number is accepted as a
    /// float, never the reverse; an instant is RFC 3339 text.
    pub fn from_json(dtype: Dtype, json: &Json) -> Result<Self, ValueError> {
        let value = match (dtype, json) {
            (_, Json::Null) => Some(Self::Null),
            (Dtype::Bool, Json::Bool(b)) => Some(Self::Bool(*b)),
            (Dtype::Int64, Json::Number(n)) => n.as_i64().map(Self::Int),
            (Dtype::Float64, Json::Number(n)) => n.as_f64().map(Self::Float),
            (Dtype::String, Json::String(s)) => Some(Self::Text(s.clone())),
            (Dtype::Timestamp, Json::String(s)) => DataTime::parse(s).map(Self::Time),
            _ => None,
        };
        value
            .ok_or_else(|| ValueError { expected: dtype, found: json.to_string().chars().take(60).collect() })
    }

    /// The number that a model is given: booleans are 0 and 1, NULL is NaN; text and instants are none.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Null => Some(f64::NAN),
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(*f),
            Self::Text(_) | Self::Time(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_by_the_declared_type() {
        let read = |dtype, json| Value::from_json(dtype, &json).ok();
        assert_eq!(read(Dtype::Int64, json!(7)), Some(Value::Int(7)));
        assert_eq!(read(Dtype::Float64, json!(7)), Some(Value::Float(7.0)));
        assert_eq!(read(Dtype::String, json!("JFK")), Some(Value::Text("JFK".to_owned())));
        assert_eq!(read(Dtype::Bool, json!(null)), Some(Value::Null));
        let instant = DataTime::parse("2013-01-01T00:00:00Z").map(Value::Time);
        assert_eq!(read(Dtype::Timestamp, json!("2013-01-01")), instant);
        for (dtype, bad) in [
            (Dtype::Int64, json!(7.5)),
            (Dtype::Int64, json!("7")),
            (Dtype::String, json!(7)),
            (Dtype::Bool, json!(1)),
            (Dtype::Timestamp, json!("noon")),
            (Dtype::Float64, json!([1])),
        ] {
            assert_eq!(read(dtype, bad.clone()), None, "{dtype} {bad}");
        }
    }
}
