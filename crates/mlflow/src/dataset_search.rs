//! `POST experiments/search-datasets`: which datasets the runs of some experiments used.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::input::{DatasetUse, uses};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::table::Table;
use crate::wire::list;
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Most experiments in one call (`MAX_EXPERIMENT_IDS_PER_SEARCH_DATASETS`).
const MAX_EXPERIMENTS: usize = 20;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2().post("experiments/search-datasets", Action::RunRead, search).rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SearchDatasets {
    #[serde(alias = "experimentIds", deserialize_with = "list")]
    experiment_ids: Vec<String>,
}

/// `DatasetSummary`.
#[derive(Debug, Serialize)]
struct Summary {
    experiment_id: String,
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

impl From<DatasetUse> for Summary {
    fn from(DatasetUse { experiment, name, digest, context }: DatasetUse) -> Self {
        Self { experiment_id: experiment.to_string(), name, digest, context }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_summaries: Vec<Summary>,
}

pub(crate) async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<SearchDatasets>,
) -> Result<Json<Found>, Error> {
    let wrong = |rule: String| MlflowError::Bulk { call: "SearchDatasets", rule };
    let asked = request.experiment_ids.len();
    if asked == 0 {
        return Err(wrong("must specify at least one experiment_id.".to_owned()).into());
    }
    if asked > MAX_EXPERIMENTS {
        let rule = format!(
            "cannot specify more than {MAX_EXPERIMENTS} experiment_ids. Received {asked} experiment_ids."
        );
        return Err(wrong(rule).into());
    }
    let experiments = request.experiment_ids.iter().map(|id| ExperimentId::parse(id));
    let mut experiments: Vec<ExperimentId> = experiments.collect::<Result<_, _>>()?;
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    let all = state.tracked.dataset_uses(&caller.workspace, &experiments).await?;
    Ok(Json(Found { dataset_summaries: uses(all).into_iter().map(Summary::from).collect() }))
}
