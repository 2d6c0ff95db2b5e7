//! The port of purges: what is hidden at once, what still needs something, and the rows that go bit by bit.
//!
//! What is purged loses its own row first, by which all readers look for it; what hung on it is removed later, under
//! the item that took its place. An experiment's runs, logged models and traces are found by its id and become items
//! then; meanwhile no reader shows what lies in an experiment that is not there.

mod holds;
mod read;
mod rows;
mod write;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::{ExperimentId, uri_below};
use mainstay_retention::target::{Found, Target, TargetKind};

use crate::params;
use crate::reader::ReadTx;
use crate::tx::StoreTx;
use crate::value::{Row, Value};

/// What both kinds of transaction can do.
#[async_trait]
trait Asks: Send {
    async fn ask(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError>;
}

#[async_trait]
impl Asks for StoreTx {
    async fn ask(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        self.query(sql, values).await
    }
}

#[async_trait]
impl Asks for ReadTx {
    async fn ask(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        self.query(sql, values).await
    }
}

const EXPERIMENT: &str = "SELECT id, artifact_location FROM experiments WHERE workspace = $1 AND id = $2";
const RUN: &str = "SELECT r.experiment, r.artifact_uri FROM runs r JOIN experiments e ON e.id = r.experiment \
    WHERE r.workspace = $1 AND r.id = $2";
const LOGGED_MODEL: &str = "SELECT m.experiment, m.artifact_uri FROM logged_models m \
    JOIN experiments e ON e.id = m.experiment WHERE m.workspace = $1 AND m.id = $2";
const TRACE: &str = "SELECT t.experiment, e.artifact_location FROM traces t \
    JOIN experiments e ON e.id = t.experiment WHERE t.workspace = $1 AND t.id = $2";

/// What a target of a workspace is, if it is there.
async fn find(tx: &mut dyn Asks, workspace: &str, target: &Target) -> Result<Option<Found>, StorageError> {
    let sql = match target.kind {
        TargetKind::Experiment => EXPERIMENT,
        TargetKind::Run | TargetKind::RunArtifacts => RUN,
        TargetKind::LoggedModel => LOGGED_MODEL,
        TargetKind::Trace => TRACE,
    };
    let key = match target.kind {
        TargetKind::Experiment => Value::from(number(&target.id)?.0),
        _ => Value::from(&target.id),
    };
    let rows = tx.ask(sql, params![workspace, key]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (experiment, place) = (ExperimentId(row.count(0)?), row.text(1)?);
    let place = match target.kind {
        TargetKind::Trace => place_of_trace(place, &target.id),
        _ => place.to_owned(),
    };
    Ok(Some(Found { target: target.clone(), experiment, place }))
}

/// The number of an experiment that is a target.
fn number(id: &str) -> Result<ExperimentId, StorageError> {
    ExperimentId::parse(id).map_err(|error| StorageError::Corrupt(error.to_string()))
}

/// Where the artifacts of a trace lie, as its tag says.
fn place_of_trace(location: &str, id: &str) -> String {
    uri_below(location, &format!("traces/{id}/artifacts"))
}
