//! Models of an endpoint: attach, detach, and how they stand in a request.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::entropy::Entropy;
use mainstay_gateway::command::attachment::{AttachModel, DetachModel};
use mainstay_gateway::endpoint::{Attachment, Linkage};
use mainstay_gateway::id::{EndpointId, MappingId};
use serde::{Deserialize, Serialize};

use crate::body::MappingBody;
use crate::error::CallError;
use crate::id;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Choice, Empty, double, int64};
use mainstay_mlflow::{Error, MlflowError, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let manage = Action::GatewayManage;
    Table::v3()
        .post("gateway/endpoints/models/attach", manage, attach)
        .post("gateway/endpoints/models/detach", manage, detach)
        .rows()
}

/// `GatewayEndpointModelConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ModelConfig {
    #[serde(alias = "modelDefinitionId")]
    model_definition_id: Option<String>,
    #[serde(alias = "linkageType")]
    linkage_type: Option<Choice>,
    #[serde(deserialize_with = "double")]
    weight: Option<f64>,
    #[serde(alias = "fallbackOrder", deserialize_with = "int64")]
    fallback_order: Option<i64>,
}

impl ModelConfig {
    /// The attachment; `at` is its place in a list.
    pub(crate) fn read(self, at: Option<usize>, entropy: &dyn Entropy) -> Result<Attachment, Error> {
        let names: Vec<_> = Linkage::ALL.iter().map(|one| one.as_str()).collect();
        let linkage = self.linkage_type.as_ref().and_then(|choice| choice.name(&names, 1));
        let linkage = linkage.and_then(Linkage::named).ok_or_else(|| {
            let list = at.map(|at| format!("s[{at}]")).unwrap_or_default();
            CallError::LinkageType(format!("model_config{list}"))
        })?;
        let order = self.fallback_order.map(|number| {
            i32::try_from(number)
                .map_err(|_| MlflowError::invalid("fallback_order", number, "it is a 32-bit number"))
        });
        let attachment = Attachment {
            id: MappingId::draw(entropy),
            definition: id(self.model_definition_id)?,
            linkage,
            weight: self.weight.unwrap_or(1.0),
            order: order.transpose()?,
        };
        Ok(attachment.checked()?)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(alias = "endpointId")]
    endpoint_id: Option<String>,
    #[serde(alias = "modelConfig")]
    model_config: Option<ModelConfig>,
    #[serde(alias = "modelDefinitionId")]
    model_definition_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct One {
    mapping: MappingBody,
}

async fn attach(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let endpoint: EndpointId = id(request.endpoint_id)?;
    let config = request.model_config.ok_or(MlflowError::Missing("model_config"))?;
    let attachment = config.read(None, &*state.entropy)?;
    let command = AttachModel { workspace: caller.workspace, endpoint, attachment };
    Ok(Json(One { mapping: state.gateway.run(&caller.principal, command).await?.into() }))
}

async fn detach(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let (endpoint, definition) = (id(request.endpoint_id)?, id(request.model_definition_id)?);
    let command = DetachModel { workspace: caller.workspace, endpoint, definition };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;
    use serde_json::{Value, json};

    use super::*;

    fn read(config: &Value) -> Result<Attachment, String> {
        let config: ModelConfig = serde_json::from_value(config.clone()).unwrap();
        config.read(Some(2), &SeededEntropy::new(1)).map_err(Error::into_sentence)
    }

    #[test]
    fn a_model_is_attached_in_a_known_way() {
        let definition = format!("d-{}", "a".repeat(32));
        let config = |linkage: Value| json!({"model_definition_id": definition, "linkage_type": linkage});
        let plain = read(&config(json!("PRIMARY"))).unwrap();
        assert!((plain.weight - 1.0).abs() < f64::EPSILON && plain.order.is_none());
        assert_eq!(read(&config(json!(2))).unwrap().linkage, Linkage::Fallback);
        for bad in [json!(null), json!(0), json!("LINKAGE_TYPE_UNSPECIFIED"), json!(7)] {
            let told = read(&config(bad)).unwrap_err();
            let begin = "Invalid or missing value for required parameter 'linkage_type' in model_configs[2]. Must be one of: \
                 PRIMARY, FALLBACK.";
            assert!(told.starts_with(begin), "{told}");
        }
        let unnamed = json!({"model_definition_id": "gpt", "linkage_type": 1});
        assert!(read(&unnamed).unwrap_err().starts_with("GatewayModelDefinition not found"));
    }
}
