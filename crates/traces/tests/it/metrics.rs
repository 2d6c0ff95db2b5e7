//! What is said of traces, searched and summed up; and sums over the traces themselves.

use mainstay_core::experiment::ExperimentId;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::default_workspace;
use mainstay_traces::assessment::{
    AssessedTrace, Assessment, AssessmentId, AssessmentValue, Judgement, Kind, Source,
};
use mainstay_traces::block;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::index::{IndexedTrace, TraceIndex};
use mainstay_traces::info::{Pairs, TraceInfo, TraceState, key};
use mainstay_traces::metrics::{
    Aggregation, Asked, Bounds, DataPoint, MetricQuery, MetricsError, Table, View,
};
use mainstay_traces::port::{TraceQuery, TraceScope};
use mainstay_traces::search::{TraceFilter, TraceOrder};
use mainstay_traces::span::{Attribute, Span, SpanKind, StatusCode};
use mainstay_traces::stored::StoredSpans;
use serde_json::{Value, json};

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn trace(name: &str, request_ms: i64, assessments: Vec<Assessment>) -> IndexedTrace {
    let info = TraceInfo {
        id: TraceId::parse(name).unwrap(),
        experiment: ExperimentId(1),
        request_ms,
        duration_ms: Some(request_ms / 100),
        state: TraceState::Ok,
        client_request_id: None,
        request_preview: None,
        response_preview: None,
        root_name: None,
        tags: pairs(&[(key::NAME, "predict")]),
        metadata: Pairs::new(),
    };
    let trace = AssessedTrace { info, assessments };
    IndexedTrace { workspace: default_workspace(), trace, runs: Vec::new(), prompts: Vec::new() }
}

fn said(kind: Kind, name: &str, value: &Value) -> Assessment {
    let value = AssessmentValue::new(value).unwrap();
    Assessment {
        id: AssessmentId::parse(&format!("a-{name}")).unwrap(),
        trace: TraceId::parse("x").unwrap(),
        name: name.to_owned(),
        span: None,
        source: Source::default(),
        judgement: match kind {
            Kind::Feedback => Judgement::Feedback(value, None),
            Kind::Expectation => Judgement::Expectation(value),
            Kind::Issue => Judgement::Issue(value),
        },
        rationale: None,
        metadata: Pairs::new(),
        overrides: None,
        valid: true,
        created_ms: 1,
        updated_ms: 1,
    }
}

fn filled() -> TraceIndex {
    let feedback = |name: &str, value: Value| said(Kind::Feedback, name, &value);
    let a = trace("a", 1_000, vec![feedback("q", json!("yes")), said(Kind::Expectation, "q", &json!(7.0))]);
    let mut b = trace("b", 2_000, vec![feedback("q", json!(4.0)), feedback("q", json!(2.0))]);
    b.trace.info.metadata =
        pairs(&[(key::SESSION, "s"), (key::TOKEN_USAGE, r#"{"input_tokens": 10, "output_tokens": 1}"#)]);
    let hidden = Assessment { valid: false, ..feedback("q", json!("yes")) };
    let mut c = trace("c", 61_000, vec![hidden, said(Kind::Issue, "iss-1", &json!("slow"))]);
    c.trace.info.metadata = pairs(&[(key::SESSION, "s"), (key::TOKEN_USAGE, r#"{"input_tokens": 30}"#)]);
    c.trace.info.state = TraceState::Error;
    let of_session = Assessment { metadata: pairs(&[(key::SESSION, "s")]), ..feedback("mood", json!(true)) };
    c.trace.assessments.push(of_session);
    let mut d = trace("d", 62_000, Vec::new());
    d.trace.info.tags.clear();
    let mut index = TraceIndex::new();
    for trace in [a, b, c, d] {
        index.put(trace);
    }
    index
}

fn scope() -> TraceScope {
    TraceScope { workspace: default_workspace(), experiments: vec![ExperimentId(1)] }
}

fn search(index: &TraceIndex, filter: &str) -> String {
    let query = TraceQuery {
        scope: scope(),
        filter: TraceFilter::parse(filter).unwrap(),
        order: TraceOrder::parse(&["timestamp".to_owned()]).unwrap(),
        page: PageRequest::first(10),
    };
    index.search(&query).unwrap().items.iter().map(TraceId::as_str).collect()
}

#[test]
fn traces_are_found_by_what_is_said_of_them() {
    let mut index = filled();
    for (filter, found) in [
        ("feedback.q = 'yes'", "a"),
        ("feedback.q != 'yes'", "b"),
        ("feedback.q = '4.0'", "b"),
        ("feedback.q = '4'", ""),
        ("feedback.q > 3", "b"),
        ("feedback.q <= 2", "b"),
        ("feedback.q > 4", ""),
        ("feedback.q LIKE '%e%'", "a"),
        ("feedback.q RLIKE '^\"y'", "a"),
        ("feedback.q IS NULL", "cd"),
        ("feedback.q IS NOT NULL", "ab"),
        ("expectation.q = '7.0'", "a"),
        ("expectation.q IS NULL AND feedback.q IS NOT NULL", "b"),
        ("issue.id = 'iss-1'", "c"),
        ("issue.id = 'iss-2'", ""),
        ("feedback.mood = 'true'", "bc"),
        ("feedback.mood IS NULL", "ad"),
        ("feedback.mood = 'true' AND status = 'OK'", "b"),
        ("feedback.none = 'x'", ""),
    ] {
        assert_eq!(search(&index, filter), found, "{filter}");
    }
    // What is said no longer, and of traces that are gone.
    index.put(trace("a", 1_000, Vec::new()));
    assert_eq!(search(&index, "feedback.q IS NULL"), "acd");
    index.remove(&[TraceId::parse("c").unwrap()]);
    assert_eq!(search(&index, "feedback.mood = 'true'"), "");
}

fn asked<'a>(
    view: View,
    metric: &'a str,
    aggregations: &[Aggregation],
    dimensions: &'a [String],
) -> Asked<'a> {
    let aggregations = aggregations.to_vec();
    Asked { view, metric, aggregations, dimensions, filters: &[], bounds: Bounds::default(), limit: None }
}

fn points(index: &TraceIndex, asked: Asked<'_>) -> Vec<DataPoint> {
    let query = MetricQuery::new(scope(), asked).unwrap();
    let mut table = Table::default();
    index.observe(&query, &mut table).unwrap();
    table.points(&query)
}

/// Interval, dimensions and values of each group.
type Plain = Vec<(Option<i64>, Vec<String>, Vec<f64>)>;

fn plain(points: &[DataPoint]) -> Plain {
    let texts = |point: &DataPoint| point.dimensions.iter().map(|(_, text)| text.clone()).collect();
    let numbers = |point: &DataPoint| point.values.iter().map(|(_, number)| *number).collect();
    points.iter().map(|point| (point.interval_ms, texts(point), numbers(point))).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn traces_are_summed_up() {
    let index = filled();
    let (status, name) = (texts(&["trace_status"]), texts(&["trace_name"]));
    let count = [Aggregation::Count];
    let by_status = plain(&points(&index, asked(View::Traces, "trace_count", &count, &status)));
    assert_eq!(by_status, [(None, texts(&["ERROR"]), vec![1.0]), (None, texts(&["OK"]), vec![3.0])]);
    let sessions = plain(&points(&index, asked(View::Traces, "session_count", &count, &[])));
    assert_eq!(sessions, [(None, Vec::new(), vec![1.0])]);

    let spread = [Aggregation::Avg, Aggregation::Min, Aggregation::Max, Aggregation::Percentile(50.0)];
    // d has no name.
    let latency = plain(&points(&index, asked(View::Traces, "latency", &spread, &name)));
    assert_eq!(latency, [(None, texts(&["predict"]), vec![640.0 / 3.0, 10.0, 610.0, 20.0])]);
    let sum = [Aggregation::Sum];
    let bounds = Bounds::new(Some(0), Some(61_000), Some(60)).unwrap();
    let tokens = Asked { bounds, ..asked(View::Traces, "input_tokens", &sum, &[]) };
    assert_eq!(
        plain(&points(&index, tokens)),
        [(Some(0), vec![], vec![10.0]), (Some(60_000), vec![], vec![30.0])]
    );
    let one = Asked { bounds, limit: Some(1), ..asked(View::Traces, "trace_count", &count, &[]) };
    assert_eq!(plain(&points(&index, one)), [(Some(0), vec![], vec![2.0])]);
    let none = texts(&["trace.tag.`mlflow.traceName` = 'other'"]);
    let none = Asked { filters: &none, ..asked(View::Traces, "trace_count", &count, &[]) };
    assert_eq!(
        plain(&points(&index, none.clone())),
        [(None, vec![], vec![0.0])],
        "of nothing there are none"
    );
    let none = Asked { metric: "latency", aggregations: spread.to_vec(), ..none };
    assert!(points(&index, none).is_empty());
}

#[test]
fn what_is_said_is_summed_up() {
    let index = filled();
    let (name, value) = (texts(&["assessment_name"]), texts(&["assessment_value"]));
    let count = [Aggregation::Count];
    let by_name = plain(&points(&index, asked(View::Assessments, "assessment_count", &count, &name)));
    let expected =
        [("iss-1", 1.0), ("mood", 1.0), ("q", 4.0)].map(|(name, n)| (None, texts(&[name]), vec![n]));
    assert_eq!(by_name, expected);
    let filters = texts(&["assessment.name = 'q'", "assessment.type = 'feedback'"]);
    let by_value =
        Asked { filters: &filters, ..asked(View::Assessments, "assessment_count", &count, &value) };
    let expected = ["\"yes\"", "2.0", "4.0"].map(|value| (None, texts(&[value]), vec![1.0]));
    assert_eq!(plain(&points(&index, by_value)), expected);
    // yes counts as 1; the issue as nothing.
    let mean =
        Asked { filters: &filters, ..asked(View::Assessments, "assessment_value", &[Aggregation::Avg], &[]) };
    assert_eq!(plain(&points(&index, mean)), [(None, vec![], vec![7.0 / 3.0])]);
}

#[test]
fn spans_are_summed_up() {
    let attribute = |key: &str, value: &str| Attribute { key: key.to_owned(), value: value.to_owned() };
    let span = |id: u8, start_ns: u64, end_ns, attributes| Span {
        id: SpanId([id; 8]),
        parent: None,
        name: "n".to_owned(),
        kind: SpanKind::Internal,
        start_ns,
        end_ns,
        status: StatusCode::Error,
        message: String::new(),
        attributes,
        events: Vec::new(),
        links: Vec::new(),
    };
    let cost = |cost: &str| vec![attribute("mlflow.llm.cost", cost), attribute("mlflow.llm.model", "\"m\"")];
    let spans = [
        span(1, 0, Some(2_999_999), cost(r#"{"total_cost": 0.5}"#)),
        span(2, 5_000_000, Some(4_000_000), cost(r#"{"total_cost": 0.25}"#)),
        span(3, 9_000_000, None, vec![attribute("mlflow.spanType", "\"LLM\"")]),
    ];
    let stored = StoredSpans::new(vec![block::encode(&spans).unwrap().remove(0).bytes]);
    let sums = |asked: Asked<'_>| {
        let query = MetricQuery::new(scope(), asked).unwrap();
        let mut table = Table::default();
        table.observe_spans(&query, &TraceId::parse("x").unwrap(), &stored).unwrap();
        plain(&table.points(&query))
    };
    let (status, kind, model) = (texts(&["span_status"]), texts(&["span_type"]), texts(&["span_model_name"]));
    let spread = [Aggregation::Min, Aggregation::Max];
    assert_eq!(
        sums(asked(View::Spans, "latency", &spread, &status)),
        [(None, texts(&["ERROR"]), vec![-1.0, 2.0])]
    );
    let count = [Aggregation::Count];
    assert_eq!(sums(asked(View::Spans, "span_count", &count, &kind)), [(None, texts(&["LLM"]), vec![1.0])]);
    let filters = texts(&["span.type = 'LLM'", "span.status = 'ERROR'"]);
    let filtered = Asked { filters: &filters, ..asked(View::Spans, "span_count", &count, &[]) };
    assert_eq!(sums(filtered), [(None, vec![], vec![1.0])]);
    let sum = [Aggregation::Sum];
    assert_eq!(sums(asked(View::Spans, "total_cost", &sum, &model)), [(None, texts(&["m"]), vec![0.75])]);
    let bounds = Bounds::new(Some(1), Some(5), None).unwrap();
    let within = Asked { bounds, ..asked(View::Spans, "total_cost", &sum, &[]) };
    assert_eq!(sums(within), [(None, vec![], vec![0.25])], "costs go by the time of spans");
}

#[test]
fn what_cannot_be_summed_is_refused() {
    let count = [Aggregation::Count];
    let refused = |asked: Asked<'_>| MetricQuery::new(scope(), asked).unwrap_err().to_string();
    let other = texts(&["span_name"]);
    let filter = |text: &str| {
        let filters = texts(&[text]);
        refused(Asked { filters: &filters, ..asked(View::Traces, "trace_count", &count, &[]) })
    };
    for (told, sentence) in [
        (refused(asked(View::Traces, "x", &count, &[])), "metric_name must be one of ['trace_count', "),
        (
            refused(asked(View::Traces, "latency", &count, &[])),
            "Found invalid aggregation_type(s): ['COUNT']. Supported aggregation types: ['AVG', ",
        ),
        (
            refused(asked(View::Traces, "latency", &[Aggregation::Avg], &other)),
            "Found invalid dimension(s): ['span_name']. Supported dimensions: ['trace_name']",
        ),
        (refused(asked(View::Traces, "trace_count", &[], &[])), "give 1 to"),
        (filter("trace.status != 'OK'"), "Invalid comparator: '!=', only '=' operator is supported"),
        (filter("trace.status = 'OK' AND trace.status = 'OK'"), "Invalid filter: "),
        (filter("trace.name = 'x'"), "Invalid entity 'name' specified for view type 'trace'"),
        (filter("tag.name = 'x'"), "Invalid view type 'tag'"),
        (filter("span.name = 'x'"), "Filtering by span is only supported for SPANS view type"),
        (
            filter("assessment.name = 'x'"),
            "Filtering by assessment is only supported for ASSESSMENTS view type",
        ),
        (filter("trace.tag.a = 1"), "Expected a quoted string value"),
    ] {
        assert!(told.starts_with(sentence), "{told}");
    }
    assert_eq!(Bounds::new(Some(1), None, Some(60)), Err(MetricsError::OpenIntervals));
    assert_eq!(Bounds::new(Some(1), Some(2), Some(-1)), Err(MetricsError::Interval(-1)));
    for limit in [0, -1, 10_001] {
        let wrong = Asked { limit: Some(limit), ..asked(View::Traces, "trace_count", &count, &[]) };
        assert!(refused(wrong).starts_with("max_results must be between 1 and 10000"));
    }
}
