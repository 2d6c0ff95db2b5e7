//! What stands on the record of what was found.

use mainstay_core::id::AlarmId;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};
use serde::{Deserialize, Serialize};

use crate::alarm::{AgeAlarm, Alarm, Look};
use crate::watch::FindingKey;

/// Why an alarm was raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// Something has changed: the window, and each series that went off, with its numbers.
    Changed(Alarm),
    /// The model is due by age.
    Aged(AgeAlarm),
}

/// Why an alarm is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All its series have recovered.
    Recovered,
    /// Another version is champion.
    Replaced,
    /// A person has looked at it, and closed it.
    Closed,
}

/// How an alarm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Why.
    pub ending: Ending,
    /// The watermark at which it did.
    pub data_time: DataTime,
    /// When that was put on the record.
    pub at: MachineTime,
}

/// An alarm on the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedAlarm {
    /// Its id.
    pub id: AlarmId,
    /// About which endpoint.
    pub endpoint: Name,
    /// The finding: there is one alarm of each key on an endpoint.
    pub finding: FindingKey,
    /// What was found.
    pub cause: Cause,
    /// The watermark at which it was raised.
    pub data_time: DataTime,
    /// When it was put on the record.
    pub raised_at: MachineTime,
    /// How it ended; `None` while it is open.
    pub resolution: Option<Resolution>,
}

/// The figures of one look, for pages. They can be found anew from the predictions and labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedLook {
    /// The finding.
    pub finding: FindingKey,
    /// The figures.
    pub look: Look,
    /// Labelled predictions over all predictions of the newest day, where labels matter.
    pub coverage: Option<f64>,
}
