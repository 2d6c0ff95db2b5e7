//! The fields of operations, each of which is a REST call.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::page::PageRequest;
use mainstay_registry::search::{VersionFilter, VersionOrder, VersionSearch};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::plan::{Planned, Wanted};
use super::schema::{Call, RUN_EXPERIMENT, RUN_VERSIONS, snake};
use crate::model_body::VersionBody;
use crate::registry_search::VERSIONS_PAGE;
use crate::run_search::PAGE as RUNS_PAGE;
use crate::{
    Error, MlflowState, artifact_list, body, dataset_search, experiment, metric_history_bulk,
    registry_search, run, run_search,
};
use mainstay_api::caller::Caller;
use mainstay_api::dialect::BodyError;

/// Most runs or versions that one call finds: what is taken out of them is held in memory besides. The token of the
/// page leads on.
const MAX_PAGE: i64 = 1_000;

/// An argument whose page is as short as it is here, unless it asks for more than `most`, which the call refuses.
fn paged(mut argument: Map<String, Value>, most: usize) -> Map<String, Value> {
    let asked = argument.get("maxResults").map(|asked| match asked {
        Value::String(text) => text.parse().unwrap_or(0),
        asked => asked.as_i64().unwrap_or(0),
    });
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    if asked.is_none_or(|asked| (MAX_PAGE..=most).contains(&asked)) {
        argument.insert("maxResults".to_owned(), Value::from(MAX_PAGE));
    }
    argument
}

/// Makes a call, and gives its answer as the REST call writes it.
pub(super) async fn run(
    state: &MlflowState,
    caller: &Caller,
    call: Call,
    argument: Map<String, Value>,
    children: &[Planned],
) -> Result<Value, Error> {
    let (server, who) = (State(state.clone()), caller.clone());
    match call {
        Call::Echo => Ok(json!({"output": argument.get("inputString")})),
        Call::GetExperiment => written(experiment::get(server, who, request(argument)?).await?),
        Call::ListArtifacts => written(artifact_list::of_run(server, who, request(argument)?).await?),
        Call::SearchVersions => {
            let asked = request(paged(argument, VERSIONS_PAGE.1))?;
            written(registry_search::versions(server, who.doing(Action::ModelRead), asked).await?)
        }
        Call::MetricHistory => {
            written(metric_history_bulk::get_history_bulk_interval(server, who, request(argument)?).await?)
        }
        Call::SearchDatasets => written(dataset_search::search(server, who, request(argument)?).await?),
        Call::GetRun => {
            let mut answer = written(run::get(server, who, request(argument)?).await?)?;
            let runs = answer.get_mut("run").into_iter().collect();
            extend(state, caller, runs, children).await?;
            Ok(answer)
        }
        Call::SearchRuns => {
            let asked = request(paged(argument, RUNS_PAGE.1))?;
            let mut answer = written(Json(run_search::search(server, who, asked).await?.0))?;
            let runs = answer.get_mut("runs").and_then(Value::as_array_mut);
            extend(state, caller, runs.into_iter().flatten().collect(), children).await?;
            Ok(answer)
        }
    }
}

fn request<T: DeserializeOwned>(argument: Map<String, Value>) -> Result<body::Call<T>, BodyError> {
    let read = serde_json::from_value(Value::Object(argument));
    read.map(body::Call).map_err(|error| BodyError::Malformed(error.to_string()))
}

fn written<T: Serialize>(Json(answer): Json<T>) -> Result<Value, Error> {
    Ok(serde_json::to_value(answer).map_err(|error| StorageError::Failed(error.into()))?)
}

/// Whether a field of the runs in an answer is wanted.
fn is_wanted(children: &[Planned], field: &str) -> bool {
    children.iter().any(|child| match &child.wanted {
        Wanted::Field { name: "run" | "runs", children, .. } => {
            children.iter().any(|child| matches!(&child.wanted, Wanted::Field { name, .. } if *name == field))
        }
        _ => false,
    })
}

/// Adds to runs what only this protocol tells of them, if it is wanted.
async fn extend(
    state: &MlflowState,
    caller: &Caller,
    mut runs: Vec<&mut Value>,
    children: &[Planned],
) -> Result<(), Error> {
    if is_wanted(children, RUN_EXPERIMENT) {
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for run in &mut runs {
            let id = info(run, "experiment_id");
            if !known.contains_key(&id) {
                let named = [("experimentId".to_owned(), Value::from(id.clone()))].into_iter().collect();
                let found = experiment::get(State(state.clone()), caller.clone(), request(named)?).await?;
                known.insert(id.clone(), written(found)?["experiment"].take());
            }
            run[snake(RUN_EXPERIMENT)] = known.get(&id).cloned().unwrap_or_default();
        }
    }
    if is_wanted(children, RUN_VERSIONS) {
        let ids = runs.iter().map(|run| info(run, "run_id")).collect();
        let mut versions = versions_of(state, caller, &ids).await?;
        for run in &mut runs {
            let of_run = versions.remove(&info(run, "run_id")).unwrap_or_default();
            run[snake(RUN_VERSIONS)] = Value::Array(of_run);
        }
    }
    Ok(())
}

fn info(run: &Value, field: &str) -> String {
    run["info"][field].as_str().unwrap_or_default().to_owned()
}

/// The versions that came of runs, in the order of a search that names none: one look for all runs.
async fn versions_of(
    state: &MlflowState,
    caller: &Caller,
    runs: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Value>>, Error> {
    let runs: Vec<String> = runs.iter().cloned().collect();
    let readable = caller.doing(Action::ModelRead).readable();
    let (filter, order) = (VersionFilter::default(), VersionOrder::parse(&[])?);
    let page = PageRequest::first(VERSIONS_PAGE.0);
    let mut search = VersionSearch::new(filter, order, readable, &page)?;
    for detail in state.registered.versions_of_runs(&caller.workspace, &runs).await? {
        search.see(detail);
    }
    let mut versions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for detail in search.page().items {
        let run = detail.version.run.clone().map(String::from).unwrap_or_default();
        versions.entry(run).or_default().push(written(Json(VersionBody::from(detail)))?);
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_short_here() {
        let asked =
            |argument: Value| paged(serde_json::from_value(argument).unwrap(), 50_000)["maxResults"].clone();
        assert_eq!(asked(json!({})), json!(1_000));
        for (given, wanted) in [
            (json!(7), json!(7)),
            (json!(1_001), json!(1_000)),
            (json!("50000"), json!(1_000)),
            (json!("999"), json!("999")),
            // The call says what is wrong with these.
            (json!(50_001), json!(50_001)),
            (json!(-1), json!(-1)),
            (json!("x"), json!("x")),
        ] {
            assert_eq!(asked(json!({"maxResults": given})), wanted);
        }
    }
}
