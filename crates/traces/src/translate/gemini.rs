//! The command line of Gemini, which speaks as OpenTelemetry does, but writes messages in its own way.

use serde_json::{Value, json};

use super::View;
use super::convention::Convention;

/// Whether a span is one of its.
pub(super) fn speaks(view: &View<'_>) -> bool {
    view.json("gen_ai.agent.name") == Some("\"gemini-cli\"")
}

/// What went in, as `{"contents": …}`.
pub(super) fn input(convention: &Convention, view: &View<'_>) -> Option<String> {
    let told = view.first(convention.inputs).filter(|_| speaks(view))?;
    let Ok(mut value) = serde_json::from_str::<Value>(told) else { return Some(told.to_owned()) };
    let is_system = view.json("gen_ai.operation.name") == Some("\"system_prompt\"");
    for message in value.as_array_mut().into_iter().flatten().filter(|_| is_system) {
        // The prompt of the system is told as if the user had said it.
        if message.get("role").is_some_and(|role| role == "user") {
            message["role"] = json!("system");
        }
    }
    Some(if value.is_array() || value.is_string() {
        json!({"contents": value}).to_string()
    } else {
        told.to_owned()
    })
}

/// What came out, as one candidate with the parts of all messages.
pub(super) fn output(convention: &Convention, view: &View<'_>) -> Option<String> {
    let told = view.first(convention.outputs).filter(|_| speaks(view))?;
    let value: Value = serde_json::from_str(told).unwrap_or_default();
    let messages = value.as_array().into_iter().flatten();
    let parts: Vec<&Value> =
        messages.filter_map(|message| message.get("parts")?.as_array()).flatten().collect();
    if parts.is_empty() {
        return Some(told.to_owned());
    }
    Some(json!({"candidates": [{"content": {"role": "model", "parts": parts}}]}).to_string())
}
