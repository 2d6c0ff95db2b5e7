//! Which runs are wanted: the rows that are left after each test.

use std::cell::Cell;

use mainstay_core::name::Name;
use mainstay_core::search::TextTest;
use mainstay_core::time::{Clock, MachineTime};

use super::part::Part;
use super::{DatasetRef, RunIndex};
use crate::experiment::ExperimentId;
use crate::search::{DatasetField, RunFilter, RunTest, SearchError, TextAttribute, TimeAttribute, View};
use mainstay_columns::column::TextColumn;
use mainstay_columns::narrow::narrow;

/// Bytes of text that are compared between two looks at the clock.
const BETWEEN_LOOKS: usize = 1 << 14;

/// Until when a search may take.
#[derive(Clone, Copy, Default)]
pub struct Deadline<'a>(Option<(&'a dyn Clock, MachineTime)>);

impl<'a> Deadline<'a> {
    /// As long as it takes.
    pub const NONE: Self = Self(None);

    /// Until then.
    pub const fn at(clock: &'a dyn Clock, then: MachineTime) -> Self {
        Self(Some((clock, then)))
    }

    fn is_over(self) -> bool {
        self.0.is_some_and(|(clock, then)| clock.now() > then)
    }
}

/// Which runs are wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Of this workspace.
    pub workspace: &'a Name,
    /// Of these experiments.
    pub experiments: &'a [ExperimentId],
    /// Whether deleted ones are shown.
    pub view: View,
    /// Those that pass it.
    pub filter: &'a RunFilter,
    /// Until when they may be looked for.
    pub deadline: Deadline<'a>,
}

/// The wanted runs of one experiment.
pub(super) struct Found<'a> {
    pub(super) part: &'a Part,
    /// Their slots, ascending.
    pub(super) rows: Vec<u32>,
}

impl RunIndex {
    /// The columns of those experiments that are the workspace's, each experiment once, in their order.
    pub(super) fn parts(&self, workspace: &Name, experiments: &[ExperimentId]) -> Vec<&Part> {
        let mut experiments = experiments.to_vec();
        experiments.sort_unstable();
        experiments.dedup();
        let parts = experiments.iter().filter_map(|experiment| self.parts.get(experiment));
        parts.filter(|part| part.workspace == *workspace).collect()
    }

    /// The wanted runs, experiment by experiment.
    pub(super) fn select(&self, wanted: &Wanted<'_>) -> Result<Vec<Found<'_>>, SearchError> {
        let watch = Watch { deadline: wanted.deadline, compared: Cell::new(0), is_over: Cell::new(false) };
        let parts = self.parts(wanted.workspace, wanted.experiments).into_iter();
        let found = parts.map(|part| part.select(wanted.view, wanted.filter, &watch));
        let found = found.filter(|found| !found.rows.is_empty()).collect();
        if watch.is_over.get() { Err(SearchError::TooSlow) } else { Ok(found) }
    }
}

/// Looks at the clock now and then, and gives up once it is too late.
struct Watch<'a> {
    deadline: Deadline<'a>,
    compared: Cell<usize>,
    is_over: Cell<bool>,
}

impl Watch<'_> {
    fn look(&self) {
        self.compared.set(0);
        if self.deadline.is_over() {
            self.is_over.set(true);
        }
    }

    /// Whether a text passes; once it is too late, none does.
    fn holds(&self, test: &TextTest, value: &str) -> bool {
        self.compared.set(self.compared.get() + value.len());
        if self.compared.get() > BETWEEN_LOOKS {
            self.look();
        }
        !self.is_over.get() && test.holds(value)
    }
}

impl Part {
    fn select(&self, view: View, filter: &RunFilter, watch: &Watch<'_>) -> Found<'_> {
        let shown = (0..)
            .zip(&self.lifecycles)
            .filter(|(_, lifecycle)| lifecycle.is_some_and(|lifecycle| view.shows(lifecycle)));
        let mut rows: Vec<u32> = shown.map(|(slot, _)| slot).collect();
        narrow(&mut rows, &filter.0, &|rows, test| {
            watch.look();
            if !watch.is_over.get() {
                self.test(rows, test, watch);
            }
        });
        Found { part: self, rows }
    }

    fn test(&self, rows: &mut Vec<u32>, test: &RunTest, watch: &Watch<'_>) {
        match test {
            RunTest::Metric(key, test) => match self.metrics.get(key) {
                Some(column) => {
                    column
                        .retain(rows, |value| value.map_or(test.wants_missing(), |value| test.holds(value)));
                }
                None if test.wants_missing() => {}
                None => rows.clear(),
            },
            RunTest::Param(key, test) => narrow_text(rows, self.params.get(key), test, watch),
            RunTest::Tag(key, test) => narrow_text(rows, self.tags.get(key), test, watch),
            RunTest::Time(attribute, test) => rows.retain(|row| {
                let number = self.time(*row, *attribute);
                number.map_or(test.wants_missing(), |number| test.holds(number as f64))
            }),
            RunTest::Text(attribute, test) => self.test_attribute(rows, *attribute, test, watch),
            RunTest::Dataset(field, test) => {
                let any = |datasets: &Vec<DatasetRef>| {
                    let mut texts = datasets.iter().filter_map(|dataset| dataset_field(dataset, *field));
                    match test {
                        TextTest::Missing => texts.next().is_none(),
                        test => texts.any(|text| watch.holds(test, text)),
                    }
                };
                self.datasets.retain(rows, |datasets| datasets.map_or(test.wants_missing(), any));
            }
        }
    }

    fn test_attribute(
        &self,
        rows: &mut Vec<u32>,
        attribute: TextAttribute,
        test: &TextTest,
        watch: &Watch<'_>,
    ) {
        let holds = |text: &str| watch.holds(test, text);
        match attribute {
            TextAttribute::RunId => keep(rows, &self.ids, |id| holds(&id.to_string())),
            TextAttribute::Experiment => {
                if !holds(&self.experiment().to_string()) {
                    rows.clear();
                }
            }
            TextAttribute::RunName => narrow_text(rows, Some(&self.names), test, watch),
            TextAttribute::User => narrow_text(rows, Some(&self.users), test, watch),
            TextAttribute::Status => keep(rows, &self.statuses, |status| holds(status.as_str())),
            TextAttribute::ArtifactUri => {
                rows.retain(|row| self.artifact_uri(*row).map_or(test.wants_missing(), |uri| holds(&uri)));
            }
        }
    }

    /// A numeric attribute of a run, in milliseconds.
    pub(super) fn time(&self, row: u32, attribute: TimeAttribute) -> Option<i64> {
        let start = self.starts.get(row as usize).copied();
        let end = || self.ends.get(row as usize).copied().flatten();
        match attribute {
            TimeAttribute::Start => start,
            TimeAttribute::End => end(),
            TimeAttribute::Duration => Some(end()?.saturating_sub(start?)),
        }
    }
}

fn keep<T>(rows: &mut Vec<u32>, column: &[T], wanted: impl Fn(&T) -> bool) {
    rows.retain(|row| column.get(*row as usize).is_some_and(&wanted));
}

fn narrow_text(rows: &mut Vec<u32>, column: Option<&TextColumn>, test: &TextTest, watch: &Watch<'_>) {
    match column {
        Some(column) => column.retain(rows, test.wants_missing(), |text| watch.holds(test, text)),
        None if test.wants_missing() => {}
        None => rows.clear(),
    }
}

fn dataset_field(dataset: &DatasetRef, field: DatasetField) -> Option<&str> {
    match field {
        DatasetField::Name => Some(&dataset.name),
        DatasetField::Digest => Some(&dataset.digest),
        DatasetField::Context => dataset.context.as_deref(),
    }
}
