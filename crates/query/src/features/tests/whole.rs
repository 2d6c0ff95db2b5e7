//! From sources to a training frame, and what is refused.

use arrow::array::BooleanArray;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::time::{DataTime, HOUR};
use mainstay_features::rule::CreatedCutoff;

use super::*;

const DEFINITIONS: &str = "
entities: [{name: origin, join_keys: [origin]}]
sources:
  - {name: arrivals, dataset: flights, timestamp: arrived_at, filter: arr_delay IS NOT NULL}
  - {name: outcomes, dataset: flights, timestamp: scheduled_at, created: arrived_at}
feature_views:
  - name: recent
    entities: [origin]
    source: arrivals
    aggregates: [{name: late, function: rate, column: arr_delay > 15, window: 3h}]
feature_services:
  - name: delay
    label: {source: outcomes, expression: arr_delay > 15, dtype: bool}
    features: ['recent:late']
    request:
      - {name: hour, dtype: int64, expression: \"date_part('hour', event_timestamp)\"}
      - {name: log_distance, dtype: float64, expression: ln(distance)}
";

fn flights(dir: &Path) -> Table {
    let hours = |values: [Option<i64>; 4]| times(values.map(|v| v.map(|v| v * HOUR)));
    table(
        dir,
        vec![
            ("origin", DataType::Utf8, text([Some("JFK"), Some("JFK"), Some("EWR"), Some("JFK")])),
            ("scheduled_at", DataType::Timestamp, hours([Some(1), Some(5), Some(5), Some(6)])),
            ("arrived_at", DataType::Timestamp, hours([Some(4), Some(9), Some(8), None])),
            ("arr_delay", DataType::Float64, floats([Some(20.0), Some(0.0), Some(30.0), None])),
            (
                "distance",
                DataType::Float64,
                floats([Some(1.0), Some(std::f64::consts::E), Some(1.0), Some(1.0)]),
            ),
        ],
    )
}

#[tokio::test]
async fn a_service_gives_its_training_frame() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let all = Definitions::parse(DEFINITIONS).unwrap();
    let (service, view) = (all.service("delay").unwrap(), all.view("recent").unwrap());
    let flights = flights(dir.path());
    let emitted = emit(&session, view, &flights, Visible::default(), target(dir.path())).await.unwrap();
    let rows = emitted.under(dir.path());
    let hour = |hour: i64| DataTime::from_micros(hour * HOUR);
    let set = TrainingSet {
        service,
        label: &flights,
        views: &[JoinedView { view, rows: &rows }],
        examples: Examples { from: hour(0), until: hour(24), known_at: hour(8) },
        cutoff: CreatedCutoff::On,
    };
    let frame = collect(training_frame(&session, set).await.unwrap()).await;
    let names: Vec<_> = frame.schema().fields().iter().map(|f| f.name().clone()).collect();
    let expected = [
        "row_id",
        "event_timestamp",
        "label_known_at",
        "label",
        "origin",
        "distance",
        "recent__late",
        "hour",
        "log_distance",
    ];
    assert_eq!(names, expected);
    // The second flight's label is known at 9, the fourth's never.
    assert_eq!(int_column(&frame, "row_id"), [Some(1), Some(2)]);
    assert_eq!(int_column(&frame, "hour"), [Some(1), Some(5)]);
    let label: Vec<_> = frame.column_by_name("label").unwrap().as_boolean().iter().collect();
    assert_eq!(label, [Some(true), Some(true)]);
    assert_eq!(float_column(&frame, "recent__late"), [None, None]);
    assert_eq!(float_column(&frame, "log_distance"), [Some(0.0), Some(0.0)]);

    let later = Examples { known_at: hour(9), ..set.examples };
    let frame =
        collect(training_frame(&session, TrainingSet { examples: later, ..set }).await.unwrap()).await;
    // At 5 the first arrival, at 4, is known to have been late; EWR's own is not there yet.
    assert_eq!(float_column(&frame, "recent__late"), [None, None, Some(1.0)]);
    assert_eq!(float_column(&frame, "log_distance")[2], Some(1.0));
}

#[tokio::test]
async fn a_request_is_evaluated_as_a_frame_is() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let all = Definitions::parse(DEFINITIONS).unwrap();
    let request =
        batch(vec![("event_timestamp", times([Some(7 * HOUR)])), ("distance", floats([Some(1.0)]))]);
    let features = &all.service("delay").unwrap().request;
    let evaluator = RequestEvaluator::new(&session, features, &request.schema()).unwrap();
    let answer = evaluator.extend(&request).unwrap();
    assert_eq!(int_column(&answer, "hour"), [Some(7)]);
    assert_eq!(float_column(&answer, "log_distance"), [Some(0.0)]);
}

#[tokio::test]
async fn an_expression_that_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let flights = flights(dir.path());
    for (from, to, place) in [
        ("timestamp: arrived_at,", "timestamp: landed_at,", "sources arrivals.timestamp"),
        ("arr_delay IS NOT NULL", "arr_delay IS NOT", "sources arrivals.filter"),
        ("column: arr_delay > 15", "column: nothing(1)", "feature_views recent.aggregates.late.column"),
        (
            "source: arrivals\n",
            "keys: {origin: 'up(origin)'}\n    source: arrivals\n",
            "feature_views recent.keys.origin",
        ),
        (
            "column: arr_delay > 15",
            "column: '(select 1 from t)'",
            "feature_views recent.aggregates.late.column",
        ),
        ("timestamp: arrived_at,", "timestamp: \"arrived_at) from x; --\",", "sources arrivals.timestamp"),
    ] {
        let text = DEFINITIONS.replacen(from, to, 1);
        assert_ne!(text, DEFINITIONS);
        let view = view(&text, "recent");
        let error =
            emit(&session, &view, &flights, Visible::default(), target(dir.path())).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidDefinition, "{error:?}");
        assert!(error.to_string().starts_with(place), "{error}");
    }
}

#[tokio::test]
async fn boolean_and_text_features_pass_and_null_keys_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let definitions = "
entities: [{name: origin, join_keys: [origin]}]
sources: [{name: s, dataset: s, timestamp: ts}]
feature_views:
  - name: v
    entities: [origin]
    source: s
    features:
      - {name: gusty, dtype: bool}
      - {name: shout, dtype: string, expression: upper(origin)}
      - {name: seen, dtype: timestamp, expression: ts}
";
    let gusty: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
    let source = table(
        dir.path(),
        vec![
            ("origin", DataType::Utf8, text([Some("b"), None, Some("a")])),
            ("ts", DataType::Timestamp, times([Some(5), Some(6), Some(7)])),
            ("gusty", DataType::Bool, gusty),
        ],
    );
    let view = view(definitions, "v");
    let emitted = emit(&session, &view, &source, Visible::default(), target(dir.path())).await.unwrap();
    assert_eq!(emitted.rows, 2);
    let frame = crate::scan::frame(&session, &emitted.under(dir.path())).unwrap();
    let shown =
        arrow::util::pretty::pretty_format_batches(&frame.collect().await.unwrap()).unwrap().to_string();
    let rows: Vec<&str> = shown.lines().filter(|line| line.contains("1970")).collect();
    assert!(rows[0].contains("| a ") && rows[0].contains("| false ") && rows[0].contains("| A "), "{shown}");
    assert!(rows[1].contains("| b ") && rows[1].contains("| true ") && rows[1].contains("| B "), "{shown}");
}
