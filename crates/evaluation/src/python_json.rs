//! JSON as Python's `json.dumps(value, sort_keys=True)` writes it: what a stock server hashes to know a
//! record again, so that 1, 1.0 and true are three different inputs.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use crate::record::Object;

/// The text. An integer beyond 64 bits was read as a float, and is written as one.
pub(super) fn sorted(fields: &Object) -> String {
    let mut out = String::new();
    write_object(&mut out, fields);
    out
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&numeral(number)),
        Value::String(text) => quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { ", " });
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(out, fields),
    }
}

fn write_object(out: &mut String, fields: &Object) {
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (n, (key, value)) in fields.into_iter().enumerate() {
        out.push_str(if n == 0 { "" } else { ", " });
        quoted(out, key);
        out.push_str(": ");
        write(out, value);
    }
    out.push('}');
}

fn numeral(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_repr(float),
        _ => number.to_string(),
    }
}

/// `repr` of a finite float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
fn float_repr(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let plain = float.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python writes them: `json.dumps(json.loads(given), sort_keys=True)`.
    #[test]
    fn texts_are_those_of_python() {
        let cases = [
            (
                r#"{"b":1.0,"a":[true,null,"é\n😀\u007f\u0000/\"\\"],"":{}}"#,
                r#"{"": {}, "a": [true, null, "\u00e9\n\ud83d\ude00\u007f\u0000/\"\\"], "b": 1.0}"#,
            ),
            (
                r#"{"x":[1, 1.0, 1e0, -1, 18446744073709551615]}"#,
                r#"{"x": [1, 1.0, 1.0, -1, 18446744073709551615]}"#,
            ),
            (
                r#"{"x":[1e16, 1e15, 123456789012345680.0]}"#,
                r#"{"x": [1e+16, 1000000000000000.0, 1.2345678901234568e+17]}"#,
            ),
            (r#"{"x":[0.0001, 1e-5, -1.5e-7, 1e-300]}"#, r#"{"x": [0.0001, 1e-05, -1.5e-07, 1e-300]}"#),
            (
                r#"{"x":[0.1, -0.0, 2.5, 5e-324, 1.7976931348623157e308]}"#,
                r#"{"x": [0.1, -0.0, 2.5, 5e-324, 1.7976931348623157e+308]}"#,
            ),
            (r#"{"x":[]}"#, r#"{"x": []}"#),
        ];
        for (given, wanted) in cases {
            assert_eq!(sorted(&serde_json::from_str(given).unwrap()), wanted);
        }
    }
}
