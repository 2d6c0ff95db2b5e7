//! Which predictions count yet, and with which label.
//!
//! A label arrives late, is corrected, or never comes; and the early ones lie (what went well
//! reports first). So a prediction counts only once its **horizon** has passed: then its label is the
//! newest version that was known at `event time + horizon`, or it is *missing at maturity*, a
//! declared outcome. Everything is decided by data time, so the same rows give the same figures
//! whatever order, machine or moment they came in.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::{DAY, DataTime};
use serde::{Deserialize, Serialize};

/// What a prediction without a label at maturity counts as.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It is left out of figures, and lowers their coverage.
    Exclude,
    /// It counts as this label: no conversion reported within the window is a 0. Coverage still
    /// shows it as unlabelled.
    TreatAs(f64),
}

/// When labels of one kind are ripe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaturityRule {
    /// Microseconds of data time after a prediction's event time at which its label counts as final.
    pub horizon: i64,
    /// What a prediction without a label then counts as.
    pub missing: Missing,
    /// Microseconds added to a data time before it is cut into days: −18,000,000,000 puts midnight
    /// at 05:00 UTC.
    pub day_offset: i64,
}

impl MaturityRule {
    /// The number of the data day that an event falls into.
    pub fn day(&self, event_time: DataTime) -> i64 {
        event_time.plus(self.day_offset).day()
    }

    /// The first and the first-after instant of a data day.
    pub fn span(&self, day: i64) -> Range<DataTime> {
        let start = day.saturating_mul(DAY).saturating_sub(self.day_offset);
        DataTime::from_micros(start)..DataTime::from_micros(start).plus(DAY)
    }

    /// The first data day that is **not** wholly mature at a watermark: the day's last possible
    /// event plus the horizon is not yet at or before the watermark.
    pub fn first_immature_day(&self, watermark: DataTime) -> i64 {
        self.day(watermark.plus(self.horizon.saturating_neg()))
    }
}

/// One prediction. `T` is what the caller needs back: the scores of the arms, features, a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<T> {
    /// Its id, unique for ever; orders predictions of one instant.
    pub id: String,
    /// When the predicted event stands in the data.
    pub event_time: DataTime,
    /// What else is known of it.
    pub payload: T,
}

/// One version of a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The prediction it belongs to.
    pub prediction_id: String,
    /// Grows with each correction.
    pub version: u64,
    /// When it became known, in data time.
    pub arrived: DataTime,
    /// Its value: 0 or 1 for a class, a number otherwise.
    pub value: f64,
}

/// Every version of every label that is known, by prediction.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    by_prediction: BTreeMap<String, BTreeMap<u64, (DataTime, f64)>>,
}

/// Why labels or predictions cannot be folded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MaturityError {
    /// A label that is no finite number.
    #[error("the label of prediction {0:?} is not a finite number")]
    Label(String),
    /// One version with two contents.
    #[error("version {version} of the label of prediction {id:?} is known with another value or arrival")]
    Rewritten {
        /// The prediction.
        id: String,
        /// The version.
        version: u64,
    },
    /// A horizon below zero.
    #[error("a label horizon cannot be negative")]
    Horizon,
}

impl Coded for MaturityError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Label(_) => ErrorCode::InvalidData,
            Self::Rewritten { .. } => ErrorCode::RevisionConflict,
            Self::Horizon => ErrorCode::InvalidDefinition,
        }
    }
}

impl Labels {
    /// Adds a version; adding it again changes nothing.
    ///
    /// # Errors
    /// [`MaturityError::Label`] or [`MaturityError::Rewritten`].
    pub fn add(&mut self, label: Label) -> Result<(), MaturityError> {
        if !label.value.is_finite() {
            return Err(MaturityError::Label(label.prediction_id));
        }
        let content = (label.arrived, label.value);
        let versions = self.by_prediction.entry(label.prediction_id.clone()).or_default();
        if versions.get(&label.version).is_some_and(|known| *known != content) {
            return Err(MaturityError::Rewritten { id: label.prediction_id, version: label.version });
        }
        versions.insert(label.version, content);
        Ok(())
    }

    /// The value of the newest version that had arrived by `known_at`.
    pub fn as_of(&self, prediction_id: &str, known_at: DataTime) -> Option<f64> {
        let versions = self.by_prediction.get(prediction_id)?;
        versions.values().rev().find(|(arrived, _)| *arrived <= known_at).map(|(_, value)| *value)
    }
}

/// A prediction at maturity.
#[derive(Debug, Clone, PartialEq)]
pub struct Matured<T> {
    /// The prediction.
    pub prediction: Prediction<T>,
    /// The label that counts; `None` if it is missing and [`Missing::Exclude`] was declared.
    pub label: Option<f64>,
    /// Whether a label had truly arrived by the horizon.
    pub is_labelled: bool,
}

/// One wholly matured data day, in (event time, prediction id) order.
#[derive(Debug, Clone, PartialEq)]
pub struct MaturedDay<T> {
    /// The number of the day.
    pub day: i64,
    /// Its predictions.
    pub rows: Vec<Matured<T>>,
    /// How many of them were truly labelled.
    pub labelled: u64,
}

impl<T> MaturedDay<T> {
    /// Labelled predictions over all predictions; `None` of an empty day.
    pub fn coverage(&self) -> Option<f64> {
        (!self.rows.is_empty()).then(|| self.labelled as f64 / self.rows.len() as f64)
    }
}

/// How far a monitor or rollout has folded. It is stored with what was folded, and moves only forward,
/// so each matured day is folded exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    rule: MaturityRule,
    next_day: i64,
}

impl Cursor {
    /// Starts with the day that `from` falls into.
    ///
    /// # Errors
    /// [`MaturityError::Horizon`].
    pub fn starting_at(rule: MaturityRule, from: DataTime) -> Result<Self, MaturityError> {
        if rule.horizon < 0 {
            return Err(MaturityError::Horizon);
        }
        Ok(Self { rule, next_day: rule.day(from) })
    }

    /// The event times that [`Self::fold`] will want at this watermark: what to read from the store.
    /// Empty if no further day is mature.
    pub fn wanted(&self, watermark: DataTime) -> Range<DataTime> {
        let end = self.rule.first_immature_day(watermark).max(self.next_day);
        self.rule.span(self.next_day).start..self.rule.span(end).start
    }

    /// The first day that is not folded yet.
    pub fn next_day(&self) -> i64 {
        self.next_day
    }

    /// Yields every newly matured day that has predictions, in order, and moves past them.
    ///
    /// Predictions outside [`Self::wanted`] are left alone, and one id counts once (its earliest event
    /// time). The label of a prediction is the newest version that had arrived by its own
    /// `event time + horizon`, so the outcome depends neither on the order of the input nor on how often
    /// or how late this is called.
    pub fn fold<T>(
        &mut self,
        watermark: DataTime,
        predictions: impl IntoIterator<Item = Prediction<T>>,
        labels: &Labels,
    ) -> Vec<MaturedDay<T>> {
        let wanted = self.wanted(watermark);
        let mut rows: Vec<Prediction<T>> =
            predictions.into_iter().filter(|p| wanted.contains(&p.event_time)).collect();
        rows.sort_by(|a, b| a.event_time.cmp(&b.event_time).then_with(|| a.id.cmp(&b.id)));
        let mut seen = BTreeSet::new();
        rows.retain(|p| seen.insert(p.id.clone()));
        let mut days: Vec<MaturedDay<T>> = Vec::new();
        for prediction in rows {
            let day = self.rule.day(prediction.event_time);
            if days.last().is_none_or(|newest| newest.day != day) {
                days.push(MaturedDay { day, rows: Vec::new(), labelled: 0 });
            }
            let known = labels.as_of(&prediction.id, prediction.event_time.plus(self.rule.horizon));
            let label = match self.rule.missing {
                Missing::Exclude => known,
                Missing::TreatAs(value) => Some(known.unwrap_or(value)),
            };
            if let Some(newest) = days.last_mut() {
                newest.labelled += u64::from(known.is_some());
                newest.rows.push(Matured { prediction, label, is_labelled: known.is_some() });
            }
        }
        self.next_day = self.rule.first_immature_day(watermark).max(self.next_day);
        days
    }
}
