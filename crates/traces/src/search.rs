//! Filters and orders of traces, in `MLflow`'s search language ([`mainstay_core::search`]).
//!
//! | entity | also | comparators | value |
//! |---|---|---|---|
//! | `tag` | `tags` | `= != LIKE ILIKE RLIKE`, `IS [NOT] NULL` | string |
//! | `metadata` | `request_metadata` | likewise | string |
//! | `attribute` | `attributes`, `trace`, or nothing | by key | |
//! | `span` | | `= != LIKE ILIKE RLIKE [NOT] IN` | `name`, `type`, `status`, `attributes.KEY`: string, list |
//! | `span.content` | `trace.text` | `LIKE ILIKE` | string: the [text](super::span_text) of the span |
//! | `feedback`, `expectation` | | `= != LIKE ILIKE RLIKE`, `IS [NOT] NULL`; `< <= > >=` | string; number |
//! | `issue` | | `=` | `id`: string |
//!
//! A missing tag or metadata fails every comparison but `IS NULL`. All that is asked of spans is asked
//! of one span, and stands beside the rest: no `OR` and no `NOT` above it.

use std::mem;

use mainstay_core::search::{
    Column, Comparison, Extra, Filter, NumberTest, Op, Operand, Term, TextTest, parse_column, parse_filter,
    parse_orders,
};
use mainstay_core::text::clip;

pub(crate) use super::search_assessment::AssessmentTest;
pub(crate) use super::search_span::SpanColumn;
use crate::assessment::Kind;
use crate::info::key as reserved;
pub use crate::search_span::SpanFilter;
use mainstay_core::search::SearchError;

const ENTITIES: &str = "attribute, attributes, trace, tag, tags, metadata, request_metadata, span, feedback, \
     expectation, issue";
const ATTRIBUTES: &str = "{'client_request_id', 'end_time', 'end_time_ms', 'execution_time', 'execution_time_ms', \
     'name', 'prompt', 'request_id', 'run_id', 'status', 'text', 'timestamp', 'timestamp_ms'}";
const ORDERED: &str = "{'client_request_id', 'end_time', 'end_time_ms', 'execution_time', 'execution_time_ms', \
     'experiment_id', 'name', 'request_id', 'run_id', 'status', 'timestamp', 'timestamp_ms'}";

/// A numeric attribute of a trace, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeAttribute {
    Start,
    Duration,
    End,
}

/// A text attribute of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextAttribute {
    Id,
    State,
    ClientRequest,
}

/// Where a value of a trace stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TraceColumn {
    Experiment,
    Time(TimeAttribute),
    Text(TextAttribute),
    /// The name, or that of the root.
    Name,
    Tag(String),
    Metadata(String),
}

/// What a comparison names: a column, what a trace is linked to, or what is said of it.
enum Named {
    Column(TraceColumn),
    Run,
    Prompt,
    Span(SpanColumn),
    Assessment(Kind, String),
    Issue,
}

fn named(Column { entity, key }: Column, valid: &'static str) -> Result<Named, SearchError> {
    let column = match entity.as_deref() {
        Some("tag" | "tags") => TraceColumn::Tag(key),
        Some("metadata" | "request_metadata") => TraceColumn::Metadata(key),
        None | Some("attribute" | "attributes" | "trace") => match key.as_str() {
            "timestamp" | "timestamp_ms" => TraceColumn::Time(TimeAttribute::Start),
            "execution_time" | "execution_time_ms" => TraceColumn::Time(TimeAttribute::Duration),
            "end_time" | "end_time_ms" => TraceColumn::Time(TimeAttribute::End),
            "request_id" => TraceColumn::Text(TextAttribute::Id),
            "status" => TraceColumn::Text(TextAttribute::State),
            "client_request_id" => TraceColumn::Text(TextAttribute::ClientRequest),
            "name" => TraceColumn::Name,
            "experiment_id" => TraceColumn::Experiment,
            "run_id" => return Ok(Named::Run),
            "prompt" => return Ok(Named::Prompt),
            "text" => return Ok(Named::Span(SpanColumn::Content)),
            _ => return Err(SearchError::Attribute { key, valid }),
        },
        Some("span") => return SpanColumn::named(key).map(Named::Span),
        Some("feedback") => return Ok(Named::Assessment(Kind::Feedback, key)),
        Some("expectation") => return Ok(Named::Assessment(Kind::Expectation, key)),
        Some("issue") if key == "id" => return Ok(Named::Issue),
        Some("issue") => return Err(SearchError::IssueAttribute(key)),
        Some(entity) => return Err(SearchError::Entity { entity: entity.to_owned(), valid: ENTITIES }),
    };
    Ok(Named::Column(column))
}

fn is_amounts(key: &str) -> bool {
    matches!(key, reserved::TOKEN_USAGE | reserved::COST)
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TraceTest {
    Time(TimeAttribute, NumberTest),
    Text(TextAttribute, TextTest),
    Name(TextTest),
    Tag(String, TextTest),
    Metadata(String, TextTest),
    /// Made in this run, or linked to it.
    Run(String),
    /// Linked to this prompt.
    Prompt(String),
    /// Something is said of it.
    Assessed(AssessmentTest),
    /// It has this issue.
    Issue(String),
}

/// Which traces are wanted: those of which `tests` hold, and of whose spans one is as `spans` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceFilter {
    pub(crate) tests: Filter<TraceTest>,
    pub(crate) spans: SpanFilter,
}

impl TraceFilter {
    /// Parses a filter text; a blank one wants every trace.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        Self::parse_both(text, "")
    }

    /// Parses two filter texts: both must hold, and what they ask of spans of one span.
    pub fn parse_both(one: &str, other: &str) -> Result<Self, SearchError> {
        let mut filter = Self::default();
        for part in parts(parse_filter(one)?).into_iter().chain(parts(parse_filter(other)?)) {
            filter.add(part)?;
        }
        Ok(filter)
    }

    /// What is asked of spans.
    pub fn spans(&self) -> &SpanFilter {
        &self.spans
    }

    /// This must hold too.
    pub(crate) fn must(&mut self, test: Filter<TraceTest>) {
        self.tests = Filter::all(vec![mem::take(&mut self.tests), test]);
    }

    fn add(&mut self, part: Filter<Term>) -> Result<(), SearchError> {
        let comparison = match part {
            Filter::Test(Term { comparison, .. }) => comparison,
            joined => {
                self.must(joined.try_map(&mut |Term { comparison, .. }| test(comparison))?);
                return Ok(());
            }
        };
        if let Named::Span(column) = named(comparison.column.clone(), ATTRIBUTES)? {
            return self.spans.add(column, comparison.op, comparison.value);
        }
        let test = test(comparison)?;
        if let TraceTest::Time(TimeAttribute::Start, NumberTest::More(bound) | NumberTest::AtLeast(bound)) =
            &test
        {
            self.spans.begin_after(*bound);
        }
        self.must(Filter::Test(test));
        Ok(())
    }
}

/// What must hold beside one another.
fn parts(filter: Filter<Term>) -> Vec<Filter<Term>> {
    match filter {
        Filter::All(parts) => parts,
        one => vec![one],
    }
}

fn issue(op: Op, value: Operand) -> Result<String, SearchError> {
    match (op, value) {
        (Op::Eq, Operand::Text(id)) => Ok(id),
        (Op::Eq, _) => Err(SearchError::Value { key: "issue.id".into(), expected: "a quoted string value" }),
        (op, _) => Err(SearchError::Comparator { key: "issue.id".into(), op: op.as_str() }),
    }
}

fn test(Comparison { column, op, value }: Comparison) -> Result<TraceTest, SearchError> {
    let key = column.key.clone();
    let pair = |op, value| TextTest::new(&key, op, value, Extra::NullsAndExpressions);
    Ok(match named(column, ATTRIBUTES)? {
        Named::Run => match (op, value) {
            (Op::Eq, Operand::Text(run)) => TraceTest::Run(run),
            (op, value) => TraceTest::Metadata(reserved::SOURCE_RUN.to_owned(), pair(op, value)?),
        },
        Named::Prompt => TraceTest::Prompt(prompt(op, value)?),
        Named::Span(_) => return Err(SearchError::SpanJoined),
        Named::Assessment(kind, name) => TraceTest::Assessed(AssessmentTest::new(kind, name, op, value)?),
        Named::Issue => TraceTest::Issue(issue(op, value)?),
        Named::Column(column) => match column {
            TraceColumn::Experiment => return Err(SearchError::Attribute { key, valid: ATTRIBUTES }),
            TraceColumn::Time(attribute) => TraceTest::Time(attribute, NumberTest::new(&key, op, &value)?),
            TraceColumn::Text(attribute) => {
                TraceTest::Text(attribute, TextTest::new(&key, op, value, Extra::ListsAndExpressions)?)
            }
            TraceColumn::Name => TraceTest::Name(pair(op, value)?),
            TraceColumn::Tag(name) => TraceTest::Tag(name, pair(op, value)?),
            TraceColumn::Metadata(name) => {
                if is_amounts(&name) && !matches!(op, Op::Eq | Op::Ne | Op::IsNull | Op::IsNotNull) {
                    return Err(SearchError::ReservedComparator { op: op.as_str(), key: name });
                }
                match (op, value) {
                    // A trace is of a run as well if it was linked to it afterwards.
                    (Op::Eq, Operand::Text(run)) if name == reserved::SOURCE_RUN => TraceTest::Run(run),
                    (op, value) => TraceTest::Metadata(name, pair(op, value)?),
                }
            }
        },
    })
}

fn prompt(op: Op, value: Operand) -> Result<String, SearchError> {
    match (op, value) {
        (Op::Eq, Operand::Text(text)) if text.matches('/').count() == 1 => Ok(text),
        (Op::Eq, Operand::Text(text)) => Err(SearchError::PromptValue(clip(&text))),
        (Op::Eq, _) => Err(SearchError::Value { key: "prompt".into(), expected: "a quoted string value" }),
        (op, _) => Err(SearchError::PromptComparator(op.as_str())),
    }
}

/// In which order traces come: as asked, missing values last in both directions; then the latest first, unless
/// starts were asked for; then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceOrder {
    /// Column, and whether ascending.
    pub(crate) columns: Vec<(TraceColumn, bool)>,
}

impl TraceOrder {
    /// Parses order texts, such as `timestamp DESC`; ascending where nothing is said.
    pub fn parse(texts: &[String]) -> Result<Self, SearchError> {
        let mut columns = parse_orders(texts, |column| match named(column, ORDERED)? {
            Named::Column(TraceColumn::Metadata(key)) if is_amounts(&key) => {
                Err(SearchError::ReservedOrder(key))
            }
            Named::Column(column) => Ok(column),
            Named::Run => Ok(TraceColumn::Metadata(reserved::SOURCE_RUN.to_owned())),
            Named::Prompt => Err(SearchError::Attribute { key: "prompt".into(), valid: ORDERED }),
            Named::Span(_) => Err(SearchError::NotOrdered("span")),
            Named::Assessment(kind, _) => Err(SearchError::NotOrdered(kind.as_str())),
            Named::Issue => Err(SearchError::NotOrdered("issue")),
        })?;
        let start = TraceColumn::Time(TimeAttribute::Start);
        if !columns.iter().any(|(column, _)| *column == start) {
            columns.push((start, false));
        }
        Ok(Self { columns })
    }
}

/// A column whose values a search box completes: texts, or what is said under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueColumn {
    column: Column,
    pub(crate) of: Valued,
}

/// Where those values stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Valued {
    Text(TextAttribute),
    Name,
    Tag(String),
    Metadata(String),
    Assessment(Kind, String),
    Prompt,
}

impl ValueColumn {
    /// Reads a column.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let column = parse_column(text)?;
        let of = match named(column.clone(), ATTRIBUTES)? {
            Named::Column(TraceColumn::Text(attribute)) => Valued::Text(attribute),
            Named::Column(TraceColumn::Name) => Valued::Name,
            Named::Column(TraceColumn::Tag(key)) => Valued::Tag(key),
            Named::Column(TraceColumn::Metadata(key)) => Valued::Metadata(key),
            Named::Run => Valued::Metadata(reserved::SOURCE_RUN.to_owned()),
            Named::Prompt => Valued::Prompt,
            Named::Assessment(kind, name) => Valued::Assessment(kind, name),
            Named::Column(TraceColumn::Experiment | TraceColumn::Time(_)) | Named::Span(_) | Named::Issue => {
                return Err(SearchError::Column {
                    column: clip(text),
                    valid: "a tag, metadata, feedback, an expectation or a text attribute such as status or name",
                });
            }
        };
        Ok(Self { column, of })
    }

    /// As it is written in a filter.
    pub fn name(&self) -> String {
        self.column.to_string()
    }

    /// The filter that a trace passes if this is its value.
    pub fn is(&self, value: &str) -> String {
        let value = Operand::Text(value.to_owned());
        Filter::Test(Comparison { column: self.column.clone(), op: Op::Eq, value }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_refused_in_words_that_clients_know() {
        for (text, sentence) in [
            ("trace_id = 'x'", "Invalid attribute key 'trace_id' specified. Valid keys are '"),
            ("attr.status = 'OK'", "Invalid entity type 'attr'. Valid values are "),
            ("name IN ('a')", "Invalid comparator 'IN' "),
            ("prompt != 'a/1'", "Invalid comparator '!=' for prompts filter. Only '=' is supported"),
            ("prompt = 'a'", "Invalid prompts filter value 'a'. Expected format: prompt = \"name/version\""),
            ("timestamp = 'x'", "Expected a numeric value for 'timestamp'"),
            ("tag.a > 'x'", "Invalid comparator '>' for 'a'"),
            ("span.kind = 'x'", "Invalid span attribute 'kind'. Supported attributes: name, status, type"),
            ("span.content = 'x'", "Invalid comparator '=' for 'content'"),
            ("trace.text RLIKE 'x'", "Invalid comparator 'RLIKE' for 'content'"),
            ("span.name = 'x' OR status = 'OK'", "What is asked of spans is joined to the rest by AND alone"),
            ("NOT span.name = 'x'", "What is asked of spans is joined to the rest by AND alone"),
            ("issue.name = 'x'", "Invalid issue attribute 'name'. Supported attributes: id"),
            ("feedback.q = 4", "Expected a quoted string value for 'q'"),
            ("feedback.q > '4'", "Expected a numeric value for 'q'"),
            ("feedback.q IN ('a')", "Invalid comparator 'IN' for 'q'"),
            ("metadata.`mlflow.trace.cost` LIKE 'x'", "Comparator 'LIKE' is not supported for reserved"),
        ] {
            let refused = TraceFilter::parse(text).unwrap_err().to_string();
            assert!(refused.starts_with(sentence.trim_end_matches('\'')), "{text}: {refused}");
        }
        for (text, sentence) in [
            ("prompt", "Invalid attribute key 'prompt'"),
            ("span.name", "Invalid identifier type 'span'"),
            ("feedback.q DESC", "Invalid identifier type 'feedback'"),
            ("metadata.`mlflow.trace.tokenUsage`", "Ordering by reserved metadata"),
        ] {
            let refused = TraceOrder::parse(&[text.to_owned()]).unwrap_err().to_string();
            assert!(refused.starts_with(sentence), "{refused}");
        }
        let twice = ["timestamp".to_owned(), "timestamp_ms DESC".to_owned()];
        assert!(matches!(TraceOrder::parse(&twice), Err(SearchError::Twice(_))));
    }
}
