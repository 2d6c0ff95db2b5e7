//! Secrets are made, changed and removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::{Value, json};

use crate::Stamps;
use crate::error::GatewayError;
use crate::id::SecretId;
use crate::port::GatewayTx;
use crate::sealing::Sealed;
use crate::secret::{AuthConfig, Credentials, Secret, SecretName, secret_subject};

fn scope(workspace: &Name, id: SecretId) -> Scope {
    Scope::new(workspace.clone(), secret_subject(id))
}

/// What an event says: which fields there are, and under which key they are sealed; nothing of their values, and
/// nothing of what stands beside them but the names.
pub(crate) fn told(secret: &Secret, sealed: Option<&Sealed>) -> Value {
    json!({
        "name": secret.name.as_str(),
        "provider": secret.provider,
        "fields": secret.masked.keys().collect::<Vec<_>>(),
        "auth_config": secret.auth_config.fields().keys().collect::<Vec<_>>(),
        "sealed_under": sealed.map(|sealed| sealed.key.as_str()),
    })
}

/// A sealed value with what may be seen of it.
#[derive(Debug, Clone)]
pub struct SealedValue {
    masked: BTreeMap<String, String>,
    sealed: Arc<Sealed>,
}

impl SealedValue {
    /// `sealed` is made of `credentials`, which are not kept.
    pub fn new(credentials: &Credentials, sealed: Sealed) -> Self {
        Self { masked: credentials.masked(), sealed: Arc::new(sealed) }
    }
}

/// Makes a secret. Event: `gateway_secret.created`.
#[derive(Debug, Clone)]
pub struct CreateSecret {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: SecretId,
    /// The name.
    pub name: SecretName,
    /// The value, sealed for this id.
    pub value: SealedValue,
    /// Whose credentials they are.
    pub provider: Option<String>,
    /// What stands beside them.
    pub auth_config: AuthConfig,
}

#[async_trait]
impl Command for CreateSecret {
    type Tx = dyn GatewayTx;
    type Out = Secret;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Secret, GatewayError> {
        if tx.has_secret_named(&self.name).await? {
            return Err(GatewayError::SecretExists(self.name.as_str().to_owned()));
        }
        let secret = Secret {
            id: self.id,
            name: self.name.clone(),
            masked: self.value.masked.clone(),
            provider: self.provider.clone(),
            auth_config: self.auth_config.clone(),
            stamps: Stamps::new(tx.now(), tx.actor().user_name()),
        };
        tx.insert_secret(&secret, &self.value.sealed).await?;
        let body = told(&secret, Some(&self.value.sealed));
        tx.record(Event::new("gateway_secret.created", secret_subject(self.id), body));
        Ok(secret)
    }
}

/// Replaces the value of a secret, or what stands beside it; the name stays. Event: `gateway_secret.changed`.
#[derive(Debug, Clone)]
pub struct UpdateSecret {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: SecretId,
    /// The new value, sealed for this id.
    pub value: Option<SealedValue>,
    /// What stands beside it from now on.
    pub auth_config: Option<AuthConfig>,
}

#[async_trait]
impl Command for UpdateSecret {
    type Tx = dyn GatewayTx;
    type Out = Secret;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Secret, GatewayError> {
        let old = tx.secret(self.id).await?.ok_or(GatewayError::NoSecret(self.id))?;
        let sealed = self.value.as_ref().map(|value| &*value.sealed);
        let secret = Secret {
            masked: self.value.as_ref().map_or(old.masked, |value| value.masked.clone()),
            auth_config: self.auth_config.clone().unwrap_or(old.auth_config),
            stamps: old.stamps.touched(tx.now(), tx.actor().user_name()),
            ..old
        };
        tx.update_secret(&secret, sealed).await?;
        tx.record(Event::new("gateway_secret.changed", secret_subject(self.id), told(&secret, sealed)));
        Ok(secret)
    }
}

/// Removes a secret for good. Model definitions that use it are left without one. Event: `gateway_secret.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteSecret {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: SecretId,
}

#[async_trait]
impl Command for DeleteSecret {
    type Tx = dyn GatewayTx;
    type Out = ();
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GatewayError> {
        let secret = tx.secret(self.id).await?.ok_or(GatewayError::NoSecret(self.id))?;
        tx.delete_secret(self.id).await?;
        let body = json!({ "name": secret.name.as_str() });
        tx.record(Event::new("gateway_secret.deleted", secret_subject(self.id), body));
        Ok(())
    }
}
