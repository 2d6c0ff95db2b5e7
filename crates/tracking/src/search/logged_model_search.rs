//! The search over logged models, which are shown to it one after the other.

use std::ops::ControlFlow;

use mainstay_core::page::{Page, PageRequest, Selection};
use mainstay_core::time::MachineTime;

use super::SearchError;
use super::logged_model::{Key, LoggedModelFilter, LoggedModelOrder, Place};
use crate::experiment::ExperimentId;
use crate::logged_model::{LoggedModelDetail, LoggedModelId};

/// What a search looks at beside the models themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedAt {
    /// Their parameters.
    pub params: bool,
    /// Their tags.
    pub tags: bool,
    /// Their metrics.
    pub metrics: bool,
}

impl LookedAt {
    /// Everything.
    pub const ALL: Self = Self { params: true, tags: true, metrics: true };
}

/// A search that is shown logged models one after the other: those of an experiment together, the newest first, then
/// by id.
#[derive(Debug)]
pub struct LoggedModelSearch {
    filter: LoggedModelFilter,
    order: LoggedModelOrder,
    found: Selection<Key, LoggedModelId>,
    /// The experiment whose models are being shown, and how many of them matched.
    matched: (Option<ExperimentId>, usize),
}

impl LoggedModelSearch {
    /// A search for one page.
    pub fn new(
        filter: LoggedModelFilter,
        order: LoggedModelOrder,
        page: &PageRequest,
    ) -> Result<Self, SearchError> {
        let found: Selection<Key, LoggedModelId> = Selection::new(page)?;
        if found.after().is_some_and(|key| !order.made(key)) {
            return Err(SearchError::PageToken);
        }
        Ok(Self { filter, order, found, matched: (None, 0) })
    }

    /// What must be known of the models that it is shown.
    pub fn looks_at(&self) -> LookedAt {
        let filter = &self.filter;
        LookedAt {
            params: filter.names(|place| matches!(place, Place::Param(_))),
            tags: filter.names(|place| matches!(place, Place::Tag(_))),
            metrics: self.order.is_by_metric()
                || filter.is_restricted()
                || filter.names(|place| matches!(place, Place::Metric(_))),
        }
    }

    /// Behind which model each experiment may begin: those before it are of an earlier page.
    pub fn behind(&self) -> Option<(MachineTime, LoggedModelId)> {
        self.found.after().filter(|_| self.order.is_default()).map(|key| (key.created, key.id))
    }

    /// Shows it a model; breaks where the rest of its experiment cannot matter.
    pub fn see(&mut self, detail: &LoggedModelDetail) -> ControlFlow<()> {
        if !self.filter.matches(detail) {
            return ControlFlow::Continue(());
        }
        self.found.offer(self.order.key(detail), detail.model.id, |a, b| self.order.compare(a, b));
        let experiment = Some(detail.model.experiment);
        let before = if self.matched.0 == experiment { self.matched.1 } else { 0 };
        self.matched = (experiment, before + 1);
        let is_enough = self.order.is_default() && self.matched.1 >= self.found.enough();
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The page of those that matched.
    pub fn page(self) -> Page<LoggedModelId> {
        self.found.page(|a, b| self.order.compare(a, b))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mainstay_core::id::RunId;

    use super::super::MeasuredOn;
    use super::*;
    use crate::logged_model::{LoggedModel, LoggedModelStatus, ModelMetric};
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

    /// Shows a search what there is as a store does: the newest first, from where it may begin, until it is enough.
    fn searched(
        all: &[LoggedModelDetail],
        filter: &LoggedModelFilter,
        order: &LoggedModelOrder,
        page: &PageRequest,
    ) -> Result<Page<LoggedModelId>, SearchError> {
        let mut search = LoggedModelSearch::new(filter.clone(), order.clone(), page)?;
        let behind = search.behind();
        let mut newest: Vec<_> = all.iter().collect();
        newest.sort_by_key(|detail| std::cmp::Reverse(detail.model.created));
        for detail in newest {
            let is_earlier = |(at, id): (MachineTime, _)| detail.model.created > at || detail.model.id == id;
            if !behind.is_some_and(is_earlier) && search.see(detail).is_break() {
                break;
            }
        }
        Ok(search.page())
    }

    fn found(filter: &LoggedModelFilter, order: &LoggedModelOrder) -> Vec<u8> {
        let all = vec![model(1, Some(0.5)), model(2, None), model(3, Some(f64::NAN)), model(4, Some(0.9))];
        let (mut ids, mut page) = (Vec::new(), PageRequest::first(2));
        loop {
            let Page { items, next } = searched(&all, filter, order, &page).unwrap();
            ids.extend(items.iter().map(|id| id.as_bytes()[0]));
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
            searched(&all, &LoggedModelFilter::default(), &order, &page).unwrap().items[0]
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
            let search =
                |all: &[_], page: &PageRequest| searched(all, &LoggedModelFilter::default(), &order, page);
            let first = search(&all, &PageRequest::first(2)).unwrap();
            let rest: Vec<_> =
                all.iter().filter(|detail| detail.model.id != first.items[1]).cloned().collect();
            let page = PageRequest { limit: 5, after: first.next.clone() };
            let found = search(&rest, &page).unwrap();
            let ids: Vec<_> = found.items.iter().map(|id| id.as_bytes()[0]).collect();
            assert_eq!(ids, left);
            let other = LoggedModelOrder::default();
            let refused = searched(&all, &LoggedModelFilter::default(), &other, &page);
            assert_eq!(refused, Err(SearchError::PageToken));
        }
    }

    #[test]
    fn a_search_looks_at_no_more_than_it_must() {
        let search = |filter: &str, order: Option<&str>, datasets: Vec<MeasuredOn>| {
            let filter = LoggedModelFilter::parse(filter, datasets).unwrap();
            let by = |field| LoggedModelOrder::default().then(field, true, None).unwrap();
            let order = order.map_or_else(LoggedModelOrder::default, by);
            LoggedModelSearch::new(filter, order, &PageRequest::first(2)).unwrap()
        };
        let looked = |params, tags, metrics| LookedAt { params, tags, metrics };
        assert_eq!(search("name = 'a'", None, vec![]).looks_at(), looked(false, false, false));
        assert_eq!(
            search("params.a = '1' OR tags.b = '2'", None, vec![]).looks_at(),
            looked(true, true, false)
        );
        assert_eq!(search("NOT metrics.a > 1", None, vec![]).looks_at(), looked(false, false, true));
        assert_eq!(search("", Some("metrics.a"), vec![]).looks_at(), looked(false, false, true));
        assert_eq!(search("", None, vec![("d".into(), None)]).looks_at(), looked(false, false, true));

        // One more than a page is enough of each experiment, in the order in which they come.
        let all = [model(4, None), model(3, None), model(2, None)];
        let elsewhere = |detail: &LoggedModelDetail| {
            let mut other = detail.clone();
            other.model.experiment = ExperimentId(7);
            other
        };
        let mut newest = search("", None, vec![]);
        let shown: Vec<bool> = all.iter().map(|detail| newest.see(detail).is_break()).collect();
        assert_eq!(shown, [false, false, true]);
        assert!(newest.see(&elsewhere(&all[0])).is_continue());
        let mut named = search("", Some("name"), vec![]);
        assert!(all.iter().all(|detail| named.see(detail).is_continue()));
    }

    #[test]
    fn what_is_no_column_is_refused() {
        assert!(LoggedModelFilter::parse("datasets.name = 'x'", Vec::new()).is_err());
        assert!(LoggedModelFilter::parse("size > 3", Vec::new()).is_err());
        assert!(LoggedModelOrder::default().then("tags.x", true, None).is_err());
        assert!(LoggedModelOrder::default().then("", true, None).is_err());
    }
}
