//! The experiment in which the traces of an endpoint go.

use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::scope::ResourceKind;
use mainstay_gateway::endpoint::EndpointName;
use mainstay_gateway::id::EndpointId;
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::text::Pair;

use mainstay_api::caller::Caller;
use mainstay_mlflow::{Error, Mlflow};

/// The experiment of that id, which must be active and the caller's to see.
pub(crate) async fn existing(state: &Mlflow, caller: &Caller, text: &str) -> Result<u64, Error> {
    let id = ExperimentId::parse(text)?;
    caller.may(Action::RunWrite, ResourceKind::Experiment, id)?;
    let found = state.tracked.experiment(&caller.workspace, id).await?;
    let lifecycle = found.ok_or(ExperimentError::Missing(id))?.experiment.lifecycle;
    lifecycle.expect(Lifecycle::Active, || format!("experiment {id}"))?;
    Ok(id.0)
}

/// The experiment `gateway/<name>`, made if there is none. It stays if the endpoint is then refused, and is taken
/// when somebody asks again.
pub(crate) async fn made_for(
    state: &Mlflow,
    caller: &Caller,
    id: EndpointId,
    endpoint: &EndpointName,
) -> Result<u64, Error> {
    let name = ExperimentName::given(format!("gateway/{}", endpoint.as_str()))?;
    if let Some(found) = state.tracked.experiment_named(&caller.workspace, &name).await? {
        let found = found.experiment;
        found.lifecycle.expect(Lifecycle::Active, || format!("experiment {}", found.id))?;
        caller.may(Action::RunWrite, ResourceKind::Experiment, found.id)?;
        return Ok(found.id.0);
    }
    let tags = [
        ("mlflow.experiment.sourceType", "GATEWAY".to_owned()),
        ("mlflow.experiment.sourceId", id.to_string()),
        ("mlflow.experiment.isGateway", "true".to_owned()),
    ];
    let tags = tags.into_iter().map(|(key, value)| Pair { key: key.to_owned(), value }).collect();
    let location = ArtifactLocation::Under(state.artifact_root.of(&caller.workspace));
    let command = CreateExperiment { workspace: caller.workspace.clone(), name, location, tags };
    Ok(state.tracking.run(&caller.principal, command).await?.id.0)
}
