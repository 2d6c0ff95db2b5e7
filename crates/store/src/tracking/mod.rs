//! The port of tracking: experiments, runs, metric points in blocks, inputs and logged models.
//!
//! A float stands as its bits in a `BIGINT`, since it may be NaN. The latest point of a metric is kept
//! beside its blocks, and so is what they come to on charts: but for the newest ones, blocks are read for a
//! history alone.

mod details;
mod logged_models;
mod read;
mod saved_views;
mod series;
mod write;

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use mainstay_tracking::experiment::{Experiment, ExperimentId, ExperimentName};
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelStatus};
use mainstay_tracking::metric::Point;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};

use crate::value::Row;

/// `id, name, artifact_location, lifecycle, created, updated`.
fn experiment(row: &Row) -> Result<Experiment, StorageError> {
    Ok(Experiment {
        id: ExperimentId(row.count(0)?),
        name: ExperimentName::new(row.text(1)?).map_err(|error| damaged(&error))?,
        artifact_location: row.text(2)?.to_owned(),
        lifecycle: lifecycle(row, 3)?,
        created: MachineTime::from_micros(row.int(4)?),
        updated: MachineTime::from_micros(row.int(5)?),
    })
}

/// `id, artifact_location`.
fn place(row: &Row) -> Result<(ExperimentId, String), StorageError> {
    Ok((ExperimentId(row.count(0)?), row.text(1)?.to_owned()))
}

/// `id, experiment, name, user_name, status, start_ms, end_ms, lifecycle, artifact_uri`.
fn run(row: &Row) -> Result<Run, StorageError> {
    Ok(Run {
        id: row.parsed(0)?,
        experiment: ExperimentId(row.count(1)?),
        name: row.text(2)?.to_owned(),
        user: row.text(3)?.to_owned(),
        status: RunStatus::parse(row.text(4)?).map_err(|error| damaged(&error))?,
        start_ms: row.int(5)?,
        end_ms: row.opt_int(6)?,
        lifecycle: lifecycle(row, 7)?,
        artifact_uri: row.text(8)?.to_owned(),
    })
}

/// `id, experiment, name, model_type, source_run, artifact_uri, status, lifecycle, created, updated`.
fn logged_model(row: &Row) -> Result<LoggedModel, StorageError> {
    let status = row.text(6)?;
    Ok(LoggedModel {
        id: row.parsed(0)?,
        experiment: ExperimentId(row.count(1)?),
        name: row.text(2)?.to_owned(),
        model_type: row.text(3)?.to_owned(),
        source_run: if row.opt_text(4)?.is_some() { Some(row.parsed(4)?) } else { None },
        artifact_uri: row.text(5)?.to_owned(),
        status: LoggedModelStatus::stored(status)
            .ok_or_else(|| StorageError::Corrupt(format!("the model status {status:?}")))?,
        lifecycle: lifecycle(row, 7)?,
        created: MachineTime::from_micros(row.int(8)?),
        updated: MachineTime::from_micros(row.int(9)?),
    })
}

/// `step, timestamp_ms, value` from a column on.
fn point(row: &Row, from: usize) -> Result<Point, StorageError> {
    Ok(Point {
        step: row.int(from)?,
        timestamp_ms: row.int(from + 1)?,
        value: f64::from_bits(row.int(from + 2)?.cast_unsigned()),
    })
}

/// A float as it is stored.
const fn bits(value: f64) -> i64 {
    value.to_bits().cast_signed()
}

fn lifecycle(row: &Row, column: usize) -> Result<Lifecycle, StorageError> {
    let text = row.text(column)?;
    Lifecycle::stored(text).ok_or_else(|| StorageError::Corrupt(format!("the lifecycle {text:?}")))
}

fn damaged(error: &dyn std::error::Error) -> StorageError {
    StorageError::Corrupt(error.to_string())
}
