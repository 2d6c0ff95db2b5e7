//! `uses: endpoint`: makes or changes an endpoint that serves a model of a feature service.

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_features::definition::{Definitions, FeatureService};
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_serving::command::{ChangeEndpoint, CreateEndpoint};
use mainstay_serving::endpoint::{Endpoint, ServiceRef};
use mainstay_serving::label::LabelKind;
use mainstay_serving::port::{ServingStore as _, ServingTx};
use mainstay_serving::retraining::RetrainingPolicy;
use mainstay_serving::schema::{FeatureSpec, InputSchema};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{BuiltIn, Held, StepError};
use mainstay_platform::Platform;
use mainstay_platform::endpoint_commands::WithAlias;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};
use mainstay_predictor::kind_of;

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The endpoint.
    endpoint: Name,
    /// The registered model whose versions it serves.
    model: Name,
    /// Where the feature service stands that the model reads.
    project: Name,
    service: String,
    /// Whether only versions whose gates passed may answer.
    #[serde(default = "yes")]
    governed: bool,
    labels: Option<LabelKind>,
    #[serde(default)]
    retraining: Vec<RetrainingPolicy>,
    #[serde(default)]
    day_offset_micros: i64,
}

const fn yes() -> bool {
    true
}

/// The step.
pub struct DefineEndpoint;

#[async_trait]
impl BuiltIn for DefineEndpoint {
    fn name(&self) -> &'static str {
        "endpoint"
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
        let arguments: Arguments = held.arguments()?;
        let (workspace, reader) = (&held.workspace, &platform.database.reader);
        let missing = |what: String| StepError::refused(ErrorCode::NotFound, what);
        let project = &arguments.project;
        let stored = reader.feature_definitions(workspace, project).await.map_err(StepError::of)?;
        let stored =
            stored.ok_or_else(|| missing(format!("there are no feature definitions named {project}")))?;
        let definitions = Definitions::parse(&stored.text).map_err(StepError::of)?;
        let service = definitions.service(&arguments.service);
        let service = service
            .ok_or_else(|| missing(format!("{project} has no feature service {:?}", arguments.service)))?;
        let schema = schema_of(&definitions, service)?;
        let present = reader.endpoint(workspace, &arguments.endpoint).await.map_err(StepError::of)?;
        let endpoint = Endpoint {
            name: arguments.endpoint,
            model: arguments.model,
            governed: arguments.governed,
            features: Some(ServiceRef { project: arguments.project, service: arguments.service }),
            schema,
            labels: arguments.labels,
            retraining: arguments.retraining,
            day_offset_micros: arguments.day_offset_micros,
        };
        Ok(Box::new(match present {
            None => Defined::New(CreateEndpoint { workspace: workspace.clone(), endpoint }),
            Some((old, revision)) if old == endpoint => Defined::Same(old.name, revision.number),
            // The engine may do it, and whoever writes a pipeline may not: it opens a way around the gates.
            Some((old, _)) if old.governed && !endpoint.governed => {
                let message = format!(
                    "endpoint '{}' is governed, and a pipeline does not change that; somebody with the right to \
                     promote does, by PUT /api/v1/endpoints/{}",
                    old.name, old.name
                );
                return Err(StepError::refused(ErrorCode::PermissionDenied, message));
            }
            Some((old, revision)) => {
                let command = ChangeEndpoint {
                    workspace: workspace.clone(),
                    expected: revision.number,
                    governed: old.governed,
                    endpoint,
                };
                Defined::Changed(WithAlias { command, endpoint: old.name })
            }
        }))
    }
}

/// The features of a service as an endpoint takes them: in the order of the model's inputs, none of them
/// required, since what is not known is a fact that models are trained on.
fn schema_of(definitions: &Definitions, service: &FeatureService) -> Result<InputSchema, StepError> {
    let spec = |name: String, dtype| FeatureSpec { name, kind: kind_of(dtype), nullable: true, range: None };
    let stored = service.features.iter().filter_map(|feature| {
        let (_, dtype) = definitions.view(&feature.view)?.feature(&feature.feature)?;
        Some(spec(feature.column(), dtype))
    });
    let request = service.request.iter().map(|feature| spec(feature.name.clone(), feature.dtype));
    InputSchema::new(stored.chain(request).collect()).map_err(StepError::of)
}

enum Defined {
    New(CreateEndpoint),
    Changed(WithAlias<ChangeEndpoint>),
    Same(Name, u64),
}

#[async_trait]
impl Effect for Defined {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let (name, revision, changed) = match self {
            Self::Same(name, revision) => (name, *revision, false),
            Self::New(create) => {
                let tx: &mut (dyn ServingTx + 'static) = tx;
                let revision = create.apply(tx).await.map_err(EffectError::from_coded)?;
                (&create.endpoint.name, revision.number, true)
            }
            Self::Changed(change) => {
                let revision = change.apply(tx).await?;
                (&change.endpoint, revision.number, true)
            }
        };
        let value = json!({ "endpoint": name, "revision": revision, "changed": changed });
        Ok(Conclusion::Accepted(StepOutput { value, ..StepOutput::default() }))
    }
}
