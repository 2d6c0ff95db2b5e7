//! What the console works on.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_api::mlflow::RunSearch;
use mainstay_core::command::Commands;
use mainstay_core::error::{Cause, Failure, StorageError};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_features::port::{Materialisation, StoredDefinitions};
use mainstay_pipelines::definition::StepName;
use mainstay_runner::read_log;
use mainstay_serving::command::RollBackEndpoint;
use mainstay_serving::port::ServingTx;
use mainstay_store::reader::Reader;
use mainstay_ui::Console;
use mainstay_ui::ports::{FeatureDefinitions, LogPart, RollBack, StepLogs};

use crate::layout::Layout;
use crate::platform::Platform;

/// The console over this platform; `runs` is shared with the protocol that finds runs too.
pub(super) fn console(platform: &Platform, runs: Arc<dyn RunSearch>) -> Console {
    let reader = Arc::new(platform.database.reader.clone());
    let writer = Arc::new(platform.database.writer.clone());
    Console {
        events: Arc::new(platform.database.clone()),
        tracked: reader.clone(),
        runs,
        registered: reader.clone(),
        governed: reader.clone(),
        pipelines: reader.clone(),
        served: reader.clone(),
        monitored: reader.clone(),
        data: reader,
        features: Arc::new(Definitions(platform.database.reader.clone())),
        logs: Arc::new(LogFiles(platform.layout.clone())),
        deciding: platform.pipelines.clone(),
        rolling_back: Arc::new(Serving(Commands::new(writer, platform.authority.clone()))),
        clock: platform.clock.clone(),
    }
}

/// The logs of attempts, as the runner writes them.
struct LogFiles(Layout);

#[async_trait]
impl StepLogs for LogFiles {
    async fn read(
        &self,
        run: PipelineRunId,
        step: &StepName,
        attempt: u32,
        offset: u64,
        limit: u64,
    ) -> Result<LogPart, StorageError> {
        let path = self.0.step_log(run, step.as_str(), attempt);
        let read = tokio::task::spawn_blocking(move || read_log(&path, offset, limit)).await;
        let chunk = read.map_err(|error| StorageError::Failed(Cause::from(error)))?;
        let chunk = chunk.map_err(|error| StorageError::Failed(Cause::from(error)))?;
        Ok(LogPart { bytes: chunk.bytes, next: chunk.next })
    }
}

struct Definitions(Reader);

#[async_trait]
impl FeatureDefinitions for Definitions {
    async fn projects(&self, workspace: &Name) -> Result<Vec<StoredDefinitions>, StorageError> {
        self.0.feature_projects(workspace).await
    }

    async fn materialisations(
        &self,
        workspace: &Name,
        project: &Name,
    ) -> Result<Vec<Materialisation>, StorageError> {
        self.0.materialisations(workspace, project).await
    }
}

struct Serving(Commands<dyn ServingTx>);

#[async_trait]
impl RollBack for Serving {
    async fn roll_back(
        &self,
        principal: &Principal,
        workspace: &Name,
        endpoint: &Name,
        expected: u64,
        reason: String,
    ) -> Result<(), Failure> {
        let command = RollBackEndpoint {
            workspace: workspace.clone(),
            endpoint: endpoint.clone(),
            expected: Some(expected),
            reason,
        };
        self.0.run(principal, command).await.map(drop).map_err(Failure::from)
    }
}
