//! The sweep against the definition, read slowly.

use proptest::prelude::*;

use super::*;
use crate::definition::{Dtype, Function};
use crate::rule::{Candidate, CreatedCutoff, point_in_time};
use crate::span::Span;

fn aggregate(name: &str, function: Function, window: i64, dtype: Dtype) -> Aggregate {
    let window = Span::from_micros(window).unwrap();
    Aggregate { name: name.to_owned(), function, column: Some("x".to_owned()), window, dtype }
}

fn all_functions() -> Vec<Aggregate> {
    vec![
        aggregate("count", Function::Count, 10, Dtype::Int64),
        aggregate("sum", Function::Sum, 10, Dtype::Int64),
        aggregate("mean", Function::Mean, 4, Dtype::Float64),
        aggregate("min", Function::Min, 4, Dtype::Int64),
        aggregate("max", Function::Max, 7, Dtype::Float64),
    ]
}

fn fact(ts: i64, created: i64, cell: Cell, count: usize) -> Fact {
    Fact {
        ts: DataTime::from_micros(ts),
        created: DataTime::from_micros(created),
        cells: vec![cell; count].into_boxed_slice(),
    }
}

fn steps(aggregates: &[Aggregate], facts: &[Fact]) -> Result<Vec<Step>, WindowError> {
    let (mut sweep, mut steps) = (Sweep::new(aggregates), Vec::new());
    for fact in facts {
        sweep.push(fact.clone(), &mut |step| steps.push(step))?;
    }
    sweep.finish(&mut |step| steps.push(step))?;
    Ok(steps)
}

/// The definition of an aggregate at one instant, over all facts.
fn slow(aggregate: &Aggregate, at: usize, facts: &[Fact], now: i64) -> Value {
    let (ts, created) = (|f: &Fact| f.ts.micros(), |f: &Fact| f.created.micros().max(f.ts.micros()));
    let numbers: Vec<i64> = facts
        .iter()
        .filter(|f| ts(f) <= now && created(f) <= now && ts(f) > now - aggregate.window.micros())
        .filter_map(|f| if let Cell::Int(i) = f.cells[at] { Some(i) } else { None })
        .collect();
    let (sum, count) = (numbers.iter().sum::<i64>(), numbers.len());
    match aggregate.function {
        Function::Count => Value::Int(i64::try_from(count).unwrap()),
        _ if numbers.is_empty() => Value::Null,
        Function::Sum => Value::Int(sum),
        Function::Mean | Function::Rate => Value::Float(sum as f64 / count as f64),
        Function::Min => Value::Int(*numbers.iter().min().unwrap()),
        Function::Max => Value::Float(*numbers.iter().max().unwrap() as f64),
    }
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![1 => Just(Cell::Null), 4 => (-9_i64..9).prop_map(Cell::Int)]
}

proptest! {
    /// At any instant the rule over the emitted rows gives the aggregate over what was known then,
    /// with ties, late facts, NULLs and windows that empty.
    #[test]
    fn the_rule_over_the_steps_is_the_aggregate(
        drawn in prop::collection::vec((0_i64..40, 0_i64..25, any::<bool>(), cell()), 1..25),
        extra in -2_i64..90,
    ) {
        let aggregates = all_functions();
        let mut facts: Vec<Fact> = drawn
            .iter()
            .map(|(ts, late, is_late, cell)| fact(*ts, ts + if *is_late { *late } else { 0 }, *cell, 5))
            .collect();
        facts.sort_by_key(|f| (f.ts, f.created));
        let rows: Vec<Candidate> = steps(&aggregates, &facts)
            .unwrap()
            .into_iter()
            .map(|s| Candidate { ts: s.stamp.ts, created: Some(s.stamp.created), values: s.values })
            .collect();
        for now in (-1..90).chain([extra]) {
            let at = DataTime::from_micros(now);
            let answer = point_in_time(&rows, at, None, CreatedCutoff::On);
            let any_known = facts.iter().any(|f| f.created <= at);
            prop_assert_eq!(answer.is_some(), any_known, "at {}", now);
            let Some(answer) = answer else { continue };
            for (index, aggregate) in aggregates.iter().enumerate() {
                prop_assert_eq!(&answer.values[index], &slow(aggregate, index, &facts, now), "{} at {}", &aggregate.name, now);
            }
        }
        let mut stamps: Vec<Stamp> = Vec::new();
        for row in &rows {
            stamps.push(Stamp { ts: row.ts, created: row.created.unwrap() });
        }
        prop_assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "stamps are distinct and ascending");
    }
}

#[test]
fn a_fact_at_the_far_edge_is_out_and_the_window_empties() {
    let aggregates = [aggregate("n", Function::Count, 10, Dtype::Int64)];
    let emitted = steps(&aggregates, &[fact(0, 0, Cell::Int(1), 1), fact(10, 10, Cell::Int(1), 1)]).unwrap();
    let seen: Vec<(i64, Value)> =
        emitted.into_iter().map(|s| (s.stamp.ts.micros(), s.values[0].clone())).collect();
    assert_eq!(seen, [(0, Value::Int(1)), (10, Value::Int(1)), (20, Value::Int(0))]);
}

#[test]
fn float_sums_do_not_drift_and_nan_leaves_with_its_fact() {
    let aggregates = [aggregate("sum", Function::Sum, 2, Dtype::Float64)];
    let facts: Vec<Fact> = [1e16, 1.0, -1e16, f64::NAN, 0.1, 0.2]
        .iter()
        .enumerate()
        .map(|(at, x)| {
            let ts = i64::try_from(at).unwrap();
            fact(ts, ts, Cell::Float(*x), 1)
        })
        .collect();
    let sums: Vec<String> =
        steps(&aggregates, &facts).unwrap().iter().map(|s| format!("{:?}", s.values[0])).collect();
    let two = |a: f64, b: f64| format!("{:?}", Value::Float(a + b));
    let expected = [two(1e16, 0.0), two(1e16, 1.0), two(1.0, -1e16), two(f64::NAN, 0.0), two(f64::NAN, 0.0)];
    assert_eq!(sums[..5], expected);
    assert_eq!(sums[5..], [two(0.1, 0.2), two(0.2, 0.0), format!("{:?}", Value::Null)]);
}

#[test]
fn a_sum_out_of_range_is_an_error_and_disorder_is_refused() {
    let aggregates = [aggregate("sum", Function::Sum, 10, Dtype::Int64)];
    let huge = [fact(0, 0, Cell::Int(i64::MAX), 1), fact(1, 1, Cell::Int(1), 1)];
    assert_eq!(steps(&aggregates, &huge), Err(WindowError::Overflow("sum".to_owned())));
    let disordered = [fact(1, 1, Cell::Int(1), 1), fact(0, 0, Cell::Int(1), 1)];
    assert_eq!(steps(&aggregates, &disordered), Err(WindowError::Order));
}
