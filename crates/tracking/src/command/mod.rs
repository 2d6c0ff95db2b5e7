//! The changes that tracking knows.

mod experiment;
mod io;
mod log;
mod logged_model;
mod run;

use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;

pub use experiment::{
    ArtifactLocation, Beside, CreateDefaultExperiment, CreateExperiment, DeleteExperiment,
    DeleteExperimentTag, RenameExperiment, RestoreExperiment, SetExperimentTag,
};
pub use io::{LogInputs, LogOutputs, RecordModelHistory};
pub use log::{DeleteRunTag, LogBatch};
pub use logged_model::{
    CreateLoggedModel, DeleteLoggedModel, DeleteLoggedModelTag, FinalizeLoggedModel, LogLoggedModelParams,
    SetLoggedModelTags,
};
pub use run::{CreateRun, DeleteRun, RestoreRun, UpdateRun, resolve_name};

use mainstay_core::experiment::{active_experiment, existing_experiment};

use crate::error::TrackingError;
use crate::logged_model::{LoggedModel, LoggedModelId};
use crate::port::TrackingTx;
use crate::run::{Lifecycle, Run};

/// The run, if the caller may do to its experiment what this command does.
async fn existing_run(tx: &mut dyn TrackingTx, id: RunId) -> Result<Run, TrackingError> {
    let run = tx.run(id).await?;
    let admitted = run.filter(|run| tx.admits(ResourceKind::Experiment, &run.experiment));
    admitted.ok_or(TrackingError::NoRun(id))
}

/// The logged model, deleted or not, if the caller may do to its experiment what this command does.
async fn known_logged_model(
    tx: &mut dyn TrackingTx,
    id: LoggedModelId,
) -> Result<LoggedModel, TrackingError> {
    let model = tx.logged_model(id).await?;
    let admitted = model.filter(|model| tx.admits(ResourceKind::Experiment, &model.experiment));
    admitted.ok_or(TrackingError::NoLoggedModel(id))
}

/// The run, if it can be written to.
async fn active_run(tx: &mut dyn TrackingTx, id: RunId) -> Result<Run, TrackingError> {
    let run = existing_run(tx, id).await?;
    run.lifecycle.expect(Lifecycle::Active, || format!("run {id}"))?;
    Ok(run)
}
