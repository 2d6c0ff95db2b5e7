//! `replay.yaml`: what is replayed.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_core::failed::Failed;
use mainstay_core::name::Name;
use mainstay_core::time::{DAY, DataTime, HOUR};
use mainstay_pipelines::definition::parse_document;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::expectation::Expectation;

/// The file. Column expressions are SQL over the table of the requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The headline of the story.
    pub(super) title: String,
    /// The pipeline file that is run first; it makes the endpoint.
    pub(super) pipeline: String,
    /// The endpoint that is asked.
    pub(super) endpoint: Name,
    /// The first instant that is served.
    #[serde(deserialize_with = "instant")]
    pub(super) from: DataTime,
    /// The first that is not.
    #[serde(deserialize_with = "instant")]
    pub(super) until: DataTime,
    /// Hours that are added to an instant before it is cut into days.
    #[serde(default)]
    pub(super) day_offset_hours: i64,
    /// How much of a day is sent before the server is waited for.
    #[serde(default = "six")]
    pub(super) part_hours: u32,
    /// The Parquet files, relative to this one, by the names that expressions know them by.
    pub(super) tables: BTreeMap<String, String>,
    /// Which rows are requests.
    pub(super) requests: RequestPlan,
    /// What really happened.
    pub(super) label: LabelPlan,
    /// What is started again and again.
    #[serde(default)]
    pub(super) schedules: Vec<Schedule>,
    /// What is started once.
    #[serde(default)]
    pub(super) script: Vec<Scene>,
    /// How days are dealt anew.
    pub(super) shuffle: Option<ShufflePlan>,
    /// What must have happened in the end.
    #[serde(default)]
    pub(super) expect: Vec<Expectation>,
}

const fn six() -> u32 {
    6
}

/// Rows as requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestPlan {
    pub(super) table: String,
    /// When the request is made.
    pub(super) time: String,
    /// What it sticks to a version by.
    pub(super) key: String,
    /// What tells rows of one instant apart: they are asked in this order.
    pub(super) order: String,
    /// The values that it carries, by name.
    pub(super) entity: BTreeMap<String, String>,
    /// The output that is the score, and which of its columns.
    pub(super) output: String,
    pub(super) column: usize,
}

/// Labels.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelPlan {
    /// A truth value.
    pub(super) value: String,
    /// When it becomes known.
    pub(super) known: String,
}

/// A pipeline that is started every so many days.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    pub(super) pipeline: Name,
    pub(super) every_days: u32,
    /// How far ahead of the present its data time lies.
    #[serde(default)]
    pub(super) ahead_days: u32,
}

/// A pipeline that somebody starts once: not before an instant, and when no other run of it is under way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scene {
    /// What expectations call it.
    pub(super) name: String,
    #[serde(deserialize_with = "instant")]
    pub(super) not_before: DataTime,
    pub(super) pipeline: Name,
    #[serde(default)]
    pub(super) params: Map<String, Value>,
    /// What the story says.
    pub(super) say: String,
}

/// Whole days keep their rows and get other dates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShufflePlan {
    /// By table: the column of instants that move with their day.
    pub(super) columns: BTreeMap<String, String>,
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DataTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    DataTime::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no instant")))
}

impl Plan {
    /// Reads the file.
    pub(super) fn load(path: &Path) -> Result<Self, Failed> {
        let text = std::fs::read_to_string(path).map_err(|error| Failed::file(path, error))?;
        let plan: Self = serde_json::from_value(parse_document(&text)?)
            .map_err(|error| Failed::Usage(format!("{}: {error}", path.display())))?;
        if plan.part_hours == 0 || plan.from >= plan.until {
            let fault = "part_hours must be positive, and from must lie before until";
            return Err(Failed::Usage(format!("{}: {fault}", path.display())));
        }
        Ok(plan)
    }

    /// The number of the day that an instant belongs to.
    pub(super) fn day(&self, at: DataTime) -> i64 {
        at.plus(self.day_offset_hours * HOUR).day()
    }

    /// The date of an instant, as `2013-04-02`.
    pub(super) fn date(&self, at: DataTime) -> String {
        DataTime::from_micros(self.day(at) * DAY).to_string().chars().take(10).collect()
    }

    /// How much is sent at once.
    pub(super) fn part(&self) -> i64 {
        i64::from(self.part_hours) * HOUR
    }
}
