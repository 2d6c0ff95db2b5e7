//! The counts of one window.

use serde::{Deserialize, Serialize};

use super::moments::Moments;
use super::reference::{Binning, ReferenceProfile};
use super::{FORMAT, ProfileError};

/// One value of a row, on its way into a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A number, finite or infinite; NaN counts as missing.
    Number(f64),
    /// A category.
    Category(&'a str),
    /// No value.
    Missing,
}

impl<'a> Value<'a> {
    /// A number, where NaN is a missing value.
    pub fn number(value: f64) -> Self {
        if value.is_nan() { Self::Missing } else { Self::Number(value) }
    }

    /// A category, where `None` is a missing value.
    pub fn category(value: Option<&'a str>) -> Self {
        value.map_or(Self::Missing, Self::Category)
    }
}

/// The counts of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureProfile {
    /// Rows without a value (NaN included).
    pub missing: u64,
    /// Rows with an infinite value; they are in no bin.
    pub infinite: u64,
    /// Rows with a value that the reference does not have: below its least or above its greatest
    /// number, or in none of its kept categories.
    pub outside: u64,
    /// Moments of the finite numbers; all zero for a category.
    pub moments: Moments,
    /// Rows in each bin of the reference's [`Binning`].
    pub bins: Vec<u64>,
}

impl FeatureProfile {
    pub(super) fn empty(binning: &Binning) -> Self {
        Self {
            missing: 0,
            infinite: 0,
            outside: 0,
            moments: Moments::default(),
            bins: vec![0; binning.bins()],
        }
    }

    /// Adds one value whose kind fits. `reference` is absent while the reference itself is counted.
    pub(super) fn observe(&mut self, binning: &Binning, reference: Option<&Self>, value: Value<'_>) {
        let bin = match (binning, value) {
            (Binning::Numeric { edges }, Value::Number(value)) if value.is_finite() => {
                self.moments.observe(value);
                self.outside += u64::from(reference.is_some_and(|r| r.moments.excludes(value)));
                edges.bin(value)
            }
            (Binning::Numeric { .. }, Value::Number(value)) if value.is_infinite() => {
                self.infinite += 1;
                return;
            }
            (Binning::Categorical { categories }, Value::Category(value)) => {
                let kept = categories.binary_search_by(|category| category.as_str().cmp(value));
                self.outside += u64::from(kept.is_err());
                kept.unwrap_or(categories.len())
            }
            _ => {
                self.missing += 1;
                return;
            }
        };
        if let Some(count) = self.bins.get_mut(bin) {
            *count += 1;
        }
    }

    /// Rows that fell into a bin: neither missing nor infinite.
    pub fn binned(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.binned() + self.missing + self.infinite
    }

    fn merge(&mut self, other: &Self) {
        self.missing += other.missing;
        self.infinite += other.infinite;
        self.outside += other.outside;
        self.moments.merge(&other.moments);
        self.bins.iter_mut().zip(&other.bins).for_each(|(mine, theirs)| *mine += theirs);
    }
}

/// What the rows of one window and one arm looked like. The owner keeps it under (endpoint, window,
/// arm); profiles with equal [`frame`](Self::frame) merge, in any order and grouping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Version of this form: [`FORMAT`].
    pub format: u32,
    /// [`ReferenceProfile::frame`] of the reference it counts against.
    pub frame: String,
    /// Rows observed.
    pub rows: u64,
    /// One a feature, in the reference's order.
    pub features: Vec<FeatureProfile>,
    /// The prediction scores, if the reference has them.
    pub score: Option<FeatureProfile>,
}

impl Profile {
    /// An empty profile in the frame of `reference`.
    pub fn new(reference: &ReferenceProfile) -> Self {
        Self {
            format: FORMAT,
            frame: reference.frame(),
            rows: 0,
            features: reference.features.iter().map(|f| FeatureProfile::empty(&f.binning)).collect(),
            score: reference.score.as_ref().map(|score| FeatureProfile::empty(&score.binning)),
        }
    }

    /// Counts one row and its score. `reference` must be the one this profile was made of.
    ///
    /// # Errors
    /// [`ProfileError::Width`] or [`ProfileError::Kind`]; then nothing was counted.
    pub fn observe(
        &mut self,
        reference: &ReferenceProfile,
        row: &[Value<'_>],
        score: Option<f64>,
    ) -> Result<(), ProfileError> {
        let expected = self.features.len();
        if row.len() != expected || reference.features.len() != expected {
            return Err(ProfileError::Width { got: row.len(), expected: reference.features.len() });
        }
        for (feature, value) in reference.features.iter().zip(row) {
            let fits = match value {
                Value::Missing => true,
                Value::Number(_) => matches!(feature.binning, Binning::Numeric { .. }),
                Value::Category(_) => matches!(feature.binning, Binning::Categorical { .. }),
            };
            if !fits {
                return Err(ProfileError::Kind(feature.name.clone()));
            }
        }
        for ((counts, feature), value) in self.features.iter_mut().zip(&reference.features).zip(row) {
            counts.observe(&feature.binning, Some(&feature.counts), *value);
        }
        if let (Some(counts), Some(feature)) = (&mut self.score, &reference.score) {
            let value = score.map_or(Value::Missing, Value::number);
            counts.observe(&feature.binning, Some(&feature.counts), value);
        }
        self.rows += 1;
        Ok(())
    }

    /// Adds the rows that `other` counted.
    ///
    /// # Errors
    /// [`ProfileError::Foreign`] if it was counted in another frame.
    pub fn merge(&mut self, other: &Self) -> Result<(), ProfileError> {
        let alike = self.format == other.format
            && self.frame == other.frame
            && self.features.len() == other.features.len()
            && self.features.iter().zip(&other.features).all(|(a, b)| a.bins.len() == b.bins.len())
            && self.score.as_ref().map(|s| s.bins.len()) == other.score.as_ref().map(|s| s.bins.len());
        if !alike {
            return Err(ProfileError::Foreign);
        }
        self.rows += other.rows;
        self.features.iter_mut().zip(&other.features).for_each(|(mine, theirs)| mine.merge(theirs));
        if let (Some(mine), Some(theirs)) = (&mut self.score, &other.score) {
            mine.merge(theirs);
        }
        Ok(())
    }
}
