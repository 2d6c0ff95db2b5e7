//! What a version of a prompt says: a text, or the messages of a chat, with variables in double braces.

use std::collections::BTreeMap;

use mainstay_registry::prompt::{PROMPT_TEXT, PROMPT_TYPE};
use serde_json::Value;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Variable(String),
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) role: String,
    parts: Vec<Part>,
}

impl Message {
    pub(super) fn new(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), parts: parts(text) }
    }

    /// Its texts and variables.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The template.
    pub(super) fn text(&self) -> String {
        joined(&self.parts)
    }
}

/// A whole template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    Text(Vec<Part>),
    Chat(Vec<Message>),
}

impl Body {
    /// As one text.
    pub(super) fn whole(&self) -> String {
        match self {
            Self::Text(parts) => joined(parts),
            Self::Chat(messages) => {
                let said: Vec<String> =
                    messages.iter().map(|one| format!("{}: {}", one.role, one.text())).collect();
                said.join("\n\n")
            }
        }
    }
}

/// What the tags of a version say. A chat that cannot be read as one is a text.
pub(super) fn body_of(tags: &BTreeMap<String, String>) -> Body {
    let text = tags.get(PROMPT_TEXT).map(String::as_str).unwrap_or_default();
    let is_chat = tags.get(PROMPT_TYPE).is_some_and(|kind| kind == "chat");
    let messages = is_chat.then(|| serde_json::from_str::<Vec<Value>>(text).ok()).flatten();
    match messages {
        Some(messages) => Body::Chat(messages.iter().map(message).collect()),
        None => Body::Text(parts(text)),
    }
}

fn message(value: &Value) -> Message {
    let role = value.get("role").and_then(Value::as_str).unwrap_or("message");
    match value.get("content") {
        Some(Value::String(text)) => Message::new(role, text),
        Some(content) => Message::new(role, &serde_json::to_string_pretty(content).unwrap_or_default()),
        None => Message::new(role, ""),
    }
}

fn joined(parts: &[Part]) -> String {
    let text = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Variable(name) => format!("{{{{{name}}}}}"),
    };
    parts.iter().map(text).collect()
}

/// A template's texts and variables, which stand in double braces (`PROMPT_TEMPLATE_VARIABLE_PATTERN` of MLflow:
/// `\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*)\s*\}\}`).
fn parts(template: &str) -> Vec<Part> {
    let mut found = Vec::new();
    let (mut rest, mut plain) = (template, String::new());
    while let Some(at) = rest.find("{{") {
        let (before, behind) = (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default());
        let named = behind.find("}}").and_then(|end| Some((behind.get(..end)?, behind.get(end + 2..)?)));
        if let Some((name, after)) = named.filter(|(name, _)| is_variable(name.trim())) {
            plain.push_str(before);
            if !plain.is_empty() {
                found.push(Part::Text(std::mem::take(&mut plain)));
            }
            found.push(Part::Variable(name.to_owned()));
            rest = after;
        } else {
            // One brace further: `{{{x}}}` holds a variable too.
            plain.push_str(rest.get(..=at).unwrap_or_default());
            rest = rest.get(at + 1..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        found.push(Part::Text(plain));
    }
    found
}

fn is_variable(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_one =
        |part: &str| part.starts_with(is_letter) && part.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    name.split('.').all(is_one)
}

/// The names of the variables, each once, in the order in which they stand.
pub(super) fn variables(body: &Body) -> Vec<String> {
    let all: Vec<&Part> = match body {
        Body::Text(parts) => parts.iter().collect(),
        Body::Chat(messages) => messages.iter().flat_map(|one| &one.parts).collect(),
    };
    let mut names: Vec<String> = Vec::new();
    for part in all {
        if let Part::Variable(name) = part
            && !names.iter().any(|known| known == name.trim())
        {
            names.push(name.trim().to_owned());
        }
    }
    names
}

/// The beginning of it, in one line.
pub(super) fn plain(body: &Body, limit: usize) -> String {
    let whole = body.whole();
    let words: Vec<&str> = whole.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= limit { line } else { line.chars().take(limit).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(kind: &str, text: &str) -> BTreeMap<String, String> {
        [(PROMPT_TYPE, kind), (PROMPT_TEXT, text)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn variables_are_told_from_text() {
        let body = body_of(&tags(
            "text",
            "Hi {{ name }}, {{x}} {{x}} {not} {{1}} {{a b}} {{{y}}} {{u.id}} {{.z}} {{open",
        ));
        assert_eq!(variables(&body), ["name", "x", "y", "u.id"]);
        assert_eq!(
            body.whole(),
            "Hi {{ name }}, {{x}} {{x}} {not} {{1}} {{a b}} {{{y}}} {{u.id}} {{.z}} {{open"
        );
        let Body::Text(parts) = &body else { panic!("a text") };
        assert_eq!(parts[..2], [Part::Text("Hi ".into()), Part::Variable(" name ".into())]);
    }

    #[test]
    fn a_chat_has_messages() {
        let json = r#"[{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": [{"type": "text"}]}]"#;
        let body = body_of(&tags("chat", json));
        let Body::Chat(messages) = &body else { panic!("a chat") };
        assert_eq!((messages.len(), messages[0].role.as_str()), (2, "system"));
        assert_eq!(variables(&body), ["tone"]);
        assert!(plain(&body, 12).starts_with("system: Be {"));
        let odd = body_of(&tags("chat", "no json"));
        assert_eq!(odd.whole(), "no json");
    }
}
