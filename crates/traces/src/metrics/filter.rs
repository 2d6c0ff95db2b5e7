//! Filters of sums: one clause each, `=` only.

use mainstay_core::search::{Comparison, Filter, Op, Operand, Term, TextTest, parse_filter};
use mainstay_core::text::clip;

use super::query::{MetricsError, Said};
use crate::assessment::Kind;
use crate::info::key;
use crate::search::{SpanColumn, TextAttribute, TraceTest};

/// What a filter asks.
pub(super) enum Clause {
    /// Of a trace.
    Trace(TraceTest),
    /// That a span has this text in a column.
    Span(SpanColumn, String),
    /// Of an assessment.
    Assessment(Said),
}

/// Understands one clause.
pub(super) fn clause(text: &str) -> Result<Clause, MetricsError> {
    let filter = parse_filter(text)?;
    let Filter::Test(Term { comparison: Comparison { column, op, value }, .. }) = filter else {
        return Err(MetricsError::Clauses(clip(text)));
    };
    if op != Op::Eq {
        return Err(MetricsError::Comparator(op.as_str()));
    }
    let Operand::Text(value) = value else { return Err(MetricsError::Value(clip(&column.key))) };
    match column.entity.as_deref() {
        Some("trace") => of_trace(&column.key, value).map(Clause::Trace),
        Some("span") => of_span(&column.key).map(|column| Clause::Span(column, value)),
        Some("assessment") => of_assessment(&column.key, value).map(Clause::Assessment),
        other => Err(MetricsError::FilterView(clip(other.unwrap_or(&column.key)))),
    }
}

fn of_trace(column: &str, value: String) -> Result<TraceTest, MetricsError> {
    Ok(match column.split_once('.') {
        None if column == "status" => TraceTest::Text(TextAttribute::State, TextTest::Equal(value)),
        Some(("tag", key)) => TraceTest::Tag(key.to_owned(), TextTest::Equal(value)),
        Some(("metadata", key::SOURCE_RUN)) => TraceTest::Run(value),
        Some(("metadata", key)) => TraceTest::Metadata(key.to_owned(), TextTest::Equal(value)),
        _ => {
            let known = "status, tag.<key>, metadata.<key>";
            return Err(MetricsError::FilterEntity { entity: clip(column), view: "trace", known });
        }
    })
}

fn of_span(column: &str) -> Result<SpanColumn, MetricsError> {
    match column {
        "name" => Ok(SpanColumn::Name),
        "status" => Ok(SpanColumn::Status),
        "type" => Ok(SpanColumn::Type),
        _ => {
            let known = "name, status, type";
            Err(MetricsError::FilterEntity { entity: clip(column), view: "span", known })
        }
    }
}

fn of_assessment(column: &str, value: String) -> Result<Said, MetricsError> {
    match column {
        "name" => Ok(Said::Named(value)),
        "type" => Ok(Said::Of(Kind::named(&value))),
        _ => {
            let known = "name, type";
            Err(MetricsError::FilterEntity { entity: clip(column), view: "assessment", known })
        }
    }
}
