//! What the console works on.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_api::mlflow::RunSearch;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_features::port::{Materialisation, StoredDefinitions};
use mainstay_store::reader::Reader;
use mainstay_ui::Console;
use mainstay_ui::ports::FeatureDefinitions;

use crate::endpoint_commands::EndpointLoop;
use crate::platform::Platform;

/// The console over this platform; `runs` is shared with the protocol that finds runs too.
pub(super) fn console(platform: &Platform, runs: Arc<dyn RunSearch>) -> Console {
    let reader = Arc::new(platform.database.reader.clone());
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
        logs: Arc::new(platform.layout.clone()),
        deciding: platform.pipelines.clone(),
        endpoints: Arc::new(EndpointLoop(platform.looped.clone())),
        clock: platform.clock.clone(),
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
