//! The frame that a model of a feature service is trained and judged on: examples with their features as
//! they were known at the time, read in a step's child.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use futures::StreamExt as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_data::ports::DataReader as _;
use mainstay_data::table::Manifest;
use mainstay_features::definition::{Definitions, EVENT_TIMESTAMP, FeatureService};
use mainstay_features::rule::CreatedCutoff;
use mainstay_pipelines::circumstances::{Circumstances, DataVersion};
use mainstay_query::features::{Examples, JoinedView, LABEL, TrainingSet, Visible, emit, training_frame};
use mainstay_query::import::Target;
use mainstay_query::scan::Table;
use mainstay_query::session::{SessionOptions, open};
use mainstay_training::Column;
use serde::{Deserialize, Serialize};

use crate::StepError;
use mainstay_platform::Platform;

/// What a child needs to build a frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FrameOrder {
    /// The definitions file.
    definitions: String,
    /// Where they stand on the record.
    source: DefinitionsRef,
    service: String,
    /// The table versions that are read, by dataset.
    tables: BTreeMap<String, (u64, Manifest)>,
    /// Where object keys start.
    root: PathBuf,
    from: DataTime,
    until: DataTime,
    known_at: DataTime,
}

/// A revision of a project's feature definitions, and the service that was read in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DefinitionsRef {
    project: Name,
    revision: u64,
    digest: Digest,
    service: String,
}

impl FrameOrder {
    /// Looks up the definitions of a project and the newest version of every table that a service reads.
    pub(super) async fn look_up(
        platform: &Platform,
        workspace: &Name,
        wanted: (&Name, &str),
        times: (DataTime, DataTime, DataTime),
    ) -> Result<Self, StepError> {
        Self::look_up_as(platform, workspace, wanted, times, None).await
    }

    /// As [`FrameOrder::look_up`]; if the step read something before that it is to read again, that and no other.
    pub(super) async fn look_up_as(
        platform: &Platform,
        workspace: &Name,
        (project, service): (&Name, &str),
        (from, until, known_at): (DataTime, DataTime, DataTime),
        before: Option<&Circumstances>,
    ) -> Result<Self, StepError> {
        let gone = |what: String| StepError::refused(ErrorCode::NotReproducible, what);
        let reader = &platform.database.reader;
        let stored = reader.feature_definitions(workspace, project).await.map_err(StepError::of)?;
        let unknown = |what: String| StepError::refused(ErrorCode::NotFound, what);
        let stored =
            stored.ok_or_else(|| unknown(format!("there are no feature definitions named {project}")))?;
        let read = before.and_then(|before| before.features.get(project.as_str()));
        if let Some(read) = read.filter(|read| read.digest != stored.digest) {
            let message = format!(
                "revision {} of the feature definitions of {project} is no longer in force",
                read.version
            );
            return Err(gone(message));
        }
        let definitions = Definitions::parse(&stored.text).map_err(StepError::of)?;
        let found = definitions.service(service);
        let found = found.ok_or_else(|| unknown(format!("{project} has no feature service {service:?}")))?;
        let mut tables = BTreeMap::new();
        for dataset in datasets(&definitions, found) {
            let name = Name::new(dataset.clone()).map_err(StepError::of)?;
            let read = before.and_then(|before| before.data.get(&dataset));
            let number = read.map(|read| read.version);
            let version = reader.version(workspace, &name, number).await.map_err(StepError::of)?;
            if let Some(read) = read.filter(|read| version.as_ref().is_none_or(|v| v.digest != read.digest)) {
                let message =
                    format!("version {} of dataset {dataset} is no longer there as it was", read.version);
                return Err(gone(message));
            }
            let version = version
                .ok_or_else(|| unknown(format!("dataset {dataset} has no version; import it first")))?;
            tables.insert(dataset, (version.version, version.manifest));
        }
        let root = platform.layout.root().to_owned();
        let (revision, digest) = (stored.revision, stored.digest);
        let source =
            DefinitionsRef { project: stored.project, revision, digest, service: service.to_owned() };
        Ok(Self {
            definitions: stored.text,
            source,
            service: service.to_owned(),
            tables,
            root,
            from,
            until,
            known_at,
        })
    }

    /// The definitions that it was looked up in, as the record knows them.
    pub(super) fn source(&self) -> DefinitionsRef {
        self.source.clone()
    }

    /// The table versions and the feature definitions that are read.
    pub(super) fn reads(&self) -> (BTreeMap<String, DataVersion>, BTreeMap<String, DataVersion>) {
        let tables = self.tables.iter().map(|(name, (version, manifest))| {
            (name.clone(), DataVersion { version: *version, digest: manifest.digest() })
        });
        let DefinitionsRef { project, revision, digest, .. } = &self.source;
        let definitions = DataVersion { version: *revision, digest: *digest };
        (tables.collect(), [(project.to_string(), definitions)].into())
    }

    /// The versions that are read, by dataset.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        self.tables.iter().map(|(name, (version, _))| (name.clone(), version.to_string())).collect()
    }

    /// As [`FrameOrder::versions`], as numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (&str, u64)> {
        self.tables.iter().map(|(name, (version, _))| (name.as_str(), *version))
    }

    /// The tables that are read, with their versions.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, u64, &Manifest)> {
        self.tables.iter().map(|(name, (version, manifest))| (name.as_str(), *version, manifest))
    }

    /// The feature service.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The first instant of its examples, and the first that is out.
    pub(super) const fn span(&self) -> (DataTime, DataTime) {
        (self.from, self.until)
    }

    /// The definitions that it was looked up in.
    pub(super) fn definitions(&self) -> Result<Definitions, StepError> {
        Definitions::parse(&self.definitions).map_err(StepError::of)
    }

    /// The version of a dataset that is read.
    pub(super) fn version(&self, dataset: &str) -> Result<(u64, &Manifest), StepError> {
        let found = self.tables.get(dataset).map(|(version, manifest)| (*version, manifest));
        found.ok_or_else(|| {
            StepError::refused(ErrorCode::NotFound, format!("the order lacks dataset {dataset}"))
        })
    }

    pub(super) fn table(&self, dataset: &str) -> Result<Table, StepError> {
        self.version(dataset).map(|(_, manifest)| Table::under(&self.root, manifest))
    }
}

/// Every dataset that a service's label and features come from.
fn datasets(definitions: &Definitions, service: &FeatureService) -> Vec<String> {
    let views = service.features.iter().filter_map(|feature| definitions.view(&feature.view));
    let mut all: Vec<_> = views.map(|view| view.source.dataset.clone()).collect();
    all.extend(service.label.as_ref().map(|label| label.source.dataset.clone()));
    all.sort();
    all.dedup();
    all
}

/// Examples in the order of time.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// When each prediction would have been asked for.
    pub(super) times: Vec<DataTime>,
    /// What came true.
    pub(super) labels: Vec<f32>,
    /// The features, in the order of the model's inputs.
    pub(super) features: Vec<Column>,
}

impl Frame {
    /// Builds the frame. `directory` takes intermediate files.
    pub(super) fn build(order: &FrameOrder, directory: &Path) -> Result<Self, StepError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| StepError::lost(error.to_string()))?;
        runtime.block_on(Self::collect(order, directory))
    }

    async fn collect(order: &FrameOrder, directory: &Path) -> Result<Self, StepError> {
        let definitions = Definitions::parse(&order.definitions).map_err(StepError::of)?;
        let gone = || StepError::refused(ErrorCode::NotFound, "the service is not in its definitions");
        let service = definitions.service(&order.service).ok_or_else(gone)?;
        let widest = order.tables().map(|(.., manifest)| manifest.schema.columns().len()).max().unwrap_or(0);
        let options = SessionOptions::spilling_to(directory.join("spill")).for_columns(widest);
        let session = open(&options).map_err(StepError::of)?;
        let mut emitted = Vec::new();
        let mut names: Vec<_> = service.features.iter().map(|feature| feature.view.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let view = definitions.view(name).ok_or_else(gone)?;
            let place = directory.join("views").join(name);
            std::fs::create_dir_all(&place).map_err(|error| StepError::lost(error.to_string()))?;
            let key_prefix = format!("views/{name}/");
            let target = Target { directory: &place, key_prefix: &key_prefix };
            let source = order.table(&view.source.dataset)?;
            let visible = Visible { after: None, until: Some(order.until) };
            let rows = emit(&session, view, &source, visible, target).await.map_err(StepError::of)?;
            emitted.push((view, rows.under(directory)));
        }
        let views: Vec<_> = emitted.iter().map(|(view, rows)| JoinedView { view, rows }).collect();
        let label = service.label.as_ref().ok_or_else(|| {
            StepError::refused(
                ErrorCode::InvalidDefinition,
                "the service has no label, so nothing can be learnt for it",
            )
        })?;
        let label = order.table(&label.source.dataset)?;
        let examples = Examples { from: order.from, until: order.until, known_at: order.known_at };
        let set =
            TrainingSet { service, label: &label, views: &views, examples, cutoff: CreatedCutoff::default() };
        let mut stream = training_frame(&session, set).await.map_err(StepError::of)?.batches;
        let mut frame = Self::of(service);
        while let Some(batch) = stream.next().await {
            frame.append(&batch.map_err(StepError::of)?)?;
        }
        Ok(frame)
    }

    fn of(service: &FeatureService) -> Self {
        use mainstay_features::definition::Dtype;
        // Which kind a stored feature is shows in the first batch; request features say it themselves.
        let stored = service.features.iter().map(|feature| Column::numeric(feature.column(), Vec::new()));
        let request = service.request.iter().map(|feature| match feature.dtype {
            Dtype::String => Column::categorical(&feature.name, Vec::new()),
            _ => Column::numeric(&feature.name, Vec::new()),
        });
        Self { features: stored.chain(request).collect(), ..Self::default() }
    }

    fn append(&mut self, batch: &RecordBatch) -> Result<(), StepError> {
        let times = column(batch, EVENT_TIMESTAMP)?;
        let times = times
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| unreadable(EVENT_TIMESTAMP))?;
        self.times.extend(times.values().iter().map(|micros| DataTime::from_micros(*micros)));
        self.labels.extend(numbers(column(batch, LABEL)?, LABEL)?);
        for feature in &mut self.features {
            let values = last_column(batch, &feature.name)?;
            if values.data_type() == &DataType::Utf8 {
                let texts = values.as_string::<i32>().iter().map(|text| text.map(str::to_owned));
                match &mut feature.values {
                    mainstay_training::Values::Categorical(all) => all.extend(texts),
                    mainstay_training::Values::Numeric(none) if none.is_empty() => {
                        feature.values = mainstay_training::Values::Categorical(texts.collect());
                    }
                    mainstay_training::Values::Numeric(_) => return Err(unreadable(&feature.name)),
                }
            } else if let mainstay_training::Values::Numeric(all) = &mut feature.values {
                all.extend(numbers(values, &feature.name)?);
            } else {
                return Err(unreadable(&feature.name));
            }
        }
        Ok(())
    }

    /// The number of examples.
    pub(super) fn rows(&self) -> usize {
        self.labels.len()
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, StepError> {
    batch.column_by_name(name).ok_or_else(|| unreadable(name))
}

/// Features stand behind what the examples brought along, so that one which is called as a field of the
/// request is still the feature, as it is when a request is served.
fn last_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, StepError> {
    let position = batch.schema_ref().fields().iter().rposition(|field| field.name() == name);
    position.map(|position| batch.column(position)).ok_or_else(|| unreadable(name))
}

fn unreadable(name: &str) -> StepError {
    StepError::refused(
        ErrorCode::InvalidData,
        format!("column {name} of the frame is missing or has another type"),
    )
}

/// Numbers as the model takes them: `f32`, NaN where there is none.
#[expect(
    clippy::cast_possible_truncation,
    reason = "models are trained and served in f32, by rounding to nearest"
)]
fn numbers(values: &ArrayRef, name: &str) -> Result<Vec<f32>, StepError> {
    let number = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
    Ok(match values.data_type() {
        DataType::Float64 => values.as_primitive::<Float64Type>().iter().map(number).collect(),
        DataType::Int64 => {
            values.as_primitive::<Int64Type>().iter().map(|v| number(v.map(|v| v as f64))).collect()
        }
        DataType::Boolean => values.as_boolean().iter().map(|v| number(v.map(f64::from))).collect(),
        DataType::Timestamp(..) => {
            let micros =
                values.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| unreadable(name))?;
            micros.iter().map(|v| number(v.map(|v| v as f64 / 1e6))).collect()
        }
        _ => return Err(unreadable(name)),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn a_feature_called_as_a_field_of_the_request_is_the_feature() {
        let array = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let at = Arc::new(TimestampMicrosecondArray::from(vec![7])) as ArrayRef;
        let columns =
            [(EVENT_TIMESTAMP, at), (LABEL, array(1.0)), ("km", array(1_609.0)), ("km", array(1.609))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let features = vec![Column::numeric("km", Vec::new())];
        let mut frame = Frame { features, ..Frame::default() };
        frame.append(&batch).unwrap();
        assert_eq!(frame.features.first().map(|feature| &feature.values), Some(&numeric(1.609)));
    }

    fn numeric(value: f32) -> mainstay_training::Values {
        mainstay_training::Values::Numeric(vec![value])
    }
}
