//! `uses: gate`: judges a trained model on days that it has not seen, and binds the verdict to its digest.

mod judge;

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use futures::StreamExt as _;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_core::object::{ModelFile, ObjectPath};
use mainstay_core::time::MachineTime;
use mainstay_data::ports::DataReader as _;
use mainstay_governance::command::RecordGates;
use mainstay_governance::gate::{GateReport, GateResult, Verdict};
use mainstay_governance::port::GovernanceTx;
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_registry::name::ModelName;
use mainstay_serving::port::ServingStore as _;
use mainstay_training::TrainingReport;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::judge::judge;
use crate::frame::FrameOrder;
use crate::{BuiltIn, Held, Prepared, Span, StepError, read, write};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The registered model that the artifact is for.
    model: ModelName,
    /// The version that it was registered as, if it was.
    version: Option<u32>,
    /// The digest of the artifact, as `train` gave it.
    digest: Digest,
    project: Name,
    service: String,
    /// The days that it is judged on: not before the end of its training data.
    #[serde(flatten)]
    span: Span,
    /// The endpoint whose champion is the incumbent; without one there is none.
    endpoint: Option<Name>,
    #[serde(flatten)]
    limits: Limits,
}

/// Most validations of one table version that are looked at.
const MAX_VALIDATIONS: usize = 100;

/// What is good enough.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Limits {
    /// How much worse than the incumbent its log loss may be.
    #[serde(default = "Limits::margin")]
    margin: f64,
    /// Largest expected calibration error.
    #[serde(default = "Limits::ece")]
    max_ece: f64,
    /// Largest p95 of one row's latency, in milliseconds.
    #[serde(default = "Limits::latency")]
    max_latency_ms: f64,
    /// The categorical feature whose values are the slices.
    slice: Option<String>,
    /// Largest log loss of a slice.
    #[serde(default = "Limits::slice_loss")]
    max_slice_log_loss: f64,
    /// Slices with fewer rows are shown, not judged.
    #[serde(default = "Limits::slice_rows")]
    min_slice_rows: usize,
    #[serde(default)]
    seed: u64,
}

impl Limits {
    const fn margin() -> f64 {
        0.005
    }
    const fn ece() -> f64 {
        0.1
    }
    const fn latency() -> f64 {
        5.0
    }
    const fn slice_loss() -> f64 {
        0.9
    }
    const fn slice_rows() -> usize {
        200
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    frame: FrameOrder,
    candidate: Digest,
    incumbent: Option<Digest>,
    /// What the trivial model predicts: the mean of the candidate's training labels. Of a model that was
    /// trained elsewhere they are not known; then it is the mean of the days that it is judged on, which no
    /// constant beats there.
    trivial: Option<f64>,
    checks: Vec<(String, bool)>,
    limits: Limits,
}

/// The step.
pub struct Gate;

#[async_trait]
impl BuiltIn for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn prepare(&self, platform: &Platform, held: &Held) -> Result<Prepared, StepError> {
        let arguments: Arguments = held.arguments()?;
        let (from, until) = arguments.span.of(held)?;
        let wanted = (&arguments.project, arguments.service.as_str());
        let frame = FrameOrder::look_up(platform, &held.workspace, wanted, (from, until, until)).await?;
        let incumbent = match &arguments.endpoint {
            None => None,
            Some(name) => {
                let found =
                    platform.database.reader.endpoint(&held.workspace, name).await.map_err(StepError::of)?;
                found.and_then(|(_, revision)| revision.champion().map(|champion| champion.pinned.digest))
            }
        };
        for digest in [Some(arguments.digest), incumbent].into_iter().flatten() {
            fetch(platform, &digest, held).await?;
        }
        let report = stored(platform, &arguments.digest, ModelFile::Report).await?;
        let report: Option<TrainingReport> =
            report.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(|error| {
                StepError::refused(ErrorCode::Corrupt, format!("the training report: {error}"))
            })?;
        let order = Order {
            checks: checks(platform, &held.workspace, &frame).await?,
            frame,
            candidate: arguments.digest,
            incumbent: incumbent.filter(|digest| *digest != arguments.digest),
            trivial: report.map(|report| report.baseline.prediction),
            limits: arguments.limits,
        };
        Ok(Prepared::Child(write(&order)?))
    }

    fn perform(&self, order: Value, directory: &Path) -> Result<Value, StepError> {
        write(&judge(&read(order)?, directory)?)
    }

    async fn conclude(&self, _: &Platform, held: &Held, result: Value) -> Result<Box<dyn Effect>, StepError> {
        let arguments: Arguments = held.arguments()?;
        let (gates, data): (Vec<GateResult>, BTreeMap<String, String>) = read(result)?;
        Ok(Box::new(Judged(RecordGates {
            workspace: held.workspace.clone(),
            report: GateReport {
                model: arguments.model.as_str().to_owned(),
                version: arguments.version,
                digest: arguments.digest,
                gates,
                data,
                evaluated: held.claim.step.started.unwrap_or(MachineTime::MIN),
            },
        })))
    }
}

/// What the recorded validations say of the versions that a frame reads; the newest of each suite counts.
async fn checks(
    platform: &Platform,
    workspace: &Name,
    frame: &FrameOrder,
) -> Result<Vec<(String, bool)>, StepError> {
    let mut newest = BTreeMap::new();
    for (dataset, version) in frame.numbers() {
        let name = Name::new(dataset).map_err(StepError::of)?;
        let found = platform.database.reader.validations(workspace, &name, version, MAX_VALIDATIONS).await;
        for validation in found.map_err(StepError::of)? {
            newest.entry(format!("{dataset}/{}", validation.suite)).or_insert(!validation.blocking);
        }
    }
    Ok(newest.into_iter().collect())
}

/// The bytes of a model's file, if there is one.
async fn stored(platform: &Platform, digest: &Digest, file: ModelFile) -> Result<Option<Vec<u8>>, StepError> {
    let found =
        platform.objects.get(&ObjectPath::of_model(digest, file), None).await.map_err(StepError::of)?;
    let Some(mut content) = found.map(|content| content.bytes) else { return Ok(None) };
    let mut all = Vec::new();
    while let Some(chunk) = content.next().await {
        all.extend_from_slice(&chunk.map_err(|error| StepError::lost(error.to_string()))?);
    }
    Ok(Some(all))
}

/// Puts a model into the step's directory, checked against its digest.
async fn fetch(platform: &Platform, digest: &Digest, held: &Held) -> Result<(), StepError> {
    let missing =
        || StepError::refused(ErrorCode::NotFound, format!("there is no model of {digest}; register it"));
    let model = stored(platform, digest, ModelFile::Graph).await?.ok_or_else(missing)?;
    if Digest::of(&model) != *digest {
        return Err(StepError::refused(
            ErrorCode::Corrupt,
            format!("the stored bytes of {digest} are damaged"),
        ));
    }
    let place = held.directory.join(format!("{}.onnx", digest.hex()));
    std::fs::write(place, model).map_err(|error| StepError::lost(error.to_string()))
}

struct Judged(RecordGates);

#[async_trait]
impl Effect for Judged {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let tx: &mut (dyn GovernanceTx + 'static) = tx;
        self.0.apply(tx).await.map_err(EffectError::from_coded)?;
        let report = &self.0.report;
        let verdicts: BTreeMap<_, _> =
            report.gates.iter().map(|gate| (&gate.name, gate.verdict.as_str())).collect();
        let passed = report.gates.iter().all(|gate| gate.verdict == Verdict::Passed);
        let value = json!({ "passed": passed, "digest": report.digest, "gates": verdicts });
        Ok(Conclusion::Accepted(StepOutput {
            value,
            artifacts: [("model".to_owned(), report.digest)].into(),
        }))
    }
}
