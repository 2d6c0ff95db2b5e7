//! Which runs are wanted: the rows that are left after each comparison.

use mainstay_core::search::TextTest;

use super::{DatasetRef, RunIndex};
use crate::experiment::ExperimentId;
use crate::search::{DatasetField, RunFilter, RunTest, TextAttribute, TimeAttribute, View};

impl RunIndex {
    /// The slots of the wanted runs, ascending.
    pub(super) fn select(&self, experiments: &[ExperimentId], view: View, filter: &RunFilter) -> Vec<u32> {
        let mut rows: Vec<u32> = Vec::new();
        for experiment in experiments {
            rows.extend(self.by_experiment.get(experiment).into_iter().flatten());
        }
        if experiments.len() > 1 {
            rows.sort_unstable();
            rows.dedup();
        }
        keep(&mut rows, &self.lifecycles, |lifecycle| view.shows(*lifecycle));
        for test in &filter.tests {
            self.narrow(&mut rows, test);
        }
        rows
    }

    fn narrow(&self, rows: &mut Vec<u32>, test: &RunTest) {
        match test {
            RunTest::Metric(key, test) => match self.metrics.get(key) {
                Some(column) => {
                    column.retain(rows, |value| value.is_some_and(|value| test.holds(*value)));
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
            TextAttribute::RunName => keep(rows, &self.names, |name| test.holds(name)),
            TextAttribute::User => keep(rows, &self.users, |user| test.holds(user)),
            TextAttribute::Status => keep(rows, &self.statuses, |status| test.holds(status.as_str())),
            TextAttribute::ArtifactUri => keep(rows, &self.artifact_uris, |uri| test.holds(uri)),
        }
    }
}

fn keep<T>(rows: &mut Vec<u32>, column: &[T], wanted: impl Fn(&T) -> bool) {
    rows.retain(|row| column.get(*row as usize).is_some_and(&wanted));
}

fn narrow_text(rows: &mut Vec<u32>, column: Option<&super::TextColumn>, test: &TextTest) {
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
