//! The predictor as the protocols see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use mainstay_api::native::endpoint::{LogPlace, PredictionSource};
use mainstay_api::native::labels::{Kept, LabelSink};
use mainstay_api::oip::service::{
    Durability, EndpointDescription, InferAnswer, InferRequest, InferenceService, Refusal, TensorDescription,
};
use mainstay_api::oip::tensor::Datatype;
use mainstay_core::name::Name;
use mainstay_inference::{DType, TensorSpec};
use mainstay_segments::log::{Cursor, LogError};
use mainstay_serving::label::Label;
use mainstay_serving::record::PredictionRecord;
use mainstay_serving::revision::Role;
use mainstay_serving::segment::SegmentKind;
use mainstay_serving::traffic::NothingServed;

use super::Predictor;
use super::error::PredictError;
use super::infer;

/// Requests of no more rows do not wait behind larger ones.
const FEW_ROWS: usize = 32;

#[async_trait]
impl InferenceService for Predictor {
    fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    fn describe(&self, workspace: &Name, endpoint: &str) -> Result<EndpointDescription, Refusal> {
        let snapshot = self.0.snapshot.load();
        let served = self.0.find(&snapshot, workspace, endpoint).map_err(Refusal::new)?;
        let champion = served.revision.champion().ok_or_else(|| Refusal::new(NothingServed))?;
        let loaded = served.model(&champion.pinned).ok_or_else(|| Refusal::new(PredictError::NoAnswer))?;
        let canaries = served.revision.arms.iter().filter(|arm| matches!(arm.role, Role::Canary { .. }));
        let versions = std::iter::once(champion).chain(canaries).map(|arm| arm.pinned.version);
        Ok(EndpointDescription {
            name: served.endpoint.name.clone(),
            versions: versions.collect(),
            inputs: loaded.model.inputs().iter().map(description).collect(),
            outputs: loaded.model.outputs().iter().map(description).collect(),
        })
    }

    async fn infer(&self, request: InferRequest) -> Result<InferAnswer, Refusal> {
        let rows = infer::most_rows(&request);
        if request.durability == Durability::Written {
            let snapshot = self.0.snapshot.load();
            let found = self.0.find(&snapshot, &request.workspace, &request.endpoint);
            let served = found.map_err(Refusal::new)?;
            if served.is_brief(rows, !request.entities.is_empty()) {
                return self.infer_by(served, &request).map_err(Refusal::new);
            }
        }
        let turns = if rows <= FEW_ROWS { &self.0.few } else { &self.0.many };
        let permit = Arc::clone(turns).acquire_owned().await;
        let permit = permit.map_err(|_| Refusal::new(PredictError::Stopping))?;
        let this = self.clone();
        let given = tokio::task::spawn_blocking(move || {
            // By what is served now: a request may have waited for its turn.
            let given = Self::infer(&this, &request);
            drop(permit);
            given
        });
        let given = given.await.map_err(|error| {
            Refusal::new(if error.is_panic() { PredictError::Unfinished } else { PredictError::Stopping })
        });
        given?.map_err(Refusal::new)
    }
}

fn description(spec: &TensorSpec) -> TensorDescription {
    let datatype = match spec.dtype {
        DType::F32 => Datatype::Fp32,
        DType::F64 => Datatype::Fp64,
        DType::I64 => Datatype::Int64,
        DType::I32 => Datatype::Int32,
        DType::Bool => Datatype::Bool,
        DType::Str => Datatype::Bytes,
    };
    TensorDescription { name: spec.name.clone(), datatype, shape: spec.shape.clone() }
}

#[async_trait]
impl LabelSink for Predictor {
    async fn keep(
        &self,
        workspace: &Name,
        labels: Vec<Label>,
        durability: Durability,
    ) -> Result<Kept, Refusal> {
        // One from far ahead would wait in the monitor's memory for data time to reach it.
        let latest = infer::latest(self.0.clock.now());
        if let Some(ahead) = labels.iter().find(|label| label.arrived > latest) {
            return Err(Refusal::new(PredictError::FutureLabel { at: ahead.arrived, latest }));
        }
        // The first batch reads the log, and a large one writes for a while.
        let (this, workspace) = (self.clone(), workspace.clone());
        let kept = tokio::task::spawn_blocking(move || this.0.labels.keep(&workspace, &labels, durability));
        let kept = kept.await.map_err(|_| Refusal::new(PredictError::Stopping))?.map_err(Refusal::new);
        self.0.logged.notify_one();
        kept
    }
}

/// Records looked at for one page.
const SCANNED: usize = 50_000;

#[async_trait]
impl PredictionSource for Predictor {
    async fn predictions(
        &self,
        workspace: &Name,
        endpoint: &Name,
        after: Option<LogPlace>,
        limit: usize,
    ) -> Result<(Vec<PredictionRecord>, Option<LogPlace>), Refusal> {
        let (this, workspace, endpoint) = (self.clone(), workspace.clone(), endpoint.clone());
        let read = tokio::task::spawn_blocking(move || this.scan(&workspace, &endpoint, after, limit));
        read.await.map_err(|_| Refusal::new(PredictError::Stopping))?.map_err(Refusal::new)
    }
}

impl Predictor {
    fn scan(
        &self,
        workspace: &Name,
        endpoint: &Name,
        after: Option<LogPlace>,
        limit: usize,
    ) -> Result<(Vec<PredictionRecord>, Option<LogPlace>), LogError> {
        if !self.workspaces().contains(workspace) {
            return Ok((Vec::new(), None));
        }
        let from = after.map_or(Cursor::START, |(sequence, offset)| Cursor { sequence, offset });
        let mut reader = self.log(SegmentKind::Predictions, workspace)?.read_from(from);
        let mut found = Vec::new();
        for _ in 0..SCANNED {
            if found.len() == limit {
                break;
            }
            match reader.next_record() {
                Ok(None) => return Ok((found, None)),
                Ok(Some(record)) => match PredictionRecord::decode(record.payload) {
                    Ok(record) if record.endpoint == *endpoint => found.push(record),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "a logged prediction cannot be read"),
                },
                Err(error) => reader.skip_damage(error)?,
            }
        }
        let Cursor { sequence, offset } = reader.cursor();
        Ok((found, Some((sequence, offset))))
    }
}
