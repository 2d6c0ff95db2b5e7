//! The columns of a table of runs: as the address names them, and what a cell says.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::time::MachineTime;
use mainstay_tracking::index::RunSummary;
use mainstay_tracking::run::{Run, RunStatus};

use super::table_page::TableColumn;
use crate::show::figure::{exact, logged};
use crate::show::moment::{Moment, span};

/// Most columns that the server draws.
pub(super) const MOST: usize = 100;
/// Most columns of metrics, and of parameters, where the address names none.
const USUAL: usize = 5;

/// A run's status: a word and its look.
pub(super) struct Status {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl From<RunStatus> for Status {
    fn from(status: RunStatus) -> Self {
        let (word, class) = match status {
            RunStatus::Running => ("running", "now"),
            RunStatus::Scheduled => ("scheduled", "idle"),
            RunStatus::Finished => ("finished", "ok"),
            RunStatus::Failed => ("failed", "bad"),
            RunStatus::Killed => ("killed", "bad"),
        };
        Self { word, class }
    }
}

/// How long a run took; empty while it goes on.
pub(super) fn lasted(run: &Run) -> String {
    run.end_ms.map_or_else(String::new, |end| span(end.saturating_sub(run.start_ms).saturating_mul(1_000)))
}

/// Whose values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Attribute,
    Metric,
    Param,
    Tag,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    kind: Kind,
    key: String,
    /// Stays in sight when the table is moved sideways.
    pinned: bool,
    width: Option<u32>,
}

/// What a cell shows.
pub(super) enum Cell {
    /// Nothing is known.
    Empty,
    Text(String),
    Number(String),
    /// A number rounded, and all of it.
    Logged(String, String),
    Status(Status),
    Moment(Moment),
}

const ATTRIBUTES: [&str; 8] =
    ["run_id", "experiment_id", "user_id", "status", "start_time", "end_time", "duration", "artifact_uri"];

impl Column {
    fn new(kind: Kind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into(), pinned: false, width: None }
    }

    /// Reads what an address says: a `!` if it is pinned, a width in pixels with a colon, and the column as the
    /// search language writes it: ``!160:metrics.`val/loss` ``.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (pinned, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let sized = rest.split_once(':').and_then(|(width, rest)| Some((width.parse::<u32>().ok()?, rest)));
        let (width, name) = sized.map_or((None, rest), |(width, rest)| (Some(width), rest));
        let column = match name.split_once('.') {
            Some((entity, key)) => {
                let kind = match entity {
                    "metrics" => Kind::Metric,
                    "params" => Kind::Param,
                    "tags" => Kind::Tag,
                    _ => return None,
                };
                let bare = key.strip_prefix('`').and_then(|key| key.strip_suffix('`')).unwrap_or(key);
                Self::new(kind, bare)
            }
            None => Self::new(Kind::Attribute, *ATTRIBUTES.iter().find(|known| **known == name)?),
        };
        Some(Self { pinned, width: width.map(|width| width.clamp(48, 1_200)), ..column })
    }

    /// What stands above it.
    pub(super) fn title(&self) -> &str {
        match self.key.as_str() {
            _ if self.kind != Kind::Attribute => &self.key,
            "start_time" => "Started",
            "end_time" => "Ended",
            "duration" => "Took",
            "status" => "Status",
            "user_id" => "User",
            "run_id" => "Run id",
            "experiment_id" => "Experiment",
            _ => "Artifacts",
        }
    }

    /// Whether its cells are numbers.
    pub(super) fn is_number(&self) -> bool {
        self.kind == Kind::Metric || self.key == "duration"
    }

    /// What the address says of it.
    pub(super) fn written(&self) -> String {
        let pinned = if self.pinned { "!" } else { "" };
        let width = self.width.map_or_else(String::new, |width| format!("{width}:"));
        format!("{pinned}{width}{self}")
    }

    /// The run's value.
    pub(super) fn cell(&self, run: &RunSummary, now: MachineTime) -> Cell {
        let text = |text: &str| if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) };
        let known = |found: Option<&String>| found.map_or(Cell::Empty, |value| Cell::Text(value.clone()));
        match self.kind {
            Kind::Metric => {
                let found = run.metrics.get(&self.key);
                found.map_or(Cell::Empty, |point| Cell::Logged(logged(point.value), exact(point.value)))
            }
            Kind::Param => known(run.params.get(&self.key)),
            Kind::Tag => known(run.tags.get(&self.key)),
            Kind::Attribute => match self.key.as_str() {
                "status" => Cell::Status(run.run.status.into()),
                "start_time" => Cell::Moment(Moment::of_millis(run.run.start_ms, now)),
                "end_time" => {
                    run.run.end_ms.map_or(Cell::Empty, |end| Cell::Moment(Moment::of_millis(end, now)))
                }
                "duration" => match lasted(&run.run) {
                    empty if empty.is_empty() => Cell::Empty,
                    lasted => Cell::Number(lasted),
                },
                "user_id" => text(&run.run.user),
                "run_id" => text(&run.run.id.to_string()),
                "experiment_id" => text(&run.run.experiment.to_string()),
                _ => text(&run.run.artifact_uri),
            },
        }
    }

    /// What most of these runs have, where nobody chose.
    pub(super) fn usual(runs: &[RunSummary]) -> Vec<Self> {
        let mut columns: Vec<Self> =
            ["status", "start_time", "duration"].map(|key| Self::new(Kind::Attribute, key)).into();
        let metrics = most_common(runs.iter().map(|run| run.metrics.keys()));
        let params = most_common(runs.iter().map(|run| run.params.keys()));
        columns.extend(metrics.into_iter().map(|key| Self::new(Kind::Metric, key)));
        columns.extend(params.into_iter().map(|key| Self::new(Kind::Param, key)));
        columns
    }
}

impl TableColumn for Column {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn title(&self) -> &str {
        self.title()
    }

    fn is_number(&self) -> bool {
        self.is_number()
    }

    fn written(&self) -> String {
        self.written()
    }

    fn ordered_by(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// As the search language writes it.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entity = match self.kind {
            Kind::Attribute => return f.write_str(&self.key),
            Kind::Metric => "metrics",
            Kind::Param => "params",
            Kind::Tag => "tags",
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if self.key.chars().all(plain) {
            write!(f, "{entity}.{}", self.key)
        } else {
            write!(f, "{entity}.`{}`", self.key)
        }
    }
}

/// The keys that most runs have; of those that as many have, the ones with the fewest prefixes first, then by name. A
/// client's own (`system/…`) are left out.
fn most_common<'k>(keys: impl Iterator<Item = impl Iterator<Item = &'k String>>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for key in keys.flatten().filter(|key| !key.starts_with("system/")) {
        *counts.entry(key).or_default() += 1;
    }
    let mut ranked: Vec<(&str, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), key.matches('/').count()));
    ranked.into_iter().take(USUAL).map(|(key, _)| key.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_most_runs_have_come_first() {
        let run = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<String>>();
        let wide = run(&["a/x", "a/y", "b/z", "loss", "acc", "rare", "system/cpu"]);
        let runs = [wide.clone(), wide, run(&["loss", "b/z", "system/cpu"])];
        let chosen = most_common(runs.iter().map(|keys| keys.iter()));
        assert_eq!(chosen, ["loss", "b/z", "acc", "rare", "a/x"]);
    }

    #[test]
    fn a_column_reads_as_it_is_written() {
        for text in
            ["metrics.loss", "!160:metrics.`val/loss`", "!start_time", "80:params.`a b`", "tags.mlflow.user"]
        {
            assert_eq!(Column::parse(text).unwrap().written(), text);
        }
        for wrong in ["", "nothing", "metric.loss", "datasets.name", "160:"] {
            assert_eq!(Column::parse(wrong), None, "{wrong}");
        }
        let huge = Column::parse("99999:metrics.a").unwrap();
        assert_eq!(huge.written(), "1200:metrics.a", "nobody draws a column that wide");
    }
}
