//! Point-in-time retrieval, and what is carried online, against the rule read slowly.

use mainstay_core::time::DataTime;
use mainstay_features::definition::FeatureRef;
use mainstay_features::online::{EntityKey, PackedRow, Value};
use mainstay_features::plan::MaterialisationPlan;
use mainstay_features::rule::{Candidate, CreatedCutoff, point_in_time as slow};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const DEFINITIONS: &str = "
entities:
  - {name: origin, join_keys: [origin]}
  - {name: plane, join_keys: [origin, 'number:int64']}
sources: [{name: s, dataset: s, timestamp: ts}]
feature_views:
  - {name: a, entities: [origin], source: s, ttl: 9us, features: [{name: x, dtype: int64}, {name: y, dtype: string}]}
  - {name: b, entities: [origin], source: s, features: [{name: x, dtype: int64}]}
  - {name: c, entities: [plane], source: s, ttl: 20us, features: [{name: x, dtype: int64}]}
  - {name: d, source: s, ttl: 5us, features: [{name: x, dtype: int64}]}
";

/// A feature row as drawn: origin, number, ts, created, value.
type Row = (Option<u8>, Option<i64>, i64, Option<i64>, Option<i64>);
/// An entity row as drawn: origin, number, instant.
type Entity = (Option<u8>, Option<i64>, i64);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let created = prop_oneof![3 => Just(Some(0_i64)), 2 => (0_i64..12).prop_map(Some), 1 => Just(None)];
    let row = (
        prop::option::weighted(0.9, 0_u8..3),
        prop::option::weighted(0.9, 0_i64..2),
        0_i64..30,
        created,
        prop::option::weighted(0.8, 0_i64..100),
    );
    prop::collection::vec(row.prop_map(|(o, n, ts, late, v)| (o, n, ts, late.map(|l| ts + l), v)), 0..40)
}

fn entities() -> impl Strategy<Value = Vec<Entity>> {
    let entity = (prop::option::weighted(0.9, 0_u8..4), prop::option::weighted(0.9, 0_i64..2), 0_i64..45);
    prop::collection::vec(entity, 1..30)
}

fn origin(number: Option<u8>) -> Option<String> {
    number.map(|n| format!("o{n}"))
}

/// The rows as the emitted table of a view.
fn emitted(dir: &Path, view: &FeatureView, rows: &[Row]) -> Table {
    let mut columns = Vec::new();
    for key in &view.keys {
        columns.push(match key.name.as_str() {
            "origin" => ("origin", DataType::Utf8, text(rows.iter().map(|r| origin(r.0)))),
            _ => ("number", DataType::Int64, ints(rows.iter().map(|r| r.1))),
        });
    }
    columns.push(("event_timestamp", DataType::Timestamp, times(rows.iter().map(|r| Some(r.2)))));
    columns.push(("created_timestamp", DataType::Timestamp, times(rows.iter().map(|r| r.3))));
    columns.push(("x", DataType::Int64, ints(rows.iter().map(|r| r.4))));
    if view.name == "a" {
        columns.push(("y", DataType::Utf8, text(rows.iter().map(|r| r.4.map(|v| v.to_string())))));
    }
    table(dir, columns)
}

/// The rows of a view that match an entity row, by equality of every key.
fn matching(view: &FeatureView, rows: &[Row], entity: Entity) -> Vec<Candidate> {
    let same = |row: &&Row| {
        view.keys.iter().all(|key| match key.name.as_str() {
            "origin" => row.0.is_some() && row.0 == entity.0,
            _ => row.1.is_some() && row.1 == entity.1,
        })
    };
    let candidate = |row: &Row| Candidate {
        ts: DataTime::from_micros(row.2),
        created: row.3.map(DataTime::from_micros),
        values: vec![row.4.map_or(Value::Null, Value::Int)],
    };
    rows.iter().filter(same).map(candidate).collect()
}

/// Every value that the rule allows: one, or those of a full tie.
fn allowed(view: &FeatureView, rows: &[Row], entity: Entity, cutoff: CreatedCutoff) -> Vec<Option<i64>> {
    let candidates = matching(view, rows, entity);
    let Some(newest) = slow(&candidates, DataTime::from_micros(entity.2), view.ttl, cutoff) else {
        return vec![None];
    };
    let tied = candidates.iter().filter(|c| (c.ts, c.created) == (newest.ts, newest.created));
    tied.map(|c| if let Value::Int(v) = c.values[0] { Some(v) } else { None }).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Ties, NULLs, the edges of the ttl, late rows, equal entity rows, entity rows without features, three
/// kinds of key in one frame, with and without the cut-off.
#[test]
fn every_cell_is_what_the_rule_allows() {
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let cases = (rows(), rows(), rows(), rows(), entities(), any::<bool>());
    runner
        .run(&cases, |(a, b, c, d, entities, on)| {
            let dir = tempfile::tempdir().unwrap();
            let session = session(dir.path());
            let cutoff = if on { CreatedCutoff::On } else { CreatedCutoff::Off };
            let views = ["a", "b", "c", "d"].map(|name| view(DEFINITIONS, name));
            let drawn = [a, b, c, d];
            let tables: Vec<Table> =
                views.iter().zip(&drawn).map(|(view, rows)| emitted(dir.path(), view, rows)).collect();
            let joined: Vec<JoinedView<'_>> =
                views.iter().zip(&tables).map(|(view, rows)| JoinedView { view, rows }).collect();
            let features: Vec<FeatureRef> = [("c", "x"), ("a", "y"), ("b", "x"), ("a", "x"), ("d", "x")]
                .map(|(view, feature)| FeatureRef { view: view.to_owned(), feature: feature.to_owned() })
                .into();
            let ids = (0..).take(entities.len()).map(|id| Some(1_000 - id));
            let frame = batch(vec![
                ("origin", text(entities.iter().map(|e| origin(e.0)))),
                ("row_id", ints(ids)),
                ("event_timestamp", times(entities.iter().map(|e| Some(e.2)))),
                ("number", ints(entities.iter().map(|e| e.1))),
            ]);
            let frame = session.read_batch(frame).unwrap();
            let answer = block_on(async {
                collect(point_in_time(&session, frame, &joined, &features, cutoff).await.unwrap()).await
            });
            prop_assert_eq!(answer.num_rows(), entities.len());
            // By row_id, which runs against the entity rows' order.
            for (at, view) in views.iter().enumerate() {
                let column = int_column(&answer, &format!("{}__x", view.name));
                for (entity, found) in entities.iter().rev().zip(&column) {
                    let allowed = allowed(view, &drawn[at], *entity, cutoff);
                    prop_assert!(allowed.contains(found), "{}: {:?} of {:?}", view.name, found, allowed);
                }
            }
            let names: Vec<_> = answer.schema().fields().iter().map(|f| f.name().clone()).collect();
            let expected =
                ["origin", "row_id", "event_timestamp", "number", "c__x", "a__y", "b__x", "a__x", "d__x"];
            prop_assert_eq!(names, expected);
            let y = answer.column_by_name("a__y").unwrap().as_string::<i32>();
            for (x, y) in int_column(&answer, "a__x").iter().zip(y) {
                prop_assert_eq!(x.map(|x| x.to_string()), y.map(str::to_owned), "values of one row");
            }
            Ok(())
        })
        .unwrap();
}

/// What two materialisations carry answers every instant from the horizon to the end as all rows do.
#[test]
fn the_rows_carried_online_answer_as_all_rows() {
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    runner
        .run(&(rows(), 0_i64..20, 0_i64..15, 0_i64..15), |(rows, horizon, first, second)| {
            let dir = tempfile::tempdir().unwrap();
            let session = session(dir.path());
            let view = view(DEFINITIONS, "b");
            let table = emitted(dir.path(), &view, &rows);
            let time = DataTime::from_micros;
            let plan = MaterialisationPlan::next(None, time(horizon), time(horizon + first)).unwrap();
            let until = time(horizon + first + second);
            let next = MaterialisationPlan::next(Some(plan.coverage()), time(horizon), until).unwrap();
            let [first, second] = [plan, next].map(|plan| {
                block_on(async {
                    let batches = online_rows(&session, &view, &table, plan).await.unwrap();
                    batches.try_concat().await.unwrap()
                })
            });
            // Equal facts give equal rows, which one materialisation may carry as often as they occur.
            let carried_before: std::collections::BTreeSet<_> = first.iter().collect();
            prop_assert!(
                !second.iter().any(|row| carried_before.contains(row)),
                "something is carried again"
            );
            let carried = [first, second].concat();
            for at in horizon..=until.micros() {
                for number in 0..3 {
                    let key = EntityKey::of(&[Value::Text(format!("o{number}"))]).unwrap().unwrap();
                    let held: Vec<Candidate> = carried
                        .iter()
                        .filter(|(of, _)| *of == key)
                        .map(|(_, row)| {
                            let row = PackedRow::new(row).unwrap();
                            Candidate { ts: row.ts(), created: row.created(), values: row.values().unwrap() }
                        })
                        .collect();
                    let found =
                        slow(&held, time(at), None, CreatedCutoff::On).map(|row| row.values[0].clone());
                    let entity = (Some(number), None, at);
                    let allowed = allowed(&view, &rows, entity, CreatedCutoff::On);
                    let found = if let Some(Value::Int(v)) = found { Some(v) } else { None };
                    prop_assert!(
                        allowed.contains(&found),
                        "{} at {}: {:?} of {:?}",
                        number,
                        at,
                        found,
                        allowed
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn naive_instants_are_utc_and_missing_columns_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let view = view(DEFINITIONS, "b");
    let rows = emitted(dir.path(), &view, &[(Some(1), None, 10, Some(10), Some(7))]);
    let joined = [JoinedView { view: &view, rows: &rows }];
    let features = [FeatureRef { view: "b".to_owned(), feature: "x".to_owned() }];
    let naive: ArrayRef = Arc::new(arrow::array::TimestampNanosecondArray::from(vec![10_000, 9_000]));
    let columns = vec![
        ("row_id", ints([Some(1), Some(2)])),
        ("event_timestamp", naive),
        ("origin", text([Some("o1"), Some("o1")])),
    ];
    let ask = |columns: Vec<(&str, ArrayRef)>| {
        let frame = session.read_batch(batch(columns)).unwrap();
        point_in_time(&session, frame, &joined, &features, CreatedCutoff::On)
    };
    let answer = collect(ask(columns.clone()).await.unwrap()).await;
    assert_eq!(int_column(&answer, "b__x"), [Some(7), None]);
    for absent in 0..3 {
        let mut fewer = columns.clone();
        let (name, _) = fewer.remove(absent);
        let error = ask(fewer).await.err().unwrap();
        assert!(matches!(&error, FeatureError::EntityColumn(column) if column == name), "{error}");
    }
    let unknown = [FeatureRef { view: "b".to_owned(), feature: "z".to_owned() }];
    let frame = session.read_batch(batch(columns)).unwrap();
    let error = point_in_time(&session, frame, &joined, &unknown, CreatedCutoff::On).await.err().unwrap();
    assert!(matches!(error, FeatureError::NoFeature { .. }));
}
