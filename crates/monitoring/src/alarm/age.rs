//! The age rule.

use mainstay_core::time::{DAY, DataTime};
use serde::{Deserialize, Serialize};

/// A model is due for retraining once its newest training data is this old, in data time. It needs
/// no test: nothing is claimed about the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgeRule {
    /// Days of data time; customary are 30, 60 and 90.
    pub days: u32,
}

/// A model that is due by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeAlarm {
    /// The end of its training data.
    pub trained_through: DataTime,
    /// The watermark that showed it.
    pub watermark: DataTime,
    /// Whole days between them.
    pub age_days: i64,
    /// The rule's limit.
    pub limit_days: u32,
}

impl AgeRule {
    /// The alarm, once the watermark is `days` or more past the end of the training data.
    pub fn check(&self, trained_through: DataTime, watermark: DataTime) -> Option<AgeAlarm> {
        let age_days = watermark.since(trained_through).div_euclid(DAY);
        (age_days >= i64::from(self.days)).then_some(AgeAlarm {
            trained_through,
            watermark,
            age_days,
            limit_days: self.days,
        })
    }
}
