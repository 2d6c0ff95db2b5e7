//! Changes of what an endpoint answers with: the revision of the endpoint and the alias that follows it
//! move in one command (invariant 8).

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use mainstay_registry::command::{FollowEndpoint, SetAlias};
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_registry::port::RegistryTx;
use mainstay_serving::command::{FinishRollout, RollBackEndpoint, SetRevision};
use mainstay_serving::error::ServingError;
use mainstay_serving::port::ServingTx;
use mainstay_serving::revision::Revision;

use crate::loop_tx::{EffectError, LoopTx, Tx};

/// The alias that points at what a governed endpoint serves.
pub const FOLLOWED: &str = "champion";

/// Points the model's alias at the endpoint's champion, if the endpoint is governed.
async fn follow(tx: &mut Tx, workspace: &Name, endpoint: &Name) -> Result<(), EffectError> {
    let (definition, revision) = {
        let tx: &mut (dyn ServingTx + 'static) = tx;
        (tx.endpoint(endpoint).await?, tx.revision(endpoint).await?)
    };
    let champion = revision.as_ref().and_then(Revision::champion).map(|arm| arm.pinned);
    let (Some(definition), Some(champion)) = (definition.filter(|found| found.governed), champion) else {
        return Ok(());
    };
    let name = ModelName::new(definition.model.as_str()).map_err(EffectError::from_coded)?;
    let alias = Alias::new(FOLLOWED).map_err(EffectError::from_coded)?;
    let number = VersionNumber::parse(&champion.version.to_string()).map_err(EffectError::from_coded)?;
    let follow = FollowEndpoint {
        set: SetAlias { workspace: workspace.clone(), name, alias, number },
        endpoint: endpoint.clone(),
    };
    let tx: &mut (dyn RegistryTx + 'static) = tx;
    follow.apply(tx).await.map_err(EffectError::from_coded)
}

/// A command of the serving domain after which the alias follows.
#[derive(Debug, Clone)]
pub struct Released<C>(pub C);

/// A serving command that may change who is champion.
pub trait Releases: Command<Tx = dyn ServingTx, Error = ServingError> {
    /// Where, and of which endpoint.
    fn place(&self) -> (&Name, &Name);
}

impl Releases for SetRevision {
    fn place(&self) -> (&Name, &Name) {
        (&self.workspace, &self.endpoint)
    }
}

impl Releases for FinishRollout {
    fn place(&self) -> (&Name, &Name) {
        (&self.workspace, &self.endpoint)
    }
}

impl Releases for RollBackEndpoint {
    fn place(&self) -> (&Name, &Name) {
        (&self.workspace, &self.endpoint)
    }
}

#[async_trait]
impl<C: Releases> Command for Released<C> {
    type Tx = dyn LoopTx;
    type Out = C::Out;
    type Error = EffectError;

    fn action(&self) -> Action {
        self.0.action()
    }

    fn scope(&self) -> Scope {
        self.0.scope()
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<C::Out, EffectError> {
        let done = {
            let tx: &mut (dyn ServingTx + 'static) = tx;
            self.0.apply(tx).await.map_err(EffectError::from_coded)?
        };
        let (workspace, endpoint) = self.0.place();
        follow(tx, workspace, endpoint).await?;
        Ok(done)
    }
}
