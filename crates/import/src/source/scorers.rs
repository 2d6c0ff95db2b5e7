//! `scorers` and `scorer_versions`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_evaluation::scorer::import::ImportedScorer;
use mainstay_evaluation::scorer::{Scorer, ScorerVersion, SerializedScorer};
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_tracking::experiment::ExperimentId;

use super::{Page, Stock, instant};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 100;
const ROWS: &str = "SELECT s.scorer_id, s.experiment_id, s.scorer_name FROM scorers s \
    JOIN experiments e ON e.experiment_id = s.experiment_id \
    WHERE e.workspace = $1 AND s.scorer_id > $2 ORDER BY s.scorer_id LIMIT $3";
const VERSIONS: &str = "SELECT scorer_id, scorer_version, serialized_scorer, creation_time FROM scorer_versions \
    WHERE scorer_id > $1 AND scorer_id <= $2 ORDER BY scorer_id, scorer_version";

/// Scorers, and the id of the last.
pub type Scorers = Page<ImportedScorer, String>;

impl Stock {
    /// The scorers of a workspace behind the one of that id.
    pub async fn scorers(&mut self, workspace: &Name, after: Option<String>) -> Result<Scorers, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ROWS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let versions = self.query(VERSIONS, params![&after, &last]).await?;
        scorers(&rows, &versions, last).map_err(ImportError::Source)
    }
}

fn scorers(rows: &[Row], versions: &[Row], last: String) -> Result<Scorers, StorageError> {
    let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let (id, name) = (row.text(0)?, row.text(2)?);
        let Ok(parsed) = id.parse() else {
            findings.push(Finding::new(format!("scorer {id:?}"), "an id of a scorer is a random UUID"));
            continue;
        };
        let experiment = ExperimentId(row.count(1)?);
        let scorer = Scorer { id: parsed, experiment, name: name.to_owned() };
        found.insert(id.to_owned(), ImportedScorer { scorer, versions: Vec::new() });
    }
    for row in versions {
        let (id, number) = (row.text(0)?, row.int(1)?);
        let Some(scorer) = found.get_mut(id) else { continue };
        let checked = SerializedScorer::new(row.text(2)?.to_owned());
        match (checked, instant(row.opt_int(3)?)) {
            (Ok(serialized), Some(created)) => {
                let serialized = serialized.as_str().to_owned();
                scorer.versions.push(ScorerVersion { number, serialized, created });
            }
            (Err(error), _) => {
                let of = format!("version {number} of scorer {:?}", scorer.scorer.name);
                findings.push(Finding::new(of, error));
            }
            (_, None) => {
                let of = format!("version {number} of scorer {:?}", scorer.scorer.name);
                findings.push(Finding::new(of, "its creation time is beyond all time"));
            }
        }
    }
    // A scorer is nothing without a version.
    found.retain(|_, scorer| !scorer.versions.is_empty());
    Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
}
