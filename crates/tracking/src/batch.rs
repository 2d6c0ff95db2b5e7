//! What one log call carries, checked as a whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::TrackingError;
use crate::logged_model::LoggedModelId;
use crate::metric::Point;
use crate::text::{Overlong, Pair, metric_key};
use mainstay_core::text::checked;

/// Most metric points in one batch.
pub const MAX_METRICS: usize = 1_000;
/// Most parameters, and most tags, in one batch.
pub const MAX_PAIRS: usize = 100;
/// Most points, parameters and tags together.
pub const MAX_ITEMS: usize = 1_000;

/// A metric point on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedMetric {
    /// The metric.
    pub key: String,
    /// The point.
    pub point: Point,
    /// The logged model that it judges.
    pub model: Option<LoggedModelId>,
    /// Name and digest of the dataset that it was measured on.
    pub dataset: Option<(String, String)>,
}

impl LoggedMetric {
    /// Checks a point: a normal key, a timestamp from 0 (`_validate_metric`).
    pub fn new(key: impl Into<String>, point: Point) -> Result<Self, TrackingError> {
        let key = metric_key(key.into())?;
        if point.timestamp_ms < 0 {
            let Point { value, timestamp_ms, .. } = point;
            return Err(TrackingError::NegativeTimestamp { key, value, timestamp_ms });
        }
        Ok(Self { key, point, model: None, dataset: None })
    }

    /// Says which logged model it judges, and on which dataset.
    pub fn of_model(
        mut self,
        model: LoggedModelId,
        dataset: Option<(String, String)>,
    ) -> Result<Self, TrackingError> {
        let text = |field, text, limit| checked(field, text, limit, Overlong::Refuse);
        self.model = Some(model);
        self.dataset = match dataset {
            Some((name, digest)) => {
                Some((text("dataset_name", name, 500)?, text("dataset_digest", digest, 36)?))
            }
            None => None,
        };
        Ok(self)
    }
}

/// Points, parameters and tags that are logged whole or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    metrics: Vec<LoggedMetric>,
    params: Vec<Pair>,
    tags: Vec<Pair>,
}

impl Batch {
    /// Checks the numbers of items, and that no parameter stands twice. Of a tag that stands twice the
    /// last one counts.
    pub fn new(
        metrics: Vec<LoggedMetric>,
        params: Vec<Pair>,
        tags: Vec<Pair>,
    ) -> Result<Self, TrackingError> {
        let at_most = |what, limit, got| {
            if got > limit { Err(TrackingError::TooMany { what, limit, got }) } else { Ok(()) }
        };
        at_most("metrics", MAX_METRICS, metrics.len())?;
        at_most("params", MAX_PAIRS, params.len())?;
        at_most("tags", MAX_PAIRS, tags.len())?;
        at_most("metrics, params, and tags", MAX_ITEMS, metrics.len() + params.len() + tags.len())?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = params.iter().find(|param| !seen.insert(param.key.as_str())) {
            return Err(TrackingError::DuplicateParam(twice.key.clone()));
        }
        Ok(Self { metrics, params, tags })
    }

    /// The points.
    pub fn metrics(&self) -> &[LoggedMetric] {
        &self.metrics
    }

    /// The parameters.
    pub fn params(&self) -> &[Pair] {
        &self.params
    }

    /// The tags.
    pub fn tags(&self) -> &[Pair] {
        &self.tags
    }

    /// The points of each metric, in the order given.
    pub fn series(&self) -> BTreeMap<&str, Vec<Point>> {
        let mut series: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
        for metric in &self.metrics {
            series.entry(&metric.key).or_default().push(metric.point);
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_and_name_each_param_once() {
        let point = Point { step: 0, timestamp_ms: 0, value: 1.0 };
        let metric = || LoggedMetric::new("m", point).unwrap();
        let pair = |n: usize| Pair::param(format!("p{n}"), "v", Overlong::Refuse).unwrap();
        let pairs = |n: usize| (0..n).map(pair).collect::<Vec<_>>();
        assert!(Batch::new(vec![metric(); 900], pairs(100), Vec::new()).is_ok());
        for (metrics, params, tags) in [(1001, 0, 0), (0, 101, 0), (0, 0, 101), (900, 100, 1)] {
            let refused = Batch::new(vec![metric(); metrics], pairs(params), pairs(tags));
            assert!(matches!(refused, Err(TrackingError::TooMany { .. })));
        }
        let twice = Batch::new(Vec::new(), vec![pair(1), pair(1)], Vec::new());
        assert!(matches!(twice, Err(TrackingError::DuplicateParam(_))));
        let early = Point { timestamp_ms: -1, ..point };
        assert!(matches!(LoggedMetric::new("m", early), Err(TrackingError::NegativeTimestamp { .. })));
    }
}
