//! Comparisons with spans: all of them must hold of one span.

use mainstay_core::error::StorageError;
use mainstay_core::search::{Extra, Op, Operand, Pattern, TextTest};

use crate::id::TraceId;
use crate::span::{Span, unquoted};
use crate::span_text::write_span;
use crate::stored::StoredSpans;
use mainstay_core::search::SearchError;

/// How much earlier than its trace a span may begin, by clocks that differ: nanoseconds.
const TOLERANCE: u64 = 10_000_000_000;
/// Nanoseconds in a millisecond.
const MILLI: f64 = 1e6;

/// Where a value of a span stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SpanColumn {
    Name,
    Type,
    Status,
    Content,
    Attribute(String),
}

impl SpanColumn {
    pub(crate) fn named(key: String) -> Result<Self, SearchError> {
        match key.as_str() {
            "name" => Ok(Self::Name),
            "type" => Ok(Self::Type),
            "status" => Ok(Self::Status),
            "content" => Ok(Self::Content),
            _ => match key.strip_prefix("attributes.") {
                Some(name) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
                _ => Err(SearchError::SpanAttribute(key)),
            },
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::Name => "name",
            Self::Type => "type",
            Self::Status => "status",
            Self::Content => "content",
            Self::Attribute(name) => name,
        }
    }
}

/// What is asked of a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanFilter {
    tests: Vec<(SpanColumn, TextTest)>,
    contents: Vec<Pattern>,
    /// No span that began before is looked at: nanoseconds since the Unix epoch.
    earliest_ns: u64,
}

impl SpanFilter {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.contents.is_empty()
    }

    /// A span must have this in a column of texts.
    pub(crate) fn must_equal(&mut self, column: SpanColumn, text: String) {
        self.tests.push((column, TextTest::Equal(text)));
    }

    pub(crate) fn add(&mut self, column: SpanColumn, op: Op, value: Operand) -> Result<(), SearchError> {
        let extra = if column == SpanColumn::Content { Extra::Nothing } else { Extra::ListsAndExpressions };
        let test = TextTest::new(column.key(), op, value, extra)?;
        match (column, test) {
            (SpanColumn::Content, TextTest::Like(pattern)) => self.contents.push(pattern),
            (SpanColumn::Content, _) => {
                return Err(SearchError::Comparator { key: "content".into(), op: op.as_str() });
            }
            (column, test) => self.tests.push((column, test)),
        }
        Ok(())
    }

    /// The traces begin no earlier than that, in milliseconds since the Unix epoch.
    pub(crate) fn begin_after(&mut self, ms: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let bound = ((ms * MILLI) as u64).saturating_sub(TOLERANCE);
        self.earliest_ns = self.earliest_ns.max(bound);
    }

    /// Whether a trace has a span that is wanted.
    pub fn is_in(&self, trace: &TraceId, spans: &StoredSpans) -> Result<bool, StorageError> {
        let unpacked = spans.unpack()?;
        let mut text = String::new();
        Ok(unpacked.read::<&str>()?.iter().any(|span| self.holds(trace, span, &mut text)))
    }

    /// Whether a span is wanted; `text` is where its text is written, if it is needed.
    pub(crate) fn holds(&self, trace: &TraceId, span: &Span<&str>, text: &mut String) -> bool {
        if span.start_ns < self.earliest_ns
            || !self.tests.iter().all(|(column, test)| is_so(span, column, test))
        {
            return false;
        }
        if self.contents.is_empty() {
            return true;
        }
        text.clear();
        write_span(text, trace, span);
        self.contents.iter().all(|pattern| pattern.matches(text))
    }
}

fn is_so(span: &Span<&str>, column: &SpanColumn, test: &TextTest) -> bool {
    match column {
        SpanColumn::Name => test.holds(span.name),
        SpanColumn::Type => span.span_type().is_some_and(|kind| test.holds(&kind)),
        SpanColumn::Status => test.holds(span.status.short_name()),
        SpanColumn::Content => false,
        // A text is compared as it is, and as JSON has it: patterns of clients may hold the quotes.
        SpanColumn::Attribute(name) => span.attribute(name).is_some_and(|json| match test {
            TextTest::Like(_) | TextTest::Matches(_) => test.holds(&unquoted(json)) || test.holds(json),
            _ => test.holds(&unquoted(json)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::block;
    use super::super::search::TraceFilter;
    use super::super::span::StatusCode;
    use super::super::span::tests::{span, with};
    use super::*;

    fn matches(filter: &str, spans: &[Span]) -> bool {
        let filter = TraceFilter::parse(filter).unwrap();
        let stored = StoredSpans::new(vec![block::encode(spans).unwrap().remove(0).bytes]);
        filter.spans().is_in(&TraceId::from_otel([1; 16]), &stored).unwrap()
    }

    #[test]
    fn one_span_must_pass_all() {
        let llm = with(with(span(1, None, 1_000), "mlflow.spanType", "\"LLM\""), "model", "\"gpt-4\"");
        let tool = with(Span { status: StatusCode::Error, ..span(2, Some(1), 2_000) }, "n", "7");
        let spans = [llm, tool];
        for wanted in [
            "span.name = 'span 1'",
            "span.name LIKE 'span%' AND span.status = 'ERROR'",
            "span.type IN ('LLM', 'TOOL')",
            "span.type != 'TOOL'",
            "span.name RLIKE '^span [0-9]$'",
            "span.attributes.model LIKE '%gpt%'",
            "span.attributes.model = 'gpt-4'",
            "span.attributes.`model` ILIKE '%GPT%'",
            "span.attributes.model RLIKE '^gpt-.$'",
            "span.attributes.n = '7'",
            "span.content ILIKE '%\"NAME\": \"SPAN 2\"%'",
            "trace.text LIKE '%gpt-4%'",
            "text LIKE '%trace%'",
            "timestamp > 1000 AND span.name = 'span 1'",
        ] {
            assert!(matches(wanted, &spans), "{wanted}");
        }
        for unwanted in [
            "span.name = 'span 1' AND span.status = 'ERROR'",
            "span.type = 'TOOL'",
            "span.type = 'LLM' AND trace.text LIKE '%span 2%'",
            "span.attributes.model NOT IN ('gpt-4')",
            "span.attributes.other != 'x'",
            "span.content LIKE '%absent%'",
            "timestamp >= 11001 AND span.name = 'span 1'",
        ] {
            assert!(!matches(unwanted, &spans), "{unwanted}");
        }
        assert!(TraceFilter::parse("tag.a = 'b'").unwrap().spans().is_empty());
    }
}
