//! The port of scorers: scorers, their versions, and how they are run on traces as they come.

mod read;
mod write;

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use mainstay_evaluation::scorer::{
    OnlineConfig, RegisteredScorer, Scorer, ScorerVersion, with_judge_endpoint,
};
use mainstay_tracking::experiment::ExperimentId;

use crate::value::Row;

/// `id, experiment, name`.
fn scorer(row: &Row) -> Result<Scorer, StorageError> {
    Ok(Scorer { id: row.parsed(0)?, experiment: ExperimentId(row.count(1)?), name: row.text(2)?.to_owned() })
}

/// `id, experiment, name`, and what [`version`] reads.
fn registered(row: &Row) -> Result<RegisteredScorer, StorageError> {
    Ok(RegisteredScorer { scorer: scorer(row)?, version: version(row, 3)? })
}

/// `version, serialized, created, gateway_endpoint, name of that`, from a column on.
fn version(row: &Row, from: usize) -> Result<ScorerVersion, StorageError> {
    let sent = row.text(from + 1)?;
    let serialized = match row.opt_text(from + 3)? {
        Some(_) => with_judge_endpoint(sent, row.opt_text(from + 4)?),
        None => sent.to_owned(),
    };
    let created = MachineTime::from_micros(row.int(from + 2)?);
    Ok(ScorerVersion { number: row.int(from)?, serialized, created })
}

/// `id, scorer, experiment, sample_rate, filter`.
fn online_config(row: &Row) -> Result<OnlineConfig, StorageError> {
    Ok(OnlineConfig {
        id: row.parsed(0)?,
        scorer: row.parsed(1)?,
        experiment: ExperimentId(row.count(2)?),
        sample_rate: row.real(3)?,
        filter: row.opt_text(4)?.map(str::to_owned),
    })
}
