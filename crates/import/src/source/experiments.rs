//! `experiments` and `experiment_tags`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_tracking::experiment::{Experiment, ExperimentDetail, ExperimentId, ExperimentName};
use mainstay_tracking::import::Imported;
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::text::Pair;

use super::{Page, Rules, Stock, has_nul, instant};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 500;
const ROWS: &str = "SELECT experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time \
    FROM experiments WHERE workspace = $1 AND experiment_id > $2 ORDER BY experiment_id LIMIT $3";
const TAGS: &str = "SELECT t.experiment_id, t.key, t.value FROM experiment_tags t \
    JOIN experiments e ON e.experiment_id = t.experiment_id \
    WHERE e.workspace = $1 AND t.experiment_id > $2 AND t.experiment_id <= $3 ORDER BY t.experiment_id, t.key";

const LOCATIONS: &str = "SELECT DISTINCT artifact_location FROM experiments \
    WHERE workspace = $1 AND artifact_location IS NOT NULL ORDER BY 1";

type Experiments = Page<Imported<ExperimentDetail>, i64>;

impl Stock {
    /// The experiments of a workspace behind the one of that id.
    pub async fn experiments(
        &mut self,
        workspace: &Name,
        after: Option<i64>,
    ) -> Result<Experiments, ImportError> {
        let after = after.unwrap_or(-1);
        let rows = self.query(ROWS, params![workspace.as_str(), after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.int(0).map_err(ImportError::Source)?;
        let tags = self.query(TAGS, params![workspace.as_str(), after, last]).await?;
        self.rules.experiments(&rows, &tags, last).map_err(ImportError::Source)
    }
}

impl Stock {
    /// Where the experiments of a workspace keep their artifacts, as the stock server says it.
    pub async fn locations(&mut self, workspace: &Name) -> Result<Vec<String>, ImportError> {
        let rows = self.query(LOCATIONS, params![workspace.as_str()]).await?;
        let text = |row: &Row| row.text(0).map(str::to_owned);
        rows.iter().map(text).collect::<Result<_, _>>().map_err(ImportError::Source)
    }
}

impl Rules {
    fn experiments(&self, rows: &[Row], tags: &[Row], last: i64) -> Result<Experiments, StorageError> {
        let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
        for row in rows {
            match self.experiment(row)? {
                Ok(experiment) => {
                    found.insert(row.int(0)?, ExperimentDetail { experiment, tags: BTreeMap::new() });
                }
                Err(reason) => findings.push(Finding::new(format!("experiment {}", row.int(0)?), reason)),
            }
        }
        for row in tags {
            let (id, key) = (row.int(0)?, row.text(1)?);
            let Some(detail) = found.get_mut(&id) else { continue };
            match Pair::experiment_tag(key, row.opt_text(2)?.unwrap_or_default()) {
                Ok(tag) => drop(detail.tags.insert(tag.key, tag.value)),
                Err(error) => findings.push(Finding::new(format!("tag {key:?} of experiment {id}"), error)),
            }
        }
        let items = found.into_values().map(|detail| Imported { detail, elsewhere: serde_json::Map::new() });
        Ok(Page { items: items.collect(), findings, last: Some(last) })
    }

    fn experiment(&self, row: &Row) -> Result<Result<Experiment, String>, StorageError> {
        let location = row.opt_text(2)?.unwrap_or_default();
        let lifecycle = row.opt_text(3)?.unwrap_or(Lifecycle::Active.as_str());
        let (created, updated) = (instant(row.opt_int(4)?), instant(row.opt_int(5)?));
        let name = ExperimentName::new(row.text(1)?).map_err(|error| error.to_string());
        let whole = || {
            Ok(Experiment {
                id: ExperimentId::parse(&row.int(0).unwrap_or(-1).to_string()).map_err(|e| e.to_string())?,
                name: name?,
                artifact_location: self.artifacts.uri(location),
                lifecycle: Lifecycle::stored(lifecycle).ok_or("its lifecycle stage is none that is known")?,
                created: created.ok_or("its creation time is beyond all time")?,
                updated: updated.ok_or("its update time is beyond all time")?,
            })
        };
        Ok(if has_nul(&[location]) { Err("its artifact location holds U+0000".into()) } else { whole() })
    }
}
