//! `GET` and `POST /graphql`: what MLflow's own pages read, as `mlflow/server/graphql` of 3.18 answers it.
//!
//! A text is [parsed](parser), [counted](limits) and [planned](plan) against the [types](schema) before
//! anything is read. Each field of an operation is then one of the REST [calls](call), and what is wanted
//! of its answer is [taken out](answer) of it. The answer is always 200 and always has `data` and `errors`,
//! which are plain texts.

mod answer;
mod call;
mod document;
mod lexer;
mod limits;
mod parser;
mod plan;
mod schema;
mod value;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::body::Call;
use crate::{MlflowState, json_text};
use mainstay_api::caller::Caller;
use mainstay_api::dialect::{ApiError, Protocol};
use mainstay_api::route::{Route, RouteScope};

use answer::Room;
use document::{Document, Operation};
use parser::SyntaxError;
use plan::{PlannedRoot, Planner, WantedRoot};

/// Largest body, in bytes.
const BODY_LIMIT: usize = 256 << 10;
/// Longest document, in bytes: what is parsed of it takes some eighty times as much memory.
const MAX_DOCUMENT: usize = 64 << 10;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let route = |method| {
        let what = (Action::RunRead, RouteScope::Workspace);
        Route::new(Protocol::Mlflow, (method, "/graphql"), what, graphql).with_body_limit(BODY_LIMIT)
    };
    vec![route(Method::GET), route(Method::POST)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    query: Option<String>,
    variables: Option<Value>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Answer {
    data: Option<Map<String, Value>>,
    errors: Option<Vec<String>>,
}

async fn graphql(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Request>,
) -> Json<Answer> {
    let planned = match planned(request) {
        Ok(planned) => planned,
        Err(error) => return Json(Answer { data: None, errors: Some(vec![error]) }),
    };
    let (mut data, mut errors, mut room) = (Map::new(), Vec::new(), Room::new());
    for PlannedRoot { key, wanted } in planned {
        let value = match wanted {
            WantedRoot::TypeName(name) => Value::from(name),
            WantedRoot::Call { field, argument, children } => {
                let found = call::run(&state, &caller, field.call, argument, &children).await;
                let taken = found.map_err(ApiError::into_sentence).and_then(|found| {
                    let taken = answer::object(&children, Some(&found), &mut room);
                    taken.map_err(|too_large| too_large.to_string())
                });
                taken.unwrap_or_else(|sentence| {
                    errors.push(sentence);
                    Value::Null
                })
            }
        };
        data.insert(key, value);
    }
    Json(Answer { data: Some(data), errors: Some(errors).filter(|errors| !errors.is_empty()) })
}

/// What a request asks for, as far as it can be known without looking anything up.
fn planned(request: Request) -> Result<Vec<PlannedRoot>, String> {
    let text = request.query.filter(|text| !text.is_empty()).ok_or("Must provide a query string.")?;
    if text.len() > MAX_DOCUMENT {
        return Err(format!("A query has at most {MAX_DOCUMENT} bytes; put long values into variables."));
    }
    let document = parser::parse(&text).map_err(|SyntaxError(error)| format!("Syntax Error: {error}"))?;
    limits::check(&document)?;
    let operation = operation(&document, request.operation_name.as_deref())?;
    let sent = match request.variables {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(sent)) => sent,
        // In the query of a GET they are JSON text.
        Some(Value::String(text)) => {
            json_text::read("variables", &text).map_err(|error| error.to_string())?
        }
        Some(_) => return Err("Variables must be provided as an object.".to_owned()),
    };
    let variables = value::variables(operation, sent)?;
    let planner = Planner { fragments: &document.fragments, variables: &variables };
    planner.operation(operation.kind, &operation.selections)
}

/// The operation of that name, or the only one.
fn operation<'a>(document: &'a Document, name: Option<&str>) -> Result<&'a Operation, String> {
    match (name.filter(|name| !name.is_empty()), document.operations.as_slice()) {
        (Some(name), all) => {
            let found = all.iter().find(|operation| operation.name.as_deref() == Some(name));
            found.ok_or_else(|| format!("Unknown operation named '{}'.", mainstay_core::text::clip(name)))
        }
        (None, [one]) => Ok(one),
        (None, []) => Err("Must provide an operation.".to_owned()),
        (None, _) => Err("Must provide operation name if query contains multiple operations.".to_owned()),
    }
}

/// A document is read or refused, the same with a comment behind it; what is asked for is bounded.
///
/// # Panics
///
/// If it is otherwise.
#[cfg(any(test, fuzzing))]
pub fn fuzzed(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(document) = parser::parse(text) {
        let commented = parser::parse(&format!("{text}\n# {{"));
        assert_eq!(commented.map_err(|SyntaxError(error)| error), Ok(document));
    }
    let request = |text: &str| Request { query: Some(text.to_owned()), ..Request::default() };
    let whole = serde_json::from_str::<Request>(text).unwrap_or_else(|_| request(text));
    if let Ok(wanted) = planned(whole) {
        assert!(wanted.len() <= limits::MAX_ROOT_FIELDS, "{}", wanted.len());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(request: Value) -> Result<usize, String> {
        planned(serde_json::from_value(request).unwrap()).map(|planned| planned.len())
    }

    #[test]
    fn an_operation_is_found_by_name_or_alone() {
        let two = "query A { __typename } query B { a: __typename b: __typename }";
        assert_eq!(plan(json!({"query": two, "operationName": "B"})), Ok(2));
        assert_eq!(
            plan(json!({"query": two, "operationName": "C"})).unwrap_err(),
            "Unknown operation named 'C'."
        );
        let message = "Must provide operation name if query contains multiple operations.";
        assert_eq!(plan(json!({"query": two})).unwrap_err(), message);
        assert_eq!(plan(json!({"query": "{ __typename }", "operationName": null})), Ok(1));
        assert_eq!(plan(json!({})).unwrap_err(), "Must provide a query string.");
    }

    #[test]
    fn texts_are_parsed_then_counted_then_checked() {
        assert_eq!(plan(json!({"query": "{"})).unwrap_err(), "Syntax Error: Expected Name, found <EOF>.");
        let deep = format!("{}{}", "{a".repeat(11), "}".repeat(11));
        assert_eq!(plan(json!({"query": deep})).unwrap_err(), "Query exceeds maximum depth of 10");
        assert!(plan(json!({"query": "{ a }"})).unwrap_err().starts_with("Cannot query field 'a'"));
        assert!(
            plan(json!({"query": " ".repeat(MAX_DOCUMENT + 1)}))
                .unwrap_err()
                .starts_with("A query has at most")
        );
    }

    #[test]
    fn variables_are_an_object_or_its_text() {
        let query = "query ($a: String!) { test(inputString: $a) { output } }";
        for variables in [json!({"a": "x"}), json!("{\"a\": \"x\"}")] {
            assert_eq!(plan(json!({"query": query, "variables": variables})), Ok(1));
        }
        for variables in [json!(null), json!([1]), json!("x")] {
            assert!(plan(json!({"query": query, "variables": variables})).is_err());
        }
    }
}
