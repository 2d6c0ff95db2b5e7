//! What is said: any JSON value, kept as the text that Python's `json.dumps` writes of it, which is what filters of
//! clients are written against.

use std::fmt::Write as _;

use serde_json::Value;

use crate::error::TraceError;
use crate::info::at_most;

/// Longest value, as text, in characters.
pub const MAX_VALUE: usize = 65_536;

/// A JSON value, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessmentValue(Box<str>);

impl AssessmentValue {
    /// Takes a value.
    pub fn new(value: &Value) -> Result<Self, TraceError> {
        let mut text = String::new();
        put(value, &mut text);
        at_most("value", &text, MAX_VALUE)?;
        Ok(Self(text.into()))
    }

    /// Takes the text of one, which was made by [`new`](Self::new).
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value.
    pub fn json(&self) -> Value {
        // What was written from a value is one.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The number that it is, if it is one.
    pub fn number(&self) -> Option<f64> {
        // Most are short texts or flags, which need not be read.
        let is_number = self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if is_number { self.0.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
    }

    /// The number that it counts as in a mean: a flag, `yes` and `no` are 1 and 0
    /// (`assessment_aggregate` in `mlflow/store/tracking/utils/trace_analytics.py`).
    pub fn measure(&self) -> Option<f64> {
        match &*self.0 {
            "true" => return Some(1.0),
            "false" => return Some(0.0),
            _ => {}
        }
        let text = self.0.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match text {
            Some(text) if text.trim().eq_ignore_ascii_case("yes") => Some(1.0),
            Some(text) if text.trim().eq_ignore_ascii_case("no") => Some(0.0),
            Some(_) => None,
            None => self.number(),
        }
    }
}

/// A text as JSON: what [`AssessmentValue::as_str`] is of a text.
pub(crate) fn quoted(text: &str) -> String {
    let mut to = String::with_capacity(text.len() + 2);
    put_text(text, &mut to);
    to
}

/// `json.dumps(value, sort_keys=True)`: a stock server keeps the names in no order at all.
fn put(value: &Value, to: &mut String) {
    match value {
        Value::String(text) => put_text(text, to),
        Value::Array(items) => {
            to.push('[');
            for (at, item) in items.iter().enumerate() {
                to.push_str(if at == 0 { "" } else { ", " });
                put(item, to);
            }
            to.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            to.push('{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                to.push_str(if at == 0 { "" } else { ", " });
                put_text(name, to);
                to.push_str(": ");
                put(value, to);
            }
            to.push('}');
        }
        plain => to.push_str(&plain.to_string()),
    }
}

/// A text in quotes, with nothing but ASCII in it.
fn put_text(text: &str, to: &mut String) {
    for c in Value::from(text).to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            to.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(to, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(value: &Value) -> AssessmentValue {
        AssessmentValue::new(value).unwrap()
    }

    #[test]
    fn texts_are_those_of_python() {
        let all = json!({"b": [1.0, 2.5, true, null], "a": "é\"\n😀", "c": {}});
        // Made with Python 3: json.dumps(…, sort_keys=True).
        let text = r#"{"a": "\u00e9\"\n\ud83d\ude00", "b": [1.0, 2.5, true, null], "c": {}}"#;
        assert_eq!(value(&all).as_str(), text);
        assert_eq!(value(&all).json(), all);
        assert_eq!(quoted("é\""), r#""\u00e9\"""#);
        assert!(AssessmentValue::new(&json!("x".repeat(MAX_VALUE))).is_err());
    }

    /// Made with `assessment_aggregate` of `MLflow` 3.18.
    #[test]
    fn measures_are_those_of_the_clients_own_server() {
        for (told, measure, number) in [
            (json!(true), Some(1.0), None),
            (json!(false), Some(0.0), None),
            (json!(4.0), Some(4.0), Some(4.0)),
            (json!(-2.5), Some(-2.5), Some(-2.5)),
            (json!(" Yes "), Some(1.0), None),
            (json!("NO"), Some(0.0), None),
            (json!("4"), None, None),
            (json!("true"), None, None),
            (json!(null), None, None),
            (json!([1]), None, None),
            (json!({}), None, None),
        ] {
            assert_eq!((value(&told).measure(), value(&told).number()), (measure, number), "{told}");
        }
    }
}
