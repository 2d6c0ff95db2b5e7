//! Which traces are wanted: the rows that are left after each comparison.

use super::TraceIndex;
use crate::info::key;
use crate::search::{TextAttribute, TimeAttribute, TraceFilter, TraceTest};
use mainstay_columns::column::{Sparse, TextColumn};
use mainstay_columns::narrow::narrow;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::search::TextTest;

impl TraceIndex {
    /// The slots of the wanted traces, ascending, of those experiments that are the workspace's.
    pub(crate) fn select(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
        filter: &TraceFilter,
    ) -> Vec<u32> {
        let mut experiments = experiments.to_vec();
        experiments.sort_unstable();
        experiments.dedup();
        let known = experiments.iter().filter_map(|experiment| self.by_experiment.get(experiment));
        let own = known.filter(|known| known.workspace == *workspace);
        let mut rows: Vec<u32> = own.flat_map(|own| &own.slots).copied().collect();
        rows.sort_unstable();
        let scope = rows.clone();
        narrow(&mut rows, &filter.tests, &|rows, test| self.test(rows, &scope, test));
        rows
    }

    fn test(&self, rows: &mut Vec<u32>, scope: &[u32], test: &TraceTest) {
        match test {
            TraceTest::Time(TimeAttribute::Start, test) => {
                keep(rows, &self.starts, |start| test.holds(*start as f64));
            }
            TraceTest::Time(TimeAttribute::Duration, test) => {
                keep(rows, &self.durations, |length| length.is_some_and(|length| test.holds(length as f64)));
            }
            TraceTest::Time(TimeAttribute::End, test) => {
                rows.retain(|row| test.holds(self.end(*row).unwrap_or(0) as f64));
            }
            TraceTest::Text(TextAttribute::Id, test) => keep(rows, &self.ids, |id| test.holds(id.as_str())),
            TraceTest::Text(TextAttribute::State, test) => {
                keep(rows, &self.states, |state| test.holds(state.as_str()));
            }
            TraceTest::Text(TextAttribute::ClientRequest, test) => {
                narrow_text(rows, Some(&self.client_requests), test);
            }
            TraceTest::Name(test) => self.narrow_names(rows, test),
            TraceTest::Tag(key, test) => narrow_text(rows, self.tags.get(key), test),
            TraceTest::Metadata(key, test) => narrow_text(rows, self.metadata.get(key), test),
            TraceTest::Run(run) => {
                let mut made_in = rows.clone();
                let test = TextTest::Equal(run.clone());
                narrow_text(&mut made_in, self.metadata.get(key::SOURCE_RUN), &test);
                narrow_links(rows, &self.runs, run);
                rows.extend(made_in);
                rows.sort_unstable();
                rows.dedup();
            }
            TraceTest::Prompt(prompt) => narrow_links(rows, &self.prompts, prompt),
            TraceTest::Assessed(test) => self.narrow_assessed(rows, scope, test),
            TraceTest::Issue(id) => self.narrow_issue(rows, id),
        }
    }

    /// A trace has a name of its own, or its root's, or none.
    fn narrow_names(&self, rows: &mut Vec<u32>, test: &TextTest) {
        let mut roots = rows.clone();
        let (named, missing) = (self.tags.get(key::NAME), test.wants_missing());
        narrow_text(rows, named, test);
        if self.roots.is_empty() {
            return;
        }
        self.roots.retain(&mut roots, false, |text| test.holds(text));
        if missing {
            // Those without a name of their own, less those with a root's.
            self.roots.retain(rows, true, |_| false);
        }
        rows.extend(roots);
        rows.sort_unstable();
        rows.dedup();
    }

    /// When a trace ended, or began if it goes on: milliseconds since the Unix epoch. That is what `end_time_ms` is to
    /// filters and orders.
    pub(super) fn end(&self, slot: u32) -> Option<i64> {
        let duration = self.durations.get(slot as usize).copied().flatten().unwrap_or_default();
        self.starts.get(slot as usize).map(|start| start.saturating_add(duration))
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

fn narrow_links(rows: &mut Vec<u32>, column: &Sparse<Vec<String>>, wanted: &str) {
    column.retain(rows, |links| links.is_some_and(|links| links.iter().any(|link| link == wanted)));
}
