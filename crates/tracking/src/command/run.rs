//! Creating, updating, deleting and restoring a run.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::entropy::Entropy;
use mainstay_core::event::Event;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{active_experiment, active_run, existing_run};
use crate::error::TrackingError;
use crate::experiment::{ExperimentId, uri_below};
use crate::port::{TrackingTx, texts};
use crate::run::{Lifecycle, RUN_NAME_TAG, Run, RunDetail, RunStatus, run_subject};
use crate::run_name;
use crate::text::{Overlong, Pair};
use mainstay_core::text::free_text;

/// The name of a run to be created: the one given, else the one in the tags, else a drawn one. Both
/// given and different is refused (`create_run`).
pub fn resolve_name(
    given: Option<&str>,
    tags: &[Pair],
    entropy: &dyn Entropy,
) -> Result<String, TrackingError> {
    let given = given.filter(|name| !name.is_empty());
    let tagged = tags.iter().rfind(|tag| tag.key == RUN_NAME_TAG).map(|tag| tag.value.as_str());
    match (given, tagged) {
        (Some(name), Some(tag)) if name != tag => {
            Err(TrackingError::TwoNames { name: name.to_owned(), tag: tag.to_owned() })
        }
        (Some(name), _) | (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Ok(run_name::draw(entropy)),
    }
}

/// Creates a run that is under way. Event: `run.created`.
#[derive(Debug, Clone)]
pub struct CreateRun {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: RunId,
    /// In which experiment.
    pub experiment: ExperimentId,
    /// Its name; see [`resolve_name`].
    pub name: String,
    /// Who runs it, as the client says.
    pub user: String,
    /// When it began: milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Its first tags.
    pub tags: Vec<Pair>,
}

#[async_trait]
impl Command for CreateRun {
    type Tx = dyn TrackingTx;
    type Out = RunDetail;
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<RunDetail, TrackingError> {
        let experiment = active_experiment(tx, self.experiment).await?;
        let name_tag = Pair::tag(RUN_NAME_TAG, self.name.as_str(), Overlong::Refuse)?;
        let run = Run {
            id: self.id,
            experiment: self.experiment,
            name: self.name.clone(),
            user: free_text("user", self.user.clone())?,
            status: RunStatus::Running,
            start_ms: self.start_ms,
            end_ms: None,
            lifecycle: Lifecycle::Active,
            artifact_uri: uri_below(&experiment.artifact_location, &format!("{}/artifacts", self.id)),
        };
        tx.insert_run(&run).await?;
        let tags = texts(self.tags.iter().chain([&name_tag]));
        tx.put_run_tags(self.id, &tags).await?;
        let body = json!({
            "experiment": run.experiment,
            "name": run.name,
            "user": run.user,
            "status": run.status.as_str(),
            "start_ms": run.start_ms,
            "artifact_uri": run.artifact_uri,
            "tags": tags,
        });
        tx.record(Event::new("run.created", run_subject(self.id), body));
        let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok(RunDetail { tags, ..RunDetail::bare(run) })
    }
}

/// Changes status, end or name of a run. Event: `run.updated`.
#[derive(Debug, Clone)]
pub struct UpdateRun {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: RunId,
    /// How far it is now; as before if absent.
    pub status: Option<RunStatus>,
    /// When it ended: milliseconds since the Unix epoch; as before if absent.
    pub end_ms: Option<i64>,
    /// Its new name; as before if absent or empty.
    pub name: Option<String>,
}

#[async_trait]
impl Command for UpdateRun {
    type Tx = dyn TrackingTx;
    type Out = Run;
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Run, TrackingError> {
        let mut run = active_run(tx, self.id).await?;
        run.status = self.status.unwrap_or(run.status);
        run.end_ms = self.end_ms.or(run.end_ms);
        let renamed = self.name.as_ref().filter(|name| !name.is_empty());
        if let Some(name) = renamed {
            let tag = Pair::tag(RUN_NAME_TAG, name.as_str(), Overlong::Refuse)?;
            tx.put_run_tags(self.id, &texts([&tag])).await?;
            run.name = tag.value;
        }
        tx.update_run(&run).await?;
        let body = json!({"status": run.status.as_str(), "end_ms": run.end_ms, "name": renamed});
        tx.record(Event::new("run.updated", run_subject(self.id), body));
        Ok(run)
    }
}

async fn move_to(
    tx: &mut dyn TrackingTx,
    id: RunId,
    lifecycle: Lifecycle,
    event: &'static str,
) -> Result<(), TrackingError> {
    let mut run = existing_run(tx, id).await?;
    // Doing it twice is no mistake, as in `MLflow`, and no event.
    if run.lifecycle != lifecycle {
        run.lifecycle = lifecycle;
        tx.update_run(&run).await?;
        tx.record(Event::new(event, run_subject(id), json!({})));
    }
    Ok(())
}

/// Deletes a run; it can be restored. Event: `run.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteRun {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: RunId,
}

#[async_trait]
impl Command for DeleteRun {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        move_to(tx, self.id, Lifecycle::Deleted, "run.deleted").await
    }
}

/// Restores a deleted run. Event: `run.restored`.
#[derive(Debug, Clone)]
pub struct RestoreRun {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: RunId,
}

#[async_trait]
impl Command for RestoreRun {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        move_to(tx, self.id, Lifecycle::Active, "run.restored").await
    }
}
