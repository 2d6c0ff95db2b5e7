//! Which runs are wanted: the rows that are left after each comparison.

use mainstay_core::name::Name;
use mainstay_core::search::TextTest;

use super::column::TextColumn;
use super::part::Part;
use super::{DatasetRef, RunIndex};
use crate::experiment::ExperimentId;
use crate::search::{DatasetField, RunFilter, RunTest, TextAttribute, TimeAttribute, View};

/// The wanted runs of one experiment.
pub(super) struct Found<'a> {
    pub(super) part: &'a Part,
    /// Their slots, ascending.
    pub(super) rows: Vec<u32>,
}

impl RunIndex {
    /// The wanted runs of those experiments that are the workspace's, each experiment once.
    pub(super) fn select(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
        view: View,
        filter: &RunFilter,
    ) -> Vec<Found<'_>> {
        let mut experiments = experiments.to_vec();
        experiments.sort_unstable();
        experiments.dedup();
        let parts = experiments.iter().filter_map(|experiment| self.parts.get(experiment));
        let found = parts.filter(|part| part.workspace == *workspace).map(|part| part.select(view, filter));
        found.filter(|found| !found.rows.is_empty()).collect()
    }
}

impl Part {
    fn select(&self, view: View, filter: &RunFilter) -> Found<'_> {
        let shown = (0..)
            .zip(&self.lifecycles)
            .filter(|(_, lifecycle)| lifecycle.is_some_and(|lifecycle| view.shows(lifecycle)));
        let mut rows: Vec<u32> = shown.map(|(slot, _)| slot).collect();
        for test in &filter.tests {
            self.narrow(&mut rows, test);
        }
        Found { part: self, rows }
    }

    fn narrow(&self, rows: &mut Vec<u32>, test: &RunTest) {
        match test {
            RunTest::Metric(key, test) => match self.metrics.get(key) {
                Some(column) => {
                    column.retain(rows, |value| value.is_some_and(|value| test.holds(value)));
                }
                None => rows.clear(),
            },
            RunTest::Param(key, test) => narrow_text(rows, self.params.get(key), test),
            RunTest::Tag(key, test) => narrow_text(rows, self.tags.get(key), test),
            RunTest::Time(TimeAttribute::Start, test) => {
                keep(rows, &self.starts, |start| test.holds(*start as f64));
            }
            RunTest::Time(TimeAttribute::End, test) => {
                keep(rows, &self.ends, |end| end.is_some_and(|end| test.holds(end as f64)));
            }
            RunTest::Text(attribute, test) => self.narrow_attribute(rows, *attribute, test),
            RunTest::Dataset(field, test) => {
                let any = |datasets: &Vec<DatasetRef>| {
                    datasets
                        .iter()
                        .any(|dataset| dataset_field(dataset, *field).is_some_and(|text| test.holds(text)))
                };
                self.datasets.retain(rows, |datasets| datasets.is_some_and(any));
            }
        }
    }

    fn narrow_attribute(&self, rows: &mut Vec<u32>, attribute: TextAttribute, test: &TextTest) {
        match attribute {
            TextAttribute::RunId => keep(rows, &self.ids, |id| test.holds(&id.to_string())),
            TextAttribute::RunName => self.names.retain(rows, false, |name| test.holds(name)),
            TextAttribute::User => self.users.retain(rows, false, |user| test.holds(user)),
            TextAttribute::Status => keep(rows, &self.statuses, |status| test.holds(status.as_str())),
            TextAttribute::ArtifactUri => {
                rows.retain(|row| self.artifact_uri(*row).is_some_and(|uri| test.holds(&uri)));
            }
        }
    }
}

fn keep<T>(rows: &mut Vec<u32>, column: &[T], wanted: impl Fn(&T) -> bool) {
    rows.retain(|row| column.get(*row as usize).is_some_and(&wanted));
}

fn narrow_text(rows: &mut Vec<u32>, column: Option<&TextColumn>, test: &TextTest) {
    match column {
        Some(column) => column.retain(rows, test.wants_missing(), |text| test.holds(text)),
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
