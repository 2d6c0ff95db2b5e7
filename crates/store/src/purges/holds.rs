//! What still needs something that is to be purged.

use std::collections::BTreeSet;

use mainstay_core::error::StorageError;
use mainstay_retention::port::MOST_HOLDS;
use mainstay_retention::target::{Found, Hold, TargetKind};

use super::{Asks, number};
use crate::params;
use crate::value::Value;

/// `kind, id` of what needs something, by workspace and a key. In no order, so that the index by the key is taken.
const VERSIONS_OF_RUN: &str = "SELECT 'model_version', model || '/' || number FROM model_versions \
    WHERE workspace = $1 AND run = $2 AND stage <> 'Deleted_Internal' LIMIT $3";
const VERSIONS_OF_MODEL: &str = "SELECT 'model_version', model || '/' || number FROM model_versions \
    WHERE workspace = $1 AND logged_model = $2 AND stage <> 'Deleted_Internal' LIMIT $3";
const USERS_OF_MODEL: &str = "SELECT 'run', i.run FROM run_model_inputs i JOIN runs r ON r.id = i.run \
    JOIN logged_models m ON m.id = i.model WHERE r.workspace = $1 AND i.model = $2 \
    AND i.run <> COALESCE(m.source_run, '') LIMIT $3";
const MODELS_OF_RUN: &str =
    "SELECT id, artifact_uri FROM logged_models WHERE workspace = $1 AND source_run = $2";

const VERSIONS_IN: &str = "SELECT 'model_version', v.model || '/' || v.number FROM runs r JOIN model_versions v \
    ON v.workspace = r.workspace AND v.run = r.id WHERE r.workspace = $1 AND r.experiment = $2 \
    AND v.stage <> 'Deleted_Internal' LIMIT $3";
const VERSIONS_OF_MODELS_IN: &str = "SELECT 'model_version', v.model || '/' || v.number FROM logged_models m \
    JOIN model_versions v ON v.workspace = m.workspace AND v.logged_model = m.id \
    WHERE m.workspace = $1 AND m.experiment = $2 AND v.stage <> 'Deleted_Internal' LIMIT $3";
const USERS_OF_MODELS_IN: &str = "SELECT DISTINCT 'run', i.run FROM logged_models m \
    JOIN run_model_inputs i ON i.model = m.id JOIN runs r ON r.id = i.run \
    WHERE m.workspace = $1 AND m.experiment = $2 AND r.experiment <> $2 LIMIT $3";
const EVALUATED_IN: &str = "SELECT 'evaluation_dataset', d.id FROM evaluation_dataset_experiments x \
    JOIN evaluation_datasets d ON d.id = x.dataset WHERE d.workspace = $1 AND x.experiment = $2 LIMIT $3";
const GATEWAYS_IN: &str = "SELECT 'gateway_endpoint', name FROM gateway_endpoints \
    WHERE workspace = $1 AND experiment = $2 LIMIT $3";

/// Versions whose artifacts are at a place, or below it: `/` and `0` follow each other in the order of bytes.
const VERSIONS_AT: &str = "SELECT 'model_version', model || '/' || number FROM model_versions WHERE workspace = $1 \
    AND location >= $2 AND location < $2 || '0' AND (location = $2 OR location >= $2 || '/') AND stage <> 'Deleted_Internal' LIMIT $3";

/// What needs a thing of a workspace, at most [`MOST_HOLDS`].
pub(super) async fn holds(
    tx: &mut dyn Asks,
    workspace: &str,
    found: &Found,
) -> Result<Vec<Hold>, StorageError> {
    let mut holds = Holds { tx, workspace, found: BTreeSet::new() };
    let id = || Value::from(&found.target.id);
    match found.target.kind {
        // What is said of a trace goes with it, and nothing else is made of it.
        TargetKind::Trace => {}
        TargetKind::RunArtifacts => {
            holds.ask(VERSIONS_OF_RUN, id()).await?;
            holds.at(&found.place).await?;
        }
        TargetKind::LoggedModel => holds.of_model(&found.target.id, &found.place).await?,
        TargetKind::Run => {
            holds.ask(VERSIONS_OF_RUN, id()).await?;
            holds.at(&found.place).await?;
            for row in holds.tx.ask(MODELS_OF_RUN, params![workspace, &found.target.id]).await? {
                holds.of_model(row.text(0)?, row.text(1)?).await?;
            }
        }
        TargetKind::Experiment => {
            let number = number(&found.target.id)?.0;
            for sql in [VERSIONS_IN, VERSIONS_OF_MODELS_IN, USERS_OF_MODELS_IN, EVALUATED_IN, GATEWAYS_IN] {
                holds.ask(sql, Value::from(number)).await?;
            }
            holds.at(&found.place).await?;
        }
    }
    Ok(holds.found.into_iter().take(MOST_HOLDS).collect())
}

struct Holds<'a> {
    tx: &'a mut dyn Asks,
    workspace: &'a str,
    found: BTreeSet<Hold>,
}

impl Holds<'_> {
    async fn ask(&mut self, sql: &'static str, key: Value) -> Result<(), StorageError> {
        for row in self.tx.ask(sql, params![self.workspace, key, MOST_HOLDS as u64]).await? {
            self.found.insert(Hold { kind: row.text(0)?.to_owned(), id: row.text(1)?.to_owned() });
        }
        Ok(())
    }

    async fn at(&mut self, place: &str) -> Result<(), StorageError> {
        self.ask(VERSIONS_AT, Value::from(place)).await
    }

    async fn of_model(&mut self, id: &str, place: &str) -> Result<(), StorageError> {
        self.ask(VERSIONS_OF_MODEL, Value::from(id)).await?;
        self.ask(USERS_OF_MODEL, Value::from(id)).await?;
        self.at(place).await
    }
}
