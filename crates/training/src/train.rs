//! The training run: fit the candidates, calibrate them, choose one, export it.

use std::ops::Range;

use mainstay_monitoring::performance::{PerformanceError, Scored};
use serde::{Deserialize, Serialize};

use crate::booster;
use crate::calibration::Platt;
use crate::dataset::{Dataset, Split, Task};
use crate::encoding::{Encoded, Encoding};
use crate::ensemble::Ensemble;
use crate::error::TrainingError;
use crate::export::{self, Scorer};
use crate::linear::LinearModel;
use crate::metrics::Metrics;
use crate::predictor::{Model, Predictor};
use crate::report::{
    Baseline, CandidateReport, Exported, FeatureImportance, Importance, Rows, TrainingReport, Trees,
};

/// The largest exported model that is returned, in bytes.
pub const MAX_MODEL_BYTES: usize = 10_000_000;

/// Everything that a run depends on besides its data; equal parameters and data give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// What is to be predicted.
    pub task: Task,
    /// Seed of the booster's sampling.
    pub seed: u64,
    /// Threads of the booster, 1 to 256.
    pub threads: usize,
    /// The models that are tried, 1 to 16. The one with the least validation loss is exported; of equals, the first.
    #[serde(default = "defaults::candidates")]
    pub candidates: Vec<Candidate>,
    /// At most so many boosting rounds; none leaves it to the budget (and perpetual's own limit of 1,000).
    #[serde(default)]
    pub max_trees: Option<usize>,
    /// Bins that the booster cuts a numeric feature into, 2 to 4,096.
    #[serde(default = "defaults::max_bins")]
    pub max_bins: u16,
    /// At most so many nodes in a tree, 3 to 10,000. Trees grow by the best gain first, so fewer nodes make a
    /// smoother model; a booster's histograms take about this number · features · `max_bins` · 80 bytes.
    #[serde(default = "defaults::max_tree_nodes")]
    pub max_tree_nodes: u16,
    /// At most so many nodes in the exported model; later trees are cut off, which leaves a valid,
    /// earlier state of the same boosting. About 38 bytes a node.
    #[serde(default = "defaults::max_nodes")]
    pub max_nodes: usize,
    /// At most so many categories of a feature keep their own code, 1 to 4,096; the rarest share one.
    #[serde(default = "defaults::max_categories")]
    pub max_categories: usize,
    /// Categories in fewer training rows share one code.
    #[serde(default = "defaults::min_category_rows")]
    pub min_category_rows: u64,
}

/// One model that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum Candidate {
    /// Logistic or ridge regression.
    Linear {
        /// The penalty λ, above 0; see [`LinearModel`].
        l2: f64,
    },
    /// Gradient boosting by `perpetual`.
    Boosting {
        /// Perpetual's budget, above 0 and at most 2: the step size is about 10^−budget.
        budget: f32,
    },
}

mod defaults {
    use super::Candidate;

    pub(super) fn candidates() -> Vec<Candidate> {
        vec![
            Candidate::Linear { l2: 1.0 },
            Candidate::Boosting { budget: 0.5 },
            Candidate::Boosting { budget: 1.0 },
        ]
    }

    pub(super) fn max_bins() -> u16 {
        256
    }

    pub(super) fn max_tree_nodes() -> u16 {
        31
    }

    pub(super) fn max_nodes() -> usize {
        250_000
    }

    pub(super) fn max_categories() -> usize {
        128
    }

    pub(super) fn min_category_rows() -> u64 {
        10
    }
}

impl Params {
    /// The defaults: a linear baseline and boosting with budgets 0.3 and 0.8.
    pub fn new(task: Task, seed: u64, threads: usize) -> Self {
        Self {
            task,
            seed,
            threads,
            candidates: defaults::candidates(),
            max_trees: None,
            max_bins: defaults::max_bins(),
            max_tree_nodes: defaults::max_tree_nodes(),
            max_nodes: defaults::max_nodes(),
            max_categories: defaults::max_categories(),
            min_category_rows: defaults::min_category_rows(),
        }
    }

    fn validate(&self) -> Result<(), TrainingError> {
        let valid_candidate = |candidate: &Candidate| match *candidate {
            Candidate::Linear { l2 } => l2.is_finite() && l2 > 0.0,
            Candidate::Boosting { budget } => budget > 0.0 && budget <= 2.0,
        };
        let rules = [
            ((1..=256).contains(&self.threads), "threads", "it lies between 1 and 256"),
            ((1..=16).contains(&self.candidates.len()), "candidates", "1 to 16 are needed"),
            (
                self.candidates.iter().all(valid_candidate),
                "candidates",
                "`l2` is above 0, `budget` above 0 and at most 2",
            ),
            (self.max_trees != Some(0), "max_trees", "at least one tree is needed"),
            ((2..=4096).contains(&self.max_bins), "max_bins", "it lies between 2 and 4096"),
            ((3..=10_000).contains(&self.max_tree_nodes), "max_tree_nodes", "it lies between 3 and 10000"),
            (self.max_nodes > 0, "max_nodes", "at least one node is needed"),
            ((1..=4096).contains(&self.max_categories), "max_categories", "it lies between 1 and 4096"),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, name, rule)) => Err(TrainingError::InvalidParameter { name, rule }),
            None => Ok(()),
        }
    }
}

/// What a run gives.
#[derive(Clone)]
pub struct Trained {
    /// The exported model; see [`crate::export`] for its inputs and outputs.
    pub onnx: Vec<u8>,
    /// The record of the run.
    pub report: TrainingReport,
    /// The model as the trainer itself computes it, in `f64`: what the export is compared with.
    pub predictor: Predictor,
}

/// Trains the candidates on `split.train`, calibrates and compares them on `split.validation` and
/// exports the best. Takes no clock, no randomness but the seed, and does no I/O.
pub fn train(data: &Dataset, split: &Split, params: &Params) -> Result<Trained, TrainingError> {
    params.validate()?;
    data.validate(params.task, split)?;
    let encoding = Encoding::fit(data, &split.train, params);
    let encoded = encoding.encode(&data.features)?;
    let run = Run { data, split, params, encoding: &encoding, encoded: &encoded };

    let mut reports = Vec::with_capacity(params.candidates.len());
    let mut best: Option<(usize, Fitted)> = None;
    for (position, &candidate) in params.candidates.iter().enumerate() {
        let (fitted, report) = run.candidate(position, candidate)?;
        if best.as_ref().is_none_or(|(_, best)| fitted.loss < best.loss) {
            best = Some((position, fitted));
        }
        reports.push(report);
    }
    let (selected, fitted) =
        best.ok_or(TrainingError::InvalidParameter { name: "candidates", rule: "1 to 16 are needed" })?;
    let (onnx, importance) = run.export(&fitted)?;
    let report = TrainingReport {
        versions: crate::report::Versions::default(),
        params: params.clone(),
        split: split.clone(),
        rows: run.rows(),
        encoding: encoding.clone(),
        baseline: run.baseline()?,
        candidates: reports,
        selected,
        importance,
        exported: Exported { bytes: onnx.len(), opset: export::OPSET, ml_opset: export::ML_OPSET },
    };
    let Fitted { model, calibration, .. } = fitted;
    Ok(Trained { onnx, report, predictor: Predictor { encoding, model, calibration } })
}

/// A fitted candidate.
struct Fitted {
    model: Model,
    calibration: Option<Platt>,
    loss: f64,
}

struct Run<'a> {
    data: &'a Dataset,
    split: &'a Split,
    params: &'a Params,
    encoding: &'a Encoding,
    encoded: &'a Encoded,
}

impl Run<'_> {
    /// Fits, calibrates and measures one candidate.
    fn candidate(
        &self,
        position: usize,
        candidate: Candidate,
    ) -> Result<(Fitted, CandidateReport), TrainingError> {
        let (model, trees) = self.fit(candidate)?;
        let not_finite = TrainingError::NotFinite { candidate: position };
        let margins = model.margins(self.encoded, &self.split.validation);
        let calibration = match self.params.task {
            Task::BinaryClassification => {
                let outcomes = self.data.outcomes(&self.split.validation);
                Some(Platt::fit(&margins, &outcomes).ok_or(not_finite)?)
            }
            Task::Regression if margins.iter().all(|m| m.is_finite()) => None,
            Task::Regression => return Err(not_finite),
        };
        let measure = |margins: Vec<f64>, rows: &Range<usize>| {
            let predictions: Vec<f64> =
                margins.into_iter().map(|m| calibration.map_or(m, |platt| platt.probability(m))).collect();
            self.metrics(rows, &predictions)
        };
        let validation = measure(margins, &self.split.validation)?;
        let test = match &self.split.test {
            Some(rows) => Some(measure(model.margins(self.encoded, rows), rows)?),
            None => None,
        };
        let report = CandidateReport { candidate, trees, calibration, validation, test };
        Ok((Fitted { model, calibration, loss: validation.loss() }, report))
    }

    fn fit(&self, candidate: Candidate) -> Result<(Model, Option<Trees>), TrainingError> {
        let (train, task) = (&self.split.train, self.params.task);
        let target = self.data.targets(train);
        match candidate {
            Candidate::Linear { l2 } => {
                let model = LinearModel::fit(self.encoding, self.encoded, train, &target, task, l2)?;
                Ok((Model::Linear(model), None))
            }
            Candidate::Boosting { budget } => {
                let mut booster = booster::fit(self.encoded, train, &target, task, budget, self.params)?;
                let all = Ensemble::of(&booster)?;
                let trained = all.trees.len();
                booster.trees.truncate(all.trees_within(self.params.max_nodes));
                let kept = Ensemble::of(&booster)?;
                let trees = Trees { trained, kept: kept.trees.len(), nodes: kept.nodes() };
                Ok((Model::Trees(Box::new(booster)), Some(trees)))
            }
        }
    }

    /// The figures of a part's rows; their days play no role here.
    fn metrics(&self, rows: &Range<usize>, predictions: &[f64]) -> Result<Metrics, PerformanceError> {
        let scored: Vec<Scored> = self
            .data
            .targets(rows)
            .into_iter()
            .zip(predictions)
            .map(|(label, &score)| Scored { day: 0, score, label })
            .collect();
        Metrics::of(self.params.task, &scored)
    }

    /// The trivial model: the training rows' mean label, for every row.
    fn baseline(&self) -> Result<Baseline, TrainingError> {
        let target = self.data.targets(&self.split.train);
        let prediction = target.iter().sum::<f64>() / target.len() as f64;
        let measure = |rows: &Range<usize>| self.metrics(rows, &vec![prediction; rows.len()]);
        let test = self.split.test.as_ref().map(measure).transpose()?;
        Ok(Baseline { prediction, validation: measure(&self.split.validation)?, test })
    }

    fn rows(&self) -> Rows {
        Rows {
            train: self.split.train.len(),
            validation: self.split.validation.len(),
            test: self.split.test.as_ref().map(Range::len),
        }
    }

    fn export(&self, fitted: &Fitted) -> Result<(Vec<u8>, Vec<FeatureImportance>), TrainingError> {
        let task = self.params.task;
        let (onnx, importance) = match &fitted.model {
            Model::Linear(model) => {
                let onnx = export::to_onnx(self.encoding, &Scorer::Linear(model), fitted.calibration, task);
                (onnx, self.linear_importance(model))
            }
            Model::Trees(booster) => {
                let ensemble = Ensemble::of(booster)?;
                let onnx =
                    export::to_onnx(self.encoding, &Scorer::Trees(&ensemble), fitted.calibration, task);
                let importance = ensemble.importance(self.encoding.features.len());
                (
                    onnx,
                    importance
                        .into_iter()
                        .map(|(gain, splits)| Importance::Splits { gain, splits })
                        .collect(),
                )
            }
        };
        if onnx.len() > MAX_MODEL_BYTES {
            return Err(TrainingError::ModelTooLarge { bytes: onnx.len(), limit: MAX_MODEL_BYTES });
        }
        let features = self.encoding.features.iter().map(|feature| feature.name.clone());
        let importance = features
            .zip(importance)
            .map(|(feature, importance)| FeatureImportance { feature, importance })
            .collect();
        Ok((onnx, importance))
    }

    fn linear_importance(&self, model: &LinearModel) -> Vec<Importance> {
        let deviation = |terms: Vec<f64>| {
            let mean = terms.iter().sum::<f64>() / terms.len() as f64;
            (terms.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / terms.len() as f64).sqrt()
        };
        model
            .terms
            .iter()
            .zip(self.encoded)
            .map(|(term, column)| {
                let rows = column.get(self.split.train.clone()).unwrap_or_default();
                Importance::Spread {
                    standard_deviation: deviation(rows.iter().map(|&v| term.of(v)).collect()),
                }
            })
            .collect()
    }
}
