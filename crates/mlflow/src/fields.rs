//! What each call asks of its fields, and what a stock server says when it does not get it.
//!
//! Messages are read into their types, which is all that a good request costs. Only when that fails is the
//! request held against this table, whose first complaint is the answer: the checks of
//! `mlflow/server/handlers.py`, in its order. What the table does not know is refused in the words of the
//! decoder.

use serde_json::{Map, Value};

use crate::wire::WHOLE_DOUBLES;
use crate::{MlflowError, python_json};

/// Whether a field may be left out. What is null is left out, and so is an empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    May,
    Must,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text.
    Text,
    /// A 64-bit integer, or its text.
    Integer,
    /// A number, its text, or the text of what JSON has no number for.
    Number,
    /// True or false.
    Truth,
    /// The name or number of a value of an enumeration.
    Choice,
    /// A list.
    List,
    /// A list of texts.
    Texts,
    /// A list of messages that must have these fields.
    Items(&'static [&'static str]),
    /// Whatever it is.
    Any,
}

type Field = (&'static str, Need, Kind);

use Kind::{Any, Choice, Integer, Items, List, Number, Text, Texts, Truth};
use Need::{May, Must};

/// The calls, each with its fields in the order in which they are checked. `*` is one segment of a
/// path, `**` at the end all that are left.
const CALLS: &[(&[&str], &[Field])] = &[
    (
        &["POST experiments/create"],
        &[("name", Must, Text), ("artifact_location", May, Text), ("tags", May, List)],
    ),
    (
        &["GET experiments/get", "POST experiments/delete", "POST experiments/restore"],
        &[("experiment_id", Must, Text)],
    ),
    (&["GET experiments/get-by-name"], &[("experiment_name", Must, Text)]),
    (&["POST experiments/update"], &[("experiment_id", Must, Text), ("new_name", Must, Text)]),
    (
        &["POST experiments/set-experiment-tag"],
        &[("experiment_id", Must, Text), ("key", Must, Text), ("value", May, Text)],
    ),
    (&["POST experiments/delete-experiment-tag"], &[("experiment_id", Must, Text), ("key", Must, Text)]),
    (
        &["GET experiments/search", "POST experiments/search"],
        &[
            ("view_type", May, Choice),
            ("max_results", May, Integer),
            ("order_by", May, List),
            ("filter", May, Text),
            ("page_token", May, Text),
        ],
    ),
    (&["POST experiments/search-datasets"], &[("experiment_ids", May, Texts)]),
    (
        &["POST runs/create"],
        &[
            ("experiment_id", May, Text),
            ("start_time", May, Integer),
            ("run_name", May, Text),
            ("tags", May, List),
        ],
    ),
    (
        &["POST runs/update"],
        &[
            ("run_id", Must, Text),
            ("end_time", May, Integer),
            ("status", May, Choice),
            ("run_name", May, Text),
        ],
    ),
    (&["GET runs/get", "POST runs/delete", "POST runs/restore"], &[("run_id", Must, Text)]),
    (
        &["POST runs/log-metric"],
        &[
            ("run_id", Must, Text),
            ("key", Must, Text),
            ("value", Must, Number),
            ("timestamp", Must, Integer),
            ("step", May, Integer),
            ("model_id", May, Text),
            ("dataset_name", May, Text),
            ("dataset_digest", May, Text),
        ],
    ),
    (
        &["POST runs/log-parameter", "POST runs/set-tag"],
        &[("run_id", Must, Text), ("key", Must, Text), ("value", May, Text)],
    ),
    (&["POST runs/delete-tag"], &[("run_id", Must, Text), ("key", Must, Text)]),
    (
        &["POST runs/log-batch"],
        &[
            ("run_id", Must, Text),
            ("metrics", May, Items(&["key", "value", "timestamp"])),
            ("params", May, Items(&["key"])),
            ("tags", May, Items(&["key"])),
        ],
    ),
    (&["POST runs/log-inputs"], &[("run_id", Must, Text), ("datasets", May, List), ("models", May, List)]),
    (&["POST runs/outputs"], &[("run_id", Must, Text), ("models", Must, List)]),
    (&["POST runs/log-model"], &[("run_id", Must, Text), ("model_json", Must, Text)]),
    (
        &["POST runs/search"],
        &[
            ("experiment_ids", May, Texts),
            ("filter", May, Text),
            ("run_view_type", May, Choice),
            ("max_results", May, Integer),
            ("order_by", May, Texts),
            ("page_token", May, Text),
        ],
    ),
    (&["GET artifacts/list"], &[("run_id", Must, Text), ("path", May, Text), ("page_token", May, Text)]),
    (
        &["GET metrics/get-history"],
        &[
            ("run_id", Must, Text),
            ("metric_key", Must, Text),
            ("page_token", May, Text),
            ("max_results", May, Integer),
        ],
    ),
    (&["GET metrics/get-history-bulk"], &[("max_results", May, Integer)]),
    (
        &["GET metrics/get-history-bulk-interval"],
        &[
            ("run_ids", Must, Texts),
            ("metric_key", Must, Text),
            ("start_step", May, Integer),
            ("end_step", May, Integer),
            ("max_results", May, Integer),
        ],
    ),
    (
        &["POST artifacts/presigned-upload-url"],
        &[("run_id", May, Text), ("model_id", May, Text), ("path", Must, Text), ("expiration", May, Integer)],
    ),
    (
        &["POST artifacts/presigned-download-url"],
        &[("run_id", Must, Text), ("path", Must, Text), ("expiration", May, Integer)],
    ),
    (&["POST mpu/create/**"], &[("path", Must, Text), ("num_parts", May, Integer)]),
    (&["POST mpu/complete/**"], &[("path", Must, Text), ("upload_id", May, Text), ("parts", Must, Any)]),
    (&["POST mpu/abort/**"], &[("path", Must, Text), ("upload_id", May, Text)]),
    (
        &["POST logged-models"],
        &[
            ("experiment_id", Must, Text),
            ("name", May, Text),
            ("model_type", May, Text),
            ("source_run_id", May, Text),
            ("params", May, List),
            ("tags", May, List),
        ],
    ),
    (&["PATCH logged-models/*"], &[("status", Must, Choice)]),
    (&["POST logged-models/*/params"], &[("params", May, List)]),
    (&["PATCH logged-models/*/tags"], &[("tags", May, List)]),
    (&["GET logged-models/*"], &[("allow_deleted", May, Truth)]),
    (
        &["POST logged-models/search"],
        &[
            ("experiment_ids", Must, Texts),
            ("filter", May, Text),
            ("datasets", May, List),
            ("max_results", May, Integer),
            ("order_by", May, List),
            ("page_token", May, Text),
        ],
    ),
    (
        &["POST issues"],
        &[
            ("name", Must, Text),
            ("description", Must, Text),
            ("experiment_id", Must, Text),
            ("status", May, Text),
            ("severity", May, Text),
            ("root_causes", May, Texts),
            ("source_run_id", May, Text),
            ("created_by", May, Text),
            ("categories", May, Texts),
            ("issue_id", May, Text),
            ("last_seen_timestamp", May, Integer),
        ],
    ),
    (
        &["POST registered-models/create"],
        &[("name", Must, Text), ("tags", May, List), ("description", May, Text)],
    ),
    (&["GET registered-models/get", "DELETE registered-models/delete"], &[("name", Must, Text)]),
    (&["PATCH registered-models/update"], &[("name", Must, Text), ("description", May, Text)]),
    (&["POST registered-models/rename"], &[("name", Must, Text), ("new_name", Must, Text)]),
    (
        &["GET registered-models/get-latest-versions", "POST registered-models/get-latest-versions"],
        &[("name", Must, Text), ("stages", May, Texts)],
    ),
    (
        &["GET registered-models/search", "GET model-versions/search"],
        &[
            ("filter", May, Text),
            ("max_results", May, Integer),
            ("order_by", May, Texts),
            ("page_token", May, Text),
        ],
    ),
    (&["POST registered-models/set-tag"], &[("name", Must, Text), ("key", Must, Text), ("value", May, Text)]),
    (&["DELETE registered-models/delete-tag"], &[("name", Must, Text), ("key", Must, Text)]),
    (
        &["GET registered-models/alias", "DELETE registered-models/alias"],
        &[("name", Must, Text), ("alias", Must, Text)],
    ),
    (
        &["POST registered-models/alias"],
        &[("name", Must, Text), ("alias", Must, Text), ("version", Must, Text)],
    ),
    (
        &["POST model-versions/create"],
        &[
            ("name", Must, Text),
            ("source", Must, Text),
            ("run_id", May, Text),
            ("tags", May, List),
            ("run_link", May, Text),
            ("description", May, Text),
            ("model_id", May, Text),
        ],
    ),
    (
        &["GET model-versions/get", "DELETE model-versions/delete", "GET model-versions/get-download-uri"],
        &[("name", Must, Text), ("version", Must, Text)],
    ),
    (
        &["PATCH model-versions/update"],
        &[("name", Must, Text), ("version", Must, Text), ("description", May, Text)],
    ),
    (
        &["POST model-versions/transition-stage"],
        &[
            ("name", Must, Text),
            ("version", Must, Text),
            ("stage", Must, Text),
            ("archive_existing_versions", May, Truth),
        ],
    ),
    (
        &["POST model-versions/set-tag"],
        &[("name", Must, Text), ("version", Must, Text), ("key", Must, Text), ("value", May, Text)],
    ),
    (
        &["DELETE model-versions/delete-tag"],
        &[("name", Must, Text), ("version", Must, Text), ("key", Must, Text)],
    ),
];

/// What a stock server would complain of first in a message that could not be read. `method` and `path` say
/// which call it came with.
pub(crate) fn complaint(method: &str, path: &str, message: &Map<String, Value>) -> Option<MlflowError> {
    let fields = fields(method, path)?;
    let listed = (method == "GET").then(|| with_lists(fields, message.clone()));
    let message = listed.as_ref().unwrap_or(message);
    let twice = fields.iter().find_map(|(name, ..)| spelt_twice(name, message));
    twice.or_else(|| fields.iter().find_map(|field| wrong(*field, message)))
}

/// A query in which each list is one: of a single item a query does not say whether it is the only one of a list.
fn with_lists(fields: &[Field], mut message: Map<String, Value>) -> Map<String, Value> {
    for (name, _, kind) in fields {
        if !matches!(kind, List | Texts) {
            continue;
        }
        for name in [(*name).to_owned(), camel_case(name)] {
            if let Some(value @ Value::String(_)) = message.get_mut(&name) {
                *value = Value::Array(vec![value.take()]);
            }
        }
    }
    message
}

/// The fields of a call.
fn fields(method: &str, path: &str) -> Option<&'static [Field]> {
    // Behind the prefix and the version: `/api/2.0/mlflow/runs/get`.
    let below = path.splitn(5, '/').nth(4)?;
    let is_call =
        |call: &&str| call.split_once(' ').is_some_and(|(of, path)| of == method && fits(path, below));
    let row = CALLS.iter().find(|(calls, _)| calls.iter().any(&is_call))?;
    Some(row.1)
}

fn fits(pattern: &str, path: &str) -> bool {
    let (head, is_open) = pattern.strip_suffix("/**").map_or((pattern, false), |head| (head, true));
    let mut segments = path.split('/');
    let begins =
        head.split('/').all(|wanted| segments.next().is_some_and(|is| wanted == "*" || wanted == is));
    begins && (is_open || segments.next().is_none())
}

/// A field in both its spellings, of which one would silently win.
fn spelt_twice(name: &'static str, message: &Map<String, Value>) -> Option<MlflowError> {
    let json_name = camel_case(name);
    let is_twice = json_name != name && message.contains_key(name) && message.contains_key(&json_name);
    is_twice.then_some(MlflowError::BothSpellings { name, json_name })
}

/// The name of a field in protobuf's JSON.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

fn wrong((name, need, kind): Field, message: &Map<String, Value>) -> Option<MlflowError> {
    let there = |name: &str| message.get(name).filter(|value| !value.is_null());
    let mut value = there(name).or_else(|| there(&camel_case(name)));
    if name == "run_id" && value.is_none() {
        value = there("run_uuid").or_else(|| there("runUuid"));
    }
    match value {
        None => (need == Must).then_some(MlflowError::Missing(name)),
        Some(Value::String(text)) if text.is_empty() && need == Must => Some(MlflowError::Missing(name)),
        Some(value) if !is_a(kind, value) => Some(wrong_type(name, value)),
        Some(value) => match kind {
            Items(needed) => incomplete(name, needed, value),
            _ => None,
        },
    }
}

fn is_a(kind: Kind, value: &Value) -> bool {
    match kind {
        Text => value.is_string(),
        Integer => match value {
            Value::Number(number) => {
                number.is_i64()
                    || number
                        .as_f64()
                        .is_some_and(|float| float.fract() == 0.0 && float.abs() < WHOLE_DOUBLES)
            }
            Value::String(text) => text.parse::<i64>().is_ok(),
            _ => false,
        },
        Number => match value {
            Value::Number(_) => true,
            Value::String(text) => text.parse::<f64>().is_ok(),
            _ => false,
        },
        Truth => match value {
            Value::Bool(_) => true,
            // As it stands in a query.
            Value::String(text) => ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)),
            _ => false,
        },
        Choice => value.is_string() || value.is_i64(),
        List | Items(_) => value.is_array(),
        Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Any => true,
    }
}

/// The first item of a list that lacks what it needs.
fn incomplete(list: &'static str, needed: &'static [&'static str], items: &Value) -> Option<MlflowError> {
    let lacks = |item: &Value, field: &str| match item.get(field) {
        None | Some(Value::Null) => true,
        Some(value) => value == "",
    };
    items.as_array()?.iter().enumerate().find_map(|(at, item)| {
        let field = needed.iter().find(|field| lacks(item, field))?;
        Some(MlflowError::MissingIn { list, at, field })
    })
}

/// Most characters of a value that an answer repeats.
const SHOWN: usize = 1_000;

fn wrong_type(name: &'static str, value: &Value) -> MlflowError {
    let shown = python_json::compact(value).chars().take(SHOWN).collect();
    MlflowError::WrongType { name, value: shown, of: python_type(value) }
}

/// Python's name for the type of a value.
fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const S: &str = " See the API docs for more information about request parameters.";

    fn said(method: &str, call: &str, message: &Value) -> String {
        let message = message.as_object().unwrap();
        let api = complaint(method, &format!("/api/2.0/mlflow/{call}"), message);
        assert_eq!(api, complaint(method, &format!("/ajax-api/2.0/mlflow/{call}"), message));
        api.map(|error| error.to_string()).unwrap_or_default()
    }

    fn wrong(value: &str, field: &str, of: &str) -> String {
        format!("Invalid value {value} for parameter '{field}' supplied:  Hint: Value was of type '{of}'.{S}")
    }

    #[test]
    fn the_first_wrong_field_is_named_in_the_order_of_the_table() {
        let log = |body: &Value| said("POST", "runs/log-metric", body);
        assert_eq!(log(&json!({"value": "x", "key": 41, "run_id": 31})), wrong("31", "run_id", "int"));
        assert_eq!(log(&json!({"run_id": "r", "key": 41})), wrong("41", "key", "int"));
        let missing = |field: &str| format!("Missing value for required parameter '{field}'.{S}");
        assert_eq!(log(&json!({"run_id": null, "key": 41})), missing("run_id"));
        assert_eq!(log(&json!({"run_uuid": "r", "key": ""})), missing("key"));
        let point =
            |step: Value| json!({"runId": "r", "key": "k", "value": "NaN", "timestamp": "5", "step": step});
        assert_eq!(log(&point(json!("foo"))), wrong("\"foo\"", "step", "str"));
        assert_eq!(log(&point(json!(1.5))), wrong("1.5", "step", "float"));
        assert_eq!(log(&point(json!(3.0))), "");
        assert_eq!(log(&point(json!(true))), wrong("true", "step", "bool"));
        let create = |body: &Value| said("POST", "experiments/create", body);
        assert_eq!(
            create(&json!({"name": "a", "artifact_location": 9.0, "tags": "5"})),
            wrong("9.0", "artifact_location", "float")
        );
        assert_eq!(
            create(&json!({"name": "a", "tags": {"b": 1, "a": "é"}})),
            wrong(r#"{"a":"\u00e9","b":1}"#, "tags", "dict")
        );
        assert_eq!(
            said(
                "GET",
                "metrics/get-history",
                &json!({"run_id": "r", "metric_key": "k", "max_results": "x"})
            ),
            wrong("\"x\"", "max_results", "str")
        );
        assert_eq!(said("PATCH", "logged-models/m-1", &json!({"status": []})), wrong("[]", "status", "list"));
        assert!(
            fits("mpu/create/**", "mpu/create/a/b") && !fits("runs/*", "runs/a/b") && !fits("runs/*", "runs")
        );
        assert_eq!(said("POST", "nothing/known", &json!({"run_id": 3})), "");
    }

    #[test]
    fn items_of_a_batch_are_named_by_their_place() {
        let metrics = json!([{"key": "a", "value": 1, "timestamp": 0}, {"key": "b", "value": 1}]);
        let refused =
            said("POST", "runs/log-batch", &json!({"run_id": "r", "metrics": metrics, "params": 3}));
        assert_eq!(refused, format!("Missing value for required parameter 'metrics[1].timestamp'.{S}"));
        let refused = said("POST", "runs/log-batch", &json!({"run_id": "r", "tags": [{}]}));
        assert_eq!(refused, format!("Missing value for required parameter 'tags[0].key'.{S}"));
    }

    #[test]
    fn a_field_has_one_spelling() {
        let twice = json!({"run_id": "a", "runId": "a", "key": 3});
        let told = said("POST", "runs/set-tag", &twice);
        assert_eq!(told, "Request specifies both 'run_id' and 'runId'; provide only one of them.");
        assert_eq!(camel_case("a_bc_d"), "aBcD");
    }
}
