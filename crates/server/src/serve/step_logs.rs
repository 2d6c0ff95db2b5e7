//! Logs of steps, from the files of the data directory.

use async_trait::async_trait;
use mainstay_api::native::pipeline::{LogPart, StepLogs};
use mainstay_api::oip::Refusal;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::id::PipelineRunId;
use mainstay_directory::layout::Layout;
use mainstay_pipelines::definition::StepName;
use mainstay_runner::read_log;

/// Where they lie.
pub(super) struct StepLogFiles(pub(super) Layout);

#[async_trait]
impl StepLogs for StepLogFiles {
    async fn read(
        &self,
        run: PipelineRunId,
        step: &StepName,
        attempt: u32,
        from: u64,
        limit: u64,
    ) -> Result<LogPart, Refusal> {
        let path = self.0.step_log(run, step.as_str(), attempt);
        let failed = |error: Cause| Refusal::new(StorageError::Failed(error));
        let read = tokio::task::spawn_blocking(move || read_log(&path, from, limit)).await;
        let chunk = read.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))?;
        Ok(LogPart { bytes: chunk.bytes, next: chunk.next })
    }
}
