//! The reference of a model version: what its training rows looked like, and how much their days
//! differ.
//!
//! It is made once, when the version is trained, and kept as JSON beside the model. Whoever watches
//! the version later needs nothing else: not the rows, not the trainer.

mod build;
mod family;

use std::collections::BTreeMap;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

pub use build::{ReferencePlan, TrainingRows};
pub use family::{Family, Losses, day_totals};

use crate::alarm::Baseline;
use crate::profile::{Profile, ProfileError, ReferenceProfile};

/// The version of the form that this code writes and reads.
pub const FORMAT: u32 = 1;

/// What a model version is compared with for as long as it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Version of this form: [`FORMAT`].
    pub format: u32,
    /// Data time of the newest training row; its age counts from here.
    pub trained_through: DataTime,
    /// Microseconds that were added to a data time before it was cut into days.
    pub day_offset: i64,
    /// All training rows, and their scores out of fold.
    pub profile: ReferenceProfile,
    /// How much the features of its days differ.
    pub features: Option<Baseline>,
    /// How much the scores of its days differ.
    pub predictions: Option<Baseline>,
    /// How much the loss of its days differs.
    pub quality: Option<Baseline>,
    /// Why a family has no baseline, in words for people.
    pub unwatched: BTreeMap<Family, String>,
}

/// Why there is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The rows make no profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Times, scores or outcomes that are not one a row.
    #[error("there are {rows} rows but {got} {what}; give one a row")]
    Ragged {
        /// Rows of the columns.
        rows: usize,
        /// What there is another number of.
        what: &'static str,
        /// How many.
        got: usize,
    },
    /// An outcome other than 0 and 1, or a score that is no probability.
    #[error("row {0} has an outcome other than 0 and 1, or a score outside 0 to 1")]
    Row(usize),
    /// A stored reference that this code does not read.
    #[error("the stored reference is not one that this version reads; train the model version anew")]
    Unreadable,
}

impl Coded for ReferenceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Profile(error) => error.code(),
            Self::Ragged { .. } | Self::Row(_) | Self::Unreadable => ErrorCode::InvalidData,
        }
    }
}

impl Reference {
    /// Reads a stored reference, and checks that its parts fit each other.
    ///
    /// # Errors
    /// [`ReferenceError::Unreadable`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReferenceError> {
        let reference: Self = serde_json::from_slice(bytes).map_err(|_| ReferenceError::Unreadable)?;
        let fits = Family::WATCHED
            .into_iter()
            .all(|family| reference.baseline(family).is_none_or(|baseline| reference.fits(family, baseline)));
        if reference.format == FORMAT && fits { Ok(reference) } else { Err(ReferenceError::Unreadable) }
    }

    /// The baseline of a family.
    pub fn baseline(&self, family: Family) -> Option<&Baseline> {
        match family {
            Family::Features => self.features.as_ref(),
            Family::Predictions => self.predictions.as_ref(),
            Family::Quality => self.quality.as_ref(),
            Family::Age => None,
        }
    }

    fn fits(&self, family: Family, baseline: &Baseline) -> bool {
        // One row without values and one loss: totals of the right widths.
        let mut profile = Profile::new(&self.profile);
        profile.rows = 1;
        if let Some(bin) = profile.score.as_mut().and_then(|score| score.bins.first_mut()) {
            *bin = 1;
        }
        let losses = Losses { sum: 0.0, rows: 1 };
        day_totals(family, &self.profile, &profile, losses)
            .is_some_and(|totals| baseline.takes(&family.series(&self.profile), &totals))
    }
}
