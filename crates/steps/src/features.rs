//! `uses: features`: puts a definitions file into force.

use std::path::PathBuf;

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_features::command::ApplyDefinitions;
use mainstay_features::port::FeaturesTx;
use mainstay_pipelines::definition::check_arguments;
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
    /// The name under which the definitions stand.
    project: Name,
    /// The file, relative to the pipeline's root.
    definitions: PathBuf,
}

/// The step.
pub struct Features;

#[async_trait]
impl BuiltIn for Features {
    fn name(&self) -> &'static str {
        "features"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn conclude(&self, _: &Platform, held: &Held, _: Value) -> Result<Box<dyn Effect>, StepError> {
        let arguments: Arguments = held.arguments()?;
        let path = held.root.join(&arguments.definitions);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("the definitions {}: {error}", arguments.definitions.display());
            StepError::refused(ErrorCode::NotFound, message)
        })?;
        let apply = ApplyDefinitions::new(held.workspace.clone(), arguments.project.clone(), text, None);
        Ok(Box::new(Applied { project: arguments.project, apply: apply.map_err(StepError::of)? }))
    }
}

struct Applied {
    project: Name,
    apply: ApplyDefinitions,
}

#[async_trait]
impl Effect for Applied {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let tx: &mut (dyn FeaturesTx + 'static) = tx;
        let applied = self.apply.apply(tx).await.map_err(EffectError::from_coded)?;
        let value =
            json!({ "project": self.project, "revision": applied.revision, "changed": applied.changed });
        Ok(Conclusion::Accepted(StepOutput {
            value,
            artifacts: [("definitions".to_owned(), applied.digest)].into(),
        }))
    }
}
