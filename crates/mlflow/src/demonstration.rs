//! `demo/generate` and `demo/delete`: the calls by which a stock server's pages fill an empty server. What is recorded
//! here is another demonstration than stock's, in which everything happened: `mainstay-demonstration`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use bytes::Bytes;
use http::StatusCode;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_demonstration::feature::{Feature, Features};
use serde::{Deserialize, Serialize};

use crate::table::Table;
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::dialect::BodyError;
use mainstay_api::oip::Refusal;
use mainstay_api::route::Route;

/// Largest body, in bytes: a list of a few words.
const LIMIT: usize = 64 << 10;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let rows = Table::ajax("/3.0/mlflow")
        .post("demo/generate", Action::ExperimentCreate, generate)
        .post("demo/delete", Action::RunPurge, delete)
        .rows();
    rows.into_iter().map(|route| route.with_body_limit(LIMIT)).collect()
}

/// What is to be recorded; all of it, where nothing is named.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Generate {
    features: Option<Vec<String>>,
}

impl Generate {
    /// Reads a body, which may be empty.
    fn read(body: Result<Bytes, BytesRejection>) -> Result<Self, Error> {
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => BodyError::TooLarge { limit: LIMIT },
            _ => BodyError::Incomplete,
        })?;
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        BodyError::unless_object(&body)?;
        Ok(serde_json::from_slice(&body).map_err(|error| BodyError::Malformed(error.to_string()))?)
    }

    fn wanted(self) -> Result<Features, MlflowError> {
        let named = self.features.unwrap_or_default();
        if named.is_empty() {
            return Ok(Feature::ALL.into());
        }
        let known = |name: String| {
            name.parse().map_err(|_| {
                let name: String = name.chars().take(100).collect();
                MlflowError::invalid("features", name, "the demonstration has 'traces' and 'evaluation'")
            })
        };
        named.into_iter().map(known).collect()
    }
}

#[derive(Debug, Serialize)]
struct Told {
    status: &'static str,
    experiment_id: String,
    features_generated: Vec<&'static str>,
    navigation_url: String,
}

async fn generate(
    State(state): State<MlflowState>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Told>, Error> {
    let wanted = Generate::read(body)?.wanted()?;
    let there = state.demonstrations.record(&caller.principal, &caller.workspace, &wanted).await;
    let there = there.map_err(Refusal::from)?;
    // It may be somebody else's, and not for everybody to read.
    caller.doing(Action::RunRead).admitted(ResourceKind::Experiment, there.experiment)?;
    Ok(Json(Told {
        status: if there.recorded.is_empty() { "exists" } else { "created" },
        experiment_id: there.experiment.to_string(),
        features_generated: names(&there.recorded),
        navigation_url: format!("/experiments/{}", there.experiment),
    }))
}

#[derive(Debug, Serialize)]
struct Deleted {
    status: &'static str,
    features_deleted: Vec<&'static str>,
}

async fn delete(State(state): State<MlflowState>, caller: Caller) -> Result<Json<Deleted>, Error> {
    let removed = state.demonstrations.remove(&caller.principal, &caller.workspace).await;
    let features_deleted = names(&removed.map_err(Refusal::from)?);
    Ok(Json(Deleted { status: "deleted", features_deleted }))
}

fn names(features: &Features) -> Vec<&'static str> {
    features.iter().map(|feature| feature.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(body: &'static str) -> Option<Vec<&'static str>> {
        let read = Generate::read(Ok(Bytes::from_static(body.as_bytes()))).ok()?;
        read.wanted().ok().map(|features| names(&features))
    }

    #[test]
    fn features_are_named_or_all_of_them() {
        for all in ["", " ", "{}", r#"{"features": null}"#, r#"{"features": []}"#] {
            assert_eq!(wanted(all), Some(vec!["traces", "evaluation"]), "{all}");
        }
        assert_eq!(wanted(r#"{"features": ["evaluation", "evaluation"]}"#), Some(vec!["evaluation"]));
        for bad in [r#"{"features": ["prompts"]}"#, r#"{"features": "traces"}"#, "[1]", "traces"] {
            assert_eq!(wanted(bad), None, "{bad}");
        }
    }
}
