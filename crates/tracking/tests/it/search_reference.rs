//! The search against what `MLflow`'s own parser and evaluator made of the same texts; see
//! `tests/reference/search.py`.

use std::collections::BTreeMap;

use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{DatasetRef, RunIndex, RunSummary};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{RunFilter, RunOrder, SearchError, View};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    runs: Vec<ReferenceRun>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct ReferenceRun {
    id: String,
    name: String,
    user: String,
    status: String,
    start: i64,
    end: Option<i64>,
    metrics: BTreeMap<String, serde_json::Value>,
    params: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    datasets: Vec<(String, String, Option<String>)>,
}

#[derive(Deserialize)]
struct Case {
    filter: String,
    order: Vec<String>,
    found: Option<String>,
}

impl ReferenceRun {
    fn summary(self) -> RunSummary {
        let number = |value: serde_json::Value| {
            value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap()
        };
        let run = Run {
            id: self.id.parse().unwrap(),
            experiment: ExperimentId::DEFAULT,
            name: self.name,
            user: self.user,
            status: RunStatus::parse(&self.status).unwrap(),
            start_ms: self.start,
            end_ms: self.end,
            lifecycle: Lifecycle::Active,
            artifact_uri: String::new(),
        };
        let latest = |value| Latest { step: 0, timestamp_ms: 0, value: number(value) };
        let metrics = self.metrics.into_iter().map(|(key, value)| (key, latest(value))).collect();
        let datasets = self
            .datasets
            .into_iter()
            .map(|(name, digest, context)| DatasetRef { name, digest, context })
            .collect();
        RunSummary {
            run,
            workspace: default_workspace(),
            metrics,
            params: self.params,
            tags: self.tags,
            datasets,
            is_attached: false,
        }
    }
}

fn search(index: &RunIndex, case: &Case) -> Result<String, SearchError> {
    let filter = RunFilter::parse(&case.filter)?;
    let order = RunOrder::parse(&case.order)?;
    let page = PageRequest::first(10);
    let found = index.search(
        (&default_workspace(), &[ExperimentId::DEFAULT]),
        View::Active,
        &filter,
        &order,
        &page,
    )?;
    Ok(found.items.iter().map(|id| id.to_string().remove(0)).collect())
}

#[test]
fn filters_and_orders_agree_with_mlflow() {
    let reference: Reference = serde_json::from_str(include_str!("../reference/search.json")).unwrap();
    let mut index = RunIndex::new();
    reference.runs.into_iter().for_each(|run| index.put(run.summary()));
    assert!(reference.cases.len() > 80);
    for case in &reference.cases {
        let ours = search(&index, case);
        assert_eq!(ours.as_ref().ok(), case.found.as_ref(), "{:?} {:?}: {ours:?}", case.filter, case.order);
    }
}

/// Where this grammar is stricter than a stock server, on purpose: a forgotten or dangling `AND` is a
/// mistake; and bounded.
#[test]
fn mistakes_and_floods_are_refused() {
    for bad in ["params.a = 'x' params.b = 'y'", "params.a = 'x' AND", "AND params.a = 'x'", "AND"] {
        assert!(matches!(RunFilter::parse(bad), Err(SearchError::Syntax { .. })), "{bad}");
    }
    let terms = |n: usize| vec!["metrics.a > 1"; n].join(" AND ");
    assert!(RunFilter::parse(&terms(100)).is_ok());
    assert_eq!(RunFilter::parse(&terms(101)), Err(SearchError::TooLong));
    assert_eq!(RunFilter::parse(&" ".repeat(70_000)), Err(SearchError::TooLong));
    let orders: Vec<String> = (0..17).map(|n| format!("metrics.m{n}")).collect();
    assert_eq!(RunOrder::parse(&orders), Err(SearchError::TooLong));
    let twice = ["metrics.a".to_owned(), "metric.a DESC".to_owned()];
    assert_eq!(RunOrder::parse(&twice), Err(SearchError::Twice("a".to_owned())));
    assert!(RunOrder::parse(&["dataset.name".to_owned()]).is_err());
}

#[test]
fn a_foreign_page_token_is_refused() {
    let index = RunIndex::new();
    let page = PageRequest { limit: 1, after: Some("7b7d".parse().unwrap()) };
    let (filter, order) = (RunFilter::default(), RunOrder::default());
    let refused =
        index.search((&default_workspace(), &[ExperimentId::DEFAULT]), View::All, &filter, &order, &page);
    assert_eq!(refused.err(), Some(SearchError::PageToken));
}
