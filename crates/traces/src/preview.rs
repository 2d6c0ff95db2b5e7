//! The beginning of what was asked and answered, read out of a root span's inputs and outputs.

use serde_json::Value;

use crate::info::storable;

/// Longest preview, in characters.
pub const MAX_PREVIEW: usize = 1_000;

/// Who speaks in the message that is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who asks.
    User,
    /// Who answers.
    Assistant,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// The preview of a JSON text: the last message of that role if it holds messages of a chat, else its own
/// beginning (`mlflow/tracing/utils/truncation.py`).
pub fn preview(json: &str, role: Role) -> String {
    let is_object = json.trim_start().starts_with('{');
    let value = if is_object { serde_json::from_str::<Value>(json).ok() } else { None };
    let said = value.as_ref().and_then(|value| message_text(value, role)).filter(|text| !text.is_empty());
    shortened(said.unwrap_or(json))
}

/// At most [`MAX_PREVIEW`] characters, the last three of which say that there were more.
pub fn shortened(text: &str) -> String {
    let mut starts = text.char_indices().map(|(at, _)| at);
    let cut = starts.nth(MAX_PREVIEW - 3).filter(|_| starts.nth(2).is_some());
    let short = match cut.and_then(|at| text.get(..at)) {
        Some(start) => format!("{start}..."),
        None => text.to_owned(),
    };
    storable(short)
}

fn message_text(value: &Value, role: Role) -> Option<&str> {
    let list = |key: &str| value.get(key).and_then(Value::as_array).map(|items| items.iter().collect());
    let chosen = || Some(vec![value.get("choices")?.get(0)?.get("message")?]);
    let places: [Option<Vec<&Value>>; 4] = [list("messages"), chosen(), list("input"), list("output")];
    let mut found = places.into_iter().flatten();
    let found = found.find_map(|items| content(last_message(&items, role)?));
    // Some clients wrap what they send.
    found.or_else(|| {
        let inner = value.get("request").filter(|inner| inner.is_object())?;
        message_text(inner, role)
    })
}

fn last_message<'a>(items: &[&'a Value], role: Role) -> Option<&'a Value> {
    let is_message = |item: &&&'a Value| item.get("role").is_some() && item.get("content").is_some();
    let mut messages = items.iter().filter(is_message).rev();
    let last = messages.clone().next();
    let wanted = messages.find(|item| item.get("role").and_then(Value::as_str) == Some(role.as_str()));
    wanted.or(last).copied()
}

fn content(message: &Value) -> Option<&str> {
    match message.get("content")? {
        Value::String(text) => Some(text),
        Value::Array(parts) => parts.iter().find_map(|part| match part {
            Value::String(text) => Some(text.as_str()),
            _ if matches!(part.get("type")?.as_str()?, "text" | "output_text") => part.get("text")?.as_str(),
            _ => None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_chats_are_found() {
        for json in [
            r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "no"}]}"#,
            r#"{"choices": [{"message": {"role": "assistant", "content": "hi"}}]}"#,
            r#"{"input": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "hi"}]}]}"#,
            r#"{"output": [{"type": "x"}, {"role": "a", "content": [{"type": "output_text", "text": "hi"}]}]}"#,
            r#"{"request": {"messages": [{"role": "system", "content": "hi"}]}}"#,
        ] {
            assert_eq!(preview(json, Role::User), "hi", "{json}");
        }
    }

    #[test]
    fn everything_else_is_shown_as_it_is() {
        for json in [r#""Hello, world!""#, r#"{"x": 1}"#, r#"{"messages": []}"#, "[1]", "{not json"] {
            assert_eq!(preview(json, Role::Assistant), json);
        }
        assert_eq!(preview(&"é".repeat(1_000), Role::User), "é".repeat(1_000));
        assert_eq!(preview(&"é".repeat(1_001), Role::User), format!("{}...", "é".repeat(997)));
        assert_eq!(preview("a\0", Role::User), "a\u{fffd}");
    }
}
