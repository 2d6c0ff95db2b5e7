//! Registering, deleting and configuring a scorer.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use mainstay_core::search;
use mainstay_core::text::clip;
use serde_json::json;

use super::error::ScorerError;
use super::port::ScorerTx;
use super::{
    OnlineConfig, OnlineConfigId, RegisteredScorer, Scorer, ScorerId, ScorerVersion, SerializedScorer,
    scorer_subject,
};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::active_experiment;
use mainstay_core::text::{Overlong, checked};

/// Longest name, in characters.
const MAX_NAME: usize = 256;

/// The scorer of an active experiment.
async fn existing(
    tx: &mut dyn ScorerTx,
    experiment: ExperimentId,
    name: &str,
) -> Result<Scorer, ScorerError> {
    active_experiment(tx, experiment).await?;
    let found = tx.scorer(experiment, name).await?;
    found.ok_or_else(|| ScorerError::NoScorer { experiment, name: name.to_owned() })
}

/// Adds a version to a scorer, or the first one of a new scorer. Event: `scorer.registered`.
#[derive(Debug, Clone)]
pub struct RegisterScorer {
    workspace: Name,
    id: ScorerId,
    experiment: ExperimentId,
    name: String,
    scorer: SerializedScorer,
}

impl RegisterScorer {
    /// Checks the name; the id, just drawn, is for a new scorer.
    pub fn new(
        workspace: Name,
        id: ScorerId,
        experiment: ExperimentId,
        name: String,
        scorer: SerializedScorer,
    ) -> Result<Self, ScorerError> {
        let name = checked("name", name, MAX_NAME, Overlong::Refuse)?;
        if name.trim().is_empty() {
            return Err(ScorerError::BlankName);
        }
        Ok(Self { workspace, id, experiment, name, scorer })
    }
}

#[async_trait]
impl Command for RegisterScorer {
    type Tx = dyn ScorerTx;
    type Out = RegisteredScorer;
    type Error = ScorerError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), scorer_subject(self.experiment, &self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<RegisteredScorer, ScorerError> {
        active_experiment(tx, self.experiment).await?;
        let judge = match self.scorer.judge_endpoint()? {
            None => None,
            Some(name) => {
                let endpoint = tx.judge_endpoint(name).await?;
                Some(endpoint.ok_or_else(|| ScorerError::NoGatewayEndpoint(clip(name)))?)
            }
        };
        let known = tx.scorer(self.experiment, &self.name).await?;
        let scorer = if let Some(known) = known {
            known
        } else {
            let new = Scorer { id: self.id, experiment: self.experiment, name: self.name.clone() };
            tx.insert_scorer(&new).await?;
            new
        };
        let version = ScorerVersion {
            number: tx.last_scorer_version(scorer.id).await?.unwrap_or(0) + 1,
            serialized: self.scorer.as_str().to_owned(),
            created: tx.now(),
        };
        tx.insert_scorer_version(scorer.id, &version, judge.as_deref()).await?;
        if let Some(endpoint) = &judge {
            tx.bind_judge(&scorer, endpoint).await?;
        }
        let body = json!({
            "id": scorer.id.to_string(),
            "name": scorer.name,
            "version": version.number,
            "scorer": Digest::of(version.serialized.as_bytes()),
            "endpoint": judge,
        });
        tx.record(Event::new("scorer.registered", scorer_subject(self.experiment, &self.name), body));
        Ok(RegisteredScorer { scorer, version })
    }
}

/// Deletes a version of a scorer, or the scorer with all of them, for good. Event: `scorer.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteScorer {
    /// Where.
    pub workspace: Name,
    /// Of which experiment.
    pub experiment: ExperimentId,
    /// The name.
    pub name: String,
    /// Which version; all of them and the scorer itself where none is named.
    pub version: Option<i64>,
}

#[async_trait]
impl Command for DeleteScorer {
    type Tx = dyn ScorerTx;
    type Out = ();
    type Error = ScorerError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), scorer_subject(self.experiment, &self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), ScorerError> {
        let (experiment, name) = (self.experiment, self.name.clone());
        let scorer = existing(tx, experiment, &name).await?;
        if let Some(version) = self.version {
            if !tx.delete_scorer_version(scorer.id, version).await? {
                return Err(ScorerError::NoVersion { experiment, name, version });
            }
        } else {
            if tx.last_scorer_version(scorer.id).await?.is_none() {
                return Err(ScorerError::NoScorer { experiment, name });
            }
            tx.delete_scorer(scorer.id).await?;
        }
        let body = json!({"id": scorer.id.to_string(), "name": name, "version": self.version});
        tx.record(Event::new("scorer.deleted", scorer_subject(experiment, &scorer.name), body));
        Ok(())
    }
}

/// Refuses a scorer that a server could not run by itself.
async fn check_runnable(tx: &mut dyn ScorerTx, scorer: &Scorer) -> Result<(), ScorerError> {
    let name = || scorer.name.clone();
    let newest = tx.newest_scorer_version(scorer.id).await?;
    let newest =
        newest.ok_or_else(|| ScorerError::NoScorer { experiment: scorer.experiment, name: name() })?;
    let serialized = SerializedScorer::new(newest.serialized)?;
    if serialized.judge_endpoint()?.is_none() {
        return Err(ScorerError::NotGateway(name()));
    }
    if serialized.needs_expectations() {
        return Err(ScorerError::NeedsExpectations(name()));
    }
    Ok(())
}

/// Says on which traces a scorer is to be run as they come. Only a judge that is an endpoint of the gateway can be
/// run by a server; for any other a share above zero is refused. Event: `scorer.configured`.
#[derive(Debug, Clone)]
pub struct ConfigureScorer {
    workspace: Name,
    id: OnlineConfigId,
    experiment: ExperimentId,
    name: String,
    sample_rate: f64,
    filter: Option<String>,
}

impl ConfigureScorer {
    /// Checks the share and the filter's grammar; the id was just drawn.
    pub fn new(
        workspace: Name,
        id: OnlineConfigId,
        experiment: ExperimentId,
        name: String,
        sample_rate: f64,
        filter: Option<String>,
    ) -> Result<Self, ScorerError> {
        if !(0.0..=1.0).contains(&sample_rate) {
            return Err(ScorerError::SampleRate(sample_rate));
        }
        if let Some(filter) = &filter {
            search::parse_filter(filter)?;
        }
        let filter = filter.map(|text| checked("filter_string", text, search::MAX_TEXT, Overlong::Refuse));
        Ok(Self { workspace, id, experiment, name, sample_rate, filter: filter.transpose()? })
    }
}

#[async_trait]
impl Command for ConfigureScorer {
    type Tx = dyn ScorerTx;
    type Out = OnlineConfig;
    type Error = ScorerError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), scorer_subject(self.experiment, &self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<OnlineConfig, ScorerError> {
        let scorer = existing(tx, self.experiment, &self.name).await?;
        if self.sample_rate > 0.0 {
            check_runnable(tx, &scorer).await?;
        }
        let config = OnlineConfig {
            id: self.id,
            scorer: scorer.id,
            experiment: self.experiment,
            sample_rate: self.sample_rate,
            filter: self.filter.clone(),
        };
        tx.put_online_config(&config).await?;
        let body = json!({
            "id": config.id,
            "scorer": scorer.id.to_string(),
            "sample_rate": config.sample_rate,
            "filter": config.filter,
        });
        tx.record(Event::new("scorer.configured", scorer_subject(self.experiment, &self.name), body));
        Ok(config)
    }
}
