//! The reference: edges, categories and counts of the rows a model was trained on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::edges::Edges;
use super::window::FeatureProfile;
use super::{FORMAT, ProfileError, Value};

/// Categories that a reference keeps by name; all others share one count.
pub const MAX_CATEGORIES: usize = 256;

/// The values of one reference column.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Numbers; NaN is a missing value.
    Numeric(&'a [f64]),
    /// Categories; `None` is a missing value.
    Categorical(&'a [Option<&'a str>]),
}

/// One column of the reference rows.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// Name of the feature.
    pub name: &'a str,
    /// Its values, one a row.
    pub values: Values<'a>,
}

/// How the values of a feature fall into bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Binning {
    /// By fixed edges.
    Numeric {
        /// The reference's deciles.
        edges: Edges,
    },
    /// One bin a category, in the order given here, and a last one for all others.
    Categorical {
        /// The most frequent categories of the reference (ties: by name), sorted by name.
        categories: Vec<String>,
    },
}

impl Binning {
    /// Number of bins.
    pub fn bins(&self) -> usize {
        match self {
            Self::Numeric { edges } => edges.bins(),
            Self::Categorical { categories } => categories.len() + 1,
        }
    }
}

/// One feature of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureReference {
    /// Its name.
    pub name: String,
    /// Its bins.
    pub binning: Binning,
    /// The reference rows, counted in those bins.
    pub counts: FeatureProfile,
}

/// The fixed frame that windows are counted in, and the reference rows' own counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceProfile {
    /// Version of this form: [`FORMAT`].
    pub format: u32,
    /// Reference rows.
    pub rows: u64,
    /// The features, in the order of the model's inputs.
    pub features: Vec<FeatureReference>,
    /// The prediction scores of the same rows, if given: numeric, in deciles.
    pub score: Option<FeatureReference>,
}

impl ReferenceProfile {
    /// Builds the reference of `columns`. `scores` are predictions of the same rows; take them
    /// **out of fold** (or of held-out rows): scores of rows that the model was fitted on are more
    /// extreme than any fresh ones, and every later window would seem to have shifted.
    ///
    /// # Errors
    /// [`ProfileError::Empty`], [`ProfileError::Ragged`] or [`ProfileError::Duplicate`].
    pub fn build(columns: &[Column<'_>], scores: Option<&[f64]>) -> Result<Self, ProfileError> {
        let rows = columns.first().map(|column| column.values.len()).filter(|rows| *rows > 0);
        let rows = rows.ok_or(ProfileError::Empty)?;
        let score = scores.map(|scores| Column { name: "score", values: Values::Numeric(scores) });
        let mut names = BTreeSet::new();
        for column in columns.iter().chain(&score) {
            if column.values.len() != rows {
                return Err(ProfileError::Ragged {
                    column: column.name.to_owned(),
                    rows: column.values.len(),
                    expected: rows,
                });
            }
        }
        for column in columns {
            if !names.insert(column.name) {
                return Err(ProfileError::Duplicate(column.name.to_owned()));
            }
        }
        Ok(Self {
            format: FORMAT,
            rows: rows as u64,
            features: columns.iter().map(FeatureReference::build).collect(),
            score: score.as_ref().map(FeatureReference::build),
        })
    }

    /// A number that differs between references with different names, edges or categories: FNV-1a
    /// (64 bit) over their serialised form, in hexadecimal. It guards against mix-ups, not malice.
    pub fn frame(&self) -> String {
        let mut hash = Fnv::default();
        for feature in self.features.iter().chain(&self.score) {
            hash.write(feature.name.as_bytes());
            match &feature.binning {
                Binning::Numeric { edges } => {
                    for edge in edges.as_slice() {
                        hash.write(&edge.to_le_bytes());
                    }
                }
                Binning::Categorical { categories } => {
                    for category in categories {
                        hash.write(category.as_bytes());
                    }
                }
            }
        }
        format!("{:016x}", hash.0)
    }
}

impl Values<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numeric(values) => values.len(),
            Self::Categorical(values) => values.len(),
        }
    }
}

impl FeatureReference {
    fn build(column: &Column<'_>) -> Self {
        let binning = match column.values {
            Values::Numeric(values) => {
                let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
                finite.sort_unstable_by(f64::total_cmp);
                Binning::Numeric { edges: Edges::deciles(&finite) }
            }
            Values::Categorical(values) => Binning::Categorical { categories: most_frequent(values) },
        };
        let mut counts = FeatureProfile::empty(&binning);
        match column.values {
            Values::Numeric(values) => {
                for value in values {
                    counts.observe(&binning, None, Value::number(*value));
                }
            }
            Values::Categorical(values) => {
                for value in values {
                    counts.observe(&binning, None, Value::category(*value));
                }
            }
        }
        Self { name: column.name.to_owned(), binning, counts }
    }
}

fn most_frequent(values: &[Option<&str>]) -> Vec<String> {
    let mut counts = BTreeMap::<&str, u64>::new();
    for value in values.iter().flatten() {
        *counts.entry(value).or_default() += 1;
    }
    let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    ranked.truncate(MAX_CATEGORIES);
    let mut categories: Vec<String> = ranked.into_iter().map(|(category, _)| category.to_owned()).collect();
    categories.sort_unstable();
    categories
}

/// FNV-1a, 64 bit (draft-eastlake-fnv). Each item is closed by its length, so that `ab`,`c` and
/// `a`,`bc` differ.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&(bytes.len() as u64).to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
