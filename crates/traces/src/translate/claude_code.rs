//! Claude Code, whose spans have names and keys of their own. What its users do not want to show stands as
//! `<REDACTED>`, and says nothing.

use serde_json::{Map, Value};

use super::View;
use super::convention::Tokens;

const REDACTED: &str = "<REDACTED>";

/// Its kinds of span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Interaction,
    Request,
    Tool,
}

impl Kind {
    /// Which one a span is, if it is one of its.
    pub(super) fn of(view: &View<'_>) -> Option<Self> {
        let told = view.text("span.type")?;
        match told.strip_prefix("claude_code.").unwrap_or(&told) {
            "interaction" => Some(Self::Interaction),
            "llm_request" => Some(Self::Request),
            "tool" => Some(Self::Tool),
            _ => None,
        }
    }
}

pub(super) fn kind(view: &View<'_>) -> Option<&'static str> {
    Kind::of(view).map(|kind| match kind {
        Kind::Interaction => "AGENT",
        Kind::Request => "LLM",
        Kind::Tool => "TOOL",
    })
}

pub(super) fn tokens(view: &View<'_>) -> Tokens {
    if Kind::of(view) != Some(Kind::Request) {
        return Tokens::default();
    }
    let (cache_read, cache_write) = (view.number("cache_read_tokens"), view.number("cache_creation_tokens"));
    // It counts what it found in its caches apart.
    let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    Tokens {
        input: view.number("input_tokens").map(|own| own.saturating_add(cached)),
        output: view.number("output_tokens"),
        total: None,
        cache_read,
        cache_write,
    }
}

pub(super) fn input(view: &View<'_>) -> Option<String> {
    match Kind::of(view)? {
        Kind::Interaction => shown(view, "user_prompt").or_else(|| shown(view, "new_context")),
        Kind::Request => shown(view, "new_context"),
        Kind::Tool => shown(view, "tool_input").or_else(|| {
            let keys = ["full_command", "file_path", "skill_name", "subagent_type"];
            let detail = |key: &str| {
                let value = serde_json::from_str::<Value>(&shown(view, key)?).ok()?;
                Some((key.to_owned(), value))
            };
            let details: Map<String, Value> = keys.into_iter().filter_map(detail).collect();
            (!details.is_empty()).then(|| Value::Object(details).to_string())
        }),
    }
}

pub(super) fn output(view: &View<'_>) -> Option<String> {
    match Kind::of(view)? {
        Kind::Interaction => None,
        Kind::Request => shown(view, "response.model_output"),
        Kind::Tool => shown(view, "new_context"),
    }
}

/// The JSON text of an attribute that is shown.
fn shown(view: &View<'_>, key: &str) -> Option<String> {
    view.telling(key).filter(|json| is_shown(json)).map(str::to_owned)
}

/// Whether a JSON text is more than a sign that something is not shown.
pub(super) fn is_shown(json: &str) -> bool {
    json.trim_matches('"') != REDACTED
}
