//! Firing: a run starts, or the record says why not.

use std::sync::Arc;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use mainstay_core::principal::Principal;
use mainstay_core::time::DataTime;
use mainstay_pipelines::commands::{FireSchedule, KeepPosition, RefuseFiring, StartRun};
use mainstay_pipelines::definition::{DefinitionError, Parameters, Source};
use mainstay_pipelines::port::Position;
use mainstay_pipelines::run::Cause;
use serde_json::Map;

use super::armed::Place;
use crate::Failed;
use mainstay_platform::Platform;
use mainstay_steps::Steps;

/// Who carries triggers out.
pub(super) struct Office {
    pub(super) platform: Arc<Platform>,
    principal: Principal,
    built_ins: Steps,
}

impl Office {
    pub(super) fn new(platform: Arc<Platform>) -> Self {
        Self { platform, principal: Principal::system("triggers"), built_ins: mainstay_steps::all() }
    }

    /// Starts the run of an instant or an event, unless it was started before or the pipeline has changed. What
    /// is refused is noted and done with; an error says that the database must be asked again.
    pub(super) async fn fire(
        &self,
        place: &Place,
        at_micros: i64,
        data_time: Option<DataTime>,
        cause: Cause,
    ) -> Result<(), Failed> {
        let (code, reason) = match self.start(place, data_time, cause.clone()) {
            Err(error) => (error.code(), error.to_string()),
            Ok(start) => {
                let (schedule, revision) = (place.schedule(), Some(place.pipeline.revision));
                let fire = FireSchedule { schedule, at_micros, revision, start };
                match self.platform.pipelines.run(&self.principal, fire).await {
                    Ok(Some(started)) => {
                        tracing::info!(trigger = place.schedule(), run = %started.run, how = ?started.how, "fired");
                        return Ok(());
                    }
                    Ok(None) => return Ok(()),
                    Err(error) if passes(error.code()) => return Err(error.into()),
                    Err(error) => (error.code(), error.to_string()),
                }
            }
        };
        tracing::warn!(
            trigger = place.schedule(),
            at_micros,
            reason,
            "a trigger could not start its pipeline"
        );
        let refuse = RefuseFiring {
            workspace: place.workspace.clone(),
            pipeline: place.pipeline.name.clone(),
            revision: place.pipeline.revision,
            schedule: place.schedule(),
            at_micros,
            cause,
            code,
            reason,
        };
        Ok(self.platform.pipelines.run(&self.principal, refuse).await?)
    }

    /// The run, with the variables that the text gives.
    fn start(
        &self,
        place: &Place,
        data_time: Option<DataTime>,
        cause: Cause,
    ) -> Result<StartRun, DefinitionError> {
        let source = Source::parse(&place.pipeline.source)?;
        let definition = source.resolve_with(&Parameters::default(), &self.built_ins)?;
        Ok(StartRun {
            workspace: place.workspace.clone(),
            id: PipelineRunId::draw(&*self.platform.entropy),
            pipeline: place.pipeline.name.clone(),
            definition: Arc::new(definition),
            params: Map::new(),
            data_time,
            cause,
            idempotency_key: None,
        })
    }

    /// Keeps from where a trigger goes on.
    pub(super) async fn keep(&self, place: &Place, at: i64) -> Result<(), Failed> {
        let position = Position {
            pipeline: place.pipeline.name.clone(),
            revision: place.pipeline.revision,
            trigger: place.number,
            at,
        };
        let keep = KeepPosition { workspace: place.workspace.clone(), position };
        Ok(self.platform.pipelines.run(&self.principal, keep).await?)
    }
}

/// Whether what went wrong may be better in a while.
fn passes(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unavailable | ErrorCode::StorageFull)
}
