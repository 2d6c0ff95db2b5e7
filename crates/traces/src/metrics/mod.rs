//! Sums over traces, their spans and what is said of them, as `MLflow`'s pages show them
//! (`mlflow/store/tracking/utils/sql_trace_metrics_utils.py`): one number for each group of rows that have the same
//! dimensions and lie in the same interval. See `docs/reference/statistics.md`.

mod filter;
mod observe;
mod query;
mod table;

pub use observe::Unobserved;
pub use query::{Asked, Bounds, DEFAULT_LIMIT, MAX_LIMIT, MetricQuery, MetricsError};
pub use table::{DataPoint, MAX_GROUPS, Table};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Traces.
    Traces,
    /// Their spans.
    Spans,
    /// What is said of them and valid.
    Assessments,
}

impl View {
    /// Every view, in the order of their numbers in the protocol, which count from 1.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Spans, Self::Assessments];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Spans => "SPANS",
            Self::Assessments => "ASSESSMENTS",
        }
    }
}

/// What is measured of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// That it is there.
    Row,
    /// Which conversation it belongs to.
    Session,
    /// How long it took: milliseconds.
    Latency,
    /// Tokens, by their key in a usage.
    Tokens(&'static str),
    /// What it cost, by its key in a cost.
    Cost(&'static str),
    /// What is said, where it is a number or stands for one.
    Value,
}

/// By what rows are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// A trace's name.
    TraceName,
    /// How far a trace is, or how it ended.
    TraceStatus,
    /// A span's name.
    SpanName,
    /// A span's type.
    SpanType,
    /// How a span ended.
    SpanStatus,
    /// The model that a span calls.
    SpanModel,
    /// Whose model it is.
    SpanProvider,
    /// What is judged.
    AssessmentName,
    /// What is said, as JSON.
    AssessmentValue,
}

impl Dimension {
    const ALL: [Self; 9] = [
        Self::TraceName,
        Self::TraceStatus,
        Self::SpanName,
        Self::SpanType,
        Self::SpanStatus,
        Self::SpanModel,
        Self::SpanProvider,
        Self::AssessmentName,
        Self::AssessmentValue,
    ];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TraceName => "trace_name",
            Self::TraceStatus => "trace_status",
            Self::SpanName => "span_name",
            Self::SpanType => "span_type",
            Self::SpanStatus => "span_status",
            Self::SpanModel => "span_model_name",
            Self::SpanProvider => "span_model_provider",
            Self::AssessmentName => "assessment_name",
            Self::AssessmentValue => "assessment_value",
        }
    }
}

/// What is made of the measures of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    /// How many there are; of conversations, how many different ones.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The one below which so many percent lie, by linear interpolation between two: 0 to 100.
    Percentile(f64),
}

impl Aggregation {
    /// The names, in the order of their numbers in the protocol, which count from 1.
    pub const NAMES: [&'static str; 6] = ["COUNT", "SUM", "AVG", "MIN", "MAX", "PERCENTILE"];

    /// The name of its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Sum => "SUM",
            Self::Avg => "AVG",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::Percentile(_) => "PERCENTILE",
        }
    }

    /// What it is called in an answer: `P95.0` for a percentile.
    pub fn label(self) -> String {
        match self {
            Self::Percentile(percent) => format!("P{percent:?}"),
            other => other.kind().to_owned(),
        }
    }
}

/// What can be asked of a view.
struct Offered {
    name: &'static str,
    measure: Measure,
    aggregations: &'static [&'static str],
    dimensions: &'static [Dimension],
}

const COUNT: &[&str] = &["COUNT"];
const SPREAD: &[&str] = &["AVG", "MAX", "MIN", "PERCENTILE"];
const ALL_SUMS: &[&str] = &["AVG", "MAX", "MIN", "PERCENTILE", "SUM"];
const BY_TRACE: &[Dimension] = &[Dimension::TraceName];
const BY_MODEL: &[Dimension] = &[Dimension::SpanModel, Dimension::SpanProvider];

const fn offered(
    name: &'static str,
    measure: Measure,
    aggregations: &'static [&'static str],
    dimensions: &'static [Dimension],
) -> Offered {
    Offered { name, measure, aggregations, dimensions }
}

const OF_TRACES: &[Offered] = &[
    offered("trace_count", Measure::Row, COUNT, &[Dimension::TraceName, Dimension::TraceStatus]),
    offered("session_count", Measure::Session, COUNT, &[]),
    offered("latency", Measure::Latency, SPREAD, BY_TRACE),
    offered("input_tokens", Measure::Tokens("input_tokens"), ALL_SUMS, BY_TRACE),
    offered("output_tokens", Measure::Tokens("output_tokens"), ALL_SUMS, BY_TRACE),
    offered("total_tokens", Measure::Tokens("total_tokens"), ALL_SUMS, BY_TRACE),
    offered("cache_read_input_tokens", Measure::Tokens("cache_read_input_tokens"), ALL_SUMS, BY_TRACE),
    offered(
        "cache_creation_input_tokens",
        Measure::Tokens("cache_creation_input_tokens"),
        ALL_SUMS,
        BY_TRACE,
    ),
];

const OF_SPANS: &[Offered] = &[
    offered(
        "span_count",
        Measure::Row,
        COUNT,
        &[
            Dimension::SpanModel,
            Dimension::SpanProvider,
            Dimension::SpanName,
            Dimension::SpanStatus,
            Dimension::SpanType,
        ],
    ),
    offered("latency", Measure::Latency, SPREAD, &[Dimension::SpanName, Dimension::SpanStatus]),
    offered("input_cost", Measure::Cost("input_cost"), ALL_SUMS, BY_MODEL),
    offered("output_cost", Measure::Cost("output_cost"), ALL_SUMS, BY_MODEL),
    offered("total_cost", Measure::Cost("total_cost"), ALL_SUMS, BY_MODEL),
];

const OF_ASSESSMENTS: &[Offered] = &[
    offered(
        "assessment_count",
        Measure::Row,
        COUNT,
        &[Dimension::AssessmentName, Dimension::AssessmentValue],
    ),
    offered("assessment_value", Measure::Value, SPREAD, &[Dimension::AssessmentName]),
];

impl View {
    const fn offers(self) -> &'static [Offered] {
        match self {
            Self::Traces => OF_TRACES,
            Self::Spans => OF_SPANS,
            Self::Assessments => OF_ASSESSMENTS,
        }
    }
}
