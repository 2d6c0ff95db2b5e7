//! `logged_models` with `logged_model_params`, `logged_model_tags` and `logged_model_metrics`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::text::exceeds;
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::import::Imported;
use mainstay_tracking::logged_model::{
    LoggedModel, LoggedModelDetail, LoggedModelId, LoggedModelStatus, ModelMetric,
};
use mainstay_tracking::metric::Point;
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::text::MAX_KEY;
use serde_json::json;

use super::{Page, Rules, Stock, elsewhere, has_nul, instant};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 200;
const ROWS: &str = "SELECT m.model_id, m.experiment_id, m.name, m.artifact_location, m.creation_timestamp_ms, \
    m.last_updated_timestamp_ms, m.status, m.lifecycle_stage, m.model_type, m.source_run_id, m.status_message \
    FROM logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id \
    WHERE e.workspace = $1 AND m.model_id > $2 ORDER BY m.model_id LIMIT $3";
const PARAMS: &str = "SELECT model_id, param_key, param_value FROM logged_model_params \
    WHERE model_id > $1 AND model_id <= $2 ORDER BY model_id, param_key";
const TAGS: &str = "SELECT model_id, tag_key, tag_value FROM logged_model_tags \
    WHERE model_id > $1 AND model_id <= $2 ORDER BY model_id, tag_key";
const METRICS: &str = "SELECT model_id, metric_name, metric_step, metric_timestamp_ms, metric_value, run_id, \
    dataset_name, dataset_digest FROM logged_model_metrics WHERE model_id > $1 AND model_id <= $2";

/// Logged models, and the id of the last.
pub type LoggedModels = Page<Imported<LoggedModelDetail>, String>;

type Found = BTreeMap<String, Imported<LoggedModelDetail>>;

impl Stock {
    /// The logged models of a workspace behind the one of that id.
    pub async fn logged_models(
        &mut self,
        workspace: &Name,
        after: Option<String>,
    ) -> Result<LoggedModels, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ROWS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let key = params![&after, &last];
        let params = self.query(PARAMS, key).await?;
        let tags = self.query(TAGS, key).await?;
        let metrics = self.query(METRICS, key).await?;
        let (mut found, mut findings) = (Found::new(), Vec::new());
        let filled = (|| {
            for row in &rows {
                let id = row.text(0)?;
                match self.rules.logged_model(row)? {
                    Ok(model) => drop(found.insert(id.to_owned(), model)),
                    Err(reason) => findings.push(Finding::new(format!("logged model {id:?}"), reason)),
                }
            }
            pairs(&mut found, &params, "param", |detail| &mut detail.params, &mut findings)?;
            pairs(&mut found, &tags, "tag", |detail| &mut detail.tags, &mut findings)?;
            measured(&mut found, &metrics, &mut findings)
        })();
        filled.map_err(ImportError::Source)?;
        Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
    }
}

impl Rules {
    fn logged_model(&self, row: &Row) -> Result<Result<Imported<LoggedModelDetail>, String>, StorageError> {
        let (name, uri, kind) = (row.text(2)?, row.text(3)?, row.opt_text(8)?.unwrap_or_default());
        let lifecycle = row.opt_text(7)?.map_or(Some(Lifecycle::Active), Lifecycle::stored);
        let (created, updated) = (instant(row.opt_int(4)?), instant(row.opt_int(5)?));
        // mlflow/protos/service.proto, LoggedModelStatus.
        let status = match row.int(6)? {
            1 => Some(LoggedModelStatus::Pending),
            2 => Some(LoggedModelStatus::Ready),
            3 => Some(LoggedModelStatus::Failed),
            _ => None,
        };
        let (id, experiment) = (row.text(0)?.parse::<LoggedModelId>(), ExperimentId(row.count(1)?));
        let source_run = row.opt_text(9)?.filter(|run| !run.is_empty()).map(RunRef::new).transpose();
        let elsewhere = elsewhere([("status_message", json!(row.opt_text(10)?))]);
        let whole = || {
            let model = LoggedModel {
                id: id.map_err(|error| error.to_string())?,
                experiment,
                name: name.to_owned(),
                model_type: kind.to_owned(),
                source_run: source_run.map_err(|error| error.to_string())?,
                artifact_uri: self.artifacts.uri(uri),
                status: status.ok_or("its status is none that is known")?,
                lifecycle: lifecycle.ok_or("its lifecycle stage is none that is known")?,
                created: created.ok_or("its creation time is beyond all time")?,
                updated: updated.ok_or("its update time is beyond all time")?,
            };
            let (params, tags, metrics) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
            Ok(Imported { detail: LoggedModelDetail { model, params, tags, metrics }, elsewhere })
        };
        let is_torn = has_nul(&[name, uri, kind]);
        Ok(if is_torn { Err("its name, type or artifact URI holds U+0000".into()) } else { whole() })
    }
}

/// Keys of logged models hold any characters.
fn pairs(
    found: &mut Found,
    rows: &[Row],
    what: &str,
    of: fn(&mut LoggedModelDetail) -> &mut BTreeMap<String, String>,
    findings: &mut Vec<Finding>,
) -> Result<(), StorageError> {
    for row in rows {
        let (id, key, value) = (row.text(0)?, row.text(1)?, row.text(2)?);
        let Some(model) = found.get_mut(id) else { continue };
        let finding = |reason| Finding::new(format!("{what} {key:?} of logged model {id}"), reason);
        if exceeds(key, MAX_KEY).is_some() {
            findings.push(finding("its key has more than 250 characters"));
        } else if has_nul(&[key, value]) {
            findings.push(finding("it holds U+0000"));
        } else {
            of(&mut model.detail).insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

fn measured(found: &mut Found, rows: &[Row], findings: &mut Vec<Finding>) -> Result<(), StorageError> {
    for row in rows {
        let (id, key, run) = (row.text(0)?, row.text(1)?, row.text(5)?);
        let Some(model) = found.get_mut(id) else { continue };
        let finding = |reason| Finding::new(format!("metric {key:?} of logged model {id}"), reason);
        let Ok(run) = run.parse() else {
            findings.push(finding("the run that measured it has no id that can be kept"));
            continue;
        };
        if has_nul(&[key]) {
            findings.push(finding("it holds U+0000"));
            continue;
        }
        let digest = row.opt_text(7)?.unwrap_or_default();
        let dataset = row.opt_text(6)?.filter(|name| !name.is_empty());
        let value = row.opt_real(4)?.unwrap_or(f64::NAN);
        model.detail.metrics.push(ModelMetric {
            model: model.detail.model.id,
            run,
            key: key.to_owned(),
            dataset: dataset.map(|name| (name.to_owned(), digest.to_owned())),
            point: Point { step: row.int(2)?, timestamp_ms: row.int(3)?, value },
        });
    }
    for model in found.values_mut() {
        model.detail.metrics.sort_by(|a, b| order(a).cmp(&order(b)));
    }
    Ok(())
}

/// The order in which a store hands them out.
fn order(metric: &ModelMetric) -> (mainstay_core::id::RunId, &str, (&str, &str), i64, i64) {
    let dataset = metric.dataset.as_ref().map_or(("", ""), |(name, digest)| (name.as_str(), digest.as_str()));
    (metric.run, &metric.key, dataset, metric.point.step, metric.point.timestamp_ms)
}
