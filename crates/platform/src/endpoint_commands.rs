//! The commands that change what an endpoint serves, with the alias that follows it: together, or not at
//! all (invariant 8).
//!
//! The alias `champion` of a model is a projection of the champion of the governed endpoint that it
//! belongs to. Whatever changes that champion, or begins to govern the endpoint, moves the alias in the same
//! transaction, so that nobody reads the one without the other. An endpoint that serves nothing yet leaves the
//! alias where it is, and one that is no longer governed leaves it at its last champion, free to be moved.

use async_trait::async_trait;
use mainstay_api::native::endpoint::EndpointCommands;
use mainstay_api::oip::Refusal;
use mainstay_core::action::Action;
use mainstay_core::command::{Command, Commands};
use mainstay_core::error::{Coded, StorageError};
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::Scope;
use mainstay_registry::command::{PromoteAlias, Promotion};
use mainstay_registry::model::model_subject;
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_serving::command::{ChangeEndpoint, FinishRollout, RollBackEndpoint, RolledBack, SetRevision};
use mainstay_serving::port::ServingTx;
use mainstay_serving::revision::{Pinned, Revision, RevisionDraft};
use mainstay_serving::rollout::Rollout;
use serde_json::json;

use crate::loop_tx::{EffectError, LoopTx, Tx};

/// A command of the serving domain, and the alias that follows its endpoint.
pub struct WithAlias<C> {
    /// The command.
    pub command: C,
    /// Its endpoint.
    pub endpoint: Name,
}

#[async_trait]
impl<C> Command for WithAlias<C>
where
    C: Command<Tx = dyn ServingTx>,
{
    type Tx = dyn LoopTx;
    type Out = C::Out;
    type Error = EffectError;

    fn action(&self) -> Action {
        self.command.action()
    }

    fn scope(&self) -> Scope {
        self.command.scope()
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<C::Out, EffectError> {
        let out = self.command.apply(tx).await.map_err(EffectError::from_coded)?;
        align_alias(tx, &self.endpoint).await?;
        Ok(out)
    }
}

/// Points the alias that follows an endpoint at its champion. Gates are not asked: the command that made
/// it champion did. Event: `alias.moved`, with the endpoint, if it pointed elsewhere.
pub async fn align_alias(tx: &mut Tx, endpoint: &Name) -> Result<(), EffectError> {
    let Some(definition) = tx.endpoint(endpoint).await? else { return Ok(()) };
    let champion = tx.revision(endpoint).await?.and_then(|revision| revision.champion().copied());
    let Some(champion) = champion else { return Ok(()) };
    let model = ModelName::new(definition.model.as_str()).map_err(EffectError::from_coded)?;
    let alias = Alias::champion();
    if tx.alias_guard(&model, &alias).await?.as_ref() != Some(endpoint) {
        return Ok(());
    }
    let to = u32::try_from(champion.pinned.version).map(VersionNumber);
    let to = to.map_err(|_| StorageError::Corrupt(format!("a revision of endpoint {endpoint}")))?;
    let known = tx.aliases(&model).await?;
    let from = known.into_iter().find(|(known, _)| *known == alias).map(|(_, number)| number);
    if from != Some(to) {
        tx.put_alias(&model, &alias, to).await?;
        let body = json!({
            "alias": alias, "from": from, "to": to, "digest": champion.pinned.digest, "endpoint": endpoint,
        });
        tx.record(Event::new("alias.moved", model_subject(&model), body));
    }
    Ok(())
}

/// Moves the alias that follows an endpoint, and makes the version its champion, if it is not yet.
pub struct Promote(pub PromoteAlias);

#[async_trait]
impl Command for Promote {
    type Tx = dyn LoopTx;
    type Out = Promotion;
    type Error = EffectError;

    fn action(&self) -> Action {
        self.0.action()
    }

    fn scope(&self) -> Scope {
        self.0.scope()
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Promotion, EffectError> {
        let promotion = self.0.apply(tx).await.map_err(EffectError::from_coded)?;
        let endpoint = promotion.endpoint.clone();
        let pinned = Pinned { version: u64::from(self.0.set.number.0), digest: promotion.digest };
        let revision = tx.revision(&endpoint).await?;
        let is_champion = |revision: &Revision| revision.champion().is_some_and(|arm| arm.pinned == pinned);
        if !revision.as_ref().is_some_and(is_champion) {
            let set = SetRevision {
                workspace: self.0.set.workspace.clone(),
                endpoint,
                expected: revision.map_or(0, |revision| revision.number),
                governed: true,
                draft: RevisionDraft::champion(pinned),
            };
            set.apply(tx).await.map_err(EffectError::from_coded)?;
        }
        Ok(promotion)
    }
}

/// Runs them over the writer.
pub struct EndpointLoop(pub Commands<dyn LoopTx>);

impl EndpointLoop {
    async fn run<C>(&self, principal: &Principal, endpoint: Name, command: C) -> Result<C::Out, Refusal>
    where
        C: Command<Tx = dyn ServingTx>,
        C::Error: Coded,
    {
        self.0.run(principal, WithAlias { command, endpoint }).await.map_err(Refusal::new)
    }
}

#[async_trait]
impl EndpointCommands for EndpointLoop {
    async fn change(&self, principal: &Principal, command: ChangeEndpoint) -> Result<Revision, Refusal> {
        self.run(principal, command.endpoint.name.clone(), command).await
    }

    async fn set_revision(&self, principal: &Principal, command: SetRevision) -> Result<Revision, Refusal> {
        self.run(principal, command.endpoint.clone(), command).await
    }

    async fn promote(&self, principal: &Principal, command: PromoteAlias) -> Result<Promotion, Refusal> {
        self.0.run(principal, Promote(command)).await.map_err(Refusal::new)
    }

    async fn roll_back(
        &self,
        principal: &Principal,
        command: RollBackEndpoint,
    ) -> Result<RolledBack, Refusal> {
        self.run(principal, command.endpoint.clone(), command).await
    }

    async fn decide_rollout(
        &self,
        principal: &Principal,
        command: FinishRollout,
    ) -> Result<Rollout, Refusal> {
        self.run(principal, command.endpoint.clone(), command).await
    }
}
