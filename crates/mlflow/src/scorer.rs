//! Scorers: register, list, get, delete, and how they are run on traces as they come.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::TextError;
use mainstay_evaluation::scorer::command::{ConfigureScorer, DeleteScorer, RegisterScorer};
use mainstay_evaluation::scorer::error::ScorerError;
use mainstay_evaluation::scorer::{
    OnlineConfig, OnlineConfigId, RegisteredScorer, ScorerId, SerializedScorer,
};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::run::Lifecycle;
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, double, int64, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Most experiments, or scorers, that one call names.
const MAX_NAMED: usize = 1_000;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    Table::v3()
        .post("scorers/register", write, register)
        .get("scorers/list", read, list)
        .get("scorers/versions", read, versions)
        .get("scorers/get", read, get)
        .delete("scorers/delete", Action::RunDelete, delete)
        .get("scorers/online-configs", read, online_configs)
        .put("scorers/online-config", write, configure)
        .rows()
}

/// `Scorer`, whose experiment is a number.
#[derive(Debug, Serialize)]
struct ScorerBody {
    experiment_id: u64,
    scorer_name: String,
    scorer_version: i64,
    serialized_scorer: String,
    creation_time: i64,
    scorer_id: String,
}

impl From<RegisteredScorer> for ScorerBody {
    fn from(RegisteredScorer { scorer, version }: RegisteredScorer) -> Self {
        Self {
            experiment_id: scorer.experiment.0,
            scorer_name: scorer.name,
            scorer_version: version.number,
            serialized_scorer: version.serialized,
            creation_time: version.created.millis(),
            scorer_id: scorer.id.to_string(),
        }
    }
}

#[derive(Debug, Serialize)]
struct One {
    scorer: ScorerBody,
}

#[derive(Debug, Serialize)]
struct Many {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scorers: Vec<ScorerBody>,
}

impl From<Vec<RegisteredScorer>> for Many {
    fn from(found: Vec<RegisteredScorer>) -> Self {
        Self { scorers: found.into_iter().map(ScorerBody::from).collect() }
    }
}

/// A message that names a scorer, and what some of them carry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    name: Option<String>,
    #[serde(deserialize_with = "int64")]
    version: Option<i64>,
    #[serde(alias = "serializedScorer")]
    serialized_scorer: Option<String>,
    #[serde(alias = "sampleRate", deserialize_with = "double")]
    sample_rate: Option<f64>,
    #[serde(alias = "filterString")]
    filter_string: Option<String>,
}

impl Named {
    fn key(&mut self) -> Result<(ExperimentId, String), Error> {
        let experiment = required("experiment_id", self.experiment_id.take())?;
        let name = required("name", self.name.take())?;
        if name.contains('\0') {
            return Err(TextError::Nul { field: "name" }.into());
        }
        Ok((ExperimentId::parse(&experiment)?, name))
    }
}

/// Refuses an experiment that is not there, or is deleted.
async fn check_active(state: &Mlflow, caller: &Caller, id: ExperimentId) -> Result<(), Error> {
    caller.admitted(ResourceKind::Experiment, id)?;
    let found = state.tracked.experiment(&caller.workspace, id).await?;
    let lifecycle = found.ok_or(ExperimentError::Missing(id))?.experiment.lifecycle;
    Ok(lifecycle.expect(Lifecycle::Active, || format!("experiment {id}"))?)
}

#[derive(Debug, Serialize)]
struct Registered {
    version: i64,
    scorer_id: String,
    experiment_id: String,
    name: String,
    serialized_scorer: String,
    creation_time: i64,
}

async fn register(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Registered>, Error> {
    let (experiment, name) = request.key()?;
    let scorer = SerializedScorer::new(required("serialized_scorer", request.serialized_scorer)?)?;
    if scorer.judge_endpoint()?.is_some() {
        // What the gateway's endpoints are called takes a role to know.
        caller.may(Action::GatewayRead, ResourceKind::Workspace, &caller.workspace)?;
    }
    let id = ScorerId::draw(&*state.entropy);
    let command = RegisterScorer::new(caller.workspace, id, experiment, name, scorer)?;
    let RegisteredScorer { scorer, version } = state.scorers.run(&caller.principal, command).await?;
    Ok(Json(Registered {
        version: version.number,
        scorer_id: scorer.id.to_string(),
        experiment_id: scorer.experiment.to_string(),
        name: scorer.name,
        serialized_scorer: version.serialized,
        creation_time: version.created.millis(),
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listing {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "experimentIds")]
    experiment_ids: Option<Vec<String>>,
}

/// Refuses a list that is longer than one call may ask for.
fn few<'a>(name: &'static str, list: &'a [String]) -> Result<&'a [String], MlflowError> {
    if list.len() > MAX_NAMED {
        return Err(MlflowError::invalid(name, list.len(), format!("name at most {MAX_NAMED} in one call")));
    }
    Ok(list)
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Listing>,
) -> Result<Json<Many>, Error> {
    let one = request.experiment_id.filter(|id| !id.is_empty());
    let experiments: Option<BTreeSet<ExperimentId>> = match (one, request.experiment_ids) {
        (Some(_), Some(_)) => return Err(MlflowError::TwoExperimentFields.into()),
        (Some(one), None) => {
            let id = ExperimentId::parse(&one)?;
            check_active(&state, &caller, id).await?;
            Some([id].into())
        }
        (None, Some(many)) => {
            let ids = few("experiment_ids", &many)?.iter().map(|id| ExperimentId::parse(id));
            Some(ids.collect::<Result<_, _>>()?)
        }
        (None, None) => None,
    };
    let mut found = state.scored.scorers(&caller.workspace, experiments.as_ref()).await?;
    let readable = caller.readable();
    found.retain(|one| readable.has(one.scorer.experiment));
    Ok(Json(found.into()))
}

async fn versions(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Many>, Error> {
    let (experiment, name) = request.key()?;
    check_active(&state, &caller, experiment).await?;
    let found = state.scored.scorer_versions(&caller.workspace, experiment, &name).await?;
    if found.is_empty() {
        return Err(ScorerError::NoScorer { experiment, name }.into());
    }
    Ok(Json(found.into()))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (experiment, name) = request.key()?;
    check_active(&state, &caller, experiment).await?;
    let found = state.scored.scorer_version(&caller.workspace, experiment, &name, request.version).await?;
    match (found, request.version) {
        (Some(found), _) => Ok(Json(One { scorer: found.into() })),
        (None, None) => Err(ScorerError::NoScorer { experiment, name }.into()),
        (None, Some(version)) => {
            let exists = state.scored.scorer_version(&caller.workspace, experiment, &name, None).await?;
            Err(match exists {
                Some(_) => ScorerError::NoVersion { experiment, name, version },
                None => ScorerError::NoScorer { experiment, name },
            }
            .into())
        }
    }
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (experiment, name) = request.key()?;
    let command = DeleteScorer { workspace: caller.workspace, experiment, name, version: request.version };
    state.scorers.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

/// `OnlineScoringConfig`.
#[derive(Debug, Serialize)]
struct ConfigBody {
    online_scoring_config_id: String,
    scorer_id: String,
    sample_rate: f64,
    experiment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_string: Option<String>,
}

impl From<OnlineConfig> for ConfigBody {
    fn from(config: OnlineConfig) -> Self {
        Self {
            online_scoring_config_id: config.id.to_string(),
            scorer_id: config.scorer.to_string(),
            sample_rate: config.sample_rate,
            experiment_id: config.experiment.to_string(),
            filter_string: config.filter,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigsOf {
    #[serde(alias = "scorerIds")]
    scorer_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Configs {
    configs: Vec<ConfigBody>,
}

async fn online_configs(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<ConfigsOf>,
) -> Result<Json<Configs>, Error> {
    if request.scorer_ids.is_empty() {
        return Err(MlflowError::Missing("scorer_ids").into());
    }
    // Texts that are no ids name no scorer.
    let ids = few("scorer_ids", &request.scorer_ids)?.iter().filter_map(|id| id.parse().ok()).collect();
    let found = state.scored.online_configs(&caller.workspace, &ids).await?;
    let readable = caller.readable();
    let seen = found.into_iter().filter(|config| readable.has(config.experiment));
    Ok(Json(Configs { configs: seen.map(ConfigBody::from).collect() }))
}

#[derive(Debug, Serialize)]
struct Configured {
    config: ConfigBody,
}

async fn configure(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Configured>, Error> {
    let (experiment, name) = request.key()?;
    let rate = request.sample_rate.ok_or(MlflowError::Missing("sample_rate"))?;
    let id = OnlineConfigId::draw(&*state.entropy);
    let filter = request.filter_string;
    let command = ConfigureScorer::new(caller.workspace, id, experiment, name, rate, filter)?;
    Ok(Json(Configured { config: state.scorers.run(&caller.principal, command).await?.into() }))
}
