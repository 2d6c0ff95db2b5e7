//! Bindings: what uses an endpoint, so that its deletion can be judged.

use crate::Stamps;
use crate::error::GatewayError;
use crate::id::EndpointId;
use crate::text::{MAX_NAME, name};

/// The kinds of thing that use endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// A scorer whose judge is the endpoint.
    Scorer,
}

impl ResourceType {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Scorer];

    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scorer => "scorer",
        }
    }

    /// The kind of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// A thing that uses an endpoint: which, of what kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingKey {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The kind of thing.
    pub resource_type: ResourceType,
    /// Its id, which need not be known here.
    pub resource_id: String,
}

impl BindingKey {
    /// Checks the id.
    pub fn new(
        endpoint: EndpointId,
        resource_type: ResourceType,
        resource_id: String,
    ) -> Result<Self, GatewayError> {
        Ok(Self { endpoint, resource_type, resource_id: name("resource_id", resource_id, MAX_NAME)? })
    }
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What uses what.
    pub key: BindingKey,
    /// What people call the thing.
    pub display_name: Option<String>,
    /// Who made it.
    pub stamps: Stamps,
}
