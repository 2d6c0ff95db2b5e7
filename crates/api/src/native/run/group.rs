//! Groups of runs on the wire.

use std::collections::BTreeMap;

use mainstay_tracking::index::{Aggregate, Group};
use mainstay_tracking::search::RunGrouping;
use serde::Serialize;

use super::number::WireNumber;

/// Runs that have the same values.
#[derive(Debug, Serialize)]
pub(super) struct GroupBody {
    key: Vec<Option<String>>,
    runs: u64,
    first_run: String,
    last_run: String,
    /// By the texts of the request.
    aggregates: BTreeMap<String, AggregateBody>,
    filter: String,
}

/// What is told of a column in a group; see `docs/reference/statistics.md`.
#[derive(Debug, Serialize)]
struct AggregateBody {
    count: u64,
    nan: u64,
    min: Option<WireNumber>,
    max: Option<WireNumber>,
    mean: Option<WireNumber>,
    first: Option<WireNumber>,
    last: Option<WireNumber>,
}

impl From<Aggregate> for AggregateBody {
    fn from(aggregate: Aggregate) -> Self {
        let Aggregate { count, nan, min, max, mean, first, last } = aggregate;
        let number = |number: Option<f64>| number.map(WireNumber);
        Self {
            count,
            nan,
            min: number(min),
            max: number(max),
            mean: number(mean),
            first: number(first),
            last: number(last),
        }
    }
}

impl GroupBody {
    /// A group; `columns` are the aggregated ones as they were sent.
    pub(super) fn new(group: Group, grouping: &RunGrouping, columns: &[String]) -> Self {
        let Group { key, runs, first, last, aggregates } = group;
        let aggregates = aggregates.into_iter().map(AggregateBody::from);
        Self {
            filter: grouping.filter_of(&key),
            key,
            runs,
            first_run: first.to_string(),
            last_run: last.to_string(),
            aggregates: columns.iter().cloned().zip(aggregates).collect(),
        }
    }
}
