//! `runs` with `params`, `tags`, `latest_metrics`, `datasets`, `inputs` and `input_tags`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::import::Imported;
use mainstay_tracking::input::{Dataset, DatasetInput, ModelOutput};
use mainstay_tracking::logged_model::LoggedModelId;
use mainstay_tracking::metric::Point;
use mainstay_tracking::run::{Attachments, Lifecycle, RUN_NAME_TAG, Run, RunDetail, RunStatus};
use mainstay_tracking::text::{Pair, checked_key};
use serde_json::json;

use super::{Page, Rules, Stock, elsewhere, has_nul};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 200;
const ROWS: &str = "SELECT r.run_uuid, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time, \
    r.lifecycle_stage, r.artifact_uri, r.deleted_time, r.source_type, r.source_name, r.entry_point_name, \
    r.source_version FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id \
    WHERE e.workspace = $1 AND r.run_uuid > $2 ORDER BY r.run_uuid LIMIT $3";
const PARAMS: &str =
    "SELECT run_uuid, key, value FROM params WHERE run_uuid > $1 AND run_uuid <= $2 ORDER BY run_uuid, key";
const TAGS: &str =
    "SELECT run_uuid, key, value FROM tags WHERE run_uuid > $1 AND run_uuid <= $2 ORDER BY run_uuid, key";
const LATEST: &str = "SELECT m.run_uuid, m.key, m.step, m.timestamp, m.value, CASE WHEN m.is_nan THEN 1 ELSE 0 END \
    FROM latest_metrics m WHERE m.run_uuid > $1 AND m.run_uuid <= $2 ORDER BY m.run_uuid, m.key";
const DATASETS: &str = "SELECT i.destination_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, \
    d.dataset_source, d.dataset_schema, d.dataset_profile FROM inputs i \
    JOIN datasets d ON d.dataset_uuid = i.source_id WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' \
    AND i.destination_id > $1 AND i.destination_id <= $2";
const INPUT_TAGS: &str = "SELECT t.input_uuid, t.name, t.value FROM input_tags t \
    JOIN inputs i ON i.input_uuid = t.input_uuid WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' \
    AND i.destination_id > $1 AND i.destination_id <= $2 ORDER BY t.input_uuid, t.name";
const MODELS: &str = "SELECT source_id, destination_id, step, source_type FROM inputs \
    WHERE ((source_type = 'RUN_INPUT' AND destination_type = 'MODEL_INPUT') \
    OR (source_type = 'RUN_OUTPUT' AND destination_type = 'MODEL_OUTPUT')) AND source_id > $1 AND source_id <= $2";

/// Runs, and the id of the last.
pub type Runs = Page<Imported<RunDetail>, String>;

/// Everything that hangs on a page of runs.
struct Children {
    params: Vec<Row>,
    tags: Vec<Row>,
    latest: Vec<Row>,
    datasets: Vec<Row>,
    input_tags: Vec<Row>,
    models: Vec<Row>,
}

impl Stock {
    /// The runs of a workspace behind the one of that id.
    pub async fn runs(&mut self, workspace: &Name, after: Option<String>) -> Result<Runs, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ROWS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let key = params![&after, &last];
        let children = Children {
            params: self.query(PARAMS, key).await?,
            tags: self.query(TAGS, key).await?,
            latest: self.query(LATEST, key).await?,
            datasets: self.query(DATASETS, key).await?,
            input_tags: self.query(INPUT_TAGS, key).await?,
            models: self.query(MODELS, key).await?,
        };
        self.rules.runs(&rows, &children, last).map_err(ImportError::Source)
    }
}

/// `step, timestamp, value, is_nan` from a column on.
pub(super) fn point(row: &Row, from: usize) -> Result<Point, StorageError> {
    let is_nan = row.flag(from + 3)?;
    Ok(Point {
        step: row.int(from)?,
        timestamp_ms: row.opt_int(from + 1)?.unwrap_or_default(),
        value: if is_nan { f64::NAN } else { row.real(from + 2)? },
    })
}

impl Rules {
    fn runs(&self, rows: &[Row], children: &Children, last: String) -> Result<Runs, StorageError> {
        let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
        for row in rows {
            let id = row.text(0)?;
            match self.run(row)? {
                Ok(run) => drop(found.insert(id.to_owned(), run)),
                Err(reason) => findings.push(Finding::new(format!("run {id:?}"), reason)),
            }
        }
        self.pairs(&mut found, children, &mut findings)?;
        for row in &children.latest {
            let (id, key) = (row.text(0)?, row.text(1)?);
            let Some(run) = found.get_mut(id) else { continue };
            match checked_key(key.to_owned()) {
                Ok(key) => drop(run.detail.metrics.insert(key, point(row, 2)?)),
                Err(error) => {
                    findings.push(Finding::new(format!("metric {key:?} of run {id}, all its points"), error));
                }
            }
        }
        datasets(&mut found, children, &mut findings)?;
        models(&mut found, &children.models, &mut findings)?;
        for run in found.values_mut() {
            finish(&mut run.detail);
        }
        Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
    }

    fn pairs(
        &self,
        found: &mut BTreeMap<String, Imported<RunDetail>>,
        children: &Children,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StorageError> {
        for row in &children.params {
            let (id, key) = (row.text(0)?, row.text(1)?);
            let Some(run) = found.get_mut(id) else { continue };
            match Pair::param(key, row.text(2)?, self.overlong) {
                Ok(param) => drop(run.detail.params.insert(param.key, param.value)),
                Err(error) => findings.push(Finding::new(format!("param {key:?} of run {id}"), error)),
            }
        }
        for row in &children.tags {
            let (id, key) = (row.text(0)?, row.text(1)?);
            let Some(run) = found.get_mut(id) else { continue };
            match Pair::tag(key, row.opt_text(2)?.unwrap_or_default(), self.overlong) {
                Ok(tag) => drop(run.detail.tags.insert(tag.key, tag.value)),
                Err(error) => findings.push(Finding::new(format!("tag {key:?} of run {id}"), error)),
            }
        }
        Ok(())
    }

    fn run(&self, row: &Row) -> Result<Result<Imported<RunDetail>, String>, StorageError> {
        let text = |column| row.opt_text(column).map(Option::unwrap_or_default);
        let (name, user, uri) = (text(2)?, text(3)?, text(8)?);
        if has_nul(&[name, user, uri]) {
            return Ok(Err("its name, user or artifact URI holds U+0000".into()));
        }
        let Ok(id) = row.text(0)?.parse::<RunId>() else {
            return Ok(Err("an id of a run is 32 lower-case hexadecimal characters".into()));
        };
        let status = match RunStatus::parse(text(4)?) {
            Ok(status) => status,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some(start_ms) = row.opt_int(5)? else { return Ok(Err("it has no start time".into())) };
        let lifecycle = row.opt_text(7)?.map_or(Some(Lifecycle::Active), Lifecycle::stored);
        let Some(lifecycle) = lifecycle else {
            return Ok(Err("its lifecycle stage is none that is known".into()));
        };
        let run = Run {
            id,
            experiment: ExperimentId(row.count(1)?),
            name: name.to_owned(),
            user: user.to_owned(),
            status,
            start_ms,
            end_ms: row.opt_int(6)?,
            lifecycle,
            artifact_uri: self.artifacts.uri(uri),
        };
        let elsewhere = elsewhere([
            ("deleted_ms", json!(row.opt_int(9)?)),
            ("source_type", json!(row.opt_text(10)?)),
            ("source_name", json!(row.opt_text(11)?)),
            ("entry_point_name", json!(row.opt_text(12)?)),
            ("source_version", json!(row.opt_text(13)?)),
        ]);
        let (metrics, params, tags) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let detail = RunDetail { run, metrics, params, tags, attached: Attachments::default() };
        Ok(Ok(Imported { detail, elsewhere }))
    }
}

fn datasets(
    found: &mut BTreeMap<String, Imported<RunDetail>>,
    children: &Children,
    findings: &mut Vec<Finding>,
) -> Result<(), StorageError> {
    let mut tags: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for row in &children.input_tags {
        let of_input = tags.entry(row.text(0)?).or_default();
        of_input.push((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
    }
    for row in &children.datasets {
        let Some(run) = found.get_mut(row.text(0)?) else { continue };
        let dataset = Dataset {
            name: row.text(2)?.to_owned(),
            digest: row.text(3)?.to_owned(),
            source_type: row.text(4)?.to_owned(),
            source: row.text(5)?.to_owned(),
            schema: row.opt_text(6)?.map(str::to_owned),
            profile: row.opt_text(7)?.map(str::to_owned),
        };
        let of = format!("dataset {:?} of run {}", dataset.name, run.detail.run.id);
        let mut tags = tags.remove(row.text(1)?).unwrap_or_default();
        tags.sort_unstable();
        match (DatasetInput { dataset, tags }).checked() {
            Ok(input) => run.detail.attached.datasets.push(input),
            Err(error) => findings.push(Finding::new(of, error)),
        }
    }
    Ok(())
}

fn models(
    found: &mut BTreeMap<String, Imported<RunDetail>>,
    rows: &[Row],
    findings: &mut Vec<Finding>,
) -> Result<(), StorageError> {
    for row in rows {
        let (id, model) = (row.text(0)?, row.text(1)?);
        let Some(run) = found.get_mut(id) else { continue };
        let attached = &mut run.detail.attached;
        match model.parse::<LoggedModelId>() {
            Ok(model) if row.text(3)? == "RUN_INPUT" => attached.model_inputs.push(model),
            Ok(model) => attached.model_outputs.push(ModelOutput { model, step: row.int(2)? }),
            Err(error) => {
                findings.push(Finding::new(format!("logged model {model:?} of run {id}"), error));
            }
        }
    }
    Ok(())
}

/// A run without a name is called as its tag says, as a stock server has it; what is attached stands in the order
/// in which a store hands it out.
fn finish(detail: &mut RunDetail) {
    if detail.run.name.is_empty()
        && let Some(name) = detail.tags.get(RUN_NAME_TAG)
    {
        detail.run.name.clone_from(name);
    }
    let attached = &mut detail.attached;
    attached
        .datasets
        .sort_by(|a, b| (&a.dataset.name, &a.dataset.digest).cmp(&(&b.dataset.name, &b.dataset.digest)));
    attached.model_inputs.sort_unstable();
    attached.model_outputs.sort_by_key(|output| (output.step, output.model));
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value;
    use mainstay_tracking::text::Overlong;

    use super::*;
    use crate::artifacts::Artifacts;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn row(values: Vec<Value>) -> Row {
        Row::new(values)
    }

    fn run_row(id: &str, status: &str) -> Row {
        let texts = ["LOCAL", "train.py", "", "abc"].map(Value::from);
        let mut values = vec![id.into(), 7_i64.into(), Value::Null, Value::Null, status.into(), 5_i64.into()];
        values.extend([Value::Null, "active".into(), "mlflow-artifacts:/7/x".into(), 99_i64.into()]);
        values.extend(texts);
        row(values)
    }

    fn children() -> Children {
        let latest = |key: &str, value: f64, is_nan: i64| {
            row(vec![ID.into(), key.into(), 3_i64.into(), 4_i64.into(), value.into(), is_nan.into()])
        };
        let pair = |key: &str, value: &str| row(vec![ID.into(), key.into(), value.into()]);
        let model = format!("m-{ID}");
        Children {
            params: vec![pair("depth", "7"), pair("long", &"x".repeat(6_001)), pair("a//b", "1")],
            tags: vec![pair(RUN_NAME_TAG, "kind fox"), row(vec![ID.into(), "none".into(), Value::Null])],
            latest: vec![latest("nan", 0.0, 1), latest("plain", 0.5, 0), latest("../odd", 0.5, 0)],
            datasets: Vec::new(),
            input_tags: Vec::new(),
            models: vec![
                row(vec![ID.into(), model.as_str().into(), 2_i64.into(), "RUN_OUTPUT".into()]),
                row(vec![ID.into(), "mine".into(), 0_i64.into(), "RUN_INPUT".into()]),
            ],
        }
    }

    fn rules(overlong: Overlong) -> Rules {
        Rules { overlong, artifacts: Artifacts::default() }
    }

    #[test]
    fn a_run_comes_whole_and_what_does_not_fit_is_found() {
        let rows =
            [run_row(ID, "FINISHED"), run_row("my-run", "FINISHED"), run_row(&ID.replace('0', "f"), "?")];
        let page = rules(Overlong::Refuse).runs(&rows, &children(), "z".into()).unwrap();
        let [run] = &page.items[..] else { panic!("{:?}", page.items) };
        assert_eq!(run.detail.run.name, "kind fox");
        assert_eq!(run.elsewhere["deleted_ms"], 99);
        assert_eq!(run.detail.params.len(), 1);
        assert_eq!(run.detail.tags["none"], "");
        assert!(run.detail.metrics["nan"].value.is_nan());
        assert_eq!(run.detail.metrics["plain"], Point { step: 3, timestamp_ms: 4, value: 0.5 });
        assert_eq!(run.detail.attached.model_outputs[0].step, 2);
        let found: Vec<String> = page.findings.iter().map(|finding| finding.of.clone()).collect();
        let expected = [
            "run \"my-run\"".to_owned(),
            format!("run {:?}", ID.replace('0', "f")),
            format!("param \"long\" of run {ID}"),
            format!("param \"a//b\" of run {ID}"),
            format!("metric \"../odd\" of run {ID}, all its points"),
            format!("logged model \"mine\" of run {ID}"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn long_values_are_cut_where_that_was_decided() {
        let page = rules(Overlong::Truncate).runs(&[run_row(ID, "FAILED")], &children(), "z".into()).unwrap();
        assert_eq!(page.items[0].detail.params["long"].len(), 6_000);
    }
}
