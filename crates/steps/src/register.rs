//! `uses: register`: makes a trained model the next version of a registered one: one that `train` made, or
//! one that a script logged with MLflow.

mod logged;

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::id::RunId;
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_registry::command::{CreateModel, RegisterVersion};
use mainstay_registry::name::ModelName;
use mainstay_registry::port::RegistryTx;
use mainstay_tracking::logged_model::LoggedModelId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::train::MODEL_FILE;
use crate::{BuiltIn, Held, StepError};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The registered model; created if there is none.
    model: ModelName,
    /// The digest of the artifact, as `train` gave it.
    digest: Option<Digest>,
    /// Instead: the run in which a script logged it, with `mlflow.onnx.log_model`.
    run: Option<RunId>,
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

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        _: Value,
    ) -> Result<Box<dyn Effect>, StepError> {
        let Arguments { model, digest, run, description } = held.arguments()?;
        let artifact = match (digest, run) {
            (Some(digest), None) => Artifact::trained(held, digest),
            (None, Some(run)) => logged::adopt(platform, &held.workspace, run).await?,
            _ => {
                let message = "give 'digest' of what train made, or 'run' in which a script logged a model";
                return Err(StepError::refused(ErrorCode::InvalidDefinition, message));
            }
        };
        let digest = artifact.digest;
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
                source: artifact.source(),
                location: None,
                run: artifact.made_by.map(|(run, _)| run.into()),
                run_link: String::new(),
                logged_model: artifact.made_by.map(|(_, model)| model.to_string()),
                description,
                tags: Vec::new(),
                digest: Some(digest),
            },
            digest,
        }))
    }
}

/// What becomes a version.
struct Artifact {
    digest: Digest,
    /// The run and the logged model, if it is known which made it.
    made_by: Option<(RunId, LoggedModelId)>,
}

impl Artifact {
    /// One that `train` made: in a step that this one needs, or anywhere, and then nothing is known of it.
    fn trained(held: &Held, digest: Digest) -> Self {
        let wanted = Value::from(digest.to_string());
        let steps = held.claim.values.as_value().get("steps").and_then(Value::as_object);
        let made_by = steps.into_iter().flat_map(|steps| steps.values()).find_map(|output| {
            let id = |key: &str| output.get(key).and_then(Value::as_str);
            let same = output.get("digest") == Some(&wanted);
            same.then_some((id("run")?.parse().ok()?, id("logged_model")?.parse().ok()?))
        });
        Self { digest, made_by }
    }

    /// Where clients find it.
    fn source(&self) -> String {
        match self.made_by {
            Some((_, model)) => format!("models:/{model}"),
            None => format!("mainstay-models:/models/{}/{MODEL_FILE}", self.digest.hex()),
        }
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
