//! Values of attributes as JSON texts, as a stock server stores them: spaced as Python spaces them
//! (`mlflow/tracing/utils/__init__.py`, `dump_span_attribute_value`).

use std::fmt::Write as _;

use serde::de::IgnoredAny;
use serde_json::Value as Json;

use super::message::{AnyValue, Value};

/// The JSON text of a span's attribute. A text that holds JSON again, a string, a list or an object, as most
/// instrumentations write what has structure, is taken for what it holds.
pub(super) fn unwrapped(value: Option<AnyValue>) -> String {
    match value.and_then(|any| any.value) {
        Some(Value::String(text)) if holds_json(&text) => text,
        Some(value) => json_text(&value),
        None => "null".to_owned(),
    }
}

/// The JSON text of any other attribute.
pub(super) fn plain(value: Option<&AnyValue>) -> String {
    value.and_then(|any| any.value.as_ref()).map_or_else(|| "null".to_owned(), json_text)
}

/// The text of a tag: a string as it is, anything else as JSON.
pub(super) fn tag_text(value: Option<&AnyValue>) -> String {
    match value.and_then(|any| any.value.as_ref()) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => json_text(value),
        None => "null".to_owned(),
    }
}

fn holds_json(text: &str) -> bool {
    text.trim_start().starts_with(['"', '[', '{']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn json_text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

/// Protobuf and JSON both end a value that is nested too deep before it gets here.
fn write(text: &mut String, value: &Value) {
    match value {
        Value::String(string) => write_string(text, string),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        // Writing to a text does not fail.
        Value::Int(number) => drop(write!(text, "{number}")),
        Value::Double(number) => write_double(text, *number),
        Value::Bytes(bytes) => write_string(text, &python_bytes(bytes)),
        Value::Array(array) => {
            text.push('[');
            for (at, item) in array.values.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_any(text, Some(item));
            }
            text.push(']');
        }
        Value::Map(map) => {
            text.push('{');
            for (at, member) in map.values.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write_string(text, &member.key);
                text.push_str(": ");
                write_any(text, member.value.as_ref());
            }
            text.push('}');
        }
    }
}

fn write_any(text: &mut String, value: Option<&AnyValue>) {
    match value.and_then(|any| any.value.as_ref()) {
        Some(value) => write(text, value),
        None => text.push_str("null"),
    }
}

/// JSON has no infinities: they stand as protobuf's JSON writes them.
fn write_double(text: &mut String, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(number) => text.push_str(&number.to_string()),
        None if number.is_nan() => text.push_str("\"NaN\""),
        None => text.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
    }
}

fn write_string(text: &mut String, string: &str) {
    let is_plain = string.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if is_plain {
        text.push('"');
        text.push_str(string);
        text.push('"');
    } else {
        text.push_str(&Json::from(string).to_string());
    }
}

/// How Python shows bytes, which a stock server stores as text.
fn python_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' if char::from(*byte) == quote => drop(write!(text, "\\{quote}")),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::super::message::{ArrayValue, KeyValue, KeyValueList};
    use super::*;

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn string(text: &str) -> AnyValue {
        any(Value::String(text.to_owned()))
    }

    #[test]
    fn texts_that_hold_structure_are_taken_for_it() {
        for (text, stored) in [
            ("apple", r#""apple""#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#""quoted""#, r#""quoted""#),
            ("[1, 2]", "[1, 2]"),
            ("1", r#""1""#),
            ("true", r#""true""#),
            ("{broken", r#""{broken""#),
            ("\"a\" b", r#""\"a\" b""#),
            ("é\n", r#""é\n""#),
        ] {
            assert_eq!(unwrapped(Some(string(text))), stored);
        }
        assert_eq!(plain(Some(&string(r#"{"a":1}"#))), r#""{\"a\":1}""#);
        assert_eq!(tag_text(Some(&string("x"))), "x");
    }

    #[test]
    fn other_values_keep_their_type() {
        for (value, stored) in [
            (Value::Bool(true), "true"),
            (Value::Int(-7), "-7"),
            (Value::Double(1.0), "1.0"),
            (Value::Double(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::Bytes(b"a'\xff\n".to_vec()), r#""b\"a'\\xff\\n\"""#),
        ] {
            assert_eq!(unwrapped(Some(any(value))), stored);
        }
        let list = Value::Array(ArrayValue { values: vec![any(Value::Int(1)), AnyValue { value: None }] });
        let map =
            Value::Map(KeyValueList { values: vec![KeyValue { key: "k".into(), value: Some(any(list)) }] });
        assert_eq!(unwrapped(Some(any(map))), r#"{"k": [1, null]}"#);
        assert_eq!(unwrapped(None), "null");
    }
}
