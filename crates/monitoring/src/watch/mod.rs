//! One endpoint, watched: a fold over its predictions and labels.
//!
//! A [`Watch`] is fed every prediction and label of an endpoint, in the order of their logs, and says
//! what follows: what the monitors of the champion found ([`Finding`]), and what is known about a
//! candidate after each data hour ([`BlockEvidence`]). It does no I/O, draws no random number and reads
//! no clock.
//!
//! # Data hours and days
//!
//! The watermark is the greatest data time fed. An hour is *closed* once the watermark has reached its
//! end (plus [`WatchPlan::disorder`]); then its predictions are folded, in (data time, id) order. A
//! prediction of a closed hour comes too late: it is counted, and nothing else. Within a data day an id
//! counts once. A label counts by the rule of [`crate::maturity`], if it was fed before the prediction
//! was that closed its day's horizon.
//!
//! So what is found is a function of the **set** of predictions that came in time and their labels. It
//! depends neither on their order, nor on how they are put into batches, nor on when findings and
//! evidence are fetched, nor on restarts.
//!
//! # Restarts
//!
//! A [`Checkpoint`] holds what is folded, without the predictions that wait for their labels. After
//! [`Watch::restore`], all predictions from [`Watch::unfolded_from`] on, and all labels that arrived from
//! then on, must be fed again, in the order of their logs, labels before the predictions that they
//! were fed before; what was folded is not folded again. Findings and evidence that were fetched after
//! the checkpoint was taken come once more, equal and under equal keys.
//!
//! # Memory
//!
//! Predictions of open hours are held packed, in 50 bytes each and 10 more a feature; those of immature
//! days in about 130 bytes each, and a
//! label in about 120. A label is held until its arrival lies before the first immature day: do not feed
//! labels that say they arrived far in the future. All else is small and does not grow with traffic:
//! some kilobytes a feature, and some hundred bytes for each data hour of a rollout.

mod calendar;
mod champion;
mod checkpoint;
mod finding;
mod guards;
mod intake;
mod latency;
mod observation;
mod rollout;
mod rows;
mod shift;

use std::collections::VecDeque;
use std::sync::Arc;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PredictionId;
use mainstay_core::time::{DAY, DataTime};
use serde::{Deserialize, Serialize};

use calendar::Calendar;
use champion::Champion;
use intake::{Intake, Waiting};
use rollout::Rollout;

pub use champion::ChampionWatch;
pub use checkpoint::Checkpoint;
pub use finding::{Finding, FindingKey};
pub use guards::{GUARD_ALPHA, GuardFigure, GuardKind, GuardLimits, GuardVerdict};
pub use observation::{ArmScore, FeatureValue, Observation, Taken};
pub use rollout::{BlockEvidence, RolloutWatch};

use crate::alarm::{AgeRule, AlarmError};
use crate::maturity::MaturityRule;
use crate::profile::{Binning, Edges, ProfileError};
use crate::reference::Reference;
use crate::sequential::SequentialError;

/// What is the same for all of an endpoint's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchPlan {
    /// The names of the endpoint's features, in the order of its schema.
    pub features: Vec<String>,
    /// When labels are final, what a missing one counts as, and where days are cut.
    pub maturity: MaturityRule,
    /// Microseconds of data time by which predictions may come out of order: an hour stays open for so
    /// long after its end. 0 if they are fed in order.
    pub disorder: i64,
}

/// Why something cannot be watched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WatchError {
    /// A negative horizon or disorder, or an offset that is no offset.
    #[error("the label horizon and the disorder cannot be negative, and a day's offset is at most a day")]
    Plan,
    /// The plan of a rollout.
    #[error(transparent)]
    Rollout(#[from] SequentialError),
    /// A checkpoint and a reference that do not belong together.
    #[error(transparent)]
    Reference(#[from] AlarmError),
    /// A checkpoint of another form.
    #[error("the checkpoint is not one that this version reads; watch the endpoint anew")]
    Unreadable,
}

impl Coded for WatchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Plan => ErrorCode::InvalidDefinition,
            Self::Rollout(error) => error.code(),
            Self::Reference(error) => error.code(),
            Self::Unreadable => ErrorCode::InvalidData,
        }
    }
}

/// One endpoint, watched.
#[derive(Debug)]
pub struct Watch {
    plan: WatchPlan,
    intake: Intake,
    champion: Option<Champion>,
    rollout: Option<Rollout>,
    found: VecDeque<Finding>,
}

impl Watch {
    /// A watch that has seen nothing.
    ///
    /// # Errors
    /// [`WatchError::Plan`].
    pub fn new(plan: WatchPlan) -> Result<Self, WatchError> {
        let is_offset = (-DAY..=DAY).contains(&plan.maturity.day_offset);
        if plan.maturity.horizon < 0 || plan.disorder < 0 || !is_offset {
            return Err(WatchError::Plan);
        }
        let intake = Intake::new(calendar_of(&plan), plan.disorder, None, 0);
        Ok(Self { plan, intake, champion: None, rollout: None, found: VecDeque::new() })
    }

    /// The plan that it was made with.
    pub fn plan(&self) -> &WatchPlan {
        &self.plan
    }

    /// Feeds a prediction.
    pub fn observe(&mut self, observation: &Observation) -> Taken {
        let taken = self.intake.observe(observation);
        while let Some(hour) = self.next_due().filter(|hour| self.intake.is_closed(*hour)) {
            self.close(hour);
        }
        taken
    }

    /// Feeds a version of a label: whether the prediction's subject turned out to be of the positive
    /// class. `arrived` is when it became known, in data time. Feeding a version again changes nothing.
    pub fn label(&mut self, prediction: PredictionId, version: u32, arrived: DataTime, is_positive: bool) {
        self.intake.label(prediction, version, arrived, is_positive);
    }

    /// Monitors another champion from the day after [`ChampionWatch::since`] on, or, if predictions of
    /// that day are folded already, from the first day of which none is. Without a reference nothing is
    /// found. Findings about the champion before that were not fetched stay.
    pub fn set_champion(&mut self, watch: ChampionWatch, reference: Option<Arc<Reference>>) {
        let calendar = calendar_of(&self.plan);
        let next = calendar.day(watch.since).saturating_add(1);
        let whole = self.intake.watermark().map(|watermark| {
            let open = calendar.hour(watermark.plus(self.plan.disorder.saturating_neg()));
            // The day before is whole only if none of its hours is closed.
            Calendar::day_of(open.saturating_sub(1)).saturating_add(1)
        });
        let first_day = whole.map_or(next, |whole| whole.max(next));
        self.champion = Some(Champion::new(watch, reference, &self.plan.features, first_day));
    }

    /// The champion that is monitored.
    pub fn champion(&self) -> Option<&ChampionWatch> {
        self.champion.as_ref().map(Champion::watch)
    }

    /// Takes other rules for the age of the champion, if there is one. A rule that has led to a finding about it
    /// does so no more.
    pub fn set_age_rules(&mut self, rules: Vec<AgeRule>) {
        if let Some(champion) = &mut self.champion {
            champion.set_age_rules(rules);
        }
    }

    /// Begins to gather evidence about a candidate, in place of any other. Call it before feeding
    /// predictions made under the rollout. `reference` is the champion's, if there is one: its score
    /// deciles are the bins of the output shift, ten bins of equal width from 0 to 1 otherwise.
    ///
    /// # Errors
    /// [`WatchError::Plan`] for a negative horizon, or [`WatchError::Rollout`].
    pub fn begin_rollout(
        &mut self,
        watch: RolloutWatch,
        reference: Option<&Reference>,
    ) -> Result<(), WatchError> {
        if watch.horizon < 0 {
            return Err(WatchError::Plan);
        }
        let rollout = Rollout::new(watch, calendar_of(&self.plan), score_edges(reference)?)?;
        self.intake.forget_pairs();
        self.rollout = Some(rollout);
        Ok(())
    }

    /// The rollout that is watched.
    pub fn rollout(&self) -> Option<&RolloutWatch> {
        self.rollout.as_ref().map(Rollout::watch)
    }

    /// The evidence after the next data hour with something in it, and no further: decide, and only
    /// then ask again.
    pub fn next_evidence(&mut self) -> Option<BlockEvidence> {
        self.rollout.as_mut()?.next_evidence()
    }

    /// Requests that both versions scored in the whole data hours from `from` to `until`: within a phase,
    /// from its start to the watermark of the evidence.
    pub fn pairs(&self, from: DataTime, until: DataTime) -> u64 {
        let calendar = calendar_of(&self.plan);
        self.rollout.as_ref().map_or(0, |rollout| rollout.pairs(calendar, from, until))
    }

    /// The start of the first data hour with a request that both versions scored under the rollout, as far
    /// as is known at `until`, the watermark of the evidence.
    pub fn first_pair(&self, until: DataTime) -> Option<DataTime> {
        self.rollout.as_ref()?.first_pair(calendar_of(&self.plan), until)
    }

    /// Forgets the rollout, and evidence that was not fetched.
    pub fn end_rollout(&mut self) {
        self.intake.forget_pairs();
        self.rollout = None;
    }

    /// What was found since the last call, in order of data time.
    pub fn poll(&mut self) -> Vec<Finding> {
        self.found.drain(..).collect()
    }

    /// The greatest data time fed since the start or restart.
    pub fn watermark(&self) -> Option<DataTime> {
        self.intake.watermark()
    }

    /// Predictions that came too late.
    pub fn late(&self) -> u64 {
        self.intake.late()
    }

    /// The data time from which on predictions, and labels by their arrival, must be fed again after a
    /// restart.
    pub fn unfolded_from(&self) -> DataTime {
        self.intake.floor().map_or(DataTime::MIN, |day| calendar_of(&self.plan).day_start(day))
    }

    /// The next hour at whose end something is to be folded.
    fn next_due(&self) -> Option<i64> {
        let champion = self.champion.as_ref();
        let champion =
            champion.and_then(|champion| champion.next_due(&self.intake, self.plan.maturity.horizon));
        let rollout = self.rollout.as_ref().and_then(|rollout| rollout.next_due(&self.intake));
        self.intake.first_open().into_iter().chain(champion).chain(rollout).min()
    }

    fn close(&mut self, hour: i64) {
        let rows = self.intake.take(hour);
        for row in rows.iter() {
            let champion = self.champion.as_ref().and_then(|champion| champion.score(&row));
            let pair = self.rollout.as_ref().and_then(|rollout| rollout.pair(&row));
            if champion.is_some() || pair.is_some() {
                self.intake.wait(Waiting { id: row.id, at: row.at, champion, pair });
            }
        }
        let rule = &self.plan.maturity;
        let mut horizon = rule.horizon;
        if let Some(champion) = &mut self.champion {
            champion.fold(hour, &rows, &self.intake, rule, &mut self.found);
        }
        if let Some(rollout) = &mut self.rollout {
            horizon = horizon.max(rollout.watch().horizon);
            // Hours and days come in order, and scores and losses are finite, so nothing is refused.
            let _folded = rollout.fold(hour, &rows, &self.intake, rule);
        }
        self.intake.release(calendar_of(&self.plan).first_immature(hour, horizon));
    }
}

fn calendar_of(plan: &WatchPlan) -> Calendar {
    Calendar { day_offset: plan.maturity.day_offset }
}

fn score_edges(reference: Option<&Reference>) -> Result<Edges, WatchError> {
    let score = reference.and_then(|reference| reference.profile.score.as_ref());
    match score.map(|score| &score.binning) {
        Some(Binning::Numeric { edges }) if edges.bins() > 1 => Ok(edges.clone()),
        _ => Edges::new((1..10_u8).map(|tenth| f32::from(tenth) / 10.0).collect())
            .map_err(|_: ProfileError| WatchError::Plan),
    }
}
