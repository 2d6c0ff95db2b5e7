//! How the limits of a plan become guards.

use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use super::observation::Observation;
use super::shift::Shift;
use crate::profile::Edges;
use crate::sequential::{Guard, Guarded, Guards, SequentialError};

/// Chance that a sequential guard ever trips on a candidate within its limits, all together.
pub const GUARD_ALPHA: f64 = 0.01;

/// Requests from which on a guard says that its limit holds.
const MIN_REQUESTS: u64 = 30;

/// Latencies from which on the champion's 95th percentile is taken.
const MIN_LATENCIES: u64 = 100;

/// Latencies below count as this, in microseconds: nobody waits for less.
const LEAST_LATENCY: u64 = 1_000;

/// What the limits speak of; the names are those of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardKind {
    /// Scorings of the candidate that err or time out, less those of the champion on the same
    /// requests: what befalls both is not the candidate's fault.
    ErrorRate,
    /// The candidate's 95th percentile of latency over the champion's.
    LatencyRatio,
    /// Requests assigned to the candidate that another version, or none, answered.
    FallbackRate,
    /// Feature values outside their usual range. Both versions see the same ones, so this says that
    /// the requests are no ground to judge a candidate on.
    OutOfRangeRate,
    /// The PSI of the candidate's scores against the champion's on the same requests. Gross faults show
    /// here, such as a model of few features that expects other units; a sound candidate that was
    /// retrained after a drift differs too.
    OutputShift,
}

/// The limits of a rollout's plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardLimits {
    /// For [`GuardKind::ErrorRate`], 0 to 1.
    pub max_error_rate: f64,
    /// For [`GuardKind::LatencyRatio`], above 0.
    pub max_latency_ratio: f64,
    /// For [`GuardKind::FallbackRate`], 0 to 1.
    pub max_fallback_rate: f64,
    /// For [`GuardKind::OutOfRangeRate`], 0 to 1.
    pub max_out_of_range_rate: f64,
    /// For [`GuardKind::OutputShift`], above 0.
    pub max_output_shift: f64,
}

/// What a guard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardVerdict {
    /// Too little was seen to tell.
    TooFew,
    /// Within its limit.
    Holds,
    /// Beyond its limit, and not by chance. It stays so.
    Breached,
}

/// One guard, judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GuardFigure {
    /// Which.
    pub guard: GuardKind,
    /// What was seen: the rate of the present data day, the ratio since the rollout began, or the PSI of
    /// the present data day and the one before; once breached, as it was then.
    pub observed: f64,
    /// The limit.
    pub limit: f64,
    /// Requests that it speaks of, since the rollout began; for the PSI those behind it.
    pub requests: u64,
    /// The verdict.
    pub verdict: GuardVerdict,
}

/// The guards that are e-processes over requests, in the order in which they are counted.
const SEQUENTIAL: [GuardKind; 4] =
    [GuardKind::ErrorRate, GuardKind::LatencyRatio, GuardKind::FallbackRate, GuardKind::OutOfRangeRate];

/// All guards of a rollout, with what they have counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Guarding {
    limits: GuardLimits,
    guards: Guards,
    counted: [u64; SEQUENTIAL.len()],
    champion: Latencies,
    candidate: Latencies,
    /// The champion's 95th percentile of latency before the present hour.
    champion_p95: Option<u64>,
    shift: Shift,
    breached: Vec<GuardFigure>,
}

impl Guarding {
    pub(super) fn new(
        limits: GuardLimits,
        max_days: u32,
        edges: Edges,
        day: i64,
    ) -> Result<Self, SequentialError> {
        let is_scale = |limit: f64| limit.is_finite() && limit > 0.0;
        if !(is_scale(limits.max_latency_ratio) && is_scale(limits.max_output_shift)) {
            return Err(SequentialError::Plan("the latency ratio and output shift lie above 0"));
        }
        let guard = |kind| {
            let (counts, tolerance) = match kind {
                GuardKind::ErrorRate => (Guarded::Excess, limits.max_error_rate),
                // The ratio of 95th percentiles is within its limit exactly if at most one request in
                // twenty takes longer than limit × the champion's percentile.
                GuardKind::LatencyRatio => (Guarded::Rate, 0.05),
                GuardKind::FallbackRate => (Guarded::Rate, limits.max_fallback_rate),
                GuardKind::OutOfRangeRate | GuardKind::OutputShift => {
                    (Guarded::Rate, limits.max_out_of_range_rate)
                }
            };
            // A test needs a tolerance between 0 and 1: 0 trips at once, and 1 never.
            let tolerance = if tolerance.is_nan() { tolerance } else { tolerance.clamp(1e-6, 1.0 - 1e-6) };
            Guard { name: format!("{kind:?}"), counts, tolerance }
        };
        Ok(Self {
            limits,
            guards: Guards::new(SEQUENTIAL.map(guard).to_vec(), GUARD_ALPHA, max_days)?,
            counted: [0; SEQUENTIAL.len()],
            champion: Latencies::default(),
            candidate: Latencies::default(),
            champion_p95: None,
            shift: Shift::new(edges, day),
            breached: Vec::new(),
        })
    }

    /// Before an hour: what it is measured by is what was known before.
    pub(super) fn begin_hour(&mut self) {
        self.champion_p95 = if self.champion.count() >= MIN_LATENCIES { self.champion.p95() } else { None };
    }

    /// Counts one request that both versions were asked to score.
    pub(super) fn fold(
        &mut self,
        day: i64,
        row: &Observation,
        [champion, candidate]: [u64; 2],
    ) -> Result<(), SequentialError> {
        let (Some(incumbent), Some(arm)) = (row.arm(champion), row.arm(candidate)) else { return Ok(()) };
        let event = |happened: bool| f64::from(u8::from(happened));
        let slow = self.champion_p95.filter(|_| !arm.failed).map(|p95| {
            let bound = self.limits.max_latency_ratio * p95.max(LEAST_LATENCY) as f64;
            event(f64::from(arm.latency_micros) > bound)
        });
        let counted = [
            Some(event(arm.failed) - event(incumbent.failed)),
            slow,
            (row.assigned == candidate).then(|| event(row.answered != Some(candidate))),
            (!row.features.is_empty())
                .then(|| (f64::from(row.out_of_range) / row.features.len() as f64).min(1.0)),
        ];
        self.guards.fold(day, &counted)?;
        for (total, counted) in self.counted.iter_mut().zip(counted) {
            *total += u64::from(counted.is_some());
        }
        if !incumbent.failed {
            self.champion.add(incumbent.latency_micros);
        }
        if !arm.failed {
            self.candidate.add(arm.latency_micros);
        }
        if let (Some(before), Some(now)) = (incumbent.finite(), arm.finite()) {
            self.shift.add(day, before, now);
        }
        Ok(())
    }

    /// The figures after an hour.
    pub(super) fn figures(&mut self) -> Vec<GuardFigure> {
        let readings = self.guards.readings();
        let sequential = SEQUENTIAL.iter().zip(&readings).zip(self.counted);
        let mut figures: Vec<GuardFigure> = sequential
            .map(|((guard, reading), requests)| {
                let ratio = (*guard == GuardKind::LatencyRatio).then(|| self.latency_ratio());
                let verdict = match (reading.tripped, requests) {
                    (true, _) => GuardVerdict::Breached,
                    (false, ..MIN_REQUESTS) => GuardVerdict::TooFew,
                    (false, _) => GuardVerdict::Holds,
                };
                let observed = ratio.unwrap_or(reading.rate);
                GuardFigure { guard: *guard, observed, limit: self.limit(*guard), requests, verdict }
            })
            .collect();
        figures.push(self.output_shift());
        for figure in &mut figures {
            match self.breached.iter().find(|breached| breached.guard == figure.guard) {
                Some(breached) => *figure = *breached,
                None if figure.verdict == GuardVerdict::Breached => self.breached.push(*figure),
                None => {}
            }
        }
        figures
    }

    fn limit(&self, guard: GuardKind) -> f64 {
        match guard {
            GuardKind::ErrorRate => self.limits.max_error_rate,
            GuardKind::LatencyRatio => self.limits.max_latency_ratio,
            GuardKind::FallbackRate => self.limits.max_fallback_rate,
            GuardKind::OutOfRangeRate => self.limits.max_out_of_range_rate,
            GuardKind::OutputShift => self.limits.max_output_shift,
        }
    }

    /// 1 while either side has no latency.
    fn latency_ratio(&self) -> f64 {
        let [candidate, champion] =
            [&self.candidate, &self.champion].map(|side| side.p95().map(|p95| p95.max(LEAST_LATENCY)));
        candidate.zip(champion).map_or(1.0, |(candidate, champion)| candidate as f64 / champion as f64)
    }

    fn output_shift(&self) -> GuardFigure {
        let (guard, limit) = (GuardKind::OutputShift, self.limits.max_output_shift);
        let Some(apart) = self.shift.apart(limit) else {
            return GuardFigure { guard, observed: 0.0, limit, requests: 0, verdict: GuardVerdict::TooFew };
        };
        let verdict = match (apart.is_beyond, apart.is_conclusive) {
            (true, _) => GuardVerdict::Breached,
            (false, true) => GuardVerdict::Holds,
            (false, false) => GuardVerdict::TooFew,
        };
        GuardFigure { guard, observed: apart.psi, limit, requests: apart.requests, verdict }
    }
}
