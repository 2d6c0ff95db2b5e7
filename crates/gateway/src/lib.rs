//! The LLM gateway's administration: credentials of providers, sealed; models that are reached with them;
//! endpoints that models are attached to, with weights and fallbacks; and what uses an endpoint.
//!
//! Semantics are those of `mlflow/store/tracking/gateway/sqlalchemy_mixin.py` of 3.18, with these differences:
//! who made or changed something is who the credential says, not what the request says; an endpoint has a primary
//! model, as that module's own words ask; a name that is taken is always refused as such.
//!
//! What is said to the outside about a secret is [`secret::Secret`], which has no secret in it. The values
//! themselves are [`secret::Credentials`] for as long as a request takes, and [`sealing::Sealed`] everywhere else.
//!
//! # Adding a fact about an endpoint
//!
//! A field of [`endpoint::Endpoint`] or a type beside it, its rules where it is made, the change in the commands of
//! [`command`] with what their event says of it, and the column in the store.

pub mod binding;
pub mod command;
pub mod endpoint;
pub mod error;
pub mod id;
pub mod import;
pub mod model_definition;
pub mod port;
pub mod provider;
pub mod sealing;
pub mod secret;
mod text;

use mainstay_core::time::MachineTime;

/// Who made something and who changed it last, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamps {
    /// When it was made.
    pub created: MachineTime,
    /// When it last changed: later, in whole milliseconds, than before.
    pub updated: MachineTime,
    /// The user who made it; none if it was no user.
    pub created_by: Option<String>,
    /// The user who changed it last.
    pub updated_by: Option<String>,
}

impl Stamps {
    /// Of something that is made now, by the user of that name.
    pub fn new(now: MachineTime, user: Option<&str>) -> Self {
        let user = user.map(str::to_owned);
        Self { created: now, updated: now, created_by: user.clone(), updated_by: user }
    }

    /// After a change.
    #[must_use]
    pub fn touched(&self, now: MachineTime, user: Option<&str>) -> Self {
        // MLflow's clients see milliseconds.
        let updated = now.max(self.updated.plus(1_000));
        Self { updated, updated_by: user.map(str::to_owned), ..self.clone() }
    }
}
