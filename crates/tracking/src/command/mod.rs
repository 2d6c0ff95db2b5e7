//! The changes that tracking knows.

mod experiment;
mod io;
mod log;
mod logged_model;
mod run;

use mainstay_core::id::RunId;

pub use experiment::{
    ArtifactLocation, CreateDefaultExperiment, CreateExperiment, DeleteExperiment, DeleteExperimentTag,
    RenameExperiment, RestoreExperiment, SetExperimentTag,
};
pub use io::{LogInputs, LogOutputs, RecordModelHistory};
pub use log::{DeleteRunTag, LogBatch};
pub use logged_model::{
    CreateLoggedModel, DeleteLoggedModel, DeleteLoggedModelTag, FinalizeLoggedModel, LogLoggedModelParams,
    NoteModelVersion, SetLoggedModelTags,
};
pub use run::{CreateRun, DeleteRun, RestoreRun, UpdateRun, resolve_name};

use crate::error::TrackingError;
use crate::experiment::{Experiment, ExperimentId};
use crate::port::TrackingTx;
use crate::run::{Lifecycle, Run};

async fn existing_experiment(tx: &mut dyn TrackingTx, id: ExperimentId) -> Result<Experiment, TrackingError> {
    tx.experiment(id).await?.ok_or(TrackingError::NoExperiment(id))
}

/// The experiment, if it can be written to.
pub(crate) async fn active_experiment(
    tx: &mut dyn TrackingTx,
    id: ExperimentId,
) -> Result<Experiment, TrackingError> {
    let experiment = existing_experiment(tx, id).await?;
    experiment.lifecycle.expect(Lifecycle::Active, || format!("experiment {id}"))?;
    Ok(experiment)
}

async fn existing_run(tx: &mut dyn TrackingTx, id: RunId) -> Result<Run, TrackingError> {
    tx.run(id).await?.ok_or(TrackingError::NoRun(id))
}

/// The run, if it can be written to.
async fn active_run(tx: &mut dyn TrackingTx, id: RunId) -> Result<Run, TrackingError> {
    let run = existing_run(tx, id).await?;
    run.lifecycle.expect(Lifecycle::Active, || format!("run {id}"))?;
    Ok(run)
}
