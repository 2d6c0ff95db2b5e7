//! What went into a run, and what came out.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::{Value, json};

use super::{active_run, known_logged_model};
use crate::error::TrackingError;
use crate::input::{DatasetInput, MAX_INPUTS, ModelOutput};
use crate::logged_model::LoggedModelId;
use crate::port::{TrackingTx, texts};
use crate::run::run_subject;
use crate::text::{Overlong, Pair};

fn at_most(what: &'static str, got: usize) -> Result<(), TrackingError> {
    if got > MAX_INPUTS { Err(TrackingError::TooMany { what, limit: MAX_INPUTS, got }) } else { Ok(()) }
}

async fn existing_models(
    tx: &mut dyn TrackingTx,
    models: impl IntoIterator<Item = LoggedModelId> + Send,
) -> Result<(), TrackingError> {
    let models: Vec<LoggedModelId> = models.into_iter().collect();
    for model in models {
        known_logged_model(tx, model).await?;
    }
    Ok(())
}

/// Notes datasets and logged models that went into a run. Event: `run.inputs_logged`, with those datasets that were
/// not noted before.
#[derive(Debug, Clone)]
pub struct LogInputs {
    /// Where.
    pub workspace: Name,
    /// Into which run.
    pub run: RunId,
    /// The datasets; see [`DatasetInput::checked`].
    pub datasets: Vec<DatasetInput>,
    /// The logged models.
    pub models: Vec<LoggedModelId>,
}

#[async_trait]
impl Command for LogInputs {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        at_most("datasets", self.datasets.len())?;
        at_most("models", self.models.len())?;
        let run = active_run(tx, self.run).await?;
        existing_models(tx, self.models.iter().copied()).await?;
        let mut noted = Vec::new();
        for input in &self.datasets {
            if tx.put_dataset_input(&run, input).await? {
                noted.push(input);
            }
        }
        for model in &self.models {
            tx.put_model_input(self.run, *model).await?;
        }
        if noted.is_empty() && self.models.is_empty() {
            return Ok(());
        }
        let datasets = noted.into_iter().map(|input| {
            let (name, digest) = (&input.dataset.name, &input.dataset.digest);
            json!({"name": name, "digest": digest, "context": input.context()})
        });
        let body = json!({"datasets": datasets.collect::<Vec<Value>>(), "models": self.models});
        tx.record(Event::new("run.inputs_logged", run_subject(self.run), body));
        Ok(())
    }
}

/// Notes logged models that came out of a run. Event: `run.outputs_logged`.
#[derive(Debug, Clone)]
pub struct LogOutputs {
    /// Where.
    pub workspace: Name,
    /// Out of which run.
    pub run: RunId,
    /// The logged models.
    pub models: Vec<ModelOutput>,
}

#[async_trait]
impl Command for LogOutputs {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        at_most("models", self.models.len())?;
        active_run(tx, self.run).await?;
        existing_models(tx, self.models.iter().map(|output| output.model)).await?;
        for output in &self.models {
            tx.put_model_output(self.run, output).await?;
        }
        let body = json!({"models": self.models});
        tx.record(Event::new("run.outputs_logged", run_subject(self.run), body));
        Ok(())
    }
}

/// The tag in which clients before version 3 keep the models that a run logged, as a JSON list.
const HISTORY_TAG: &str = "mlflow.log-model.history";

/// Appends to the list of models that a run logged, as clients before version 3 do
/// (`record_logged_model`). Event: `run.logged`.
#[derive(Debug, Clone)]
pub struct RecordModelHistory {
    /// Where.
    pub workspace: Name,
    /// By which run.
    pub run: RunId,
    /// The model's description, as the client gives it.
    pub model: Value,
}

#[async_trait]
impl Command for RecordModelHistory {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        active_run(tx, self.run).await?;
        let old = tx.run_tag(self.run, HISTORY_TAG).await?;
        // A tag that somebody set to something else starts anew.
        let mut history: Vec<Value> =
            old.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        history.push(self.model.clone());
        let tag = Pair::tag(HISTORY_TAG, Value::from(history).to_string(), Overlong::Refuse)?;
        tx.put_run_tags(self.run, &texts([&tag])).await?;
        let body = json!({"params": {}, "tags": {HISTORY_TAG: tag.value}, "metrics": {}});
        tx.record(Event::new("run.logged", run_subject(self.run), body));
        Ok(())
    }
}
