//! Windowed and plain views against `DuckDB`'s answers: `tests/reference/features.py` computes them straight
//! from the facts.

use mainstay_core::time::DataTime;
use mainstay_features::definition::FeatureRef;
use mainstay_features::rule::CreatedCutoff;
use serde::Deserialize;

use super::*;

const DEFINITIONS: &str = "
entities: [{name: origin, join_keys: [origin]}]
sources:
  - {name: facts, dataset: facts, timestamp: ts, created: created}
  - {name: once, dataset: once, timestamp: ts}
feature_views:
  - name: recent
    entities: [origin]
    source: facts
    ttl: 6h
    aggregates:
      - {name: n, function: count, window: 3h}
      - {name: sum, function: sum, column: delay, window: 3h}
      - {name: mean, function: mean, column: delay, window: 3h}
      - {name: min, function: min, column: delay, window: 3h}
      - {name: max, function: max, column: delay, window: 3h}
      - {name: late, function: rate, column: delay > 15, window: 3h}
  - {name: last, entities: [origin], source: once, ttl: 6h, features: [{name: delay, dtype: float64}]}
";

type Fact = (Option<String>, i64, i64, Option<f64>);
type Answer = (i64, Option<i64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>);

#[derive(Deserialize)]
struct Fixture {
    facts: Vec<Fact>,
    once: Vec<(String, i64, Option<f64>)>,
    entities: Vec<(i64, Option<String>, i64)>,
    windowed: Vec<Answer>,
    plain: Vec<(i64, Option<f64>)>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../tests/reference/features.json")).unwrap()
}

fn facts(dir: &Path, fixture: &Fixture) -> Table {
    let facts = &fixture.facts;
    table(
        dir,
        vec![
            ("origin", DataType::Utf8, text(facts.iter().map(|f| f.0.clone()))),
            ("ts", DataType::Timestamp, times(facts.iter().map(|f| Some(f.1)))),
            ("created", DataType::Timestamp, times(facts.iter().map(|f| Some(f.2)))),
            ("delay", DataType::Float64, floats(facts.iter().map(|f| f.3))),
        ],
    )
}

fn close(found: Option<f64>, expected: Option<f64>) -> bool {
    match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        (found, expected) => found == expected,
    }
}

#[tokio::test]
async fn a_training_frame_equals_duckdbs() {
    let (dir, fixture) = (tempfile::tempdir().unwrap(), fixture());
    let session = session(dir.path());
    let once = &fixture.once;
    let sources = [
        facts(dir.path(), &fixture),
        table(
            dir.path(),
            vec![
                ("origin", DataType::Utf8, text(once.iter().map(|f| Some(f.0.clone())))),
                ("ts", DataType::Timestamp, times(once.iter().map(|f| Some(f.1)))),
                ("delay", DataType::Float64, floats(once.iter().map(|f| f.2))),
            ],
        ),
    ];
    let views = ["recent", "last"].map(|name| view(DEFINITIONS, name));
    let mut tables = Vec::new();
    for (view, source) in views.iter().zip(&sources) {
        let emitted = emit(&session, view, source, Visible::default(), target(dir.path())).await.unwrap();
        tables.push(emitted.under(dir.path()));
    }
    let joined: Vec<JoinedView<'_>> =
        views.iter().zip(&tables).map(|(view, rows)| JoinedView { view, rows }).collect();
    let refs = |view: &str, names: &[&str]| -> Vec<FeatureRef> {
        let all = names.iter().map(|name| FeatureRef { view: view.to_owned(), feature: (*name).to_owned() });
        all.collect()
    };
    let mut features = refs("recent", &["n", "sum", "mean", "min", "max", "late"]);
    features.extend(refs("last", &["delay"]));
    let entities = &fixture.entities;
    let frame = batch(vec![
        ("row_id", ints(entities.iter().map(|e| Some(e.0)))),
        ("origin", text(entities.iter().map(|e| e.1.clone()))),
        ("event_timestamp", times(entities.iter().map(|e| Some(e.2)))),
    ]);
    let frame = session.read_batch(frame).unwrap();
    let answer = point_in_time(&session, frame, &joined, &features, CreatedCutoff::On).await.unwrap();
    let answer = collect(answer).await;
    let n = int_column(&answer, "recent__n");
    let columns =
        ["recent__sum", "recent__mean", "recent__min", "recent__max", "recent__late", "last__delay"]
            .map(|name| float_column(&answer, name));
    assert_eq!(answer.num_rows(), fixture.windowed.len());
    for (row, (expected, plain)) in fixture.windowed.iter().zip(&fixture.plain).enumerate() {
        let entity = &entities[row];
        assert_eq!(
            (int_column(&answer, "row_id")[row], n[row]),
            (Some(expected.0), expected.1),
            "{entity:?}"
        );
        let expected = [expected.2, expected.3, expected.4, expected.5, expected.6, plain.1];
        for (column, expected) in columns.iter().zip(expected) {
            assert!(close(column[row], expected), "{entity:?}: {:?} for {expected:?}", column[row]);
        }
    }
}

/// Emitting day by day gives the rows that emitting at once gives, late facts included.
#[tokio::test]
async fn parts_make_the_whole() {
    let (dir, fixture) = (tempfile::tempdir().unwrap(), fixture());
    let session = session(dir.path());
    let (view, source) = (view(DEFINITIONS, "recent"), facts(dir.path(), &fixture));
    let rows = async |visible: Visible| {
        let emitted = emit(&session, &view, &source, visible, target(dir.path())).await.unwrap();
        let frame = crate::scan::frame(&session, &emitted.under(dir.path())).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let shown = arrow::util::pretty::pretty_format_batches(&[batch]).unwrap().to_string();
            let rows = shown.lines().filter(|line| line.contains("1970-"));
            lines.extend(rows.map(|line| line.split_whitespace().collect::<String>()));
        }
        assert_eq!(lines.len() as u64, emitted.rows);
        (lines, emitted)
    };
    let day = 86_400_000_000;
    let end = Some(DataTime::from_micros(6 * day));
    let (mut whole, first) = rows(Visible { after: None, until: end }).await;
    let again = rows(Visible { after: None, until: end }).await.1;
    assert_eq!(first.files, again.files, "the same bytes");
    let mut parts = Vec::new();
    for part in 0..4 {
        let after = (part > 0).then(|| DataTime::from_micros(part * day * 3 / 2));
        let until = Some(DataTime::from_micros((part + 1) * day * 3 / 2));
        parts.extend(rows(Visible { after, until }).await.0);
    }
    whole.sort();
    parts.sort();
    assert!(whole.len() > 500);
    assert_eq!(parts, whole);
}
