//! Creating, renaming, tagging, deleting and restoring an experiment.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use super::{active_experiment, existing_experiment};
use crate::error::TrackingError;
use crate::experiment::{Experiment, ExperimentId, ExperimentName, experiment_subject, uri_below};
use crate::port::TrackingTx;
use crate::run::Lifecycle;
use crate::text::{Pair, checked_key};
use mainstay_core::experiment::ExperimentError;
use mainstay_core::text::{clip, free_text};

/// Judges a place that somebody named for an experiment by those that other experiments have.
pub trait Beside: fmt::Debug + Send + Sync {
    /// Whether both may be there: this one, and the one of another experiment of the workspace.
    fn admits(&self, other: ExperimentId, place: &str) -> bool;
}

/// Where the artifacts of an experiment go.
#[derive(Debug, Clone)]
pub enum ArtifactLocation {
    /// To this URI, which other experiments have nothing to do with.
    At(String),
    /// To a place that somebody named among those of others.
    Among {
        /// Its URI.
        uri: String,
        /// The newest experiment of the workspace by which it was judged before.
        last: Option<ExperimentId>,
        /// Judges it by those that are newer.
        beside: Arc<dyn Beside>,
    },
    /// To a folder, named by the experiment's id, under this URI.
    Under(String),
}

impl ArtifactLocation {
    fn of(&self, id: ExperimentId) -> Result<String, TrackingError> {
        let uri = match self {
            Self::At(uri) | Self::Among { uri, .. } => uri.clone(),
            Self::Under(root) => uri_below(root, &id.to_string()),
        };
        Ok(free_text("artifact location", uri)?)
    }
}

async fn create(
    tx: &mut dyn TrackingTx,
    id: ExperimentId,
    name: ExperimentName,
    location: &ArtifactLocation,
    tags: &[Pair],
) -> Result<Experiment, TrackingError> {
    let now = tx.now();
    let experiment = Experiment {
        id,
        name,
        artifact_location: location.of(id)?,
        lifecycle: Lifecycle::Active,
        created: now,
        updated: now,
    };
    tx.insert_experiment(&experiment).await?;
    for tag in tags {
        tx.put_experiment_tag(id, tag).await?;
    }
    let body = json!({
        "name": experiment.name,
        "artifact_location": experiment.artifact_location,
        "tags": tags,
    });
    tx.record(Event::new("experiment.created", experiment_subject(id), body));
    Ok(experiment)
}

/// Creates an experiment under the next id. Event: `experiment.created`.
#[derive(Debug, Clone)]
pub struct CreateExperiment {
    /// Where.
    pub workspace: Name,
    /// Its name.
    pub name: ExperimentName,
    /// Where its artifacts go.
    pub location: ArtifactLocation,
    /// Its first tags.
    pub tags: Vec<Pair>,
}

#[async_trait]
impl Command for CreateExperiment {
    type Tx = dyn TrackingTx;
    type Out = Experiment;
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::ExperimentCreate
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Experiment, self.name.as_str()))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Experiment, TrackingError> {
        if let Some(other) = tx.experiment_named(&self.name).await? {
            let deleted = other.lifecycle == Lifecycle::Deleted;
            return Err(TrackingError::ExperimentExists { name: self.name.to_string(), deleted });
        }
        if let ArtifactLocation::Among { uri, last, beside } = &self.location {
            let newer = tx.places_after(*last).await?;
            if newer.iter().any(|(other, place)| !beside.admits(*other, place)) {
                return Err(TrackingError::PlaceTaken(clip(uri)));
            }
        }
        let last = tx.last_experiment().await?.unwrap_or(ExperimentId::DEFAULT);
        let id = ExperimentId(last.0 + 1);
        let experiment = create(tx, id, self.name.clone(), &self.location, &self.tags).await?;
        tx.own(&experiment_subject(id)).await?;
        Ok(experiment)
    }
}

/// Creates `Default`, id 0, if it is not there: at the start of a server. Event:
/// `experiment.created`.
#[derive(Debug, Clone)]
pub struct CreateDefaultExperiment {
    /// Where; ids are the same for all workspaces, so only one has a `Default` of id 0.
    pub workspace: Name,
    /// Where its artifacts go.
    pub location: ArtifactLocation,
}

#[async_trait]
impl Command for CreateDefaultExperiment {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::ExperimentCreate
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(ExperimentId::DEFAULT))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        if tx.experiment(ExperimentId::DEFAULT).await?.is_none() {
            let name = ExperimentName::new("Default")?;
            create(tx, ExperimentId::DEFAULT, name, &self.location, &[]).await?;
        }
        Ok(())
    }
}

/// Renames an experiment. Event: `experiment.renamed`.
#[derive(Debug, Clone)]
pub struct RenameExperiment {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: ExperimentId,
    /// Its new name.
    pub name: ExperimentName,
}

#[async_trait]
impl Command for RenameExperiment {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        let mut experiment = active_experiment(tx, self.id).await?;
        if let Some(other) = tx.experiment_named(&self.name).await?
            && other.id != self.id
        {
            let deleted = other.lifecycle == Lifecycle::Deleted;
            return Err(TrackingError::ExperimentExists { name: self.name.to_string(), deleted });
        }
        if experiment.name == self.name {
            return Ok(());
        }
        let body = json!({"from": experiment.name, "to": self.name});
        experiment.name = self.name.clone();
        experiment.updated = tx.now();
        tx.update_experiment(&experiment).await?;
        tx.record(Event::new("experiment.renamed", experiment_subject(self.id), body));
        Ok(())
    }
}

async fn move_to(
    tx: &mut dyn TrackingTx,
    id: ExperimentId,
    lifecycle: Lifecycle,
    event: &'static str,
) -> Result<(), TrackingError> {
    let mut experiment = existing_experiment(tx, id).await?;
    // A stock server looks only among those that it can change.
    if experiment.lifecycle == lifecycle {
        return Err(ExperimentError::Missing(id).into());
    }
    experiment.lifecycle = lifecycle;
    experiment.updated = tx.now();
    tx.update_experiment(&experiment).await?;
    tx.set_lifecycle_of_runs(id, lifecycle).await?;
    tx.record(Event::new(event, experiment_subject(id), json!({})));
    Ok(())
}

/// Deletes an experiment with its runs; its name stays taken. Event: `experiment.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteExperiment {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: ExperimentId,
}

#[async_trait]
impl Command for DeleteExperiment {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        move_to(tx, self.id, Lifecycle::Deleted, "experiment.deleted").await
    }
}

/// Restores an experiment with its runs. Event: `experiment.restored`.
#[derive(Debug, Clone)]
pub struct RestoreExperiment {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: ExperimentId,
}

#[async_trait]
impl Command for RestoreExperiment {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        move_to(tx, self.id, Lifecycle::Active, "experiment.restored").await
    }
}

/// Sets a tag. Event: `experiment.tagged`.
#[derive(Debug, Clone)]
pub struct SetExperimentTag {
    /// Where.
    pub workspace: Name,
    /// Which experiment.
    pub id: ExperimentId,
    /// The tag.
    pub tag: Pair,
}

#[async_trait]
impl Command for SetExperimentTag {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        active_experiment(tx, self.id).await?;
        tx.put_experiment_tag(self.id, &self.tag).await?;
        tx.record(Event::new("experiment.tagged", experiment_subject(self.id), json!(self.tag)));
        Ok(())
    }
}

/// Removes a tag. Event: `experiment.untagged`.
#[derive(Debug, Clone)]
pub struct DeleteExperimentTag {
    /// Where.
    pub workspace: Name,
    /// Which experiment.
    pub id: ExperimentId,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteExperimentTag {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        let key = checked_key(self.key.clone())?;
        active_experiment(tx, self.id).await?;
        if !tx.delete_experiment_tag(self.id, &key).await? {
            return Err(TrackingError::NoTag { key, of: format!("experiment with id {}", self.id) });
        }
        tx.record(Event::new("experiment.untagged", experiment_subject(self.id), json!({"key": key})));
        Ok(())
    }
}
