//! `uses: register`: makes a trained model the next version of a registered one.

use std::path::Path;

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_pipelines::run::StepOutput;
use mainstay_registry::command::{CreateModel, RegisterVersion};
use mainstay_registry::name::ModelName;
use mainstay_registry::port::RegistryTx;
use serde::Deserialize;
use serde_json::{Value, json};

use super::train::model_path;
use super::{BuiltIn, Held, Prepared, StepError};
use crate::loop_tx::{Conclusion, Effect, EffectError, Tx};
use crate::platform::Platform;

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The registered model; created if there is none.
    model: ModelName,
    /// The digest of the artifact, as `train` gave it.
    digest: Digest,
    #[serde(default)]
    description: String,
}

/// The step.
pub struct Register;

#[async_trait]
impl BuiltIn for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    async fn prepare(&self, _: &Platform, held: &Held) -> Result<Prepared, StepError> {
        held.arguments::<Arguments>()?;
        Ok(Prepared::Done(Value::Null))
    }

    fn perform(&self, _: Value, _: &Path) -> Result<Value, StepError> {
        Ok(Value::Null)
    }

    async fn conclude(&self, _: &Platform, held: &Held, _: Value) -> Result<Box<dyn Effect>, StepError> {
        let Arguments { model, digest, description } = held.arguments()?;
        let source = format!("mainstay-models:/{}", model_path(&digest, "model.onnx")?);
        let workspace = held.workspace.clone();
        Ok(Box::new(Registered {
            create: CreateModel {
                workspace: workspace.clone(),
                name: model.clone(),
                description: String::new(),
                tags: Vec::new(),
            },
            register: RegisterVersion {
                workspace,
                name: model,
                source,
                run: None,
                run_link: String::new(),
                logged_model: None,
                description,
                tags: Vec::new(),
                digest: Some(digest),
            },
            digest,
        }))
    }
}

struct Registered {
    create: CreateModel,
    register: RegisterVersion,
    digest: Digest,
}

#[async_trait]
impl Effect for Registered {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let tx: &mut (dyn RegistryTx + 'static) = tx;
        if tx.model(&self.create.name).await?.is_none() {
            self.create.apply(tx).await.map_err(EffectError::from_coded)?;
        }
        let version = self.register.apply(tx).await.map_err(EffectError::from_coded)?;
        let value = json!({ "model": version.model, "version": version.number, "digest": self.digest });
        Ok(Conclusion::Accepted(StepOutput { value, artifacts: [("model".to_owned(), self.digest)].into() }))
    }
}
