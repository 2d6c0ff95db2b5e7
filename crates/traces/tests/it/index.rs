//! Searches over traces: filters, orders, pages, and what happens to those that are written again or deleted.

use std::collections::BTreeMap;

use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_core::search::SearchError;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::id::TraceId;
use mainstay_traces::index::{ColumnKind, IndexedTrace, TraceIndex};
use mainstay_traces::info::{Pairs, TraceInfo, TraceState};
use mainstay_traces::port::{TraceQuery, TraceScope};
use mainstay_traces::search::{TraceFilter, TraceOrder, ValueColumn};
use proptest::prelude::*;

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn trace(name: &str, experiment: u64, request_ms: i64) -> IndexedTrace {
    let info = TraceInfo {
        id: TraceId::parse(name).unwrap(),
        experiment: ExperimentId(experiment),
        request_ms,
        duration_ms: None,
        state: TraceState::Ok,
        client_request_id: None,
        request_preview: None,
        response_preview: None,
        root_name: None,
        tags: Pairs::new(),
        metadata: Pairs::new(),
    };
    let trace = AssessedTrace { info, assessments: Vec::new() };
    IndexedTrace { workspace: default_workspace(), trace, runs: Vec::new(), prompts: Vec::new() }
}

/// Four traces of experiment 1, and one of another.
fn filled() -> TraceIndex {
    let mut a = trace("a", 1, 100);
    a.trace.info.duration_ms = Some(50);
    a.trace.info.tags = pairs(&[("mlflow.traceName", "predict"), ("topic", "weather")]);
    a.trace.info.metadata = pairs(&[("mlflow.sourceRun", "r1"), ("mlflow.trace.session", "s")]);
    a.trace.info.client_request_id = Some("req-a".into());
    let mut b = trace("b", 1, 200);
    b.trace.info.state = TraceState::Error;
    b.trace.info.tags = pairs(&[("mlflow.traceName", "Predict"), ("topic", "news")]);
    b.runs = vec!["r1".into()];
    let mut c = trace("c", 1, 200);
    c.trace.info.state = TraceState::InProgress;
    c.prompts = vec!["greet/3".into()];
    c.trace.info.metadata =
        pairs(&[("mlflow.sourceRun", "r2"), ("mlflow.trace.tokenUsage", r#"{"input_tokens": 1}"#)]);
    let mut d = trace("d", 1, 300);
    d.trace.info.duration_ms = Some(7);
    let mut index = TraceIndex::new();
    for trace in [a, b, c, d, trace("e", 2, 150)] {
        index.put(trace);
    }
    index
}

fn query(filter: &str, order: &[&str], limit: usize) -> Result<TraceQuery, SearchError> {
    let order: Vec<String> = order.iter().map(|text| (*text).to_owned()).collect();
    Ok(TraceQuery {
        scope: TraceScope { workspace: default_workspace(), experiments: vec![ExperimentId(1)] },
        filter: TraceFilter::parse(filter)?,
        order: TraceOrder::parse(&order)?,
        page: PageRequest::first(limit),
    })
}

fn search(index: &TraceIndex, filter: &str, order: &[&str]) -> String {
    let query = query(filter, order, 100).unwrap();
    index.search(&query).unwrap().items.iter().map(TraceId::as_str).collect()
}

#[test]
fn filters_keep_what_they_ask_for() {
    let index = filled();
    for (filter, found) in [
        ("", "dbca"),
        ("timestamp >= 200", "dbc"),
        ("trace.timestamp_ms < 200", "a"),
        ("execution_time > 7", "a"),
        ("execution_time_ms <= 50", "da"),
        ("end_time = 150", "a"),
        ("end_time = 200", "bc"),
        ("metadata.`mlflow.sourceRun` = 'r1'", "ba"),
        ("metadata.`mlflow.sourceRun` LIKE 'r1'", "a"),
        ("status = 'OK'", "da"),
        ("attributes.status != 'OK'", "bc"),
        ("status IN ('OK', 'ERROR')", "dba"),
        ("status NOT IN ('OK')", "bc"),
        ("status RLIKE '^E'", "b"),
        ("request_id = 'c'", "c"),
        ("client_request_id LIKE 'req%'", "a"),
        ("client_request_id != 'x'", "a"),
        ("name = 'predict'", "a"),
        ("name ILIKE 'PRED%'", "ba"),
        ("attribute.name RLIKE 'dict$'", "ba"),
        ("tag.topic != 'news'", "a"),
        ("tags.'topic' = \"news\"", "b"),
        ("tag.topic IS NULL", "dc"),
        ("tag.topic IS NOT NULL AND tag.topic LIKE '%e%'", "ba"),
        ("tag.nothing IS NULL", "dbca"),
        ("tag.nothing = 'x'", ""),
        ("metadata.`mlflow.trace.session` = 's'", "a"),
        ("request_metadata.`mlflow.trace.tokenUsage` = '{\"input_tokens\": 1}'", "c"),
        ("run_id = 'r1'", "ba"),
        ("attribute.run_id = 'r2'", "c"),
        ("run_id != 'r1'", "c"),
        ("run_id IS NULL", "db"),
        ("prompt = 'greet/3'", "c"),
        ("prompt = 'greet/4'", ""),
        ("timestamp > 100 and status = 'ERROR'", "b"),
        ("tag.topic RLIKE '('", ""),
    ] {
        assert_eq!(search(&index, filter, &[]), found, "{filter}");
    }
}

#[test]
fn a_trace_that_nobody_named_is_called_as_its_root() {
    let mut index = filled();
    for (id, root) in [("a", "root"), ("c", "predict"), ("d", "serve")] {
        let mut again = trace(id, 1, 100);
        again.trace.info.root_name = Some(root.into());
        if id == "a" {
            again.trace.info.tags = pairs(&[("mlflow.traceName", "predict")]);
        }
        index.put(again);
    }
    index.put(trace("f", 1, 50));
    for (filter, found) in [
        ("name = 'predict'", "ac"),
        ("attribute.name LIKE '%e%'", "bacd"),
        ("name != 'predict'", "bd"),
        ("name = 'root'", ""),
        ("name IS NULL", "f"),
        ("name IS NOT NULL", "bacd"),
        ("NOT name = 'predict'", "bdf"),
        ("tag.`mlflow.traceName` = 'predict'", "a"),
        ("tag.`mlflow.traceName` IS NULL", "cdf"),
    ] {
        assert_eq!(search(&index, filter, &[]), found, "{filter}");
    }
    assert_eq!(search(&index, "", &["name DESC"]), "dacbf");
    let scope = query("", &[], 1).unwrap().scope;
    let column = ValueColumn::parse("name").unwrap();
    let values = index.values(&scope, &TraceFilter::default(), &column, "", 9).values;
    let told: Vec<_> = values.iter().map(|known| (known.value.as_str(), known.count)).collect();
    assert_eq!(told, [("predict", 2), ("Predict", 1), ("serve", 1)]);
    // Named after all, and then gone.
    let mut named = trace("d", 1, 100);
    named.trace.info.root_name = Some("serve".into());
    named.trace.info.tags = pairs(&[("mlflow.traceName", "other")]);
    index.put(named);
    assert_eq!(
        (search(&index, "name = 'serve'", &[]), search(&index, "name = 'other'", &[])),
        (String::new(), "d".to_owned())
    );
    index.remove(&[TraceId::parse("c").unwrap()]);
    index.put(trace("g", 1, 10));
    assert_eq!(search(&index, "name = 'predict'", &[]), "a");
}

#[test]
fn orders_put_what_is_missing_last() {
    let index = filled();
    for (order, found) in [
        (&["timestamp ASC"][..], "abcd"),
        (&["timestamp_ms"][..], "abcd"),
        (&["execution_time DESC"][..], "adbc"),
        (&["execution_time ASC"][..], "dabc"),
        (&["end_time DESC"][..], "dbca"),
        (&["name"][..], "badc"),
        (&["status", "timestamp ASC"][..], "bcad"),
        (&["request_id DESC"][..], "dcba"),
        (&["tag.topic"][..], "badc"),
        (&["metadata.`mlflow.sourceRun` DESC"][..], "cadb"),
        (&["run_id"][..], "acdb"),
        (&["experiment_id"][..], "dbca"),
    ] {
        assert_eq!(search(&index, "", order), found, "{order:?}");
    }
}

#[test]
fn what_is_written_again_is_as_it_is_now_and_what_is_deleted_is_gone() {
    let mut index = filled();
    let mut again = trace("a", 1, 400);
    again.trace.info.tags = pairs(&[("topic", "sports")]);
    index.put(again);
    assert_eq!(search(&index, "", &[]), "adbc");
    assert_eq!(search(&index, "tag.topic = 'weather'", &[]), "");
    assert_eq!(search(&index, "name = 'predict'", &[]), "");
    assert_eq!(search(&index, "client_request_id LIKE '%'", &[]), "");

    index.remove(&["b", "c", "x"].map(|id| TraceId::parse(id).unwrap()));
    assert_eq!((index.len(), search(&index, "", &[])), (3, "ad".to_owned()));
    assert_eq!(search(&index, "run_id = 'r1'", &[]), "");
    // A slot that is free again holds nothing of whoever had it before.
    index.put(trace("f", 1, 50));
    assert_eq!(
        (search(&index, "", &[]), search(&index, "tag.topic IS NULL", &[])),
        ("adf".into(), "df".into())
    );
    // Deleted, and begun again in another experiment.
    index.put(trace("d", 2, 1));
    assert_eq!(search(&index, "", &[]), "af");
}

#[test]
fn a_workspace_learns_nothing_of_the_traces_of_others() {
    let index = filled();
    let mut query = query("", &["tag.topic"], 1).unwrap();
    query.scope.workspace = Name::new("other").unwrap();
    // Not even by a token, which would tell what its last trace is ordered by.
    let page = index.search(&query).unwrap();
    assert_eq!((page.items, page.next.is_some()), (Vec::new(), false));
    query.scope.workspace = default_workspace();
    assert!(index.search(&query).unwrap().next.is_some());
    query.scope.experiments = vec![ExperimentId(2), ExperimentId(1), ExperimentId(2)];
    query.page.limit = 10;
    assert_eq!(index.search(&query).unwrap().items.len(), 5);
}

#[test]
fn keys_that_no_trace_has_any_longer_are_as_if_they_had_never_been() {
    let mut index = filled();
    for n in 0..200 {
        let mut again = trace("a", 1, 100);
        again.trace.info.tags = pairs(&[(&format!("key {n}"), "x")]);
        index.put(again);
    }
    assert_eq!(search(&index, "tag.`key 199` = 'x'", &[]), "a");
    assert_eq!(search(&index, "tag.`key 198` IS NULL", &[]), "dbca");
    index.remove(&[TraceId::parse("a").unwrap()]);
    assert_eq!(search(&index, "tag.`key 199` IS NOT NULL", &[]), "");
    assert!(!format!("{index:?}").contains("key 1"), "an empty column is left behind");
}

/// Pages of `limit`, one after the other.
fn pages(index: &TraceIndex, order: &[&str], limit: usize) -> Vec<String> {
    let mut query = query("", order, limit).unwrap();
    let mut pages = Vec::new();
    loop {
        let page = index.search(&query).unwrap();
        pages.push(page.items.iter().map(TraceId::as_str).collect());
        query.page.after = page.next;
        if query.page.after.is_none() {
            return pages;
        }
    }
}

#[test]
fn a_page_that_ends_with_the_last_trace_has_no_token() {
    let index = filled();
    assert_eq!(pages(&index, &[], 2), ["db", "ca"]);
    assert_eq!(pages(&index, &["execution_time DESC"], 3), ["adb", "c"]);
    assert_eq!(pages(&index, &["tag.topic"], 1), ["b", "a", "d", "c"]);
}

proptest! {
    /// However traces come and go, pages show each once, in the order of the whole.
    #[test]
    fn pages_show_every_trace_once(
        written in proptest::collection::vec((0_u8..40, 0_i64..5, any::<Option<u8>>()), 0..80),
        deleted in proptest::collection::vec(0_u8..40, 0..20),
        limit in 1_usize..7,
    ) {
        let (mut index, mut left) = (TraceIndex::new(), BTreeMap::new());
        for (n, request_ms, topic) in written {
            let mut trace = trace(&format!("t{n:02}"), 1, request_ms);
            trace.trace.info.tags.extend(topic.map(|topic| ("topic".to_owned(), topic.to_string())));
            left.insert(n, (topic.map(|topic| topic.to_string()), request_ms));
            index.put(trace);
        }
        for n in deleted {
            left.remove(&n);
            index.remove(&[TraceId::parse(&format!("t{n:02}")).unwrap()]);
        }
        let mut expected: Vec<_> = left.into_iter().collect();
        expected.sort_by(|(a, (a_topic, a_ms)), (b, (b_topic, b_ms))| {
            let topics = (a_topic.is_none(), a_topic).cmp(&(b_topic.is_none(), b_topic));
            topics.then(b_ms.cmp(a_ms)).then(a.cmp(b))
        });
        let expected: Vec<String> = expected.into_iter().map(|(n, _)| format!("t{n:02}")).collect();
        prop_assert_eq!(pages(&index, &["tag.topic"], limit).concat(), expected.concat());
    }
}

#[test]
fn what_a_search_can_name_is_counted() {
    let index = filled();
    let scope = query("", &[], 1).unwrap().scope;
    let named = |filter: &str, kinds: &[ColumnKind], prefix: &str, limit| {
        let found = index.vocabulary(&scope, &TraceFilter::parse(filter).unwrap(), kinds, prefix, limit);
        let columns = found.columns.iter().map(|column| format!("{} {}", column.name(), column.count));
        (columns.collect::<Vec<_>>().join(", "), found.total, found.looked_at)
    };
    assert_eq!(
        named("", &[ColumnKind::Tag], "", 10),
        ("tags.mlflow.traceName 2, tags.topic 2".to_owned(), 2, 4)
    );
    assert_eq!(named("", &ColumnKind::ALL, "MLFLOW.s", 1), ("metadata.mlflow.sourceRun 2".to_owned(), 1, 4));
    assert_eq!(named("status = 'ERROR'", &ColumnKind::ALL, "to", 9), ("tags.topic 1".to_owned(), 1, 1));
    let values = |column: &str, prefix: &str| {
        let column = ValueColumn::parse(column).unwrap();
        let found = index.values(&scope, &TraceFilter::default(), &column, prefix, 10);
        found
            .values
            .iter()
            .map(|known| format!("{} {}", known.value, known.count))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(values("name", "p"), "Predict 1, predict 1");
    assert_eq!(values("status", ""), "OK 2, ERROR 1, IN_PROGRESS 1");
    assert_eq!(values("prompt", "gr"), "greet/3 1");
    assert_eq!(values("run_id", ""), "r1 1, r2 1");
    assert_eq!(values("tags.nothing", ""), "");
    assert!(ValueColumn::parse("timestamp").is_err() && ValueColumn::parse("span.name").is_err());
    assert_eq!(ValueColumn::parse("tags.topic").unwrap().is("a'b"), "tags.topic = \"a'b\"");
    assert_eq!(index.count(&scope, &TraceFilter::parse("tags.topic = 'news'").unwrap()), 1);
    assert_eq!(index.experiments_of(&default_workspace()), [ExperimentId(1), ExperimentId(2)]);
}
