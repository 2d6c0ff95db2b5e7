//! Mergeable profiles: what a window of rows looked like, in bounded memory.
//!
//! A [`ReferenceProfile`] is made once, of the rows a model was trained on: it fixes the edges and
//! categories. A [`Profile`] counts the rows of one window and one arm against them. Profiles of one
//! reference merge: over threads, replicas and days. Because the edges never move, two windows are
//! comparable, and the reference rows are not needed again.

mod edges;
mod moments;
mod reference;
mod window;

use mainstay_core::error::{Coded, ErrorCode};

pub use edges::Edges;
pub use moments::Moments;
pub use reference::{Binning, Column, FeatureReference, MAX_CATEGORIES, ReferenceProfile, Values};
pub use window::{FeatureProfile, Profile, Value};

/// The version of the serialised form that this code writes and reads.
pub const FORMAT: u32 = 1;

/// Why a profile cannot be made, filled or merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No rows, or no columns.
    #[error("a reference needs at least one row and one column")]
    Empty,
    /// Columns of different length.
    #[error("column {column:?} has {rows} rows where {expected} are expected; give every column in full")]
    Ragged {
        /// The column.
        column: String,
        /// Its rows.
        rows: usize,
        /// The rows of the first column.
        expected: usize,
    },
    /// A name stands twice.
    #[error("column {0:?} stands twice; names must be distinct")]
    Duplicate(String),
    /// Edges that are not finite and strictly increasing.
    #[error("histogram edges must be finite and strictly increasing")]
    Edges,
    /// A row with the wrong number of values.
    #[error("the row has {got} values where the reference has {expected} features")]
    Width {
        /// Values in the row.
        got: usize,
        /// Features of the reference.
        expected: usize,
    },
    /// A number for a categorical feature, or the other way round.
    #[error("feature {0:?} got a value of another kind than its reference has")]
    Kind(String),
    /// Profiles counted against different references, or of another format.
    #[error("the profiles were counted against different references and cannot be merged")]
    Foreign,
}

impl Coded for ProfileError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty | Self::Ragged { .. } | Self::Duplicate(_) | Self::Edges => ErrorCode::InvalidData,
            Self::Width { .. } | Self::Kind(_) | Self::Foreign => ErrorCode::InvalidArgument,
        }
    }
}
