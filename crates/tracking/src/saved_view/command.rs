//! Keeping a view, and taking it away.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use super::port::SavedViewTx;
use super::{MAX_EXPERIMENTS, MAX_VIEWS, SavedView, SavedViewError, ViewQuery};
use crate::experiment::ExperimentId;

fn subject(name: &Name) -> Subject {
    Subject::new(ResourceKind::SavedView, name)
}

/// Keeps a view under its name, in the place of what was kept there. Event: `saved_view.saved`.
#[derive(Debug, Clone)]
pub struct SaveView {
    /// Where.
    pub workspace: Name,
    /// Its name.
    pub name: Name,
    /// Of which experiments; of all where none is named.
    pub experiments: Vec<ExperimentId>,
    /// What the address says.
    pub query: ViewQuery,
}

#[async_trait]
impl Command for SaveView {
    type Tx = dyn SavedViewTx;
    type Out = SavedView;
    type Error = SavedViewError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<SavedView, SavedViewError> {
        if self.experiments.len() > MAX_EXPERIMENTS {
            return Err(SavedViewError::Experiments);
        }
        if tx.other_views(&self.name).await? >= MAX_VIEWS as u64 {
            return Err(SavedViewError::TooMany);
        }
        let view = SavedView {
            name: self.name.clone(),
            experiments: self.experiments.clone(),
            query: self.query.clone(),
            author: tx.actor().to_string(),
            saved: tx.now(),
        };
        tx.put_view(&view).await?;
        let body = json!({ "experiments": view.experiments, "query": view.query });
        tx.record(Event::new("saved_view.saved", subject(&view.name), body));
        Ok(view)
    }
}

/// Takes a view away. Event: `saved_view.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteSavedView {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub name: Name,
}

#[async_trait]
impl Command for DeleteSavedView {
    type Tx = dyn SavedViewTx;
    type Out = ();
    type Error = SavedViewError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), SavedViewError> {
        if !tx.delete_view(&self.name).await? {
            return Err(SavedViewError::NoView(self.name.clone()));
        }
        tx.record(Event::new("saved_view.deleted", subject(&self.name), json!({})));
        Ok(())
    }
}
