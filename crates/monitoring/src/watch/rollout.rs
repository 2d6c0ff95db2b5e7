//! The evidence about a candidate, data hour by data hour.

use std::collections::{BTreeMap, VecDeque};

use mainstay_core::id::RolloutId;
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::guards::{GuardFigure, GuardLimits, Guarding};
use super::intake::Intake;
use super::observation::Observation;
use super::rows::Rows;
use crate::maturity::MaturityRule;
use crate::performance::Metric;
use crate::profile::Edges;
use crate::sequential::{PairedPlan, PairedQuality, QualityReading, SequentialError};

/// What to watch a rollout by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutWatch {
    /// Its id, which observations made under it bear.
    pub id: RolloutId,
    /// The version that is champion.
    pub champion: u64,
    /// The version that is tried.
    pub candidate: u64,
    /// The watermark when it started.
    pub started_at: DataTime,
    /// The limits of the guards.
    pub guards: GuardLimits,
    /// What is tested of the paired losses, and how surely.
    pub quality: PairedPlan,
    /// Microseconds of data time after a prediction until its label counts as final.
    pub horizon: i64,
    /// Data days that it may last: the guards share their level over them.
    pub max_days: u32,
}

/// What is known at the end of one data hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockEvidence {
    /// Of which rollout.
    pub rollout: RolloutId,
    /// The end of the hour.
    pub watermark: DataTime,
    /// Requests of this hour that both versions scored.
    pub pairs: u64,
    /// The guards, judged.
    pub guards: Vec<GuardFigure>,
    /// The paired losses of the matured days; `None` before the first one.
    pub quality: Option<QualityReading>,
    /// Pairs of matured days.
    pub mature_pairs: u64,
    /// Of those, the labelled share; `None` of none.
    pub coverage: Option<f64>,
}

/// A rollout with all that is folded of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rollout {
    watch: RolloutWatch,
    /// The newest hour that is folded.
    hour: i64,
    guards: Guarding,
    quality: PairedQuality,
    /// The first day whose quality is not folded.
    next_quality: i64,
    mature_pairs: u64,
    labelled: u64,
    /// Requests that both versions scored, by hour.
    pairs: BTreeMap<i64, u64>,
    /// Evidence that nobody has asked for yet.
    evidence: VecDeque<BlockEvidence>,
}

impl Rollout {
    pub(super) fn new(
        watch: RolloutWatch,
        calendar: Calendar,
        edges: Edges,
    ) -> Result<Self, SequentialError> {
        let day = calendar.day(watch.started_at);
        Ok(Self {
            hour: calendar.hour(watch.started_at).saturating_sub(1),
            guards: Guarding::new(watch.guards, watch.max_days, edges, day)?,
            quality: PairedQuality::new(watch.quality)?,
            next_quality: day,
            mature_pairs: 0,
            labelled: 0,
            pairs: BTreeMap::new(),
            evidence: VecDeque::new(),
            watch,
        })
    }

    pub(super) fn watch(&self) -> &RolloutWatch {
        &self.watch
    }

    pub(super) fn next_evidence(&mut self) -> Option<BlockEvidence> {
        self.evidence.pop_front()
    }

    pub(super) fn pairs(&self, calendar: Calendar, from: DataTime, until: DataTime) -> u64 {
        // Hours that begin at or after `from`, and end at or before `until`.
        let (first, end) = (calendar.hour(from.plus(-1)).saturating_add(1), calendar.hour(until));
        if first < end { self.pairs.range(first..end).map(|(_, pairs)| pairs).sum() } else { 0 }
    }

    /// The start of the first hour that has a pair, if it ends at or before `until`.
    pub(super) fn first_pair(&self, calendar: Calendar, until: DataTime) -> Option<DataTime> {
        let hour = self.pairs.first_key_value().map(|(hour, _)| *hour)?;
        (hour < calendar.hour(until)).then(|| calendar.hour_end(hour.saturating_sub(1)))
    }

    /// The scores of both versions, if it was made under this rollout and both gave one.
    pub(super) fn pair(&self, row: &Observation) -> Option<(f64, f64)> {
        if row.under != Some(self.watch.id) {
            return None;
        }
        let score = |version| row.arm(version)?.finite().filter(|score| (0.0..=1.0).contains(score));
        Some((score(self.watch.champion)?, score(self.watch.candidate)?))
    }

    /// The next hour at whose end a day's labels are ripe.
    pub(super) fn next_due(&self, intake: &Intake) -> Option<i64> {
        Some(Calendar::maturity(intake.first_paired(self.next_quality)?, self.watch.horizon))
    }

    /// Folds the predictions of one hour, in order, and the days that its end matures.
    pub(super) fn fold(
        &mut self,
        hour: i64,
        rows: &Rows,
        intake: &Intake,
        rule: &MaturityRule,
    ) -> Result<(), SequentialError> {
        if hour <= self.hour {
            return Ok(());
        }
        self.hour = hour;
        let calendar = Calendar { day_offset: rule.day_offset };
        let day = Calendar::day_of(hour);
        self.guards.begin_hour();
        let mut pairs = 0;
        for row in rows.iter().filter(|row| row.under == Some(self.watch.id)) {
            pairs += u64::from(self.pair(&row).is_some());
            self.guards.fold(day, &row, [self.watch.champion, self.watch.candidate])?;
        }
        if pairs > 0 {
            self.pairs.insert(hour, pairs);
        }
        self.fold_quality(calendar.first_immature(hour, self.watch.horizon), intake, rule)?;
        let quality = self.quality.reading()?;
        self.evidence.push_back(BlockEvidence {
            rollout: self.watch.id,
            watermark: calendar.hour_end(hour),
            pairs,
            guards: self.guards.figures(),
            quality: (self.mature_pairs > 0).then_some(quality),
            mature_pairs: self.mature_pairs,
            coverage: (self.mature_pairs > 0).then(|| self.labelled as f64 / self.mature_pairs as f64),
        });
        Ok(())
    }

    fn fold_quality(
        &mut self,
        until: i64,
        intake: &Intake,
        rule: &MaturityRule,
    ) -> Result<(), SequentialError> {
        let loss = |score, outcome| Metric::LogLoss.row_loss(score, outcome);
        for (day, waiting) in intake.waiting(self.next_quality, until) {
            let mut differences = Vec::new();
            for (waiting, (champion, candidate)) in waiting.iter().filter_map(|w| Some((w, w.pair?))) {
                let (outcome, is_labelled) = intake.outcome(waiting, self.watch.horizon, rule.missing);
                self.mature_pairs += 1;
                self.labelled += u64::from(is_labelled);
                differences.extend(outcome.and_then(|y| Some(loss(candidate, y)? - loss(champion, y)?)));
            }
            if !differences.is_empty() {
                self.quality.fold(day, &differences)?;
            }
        }
        self.next_quality = self.next_quality.max(until);
        Ok(())
    }
}
