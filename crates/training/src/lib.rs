//! Training without Python: from columns of real data to a calibrated ONNX model and the record of how it was made.
//!
//! [`train()`] fits a linear baseline and gradient boosting with several budgets to the training rows,
//! calibrates and compares them on the validation rows (beside the trivial model that predicts the
//! mean), and exports the best with its preprocessing inside. It is a pure function: no I/O, no clock,
//! no randomness but the seed; equal data and parameters give equal bytes.
//!
//! ```
//! use mainstay_training::{Candidate, Column, Dataset, Params, Split, Task, train};
//!
//! // A week of flights in the order of time: evening departures are late.
//! let hours: Vec<f32> = (0..500_u16).map(|i| f32::from(i * 7 % 24)).collect();
//! let label = hours.iter().map(|&hour| f32::from(u8::from(hour > 17.0))).collect();
//! let data = Dataset { features: vec![Column::numeric("hour", hours)], label };
//! let split = Split { train: 0..400, validation: 400..500, test: None };
//! let mut params = Params::new(Task::BinaryClassification, 7, 1);
//! params.candidates = vec![Candidate::Boosting { budget: 0.3 }];
//!
//! let trained = train(&data, &split, &params)?;
//! assert!(trained.report.candidates[0].validation.loss() < trained.report.baseline.validation.loss());
//! let probability = trained.predictor.predict(&[Column::numeric("hour", vec![8.0, 20.0, f32::NAN])])?;
//! assert!(probability[0] < 0.1 && probability[1] > 0.9);
//! # Ok::<(), mainstay_training::TrainingError>(())
//! ```
//!
//! # Adding a model family
//!
//! A variant of [`Candidate`], one of `predictor::Model` with its margins in `f64`, and one of
//! `export::Scorer` with the graph that computes the same margins. Calibration, comparison, record
//! and the tests of the export follow by themselves.

mod booster;
mod calibration;
mod dataset;
mod encoding;
mod ensemble;
mod error;
pub mod export;
mod linear;
mod metrics;
mod predictor;
mod report;
mod train;

pub use booster::PERPETUAL_VERSION;
pub use calibration::Platt;
pub use dataset::{Column, Dataset, MAX_FEATURES, MAX_MAGNITUDE, MAX_NAME_BYTES, Split, Task, Values};
pub use encoding::{Category, Encoding, Feature, FeatureKind, SMOOTHING_ROWS};
pub use error::TrainingError;
pub use linear::{LinearModel, MAX_WEIGHTS, Term};
pub use metrics::Metrics;
pub use predictor::Predictor;
pub use report::{
    Baseline, CandidateReport, Exported, FeatureImportance, Importance, Rows, TrainingReport, Trees, Versions,
};
pub use train::{Candidate, MAX_MODEL_BYTES, Params, Trained, train};
