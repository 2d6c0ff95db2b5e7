//! The figures that a trained model is reported with. Their definitions are those that it is judged by
//! later: [`Metric`] of `mainstay-monitoring`.

use mainstay_monitoring::performance::{Metric, PerformanceError, Scored};
use serde::{Deserialize, Serialize};

use crate::dataset::Task;

/// The figures of one model over one part of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Metrics {
    /// For probabilities of a binary outcome.
    BinaryClassification {
        /// [`Metric::LogLoss`].
        log_loss: f64,
        /// [`Metric::Auc`]; none if the rows hold one class only.
        auc: Option<f64>,
        /// [`Metric::Brier`].
        brier: f64,
        /// [`Metric::Ece`].
        ece: f64,
        /// Share of positive rows.
        positive_rate: f64,
    },
    /// For a number.
    Regression {
        /// Root of [`Metric::MeanSquaredError`], in the label's unit.
        rmse: f64,
        /// [`Metric::MeanAbsoluteError`], in the label's unit.
        mae: f64,
        /// Coefficient of determination: 1 − Σ(y − p)² / Σ(y − ȳ)², ȳ over the same rows; none if the
        /// labels are constant. `sklearn.metrics.r2_score`.
        r2: Option<f64>,
    },
}

impl Metrics {
    /// The figures of the rows, of which there is at least one.
    pub fn of(task: Task, rows: &[Scored]) -> Result<Self, PerformanceError> {
        let figure =
            |metric: Metric| metric.value(rows)?.ok_or(PerformanceError::Row("there is no row to measure"));
        match task {
            Task::BinaryClassification => Ok(Self::BinaryClassification {
                log_loss: figure(Metric::LogLoss)?,
                auc: Metric::Auc.value(rows)?,
                brier: figure(Metric::Brier)?,
                ece: figure(Metric::Ece)?,
                positive_rate: mean_label(rows),
            }),
            Task::Regression => {
                let squared_error = figure(Metric::MeanSquaredError)?;
                let mean = mean_label(rows);
                let variance =
                    rows.iter().map(|row| (row.label - mean).powi(2)).sum::<f64>() / rows.len() as f64;
                Ok(Self::Regression {
                    rmse: squared_error.sqrt(),
                    mae: figure(Metric::MeanAbsoluteError)?,
                    r2: (variance > 0.0).then(|| 1.0 - squared_error / variance),
                })
            }
        }
    }

    /// The loss that candidates are chosen by: log loss, or the root of the mean squared error.
    pub fn loss(&self) -> f64 {
        match self {
            Self::BinaryClassification { log_loss, .. } => *log_loss,
            Self::Regression { rmse, .. } => *rmse,
        }
    }
}

fn mean_label(rows: &[Scored]) -> f64 {
    rows.iter().map(|row| row.label).sum::<f64>() / rows.len() as f64
}
