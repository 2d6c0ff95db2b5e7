//! Metric histories of several runs, sampled, and the datasets that the runs of experiments used.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use mainstay_core::page::PageRequest;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::metric::sampled;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::search::{RunFilter, RunOrder, View};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::run_body::MetricBody;
use crate::wire::{int64, list, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;

/// Most runs in one call.
const MAX_RUNS: usize = 100;
/// Most points of one run.
const MAX_POINTS: usize = 2_500;
/// Most experiments in one call.
const MAX_EXPERIMENTS: usize = 20;
/// Most datasets in one answer.
const MAX_DATASETS: usize = 1_000;
/// How many runs are looked at at once.
const RUNS_AT_ONCE: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct History {
    #[serde(deserialize_with = "list")]
    run_ids: Vec<String>,
    metric_key: Option<String>,
    #[serde(deserialize_with = "int64")]
    start_step: Option<i64>,
    #[serde(deserialize_with = "int64")]
    end_step: Option<i64>,
    #[serde(deserialize_with = "int64")]
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Histories {
    metrics: Vec<MetricBody>,
}

fn rule(text: impl Into<String>) -> MlflowError {
    MlflowError::Rule(text.into())
}

const SEE: &str = " See the API docs for more information about request parameters.";

/// What a history asks for: its metric, its steps, and how many points of each run at most.
fn checked(request: &History) -> Result<(String, (i64, i64), usize), MlflowError> {
    if request.run_ids.is_empty() {
        return Err(MlflowError::Missing("run_ids"));
    }
    let asked = request.run_ids.len();
    if asked > MAX_RUNS {
        return Err(rule(format!(
            "GetMetricHistoryBulkInterval request must specify at most {MAX_RUNS} run_ids. \
             Received {asked} run_ids.{SEE}"
        )));
    }
    let metric = required("metric_key", request.metric_key.clone())?;
    let most = match request.max_results {
        None => Some(MAX_POINTS),
        Some(most) => usize::try_from(most).ok().filter(|most| (1..=MAX_POINTS).contains(most)),
    };
    let most = most.ok_or_else(|| rule(format!("max_results must be between 1 and {MAX_POINTS}.{SEE}")))?;
    let steps = match (request.start_step, request.end_step) {
        (None, None) => (i64::MIN, i64::MAX),
        (Some(start), Some(end)) if start <= end => (start, end),
        (Some(start), Some(end)) => {
            return Err(rule(format!(
                "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
            )));
        }
        _ => return Err(rule("If either start step or end step are specified, both must be specified.")),
    };
    Ok((metric, steps, most))
}

/// Points of a metric of each run, in the order in which the runs are named. A run that is not there has
/// none.
pub(super) async fn metric_history(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<History>,
) -> Result<Json<Histories>, Error> {
    let (metric, (start, end), most) = checked(&request)?;
    let mut metrics = Vec::new();
    for run in &request.run_ids {
        let Ok(id) = run.parse() else { continue };
        let points = state.tracked.points(&caller.workspace, id, &metric).await?;
        for point in sampled(points, start..=end, most) {
            metrics.push(MetricBody { run_id: Some(run.clone()), ..MetricBody::new(&*metric, point) });
        }
    }
    Ok(Json(Histories { metrics }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OfExperiments {
    #[serde(deserialize_with = "list")]
    experiment_ids: Vec<String>,
}

/// `DatasetSummary`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Summary {
    experiment_id: String,
    name: String,
    digest: String,
    context: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Summaries {
    dataset_summaries: BTreeSet<Summary>,
}

/// The datasets that the runs of experiments used, those of deleted runs included.
pub(super) async fn datasets(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<OfExperiments>,
) -> Result<Json<Summaries>, Error> {
    let asked = request.experiment_ids.len();
    if asked == 0 {
        return Err(rule("SearchDatasets request must specify at least one experiment_id.").into());
    }
    if asked > MAX_EXPERIMENTS {
        return Err(rule(format!(
            "SearchDatasets request cannot specify more than {MAX_EXPERIMENTS} experiment_ids. \
             Received {asked} experiment_ids."
        ))
        .into());
    }
    let experiments = request.experiment_ids.iter().map(|id| ExperimentId::parse(id));
    let mut query = RunQuery {
        experiments: experiments.collect::<Result<_, _>>()?,
        view: View::All,
        filter: RunFilter::parse("")?,
        order: RunOrder::parse(&[])?,
        page: PageRequest::first(RUNS_AT_ONCE),
    };
    let mut dataset_summaries = BTreeSet::new();
    loop {
        let found = state.runs.search(&query).await?;
        for run in state.tracked.runs(&caller.workspace, &found.items).await? {
            let experiment = run.run.experiment;
            dataset_summaries.extend(run.datasets.into_iter().map(|input| Summary {
                experiment_id: experiment.to_string(),
                context: input.context().map(str::to_owned),
                name: input.dataset.name,
                digest: input.dataset.digest,
            }));
        }
        while dataset_summaries.len() > MAX_DATASETS {
            dataset_summaries.pop_last();
        }
        if found.next.is_none() || dataset_summaries.len() == MAX_DATASETS {
            return Ok(Json(Summaries { dataset_summaries }));
        }
        query.page.after = found.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(run_ids: usize, steps: (Option<i64>, Option<i64>), max_results: Option<i64>) -> History {
        History {
            run_ids: vec!["a".repeat(32); run_ids],
            metric_key: Some("m".to_owned()),
            start_step: steps.0,
            end_step: steps.1,
            max_results,
        }
    }

    #[test]
    fn histories_are_checked_in_the_words_of_a_stock_server() {
        assert_eq!(
            checked(&history(100, (None, None), None)),
            Ok(("m".to_owned(), (i64::MIN, i64::MAX), 2_500))
        );
        assert_eq!(checked(&history(1, (Some(2), Some(2)), Some(1))), Ok(("m".to_owned(), (2, 2), 1)));
        for (request, text) in [
            (history(0, (None, None), None), "Missing value for required parameter 'run_ids'."),
            (
                history(101, (None, None), None),
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids.",
            ),
            (
                History { metric_key: None, ..history(1, (None, None), None) },
                "Missing value for required parameter 'metric_key'.",
            ),
            (history(1, (None, None), Some(0)), "max_results must be between 1 and 2500."),
            (history(1, (None, None), Some(2_501)), "max_results must be between 1 and 2500."),
            (
                history(1, (Some(1), Some(0)), None),
                "end_step must be greater than start_step. Found start_step=1 and end_step=0.",
            ),
            (
                history(1, (Some(1), None), None),
                "If either start step or end step are specified, both must be specified.",
            ),
        ] {
            let refused = checked(&request).unwrap_err().to_string();
            assert!(refused.starts_with(text), "{refused}");
        }
    }
}
