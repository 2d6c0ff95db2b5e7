//! What went in and came out, where it is told by events: Spring AI, `LiveKit` and Claude Code do.

use serde_json::{Value, json};

use super::claude_code::{Kind, is_shown};
use super::{View, is_telling};
use crate::span::{Span, SpanEvent};

/// What went in.
pub(super) fn input(span: &Span, _: &View<'_>) -> Option<String> {
    first(span, "gen_ai.content.prompt", &["gen_ai.prompt"]).or_else(|| {
        messages(span, |event| match event.name.as_str() {
            "gen_ai.system.message" => Some(json!("system")),
            "gen_ai.user.message" => Some(json!("user")),
            "gen_ai.assistant.message" => Some(json!("assistant")),
            _ => None,
        })
    })
}

/// What came out.
pub(super) fn output(span: &Span, view: &View<'_>) -> Option<String> {
    first(span, "gen_ai.content.completion", &["gen_ai.completion"])
        .or_else(|| {
            messages(span, |event| {
                let role = || attribute(event, "role").map_or_else(|| json!("assistant"), unpacked);
                (event.name == "gen_ai.choice").then(role)
            })
        })
        .or_else(|| {
            let is_tool = Kind::of(view) == Some(Kind::Tool);
            first(span, "tool.output", &["output", "content", "diff"]).filter(|_| is_tool)
        })
}

/// The JSON text of the first of these attributes that tells something, of the first event of that name.
fn first(span: &Span, name: &str, keys: &[&str]) -> Option<String> {
    let mut events = span.events.iter().filter(|event| event.name == name);
    events.find_map(|event| {
        let told = keys.iter().filter_map(|key| attribute(event, key)).find(|json| is_shown(json))?;
        // A text that holds JSON is taken for what it holds, as with attributes of spans.
        match unpacked(told) {
            value @ (Value::Array(_) | Value::Object(_)) => Some(value.to_string()),
            _ => Some(told.to_owned()),
        }
    })
}

/// The messages that events tell; `role` says who speaks.
fn messages(span: &Span, role: impl Fn(&SpanEvent) -> Option<Value>) -> Option<String> {
    let message = |event: &SpanEvent| {
        let content = attribute(event, "content")?;
        Some(json!({"role": role(event)?, "content": unpacked(content)}))
    };
    let messages: Vec<Value> = span.events.iter().filter_map(message).collect();
    (!messages.is_empty()).then(|| Value::Array(messages).to_string())
}

fn attribute<'a>(event: &'a SpanEvent, key: &str) -> Option<&'a str> {
    let found = event.attributes.iter().find(|attribute| attribute.key == key);
    found.map(|attribute| attribute.value.as_str()).filter(|json| is_telling(json))
}

/// The value of a JSON text; of a text that holds JSON, what it holds.
fn unpacked(json: &str) -> Value {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|_| Value::from(json));
    let inner = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    inner.unwrap_or(value)
}
