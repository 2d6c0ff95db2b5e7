//! DataFusion sessions with bounded memory that spill to disk.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
pub use datafusion::prelude::SessionContext as Session;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::error::QueryError;
use crate::memory::HeadroomPool;

/// Cells of a batch of a wide table.
const BATCH_CELLS: usize = 1 << 19;

/// What a session may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// Bytes that sorts, joins and aggregates may hold; three quarters are shared fairly among those
    /// that can spill.
    pub memory: usize,
    /// Where they spill; made if it does not exist.
    pub spill_directory: PathBuf,
    /// Bytes that may lie there.
    pub spill_limit: u64,
    /// How many partitions work side by side.
    pub partitions: usize,
    /// Rows in a batch.
    pub batch_rows: usize,
}

impl SessionOptions {
    /// 256 MiB of memory, 16 GiB of spill space, two partitions, batches of 8,192 rows.
    pub fn spilling_to(spill_directory: impl Into<PathBuf>) -> Self {
        Self {
            memory: 256 << 20,
            spill_directory: spill_directory.into(),
            spill_limit: 16 << 30,
            partitions: 2,
            batch_rows: 8_192,
        }
    }

    /// With batches that are shorter the wider they are: 8,192 rows of 500 columns are 32 MiB, and a sort that
    /// may hold a fair share of the memory must have room for two of them.
    #[must_use]
    pub fn for_columns(mut self, columns: usize) -> Self {
        self.batch_rows = (BATCH_CELLS / columns.max(1)).clamp(1, self.batch_rows);
        self
    }
}

/// Opens a session. Instants are UTC throughout; text is read as Arrow's `Utf8`, so that what a scan
/// gives is what the table's schema says.
pub fn open(options: &SessionOptions) -> Result<SessionContext, QueryError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(HeadroomPool::new(options.memory)))
        .with_temp_file_path(options.spill_directory.clone())
        .with_max_temp_directory_size(options.spill_limit)
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(options.partitions.max(1))
        .with_batch_size(options.batch_rows.max(1))
        // A sort sets this much aside to merge its runs; the default of 10 MiB is too much for a
        // small pool that two sorts share.
        .with_sort_spill_reservation_bytes((options.memory / 16).min(10 << 20));
    config.options_mut().execution.parquet.schema_force_view_types = false;
    config.options_mut().execution.parquet.pushdown_filters = true;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_wide_tables_are_short() {
        let rows = |columns| SessionOptions::spilling_to("x").for_columns(columns).batch_rows;
        assert_eq!([rows(0), rows(10), rows(64), rows(500), rows(1 << 30)], [8_192, 8_192, 8_192, 1_048, 1]);
    }

    /// Half a million wide rows sorted in 8 MiB can only be done by spilling.
    #[tokio::test]
    async fn a_sort_larger_than_memory_spills_and_is_right() {
        let spill = tempfile::tempdir().unwrap();
        let options = SessionOptions {
            memory: 8 << 20,
            batch_rows: 1_024,
            ..SessionOptions::spilling_to(spill.path())
        };
        let session = open(&options).unwrap();
        let sql = "select value, repeat(cast(value as varchar), 8) as wide \
                   from generate_series(1, 500000) order by value desc";
        let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let task = session.task_ctx();
        let batches = datafusion::physical_plan::collect(Arc::clone(&plan), task).await.unwrap();
        let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
        assert_eq!(rows, 500_000);
        let first = batches[0].column(0).as_any().downcast_ref::<arrow::array::Int64Array>().unwrap();
        assert_eq!((first.value(0), first.value(1)), (500_000, 499_999));
        let spilled = spills(&*plan);
        assert!(spilled > 0, "nothing was spilled");
    }

    fn spills(plan: &dyn datafusion::physical_plan::ExecutionPlan) -> usize {
        let own = plan.metrics().and_then(|metrics| metrics.spill_count()).unwrap_or(0);
        own + plan.children().into_iter().map(|child| spills(&**child)).sum::<usize>()
    }
}
