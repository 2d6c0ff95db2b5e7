//! A registry in memory: one transaction type, and a unit that keeps a command's effects only if the
//! command succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, BoxFuture, Commands, Context, Job, Journal, Ownership, Unit};
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::{Scope, Subject};
use mainstay_core::time::MachineTime;
use mainstay_registry::model::{Model, ModelVersion, Stage};
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_registry::port::{GateStatus, RegistryTx};

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) models: BTreeMap<ModelName, Model>,
    pub(crate) versions: BTreeMap<(ModelName, VersionNumber), ModelVersion>,
    pub(crate) tags: BTreeMap<(ModelName, Option<VersionNumber>, String), String>,
    pub(crate) aliases: BTreeMap<(ModelName, Alias), VersionNumber>,
    /// Versions by the logged model that they were made of.
    pub(crate) made_of: Vec<(String, ModelName, VersionNumber)>,
    pub(crate) guards: BTreeMap<(ModelName, Alias), Name>,
    pub(crate) passed: BTreeSet<Digest>,
    /// Models on which somebody was granted something.
    pub(crate) granted: BTreeSet<ModelName>,
    pub(crate) events: Vec<Event>,
    pub(crate) now: i64,
}

pub(crate) struct Tx {
    state: State,
    context: Context,
}

impl Journal for Tx {
    fn record(&mut self, event: Event) {
        self.state.events.push(event);
    }
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(self.state.now)
    }
    fn actor(&self) -> &Actor {
        &self.context.actor
    }
    fn workspace(&self) -> &Name {
        &self.context.workspace
    }
}

#[async_trait]
impl Ownership for Tx {
    async fn own(&mut self, _: &Subject) -> Result<(), StorageError> {
        Ok(())
    }
}

#[async_trait]
impl RegistryTx for Tx {
    async fn model(&mut self, name: &ModelName) -> Result<Option<Model>, StorageError> {
        Ok(self.state.models.get(name).cloned())
    }
    async fn insert_model(&mut self, model: &Model) -> Result<(), StorageError> {
        assert!(self.state.models.insert(model.name.clone(), model.clone()).is_none());
        Ok(())
    }
    async fn grants_bar_renaming(&mut self, _: &ModelName, to: &ModelName) -> Result<bool, StorageError> {
        Ok(self.state.granted.contains(to))
    }
    async fn update_model(&mut self, model: &Model) -> Result<(), StorageError> {
        assert!(self.state.models.insert(model.name.clone(), model.clone()).is_some());
        Ok(())
    }
    async fn rename_model(
        &mut self,
        from: &ModelName,
        to: &ModelName,
        at: MachineTime,
    ) -> Result<(), StorageError> {
        let state = &mut self.state;
        let model = state.models.remove(from).unwrap();
        state.models.insert(to.clone(), Model { name: to.clone(), ..model });
        let named = |name: &ModelName| if name == from { to.clone() } else { name.clone() };
        state.versions = std::mem::take(&mut state.versions)
            .into_iter()
            .map(|((name, n), v)| {
                let updated = if name == *from { at } else { v.updated };
                ((named(&name), n), ModelVersion { model: named(&name), updated, ..v })
            })
            .collect();
        state.tags = std::mem::take(&mut state.tags)
            .into_iter()
            .map(|((m, n, k), v)| ((named(&m), n, k), v))
            .collect();
        state.aliases =
            std::mem::take(&mut state.aliases).into_iter().map(|((m, a), n)| ((named(&m), a), n)).collect();
        Ok(())
    }
    async fn delete_model(&mut self, name: &ModelName) -> Result<(), StorageError> {
        self.state.models.remove(name);
        self.state.versions.retain(|(model, _), _| model != name);
        self.state.tags.retain(|(model, _, _), _| model != name);
        self.state.aliases.retain(|(model, _), _| model != name);
        Ok(())
    }
    async fn put_model_tag(&mut self, name: &ModelName, tag: &Tag) -> Result<(), StorageError> {
        self.state.tags.insert((name.clone(), None, tag.key.clone()), tag.value.clone());
        Ok(())
    }
    async fn model_tag(&mut self, name: &ModelName, key: &str) -> Result<Option<String>, StorageError> {
        Ok(self.state.tags.get(&(name.clone(), None, key.to_owned())).cloned())
    }
    async fn delete_model_tag(&mut self, name: &ModelName, key: &str) -> Result<(), StorageError> {
        self.state.tags.remove(&(name.clone(), None, key.to_owned()));
        Ok(())
    }
    async fn last_version(&mut self, name: &ModelName) -> Result<Option<VersionNumber>, StorageError> {
        Ok(self.state.versions.keys().filter(|(model, _)| model == name).map(|(_, n)| *n).max())
    }
    async fn version(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<ModelVersion>, StorageError> {
        Ok(self.state.versions.get(&(name.clone(), number)).cloned())
    }
    async fn insert_version(&mut self, version: &ModelVersion) -> Result<(), StorageError> {
        let key = (version.model.clone(), version.number);
        assert!(self.state.versions.insert(key, version.clone()).is_none());
        Ok(())
    }
    async fn update_version(&mut self, version: &ModelVersion) -> Result<(), StorageError> {
        let key = (version.model.clone(), version.number);
        assert!(self.state.versions.insert(key, version.clone()).is_some());
        Ok(())
    }
    async fn versions_in(
        &mut self,
        name: &ModelName,
        stage: Stage,
    ) -> Result<Vec<ModelVersion>, StorageError> {
        let versions = self.state.versions.values();
        Ok(versions.filter(|v| v.model == *name && v.stage == stage).cloned().collect())
    }
    async fn put_version_tag(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
        tag: &Tag,
    ) -> Result<(), StorageError> {
        self.state.tags.insert((name.clone(), Some(number), tag.key.clone()), tag.value.clone());
        Ok(())
    }
    async fn note_version_of(
        &mut self,
        logged_model: &str,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<(), StorageError> {
        self.state.made_of.push((logged_model.to_owned(), name.clone(), number));
        Ok(())
    }
    async fn delete_version_tag(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
        key: &str,
    ) -> Result<(), StorageError> {
        self.state.tags.remove(&(name.clone(), Some(number), key.to_owned()));
        Ok(())
    }
    async fn aliases(&mut self, name: &ModelName) -> Result<Vec<(Alias, VersionNumber)>, StorageError> {
        let aliases = self.state.aliases.iter().filter(|((model, _), _)| model == name);
        Ok(aliases.map(|((_, alias), n)| (alias.clone(), *n)).collect())
    }
    async fn put_alias(
        &mut self,
        name: &ModelName,
        alias: &Alias,
        number: VersionNumber,
    ) -> Result<(), StorageError> {
        self.state.aliases.insert((name.clone(), alias.clone()), number);
        Ok(())
    }
    async fn delete_alias(&mut self, name: &ModelName, alias: &Alias) -> Result<(), StorageError> {
        self.state.aliases.remove(&(name.clone(), alias.clone()));
        Ok(())
    }
    async fn alias_guard(&mut self, name: &ModelName, alias: &Alias) -> Result<Option<Name>, StorageError> {
        Ok(self.state.guards.get(&(name.clone(), alias.clone())).cloned())
    }
    async fn gate_status(&mut self, digest: &Digest) -> Result<GateStatus, StorageError> {
        let missing = GateStatus::Missing("run its gates first".to_owned());
        Ok(if self.state.passed.contains(digest) { GateStatus::Passed } else { missing })
    }
}

#[derive(Default)]
pub(crate) struct Memory(pub(crate) Mutex<State>);

impl Unit<dyn RegistryTx> for Memory {
    fn submit(&self, mut job: Box<dyn Job<dyn RegistryTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let state = self.0.lock().unwrap().clone();
            let mut tx = Tx { state, context: job.context().clone() };
            if job.apply(&mut tx).await.is_ok() {
                tx.state.now += 1;
                *self.0.lock().unwrap() = tx.state;
            }
            job.settle(Ok(()));
            Ok(())
        })
    }
}

/// Allows a principal the actions of the highest role it has: approvers promote, others do not.
struct Roles;

impl Authorizer for Roles {
    fn allows(&self, principal: &Principal, action: Action, _: &Scope) -> bool {
        action != Action::ModelPromote || principal.actor == Actor::system("approver")
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

pub(crate) fn registry() -> (Arc<Memory>, Commands<dyn RegistryTx>) {
    let memory = Arc::new(Memory::default());
    (Arc::clone(&memory), Commands::new(memory, Arc::new(Roles)))
}
