//! What follows for a trace from some of its spans.

use mainstay_core::text::exceeds;

use crate::error::TraceError;
use crate::info::{MAX_NAME, MAX_SESSION, MAX_VALUE, TraceState, at_most, cut, cut_to, key, storable};
use crate::preview::{Role, preview};
use crate::span::{Span, StatusCode, unquoted};
use crate::usage::{Amounts, COST_ATTRIBUTE, Node, USAGE_ATTRIBUTE};
use mainstay_core::text::MAX_KEY;

/// Attributes of a root that begin so become tags of its trace.
const TAG_PREFIX: &str = "mlflow.traceTag.";
/// Nanoseconds in a millisecond.
const MILLI: u64 = 1_000_000;

/// What follows for a trace from some of its spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The earliest start: milliseconds since the Unix epoch, rounded down.
    pub start_ms: i64,
    /// The latest end, likewise, if any span has ended.
    pub end_ms: Option<i64>,
    /// What the last root among them says.
    pub root: Option<RootFacts>,
    /// The conversation that it belongs to.
    pub session: Option<String>,
    /// Whom it served.
    pub user: Option<String>,
    /// What they used.
    pub nodes: Vec<Node>,
}

/// What follows from a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFacts {
    /// What it is called, if it is called anything.
    pub name: Option<String>,
    /// How the trace ended.
    pub state: TraceState,
    /// The beginning of what was asked.
    pub request: Option<String>,
    /// The beginning of what was answered.
    pub response: Option<String>,
}

impl Facts {
    /// What follows from these spans, of which there is at least one.
    pub fn of(spans: &[Span]) -> Result<Self, TraceError> {
        let millis = |ns: u64| i64::try_from(ns / MILLI).unwrap_or(i64::MAX);
        let session = ["session.id", "gen_ai.conversation.id"];
        let session = spans.iter().find_map(|span| session.into_iter().find_map(|key| text_of(span, key)));
        if let Some(session) = &session {
            at_most("Session ID", session, MAX_SESSION)?;
        }
        Ok(Self {
            start_ms: millis(spans.iter().map(|span| span.start_ns).min().unwrap_or_default()),
            end_ms: spans.iter().filter_map(|span| span.end_ns).max().map(millis),
            root: spans.iter().rfind(|span| span.parent.is_none()).map(RootFacts::of),
            session,
            user: spans.iter().find_map(|span| text_of(span, "user.id")).map(cut),
            nodes: spans.iter().map(node).collect(),
        })
    }

    /// Whether any span tells what it used.
    pub fn has_usage(&self) -> bool {
        self.nodes.iter().any(|node| node.usage.is_some())
    }

    /// Whether any span tells what it cost.
    pub fn has_cost(&self) -> bool {
        self.nodes.iter().any(|node| node.cost.is_some())
    }
}

impl RootFacts {
    fn of(root: &Span) -> Self {
        let shown = |key, role| {
            let json = root.attribute(key).filter(|json| *json != "null")?;
            Some(preview(json, role))
        };
        Self {
            name: name_of(root),
            state: if root.status == StatusCode::Error { TraceState::Error } else { TraceState::Ok },
            request: shown("mlflow.spanInputs", Role::User),
            response: shown("mlflow.spanOutputs", Role::Assistant),
        }
    }
}

/// What a trace is called by its root, if the root is called anything.
pub fn name_of(root: &Span) -> Option<String> {
    Some(cut_to(storable(root.name.clone()), MAX_NAME)).filter(|name| !name.is_empty())
}

/// What sums need of a span.
pub fn node(span: &Span) -> Node {
    Node {
        span: span.id,
        parent: span.parent,
        usage: span.attribute(USAGE_ATTRIBUTE).and_then(Amounts::parse),
        cost: span.attribute(COST_ATTRIBUTE).and_then(Amounts::parse),
    }
}

/// The tags that a root gives its trace. What is no tag, or the server's own, is left out.
pub fn tags_of_root(root: &Span) -> impl Iterator<Item = (String, String)> {
    root.attributes.iter().filter_map(|attribute| {
        let key = attribute.key.strip_prefix(TAG_PREFIX)?;
        accepted_tag(key.to_owned(), unquoted(&attribute.value).into_owned())
    })
}

/// A tag that comes with spans, if it is one and not the server's own.
pub fn accepted_tag(key: String, value: String) -> Option<(String, String)> {
    let is_tag = mainstay_core::text::is_key(&key) && exceeds(&key, MAX_KEY).is_none();
    (is_tag && !super::info::is_own_tag(&key)).then(|| {
        let limit = if key == key::NAME { MAX_NAME } else { MAX_VALUE };
        (key, cut_to(storable(value), limit))
    })
}

fn text_of(span: &Span, key: &str) -> Option<String> {
    let text = span.text(key)?.into_owned();
    Some(storable(text)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::span::tests::{span, with};
    use super::*;

    #[test]
    fn times_state_and_previews_follow_from_spans() {
        let root =
            with(with(span(1, None, 5), "mlflow.spanInputs", r#"{"q": 1}"#), "mlflow.spanOutputs", "2");
        let facts = Facts::of(&[span(2, Some(1), 9), root]).unwrap();
        assert_eq!((facts.start_ms, facts.end_ms), (5, Some(10)));
        let root = facts.root.unwrap();
        assert_eq!((root.name.as_deref(), root.state), (Some("span 1"), TraceState::Ok));
        assert_eq!((root.request.as_deref(), root.response.as_deref()), (Some(r#"{"q": 1}"#), Some("2")));
        let open = Span { end_ns: None, ..span(2, Some(1), 9) };
        let facts = Facts::of(&[open]).unwrap();
        assert_eq!((facts.end_ms, facts.root), (None, None));
        let called =
            |name: &str| Facts::of(&[Span { name: name.to_owned(), ..span(1, None, 1) }]).unwrap().root;
        assert_eq!(called("").unwrap().name, None);
        assert_eq!(called(&"é\0".repeat(MAX_NAME)).unwrap().name, Some("é\u{fffd}".repeat(MAX_NAME / 2)));
        let failed = Span { status: StatusCode::Error, ..span(1, None, 1) };
        let unset = Span { status: StatusCode::Unset, ..span(1, None, 1) };
        let state = |span| Facts::of(&[span]).unwrap().root.unwrap().state;
        assert_eq!((state(failed), state(unset)), (TraceState::Error, TraceState::Ok));
    }

    #[test]
    fn sessions_and_users_are_read_from_the_first_that_tells() {
        let one = with(with(span(1, None, 1), "gen_ai.conversation.id", r#""c""#), "user.id", "7");
        let two = with(with(span(2, None, 1), "session.id", r#""s""#), "user.id", r#""u""#);
        let facts = Facts::of(&[one.clone(), two.clone()]).unwrap();
        assert_eq!((facts.session.as_deref(), facts.user.as_deref()), (Some("c"), Some("7")));
        let facts = Facts::of(&[two, one]).unwrap();
        assert_eq!((facts.session.as_deref(), facts.user.as_deref()), (Some("s"), Some("u")));
        let long = with(span(1, None, 1), "session.id", &format!("\"{}\"", "s".repeat(251)));
        assert!(matches!(Facts::of(&[long]), Err(TraceError::TooLong { .. })));
    }

    #[test]
    fn roots_give_tags() {
        let root = with(span(1, None, 1), "mlflow.traceTag.a", r#""x\"""#);
        let root = with(with(root, "mlflow.traceTag.b", "[1]"), "mlflow.traceTag.a#", "1");
        let root = with(with(root, "mlflow.traceTag.mlflow.artifactLocation", "1"), "other", "1");
        let tags: Vec<_> = tags_of_root(&root).collect();
        assert_eq!(tags, [("a".into(), "x\"".into()), ("b".into(), "[1]".into())]);
    }
}
