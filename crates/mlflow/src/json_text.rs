//! Fields that hold JSON as text.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::MlflowError;

/// Most values in one text: each of them takes far more memory than it has characters.
const MAX_VALUES: usize = 500_000;

/// Reads the text of a field.
pub(crate) fn read<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<T, MlflowError> {
    let wrong = |reason: String| MlflowError::JsonText { field, reason };
    if values(text) > MAX_VALUES {
        return Err(wrong(format!("it holds more than {MAX_VALUES} values; split it")));
    }
    serde_json::from_str(text).map_err(|error| wrong(error.to_string()))
}

/// No fewer values than the text holds: one for each bracket and comma outside of strings.
fn values(text: &str) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

/// A tag's value as text, as Python's `str` writes scalars; `None` for null.
pub(crate) fn tag_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        assert_eq!(values(r#"{"a": [1, 2, {}], "b,[{": "x\",,,\\"}"#), 7);
        assert!(values(&format!("[{}1]", "1,".repeat(9))) >= 10);
        assert_eq!(values(r#""a, b""#), 1);
    }

    #[test]
    fn too_many_values_are_not_read() {
        let text = format!("[{}1]", "1,".repeat(MAX_VALUES));
        let refused = read::<Value>("records", &text).unwrap_err().to_string();
        assert!(refused.contains("'records'") && refused.contains("more than"), "{refused}");
        assert_eq!(read::<Value>("records", "[1]"), Ok(json!([1])));
        assert!(read::<Value>("records", "[1").is_err());
    }

    #[test]
    fn tags_become_text() {
        let text = |value| tag_text(value).unwrap();
        assert_eq!(
            [text(json!(true)), text(json!(1.0)), text(json!("a")), text(json!([1]))],
            ["True", "1.0", "a", "[1]"]
        );
        assert_eq!(tag_text(Value::Null), None);
    }
}
