//! Endpoints: a name that requests are sent to, and the models that answer them.

use std::collections::{BTreeMap, HashSet};

use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::text::clip;

use crate::Stamps;
use crate::error::GatewayError;
use crate::id::{EndpointId, MappingId, ModelDefinitionId};
use crate::model_definition::ModelDefinition;
use crate::text::{MAX_NAME, MAX_TAG_KEY, MAX_TAG_VALUE, free, name};

/// Most models of one endpoint.
pub const MAX_MODELS: usize = 100;

macro_rules! named_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$one:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$one])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of MLflow's numbers, which count from 1.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in the store.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of that name.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

named_enum! {
    /// What a model does for an endpoint.
    Linkage {
        /// It answers its share of the requests.
        Primary = "PRIMARY",
        /// It is tried, in its order, when a primary one fails.
        Fallback = "FALLBACK",
    }
}

named_enum! {
    /// How requests are divided.
    RoutingStrategy {
        /// Each request goes to one primary model, by the weights.
        RequestBasedTrafficSplit = "REQUEST_BASED_TRAFFIC_SPLIT",
    }
}

named_enum! {
    /// How fallbacks are tried.
    FallbackStrategy {
        /// One after the other.
        Sequential = "SEQUENTIAL",
    }
}

/// How an endpoint falls back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fallback {
    /// In which way.
    pub strategy: Option<FallbackStrategy>,
    /// How many fallback models are tried; all, if nothing is said.
    pub max_attempts: Option<i32>,
}

impl Fallback {
    /// Checks the number.
    pub fn new(strategy: Option<FallbackStrategy>, max_attempts: Option<i32>) -> Result<Self, GatewayError> {
        if max_attempts.is_some_and(|attempts| attempts < 0) {
            return Err(GatewayError::Negative("max_attempts"));
        }
        Ok(Self { strategy, max_attempts })
    }
}

/// The name of an endpoint, which stands in URLs: letters, digits, `_`, `-` and `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointName(String);

impl EndpointName {
    /// Checks a text.
    pub fn new(text: String) -> Result<Self, GatewayError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() || !text.chars().all(fits) {
            return Err(GatewayError::EndpointName(clip(&text)));
        }
        name("name", text, MAX_NAME).map(Self)
    }

    /// As it was stored.
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A model that shall be attached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attachment {
    /// The id of the attachment, just drawn.
    pub id: MappingId,
    /// The model.
    pub definition: ModelDefinitionId,
    /// What it does.
    pub linkage: Linkage,
    /// Its share among the primary ones: a number from 0.
    pub weight: f64,
    /// When it is tried among the fallbacks: lower ones first.
    pub order: Option<i32>,
}

impl Attachment {
    /// Checks weight and order.
    pub fn checked(self) -> Result<Self, GatewayError> {
        if !self.weight.is_finite() || self.weight < 0.0 {
            return Err(GatewayError::Weight(self.weight));
        }
        if self.order.is_some_and(|order| order < 0) {
            return Err(GatewayError::Negative("fallback_order"));
        }
        Ok(self)
    }
}

/// The models of an endpoint, each once in each kind, at least one of them primary.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachments(Vec<Attachment>);

impl Attachments {
    /// Checks them, for the endpoint of that id.
    pub fn new(endpoint: EndpointId, attachments: Vec<Attachment>) -> Result<Self, GatewayError> {
        if attachments.is_empty() {
            return Err(GatewayError::NoModels);
        }
        if attachments.len() > MAX_MODELS {
            return Err(GatewayError::TooManyModels(MAX_MODELS));
        }
        if attachments.iter().all(|one| one.linkage != Linkage::Primary) {
            return Err(GatewayError::NoPrimary);
        }
        let mut seen = HashSet::new();
        for one in &attachments {
            one.checked()?;
            if !seen.insert((one.definition, one.linkage)) {
                return Err(GatewayError::AlreadyAttached { definition: one.definition, endpoint });
            }
        }
        Ok(Self(attachments))
    }

    /// They.
    pub fn as_slice(&self) -> &[Attachment] {
        &self.0
    }

    /// Whether one of them is a fallback.
    pub fn has_fallback(&self) -> bool {
        self.0.iter().any(|one| one.linkage == Linkage::Fallback)
    }
}

/// A model that is attached.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// What was asked for.
    pub attachment: Attachment,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The model.
    pub definition: ModelDefinition,
    /// Who attached it.
    pub stamps: Stamps,
}

/// An endpoint by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The id.
    pub id: EndpointId,
    /// The name, unique in the workspace.
    pub name: EndpointName,
    /// How requests are divided, if something is said.
    pub routing: Option<RoutingStrategy>,
    /// How it falls back, if it does.
    pub fallback: Option<Fallback>,
    /// In which experiment its traces go.
    pub experiment: Option<u64>,
    /// Whether its requests leave traces.
    pub tracks_usage: bool,
    /// Who made and changed it.
    pub stamps: Stamps,
}

/// An endpoint with its models, in the order in which they were attached, and its tags.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointDetail {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its models.
    pub mappings: Vec<Mapping>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A tag of an endpoint, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Tag {
    /// Checks both.
    pub fn new(key: String, value: String) -> Result<Self, GatewayError> {
        Ok(Self { key: name("key", key, MAX_TAG_KEY)?, value: free("value", value, MAX_TAG_VALUE)? })
    }
}

/// How the record names an endpoint.
pub fn endpoint_subject(id: EndpointId) -> Subject {
    Subject::new(ResourceKind::GatewayEndpoint, id)
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    fn attachment(seed: u64, linkage: Linkage) -> Attachment {
        let entropy = SeededEntropy::new(seed);
        let definition = ModelDefinitionId::draw(&entropy);
        Attachment { id: MappingId::draw(&entropy), definition, linkage, weight: 1.0, order: None }
    }

    #[test]
    fn an_endpoint_has_a_primary_model_and_each_model_once_in_a_kind() {
        let id = EndpointId::draw(&SeededEntropy::new(9));
        let (one, two) = (attachment(1, Linkage::Primary), attachment(2, Linkage::Fallback));
        let both = Attachments::new(id, vec![one, two]).unwrap();
        assert!(both.has_fallback());
        let twice = Attachment { linkage: Linkage::Fallback, ..one };
        assert!(Attachments::new(id, vec![one, twice]).is_ok());
        let refused = |attachments| Attachments::new(id, attachments).unwrap_err().to_string();
        assert!(refused(vec![]).starts_with("Endpoint must have at least one model configuration"));
        assert!(refused(vec![two]).contains("PRIMARY"));
        assert!(refused(vec![one, one]).contains("is already attached to endpoint"));
        assert!(refused(vec![one; MAX_MODELS + 1]).contains("at most 100 models"));
        for weight in [f64::NAN, f64::INFINITY, -0.5] {
            assert!(refused(vec![Attachment { weight, ..one }]).starts_with("weight must be"));
        }
        assert!(refused(vec![Attachment { order: Some(-1), ..one }]).starts_with("fallback_order must"));
    }

    #[test]
    fn names_stand_in_urls() {
        for good in ["a", "Chat-4.1_x"] {
            assert!(EndpointName::new(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ü", "a?"] {
            let told = EndpointName::new(bad.to_owned()).unwrap_err().to_string();
            assert!(told.starts_with(&format!("Invalid endpoint name '{bad}'.")), "{told}");
        }
        assert!(EndpointName::new("x".repeat(256)).is_err());
        assert!(Fallback::new(None, Some(-1)).is_err());
    }

    #[test]
    fn names_of_values_are_mlflows() {
        assert_eq!(Linkage::named("FALLBACK"), Some(Linkage::Fallback));
        assert_eq!(RoutingStrategy::named("ROUTING_STRATEGY_UNSPECIFIED"), None);
        assert_eq!(FallbackStrategy::Sequential.as_str(), "SEQUENTIAL");
    }
}
