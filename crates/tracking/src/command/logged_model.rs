//! Creating, finishing, describing and deleting a logged model.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{active_experiment, known_logged_model};
use crate::error::TrackingError;
use crate::experiment::{ExperimentId, uri_below};
use crate::logged_model::{LoggedModel, LoggedModelId, LoggedModelStatus, logged_model_subject};
use crate::port::{TrackingTx, texts};
use crate::run::Lifecycle;
use crate::text::{MAX_KEY, Overlong, Pair};
use mainstay_core::text::{checked, free_text};

async fn update(
    tx: &mut dyn TrackingTx,
    mut model: LoggedModel,
    event: &'static str,
) -> Result<LoggedModel, TrackingError> {
    model.updated = tx.now();
    tx.update_logged_model(&model).await?;
    let body = json!({"status": model.status.as_str()});
    tx.record(Event::new(event, logged_model_subject(model.id), body));
    Ok(model)
}

/// Creates a logged model whose artifacts are to come. Event: `logged_model.created`.
#[derive(Debug, Clone)]
pub struct CreateLoggedModel {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: LoggedModelId,
    /// In which experiment.
    pub experiment: ExperimentId,
    /// Its name; a drawn one where the client gives none.
    pub name: String,
    /// What kind of model, as the client says.
    pub model_type: String,
    /// The run that makes it.
    pub source_run: Option<RunRef>,
    /// Its parameters.
    pub params: Vec<Pair>,
    /// Its tags.
    pub tags: Vec<Pair>,
}

#[async_trait]
impl Command for CreateLoggedModel {
    type Tx = dyn TrackingTx;
    type Out = LoggedModel;
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), logged_model_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<LoggedModel, TrackingError> {
        let experiment = active_experiment(tx, self.experiment).await?;
        let now = tx.now();
        let model = LoggedModel {
            id: self.id,
            experiment: self.experiment,
            name: free_text("name", self.name.clone())?,
            model_type: free_text("model type", self.model_type.clone())?,
            source_run: self.source_run.clone(),
            artifact_uri: uri_below(&experiment.artifact_location, &format!("models/{}/artifacts", self.id)),
            status: LoggedModelStatus::Pending,
            lifecycle: Lifecycle::Active,
            created: now,
            updated: now,
        };
        tx.insert_logged_model(&model).await?;
        tx.put_logged_model_params(self.id, &texts(&self.params)).await?;
        tx.put_logged_model_tags(self.id, &texts(&self.tags)).await?;
        let body = json!({
            "experiment": model.experiment,
            "name": model.name,
            "model_type": model.model_type,
            "source_run": model.source_run,
            "artifact_uri": model.artifact_uri,
            "params": self.params,
            "tags": self.tags,
        });
        tx.record(Event::new("logged_model.created", logged_model_subject(self.id), body));
        Ok(model)
    }
}

/// Says that a logged model's artifacts are there, or will not come. Event: `logged_model.finalized`.
#[derive(Debug, Clone)]
pub struct FinalizeLoggedModel {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: LoggedModelId,
    /// What became of it.
    pub status: LoggedModelStatus,
}

#[async_trait]
impl Command for FinalizeLoggedModel {
    type Tx = dyn TrackingTx;
    type Out = LoggedModel;
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), logged_model_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<LoggedModel, TrackingError> {
        let mut model = known_logged_model(tx, self.id).await?;
        model.status = self.status;
        update(tx, model, "logged_model.finalized").await
    }
}

/// Deletes a logged model, unless it is. Event: `logged_model.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteLoggedModel {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: LoggedModelId,
}

#[async_trait]
impl Command for DeleteLoggedModel {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), logged_model_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        let mut model = known_logged_model(tx, self.id).await?;
        if model.lifecycle == Lifecycle::Deleted {
            return Ok(());
        }
        model.lifecycle = Lifecycle::Deleted;
        update(tx, model, "logged_model.deleted").await.map(drop)
    }
}

/// Sets parameters of a logged model. Event: `logged_model.params_logged`.
#[derive(Debug, Clone)]
pub struct LogLoggedModelParams {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub id: LoggedModelId,
    /// The parameters.
    pub params: Vec<Pair>,
}

#[async_trait]
impl Command for LogLoggedModelParams {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), logged_model_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        known_logged_model(tx, self.id).await?;
        tx.put_logged_model_params(self.id, &texts(&self.params)).await?;
        let body = json!({"params": self.params});
        tx.record(Event::new("logged_model.params_logged", logged_model_subject(self.id), body));
        Ok(())
    }
}

/// Sets tags of a logged model. Event: `logged_model.tagged`.
#[derive(Debug, Clone)]
pub struct SetLoggedModelTags {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub id: LoggedModelId,
    /// The tags.
    pub tags: Vec<Pair>,
}

#[async_trait]
impl Command for SetLoggedModelTags {
    type Tx = dyn TrackingTx;
    type Out = LoggedModel;
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), logged_model_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<LoggedModel, TrackingError> {
        let mut model = known_logged_model(tx, self.id).await?;
        tx.put_logged_model_tags(self.id, &texts(&self.tags)).await?;
        model.updated = tx.now();
        tx.update_logged_model(&model).await?;
        let body = json!({"tags": self.tags});
        tx.record(Event::new("logged_model.tagged", logged_model_subject(self.id), body));
        Ok(model)
    }
}

/// Removes a tag of a logged model. Event: `logged_model.untagged`.
#[derive(Debug, Clone)]
pub struct DeleteLoggedModelTag {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub id: LoggedModelId,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteLoggedModelTag {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), logged_model_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        let key = checked("key", self.key.clone(), MAX_KEY, Overlong::Refuse)?;
        known_logged_model(tx, self.id).await?;
        if !tx.delete_logged_model_tag(self.id, &key).await? {
            return Err(TrackingError::NoModelTag { key, model: self.id });
        }
        tx.record(Event::new("logged_model.untagged", logged_model_subject(self.id), json!({"key": key})));
        Ok(())
    }
}
