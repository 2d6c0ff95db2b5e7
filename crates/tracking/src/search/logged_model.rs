//! Filters and orders of logged models (`SearchLoggedModelsUtils`).

use std::cmp::Ordering;

use mainstay_core::run_ref::RunRef;
use mainstay_core::search::{
    Column, Comparison, Extra, Filter, MAX_ORDERS, NumberTest, Term, TextTest, parse_filter, parse_order,
};

use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use super::SearchError;
use crate::logged_model::{LoggedModelDetail, LoggedModelId, ModelMetric};

const ENTITIES: &str = "metrics, params, tags, attributes";
const ATTRIBUTES: &str = "name, model_id, model_type, status, source_run_id, creation_timestamp, \
    creation_time, last_updated_timestamp, last_updated_time";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Name,
    Id,
    Type,
    Status,
    SourceRun,
    Created,
    Updated,
}

impl Attribute {
    fn named(key: &str) -> Result<Self, SearchError> {
        match key {
            "name" => Ok(Self::Name),
            "model_id" => Ok(Self::Id),
            "model_type" => Ok(Self::Type),
            "status" => Ok(Self::Status),
            "source_run_id" => Ok(Self::SourceRun),
            "creation_timestamp" | "creation_time" => Ok(Self::Created),
            "last_updated_timestamp" | "last_updated_time" => Ok(Self::Updated),
            _ => Err(SearchError::Attribute { key: key.to_owned(), valid: ATTRIBUTES }),
        }
    }

    /// Its number, if it is one: milliseconds since the Unix epoch.
    const fn number(self, detail: &LoggedModelDetail) -> Option<i64> {
        match self {
            Self::Created => Some(detail.model.created.millis()),
            Self::Updated => Some(detail.model.updated.millis()),
            _ => None,
        }
    }

    fn text(self, detail: &LoggedModelDetail) -> Option<String> {
        let model = &detail.model;
        match self {
            Self::Name => Some(model.name.clone()),
            Self::Id => Some(model.id.to_string()),
            Self::Type => Some(model.model_type.clone()),
            Self::Status => Some(model.status.as_str().to_owned()),
            Self::SourceRun => model.source_run.as_ref().map(RunRef::to_string),
            Self::Created | Self::Updated => None,
        }
    }
}

/// Where a value of a logged model stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Metric(String),
    Param(String),
    Tag(String),
    Attribute(Attribute),
}

impl Place {
    fn new(Column { entity, key }: Column) -> Result<Self, SearchError> {
        match entity.as_deref() {
            Some("metric" | "metrics") => Ok(Self::Metric(key)),
            Some("parameter" | "parameters" | "param" | "params") => Ok(Self::Param(key)),
            Some("tag" | "tags") => Ok(Self::Tag(key)),
            None | Some("attribute" | "attributes" | "attr") => Attribute::named(&key).map(Self::Attribute),
            Some(entity) => Err(SearchError::Entity { entity: entity.to_owned(), valid: ENTITIES }),
        }
    }
}

/// A dataset that metrics were measured on: its name, and its digest if that matters.
pub type MeasuredOn = (String, Option<String>);

/// Which metrics are looked at: of each of the lists that are not empty, one must be what the metric was measured on.
type Restriction<'a> = [&'a [MeasuredOn]; 2];

/// Whether a metric was measured on one of these datasets.
fn is_on(metric: &ModelMetric, datasets: &[MeasuredOn]) -> bool {
    metric.dataset.as_ref().is_some_and(|(name, digest)| {
        datasets.iter().any(|(n, d)| n == name && d.as_ref().is_none_or(|d| d == digest))
    })
}

/// The value of a metric: the latest one of those that are looked at.
fn metric(detail: &LoggedModelDetail, key: &str, on: Restriction<'_>) -> Option<f64> {
    let wanted = |metric: &&ModelMetric| {
        metric.key == key && on.iter().all(|datasets| datasets.is_empty() || is_on(metric, datasets))
    };
    let latest = detail
        .metrics
        .iter()
        .filter(wanted)
        .map(|metric| metric.point)
        .reduce(|last, point| if point.is_later_than(&last) { point } else { last });
    latest.map(|point| point.value)
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Text(Place, TextTest),
    Number(Place, NumberTest),
}

impl Test {
    const fn place(&self) -> &Place {
        match self {
            Self::Text(place, _) | Self::Number(place, _) => place,
        }
    }

    fn new(Comparison { column, op, value }: Comparison) -> Result<Self, SearchError> {
        let key = column.key.clone();
        Ok(match Place::new(column)? {
            place @ (Place::Metric(_) | Place::Attribute(Attribute::Created | Attribute::Updated)) => {
                Self::Number(place, NumberTest::of_any(&key, op, &value)?)
            }
            place @ (Place::Param(_) | Place::Tag(_)) => {
                Self::Text(place, TextTest::new(&key, op, value, Extra::AllAndNumbers)?)
            }
            place @ Place::Attribute(_) => Self::Text(place, TextTest::new(&key, op, value, Extra::All)?),
        })
    }

    /// Whether it holds, where only metrics on some datasets are looked at.
    fn holds(&self, detail: &LoggedModelDetail, datasets: &[MeasuredOn]) -> bool {
        match self {
            Self::Number(place, test) => {
                let value = match place {
                    Place::Metric(key) => metric(detail, key, [datasets, &[]]),
                    Place::Attribute(attribute) => attribute.number(detail).map(|millis| millis as f64),
                    Place::Param(_) | Place::Tag(_) => None,
                };
                value.map_or(test.wants_missing(), |value| test.holds(value))
            }
            Self::Text(place, test) => {
                let value = match place {
                    Place::Param(key) => detail.params.get(key).cloned(),
                    Place::Tag(key) => detail.tags.get(key).cloned(),
                    Place::Attribute(attribute) => attribute.text(detail),
                    Place::Metric(_) => None,
                };
                value.map_or(test.wants_missing(), |value| test.holds(&value))
            }
        }
    }
}

/// Which logged models are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoggedModelFilter {
    filter: Filter<Test>,
    datasets: Vec<MeasuredOn>,
}

impl LoggedModelFilter {
    /// Parses a filter text; a blank one wants every logged model. If there are `datasets`, only models that have
    /// a metric on one of them are wanted, and only such metrics are looked at.
    pub fn parse(text: &str, datasets: Vec<MeasuredOn>) -> Result<Self, SearchError> {
        let mut located =
            |Term { at, comparison }| Test::new(comparison).map_err(|error| error.of_comparison_at(at));
        Ok(Self { filter: parse_filter(text)?.try_map(&mut located)?, datasets })
    }

    pub(super) fn matches(&self, detail: &LoggedModelDetail) -> bool {
        let on = |metric: &ModelMetric| is_on(metric, &self.datasets);
        (self.datasets.is_empty() || detail.metrics.iter().any(on))
            && self.filter.holds(&|test| test.holds(detail, &self.datasets))
    }

    /// Whether it depends on a place of this kind.
    pub(super) fn names(&self, is_such: fn(&Place) -> bool) -> bool {
        self.filter.names(&|test| is_such(test.place()))
    }

    /// Whether it looks at metrics on some datasets alone.
    pub(super) const fn is_restricted(&self) -> bool {
        !self.datasets.is_empty()
    }
}

/// One column of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ordered {
    place: Place,
    ascending: bool,
    datasets: Vec<MeasuredOn>,
}

/// In which order logged models come: as asked, missing and NaN metrics last in both directions; then
/// the newest first; then by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoggedModelOrder {
    columns: Vec<Ordered>,
    datasets: Vec<MeasuredOn>,
}

/// What stands in one column of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Cell {
    /// The bits of a metric's value, which JSON may have no number for.
    Metric(u64),
    Time(i64),
    Text(String),
    Missing,
}

impl Cell {
    fn compare(&self, other: &Self, is_ascending: bool) -> Ordering {
        let ordering = match (self, other) {
            (Self::Missing, Self::Missing) => return Ordering::Equal,
            (Self::Missing, _) => return Ordering::Greater,
            (_, Self::Missing) => return Ordering::Less,
            (Self::Metric(a), Self::Metric(b)) => f64::from_bits(*a).total_cmp(&f64::from_bits(*b)),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            // A column holds cells of one kind; a token of another search may not.
            _ => Ordering::Equal,
        };
        if is_ascending { ordering } else { ordering.reverse() }
    }
}

/// What a logged model is ordered by; also the page token, so that a model may be deleted between two pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    cells: Vec<Cell>,
    pub(super) created: MachineTime,
    pub(super) id: LoggedModelId,
}

impl LoggedModelOrder {
    /// The default order of a search in which only metrics on these datasets are looked at; on any if there are
    /// none.
    pub const fn over(datasets: Vec<MeasuredOn>) -> Self {
        Self { columns: Vec::new(), datasets }
    }

    /// Adds a column: an attribute or a metric, the latter as measured on a dataset if one is given.
    pub fn then(
        mut self,
        field: &str,
        ascending: bool,
        dataset: Option<MeasuredOn>,
    ) -> Result<Self, SearchError> {
        if self.columns.len() == MAX_ORDERS {
            return Err(SearchError::TooLong);
        }
        let place = Place::new(parse_order(field)?.0)?;
        if let Place::Param(key) | Place::Tag(key) = place {
            return Err(SearchError::Attribute { key, valid: ATTRIBUTES });
        }
        self.columns.push(Ordered { place, ascending, datasets: dataset.into_iter().collect() });
        Ok(self)
    }

    /// Whether it is the order in which stores show logged models.
    pub(super) const fn is_default(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether it depends on metrics.
    pub(super) fn is_by_metric(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.place, Place::Metric(_)))
    }

    /// Whether a key is of this order.
    pub(super) const fn made(&self, key: &Key) -> bool {
        key.cells.len() == self.columns.len()
    }

    pub(super) fn key(&self, detail: &LoggedModelDetail) -> Key {
        let cell = |column: &Ordered| match &column.place {
            Place::Metric(key) => metric(detail, key, [&self.datasets, &column.datasets])
                .filter(|value| !value.is_nan())
                .map_or(Cell::Missing, |value| Cell::Metric(value.to_bits())),
            Place::Attribute(attribute) => match (attribute.number(detail), attribute.text(detail)) {
                (Some(number), _) => Cell::Time(number),
                (None, Some(text)) => Cell::Text(text),
                (None, None) => Cell::Missing,
            },
            Place::Param(_) | Place::Tag(_) => Cell::Missing,
        };
        let cells = self.columns.iter().map(cell).collect();
        Key { cells, created: detail.model.created, id: detail.model.id }
    }

    pub(super) fn compare(&self, a: &Key, b: &Key) -> Ordering {
        let cells = a.cells.iter().zip(&b.cells).zip(&self.columns);
        cells
            .map(|((a, b), column)| a.compare(b, column.ascending))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)))
    }
}
