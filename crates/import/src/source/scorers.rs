//! `scorers`, `scorer_versions` and `online_scoring_configs`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::search;
use mainstay_evaluation::scorer::import::{ImportedScorer, ImportedScorerVersion};
use mainstay_evaluation::scorer::{
    OnlineConfig, Scorer, ScorerVersion, SerializedScorer, with_judge_endpoint,
};
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
const ONLINE: &str = "SELECT scorer_id, online_scoring_config_id, sample_rate, filter_string \
    FROM online_scoring_configs WHERE scorer_id > $1 AND scorer_id <= $2 \
    ORDER BY scorer_id, online_scoring_config_id";

/// Scorers, and the id of the last.
pub type Scorers = Page<ImportedScorer, String>;

impl Stock {
    /// The scorers of a workspace behind the one of that id.
    pub async fn scorers(&mut self, workspace: &Name, after: Option<String>) -> Result<Scorers, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ROWS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let children = Children {
            versions: self.query(VERSIONS, params![&after, &last]).await?,
            online: self.query(ONLINE, params![&after, &last]).await?,
            endpoints: self.endpoint_names(workspace).await?,
        };
        scorers(&rows, &children, last).map_err(ImportError::Source)
    }
}

/// Everything that hangs on a page of scorers.
struct Children {
    versions: Vec<Row>,
    online: Vec<Row>,
    /// The names of the gateway's endpoints, by id.
    endpoints: BTreeMap<String, String>,
}

fn scorers(rows: &[Row], children: &Children, last: String) -> Result<Scorers, StorageError> {
    let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let (id, name) = (row.text(0)?, row.text(2)?);
        let Ok(parsed) = id.parse() else {
            findings.push(Finding::new(format!("scorer {id:?}"), "an id of a scorer is a random UUID"));
            continue;
        };
        let experiment = ExperimentId(row.count(1)?);
        let scorer = Scorer { id: parsed, experiment, name: name.to_owned() };
        found.insert(id.to_owned(), ImportedScorer { scorer, versions: Vec::new(), online: None });
    }
    for row in &children.versions {
        let Some(of) = found.get_mut(row.text(0)?) else { continue };
        match version(row, &children.endpoints)? {
            Ok(version) => of.versions.push(version),
            Err(reason) => {
                let of = format!("version {} of scorer {:?}", row.int(1)?, of.scorer.name);
                findings.push(Finding::new(of, reason));
            }
        }
    }
    // A scorer is nothing without a version.
    found.retain(|_, scorer| !scorer.versions.is_empty());
    for row in &children.online {
        let Some(of) = found.get_mut(row.text(0)?) else { continue };
        match online(row, &of.scorer)? {
            Ok(config) => of.online = Some(config),
            Err(reason) => {
                let of = format!("how scorer {:?} is run on traces as they come", of.scorer.name);
                findings.push(Finding::new(of, reason));
            }
        }
    }
    Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
}

/// A stock server keeps the id of a judge that is an endpoint of the gateway, and tells its name.
fn version(
    row: &Row,
    endpoints: &BTreeMap<String, String>,
) -> Result<Result<ImportedScorerVersion, String>, StorageError> {
    let scorer = match SerializedScorer::new(row.text(2)?.to_owned()) {
        Ok(scorer) => scorer,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Some(created) = instant(row.opt_int(3)?) else {
        return Ok(Err("its creation time is beyond all time".to_owned()));
    };
    let named = scorer.judge_endpoint().unwrap_or_default();
    let known = named.and_then(|id| endpoints.get_key_value(id));
    let serialized = match named {
        None => scorer.as_str().to_owned(),
        Some(_) => with_judge_endpoint(scorer.as_str(), known.map(|(_, name)| name.as_str())),
    };
    let version = ScorerVersion { number: row.int(1)?, serialized, created };
    Ok(Ok(ImportedScorerVersion { version, judge: known.map(|(id, _)| id.clone()) }))
}

fn online(row: &Row, scorer: &Scorer) -> Result<Result<OnlineConfig, String>, StorageError> {
    let (sample_rate, filter) = (row.real(2)?, row.opt_text(3)?.map(str::to_owned));
    if filter.as_deref().is_some_and(|filter| search::parse_filter(filter).is_err()) {
        return Ok(Err("its filter cannot be read".to_owned()));
    }
    let Ok(id) = row.text(1)?.parse() else {
        return Ok(Err("its id is not 32 hexadecimal characters".to_owned()));
    };
    if !(0.0..=1.0).contains(&sample_rate) {
        return Ok(Err(format!("{sample_rate} is no share")));
    }
    Ok(Ok(OnlineConfig { id, scorer: scorer.id, experiment: scorer.experiment, sample_rate, filter }))
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value as Cell;

    use super::*;

    const ID: &str = "5a0b6a2e-5f9b-4d9a-8a53-1b1f0a9d2c76";

    #[test]
    fn a_judge_of_the_gateway_is_told_by_its_name() {
        let endpoint = "e-0123456789abcdef0123456789abcdef";
        let judge =
            |model: &str| format!(r#"{{"instructions_judge_pydantic_data": {{"model": "{model}"}}}}"#);
        let version =
            |number: i64, text: &str| Row::new(vec![ID.into(), number.into(), text.into(), 5_i64.into()]);
        let online = |rate: f64, filter: &str| {
            let id = "0123456789abcdef0123456789abcdef";
            Row::new(vec![ID.into(), id.into(), rate.into(), filter.into()])
        };
        let children = Children {
            versions: vec![
                version(1, &judge(&format!("gateway:/{endpoint}"))),
                version(2, &judge("gateway:/e-gone")),
                version(3, &judge("openai:/gpt")),
                version(4, r#"{"call_source": "x"}"#),
            ],
            online: vec![
                online(0.5, "trace.status = 'OK'"),
                online(2.0, "trace.status = 'OK'"),
                online(0.5, "("),
            ],
            endpoints: BTreeMap::from([(endpoint.to_owned(), "chat".to_owned())]),
        };
        let row = Row::new(vec![ID.into(), Cell::from(1_i64), "polite".into()]);
        let page = scorers(&[row], &children, ID.to_owned()).unwrap();
        let [scorer] = &page.items[..] else { panic!("{:?}", page.items) };
        let judges: Vec<_> = scorer.versions.iter().map(|one| one.judge.as_deref()).collect();
        assert_eq!(judges, [Some(endpoint), None, None]);
        let told = |at: usize| SerializedScorer::new(scorer.versions[at].version.serialized.clone()).unwrap();
        assert_eq!(told(0).judge_endpoint().unwrap(), Some("chat"));
        assert_eq!(told(1).judge_endpoint().unwrap(), None);
        assert_eq!(scorer.versions[2].version.serialized, judge("openai:/gpt"));
        assert_eq!(scorer.online.as_ref().map(|config| config.sample_rate), Some(0.5));
        assert_eq!(page.findings.len(), 3);
    }
}
