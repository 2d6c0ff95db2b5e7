//! `uses: train`: trains a model of a feature service on examples of a stretch of data time, as a run in the
//! experiment of the project.

mod package;
mod reference;
pub(super) mod tracked;

use std::path::Path;

use async_trait::async_trait;
use futures::stream;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_core::object::{ByteStream, ModelFile, ObjectPath};
use mainstay_core::time::{DAY, DataTime};
use mainstay_monitoring::reference::ReferencePlan;
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_training::{Candidate, Dataset, Params, Split, Task, TrainingReport, train};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::package::{Interface, Origin};
use self::reference::reference;
use self::tracked::{Ids, Tracked, artifacts, experiment};
use crate::frame::{Frame, FrameOrder};
use crate::{BuiltIn, Held, Prepared, Reads, Span, StepError, read, write};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::Effect;

/// The file in which the child leaves the model.
pub(super) const MODEL_FILE: &str = "model.onnx";
/// The file in which the child leaves what the model is watched against.
const REFERENCE_FILE: &str = "reference.json";
/// Largest model that is kept, in bytes.
pub(super) const MODEL_LIMIT: u64 = 64 << 20;

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The project of the feature definitions.
    project: Name,
    /// The feature service: its label, its features.
    service: String,
    #[serde(flatten)]
    span: Span,
    /// How many days at the end choose between the candidates.
    #[serde(default = "week")]
    validation_days: u16,
    #[serde(default = "binary")]
    task: Task,
    #[serde(default)]
    seed: u64,
    #[serde(default = "one")]
    threads: usize,
    candidates: Option<Vec<Candidate>>,
    max_trees: Option<usize>,
    /// How the model is to be watched later: what its reference is calibrated for.
    #[serde(default)]
    watch: ReferencePlan,
}

const fn week() -> u16 {
    7
}

const fn binary() -> Task {
    Task::BinaryClassification
}

const fn one() -> usize {
    1
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    frame: FrameOrder,
    validation_from: DataTime,
    params: Params,
    watch: ReferencePlan,
}

#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    order: Order,
    interface: Interface,
    digest: Digest,
    bytes: usize,
    rows: usize,
    report: TrainingReport,
}

/// The step.
pub struct Train;

#[async_trait]
impl BuiltIn for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn prepare(&self, platform: &Platform, held: &Held) -> Result<Prepared, StepError> {
        let arguments: Arguments = held.arguments()?;
        let (from, until) = arguments.span.of(held)?;
        let validation_from = until.plus(-i64::from(arguments.validation_days) * DAY);
        if validation_from <= from {
            let message = "there must be more days between from and until than validation_days";
            return Err(StepError::refused(ErrorCode::InvalidDefinition, message));
        }
        let wanted = (&arguments.project, arguments.service.as_str());
        let before = held.before(platform).await?;
        let frame =
            FrameOrder::look_up_as(platform, &held.workspace, wanted, (from, until, until), before.as_ref())
                .await?;
        let mut params = Params::new(arguments.task, arguments.seed, arguments.threads);
        params.candidates = arguments.candidates.unwrap_or(params.candidates);
        params.max_trees = arguments.max_trees;
        let watch = arguments.watch;
        Ok(Prepared::Child(write(&Order { frame, validation_from, params, watch })?))
    }

    fn perform(&self, order: Value, directory: &Path) -> Result<Value, StepError> {
        let order: Order = read(order)?;
        let frame = Frame::build(&order.frame, directory)?;
        let validation = frame.times.partition_point(|time| *time < order.validation_from);
        let rows = frame.rows();
        let split = Split { train: 0..validation, validation: validation..rows, test: None };
        let data = Dataset { features: frame.features, label: frame.labels };
        let trained = train(&data, &split, &order.params).map_err(StepError::of)?;
        let kept = reference(&data, &frame.times, &trained.report, &order.watch)?;
        let lost = |error: std::io::Error| StepError::lost(error.to_string());
        std::fs::write(directory.join(MODEL_FILE), &trained.onnx).map_err(lost)?;
        let text = write(&kept)?.to_string();
        std::fs::write(directory.join(REFERENCE_FILE), &text).map_err(lost)?;
        let digest = Digest::of(&trained.onnx);
        let interface = Interface::of(&trained.onnx, &data)?;
        write(&Outcome { order, interface, digest, bytes: trained.onnx.len(), rows, report: trained.report })
    }

    fn reads(&self, result: &Value) -> Result<Reads, StepError> {
        let Outcome { order, .. } = read(result.clone())?;
        let (data, features) = order.frame.reads();
        Ok(Reads { data, features, seed: Some(order.params.seed.into()) })
    }

    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        result: Value,
    ) -> Result<Box<dyn Effect>, StepError> {
        let outcome: Outcome = read(result)?;
        let project = held.arguments::<Arguments>()?.project;
        let reference = store(platform, held, &outcome).await?;
        let experiment = experiment(platform, &held.workspace, &project).await?;
        let (ids, now) = (Ids::of(held), platform.clock.now());
        let place = artifacts(&experiment, ids.model)?;
        let origin = Origin { run: ids.run, model: ids.model, created: now };
        let beside =
            outcome.interface.files(&origin).into_iter().map(|(name, text)| (name, text.into_bytes()));
        let model = (MODEL_FILE, left_behind(held, MODEL_FILE)?);
        for (name, bytes) in beside.chain([model]) {
            put(platform, &place.join(name).map_err(StepError::of)?, bytes).await?;
        }
        let selected = outcome.report.selected();
        let value = json!({
            "digest": outcome.digest,
            "run": ids.run,
            "logged_model": ids.model,
            "bytes": outcome.bytes,
            "rows": outcome.rows,
            "data": outcome.order.frame.versions(),
            "features": outcome.order.frame.source(),
            "candidate": selected.map(|chosen| &chosen.candidate),
            "validation": selected.map(|chosen| &chosen.validation),
            "baseline": outcome.report.baseline,
        });
        let artifacts = [("model".to_owned(), outcome.digest), ("reference".to_owned(), reference)].into();
        let output = StepOutput { value, artifacts };
        Ok(Box::new(Tracked::new(held, &experiment, &outcome, now, output)?))
    }
}

/// Stores a model under its digest, with its report and its reference, whose digest it gives. There it is the
/// same whoever writes it, and nobody sees it before the step is accepted.
async fn store(platform: &Platform, held: &Held, outcome: &Outcome) -> Result<Digest, StepError> {
    let model = left_behind(held, MODEL_FILE)?;
    let stored = put(platform, &ObjectPath::of_model(&outcome.digest, ModelFile::Graph), model).await?;
    if stored != outcome.digest {
        return Err(StepError::lost("the model changed between training and storing"));
    }
    let report = write(&outcome.report)?.to_string().into_bytes();
    put(platform, &ObjectPath::of_model(&outcome.digest, ModelFile::Report), report).await?;
    let reference = left_behind(held, REFERENCE_FILE)?;
    put(platform, &ObjectPath::of_model(&outcome.digest, ModelFile::Reference), reference).await
}

/// A file that the child wrote.
fn left_behind(held: &Held, file: &str) -> Result<Vec<u8>, StepError> {
    std::fs::read(held.directory.join(file)).map_err(|error| StepError::lost(error.to_string()))
}

pub(super) async fn put(platform: &Platform, path: &ObjectPath, bytes: Vec<u8>) -> Result<Digest, StepError> {
    let digest = Digest::of(&bytes);
    let whole: ByteStream = Box::pin(stream::iter([Ok(bytes.into())]));
    platform.objects.put(path, whole, MODEL_LIMIT).await.map_err(StepError::of)?;
    Ok(digest)
}
