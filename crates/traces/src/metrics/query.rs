//! What can be asked, and what is refused.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::search::{Filter, NumberTest, Op, Operand};
use mainstay_core::text::clip;
use thiserror::Error;

use super::filter::{Clause, clause};
use super::{Aggregation, Dimension, Measure, View};
use crate::assessment::Kind;
use crate::port::TraceScope;
use crate::search::{SpanFilter, TimeAttribute, TraceFilter, TraceTest};
use mainstay_core::search::SearchError;

/// How many groups are told if nothing is said (`MAX_RESULTS_QUERY_TRACE_METRICS`).
pub const DEFAULT_LIMIT: usize = 1_000;
/// The most that are told.
pub const MAX_LIMIT: usize = 10_000;
/// Most aggregations, and most filters.
const MAX_ITEMS: usize = 100;

/// Why sums are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetricsError {
    /// The view has no such metric.
    #[error("metric_name must be one of [{known}], got '{got}'")]
    Metric {
        /// Those that it has.
        known: String,
        /// What was asked for.
        got: String,
    },
    /// The metric is not aggregated so.
    #[error("Found invalid aggregation_type(s): [{got}]. Supported aggregation types: [{known}]")]
    Aggregation {
        /// What was asked for.
        got: String,
        /// How it is.
        known: String,
    },
    /// The metric has no such dimension.
    #[error("Found invalid dimension(s): [{got}]. Supported dimensions: [{known}]")]
    Dimension {
        /// What was asked for.
        got: String,
        /// Those that it has.
        known: String,
    },
    /// A percentile without its percents, or percents out of range or for something else.
    #[error("percentile_value is a number from 0 to 100, given for PERCENTILE and nothing else")]
    Percentile,
    /// No aggregation, or too many things.
    #[error("give 1 to {MAX_ITEMS} aggregations, and at most {MAX_ITEMS} filters")]
    Items,
    /// Intervals without ends.
    #[error("start_time_ms and end_time_ms are required if time_interval_seconds is set")]
    OpenIntervals,
    /// An interval of no length.
    #[error("time_interval_seconds must be a positive integer, received {0}")]
    Interval(i64),
    /// A number of groups that are not told.
    #[error("max_results must be between 1 and {MAX_LIMIT}, received {0}")]
    Limit(i64),
    /// More than one comparison, or none.
    #[error("Invalid filter: '{0}'. Expected one filter clause.")]
    Clauses(String),
    /// Another comparator than `=`.
    #[error("Invalid comparator: '{0}', only '=' operator is supported")]
    Comparator(&'static str),
    /// Another value than a text.
    #[error("Expected a quoted string value for {0} value (e.g. 'my-value').")]
    Value(String),
    /// A filter on something else.
    #[error("Invalid view type '{0}'. Valid values are trace, span, assessment")]
    FilterView(String),
    /// There is nothing of that name.
    #[error("Invalid entity '{entity}' specified for view type '{view}'. Valid entities are {known}")]
    FilterEntity {
        /// What was written.
        entity: String,
        /// Of what.
        view: &'static str,
        /// What there is.
        known: &'static str,
    },
    /// A filter on what this view does not show.
    #[error("Filtering by {filtered} is only supported for {view} view type")]
    FilterElsewhere {
        /// What is filtered.
        filtered: &'static str,
        /// Which view shows it.
        view: &'static str,
    },
    /// More groups than are kept.
    #[error(
        "the sums have more than {0} groups: ask for fewer dimensions, longer intervals or a shorter time"
    )]
    Groups(usize),
    /// A filter cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl Coded for MetricsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Search(error) => error.code(),
            _ => ErrorCode::InvalidArgument,
        }
    }
}

/// When, in milliseconds since the Unix epoch, both ends included; and the length of intervals, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// From when on.
    pub from_ms: Option<i64>,
    /// Until when.
    pub to_ms: Option<i64>,
    /// The length of intervals.
    pub interval_ms: Option<i64>,
}

impl Bounds {
    /// Checks them; the interval comes in seconds.
    pub fn new(
        from_ms: Option<i64>,
        to_ms: Option<i64>,
        interval: Option<i64>,
    ) -> Result<Self, MetricsError> {
        let interval_ms = match interval {
            None | Some(0) => None,
            Some(seconds) if seconds < 0 => return Err(MetricsError::Interval(seconds)),
            Some(_) if from_ms.is_none() || to_ms.is_none() => return Err(MetricsError::OpenIntervals),
            Some(seconds) => Some(seconds.checked_mul(1_000).ok_or(MetricsError::Interval(seconds))?),
        };
        Ok(Self { from_ms, to_ms, interval_ms })
    }
}

/// What is asked, before it is understood.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Of what.
    pub view: View,
    /// The name of the metric.
    pub metric: &'a str,
    /// How it is aggregated.
    pub aggregations: Vec<Aggregation>,
    /// The names of dimensions.
    pub dimensions: &'a [String],
    /// Filters, of one clause each.
    pub filters: &'a [String],
    /// When.
    pub bounds: Bounds,
    /// How many groups are told at most.
    pub limit: Option<i64>,
}

/// Sums that can be made.
#[derive(Debug, Clone)]
pub struct MetricQuery {
    /// Among which traces.
    pub scope: TraceScope,
    /// Of what.
    pub view: View,
    pub(crate) measure: Measure,
    pub(crate) aggregations: Vec<Aggregation>,
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) bounds: Bounds,
    pub(crate) limit: usize,
    /// Which traces.
    pub(crate) traces: TraceFilter,
    /// Which of their spans.
    pub(crate) spans: SpanFilter,
    /// Which of what is said of them.
    pub(crate) assessments: Vec<Said>,
}

/// What an assessment must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Of this name.
    Named(String),
    /// Of this kind; of none, if there is no such kind.
    Of(Option<Kind>),
}

impl MetricQuery {
    /// Understands what is asked.
    pub fn new(scope: TraceScope, asked: Asked<'_>) -> Result<Self, MetricsError> {
        let Asked { view, metric, aggregations, dimensions, filters, bounds, limit } = asked;
        let offers = view.offers();
        let offered = offers.iter().find(|offered| offered.name == metric).ok_or_else(|| {
            let known = listed(offers.iter().map(|offered| offered.name));
            MetricsError::Metric { known, got: clip(metric) }
        })?;
        if aggregations.is_empty() || aggregations.len() > MAX_ITEMS || filters.len() > MAX_ITEMS {
            return Err(MetricsError::Items);
        }
        let mut wrong: Vec<&str> = aggregations.iter().map(|aggregation| aggregation.kind()).collect();
        wrong.retain(|kind| !offered.aggregations.contains(kind));
        if !wrong.is_empty() {
            let known = listed(offered.aggregations.iter().copied());
            return Err(MetricsError::Aggregation { got: listed(wrong.into_iter()), known });
        }
        let known = |name: &&String| offered.dimensions.iter().any(|known| known.as_str() == name.as_str());
        if !dimensions.iter().all(|name| known(&name)) {
            let wrong = dimensions.iter().filter(|name| !known(name)).map(|name| clip(name));
            let got = listed(wrong.collect::<Vec<_>>().iter().map(String::as_str));
            let known = listed(offered.dimensions.iter().map(|known| known.as_str()));
            return Err(MetricsError::Dimension { got, known });
        }
        let dimension = |name: &String| Dimension::ALL.into_iter().find(|known| known.as_str() == name);
        let mut query = Self {
            scope,
            view,
            measure: offered.measure,
            aggregations,
            dimensions: dimensions.iter().filter_map(dimension).collect(),
            bounds,
            limit: limit_of(limit)?,
            traces: TraceFilter::default(),
            spans: SpanFilter::default(),
            assessments: Vec::new(),
        };
        query.dimensions.dedup();
        query.narrow(filters)?;
        Ok(query)
    }

    /// Whether its time is that of spans, and not of their traces.
    pub(crate) const fn is_by_span_time(&self) -> bool {
        matches!(self.measure, Measure::Cost(_))
    }

    fn narrow(&mut self, filters: &[String]) -> Result<(), MetricsError> {
        if !self.is_by_span_time() {
            for (op, bound) in [(Op::Ge, self.bounds.from_ms), (Op::Le, self.bounds.to_ms)] {
                let Some(bound) = bound else { continue };
                let test = NumberTest::new("timestamp", op, &Operand::Number(bound as f64))?;
                self.traces.must(Filter::Test(TraceTest::Time(TimeAttribute::Start, test)));
            }
        }
        for text in filters {
            match clause(text)? {
                Clause::Trace(test) => self.traces.must(Filter::Test(test)),
                Clause::Span(column, text) if self.view == View::Spans => self.spans.must_equal(column, text),
                Clause::Span(..) => {
                    return Err(MetricsError::FilterElsewhere { filtered: "span", view: "SPANS" });
                }
                Clause::Assessment(said) if self.view == View::Assessments => self.assessments.push(said),
                Clause::Assessment(_) => {
                    return Err(MetricsError::FilterElsewhere {
                        filtered: "assessment",
                        view: "ASSESSMENTS",
                    });
                }
            }
        }
        Ok(())
    }
}

fn limit_of(asked: Option<i64>) -> Result<usize, MetricsError> {
    let Some(asked) = asked else { return Ok(DEFAULT_LIMIT) };
    let limit = usize::try_from(asked).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or(MetricsError::Limit(asked))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
