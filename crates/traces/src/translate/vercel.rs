//! Vercel's AI SDK, which spreads what goes in and comes out of a model over attributes.

use serde_json::{Map, Value};

use super::View;
use super::convention::Convention;

/// Whether a span is a call of a model.
pub(super) fn is_chat(view: &View<'_>) -> bool {
    let chats = ["\"ai.generateText.doGenerate\"", "\"ai.streamText.doStream\""];
    view.json("ai.operationId").is_some_and(|operation| chats.contains(&operation))
}

pub(super) fn input(convention: &Convention, view: &View<'_>) -> Option<String> {
    if is_chat(view) {
        gathered(view, "ai.prompt.")
    } else {
        view.first(convention.inputs).map(str::to_owned)
    }
}

pub(super) fn output(convention: &Convention, view: &View<'_>) -> Option<String> {
    if is_chat(view) {
        gathered(view, "ai.response.")
    } else {
        view.first(convention.outputs).map(str::to_owned)
    }
}

/// All attributes whose keys begin so, as one object.
fn gathered(view: &View<'_>, prefix: &str) -> Option<String> {
    let mut members: Map<String, Value> =
        view.below(prefix).map(|(key, json)| (key.to_owned(), unpacked(json))).collect();
    for tool in members.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::String(text) = tool {
            *tool = unpacked(text);
        }
    }
    (!members.is_empty()).then(|| Value::Object(members).to_string())
}

/// The value of a JSON text, which may hold another one, and that a third.
fn unpacked(json: &str) -> Value {
    let mut value = serde_json::from_str(json).unwrap_or_else(|_| Value::from(json));
    for _ in 0..2 {
        let inner = value.as_str().and_then(|text| serde_json::from_str(text).ok());
        let Some(inner) = inner else { break };
        value = inner;
    }
    value
}
