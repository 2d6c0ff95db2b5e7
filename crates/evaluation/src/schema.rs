//! The types of the fields that the records of a dataset have, in the order in which they were first seen.
//! The first type seen for a field stays.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::{NewRecord, Object};

/// Most fields that are noted of inputs, of outputs and of expectations.
const MAX_FIELDS: usize = 1_000;

/// The types, as they stand in the JSON text.
#[derive(Debug, Serialize, Deserialize)]
struct Schema {
    inputs: Object,
    outputs: Outputs,
    expectations: Object,
    version: String,
}

/// Outputs are objects, or of one type.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Outputs {
    Type(String),
    Fields(Object),
}

/// The schema of a dataset whose schema was `known` once `records` were sent to it; `None` as long as none
/// was. A known text that does not read counts as none.
pub fn extended<'a>(known: Option<&str>, records: impl IntoIterator<Item = &'a NewRecord>) -> Option<String> {
    let mut records = records.into_iter().peekable();
    let read = known.and_then(|text| serde_json::from_str(text).ok());
    if read.is_none() && records.peek().is_none() {
        return None;
    }
    let mut schema = read.unwrap_or_else(|| Schema {
        inputs: Object::new(),
        outputs: Outputs::Fields(Object::new()),
        expectations: Object::new(),
        version: "1.0".to_owned(),
    });
    for record in records {
        note(&mut schema.inputs, &record.inputs);
        note(&mut schema.expectations, record.expectations.as_ref().unwrap_or(&Object::new()));
        match &record.outputs {
            None | Some(Value::Null) => {}
            Some(Value::Object(outputs)) => {
                if let Outputs::Fields(fields) = &mut schema.outputs {
                    note(fields, outputs);
                }
            }
            Some(value) => {
                if matches!(&schema.outputs, Outputs::Fields(fields) if fields.is_empty()) {
                    schema.outputs = Outputs::Type(type_of(value).to_owned());
                }
            }
        }
    }
    serde_json::to_string(&schema).ok()
}

fn note(known: &mut Object, fields: &Object) {
    for (name, value) in fields {
        if known.len() < MAX_FIELDS && !known.contains_key(name) {
            known.insert(name.clone(), Value::from(type_of(value)));
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn schema(known: Option<&str>, records: &[NewRecord]) -> Value {
        serde_json::from_str(&extended(known, records).unwrap()).unwrap()
    }

    #[test]
    fn fields_keep_the_first_type_that_was_seen() {
        let inputs = json!({"n": null, "b": true, "i": 1, "f": 1.0, "s": "x", "a": [], "o": {}});
        let first = NewRecord { inputs: object(inputs), ..NewRecord::default() };
        let second = NewRecord {
            inputs: object(json!({"n": 1, "z": 2})),
            outputs: Some(json!({"answer": "x"})),
            expectations: Some(object(json!({"must": true}))),
            ..NewRecord::default()
        };
        let types = json!({
            "inputs": {"n": "null", "b": "boolean", "i": "integer", "f": "float", "s": "string", "a": "array",
                "o": "object", "z": "integer"},
            "outputs": {"answer": "string"},
            "expectations": {"must": "boolean"},
            "version": "1.0",
        });
        assert_eq!(schema(None, &[first.clone(), second.clone()]), types);
        let one_by_one = extended(extended(None, [&first]).as_deref(), [&second]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&one_by_one).unwrap(), types);
        let order: Vec<&String> = types["inputs"].as_object().unwrap().keys().collect();
        assert_eq!(order, ["n", "b", "i", "f", "s", "a", "o", "z"]);
    }

    #[test]
    fn outputs_of_another_kind_count_only_while_there_are_no_fields() {
        let outputs = |value| NewRecord { outputs: Some(value), ..NewRecord::default() };
        let (text, fields) = (outputs(json!("x")), outputs(json!({"a": 1})));
        assert_eq!(schema(None, &[text.clone(), fields.clone()])["outputs"], json!("string"));
        assert_eq!(schema(None, &[fields, text])["outputs"], json!({"a": "integer"}));
        assert_eq!(schema(None, &[outputs(Value::Null)])["outputs"], json!({}));
    }

    #[test]
    fn there_is_none_before_the_first_record_and_an_end_to_its_growth() {
        assert_eq!(extended(None, []), None);
        let many = (0..2 * MAX_FIELDS).map(|n| (format!("f{n}"), json!(n))).collect();
        let record = NewRecord { inputs: many, ..NewRecord::default() };
        assert_eq!(schema(None, &[record])["inputs"].as_object().unwrap().len(), MAX_FIELDS);
    }
}
