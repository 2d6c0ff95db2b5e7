//! What is wanted of an answer, taken out of the answer of the REST call. There is no null in a message of
//! protobuf: what is not set is empty, zero or false.

use serde_json::{Map, Value};
use thiserror::Error;

use super::plan::{Planned, Wanted};
use super::schema::Kind;

/// Most that one request is answered with, in bytes, near enough. Aliases can ask for the same thing many times
/// over, so counting the fields of a query does not bound what comes of it.
const MAX_ANSWER: usize = 64 << 20;
/// What a value takes beside its text.
const VALUE: usize = 64;

/// The answer would be larger than [`MAX_ANSWER`].
#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "The answer is larger than {} MiB; ask for fewer fields, for each of them once, or for fewer at a time.",
    MAX_ANSWER >> 20
)]
pub(super) struct TooLarge;

/// What is left of [`MAX_ANSWER`].
pub(super) struct Room(usize);

impl Room {
    /// All of it.
    pub(super) const fn new() -> Self {
        Self(MAX_ANSWER)
    }

    fn take(&mut self, text: usize) -> Result<(), TooLarge> {
        self.0 = self.0.checked_sub(text.saturating_add(VALUE)).ok_or(TooLarge)?;
        Ok(())
    }
}

/// The wanted part of an object; of one that is not there, unset fields.
pub(super) fn object(planned: &[Planned], found: Option<&Value>, room: &mut Room) -> Result<Value, TooLarge> {
    room.take(0)?;
    let mut fields = Map::new();
    for Planned { key, wanted } in planned {
        room.take(key.len())?;
        let value = match wanted {
            Wanted::TypeName(name) => Value::from(*name),
            Wanted::Field { stored, kind, children, .. } => {
                let found = found.and_then(|found| found.get(stored)).filter(|found| !found.is_null());
                value(kind, children, found, room)?
            }
        };
        fields.insert(key.clone(), value);
    }
    Ok(Value::Object(fields))
}

fn value(
    kind: &Kind,
    children: &[Planned],
    found: Option<&Value>,
    room: &mut Room,
) -> Result<Value, TooLarge> {
    if let Some(text) = found.and_then(Value::as_str) {
        room.take(text.len())?;
    }
    Ok(match kind {
        Kind::Text => found.map_or_else(|| Value::from(""), text),
        Kind::Long => found.map_or_else(|| Value::from("0"), text),
        // The REST calls write NaN as a text.
        Kind::Float => match found {
            None => Value::from(0.0),
            Some(number @ Value::Number(_)) => number.clone(),
            Some(_) => Value::Null,
        },
        Kind::Bool => found.cloned().unwrap_or_else(|| Value::from(false)),
        Kind::Enum(unset) => found.cloned().unwrap_or_else(|| Value::from(*unset)),
        Kind::Texts => {
            for item in found.and_then(Value::as_array).into_iter().flatten() {
                room.take(item.as_str().map_or(0, str::len))?;
            }
            found.cloned().unwrap_or_else(|| Value::Array(Vec::new()))
        }
        Kind::Object(_) => object(children, found, room)?,
        Kind::List(_) => {
            let items = found.and_then(Value::as_array).into_iter().flatten();
            Value::Array(items.map(|item| object(children, Some(item), room)).collect::<Result<_, _>>()?)
        }
        Kind::Never(_) => Value::Null,
    })
}

fn text(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => Value::from(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document::{OperationKind, Selection};
    use super::super::parser::parse;
    use super::super::plan::{PlannedRoot, Planner, WantedRoot};
    use super::super::value::Variables;
    use super::*;

    /// The plans of the fields of the only query in a text.
    fn planned(text: &str, variables: &Variables) -> Result<Vec<PlannedRoot>, String> {
        let document = parse(text).unwrap();
        let planner = Planner { fragments: &document.fragments, variables };
        planner.operation(document.operations[0].kind, &document.operations[0].selections)
    }

    /// What a query takes of the answer of its only call.
    fn taken(text: &str, variables: &Variables, answer: &Value) -> Value {
        let mut roots = planned(text, variables).unwrap();
        let Some(PlannedRoot { wanted: WantedRoot::Call { children, .. }, .. }) = roots.pop() else {
            panic!("no call in {text}")
        };
        object(&children, Some(answer), &mut Room::new()).unwrap()
    }

    fn refused(text: &str) -> String {
        planned(text, &Variables::new()).unwrap_err()
    }

    #[test]
    fn what_is_not_set_is_empty_and_nan_is_null() {
        let text = r#"{ mlflowGetRun(input: {runId: "a"}) { __typename apiError { code } run {
            info { runId endTime status } inputs { modelInputs { modelId } }
            data { metrics { key value timestamp } tags { key } } modelVersions { name aliases deploymentJobState { jobState } }
            experiment { name lastUpdateTime } } } }"#;
        let run = json!({
            "info": {"run_id": "a", "status": "FAILED"},
            "data": {"metrics": [
                {"key": "m", "value": 1.5, "timestamp": 7},
                {"key": "n", "value": "NaN", "timestamp": "8"},
            ]},
            "model_versions": [{"name": "v"}],
        });
        let wanted = json!({
            "__typename": "MlflowGetRunResponse",
            "apiError": null,
            "run": {
                "info": {"runId": "a", "endTime": "0", "status": "FAILED"},
                "inputs": {"modelInputs": []},
                "data": {
                    "metrics": [
                        {"key": "m", "value": 1.5, "timestamp": "7"},
                        {"key": "n", "value": null, "timestamp": "8"},
                    ],
                    "tags": [],
                },
                "modelVersions": [{
                    "name": "v",
                    "aliases": [],
                    "deploymentJobState": {"jobState": "DEPLOYMENT_JOB_CONNECTION_STATE_UNSPECIFIED"},
                }],
                "experiment": {"name": "", "lastUpdateTime": "0"},
            },
        });
        assert_eq!(taken(text, &Variables::new(), &json!({"run": run})), wanted);
    }

    #[test]
    fn an_answer_has_an_end() {
        // Ten times the value of each tag.
        let values: Vec<String> = (0..10).map(|n| format!("v{n}: value")).collect();
        let text = format!(
            r#"{{ mlflowGetRun(input: {{runId: "a"}}) {{ run {{ data {{ tags {{ {} }} }} }} }} }}"#,
            values.join(" ")
        );
        let answered = |length| {
            let tags: Vec<Value> = (0..8).map(|_| json!({"value": "x".repeat(length)})).collect();
            let answer = json!({"run": {"data": {"tags": tags}}});
            let mut roots = planned(&text, &Variables::new()).unwrap();
            let Some(PlannedRoot { wanted: WantedRoot::Call { children, .. }, .. }) = roots.pop() else {
                panic!("no call in {text}")
            };
            // The fields of one request share the room.
            let mut room = Room::new();
            [(); 2].map(|()| object(&children, Some(&answer), &mut room).map(drop))
        };
        assert_eq!(answered(1 << 10), [Ok(()), Ok(())]);
        assert_eq!(answered(500 << 10), [Ok(()), Err(TooLarge)]);
        assert_eq!(answered(1 << 20), [Err(TooLarge), Err(TooLarge)]);
        let sentence = TooLarge.to_string();
        assert!(sentence.starts_with("The answer is larger than 64 MiB; ask for fewer fields"), "{sentence}");
    }

    #[test]
    fn fragments_aliases_and_conditions() {
        let text = r#"query Q($on: Boolean!) {
            first: mlflowListArtifacts(input: {runId: "a", path: "b",}) @other(x: 1) {
                ...Files
                all: files { path ...Size @include(if: $on) ...Dir @skip(if: $on) }
                files { fileSize }
                ... on MlflowListArtifactsResponse { rootUri @include(if: false) }
            }
        }
        fragment Files on MlflowListArtifactsResponse { files { path __typename } }
        fragment Size on MlflowFileInfo { fileSize }
        fragment Dir on MlflowFileInfo { isDir }"#;
        let variables: Variables = [("on".to_owned(), json!(true))].into_iter().collect();
        let answer = json!({"root_uri": "x", "files": [{"path": "f", "file_size": 11}]});
        let wanted = json!({
            "files": [{"path": "f", "__typename": "MlflowFileInfo", "fileSize": "11"}],
            "all": [{"path": "f", "fileSize": "11"}],
        });
        assert_eq!(taken(text, &variables, &answer), wanted);
        let roots = planned(text, &variables).unwrap();
        let WantedRoot::Call { argument, .. } = &roots[0].wanted else { panic!("{roots:?}") };
        assert_eq!((roots[0].key.as_str(), json!(argument)), ("first", json!({"runId": "a", "path": "b"})));
    }

    #[test]
    fn operations_are_checked_against_the_types() {
        for (text, message) in [
            ("{ other }", "Cannot query field 'other' on type 'Query'."),
            (
                "mutation { test(inputString: \"a\") { output } }",
                "Cannot query field 'test' on type 'Mutation'.",
            ),
            ("{ test(inputString: \"a\") { output { x } } }", "Field 'output' must not have a selection"),
            (
                "{ test(inputString: \"a\") }",
                "Field 'test' of type 'Test' must have a selection of subfields.",
            ),
            ("{ test(inputString: \"a\") { nothing } }", "Cannot query field 'nothing' on type 'Test'."),
            ("{ test(inputString: \"a\") { output(b: 1) } }", "Unknown argument 'b' on field 'Test.output'."),
            ("{ test(input: \"a\") { output } }", "Unknown argument 'input' on field 'Query.test'."),
            ("{ test { output } }", "Field 'test' needs its argument 'inputString'."),
            (
                "{ mlflowGetRun(input: $data) { apiError { code } } }",
                "Field 'mlflowGetRun' needs its argument 'input'.",
            ),
            (
                "{ mlflowGetRun(input: {id: \"a\"}) { apiError { code } } }",
                "Field 'id' is not defined by type 'MlflowGetRunInput'.",
            ),
            ("{ ...F }", "Unknown fragment 'F'."),
            ("{ ...F } fragment F on Mutation { __typename }", "Fragment cannot be spread here"),
            ("{ __typename @skip }", "Directive '@skip' needs its argument 'if'"),
            (
                "{ a: test(inputString: \"a\") { output } a: test(inputString: \"b\") { output } }",
                "Fields 'a' conflict",
            ),
            ("subscription { a }", "Schema is not configured to execute subscription operation."),
        ] {
            let said = refused(text);
            assert!(said.starts_with(message), "{text}: {said}");
        }
    }

    #[test]
    fn every_type_has_its_name_and_both_operations_search_runs() {
        for text in ["{ __typename }", "mutation { __typename }"] {
            let document = parse(text).unwrap();
            assert!(
                matches!(&document.operations[0].selections[0], Selection::Field(field) if field.name == "__typename")
            );
            let roots = planned(text, &Variables::new()).unwrap();
            let wanted =
                if document.operations[0].kind == OperationKind::Query { "Query" } else { "Mutation" };
            assert!(matches!(roots[0].wanted, WantedRoot::TypeName(name) if name == wanted));
        }
        for kind in ["query", "mutation"] {
            let text =
                format!("{kind} {{ mlflowSearchRuns(input: {{experimentIds: \"1\"}}) {{ nextPageToken }} }}");
            let roots = planned(&text, &Variables::new()).unwrap();
            let WantedRoot::Call { argument, .. } = &roots[0].wanted else { panic!("{roots:?}") };
            assert_eq!(json!(argument), json!({"experimentIds": ["1"]}));
        }
    }
}
