//! Agreement with scikit-learn and scipy; see `tests/reference/metrics.py`.

use std::path::Path;

use mainstay_monitoring::performance::Scored;
use mainstay_training::{Candidate, Column, Dataset, Metrics, Params, Platt, Split, Task, train};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    binary: Vec<Binary>,
    regression: Regression,
    platt: Vec<PlattCase>,
    linear: Linear,
}

#[derive(Deserialize)]
struct Binary {
    name: String,
    positive: Vec<bool>,
    probability: Vec<f64>,
    log_loss: f64,
    auc: Option<f64>,
    brier: f64,
    ece: f64,
}

#[derive(Deserialize)]
struct Regression {
    actual: Vec<f64>,
    predicted: Vec<f64>,
    rmse: f64,
    mae: f64,
    r2: f64,
}

#[derive(Deserialize)]
struct PlattCase {
    margins: Vec<f64>,
    positive: Vec<bool>,
    slope: f64,
    intercept: f64,
}

#[derive(Deserialize)]
struct Linear {
    a: Vec<f32>,
    b: Vec<Option<f32>>,
    c: Vec<String>,
    y: Vec<f32>,
    number: Vec<f32>,
    l2: f64,
    logistic: Weights,
    ridge: Weights,
}

#[derive(Deserialize)]
struct Weights {
    intercept: f64,
    weights: Vec<f64>,
}

fn reference() -> Reference {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn close(name: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance, "{name}: {ours} against {theirs}");
}

fn scored(scores: &[f64], labels: impl IntoIterator<Item = f64>) -> Vec<Scored> {
    scores.iter().zip(labels).map(|(&score, label)| Scored { day: 0, score, label }).collect()
}

#[test]
fn classification_metrics_agree_with_scikit_learn() {
    for case in reference().binary {
        let labels: Vec<f64> = case.positive.iter().map(|&hit| f64::from(u8::from(hit))).collect();
        let prior = labels.iter().sum::<f64>() / labels.len() as f64;
        let figures = Metrics::of(Task::BinaryClassification, &scored(&case.probability, labels)).unwrap();
        let Metrics::BinaryClassification { log_loss, auc, brier, ece, positive_rate } = figures else {
            panic!("a classification")
        };
        close(&case.name, log_loss, case.log_loss, 1e-9);
        close(&case.name, brier, case.brier, 1e-9);
        close(&case.name, ece, case.ece, 1e-9);
        close(&case.name, positive_rate, prior, 1e-12);
        assert_eq!(auc.is_some(), case.auc.is_some(), "{}", case.name);
        close(&case.name, auc.unwrap_or(0.0), case.auc.unwrap_or(0.0), 1e-9);
    }
}

#[test]
fn regression_metrics_agree_with_scikit_learn() {
    let case = reference().regression;
    let figures = Metrics::of(Task::Regression, &scored(&case.predicted, case.actual)).unwrap();
    let Metrics::Regression { rmse, mae, r2 } = figures else { panic!("a regression") };
    close("rmse", rmse, case.rmse, 1e-9);
    close("mae", mae, case.mae, 1e-9);
    close("r2", r2.unwrap(), case.r2, 1e-9);
    let constant = Metrics::of(Task::Regression, &scored(&[1.0, 2.0], [1.0, 1.0])).unwrap();
    assert!(matches!(constant, Metrics::Regression { r2: None, .. }));
}

#[test]
fn platt_scaling_agrees_with_a_general_optimiser() {
    for case in reference().platt {
        let platt = Platt::fit(&case.margins, &case.positive).unwrap();
        close("slope", platt.slope, case.slope, 1e-6);
        close("intercept", platt.intercept, case.intercept, 1e-6);
    }
}

/// Fits through the public door and compares predictions, which are functions of all weights.
#[test]
fn linear_models_agree_with_scikit_learn() {
    let reference = reference().linear;
    let rows = reference.y.len();
    let features = vec![
        Column::numeric("a", reference.a.clone()),
        Column::numeric("b", reference.b.iter().map(|b| b.unwrap_or(f32::NAN)).collect()),
        Column::categorical("c", reference.c.iter().cloned().map(Some).collect()),
    ];
    for (task, label, expected) in [
        (Task::BinaryClassification, reference.y, reference.logistic),
        (Task::Regression, reference.number, reference.ridge),
    ] {
        // The validation rows repeat the training rows: their calibration does not touch the margin that is compared.
        let double = |column: &Column| {
            let mut column = column.clone();
            match &mut column.values {
                mainstay_training::Values::Numeric(values) => values.extend_from_within(..),
                mainstay_training::Values::Categorical(values) => values.extend_from_within(..),
            }
            column
        };
        let data = Dataset { features: features.iter().map(double).collect(), label: label.repeat(2) };
        let split = Split { train: 0..rows, validation: rows..2 * rows, test: None };
        let params =
            Params { candidates: vec![Candidate::Linear { l2: reference.l2 }], ..Params::new(task, 0, 1) };
        let trained = train(&data, &split, &params).unwrap();
        let calibration = trained.report.candidates[0].calibration;
        let ours = trained.predictor.predict(&features).unwrap();

        let (a, b) = (standardiser(&features[0]), standardiser(&features[1]));
        for (row, ours) in ours.into_iter().enumerate() {
            let design = [
                a(row).unwrap(),
                b(row).unwrap_or(0.0),
                f64::from(u8::from(b(row).is_none())),
                one_hot(&reference.c[row], "x"),
                one_hot(&reference.c[row], "y"),
                one_hot(&reference.c[row], "z"),
            ];
            let margin =
                expected.intercept + design.iter().zip(&expected.weights).map(|(x, w)| x * w).sum::<f64>();
            let theirs = calibration.map_or(margin, |platt| platt.probability(margin));
            close(&format!("{task:?}, row {row}"), ours, theirs, 1e-6);
        }
    }
}

fn one_hot(value: &str, level: &str) -> f64 {
    f64::from(u8::from(value == level))
}

/// The standardised value of a row, none if it is missing; as the reference script computes it.
fn standardiser(column: &Column) -> impl Fn(usize) -> Option<f64> + '_ {
    let mainstay_training::Values::Numeric(values) = &column.values else {
        panic!("a numeric column was expected")
    };
    let there: Vec<f64> = values.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v)).collect();
    let mean = there.iter().sum::<f64>() / there.len() as f64;
    let deviation = (there.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / there.len() as f64).sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "the model keeps both in f32")]
    let (mean, scale) = (mean as f32, 1.0 / deviation as f32);
    move |row| {
        let value = values[row];
        (!value.is_nan()).then(|| (f64::from(value) - f64::from(mean)) * f64::from(scale))
    }
}

#[test]
fn figures_are_refused_where_they_are_not_defined() {
    let refused = |task, rows: &[Scored]| assert!(Metrics::of(task, rows).is_err(), "{rows:?}");
    refused(Task::BinaryClassification, &[]);
    refused(Task::Regression, &[]);
    refused(Task::BinaryClassification, &scored(&[0.5, 1.5], [1.0, 0.0]));
    refused(Task::BinaryClassification, &scored(&[f64::NAN], [1.0]));
    refused(Task::Regression, &scored(&[f64::NAN], [1.0]));
    assert!(Platt::fit(&[], &[]).is_none());
    assert!(Platt::fit(&[f64::NAN], &[true]).is_none());
}
