//! JSON as Python's `json.dumps` writes it where a stock server repeats a value.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// `json.dumps(value, sort_keys=True, separators=(",", ":"))`.
pub(crate) fn compact(value: &Value) -> String {
    let mut text = String::new();
    put(value, &mut text);
    text
}

fn put(value: &Value, to: &mut String) {
    match value {
        Value::String(text) => put_text(text, to),
        Value::Array(items) => {
            to.push('[');
            for (at, item) in items.iter().enumerate() {
                to.push_str(if at == 0 { "" } else { "," });
                put(item, to);
            }
            to.push(']');
        }
        Value::Object(fields) => put_fields(fields, to),
        plain => to.push_str(&plain.to_string()),
    }
}

fn put_fields(fields: &Map<String, Value>, to: &mut String) {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    to.push('{');
    for (at, (name, value)) in fields.into_iter().enumerate() {
        to.push_str(if at == 0 { "" } else { "," });
        put_text(name, to);
        to.push(':');
        put(value, to);
    }
    to.push('}');
}

/// A text in quotes, with nothing but ASCII in it.
fn put_text(text: &str, to: &mut String) {
    let quoted = Value::from(text).to_string();
    for c in quoted.chars() {
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
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_those_of_python() {
        let value = json!({"b": [1, 2.5, true, null], "a": "é\"\n😀", "c": {}});
        // Made with Python 3.
        assert_eq!(compact(&value), r#"{"a":"\u00e9\"\n\ud83d\ude00","b":[1,2.5,true,null],"c":{}}"#);
    }
}
