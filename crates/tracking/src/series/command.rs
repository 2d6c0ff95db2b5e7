//! The command that puts merged blocks where single ones were.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::scope::Scope;
use thiserror::Error;

use super::compaction::Compaction;
use super::port::{Due, SeriesTx};
use crate::run::run_subject;

/// Changes how a metric's points lie, and none of them. No event: the events of the log calls hold the digests of
/// the blocks that were logged, which can be [made again](crate::block).
#[derive(Debug, Clone)]
pub struct CompactSeries {
    /// Of which metric.
    pub due: Due,
    /// How; `None` if nothing was to be done.
    pub compaction: Option<Compaction>,
}

/// Why blocks were not replaced.
#[derive(Debug, Error)]
pub enum CompactError {
    /// Another process did it meanwhile.
    #[error("the blocks of metric '{0}' changed meanwhile; look at them again")]
    Superseded(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for CompactError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Superseded(_) => ErrorCode::RevisionConflict,
            Self::Storage(error) => error.code(),
        }
    }
}

#[async_trait]
impl Command for CompactSeries {
    type Tx = dyn SeriesTx;
    type Out = ();
    type Error = CompactError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.due.workspace.clone(), run_subject(self.due.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), CompactError> {
        let (run, key) = (self.due.run, self.due.key.as_str());
        let Some(compaction) = &self.compaction else { return Ok(tx.settle_due(run, key).await?) };
        let is_as_read = tx.segments(run, key).await? == compaction.segments
            && tx.remove_blocks(run, key, compaction.replaced).await? == compaction.count;
        if !is_as_read {
            return Err(CompactError::Superseded(key.to_owned()));
        }
        for merged in &compaction.merged {
            tx.put_merged(run, key, merged).await?;
        }
        if let Some((segment, nodes)) = &compaction.sealed {
            tx.insert_segment(run, key, segment).await?;
            for node in nodes {
                tx.insert_node(run, key, node).await?;
            }
        }
        if compaction.is_last {
            tx.settle_due(run, key).await?;
        }
        Ok(())
    }
}
