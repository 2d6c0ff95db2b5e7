//! The child's side: both models score the same days, and each gate is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::time::Clock as _;
use mainstay_governance::gate::{Figure, GateResult, Verdict};
use mainstay_inference::{Data, Limits as ModelLimits, Model, Scratch, Tensor};
use mainstay_monitoring::gate::{self, Outcome, Slice, SlicePlan};
use mainstay_monitoring::performance::{Metric, Resampling, Scored};
use mainstay_training::Values;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::Order;
use crate::StepError;
use crate::frame::Frame;
use mainstay_platform::clock::SystemClock;

/// How many single rows are timed.
const TIMED_ROWS: usize = 500;

pub(super) fn judge(
    order: &Order,
    directory: &Path,
) -> Result<(Vec<GateResult>, BTreeMap<String, String>), StepError> {
    let frame = Frame::build(&order.frame, directory)?;
    if frame.rows() == 0 {
        let message = "there is no example with a known label in the days that the model is judged on";
        return Err(StepError::refused(ErrorCode::InvalidData, message));
    }
    let candidate = load(directory, &order.candidate)?;
    let scored = scored(&frame, &score(&candidate, &frame)?);
    let mut rng = ChaCha12Rng::seed_from_u64(order.limits.seed);
    let (resampling, limits) = (Resampling::default(), &order.limits);

    let mean = scored.iter().map(|row| row.label).sum::<f64>() / scored.len() as f64;
    let trivial = order.trivial.unwrap_or(mean);

    let mut verdicts = vec![
        gate::better_than_trivial(Metric::LogLoss, &scored, trivial, resampling, &mut rng)
            .map_err(StepError::of)?,
        gate::calibration(&scored, limits.max_ece, resampling, &mut rng).map_err(StepError::of)?,
        gate::latency_p95(&latencies(&candidate, &frame)?, limits.max_latency_ms),
        gate::data_checks(&order.checks),
    ];
    if let Some(incumbent) = &order.incumbent {
        let theirs = load(directory, incumbent)?;
        let theirs = self::scored(&frame, &score(&theirs, &frame)?);
        let verdict =
            gate::against_incumbent(Metric::LogLoss, &scored, &theirs, limits.margin, resampling, &mut rng);
        verdicts.push(verdict.map_err(StepError::of)?);
    }
    if let Some(feature) = &limits.slice {
        let plan = SlicePlan {
            metric: Metric::LogLoss,
            limit: limits.max_slice_log_loss,
            min_rows: limits.min_slice_rows,
            resampling,
        };
        let slices = slices(&frame, feature, &scored)?;
        verdicts.push(gate::slice_floor(plan, &slices, &mut rng).map_err(StepError::of)?);
    }
    Ok((verdicts.into_iter().map(result).collect(), order.frame.versions()))
}

fn load(directory: &Path, digest: &Digest) -> Result<Model, StepError> {
    let bytes = std::fs::read(directory.join(format!("{}.onnx", digest.hex())));
    let bytes = bytes.map_err(|error| StepError::lost(error.to_string()))?;
    Model::load(&bytes, &ModelLimits::default()).map_err(StepError::of)
}

/// One tensor per input of the model, of the frame's rows in a range.
fn tensors(model: &Model, frame: &Frame, rows: std::ops::Range<usize>) -> Result<Vec<Tensor>, StepError> {
    let tensor = |name: &str| {
        let missing = || {
            let message = format!("the model's input {name:?} is no feature of the service");
            StepError::refused(ErrorCode::SignatureMismatch, message)
        };
        let column = frame.features.iter().find(|column| column.name == name).ok_or_else(missing)?;
        let data = match &column.values {
            Values::Numeric(all) => Data::F32(all.get(rows.clone()).unwrap_or_default().to_vec()),
            Values::Categorical(all) => {
                let texts = all.get(rows.clone()).unwrap_or_default();
                // A missing category is the empty text, as in training.
                Data::Str(texts.iter().map(|text| Arc::from(text.as_deref().unwrap_or_default())).collect())
            }
        };
        Tensor::new(&[rows.len(), 1], data).map_err(StepError::of)
    };
    model.inputs().iter().map(|input| tensor(&input.name)).collect()
}

/// The probability of class 1 of every row.
fn score(model: &Model, frame: &Frame) -> Result<Vec<f64>, StepError> {
    let mut scratch = Scratch::default();
    let mut scores = Vec::with_capacity(frame.rows());
    for start in (0..frame.rows()).step_by(4_096) {
        let rows = start..(start + 4_096).min(frame.rows());
        let inputs = tensors(model, frame, rows)?;
        let inputs: Vec<_> = inputs.iter().collect();
        let outputs = model.run_ordered(&inputs, &mut scratch).map_err(StepError::of)?;
        let probabilities = outputs.into_iter().find(|(name, _)| *name == "probabilities");
        let Some(Data::F32(all)) = probabilities.map(|(_, tensor)| tensor.into_data()) else {
            let message = "the model has no float output 'probabilities' of shape [N, 2]";
            return Err(StepError::refused(ErrorCode::SignatureMismatch, message));
        };
        scores.extend(all.chunks_exact(2).filter_map(<[f32]>::last).map(|p| f64::from(*p)));
    }
    Ok(scores)
}

fn scored(frame: &Frame, scores: &[f64]) -> Vec<Scored> {
    let rows = frame.times.iter().zip(scores).zip(&frame.labels);
    rows.map(|((time, score), label)| Scored { day: time.day(), score: *score, label: f64::from(*label) })
        .collect()
}

/// Milliseconds of single rows, spread over the frame.
fn latencies(model: &Model, frame: &Frame) -> Result<Vec<f64>, StepError> {
    let clock = SystemClock::start();
    let mut scratch = Scratch::default();
    let step = (frame.rows() / TIMED_ROWS).max(1);
    let mut all = Vec::new();
    for row in (0..frame.rows()).step_by(step) {
        let inputs = tensors(model, frame, row..row + 1)?;
        let inputs: Vec<_> = inputs.iter().collect();
        let before = clock.now();
        model.run_ordered(&inputs, &mut scratch).map_err(StepError::of)?;
        all.push(clock.now().since(before) as f64 / 1_000.0);
    }
    Ok(all)
}

fn slices(frame: &Frame, feature: &str, scored: &[Scored]) -> Result<Vec<Slice>, StepError> {
    let column = frame.features.iter().find(|column| column.name == feature);
    let Some(Values::Categorical(values)) = column.map(|column| &column.values) else {
        let message = format!("slice {feature:?} is no text feature of the service");
        return Err(StepError::refused(ErrorCode::InvalidDefinition, message));
    };
    let mut slices: BTreeMap<&str, Vec<Scored>> = BTreeMap::new();
    for (value, row) in values.iter().zip(scored) {
        slices.entry(value.as_deref().unwrap_or("(missing)")).or_default().push(*row);
    }
    Ok(slices.into_iter().map(|(name, rows)| Slice { name: name.to_owned(), rows }).collect())
}

/// A verdict as it goes on the record: figures that are not defined are left out.
fn result(verdict: gate::Verdict) -> GateResult {
    let figures = verdict.figures.into_iter().filter_map(|figure| {
        let value = figure.value.filter(|value| value.is_finite())?;
        let ends = figure.interval.map(|interval| (interval.lower, interval.upper));
        let interval = ends.filter(|(low, high)| low.is_finite() && high.is_finite());
        let limit = figure.limit.filter(|limit| limit.is_finite());
        Some((figure.name, Figure { value, interval, limit }))
    });
    GateResult {
        figures: figures.collect(),
        verdict: match verdict.outcome {
            Outcome::Passed => Verdict::Passed,
            Outcome::Failed => Verdict::Failed,
            Outcome::Inconclusive => Verdict::Inconclusive,
        },
        name: verdict.name,
        sentence: verdict.sentence,
    }
}
