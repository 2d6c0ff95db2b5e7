//! Deletes the projections and writes them anew from the events.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_governance::audit::StateReport;
use mainstay_governance::port::ProjectionTx;

use super::compare::compare;
use super::replay::replay;
use super::tables::PROJECTIONS;
use crate::tx::StoreTx;
use crate::value::Value;

#[async_trait]
impl ProjectionTx for StoreTx {
    async fn rebuild_projections(&mut self) -> Result<StateReport, StorageError> {
        let replayed = match replay(&mut self.connection).await? {
            Ok(replayed) => replayed,
            Err(silent) => {
                let mut report = StateReport::default();
                report.push(*silent);
                return Ok(report);
            }
        };
        let before = compare(&mut self.connection, &replayed).await?;
        for projection in PROJECTIONS {
            self.execute(projection.delete, &[]).await?;
            for (key, entry) in replayed.rows(projection.table).into_iter().flatten() {
                let row: Vec<Value> = key.iter().chain(&entry.cells).cloned().map(Value::from).collect();
                self.execute(projection.insert, &row).await?;
            }
        }
        Ok(before)
    }
}
