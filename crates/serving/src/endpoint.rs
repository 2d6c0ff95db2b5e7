//! An endpoint: the name that clients ask, and everything declared about it.

use std::collections::HashSet;

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::time::DAY;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::label::{LabelKind, LabelValue, MissingLabel};
use crate::retraining::RetrainingPolicy;
use crate::schema::{InputSchema, InvalidSchema};

/// Most retraining policies of one endpoint.
pub const MAX_POLICIES: usize = 32;

/// Why a definition is no endpoint.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InvalidEndpoint {
    /// The schema may not become this one.
    #[error(transparent)]
    Schema(#[from] InvalidSchema),
    /// Labels would mature before they are asked for.
    #[error("the label horizon must not be negative")]
    Horizon,
    /// NaN or infinity as a label.
    #[error("the positive label, and the value that a missing label counts as, must be finite")]
    Label,
    /// Too many retraining policies.
    #[error("an endpoint has at most {MAX_POLICIES} retraining policies; this one has {0}")]
    Policies(usize),
    /// Two retraining policies of one name.
    #[error("two retraining policies are called '{0}'; give each its own name")]
    DuplicatePolicy(Name),
    /// Something is wrong with a policy.
    #[error("the retraining policy '{name}' is not sound: {fault}")]
    Policy {
        /// Which.
        name: Name,
        /// What.
        fault: &'static str,
    },
    /// Days that begin more than a day off.
    #[error("the day offset is at most a day, 86400000000 microseconds, either way")]
    DayOffset,
    /// The model of an endpoint stays.
    #[error("an endpoint keeps its model; create another endpoint for another model")]
    Model,
}

impl Coded for InvalidEndpoint {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidDefinition
    }
}

/// A feature service, in the definitions that it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRef {
    /// The project: the name of a definitions file.
    pub project: Name,
    /// The service in it.
    pub service: String,
}

/// The declared part of an endpoint. What it serves stands in its revisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its name within the workspace.
    pub name: Name,
    /// The registered model whose versions it serves.
    pub model: Name,
    /// Whether only versions whose gates passed may answer.
    pub governed: bool,
    /// The feature service that completes requests which carry entity keys.
    #[serde(default)]
    pub features: Option<ServiceRef>,
    /// What a request must hold.
    pub schema: InputSchema,
    /// What labels come back; none if it never gets any.
    #[serde(default)]
    pub labels: Option<LabelKind>,
    /// When and how it gets new candidates.
    #[serde(default)]
    pub retraining: Vec<RetrainingPolicy>,
    /// Microseconds added to a data time before it is cut into the days by which the endpoint is watched:
    /// −18,000,000,000 puts midnight at 05:00 UTC. At most a day either way.
    #[serde(default)]
    pub day_offset_micros: i64,
}

impl Endpoint {
    /// Checks what the types do not.
    pub fn validate(&self) -> Result<(), InvalidEndpoint> {
        if let Some(labels) = &self.labels {
            if labels.horizon_micros < 0 {
                return Err(InvalidEndpoint::Horizon);
            }
            let finite = |value: &LabelValue| !matches!(value, LabelValue::Number(n) if !n.is_finite());
            let missing = match &labels.missing {
                MissingLabel::Counts { value } => finite(value),
                MissingLabel::Excluded => true,
            };
            if !finite(&labels.positive) || !missing {
                return Err(InvalidEndpoint::Label);
            }
        }
        if !(-DAY..=DAY).contains(&self.day_offset_micros) {
            return Err(InvalidEndpoint::DayOffset);
        }
        if self.retraining.len() > MAX_POLICIES {
            return Err(InvalidEndpoint::Policies(self.retraining.len()));
        }
        let mut names = HashSet::new();
        for policy in &self.retraining {
            if !names.insert(&policy.name) {
                return Err(InvalidEndpoint::DuplicatePolicy(policy.name.clone()));
            }
            if let Some(fault) = policy.fault() {
                return Err(InvalidEndpoint::Policy { name: policy.name.clone(), fault });
            }
        }
        Ok(())
    }

    /// Checks that `next` may take this definition's place.
    pub fn check_successor(&self, next: &Self) -> Result<(), InvalidEndpoint> {
        next.validate()?;
        if next.model != self.model {
            return Err(InvalidEndpoint::Model);
        }
        Ok(self.schema.check_successor(&next.schema)?)
    }

    /// The digest of the whole definition, which a revision carries: SHA-256 of its JSON, whose
    /// order of fields and parameters is fixed.
    pub fn policy_digest(&self) -> Digest {
        // Names, finite numbers and maps with text keys always serialise; an empty text would only
        // make the digest of a broken definition equal to another's.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}
