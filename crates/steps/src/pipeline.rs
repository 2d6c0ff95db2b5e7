//! `uses: pipeline`: keeps a pipeline file under a name, so that policies, triggers and people can start
//! it.

use std::path::PathBuf;

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_pipelines::commands::DefinePipeline;
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::port::PipelineTx;
use mainstay_pipelines::run::StepOutput;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{BuiltIn, Held, StepError};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The name that it gets.
    pipeline: Name,
    /// The file, relative to the pipeline's root.
    path: PathBuf,
}

/// The step.
pub struct KeepPipeline;

#[async_trait]
impl BuiltIn for KeepPipeline {
    fn name(&self) -> &'static str {
        "pipeline"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn conclude(&self, _: &Platform, held: &Held, _: Value) -> Result<Box<dyn Effect>, StepError> {
        let Arguments { pipeline, path } = held.arguments()?;
        let text = std::fs::read_to_string(held.root.join(&path)).map_err(|error| {
            StepError::refused(ErrorCode::NotFound, format!("the pipeline {}: {error}", path.display()))
        })?;
        let define = DefinePipeline::new(held.workspace.clone(), pipeline, text, &super::all());
        let define = define.map_err(StepError::of)?;
        Ok(Box::new(Kept(define)))
    }
}

struct Kept(DefinePipeline);

#[async_trait]
impl Effect for Kept {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let tx: &mut (dyn PipelineTx + 'static) = tx;
        let kept = self.0.apply(tx).await.map_err(EffectError::from_coded)?;
        let value = json!({ "pipeline": kept.name, "revision": kept.revision });
        Ok(Conclusion::Accepted(StepOutput { value, ..StepOutput::default() }))
    }
}
