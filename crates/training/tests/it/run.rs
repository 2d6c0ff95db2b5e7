//! The run as a whole: repeatable, honest beside the trivial model, recorded.

use std::path::Path;

use mainstay_training::{
    Candidate, Column, Dataset, FeatureKind, Importance, Metrics, PERPETUAL_VERSION, Params, Split, Task,
    TrainingError, TrainingReport, train,
};

use crate::sample::{Random, dataset, params, split, trained};

#[test]
fn equal_data_seed_and_threads_give_equal_bytes() {
    for task in [Task::BinaryClassification, Task::Regression] {
        let run = || train(&dataset(task, 5000, 42), &split(5000), &Params::new(task, 9, 2)).unwrap();
        let (first, second) = (run(), run());
        assert_eq!(first.onnx, second.onnx);
        assert_eq!(first.report, second.report);
        assert_eq!(
            serde_json::to_string(&first.report).unwrap(),
            serde_json::to_string(&second.report).unwrap()
        );
    }
}

#[test]
fn the_number_of_threads_does_not_change_the_model() {
    let task = Task::BinaryClassification;
    let with = |threads| {
        let params = Params { threads, ..params(task, Candidate::Boosting { budget: 0.5 }) };
        train(&dataset(task, 3000, 42), &split(3000), &params).unwrap().onnx
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn the_best_candidate_on_the_validation_rows_is_exported() {
    let task = Task::BinaryClassification;
    let report = train(&dataset(task, 5000, 1), &split(5000), &Params::new(task, 9, 2)).unwrap().report;
    assert_eq!(report.candidates.len(), 3);
    let losses: Vec<f64> = report.candidates.iter().map(|c| c.validation.loss()).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses.iter().position(|&loss| loss <= least), Some(report.selected));
    // The label's dependence is not linear, so the trees must win, and every model must beat the trivial one.
    assert!(report.selected > 0);
    assert!(losses.iter().all(|&loss| loss < report.baseline.validation.loss() - 0.01), "{losses:?}");
    let Some(Metrics::BinaryClassification { auc: Some(auc), ece, .. }) = report.selected().unwrap().test
    else {
        panic!("the test rows hold both classes")
    };
    assert!(auc > 0.75 && ece < 0.06, "auc {auc}, ece {ece}");
}

#[test]
fn the_trivial_model_is_the_training_rows_mean() {
    let task = Task::BinaryClassification;
    let data = dataset(task, 1000, 5);
    let report = train(&data, &split(1000), &params(task, Candidate::Linear { l2: 1.0 })).unwrap().report;
    let prior = f64::from(data.label[..700].iter().sum::<f32>()) / 700.0;
    assert!((report.baseline.prediction - prior).abs() < 1e-12);
    let Metrics::BinaryClassification { log_loss, auc, ece, positive_rate, .. } = report.baseline.validation
    else {
        panic!("a classification")
    };
    let expected = -(positive_rate * prior.ln() + (1.0 - positive_rate) * (1.0 - prior).ln());
    assert!((log_loss - expected).abs() < 1e-12);
    assert!((ece - (prior - positive_rate).abs()).abs() < 1e-12);
    assert_eq!(auc, Some(0.5));
}

#[test]
fn calibration_repairs_a_distorted_margin() {
    let report = trained(Task::BinaryClassification, Candidate::Boosting { budget: 0.3 }, 5000).report;
    let calibration = report.candidates[0].calibration.unwrap();
    assert!(calibration.slope > 0.0);
    let Metrics::BinaryClassification { ece, .. } = report.candidates[0].validation else {
        panic!("a classification")
    };
    assert!(ece < 0.05, "{ece}");
}

#[test]
fn the_report_names_what_decides_the_result() {
    let report = trained(Task::BinaryClassification, Candidate::Boosting { budget: 0.5 }, 3000).report;
    assert_eq!(report.rows.train, 2100);
    assert_eq!(report.versions.perpetual, PERPETUAL_VERSION);
    let FeatureKind::Categorical { categories } = &report.encoding.features[1].kind else {
        panic!("city is a category")
    };
    assert!(report.encoding.features[1].missing_rows > 100);
    assert!(categories.is_sorted_by(|a, b| a.label_mean <= b.label_mean));
    assert_eq!(categories.iter().filter(|c| c.value.is_none()).count(), 1);
    assert!(categories.iter().all(|c| c.value.is_none() || c.rows >= 10));
    let splits = |name: &str| match report.importance.iter().find(|i| i.feature == name).unwrap().importance {
        Importance::Splits { gain, splits } => (gain, splits),
        Importance::Spread { .. } => panic!("a tree model"),
    };
    assert!(splits("hour").0 > splits("distance").0);
    assert_eq!(splits("constant"), (0.0, 0));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<TrainingReport>(&json).unwrap(), report);
}

#[test]
fn the_recorded_version_is_the_pinned_one() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains(&format!("perpetual = \"={PERPETUAL_VERSION}\"")));
}

#[test]
fn parameters_have_defaults_and_refuse_unknown_fields() {
    let json = r#"{"task":"binary_classification","seed":3,"threads":2}"#;
    assert_eq!(serde_json::from_str::<Params>(json).unwrap(), Params::new(Task::BinaryClassification, 3, 2));
    assert!(serde_json::from_str::<Params>(&json.replace("seed", "sead")).is_err());
    let candidate = r#"{"algorithm":"boosting","budget":0.3}"#;
    assert_eq!(serde_json::from_str::<Candidate>(candidate).unwrap(), Candidate::Boosting { budget: 0.3 });
}

/// Shapes at the edge of what makes sense end in a model or in a typed error, never in a panic.
#[test]
fn odd_shapes_are_trained_or_refused() {
    let mut random = Random(11);
    let mut trained = 0;
    for round in 0..60 {
        let (rows, columns) = (4 + random.below(120), 1 + random.below(50));
        let missing = [0.0, 0.3, 0.99][random.below(3)];
        let scale = [1.0, 1e-40, 9e36][random.below(3)];
        let features = (0..columns).map(|i| odd_column(&mut random, i, rows, missing, scale)).collect();
        let data = Dataset {
            features,
            label: (0..rows).map(|_| f32::from(u8::from(random.below(3) > 0))).collect(),
        };
        let task = [Task::BinaryClassification, Task::Regression][round % 2];
        let split = Split { train: 0..rows / 2, validation: rows / 2..rows, test: None };
        match train(&data, &split, &Params { min_category_rows: 2, ..Params::new(task, 1, 2) }) {
            Ok(model) => {
                trained += 1;
                assert!(model.predictor.predict(&data.features).unwrap().iter().all(|p| p.is_finite()));
            }
            Err(error) => assert!(matches!(error, TrainingError::ConstantLabel { .. }), "{error}"),
        }
    }
    assert!(trained > 50);
}

fn odd_column(random: &mut Random, index: usize, rows: usize, missing: f32, scale: f32) -> Column {
    let name = format!("c{index}");
    if random.below(4) == 0 {
        let kinds = 1 + random.below(rows);
        let value =
            |random: &mut Random| (random.uniform() >= missing).then(|| random.below(kinds).to_string());
        Column::categorical(name, (0..rows).map(|_| value(random)).collect())
    } else {
        let value = |random: &mut Random| match random.uniform() {
            u if u < missing => f32::NAN,
            _ => (random.uniform() - 0.5) * scale,
        };
        Column::numeric(name, (0..rows).map(|_| value(random)).collect())
    }
}
