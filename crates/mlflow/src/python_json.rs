//! JSON as Python's `json.dumps` writes it: what clients compare, and what a stock server digests, is this text.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What stands between the parts.
#[derive(Debug, Clone, Copy)]
struct Style {
    item: &'static str,
    colon: &'static str,
    is_sorted: bool,
}

/// `json.dumps(value, sort_keys=True, separators=(",", ":"))`.
pub(crate) fn compact(value: &Value) -> String {
    written(value, Style { item: ",", colon: ":", is_sorted: true })
}

/// `json.dumps(value)`.
pub(crate) fn spaced(value: &Value) -> String {
    written(value, Style { item: ", ", colon: ": ", is_sorted: false })
}

fn written(value: &Value, style: Style) -> String {
    let mut text = String::new();
    put(value, style, &mut text);
    text
}

fn put(value: &Value, style: Style, to: &mut String) {
    match value {
        Value::String(text) => put_text(text, to),
        Value::Array(items) => {
            to.push('[');
            for (at, item) in items.iter().enumerate() {
                to.push_str(if at == 0 { "" } else { style.item });
                put(item, style, to);
            }
            to.push(']');
        }
        Value::Object(fields) => put_fields(fields, style, to),
        plain => to.push_str(&plain.to_string()),
    }
}

fn put_fields(fields: &Map<String, Value>, style: Style, to: &mut String) {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    if style.is_sorted {
        fields.sort_by_key(|(name, _)| *name);
    }
    to.push('{');
    for (at, (name, value)) in fields.into_iter().enumerate() {
        to.push_str(if at == 0 { "" } else { style.item });
        put_text(name, to);
        to.push_str(style.colon);
        put(value, style, to);
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
        assert_eq!(
            spaced(&json!([{"name": "model", "version": 1}, {}])),
            r#"[{"name": "model", "version": 1}, {}]"#
        );
    }
}
