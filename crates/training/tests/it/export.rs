//! The exported graph computes what the trainer computes, in spite of `f32`: on 10,000 rows with missing
//! values, unknown categories and values at thresholds and their neighbours.
//!
//! The same models and rows are left in `mainstay-training-export` under the target's `tmp` folder, for
//! `tests/reference/check_onnx.py` to repeat the comparison with ONNX Runtime and mlflow.

use std::path::Path;

use mainstay_onnx::{Message, ModelProto};
use mainstay_training::{Candidate, Column, Dataset, Split, Task, Trained, Values, train};
use serde_json::{Map, Value, json};

use crate::graph::evaluate;
use crate::sample::{Random, dataset, params, split, stress, trained};

const ROWS: usize = 10_000;

#[track_caller]
fn equal(trained: &Trained, columns: &[Column], tolerance: f64) {
    let ours = trained.predictor.predict(columns).unwrap();
    let exported = evaluate(&trained.onnx, columns);
    for (row, (ours, exported)) in ours.into_iter().zip(exported).enumerate() {
        assert!((ours - f64::from(exported)).abs() <= tolerance, "row {row}: {ours} against {exported}");
    }
}

/// Leaves NAME.onnx and NAME.json: the inputs, missing numbers as null and missing categories as the empty
/// string, and the trainer's predictions.
fn leave_for_python(name: &str, trained: &Trained, columns: &[Column]) {
    let values = |column: &Column| -> Value {
        match &column.values {
            Values::Numeric(values) => {
                values.iter().map(|v| if v.is_nan() { Value::Null } else { json!(v) }).collect()
            }
            Values::Categorical(values) => values.iter().map(|v| v.as_deref().unwrap_or_default()).collect(),
        }
    };
    let inputs: Map<String, Value> = columns.iter().map(|c| (c.name.clone(), values(c))).collect();
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let expected = trained.predictor.predict(columns).unwrap();
    let dump = json!({ "names": names, "inputs": inputs, "expected": expected });
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mainstay-training-export");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(format!("{name}.onnx")), &trained.onnx).unwrap();
    std::fs::write(directory.join(format!("{name}.json")), serde_json::to_vec(&dump).unwrap()).unwrap();
}

#[test]
fn boosted_probabilities_are_equal() {
    let trained = trained(Task::BinaryClassification, Candidate::Boosting { budget: 0.8 }, 4000);
    assert!((0..9).any(|feature| trained.predictor.thresholds(feature).len() > 20));
    let columns = stress(&trained.predictor, ROWS, 7);
    equal(&trained, &columns, 1e-5);
    leave_for_python("boosted", &trained, &columns);
}

#[test]
fn logistic_probabilities_are_equal() {
    let trained = trained(Task::BinaryClassification, Candidate::Linear { l2: 1.0 }, 4000);
    let columns = stress(&trained.predictor, ROWS, 8);
    equal(&trained, &columns, 1e-5);
    leave_for_python("logistic", &trained, &columns);
}

/// About the standard deviation of the regression labels; their tolerance is relative to it.
const SPREAD: f64 = 10.0;

#[test]
fn boosted_regressions_are_equal() {
    for (name, budget) in [("boosted_regression", 0.5), ("boosted_regression_fine", 0.9)] {
        let trained = trained(Task::Regression, Candidate::Boosting { budget }, 2000);
        let columns = stress(&trained.predictor, ROWS, 9);
        equal(&trained, &columns, SPREAD * 1e-5);
        leave_for_python(name, &trained, &columns);
    }
}

#[test]
fn ridge_regressions_are_equal() {
    let trained = trained(Task::Regression, Candidate::Linear { l2: 1.0 }, 2000);
    let mut columns = stress(&trained.predictor, ROWS, 10);
    // A linear function of ±1e30 is a number of that size, of which f32 holds seven digits.
    for column in &mut columns {
        if let Values::Numeric(values) = &mut column.values {
            values.iter_mut().filter(|v| v.abs() > 1e29).for_each(|v| *v = 0.0);
        }
    }
    equal(&trained, &columns, SPREAD * 1e-5);
    leave_for_python("ridge", &trained, &columns);
}

/// Missing values that carry the signal must be routed as in training, to either side.
#[test]
fn informative_missing_values_are_routed_to_both_sides() {
    let mut random = Random(3);
    for missing_is_positive in [false, true] {
        let values: Vec<f32> =
            (0..1000).map(|_| if random.uniform() < 0.4 { f32::NAN } else { random.uniform() }).collect();
        let label = values
            .iter()
            .map(|v| f32::from(u8::from(if v.is_nan() { missing_is_positive } else { *v > 0.5 })))
            .collect();
        let data = Dataset { features: vec![Column::numeric("x", values)], label };
        let split = Split { train: 0..800, validation: 800..1000, test: None };
        let params = params(Task::BinaryClassification, Candidate::Boosting { budget: 0.5 });
        let trained = train(&data, &split, &params).unwrap();
        let rows = vec![Column::numeric("x", vec![0.1, 0.9, f32::NAN])];
        let p = trained.predictor.predict(&rows).unwrap();
        assert!(p[0] < 0.1 && p[1] > 0.9, "{p:?}");
        assert!(if missing_is_positive { p[2] > 0.9 } else { p[2] < 0.1 }, "{p:?}");
        equal(&trained, &rows, 1e-5);
    }
}

#[test]
fn data_without_signal_give_a_valid_graph() {
    let features = || {
        vec![
            Column::numeric("constant", vec![1.0; 60]),
            Column::numeric("nothing", vec![f32::NAN; 60]),
            Column::categorical("one", vec![Some("a".to_owned()); 60]),
            Column::categorical("none", vec![None; 60]),
        ]
    };
    let data = Dataset { features: features(), label: (0..60_u8).map(|i| f32::from(i % 2)).collect() };
    for candidate in [Candidate::Linear { l2: 1.0 }, Candidate::Boosting { budget: 0.5 }] {
        let split = Split { train: 0..40, validation: 40..60, test: None };
        let trained = train(&data, &split, &params(Task::BinaryClassification, candidate)).unwrap();
        equal(&trained, &features(), 1e-5);
    }
}

#[test]
fn the_graph_declares_its_interface() {
    let trained = trained(Task::BinaryClassification, Candidate::Boosting { budget: 0.3 }, 1000);
    let model = ModelProto::decode(trained.onnx.as_slice()).unwrap();
    let opsets: Vec<(&str, i64)> = model.opset_import.iter().map(|o| (o.domain(), o.version())).collect();
    assert_eq!(opsets, [("", 17), ("ai.onnx.ml", 3)]);
    let graph = model.graph.unwrap();
    let inputs: Vec<&str> = graph.input.iter().map(mainstay_onnx::ValueInfoProto::name).collect();
    let features: Vec<&str> = trained.report.encoding.features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(inputs, features);
    let outputs: Vec<&str> = graph.output.iter().map(mainstay_onnx::ValueInfoProto::name).collect();
    assert_eq!(outputs, ["label", "probabilities"]);
}

#[test]
fn trees_beyond_the_node_limit_are_cut_off() {
    let full = trained(Task::BinaryClassification, Candidate::Boosting { budget: 0.8 }, 2000);
    let full_trees = full.report.candidates[0].trees.unwrap();
    let limit = full_trees.nodes / 2;
    let mut params = params(Task::BinaryClassification, Candidate::Boosting { budget: 0.8 });
    params.max_nodes = limit;
    let data = dataset(Task::BinaryClassification, 2000, 42);
    let cut = train(&data, &split(2000), &params).unwrap();
    let cut_trees = cut.report.candidates[0].trees.unwrap();
    assert_eq!(cut_trees.trained, full_trees.trained);
    assert!(cut_trees.kept < full_trees.kept && cut_trees.nodes <= limit && cut_trees.nodes > limit / 2);
    equal(&cut, &stress(&cut.predictor, 1000, 11), 1e-5);
}
