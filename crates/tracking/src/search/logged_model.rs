//! Search over logged models (`SearchLoggedModelsUtils`): there are few in an experiment, so they are
//! filtered and ordered as they are.

use std::cmp::Ordering;

use mainstay_core::page::{Page, PageRequest};
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
enum Attribute {
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
enum Place {
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

    fn matches(&self, detail: &LoggedModelDetail) -> bool {
        let on = |metric: &ModelMetric| is_on(metric, &self.datasets);
        (self.datasets.is_empty() || detail.metrics.iter().any(on))
            && self.filter.holds(&|test| test.holds(detail, &self.datasets))
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
struct Key {
    cells: Vec<Cell>,
    created: MachineTime,
    id: LoggedModelId,
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

    fn key(&self, detail: &LoggedModelDetail) -> Key {
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

    fn compare(&self, a: &Key, b: &Key) -> Ordering {
        let cells = a.cells.iter().zip(&b.cells).zip(&self.columns);
        cells
            .map(|((a, b), column)| a.compare(b, column.ascending))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)))
    }
}

/// One page of the logged models that match.
pub fn search_logged_models(
    models: Vec<LoggedModelDetail>,
    filter: &LoggedModelFilter,
    order: &LoggedModelOrder,
    page: &PageRequest,
) -> Result<Page<LoggedModelDetail>, SearchError> {
    if page.key::<Key>()?.is_some_and(|key| key.cells.len() != order.columns.len()) {
        return Err(SearchError::PageToken);
    }
    let wanted = models.into_iter().filter(|detail| filter.matches(detail));
    Ok(Page::sorted(wanted, page, |detail| order.key(detail), |a, b| order.compare(a, b))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mainstay_core::id::RunId;

    use super::*;
    use crate::experiment::ExperimentId;
    use crate::logged_model::{LoggedModel, LoggedModelStatus};
    use crate::metric::Point;
    use crate::run::Lifecycle;

    fn model(n: u8, accuracy: Option<f64>) -> LoggedModelDetail {
        let id = LoggedModelId::from_bytes([n; 16]);
        let at = MachineTime::from_micros(i64::from(n) * 1_000);
        let metric = |value| ModelMetric {
            model: id,
            run: RunId::from_bytes([1; 16]),
            key: "acc".into(),
            dataset: Some(("iris".into(), "d1".into())),
            point: Point { step: 0, timestamp_ms: 0, value },
        };
        LoggedModelDetail {
            model: LoggedModel {
                id,
                experiment: ExperimentId::DEFAULT,
                name: format!("model-{}", n % 2),
                model_type: String::new(),
                source_run: Some(RunId::from_bytes([n; 16]).into()),
                artifact_uri: String::new(),
                status: LoggedModelStatus::Ready,
                lifecycle: Lifecycle::Active,
                created: at,
                updated: at,
            },
            params: BTreeMap::from([("depth".into(), n.to_string())]),
            tags: BTreeMap::new(),
            metrics: accuracy.map(metric).into_iter().collect(),
        }
    }

    fn found(filter: &LoggedModelFilter, order: &LoggedModelOrder) -> Vec<i64> {
        let all = vec![model(1, Some(0.5)), model(2, None), model(3, Some(f64::NAN)), model(4, Some(0.9))];
        let (mut ids, mut page) = (Vec::new(), PageRequest::first(2));
        loop {
            let Page { items, next } = search_logged_models(all.clone(), filter, order, &page).unwrap();
            ids.extend(items.iter().map(|detail| detail.model.created.millis()));
            page.after = next;
            if page.after.is_none() {
                return ids;
            }
        }
    }

    #[test]
    fn filters_and_orders_hold_over_pages() {
        let any = |text: &str| LoggedModelFilter::parse(text, Vec::new()).unwrap();
        let newest = LoggedModelOrder::default();
        assert_eq!(found(&any(""), &newest), [4, 3, 2, 1]);
        assert_eq!(found(&any("name = 'model-1' AND params.depth != '3'"), &newest), [1]);
        assert_eq!(found(&any("metrics.acc > 0.4"), &newest), [4, 1]);
        assert_eq!(found(&any("creation_timestamp <= 2 and source_run_id LIKE '02%'"), &newest), [2]);
        for (ascending, order) in [(true, [1, 4, 3, 2]), (false, [4, 1, 3, 2])] {
            let by = LoggedModelOrder::default().then("metrics.acc", ascending, None).unwrap();
            assert_eq!(found(&any(""), &by), order);
        }
        assert_eq!(found(&any("params.depth IN ('2', '3')"), &newest), [3, 2]);
        for text in ["metrics.acc > 0", ""] {
            let other = LoggedModelFilter::parse(text, vec![("wine".into(), None)]).unwrap();
            assert!(found(&other, &newest).is_empty());
        }
        let iris = LoggedModelFilter::parse("", vec![("iris".into(), Some("d1".into()))]).unwrap();
        assert_eq!(found(&iris, &newest), [4, 3, 1]);
    }

    #[test]
    fn datasets_of_the_search_restrict_its_order_too() {
        let on_wine = |mut detail: LoggedModelDetail, value| {
            let point = Point { step: 0, timestamp_ms: 0, value };
            let dataset = Some(("wine".to_owned(), "d1".to_owned()));
            detail.metrics.push(ModelMetric { dataset, point, ..detail.metrics[0].clone() });
            detail
        };
        let (one, two) = (on_wine(model(1, Some(0.9)), 0.1), on_wine(model(2, Some(0.5)), 0.2));
        let first = |datasets: Vec<MeasuredOn>, own: Option<MeasuredOn>| {
            let order = LoggedModelOrder::over(datasets).then("metrics.acc", false, own).unwrap();
            let all = vec![one.clone(), two.clone()];
            let page = PageRequest::first(1);
            search_logged_models(all, &LoggedModelFilter::default(), &order, &page).unwrap().items[0].model.id
        };
        let (iris, wine) = (("iris".to_owned(), None), ("wine".to_owned(), None));
        assert_eq!(first(vec![iris.clone()], None), one.model.id);
        assert_eq!(first(vec![wine.clone()], None), two.model.id);
        assert_eq!(first(vec![], Some(wine.clone())), two.model.id);
        // On both at once nothing was measured, so the newest is first.
        assert_eq!(first(vec![iris], Some(wine)), two.model.id);
    }

    #[test]
    fn a_page_goes_on_where_a_deleted_model_stood() {
        let all = vec![model(1, Some(0.5)), model(2, None), model(3, Some(f64::NAN)), model(4, Some(0.9))];
        for (order, left) in [
            (LoggedModelOrder::default().then("metrics.acc", true, None).unwrap(), [3, 2]),
            (LoggedModelOrder::default().then("name", true, None).unwrap(), [3, 1]),
        ] {
            let search = |all: Vec<_>, page: &PageRequest| {
                search_logged_models(all, &LoggedModelFilter::default(), &order, page)
            };
            let first = search(all.clone(), &PageRequest::first(2)).unwrap();
            let last = first.items[1].model.id;
            let rest = all.iter().filter(|detail| detail.model.id != last).cloned().collect();
            let page = PageRequest { limit: 5, after: first.next.clone() };
            let found = search(rest, &page).unwrap();
            let ids: Vec<_> = found.items.iter().map(|detail| detail.model.created.millis()).collect();
            assert_eq!(ids, left);
            let other = LoggedModelOrder::default();
            let refused = search_logged_models(all.clone(), &LoggedModelFilter::default(), &other, &page);
            assert_eq!(refused, Err(SearchError::PageToken));
        }
    }

    #[test]
    fn what_is_no_column_is_refused() {
        assert!(LoggedModelFilter::parse("datasets.name = 'x'", Vec::new()).is_err());
        assert!(LoggedModelFilter::parse("size > 3", Vec::new()).is_err());
        assert!(LoggedModelOrder::default().then("tags.x", true, None).is_err());
        assert!(LoggedModelOrder::default().then("", true, None).is_err());
    }
}
