//! The port of scorers: scorers, their versions, and how they are run on traces as they come.

mod read;
mod write;

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::scorer::{OnlineConfig, RegisteredScorer, Scorer, ScorerVersion};

use crate::value::Row;

/// `id, experiment, name`.
fn scorer(row: &Row) -> Result<Scorer, StorageError> {
    Ok(Scorer { id: row.parsed(0)?, experiment: ExperimentId(row.count(1)?), name: row.text(2)?.to_owned() })
}

/// `id, experiment, name, version, serialized, created`.
fn registered(row: &Row) -> Result<RegisteredScorer, StorageError> {
    Ok(RegisteredScorer {
        scorer: scorer(row)?,
        version: ScorerVersion {
            number: row.int(3)?,
            serialized: row.text(4)?.to_owned(),
            created: MachineTime::from_micros(row.int(5)?),
        },
    })
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
