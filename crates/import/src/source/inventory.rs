//! How much there is of everything in a stock server's database, brought over or not.

use std::collections::BTreeMap;

use super::{ACCEPTED, Stock};
use crate::error::ImportError;
use crate::finding::Finding;

/// What is brought over, and how many rows of it there are.
const BROUGHT: &[(&str, &str)] = &[
    ("experiments", "SELECT COUNT(*) FROM experiments"),
    ("tags of experiments", "SELECT COUNT(*) FROM experiment_tags"),
    ("runs", "SELECT COUNT(*) FROM runs"),
    ("params", "SELECT COUNT(*) FROM params"),
    ("tags of runs", "SELECT COUNT(*) FROM tags"),
    ("metrics", "SELECT COUNT(*) FROM latest_metrics"),
    ("metric points", "SELECT COUNT(*) FROM metrics"),
    ("inputs and outputs", "SELECT COUNT(*) FROM inputs"),
    ("logged models", "SELECT COUNT(*) FROM logged_models"),
    ("params of logged models", "SELECT COUNT(*) FROM logged_model_params"),
    ("tags of logged models", "SELECT COUNT(*) FROM logged_model_tags"),
    ("metrics of logged models", "SELECT COUNT(*) FROM logged_model_metrics"),
    ("registered models", "SELECT COUNT(*) FROM registered_models"),
    ("tags of registered models", "SELECT COUNT(*) FROM registered_model_tags"),
    ("model versions", "SELECT COUNT(*) FROM model_versions"),
    ("tags of model versions", "SELECT COUNT(*) FROM model_version_tags"),
    ("model aliases", "SELECT COUNT(*) FROM registered_model_aliases"),
    ("traces", "SELECT COUNT(*) FROM trace_info"),
    ("spans", "SELECT COUNT(*) FROM spans"),
    ("evaluation datasets", "SELECT COUNT(*) FROM evaluation_datasets"),
    ("evaluation records", "SELECT COUNT(*) FROM evaluation_dataset_records"),
    ("scorers", "SELECT COUNT(*) FROM scorers"),
    ("scorer versions", "SELECT COUNT(*) FROM scorer_versions"),
    ("online scoring configurations", "SELECT COUNT(*) FROM online_scoring_configs"),
    ("assessments", "SELECT COUNT(*) FROM assessments"),
    ("issues", "SELECT COUNT(*) FROM issues"),
    ("gateway secrets", "SELECT COUNT(*) FROM secrets"),
    ("gateway model definitions", "SELECT COUNT(*) FROM model_definitions"),
    ("gateway endpoints", "SELECT COUNT(*) FROM endpoints"),
    ("models of gateway endpoints", "SELECT COUNT(*) FROM endpoint_model_mappings"),
    ("tags of gateway endpoints", "SELECT COUNT(*) FROM endpoint_tags"),
    ("uses of gateway endpoints", "SELECT COUNT(*) FROM endpoint_bindings"),
    ("webhooks", "SELECT COUNT(*) FROM webhooks WHERE deleted_timestamp IS NULL"),
];

/// What has no place here, how many rows of it there are, and why.
const LEFT: &[(&str, &str, &str)] = &[
    ("label schemas", "SELECT COUNT(*) FROM label_schemas", NO_LABELLING),
    ("review queues", "SELECT COUNT(*) FROM review_queues", NO_LABELLING),
    ("budget policies", "SELECT COUNT(*) FROM budget_policies", NO_REQUESTS),
    ("guardrails", "SELECT COUNT(*) FROM guardrails", NO_REQUESTS),
    ("MCP servers", "SELECT COUNT(*) FROM mcp_servers", "there is no registry of tools here"),
    (
        "jobs",
        "SELECT COUNT(*) FROM jobs",
        "they are a stock server's own; what takes long is a pipeline here",
    ),
];
const NO_LABELLING: &str = "there is no labelling by people here";
const NO_REQUESTS: &str = "no request is sent to a provider here, so nobody would hold to them";
/// What a database of 3.17 has no table for.
const LEFT_LATER: (&str, &str, &str) =
    ("skills", "SELECT COUNT(*) FROM skills", "there is no registry of instructions for agents here");
const NOBODYS: &str = "nobody sees them in MLflow either";

/// Rows that a stock server shows to nobody, as what they belong to is not there.
const ORPHANS: &[(&str, &str)] = &[
    (
        "runs without an experiment",
        "SELECT COUNT(*) FROM runs r WHERE NOT EXISTS \
         (SELECT 1 FROM experiments e WHERE e.experiment_id = r.experiment_id)",
    ),
    (
        "logged models without an experiment",
        "SELECT COUNT(*) FROM logged_models m WHERE NOT EXISTS \
         (SELECT 1 FROM experiments e WHERE e.experiment_id = m.experiment_id)",
    ),
    (
        "metric points without a run",
        "SELECT COUNT(*) FROM metrics m WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = m.run_uuid)",
    ),
    (
        "model versions without a model",
        "SELECT COUNT(*) FROM model_versions v WHERE NOT EXISTS \
         (SELECT 1 FROM registered_models m WHERE m.workspace = v.workspace AND m.name = v.name)",
    ),
    (
        "datasets that no run uses",
        "SELECT COUNT(*) FROM datasets d WHERE NOT EXISTS \
         (SELECT 1 FROM inputs i WHERE i.source_type = 'DATASET' AND i.source_id = d.dataset_uuid)",
    ),
];

impl Stock {
    /// How many rows there are of each kind that is brought over.
    pub async fn inventory(&mut self) -> Result<BTreeMap<String, u64>, ImportError> {
        let mut inventory = BTreeMap::new();
        for (kind, sql) in BROUGHT {
            inventory.insert((*kind).to_owned(), self.count(sql).await?);
        }
        Ok(inventory)
    }

    /// What is there and is not brought over, by whole kinds.
    pub async fn left_behind(&mut self) -> Result<Vec<Finding>, ImportError> {
        let [(without_skills, _), _] = ACCEPTED;
        let later = (self.revision != without_skills).then_some(LEFT_LATER);
        let orphans = ORPHANS.iter().map(|(kind, sql)| (*kind, *sql, NOBODYS));
        let mut findings = Vec::new();
        for (kind, sql, reason) in LEFT.iter().copied().chain(later).chain(orphans) {
            let count = self.count(sql).await?;
            if count > 0 {
                findings.push(Finding::new(format!("{count} {kind}"), reason));
            }
        }
        Ok(findings)
    }
}
