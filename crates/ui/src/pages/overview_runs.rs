//! What the overview says of experiments and runs: the newest, those that go on first.

use mainstay_api::Caller;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::time::MachineTime;
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::index::{Activity, RunSummary};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::search::{RunFilter, RunOrder, View};

use super::overview::SHOWN;
use super::run_columns::Status;
use crate::Console;
use crate::frame::Error;
use crate::show::figure::{count, number};
use crate::show::link;
use crate::show::moment::Moment;

/// Most runs that go on: some never say that they ended, and what did end is wanted too.
const GOING_ON: usize = 5;

/// A run of a script.
pub(super) struct TrackedRow {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) experiment: String,
    pub(super) experiment_href: String,
    pub(super) status: Status,
    pub(super) started: Moment,
    /// The metric that tells most of it.
    pub(super) figure: Option<(String, String)>,
    /// When it was last known to change: its end, or its start.
    pub(super) seen: MachineTime,
}

/// An experiment with runs.
pub(super) struct ExperimentRow {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) runs: String,
    pub(super) last: Moment,
}

/// The newest experiments and runs.
pub(super) struct Home {
    /// Those that go on first, each lot by its start.
    pub(super) runs: Vec<TrackedRow>,
    /// Those with the newest runs.
    pub(super) experiments: Vec<ExperimentRow>,
}

impl Console {
    pub(super) async fn home(&self, caller: &Caller) -> Result<Home, Error> {
        let (workspace, readable) = (&caller.workspace, caller.readable());
        let mut activity = self.runs.activity(workspace).await?;
        activity.retain(|one| readable.has(one.experiment));
        activity.sort_by_key(|one| std::cmp::Reverse((one.newest.start_ms, one.experiment)));
        let among: Vec<ExperimentId> = activity.iter().map(|one| one.experiment).collect();
        let mut found = self.newest_runs(workspace, &among, "status = 'RUNNING'", GOING_ON).await?;
        let left = SHOWN.saturating_sub(found.len());
        found.extend(self.newest_runs(workspace, &among, "status != 'RUNNING'", left).await?);
        let mut runs = Vec::new();
        for run in found {
            let experiment = self.experiment_name(workspace, run.run.experiment).await?;
            runs.push(tracked_row(&run, experiment, self.now()));
        }
        let mut experiments = Vec::new();
        for Activity { experiment, runs, newest } in activity.into_iter().take(SHOWN) {
            experiments.push(ExperimentRow {
                href: link::experiment(experiment),
                name: self.experiment_name(workspace, experiment).await?,
                runs: count(runs as u64),
                last: Moment::of_millis(newest.start_ms, self.now()),
            });
        }
        Ok(Home { runs, experiments })
    }

    async fn newest_runs(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
        filter: &str,
        limit: usize,
    ) -> Result<Vec<RunSummary>, TrackingError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = RunQuery {
            workspace: workspace.clone(),
            experiments: experiments.to_vec(),
            view: View::Active,
            filter: RunFilter::parse(filter)?,
            order: RunOrder::default(),
            page: PageRequest::first(limit),
        };
        Ok(self.runs.search(&query).await?.items)
    }

    /// What people call an experiment; its id, where it is gone meanwhile.
    async fn experiment_name(&self, workspace: &Name, id: ExperimentId) -> Result<String, StorageError> {
        let found = self.tracked.experiment(workspace, id).await?;
        Ok(found.map_or_else(|| id.to_string(), |found| found.experiment.name.to_string()))
    }
}

fn tracked_row(summary: &RunSummary, experiment: String, now: MachineTime) -> TrackedRow {
    let run = &summary.run;
    let seen = run.end_ms.unwrap_or(run.start_ms);
    TrackedRow {
        href: link::run(run.id),
        name: run.name.clone(),
        experiment,
        experiment_href: link::experiment(run.experiment),
        status: run.status.into(),
        started: Moment::of_millis(run.start_ms, now),
        figure: telling(summary).map(|(key, latest)| (key.clone(), number(latest.value))),
        seen: MachineTime::from_micros(seen.saturating_mul(1_000)),
    }
}

/// The metric that tells most of a run: of a validation, else one with a history, else any.
fn telling(run: &RunSummary) -> Option<(&String, &Latest)> {
    let finite = || run.metrics.iter().filter(|(_, latest)| latest.value.is_finite());
    let judged = |key: &str| ["val", "test", "eval"].iter().any(|word| key.starts_with(word));
    let validation = finite().find(|(key, _)| judged(key));
    validation.or_else(|| finite().find(|(_, latest)| latest.step > 0)).or_else(|| finite().next())
}
