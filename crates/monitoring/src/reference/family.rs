//! What of an endpoint is watched together, and what one data day contributes to it.

use serde::{Deserialize, Serialize};

use crate::alarm::{DayTotals, Series};
use crate::performance::Metric;
use crate::profile::{Binning, Profile, ReferenceProfile};

/// Series that become known together, and share one monitor and one false-alarm budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// What came in: the distribution and the missing rate of each feature.
    Features,
    /// What the model said: the distribution of its scores.
    Predictions,
    /// How right it was: its mean log loss on mature labels.
    Quality,
    /// How old its training data is. It has no series: age is a rule, not a test.
    Age,
}

impl Family {
    /// The families with series, in the order in which a day is judged.
    pub const WATCHED: [Self; 3] = [Self::Features, Self::Predictions, Self::Quality];

    /// Its name, as shown and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Predictions => "predictions",
            Self::Quality => "quality",
            Self::Age => "age",
        }
    }

    /// The family of that name.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Features, Self::Predictions, Self::Quality, Self::Age]
            .into_iter()
            .find(|family| family.as_str() == text)
    }

    /// The series of a model with that reference: two a feature (its distribution, by PSI where it is a
    /// number and by total variation where it is a category, and its missing rate), one for the scores,
    /// one for the loss. Their floors are those of [`Series`].
    pub fn series(self, reference: &ReferenceProfile) -> Vec<Series> {
        match self {
            Self::Features => reference
                .features
                .iter()
                .flat_map(|feature| {
                    let drift = match feature.binning {
                        Binning::Numeric { .. } => Series::feature_drift(&feature.name),
                        Binning::Categorical { .. } => Series::category_drift(&feature.name),
                    };
                    [drift, Series::missing_rate(&feature.name)]
                })
                .collect(),
            Self::Predictions => reference.score.iter().map(|_| Series::prediction_shift()).collect(),
            Self::Quality => vec![Series::loss(Metric::LogLoss.name())],
            Self::Age => Vec::new(),
        }
    }
}

/// The log losses of a day's labelled predictions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// Their sum.
    pub sum: f64,
    /// How many.
    pub rows: u64,
}

impl Losses {
    /// Adds one prediction: the probability of class 1 that was given, and what came true.
    pub fn add(&mut self, score: f64, outcome: f64) {
        if let Some(loss) = Metric::LogLoss.row_loss(score, outcome).filter(|loss| loss.is_finite()) {
            self.sum += loss;
            self.rows += 1;
        }
    }

    /// What the day contributes to the monitor of quality; `None` of no rows.
    pub fn totals(self) -> Option<DayTotals> {
        (self.rows > 0).then(|| vec![vec![self.sum, self.rows as f64]])
    }
}

/// What one data day contributes to a family's monitor: the one definition, for the reference's own
/// days as for live ones. `None` if the day has no row that the family speaks of; such a day is left
/// out.
pub fn day_totals(
    family: Family,
    reference: &ReferenceProfile,
    profile: &Profile,
    losses: Losses,
) -> Option<DayTotals> {
    match family {
        Family::Features => (profile.rows > 0).then(|| {
            let series = family.series(reference);
            // Two series a feature, in the features' order.
            let counts = profile.features.iter().flat_map(|counts| [counts, counts]);
            series.iter().zip(counts).map(|(series, counts)| series.totals(counts)).collect()
        }),
        Family::Predictions => profile
            .score
            .as_ref()
            .filter(|score| score.binned() > 0)
            .map(|score| family.series(reference).iter().map(|series| series.totals(score)).collect()),
        Family::Quality => losses.totals(),
        Family::Age => None,
    }
}
