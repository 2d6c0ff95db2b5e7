//! Fixed histogram edges, taken once from the reference.

use serde::{Deserialize, Serialize};

use super::ProfileError;

/// The inner edges of a histogram whose outer edges are infinite: `k` edges make `k + 1` bins, and
/// bin `i` is `(edge[i - 1], edge[i]]`.
///
/// Values and edges are compared in **single precision**: a served tensor is `FP32` while a training
/// column is `f64`, and 0.1 of either kind must fall into the same bin, or a column of few distinct
/// values would seem to drift by the change of type alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f32>", into = "Vec<f32>")]
pub struct Edges(Vec<f32>);

impl Edges {
    /// Edges as given.
    ///
    /// # Errors
    /// [`ProfileError::Edges`] unless they are finite and strictly increasing.
    pub fn new(edges: Vec<f32>) -> Result<Self, ProfileError> {
        let increasing = edges.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if increasing && edges.iter().all(|edge| edge.is_finite()) {
            Ok(Self(edges))
        } else {
            Err(ProfileError::Edges)
        }
    }

    /// The deciles of a sorted sample of finite values: quantiles by linear interpolation between
    /// order statistics (Hyndman & Fan 1996, type 7; `numpy.quantile`'s default), rounded to single
    /// precision, duplicates collapsed. An empty sample has no edge and thus one bin.
    pub fn deciles(sorted: &[f64]) -> Self {
        let mut edges: Vec<f32> = (1..10)
            .filter_map(|tenth| crate::quantile::of_sorted(sorted, f64::from(tenth) / 10.0))
            .map(single)
            .collect();
        edges.dedup();
        Self(edges)
    }

    /// Number of bins: one more than there are edges.
    pub fn bins(&self) -> usize {
        self.0.len() + 1
    }

    /// The inner edges.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The bin of a finite value, `0..bins()`.
    pub fn bin(&self, value: f64) -> usize {
        let value = single(value);
        // At most nine edges: a count without branches is quicker than a binary search.
        self.0.iter().filter(|edge| value > **edge).count()
    }
}

impl TryFrom<Vec<f32>> for Edges {
    type Error = ProfileError;

    fn try_from(edges: Vec<f32>) -> Result<Self, ProfileError> {
        Self::new(edges)
    }
}

impl From<Edges> for Vec<f32> {
    fn from(edges: Edges) -> Self {
        edges.0
    }
}

/// Rounds to single precision, keeping a finite value finite.
#[expect(clippy::cast_possible_truncation, reason = "rounding to the precision that is served is the point")]
pub(super) fn single(value: f64) -> f32 {
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}
