//! What a watch found.

use std::fmt;

use mainstay_core::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::alarm::{AgeAlarm, Alarm, Look};
use crate::reference::Family;

/// Names a finding for ever: the same data gives the same key, however often it is found anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingKey {
    /// The artifact that served.
    pub champion: Digest,
    /// Its version.
    pub version: u64,
    /// What was looked at.
    pub family: Family,
    /// The last data day of the window; for [`Family::Age`] the rule's limit in days.
    pub day: i64,
}

impl fmt::Display for FindingKey {
    /// `<digest in hex>/<version>/<family>/<day>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.champion.hex(), self.version, self.family.as_str(), self.day)
    }
}

/// One thing found, in the order of data time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// A day was looked at.
    Looked {
        /// Its name.
        key: FindingKey,
        /// The figures.
        look: Look,
        /// For [`Family::Quality`]: labelled predictions over all predictions of the day.
        coverage: Option<f64>,
    },
    /// An alarm begins.
    Raised {
        /// Its name.
        key: FindingKey,
        /// What has changed.
        alarm: Alarm,
    },
    /// All series of an alarm have recovered.
    Recovered {
        /// The look that saw it.
        key: FindingKey,
        /// The alarm that ends.
        raised: FindingKey,
    },
    /// The champion is due by age.
    Aged {
        /// Its name.
        key: FindingKey,
        /// By which rule.
        alarm: AgeAlarm,
    },
}
