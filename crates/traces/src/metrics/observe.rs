//! Where rows come from: the index, and spans as they are read.

use std::borrow::Cow;

use mainstay_core::error::StorageError;

use super::query::{MetricQuery, MetricsError, Said};
use super::table::{Measured, Table};
use super::{Dimension, Measure, View};
use crate::id::TraceId;
use crate::index::{Told, TraceIndex};
use crate::info::key;
use crate::span::Span;
use crate::stored::StoredSpans;
use crate::usage::{Amounts, COST_ATTRIBUTE, Cost, Usage};

/// Nanoseconds in a millisecond.
const MILLI: u64 = 1_000_000;
/// Longest name of a model that is told apart, in characters.
const MAX_MODEL: usize = 500;
/// The attribute that names the model of a span.
const MODEL: &str = "mlflow.llm.model";
/// The attribute that names whose it is.
const PROVIDER: &str = "mlflow.llm.provider";

impl TraceIndex {
    /// Adds the rows of a query of traces or of assessments; those of spans are to be read, from the traces that
    /// are [told](Self::metric_traces).
    pub fn observe(&self, query: &MetricQuery, table: &mut Table) -> Result<(), MetricsError> {
        for slot in self.select(&query.scope.workspace, &query.scope.experiments, &query.traces) {
            match query.view {
                View::Traces => self.observe_trace(query, slot, table)?,
                View::Assessments => {
                    for told in self.told(slot).iter().filter(|told| told.is_valid && is_meant(query, told)) {
                        self.observe_assessment(query, slot, told, table)?;
                    }
                }
                View::Spans => {}
            }
        }
        Ok(())
    }

    /// The traces whose spans are the rows of a query.
    pub fn metric_traces(&self, query: &MetricQuery) -> Vec<TraceId> {
        self.wanted(&query.scope, &query.traces)
    }

    fn observe_trace(&self, query: &MetricQuery, slot: u32, table: &mut Table) -> Result<(), MetricsError> {
        let dimension = |dimension: &Dimension| match dimension {
            Dimension::TraceName => self.tag(slot, key::NAME).map(str::to_owned),
            Dimension::TraceStatus => self.state(slot).map(|state| state.as_str().to_owned()),
            _ => None,
        };
        let measured = match query.measure {
            Measure::Row => Some(Measured::Number(1.0)),
            Measure::Session => self.metadata(slot, key::SESSION).map(Measured::Session),
            Measure::Latency => self.duration(slot).map(|ms| Measured::Number(ms as f64)),
            Measure::Tokens(key) => {
                let usage = self.metadata(slot, key::TOKEN_USAGE).and_then(Usage::parse);
                usage.and_then(|usage| usage.get(key)).map(|tokens| Measured::Number(tokens as f64))
            }
            Measure::Cost(_) | Measure::Value => None,
        };
        let dimensions = query.dimensions.iter().map(dimension).collect::<Option<Vec<_>>>();
        match (dimensions, measured, self.start(slot)) {
            (Some(dimensions), Some(measured), Some(at)) => table.add(query, at, dimensions, measured),
            _ => Ok(()),
        }
    }

    fn observe_assessment(
        &self,
        query: &MetricQuery,
        slot: u32,
        told: &Told,
        table: &mut Table,
    ) -> Result<(), MetricsError> {
        let dimension = |dimension: &Dimension| match dimension {
            Dimension::AssessmentName => Some(told.name.to_string()),
            Dimension::AssessmentValue => Some(told.value.as_str().to_owned()),
            _ => None,
        };
        let measured = if query.measure == Measure::Value { told.value.measure() } else { Some(1.0) };
        let dimensions = query.dimensions.iter().map(dimension).collect::<Option<Vec<_>>>();
        match (dimensions, measured, self.start(slot)) {
            (Some(dimensions), Some(measured), Some(at)) => {
                table.add(query, at, dimensions, Measured::Number(measured))
            }
            _ => Ok(()),
        }
    }
}

fn is_meant(query: &MetricQuery, told: &Told) -> bool {
    query.assessments.iter().all(|said| match said {
        Said::Named(name) => *told.name == **name,
        Said::Of(kind) => *kind == Some(told.kind),
    })
}

/// Why spans are not observed.
#[derive(Debug, thiserror::Error)]
pub enum Unobserved {
    /// They cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// They make too many groups.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl Table {
    /// Adds the spans of a trace.
    pub fn observe_spans(
        &mut self,
        query: &MetricQuery,
        trace: &TraceId,
        spans: &StoredSpans,
    ) -> Result<(), Unobserved> {
        let unpacked = spans.unpack()?;
        let mut text = String::new();
        for span in unpacked.read::<&str>()? {
            if query.spans.holds(trace, &span, &mut text) {
                self.observe_span(query, &span)?;
            }
        }
        Ok(())
    }

    fn observe_span(&mut self, query: &MetricQuery, span: &Span<&str>) -> Result<(), MetricsError> {
        let at_ms = i64::try_from(span.start_ns / MILLI).unwrap_or(i64::MAX);
        let is_within = query.bounds.from_ms.is_none_or(|from| at_ms >= from)
            && query.bounds.to_ms.is_none_or(|to| at_ms <= to);
        if query.is_by_span_time() && !is_within {
            return Ok(());
        }
        let measured = match query.measure {
            Measure::Row => Some(1.0),
            Measure::Latency => span.end_ns.map(|end| {
                // A clock that went backwards.
                let length = i128::from(end) - i128::from(span.start_ns);
                length.div_euclid(i128::from(MILLI)) as f64
            }),
            Measure::Cost(key) => {
                let cost: Option<Cost> = span.attribute(COST_ATTRIBUTE).and_then(Amounts::parse);
                cost.and_then(|cost| cost.get(key))
            }
            Measure::Session | Measure::Tokens(_) | Measure::Value => None,
        };
        let Some(measured) = measured else { return Ok(()) };
        let model = |key| {
            let text = span.attribute(key).and_then(|json| serde_json::from_str::<String>(json).ok());
            text.map(|text| text.chars().take(MAX_MODEL).collect())
        };
        let dimension = |dimension: &Dimension| match dimension {
            Dimension::SpanName => Some(span.name.to_owned()),
            Dimension::SpanType => span.span_type().map(Cow::into_owned),
            Dimension::SpanStatus => Some(span.status.short_name().to_owned()),
            Dimension::SpanModel => model(MODEL),
            Dimension::SpanProvider => model(PROVIDER),
            _ => None,
        };
        match query.dimensions.iter().map(dimension).collect::<Option<Vec<_>>>() {
            Some(dimensions) => self.add(query, at_ms, dimensions, Measured::Number(measured)),
            None => Ok(()),
        }
    }
}
