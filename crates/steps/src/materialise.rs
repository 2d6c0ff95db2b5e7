//! `uses: materialise`: carries the feature values of a service to the online store, up to a data time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures::StreamExt as _;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_data::ports::DataReader as _;
use mainstay_data::scalar::Scalar;
use mainstay_data::table::{DataFile, Manifest};
use mainstay_features::command::{FeaturesError, RecordMaterialisation};
use mainstay_features::definition::{Definitions, FeatureView, Source};
use mainstay_features::online::EntityKey;
use mainstay_features::plan::MaterialisationPlan;
use mainstay_features::port::{FeaturesTx, Materialisation};
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_query::features::{Visible, emit, online_rows};
use mainstay_query::import::Target;
use mainstay_query::session::{SessionOptions, open};
use mainstay_segments::online::{OnlineError, OnlineView, PackedEntry, ViewSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::frame::FrameOrder;
use crate::{BuiltIn, Held, Prepared, StepError, data_time, read, write};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};
use mainstay_predictor::{online_name, views_of};

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    project: Name,
    /// The service whose views are carried.
    service: String,
    /// The earliest data time that will be asked for; by default what the store answers from already, or
    /// else `until`.
    from: Option<String>,
    /// The data time up to which requests will be answered; the run's own if absent.
    until: Option<String>,
}

/// One view's part of the order.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    view: String,
    definition: Digest,
    /// The version of the source's table.
    source: u64,
    after: Option<DataTime>,
    horizon: DataTime,
    until: DataTime,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    frame: FrameOrder,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    part: Part,
    rows: u64,
    digest: Digest,
}

/// Rows that are put at once.
const BATCH: usize = 10_000;

/// The step.
pub struct Materialise;

#[async_trait]
impl BuiltIn for Materialise {
    fn name(&self) -> &'static str {
        "materialise"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn prepare(&self, platform: &Platform, held: &Held) -> Result<Prepared, StepError> {
        let arguments: Arguments = held.arguments()?;
        let until = held.until(arguments.until.as_deref())?;
        let from = arguments.from.as_deref().map(|text| data_time("from", text)).transpose()?;
        let wanted = (&arguments.project, arguments.service.as_str());
        let frame = FrameOrder::look_up(platform, &held.workspace, wanted, (until, until, until)).await?;
        let definitions = frame.definitions()?;
        let service = definitions.service(&arguments.service);
        let views = service.into_iter().flat_map(|service| views_of(&definitions, service));
        let mut parts = Vec::new();
        for view in views {
            let online = platform.online.view(&online_name(&held.workspace, &arguments.project, &view.name));
            let present = online.as_ref().and_then(|online| online.coverage());
            // What is there beyond `until` stays: a later run may have gone further.
            let until = present.map_or(until, |coverage| coverage.until.max(until));
            let from = from.or(present.map(|coverage| coverage.horizon)).unwrap_or(until);
            let (source, manifest) = frame.version(&view.source.dataset)?;
            let is_going_on = match &online {
                Some(online) => goes_on(platform, &held.workspace, online, view, (source, manifest)).await?,
                None => false,
            };
            let plan = MaterialisationPlan::next(present.filter(|_| is_going_on), from, until);
            let MaterialisationPlan { after, horizon, until } = plan.map_err(StepError::of)?;
            let (view, definition) = (view.name.clone(), view.digest());
            parts.push(Part { view, definition, source, after, horizon, until });
        }
        Ok(Prepared::Child(write(&Order { frame, parts })?))
    }

    fn perform(&self, order: Value, directory: &Path) -> Result<Value, StepError> {
        let order: Order = read(order)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| StepError::lost(error.to_string()))?;
        write(&runtime.block_on(carry(&order, directory))?)
    }

    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        result: Value,
    ) -> Result<Box<dyn Effect>, StepError> {
        let arguments: Arguments = held.arguments()?;
        let carried: Vec<Carried> = read(result)?;
        let (store, project) = (platform.online.clone(), arguments.project.clone());
        let (workspace, directory) = (held.workspace.clone(), held.directory.clone());
        let reader = &platform.database.reader;
        let newest = reader.feature_definitions(&workspace, &project).await.map_err(StepError::of)?;
        let newest = newest.map(|stored| Definitions::parse(&stored.text)).transpose();
        let newest = newest.map_err(StepError::of)?;
        let put = tokio::task::spawn_blocking(move || {
            for done in &carried {
                let Part { view, definition, source, after, horizon, until } = done.part.clone();
                let found = newest.as_ref().and_then(|all| all.view(&view));
                // Rows of a definition that is not in force any more must not take the view's name.
                let redefined = || StepError::of(FeaturesError::Redefined(view.clone()));
                let found = found.filter(|found| found.digest() == definition).ok_or_else(redefined)?;
                let name = online_name(&workspace, &project, &view);
                let spec = ViewSpec { name, definition, ttl: found.ttl };
                let mut rows = Rows::open(&directory, &view)?;
                let plan = MaterialisationPlan { after, horizon, until };
                store.carry(&spec, plan, source, || rows.batch())?;
            }
            Ok::<_, StepError>(carried)
        });
        let carried = put.await.map_err(|error| StepError::lost(error.to_string()))??;
        let records = carried.into_iter().map(|Carried { part, rows, digest }| RecordMaterialisation {
            workspace: held.workspace.clone(),
            materialisation: Materialisation {
                project: arguments.project.clone(),
                view: part.view,
                definition: part.definition,
                until: part.until,
                rows,
                digest,
            },
        });
        Ok(Box::new(Recorded(records.collect())))
    }
}

/// Whether rows can be added to those that are there: they are of the same definition, and of a version of the
/// source that the newest one only adds to, and only with rows that became visible after what is covered. Rows
/// of before would change what was carried already.
async fn goes_on(
    platform: &Platform,
    workspace: &Name,
    online: &OnlineView,
    view: &FeatureView,
    (version, manifest): (u64, &Manifest),
) -> Result<bool, StepError> {
    let (Some(before), Some(coverage)) = (online.source(), online.coverage()) else { return Ok(false) };
    if online.spec().definition != view.digest() {
        return Ok(false);
    }
    if before == version {
        return Ok(true);
    }
    let dataset = Name::new(view.source.dataset.clone()).map_err(StepError::of)?;
    let before = platform.database.reader.version(workspace, &dataset, Some(before)).await;
    let before = before.map_err(StepError::of)?;
    Ok(before.is_some_and(|before| adds_later(&before.manifest, manifest, &view.source, coverage.until)))
}

/// Whether a manifest is an earlier one and files whose rows all become visible after an instant. Known by the
/// least value of the source's instants, where those are columns: a row is visible from the later of the two.
fn adds_later(before: &Manifest, manifest: &Manifest, source: &Source, instant: DataTime) -> bool {
    let is_same = |(old, new): (&DataFile, &DataFile)| old.sha256 == new.sha256;
    let Some((kept, added)) = manifest.files.split_at_checked(before.files.len()) else { return false };
    // Any other text is an expression, or the name of another column.
    let is_plain = |name: &str| name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let is_instant = |name: &String| {
        is_plain(name) && (source.timestamp == *name || source.created.as_ref() == Some(name))
    };
    let is_later = |file: &DataFile| {
        let mut columns = manifest.schema.columns().iter().zip(&file.columns);
        columns.any(|(column, stats)| {
            is_instant(&column.name) && matches!(stats.min, Some(Scalar::Timestamp(min)) if min > instant)
        })
    };
    manifest.schema == before.schema
        && before.files.iter().zip(kept).all(is_same)
        && added.iter().all(|file| file.rows == 0 || is_later(file))
}

/// Emits each view's rows and leaves those that are to be carried in a file of its own.
async fn carry(order: &Order, directory: &Path) -> Result<Vec<Carried>, StepError> {
    let definitions = order.frame.definitions()?;
    let session = open(&SessionOptions::spilling_to(directory.join("spill"))).map_err(StepError::of)?;
    let mut carried = Vec::with_capacity(order.parts.len());
    for part in &order.parts {
        let gone = || StepError::refused(ErrorCode::NotFound, "the view is not in its definitions");
        let view = definitions.view(&part.view).ok_or_else(gone)?;
        let lost = |error: std::io::Error| StepError::lost(error.to_string());
        let place = directory.join("views").join(&part.view);
        std::fs::create_dir_all(&place).map_err(lost)?;
        let key_prefix = format!("views/{}/", part.view);
        let target = Target { directory: &place, key_prefix: &key_prefix };
        let source = order.frame.table(&view.source.dataset)?;
        let visible = Visible { after: part.after, until: Some(part.until) };
        let emitted = emit(&session, view, &source, visible, target).await.map_err(StepError::of)?;
        let plan = MaterialisationPlan { after: part.after, horizon: part.horizon, until: part.until };
        let table = emitted.under(directory);
        let mut batches = online_rows(&session, view, &table, plan).await.map_err(StepError::of)?;
        let mut file = BufWriter::new(File::create(rows_file(directory, &part.view)).map_err(lost)?);
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            for (key, row) in batch.map_err(StepError::of)? {
                append(&mut file, key.as_bytes()).map_err(lost)?;
                append(&mut file, &row).map_err(lost)?;
                rows += 1;
            }
        }
        file.flush().map_err(lost)?;
        let digests: BTreeMap<&str, String> =
            emitted.files.iter().map(|file| (file.object_key.as_str(), file.sha256.to_string())).collect();
        let digest = Digest::of(json!(digests).to_string().as_bytes());
        carried.push(Carried { part: part.clone(), rows, digest });
    }
    Ok(carried)
}

fn rows_file(directory: &Path, view: &str) -> PathBuf {
    directory.join(format!("{view}.rows"))
}

/// A length of four little-endian bytes, and the bytes.
fn append(file: &mut impl std::io::Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(bytes)
}

/// The rows that a child left.
struct Rows(BufReader<File>);

impl Rows {
    fn open(directory: &Path, view: &str) -> Result<Self, StepError> {
        let file = File::open(rows_file(directory, view));
        file.map(|file| Self(BufReader::new(file))).map_err(|error| StepError::lost(error.to_string()))
    }

    fn batch(&mut self) -> Result<Option<Vec<PackedEntry>>, StepError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(key) = self.part().map_err(|error| StepError::lost(error.to_string()))? else { break };
            let row = self.part().map_err(|error| StepError::lost(error.to_string()))?;
            let row = row.ok_or_else(|| StepError::lost("a file of feature rows ends too early"))?;
            batch.push((EntityKey::from_bytes(key), row));
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn part(&mut self) -> std::io::Result<Option<Box<[u8]>>> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut bytes)?;
        Ok(Some(bytes.into_boxed_slice()))
    }
}

impl From<OnlineError> for StepError {
    fn from(error: OnlineError) -> Self {
        if error.code() == ErrorCode::RevisionConflict {
            return Self::overtaken(error.to_string());
        }
        Self::of(error)
    }
}

struct Recorded(Vec<RecordMaterialisation>);

#[async_trait]
impl Effect for Recorded {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let tx: &mut (dyn FeaturesTx + 'static) = tx;
        let mut views = Map::new();
        for record in &self.0 {
            record.apply(tx).await.map_err(EffectError::from_coded)?;
            let Materialisation { view, until, rows, .. } = &record.materialisation;
            views.insert(view.clone(), json!({ "until": until.to_string(), "rows": rows }));
        }
        Ok(Conclusion::Accepted(StepOutput { value: Value::Object(views), ..StepOutput::default() }))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_data::schema::{Column, DataType, Schema};
    use mainstay_data::table::ColumnStats;

    use super::*;

    fn at(micros: i64) -> DataTime {
        DataTime::from_micros(micros)
    }

    /// A table of the least `ts` and `created` of each of its files.
    fn table(files: &[(i64, i64)]) -> Manifest {
        let least = |min: i64| ColumnStats { min: Some(Scalar::Timestamp(at(min))), max: None, nulls: 0 };
        let file = |(ts, created): &(i64, i64)| DataFile {
            object_key: String::new(),
            sha256: Digest::of(format!("{ts} {created}").as_bytes()),
            rows: 1,
            bytes: 1,
            columns: vec![least(*ts), least(*created)],
        };
        let columns = ["ts", "known"].map(|name| Column::new(name, DataType::Timestamp));
        let schema = Schema::new(columns.to_vec()).unwrap();
        Manifest { schema, files: files.iter().map(file).collect(), quarantine: None }
    }

    #[test]
    fn rows_are_added_only_if_every_new_file_becomes_visible_later() {
        let source = |timestamp: &str, created: Option<&str>| Source {
            name: "facts".to_owned(),
            dataset: "facts".to_owned(),
            timestamp: timestamp.to_owned(),
            created: created.map(str::to_owned),
            filter: None,
        };
        let adds = |files: &[(i64, i64)], source: &Source| {
            adds_later(&table(&[(1, 1), (5, 5)]), &table(files), source, at(10))
        };
        let plain = source("ts", None);
        assert!(adds(&[(1, 1), (5, 5)], &plain), "nothing was added");
        assert!(adds(&[(1, 1), (5, 5), (11, 0), (12, 0)], &plain));
        assert!(!adds(&[(1, 1), (5, 5), (11, 0), (10, 11)], &plain), "visible at what is covered");
        assert!(adds(&[(1, 1), (5, 5), (3, 11)], &source("ts", Some("known"))), "it became known later");
        assert!(!adds(&[(1, 1), (5, 5), (11, 11)], &source("ts + INTERVAL '0'", None)), "an expression");
        assert!(!adds(&[(5, 5), (11, 11)], &plain), "a file is gone");
        assert!(!adds(&[(1, 1), (6, 6), (11, 11)], &plain), "a file was replaced");
    }
}
