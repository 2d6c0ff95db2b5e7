//! Why a change of the gateway is refused. Sentences that clients read begin as MLflow's do.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use thiserror::Error;

use crate::id::{EndpointId, ModelDefinitionId, SecretId};
use crate::sealing::SealError;

/// Why a command on the gateway was refused. No sentence repeats a value of a secret.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// A text is empty or blank.
    #[error("{0} cannot be empty or contain only whitespace")]
    Blank(&'static str),
    /// A text is too long.
    #[error("{field} has more than {limit} characters; shorten it")]
    TooLong {
        /// Which.
        field: &'static str,
        /// The most.
        limit: usize,
    },
    /// A text holds what cannot be shown or stored.
    #[error("{0} holds a control character; remove it")]
    ControlCharacter(&'static str),
    /// A secret without a value.
    #[error("Missing value for required parameter 'secret_value'. Name at least one field with its value.")]
    NoValue,
    /// Too many fields.
    #[error("{field} has more than {limit} fields; leave some out")]
    TooManyFields {
        /// Of what.
        field: &'static str,
        /// The most.
        limit: usize,
    },
    /// A field would say where requests go.
    #[error(
        "{field} must not contain {keys}: where requests go is said by 'api_base' in auth_config alone, where \
         people see it and it is checked"
    )]
    Destination {
        /// In what.
        field: &'static str,
        /// The fields, each in quotes.
        keys: String,
    },
    /// The name of an endpoint has other characters.
    #[error(
        "Invalid endpoint name '{0}'. Name can only contain letters, numbers, underscores, hyphens, and dots."
    )]
    EndpointName(String),
    /// An endpoint without models.
    #[error("Endpoint must have at least one model configuration")]
    NoModels,
    /// An endpoint whose models all stand in for others.
    #[error("Endpoint must have at least one model with linkage type PRIMARY; the others stand in for it")]
    NoPrimary,
    /// More models than an endpoint takes.
    #[error("an endpoint has at most {0} models; leave some out")]
    TooManyModels(usize),
    /// A weight is no weight.
    #[error("weight must be a number from 0, got {0:?}")]
    Weight(f64),
    /// A number that counts is negative.
    #[error("{0} must not be negative")]
    Negative(&'static str),
    /// There is no such secret.
    #[error("GatewaySecret not found (secret_id='{0}')")]
    NoSecret(SecretId),
    /// There is no such model definition.
    #[error("GatewayModelDefinition not found (model_definition_id='{0}')")]
    NoModelDefinition(ModelDefinitionId),
    /// There is no such endpoint.
    #[error("GatewayEndpoint not found (endpoint_id='{0}')")]
    NoEndpoint(EndpointId),
    /// The resource does not use the endpoint.
    #[error(
        "GatewayEndpointBinding not found (endpoint_id='{endpoint}', resource_type='{resource_type}', \
         resource_id='{resource_id}')"
    )]
    NoBinding {
        /// The endpoint.
        endpoint: EndpointId,
        /// The kind of resource.
        resource_type: &'static str,
        /// The resource.
        resource_id: String,
    },
    /// The model is not attached.
    #[error("Model definition '{definition}' is not attached to endpoint '{endpoint}'")]
    NotAttached {
        /// The model.
        definition: ModelDefinitionId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// The name of a secret is taken.
    #[error("Secret with name '{0}' already exists")]
    SecretExists(String),
    /// The name of a model definition is taken.
    #[error("Model definition with name '{0}' already exists")]
    ModelDefinitionExists(String),
    /// The name of an endpoint is taken.
    #[error("Endpoint with name '{0}' already exists")]
    EndpointExists(String),
    /// The model is attached already, in that kind.
    #[error("Model definition '{definition}' is already attached to endpoint '{endpoint}'")]
    AlreadyAttached {
        /// The model.
        definition: ModelDefinitionId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// The resource uses the endpoint already.
    #[error("{resource_type} '{resource_id}' is already bound to endpoint '{endpoint}'")]
    AlreadyBound {
        /// The endpoint.
        endpoint: EndpointId,
        /// The kind of resource.
        resource_type: &'static str,
        /// The resource.
        resource_id: String,
    },
    /// Endpoints use the model definition.
    #[error(
        "Cannot delete model definition that is currently in use by endpoints. Detach it from all endpoints first."
    )]
    InUse,
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for GatewayError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Blank(_)
            | Self::TooLong { .. }
            | Self::ControlCharacter(_)
            | Self::NoValue
            | Self::TooManyFields { .. }
            | Self::Destination { .. }
            | Self::EndpointName(_)
            | Self::NoModels
            | Self::NoPrimary
            | Self::TooManyModels(_)
            | Self::Weight(_)
            | Self::Negative(_) => ErrorCode::InvalidArgument,
            Self::NoSecret(_)
            | Self::NoModelDefinition(_)
            | Self::NoEndpoint(_)
            | Self::NoBinding { .. }
            | Self::NotAttached { .. } => ErrorCode::NotFound,
            Self::SecretExists(_)
            | Self::ModelDefinitionExists(_)
            | Self::EndpointExists(_)
            | Self::AlreadyAttached { .. }
            | Self::AlreadyBound { .. } => ErrorCode::AlreadyExists,
            Self::InUse => ErrorCode::WrongState,
            Self::Seal(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}
