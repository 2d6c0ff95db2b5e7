//! The search against what `MLflow`'s own parser and evaluator made of the same texts; see
//! `tests/reference/search.py`.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use mainstay_core::error::Coded as _;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{Clock, MachineTime};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{DatasetRef, Deadline, RunIndex, RunSummary, Wanted};
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

fn search(index: &RunIndex, filter: &str, order: &[String]) -> Result<String, SearchError> {
    let filter = RunFilter::parse(filter)?;
    let order = RunOrder::parse(order)?;
    let (found, _) = index.search(&of_default(&filter), &order, &PageRequest::first(10))?;
    Ok(found.items.iter().map(|id| id.to_string().remove(0)).collect())
}

fn of_default(filter: &RunFilter) -> Wanted<'_> {
    static HERE: LazyLock<Name> = LazyLock::new(default_workspace);
    Wanted {
        workspace: &HERE,
        experiments: &[ExperimentId::DEFAULT],
        view: View::Active,
        filter,
        deadline: Deadline::NONE,
    }
}

/// What a stock server refuses, and is understood here.
const BEYOND: [(&str, &str); 8] = [
    ("metrics.loss IS NULL", "e"),
    ("params.lr IN ('0.1')", "ad"),
    ("params.lr = 0.1", "ade"),
    ("status IN ('FINISHED')", "ad"),
    ("metrics.loss > 0.4 OR metrics.loss < 0", "adc"),
    ("(metrics.loss > 0.4)", "ac"),
    ("status IS NULL", ""),
    ("not metrics.loss > 1", "abde"),
];

fn reference() -> (RunIndex, Vec<Case>) {
    let reference: Reference = serde_json::from_str(include_str!("../reference/search.json")).unwrap();
    let mut index = RunIndex::new();
    reference.runs.into_iter().for_each(|run| index.put(run.summary()));
    (index, reference.cases)
}

/// Runs that differ in one parameter, which one of them lacks.
fn with_params() -> RunIndex {
    let mut index = RunIndex::new();
    let params =
        [("a", "1e-2"), ("b", "0.9"), ("c", "auto"), ("d", "16"), ("e", "128"), ("f", "adam"), ("1", "nan")];
    for (id, param) in params.map(|(id, param)| (id, Some(param))).into_iter().chain([("2", None)]) {
        let run = ReferenceRun {
            id: id.repeat(32),
            name: String::new(),
            user: String::new(),
            status: "RUNNING".to_owned(),
            start: 0,
            end: None,
            metrics: BTreeMap::new(),
            params: param.map(|param| ("lr".to_owned(), param.to_owned())).into_iter().collect(),
            tags: BTreeMap::new(),
            datasets: Vec::new(),
        };
        index.put(run.summary());
    }
    index
}

#[test]
fn numbers_among_parameters_are_compared() {
    let index = with_params();
    for (filter, expected) in [
        ("params.lr > 0.05", "bde"),
        ("params.lr = 0.01", "a"),
        ("params.lr != 16", "1abcef"),
        ("params.lr IN (16, 128)", "de"),
        ("params.lr NOT BETWEEN 0.5 AND 20", "ae"),
        ("NOT params.lr > 0.05", "12acf"),
        ("params.lr = '16'", "d"),
    ] {
        assert_eq!(search(&index, filter, &["run_id".to_owned()]).as_deref(), Ok(expected), "{filter}");
    }
    for refused in ["params.lr > '0.05'", "run_name > 5", "run_name = 5", "datasets.name < 3"] {
        assert!(search(&index, refused, &[]).is_err(), "{refused}");
    }
}

#[test]
fn numbers_among_parameters_come_by_size_in_a_natural_order() {
    let index = with_params();
    for (order, natural, plain) in
        [("params.lr", "abdefc12", "bedafc12"), ("params.lr DESC", "edbacf12", "1cfadeb2")]
    {
        let order = RunOrder::parse(&[order.to_owned()]).unwrap();
        for (order, expected) in [(order.clone().natural(), natural), (order, plain)] {
            for limit in [1, 3, 100] {
                let (mut found, mut page) = (String::new(), PageRequest::first(limit));
                loop {
                    let (one, _) = index.search(&of_default(&RunFilter::default()), &order, &page).unwrap();
                    found.extend(one.items.iter().map(|id| id.to_string().remove(0)));
                    let Some(after) = one.next else { break };
                    page = PageRequest { limit, after: Some(after) };
                }
                assert_eq!(found, expected, "{order:?}, {limit} on a page");
            }
        }
    }
}

#[test]
fn filters_and_orders_agree_with_mlflow() {
    let (index, cases) = reference();
    assert!(cases.len() > 80);
    for Case { filter, order, found } in &cases {
        let ours = search(&index, filter, order);
        let beyond = BEYOND.into_iter().find(|(text, _)| text == filter).map(|(_, found)| found.to_owned());
        let expected = found.clone().or(beyond);
        assert_eq!(ours.as_ref().ok(), expected.as_ref(), "{filter:?} {order:?}: {ours:?}");
    }
    for (text, _) in BEYOND {
        assert!(cases.iter().any(|case| case.filter == text && case.found.is_none()), "{text}");
    }
}

#[test]
fn the_language_says_more_than_mlflows() {
    let (index, _) = reference();
    let found = |filter: &str| search(&index, filter, &[]).unwrap();
    for (filter, ids) in [
        ("metrics.loss IS NOT NULL AND NOT (metrics.loss > 0 OR metrics.loss <= 0)", "b"),
        ("metrics.loss BETWEEN 0 AND 1", "a"),
        ("metrics.loss NOT BETWEEN 0 AND 1", "dc"),
        ("metrics.`val/loss` IN (1, -2.5) AND start_time NOT IN (20)", "ab"),
        ("params.model RLIKE '^(?i)gbm$'", "ae"),
        ("params.model RLIKE 'b.c'", "c"),
        ("run_name RLIKE 'otter-[0-9]'", "bc"),
        ("end_time IS NULL OR duration > 70", "be"),
        ("datasets.context IS NULL", "dec"),
        ("datasets.name RLIKE '^pl'", "b"),
        ("tags.note = E'it\\'s'", "e"),
        ("experiment_id = '0' AND (user_id IS NOT NULL AND user_id != '')", "abec"),
        ("tags.team IN ('Ops', '') OR params.lr IS NULL", "adc"),
    ] {
        assert_eq!(found(filter), ids, "{filter}");
    }
    // Of five, ten, ten and seventy-nine milliseconds; and one that goes on.
    assert_eq!(search(&index, "", &["duration".to_owned()]).unwrap(), "daceb");
}

/// A refusal says where it stands, and what could stand there.
#[test]
fn refusals_have_a_place() {
    for (filter, position, sentence) in [
        ("metrics.a > 1 AND foo.bar = 'x'", Some(18), "Invalid entity type 'foo'"),
        ("status = 'x' OR start_time LIKE '3%'", Some(16), "Invalid comparator 'LIKE' for 'start_time'"),
        ("NOT metrics.a = 'x'", Some(4), "Expected a numeric value for 'a'"),
        ("params.a RLIKE '('", Some(0), "the regular expression '(' cannot be used: unclosed group"),
        ("params.a = 'x' params.b = 'y'", Some(15), "Invalid clause(s) in filter string at character 15"),
    ] {
        let refused = RunFilter::parse(filter).unwrap_err();
        assert_eq!(refused.position(), position, "{filter}");
        assert!(refused.to_string().starts_with(sentence), "{refused}");
    }
}

/// A clock that is a second further at each look.
struct Hurried(AtomicI64);

impl Clock for Hurried {
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(self.0.fetch_add(1_000_000, Ordering::Relaxed))
    }
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let (index, _) = reference();
    let clock = Hurried(AtomicI64::new(0));
    let filter = RunFilter::parse("metrics.loss > 0 AND NOT params.lr = 'x'").unwrap();
    let search = |seconds: i64| {
        let deadline = Deadline::at(&clock, MachineTime::from_micros(seconds * 1_000_000));
        let wanted = Wanted { deadline, ..of_default(&filter) };
        index.search(&wanted, &RunOrder::default(), &PageRequest::first(1)).map(drop)
    };
    assert_eq!(search(0), Err(SearchError::TooSlow));
    assert_eq!(search(1_000), Ok(()));
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
    assert!(matches!(RunFilter::parse(&terms(101)), Err(SearchError::TooMany { .. })));
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
    let filter = RunFilter::default();
    let refused = index.search(&of_default(&filter), &RunOrder::default(), &page);
    assert_eq!(refused.err(), Some(SearchError::PageToken));
}
