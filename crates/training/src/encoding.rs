//! How features become the numbers that the models see: fitted on the training rows only, and
//! small enough to be carried by the exported graph.
//!
//! A numeric feature stays as it is, NaN for a missing value. A categorical feature becomes the
//! position of its category in the order of the label's mean, NaN for a missing value. That order
//! lets a tree separate the best group of categories by a single threshold: for a binary label or
//! squared error the best two-way partition is contiguous in it (Fisher, *On grouping for maximum
//! homogeneity*, JASA 53 (1958); Breiman et al., *Classification and Regression Trees* (1984), §4.2).

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::dataset::{Column, Dataset, Values};
use crate::error::TrainingError;
use crate::train::Params;

/// What the trainer knows of the features, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// One entry a feature.
    pub features: Vec<Feature>,
}

/// A feature as the training rows showed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The name.
    pub name: String,
    /// Training rows without a value.
    pub missing_rows: u64,
    /// The values.
    #[serde(flatten)]
    pub kind: FeatureKind,
}

/// The values of a feature in the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FeatureKind {
    /// Numbers.
    Numeric {
        /// Mean of the values that are there; 0 if none is.
        mean: f32,
        /// Their standard deviation (division by n); 0 if they are all equal.
        standard_deviation: f32,
    },
    /// Categories.
    Categorical {
        /// The categories by their code, from 0, in ascending order of the label's smoothed mean. The one without
        /// a value stands for every category that is rare in the training rows or not in them.
        categories: Vec<Category>,
    },
}

/// One category of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// The value; none for all other values.
    pub value: Option<String>,
    /// Training rows of it.
    pub rows: u64,
    /// The label's mean in these rows, drawn towards the mean of all rows as by
    /// [`SMOOTHING_ROWS`] more rows of that mean.
    pub label_mean: f64,
}

/// Weight of the overall mean in [`Category::label_mean`], in rows.
///
/// Source: Micci-Barreca, *A preprocessing scheme for high-cardinality categorical attributes*,
/// SIGKDD Explorations 3 (2001), as an m-estimate.
pub const SMOOTHING_ROWS: f64 = 10.0;

/// The encoded features: one vector a feature, a number a row, NaN where the value is missing.
pub(crate) type Encoded = Vec<Vec<f32>>;

impl Encoding {
    /// Learns the encoding from the rows `train` of a validated data set.
    pub(crate) fn fit(data: &Dataset, train: &Range<usize>, params: &Params) -> Self {
        let labels = data.targets(train);
        let features = data
            .features
            .iter()
            .map(|column| match &column.values {
                Values::Numeric(values) => {
                    numeric(&column.name, values.get(train.clone()).unwrap_or_default())
                }
                Values::Categorical(values) => {
                    categorical(&column.name, values.get(train.clone()).unwrap_or_default(), &labels, params)
                }
            })
            .collect();
        Self { features }
    }

    /// Encodes columns of the same names, kinds and order as those of the training.
    pub(crate) fn encode(&self, columns: &[Column]) -> Result<Encoded, TrainingError> {
        if self.features.len() != columns.len() {
            return Err(TrainingError::FeatureMismatch {
                expected: format!("{} columns", self.features.len()),
                found: columns.len().to_string(),
            });
        }
        self.features.iter().zip(columns).map(|(feature, column)| feature.encode(column)).collect()
    }
}

impl Feature {
    fn encode(&self, column: &Column) -> Result<Vec<f32>, TrainingError> {
        match (&self.kind, &column.values) {
            _ if self.name != column.name => Err(TrainingError::FeatureMismatch {
                expected: self.name.clone(),
                found: column.name.clone(),
            }),
            (FeatureKind::Numeric { .. }, Values::Numeric(values)) => Ok(values.clone()),
            (FeatureKind::Categorical { categories }, Values::Categorical(values)) => {
                let codes: HashMap<&str, f32> = codes(categories)
                    .filter_map(|(code, category)| Some((category.value.as_deref()?, code)))
                    .collect();
                let other = other_code(categories);
                Ok(values
                    .iter()
                    .map(|value| {
                        present(value.as_ref()).map_or(f32::NAN, |v| codes.get(v).copied().unwrap_or(other))
                    })
                    .collect())
            }
            (FeatureKind::Numeric { .. }, Values::Categorical(_)) => {
                Err(self.wrong_kind("numbers", "categories"))
            }
            (FeatureKind::Categorical { .. }, Values::Numeric(_)) => {
                Err(self.wrong_kind("categories", "numbers"))
            }
        }
    }

    fn wrong_kind(&self, expected: &str, found: &str) -> TrainingError {
        TrainingError::FeatureMismatch {
            expected: format!("{expected} in `{}`", self.name),
            found: found.to_owned(),
        }
    }
}

/// Each category with its code, a whole number below 2¹⁶ that `f32` holds exactly.
pub(crate) fn codes(categories: &[Category]) -> impl Iterator<Item = (f32, &Category)> {
    (0_u16..).map(f32::from).zip(categories)
}

/// The code of every value that has no category of its own.
pub(crate) fn other_code(categories: &[Category]) -> f32 {
    codes(categories).find(|(_, category)| category.value.is_none()).map_or(f32::NAN, |(code, _)| code)
}

fn present(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|v| !v.is_empty())
}

fn numeric(name: &str, values: &[f32]) -> Feature {
    let there = || values.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v));
    let count = there().count() as f64;
    let mean = if count > 0.0 { there().sum::<f64>() / count } else { 0.0 };
    let variance = if count > 0.0 { there().map(|v| (v - mean).powi(2)).sum::<f64>() / count } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "moments of f32 values lie in the range of f32")]
    let (mean, standard_deviation) = (mean as f32, variance.sqrt() as f32);
    Feature {
        name: name.to_owned(),
        missing_rows: values.iter().filter(|v| v.is_nan()).count() as u64,
        kind: FeatureKind::Numeric { mean, standard_deviation },
    }
}

fn categorical(name: &str, values: &[Option<String>], labels: &[f64], params: &Params) -> Feature {
    let mut counts: HashMap<&str, Tally> = HashMap::new();
    let mut missing_rows = 0;
    let mut all = Tally::default();
    for (value, &label) in values.iter().zip(labels) {
        all.add(label);
        match present(value.as_ref()) {
            Some(value) => counts.entry(value).or_default().add(label),
            None => missing_rows += 1,
        }
    }
    let mut counts: Vec<(&str, Tally)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.rows.cmp(&a.1.rows).then(a.0.cmp(b.0)));
    let frequent = counts.iter().take_while(|(_, tally)| tally.rows >= params.min_category_rows).count();
    let (kept, rare) = counts.split_at(frequent.min(params.max_categories));
    let mut other = Tally::default();
    for (_, tally) in rare {
        other.merge(tally);
    }

    let mean = all.mean();
    let mut categories: Vec<Category> = kept
        .iter()
        .map(|(value, tally)| tally.category(Some(value), mean))
        .chain([other.category(None, mean)])
        .collect();
    categories.sort_by(|a, b| a.label_mean.total_cmp(&b.label_mean).then_with(|| a.value.cmp(&b.value)));
    Feature { name: name.to_owned(), missing_rows, kind: FeatureKind::Categorical { categories } }
}

#[derive(Default)]
struct Tally {
    rows: u64,
    label_sum: f64,
}

impl Tally {
    fn add(&mut self, label: f64) {
        self.rows += 1;
        self.label_sum += label;
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.label_sum += other.label_sum;
    }

    fn mean(&self) -> f64 {
        self.label_sum / (self.rows.max(1) as f64)
    }

    fn category(&self, value: Option<&str>, overall_mean: f64) -> Category {
        Category {
            value: value.map(ToOwned::to_owned),
            rows: self.rows,
            label_mean: (self.label_sum + SMOOTHING_ROWS * overall_mean)
                / (self.rows as f64 + SMOOTHING_ROWS),
        }
    }
}
