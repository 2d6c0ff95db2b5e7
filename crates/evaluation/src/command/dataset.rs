//! Creating, deleting, tagging an evaluation dataset, and linking it with experiments.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::{Map, Value, json};

use super::{at_most, closed, known};
use crate::DatasetId;
use crate::dataset::{
    EvaluationDataset, EvaluationDatasetDetail, USER_TAG, digest, evaluation_dataset_subject,
};
use crate::error::EvaluationError;
use crate::port::EvaluationTx;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::text::{Overlong, TextError, checked};

/// Longest name, in characters.
const MAX_NAME: usize = 500;
/// Longest key of a tag, in characters.
const MAX_TAG_KEY: usize = 255;
/// Longest value of a tag, in characters.
const MAX_TAG_VALUE: usize = 8_000;
/// Most tags in one call.
const MAX_TAGS: usize = 1_000;
/// Most experiments in one call.
const MAX_EXPERIMENTS: usize = 1_000;

fn checked_tags(tags: Vec<(String, String)>) -> Result<Vec<(String, String)>, EvaluationError> {
    let check = |(key, value)| {
        let key = checked("tag key", key, MAX_TAG_KEY, Overlong::Refuse)?;
        Ok((key, checked("tag value", value, MAX_TAG_VALUE, Overlong::Refuse)?))
    };
    at_most("tags", tags, MAX_TAGS)?
        .into_iter()
        .map(check)
        .collect::<Result<_, TextError>>()
        .map_err(Into::into)
}

fn as_object(tags: &[(String, String)]) -> Map<String, Value> {
    tags.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect()
}

/// Creates a dataset without records. The experiments need not exist. Event: `evaluation_dataset.created`.
#[derive(Debug, Clone)]
pub struct CreateEvaluationDataset {
    workspace: Name,
    id: DatasetId,
    name: String,
    tags: Vec<(String, String)>,
    experiments: Vec<ExperimentId>,
}

impl CreateEvaluationDataset {
    /// Checks lengths; the id was just drawn.
    pub fn new(
        workspace: Name,
        id: DatasetId,
        name: String,
        tags: Vec<(String, String)>,
        experiments: Vec<ExperimentId>,
    ) -> Result<Self, EvaluationError> {
        let name = checked("name", name, MAX_NAME, Overlong::Refuse)?;
        let experiments = at_most("experiments", experiments, MAX_EXPERIMENTS)?;
        Ok(Self { workspace, id, name, tags: checked_tags(tags)?, experiments })
    }
}

#[async_trait]
impl Command for CreateEvaluationDataset {
    type Tx = dyn EvaluationTx;
    type Out = EvaluationDatasetDetail;
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<EvaluationDatasetDetail, EvaluationError> {
        if let Some(experiment) = closed(tx, &self.experiments) {
            return Err(EvaluationError::NoExperiment(experiment));
        }
        let now = tx.now();
        let user = self.tags.iter().rev().find(|(key, _)| key == USER_TAG).map(|(_, user)| user.clone());
        let dataset = EvaluationDataset {
            id: self.id,
            name: self.name.clone(),
            digest: digest(&self.name, now),
            schema: None,
            profile: None,
            created: now,
            updated: now,
            created_by: user.clone(),
            updated_by: user,
        };
        tx.insert_evaluation_dataset(&dataset).await?;
        for (key, value) in &self.tags {
            tx.put_evaluation_tag(self.id, key, value).await?;
        }
        for experiment in &self.experiments {
            tx.link_evaluation_dataset(self.id, *experiment).await?;
        }
        let body = json!({"name": self.name, "tags": as_object(&self.tags), "experiments": self.experiments});
        tx.record(Event::new("evaluation_dataset.created", evaluation_dataset_subject(self.id), body));
        Ok(EvaluationDatasetDetail {
            dataset,
            tags: self.tags.iter().cloned().collect(),
            experiments: self.experiments.iter().copied().collect(),
        })
    }
}

/// Deletes a dataset with its records, for good; one that is not there is no mistake. Event:
/// `evaluation_dataset.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteEvaluationDataset {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: DatasetId,
}

#[async_trait]
impl Command for DeleteEvaluationDataset {
    type Tx = dyn EvaluationTx;
    type Out = ();
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), EvaluationError> {
        let Some(detail) = known(tx, self.id).await? else { return Ok(()) };
        tx.delete_evaluation_dataset(self.id).await?;
        let body = json!({"name": detail.dataset.name});
        tx.record(Event::new("evaluation_dataset.deleted", evaluation_dataset_subject(self.id), body));
        Ok(())
    }
}

/// Sets tags; others stay. Event: `evaluation_dataset.tagged`, unless there is nothing to set.
#[derive(Debug, Clone)]
pub struct TagEvaluationDataset {
    workspace: Name,
    id: DatasetId,
    tags: Vec<(String, String)>,
}

impl TagEvaluationDataset {
    /// Checks lengths.
    pub fn new(workspace: Name, id: DatasetId, tags: Vec<(String, String)>) -> Result<Self, EvaluationError> {
        Ok(Self { workspace, id, tags: checked_tags(tags)? })
    }
}

#[async_trait]
impl Command for TagEvaluationDataset {
    type Tx = dyn EvaluationTx;
    type Out = ();
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), EvaluationError> {
        if known(tx, self.id).await?.is_none() {
            return Err(EvaluationError::NoDatasetToTag(self.id.to_string()));
        }
        if self.tags.is_empty() {
            return Ok(());
        }
        for (key, value) in &self.tags {
            tx.put_evaluation_tag(self.id, key, value).await?;
        }
        let body = json!({"tags": as_object(&self.tags)});
        tx.record(Event::new("evaluation_dataset.tagged", evaluation_dataset_subject(self.id), body));
        Ok(())
    }
}

/// Removes a tag; one that is not there is no mistake. Event: `evaluation_dataset.untagged`.
#[derive(Debug, Clone)]
pub struct UntagEvaluationDataset {
    /// Where.
    pub workspace: Name,
    /// Which dataset.
    pub id: DatasetId,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for UntagEvaluationDataset {
    type Tx = dyn EvaluationTx;
    type Out = ();
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), EvaluationError> {
        let found = known(tx, self.id).await?;
        if !found.is_some_and(|detail| detail.tags.contains_key(&self.key)) {
            return Ok(());
        }
        tx.delete_evaluation_tag(self.id, &self.key).await?;
        let body = json!({"key": self.key});
        tx.record(Event::new("evaluation_dataset.untagged", evaluation_dataset_subject(self.id), body));
        Ok(())
    }
}

/// Links a dataset with experiments, which must all exist; links that are there stay. The update time moves
/// in any case. Event: `evaluation_dataset.linked`.
#[derive(Debug, Clone)]
pub struct LinkEvaluationDataset {
    workspace: Name,
    id: DatasetId,
    experiments: Vec<ExperimentId>,
}

impl LinkEvaluationDataset {
    /// Checks their number.
    pub fn new(
        workspace: Name,
        id: DatasetId,
        experiments: Vec<ExperimentId>,
    ) -> Result<Self, EvaluationError> {
        Ok(Self { workspace, id, experiments: at_most("experiments", experiments, MAX_EXPERIMENTS)? })
    }
}

/// The dataset, to change its links.
async fn linkable(
    tx: &mut dyn EvaluationTx,
    id: DatasetId,
) -> Result<EvaluationDatasetDetail, EvaluationError> {
    let found = known(tx, id).await?;
    found.ok_or_else(|| EvaluationError::NoDatasetToLink(id.to_string()))
}

#[async_trait]
impl Command for LinkEvaluationDataset {
    type Tx = dyn EvaluationTx;
    type Out = EvaluationDatasetDetail;
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<EvaluationDatasetDetail, EvaluationError> {
        let mut detail = linkable(tx, self.id).await?;
        if let Some(experiment) = closed(tx, &self.experiments) {
            return Err(EvaluationError::NoExperiment(experiment));
        }
        for experiment in &self.experiments {
            if tx.experiment(*experiment).await?.is_none() {
                return Err(EvaluationError::NoExperiment(*experiment));
            }
            tx.link_evaluation_dataset(self.id, *experiment).await?;
        }
        detail.experiments.extend(&self.experiments);
        detail.dataset.updated = tx.now();
        tx.update_evaluation_dataset(&detail.dataset).await?;
        let body = json!({"experiments": self.experiments});
        tx.record(Event::new("evaluation_dataset.linked", evaluation_dataset_subject(self.id), body));
        Ok(detail)
    }
}

/// Takes links away; those that are not there are no mistake. Event: `evaluation_dataset.unlinked`, if one
/// was there.
#[derive(Debug, Clone)]
pub struct UnlinkEvaluationDataset {
    /// Where.
    pub workspace: Name,
    /// Which dataset.
    pub id: DatasetId,
    /// From which experiments.
    pub experiments: BTreeSet<ExperimentId>,
}

#[async_trait]
impl Command for UnlinkEvaluationDataset {
    type Tx = dyn EvaluationTx;
    type Out = EvaluationDatasetDetail;
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<EvaluationDatasetDetail, EvaluationError> {
        let mut detail = linkable(tx, self.id).await?;
        let linked: Vec<ExperimentId> = detail.experiments.intersection(&self.experiments).copied().collect();
        if linked.is_empty() {
            return Ok(detail);
        }
        for experiment in &linked {
            tx.unlink_evaluation_dataset(self.id, *experiment).await?;
            detail.experiments.remove(experiment);
        }
        detail.dataset.updated = tx.now();
        tx.update_evaluation_dataset(&detail.dataset).await?;
        let body = json!({"experiments": linked});
        tx.record(Event::new("evaluation_dataset.unlinked", evaluation_dataset_subject(self.id), body));
        Ok(detail)
    }
}
