//! What is not folded yet: predictions of open hours, scores that wait for their labels, labels.

use std::collections::{BTreeMap, HashMap, HashSet};

use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::id::PredictionId;
use mainstay_core::time::DataTime;

use super::calendar::Calendar;
use super::observation::{Observation, Taken};
use super::rows::Rows;
use crate::maturity::Missing;

/// Data times further from 1970, in microseconds, than about 146,000 years are no data times.
const FURTHEST: u64 = 1 << 62;

/// A scored prediction that waits for its label.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) id: PredictionId,
    pub(super) at: DataTime,
    /// The score of the champion that is monitored.
    pub(super) champion: Option<f64>,
    /// The scores of the rollout's two versions: champion, candidate.
    pub(super) pair: Option<(f64, f64)>,
}

#[derive(Debug, Default)]
struct Day {
    seen: HashSet<PredictionId>,
    waiting: Vec<Waiting>,
    /// Of those that wait, how many have the champion's score.
    scored: u64,
    /// And how many have a pair.
    paired: u64,
    late: u64,
}

/// The versions of one label: when each arrived, and its value.
type Versions = BTreeMap<u32, (DataTime, bool)>;

/// Holds what has arrived until it is folded.
#[derive(Debug)]
pub(super) struct Intake {
    calendar: Calendar,
    /// Microseconds of data time that an hour stays open after its end.
    disorder: i64,
    watermark: Option<DataTime>,
    /// By hour, in the order in which they came.
    open: BTreeMap<i64, Rows>,
    days: BTreeMap<i64, Day>,
    labels: HashMap<PredictionId, Versions>,
    /// The first day that is still held; `None` until a day was let go.
    floor: Option<i64>,
    /// Where a checkpoint began: what lies before was folded, or counted, by whoever took it.
    restored: Option<i64>,
    late_before: u64,
}

impl Intake {
    pub(super) fn new(calendar: Calendar, disorder: i64, floor: Option<i64>, late_before: u64) -> Self {
        Self {
            calendar,
            disorder,
            watermark: None,
            open: BTreeMap::new(),
            days: BTreeMap::new(),
            labels: HashMap::new(),
            floor,
            restored: floor,
            late_before,
        }
    }

    pub(super) fn observe(&mut self, observation: &Observation) -> Taken {
        let (id, at) = (observation.id, observation.at);
        let number = self.calendar.day(at);
        if at.micros().unsigned_abs() > FURTHEST {
            self.late_before += 1;
            return Taken::Late;
        }
        if self.restored.is_some_and(|restored| number < restored) {
            return Taken::Known;
        }
        if self.floor.is_some_and(|floor| number < floor) {
            self.late_before += 1;
            return Taken::Late;
        }
        let hour = self.calendar.hour(at);
        let is_closed = self.is_closed(hour);
        let day = self.days.entry(number).or_default();
        if day.seen.contains(&id) {
            return Taken::Known;
        }
        if is_closed {
            day.late += 1;
            return Taken::Late;
        }
        day.seen.insert(id);
        self.open.entry(hour).or_default().push(observation);
        self.watermark = self.watermark.max(Some(at));
        Taken::New
    }

    /// Adds a version of a label. The first of a version counts.
    pub(super) fn label(&mut self, prediction: PredictionId, version: u32, arrived: DataTime, value: bool) {
        if self.floor.is_none_or(|floor| arrived >= self.calendar.day_start(floor)) {
            let versions = self.labels.entry(prediction).or_default();
            let came = || u32::try_from(versions.len()).unwrap_or(u32::MAX);
            let version = if is_planted(Fault::LabelsInArrivalOrder) { came() } else { version };
            versions.entry(version).or_insert((arrived, value));
        }
    }

    /// The outcome of a prediction that is mature, and whether it is truly labelled.
    pub(super) fn outcome(&self, waiting: &Waiting, horizon: i64, missing: Missing) -> (Option<f64>, bool) {
        let known_at = waiting.at.plus(horizon);
        let versions = self.labels.get(&waiting.id).into_iter().flat_map(|versions| versions.values().rev());
        let known = versions.filter(|(arrived, _)| *arrived <= known_at).map(|(_, value)| *value).next();
        match (known, missing) {
            (Some(value), _) => (Some(f64::from(u8::from(value))), true),
            (None, Missing::TreatAs(value)) => (Some(value), false),
            (None, Missing::Exclude) => (None, false),
        }
    }

    pub(super) fn watermark(&self) -> Option<DataTime> {
        self.watermark
    }

    /// Whether the watermark has left an hour behind.
    pub(super) fn is_closed(&self, hour: i64) -> bool {
        self.watermark.is_some_and(|watermark| self.calendar.hour_end(hour).plus(self.disorder) <= watermark)
    }

    /// The first hour with predictions that are not folded.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.first_key_value().map(|(hour, _)| *hour)
    }

    /// Takes the predictions of an hour, by (data time, id).
    pub(super) fn take(&mut self, hour: i64) -> Rows {
        let mut rows = self.open.remove(&hour).unwrap_or_default();
        if !is_planted(Fault::LabelsInArrivalOrder) {
            rows.sort();
        }
        rows
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        let day = self.days.entry(self.calendar.day(waiting.at)).or_default();
        day.scored += u64::from(waiting.champion.is_some());
        day.paired += u64::from(waiting.pair.is_some());
        day.waiting.push(waiting);
    }

    /// The days from `from` on, before `until`, and what waits in them.
    pub(super) fn waiting(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, &[Waiting])> {
        let days = (from < until).then(|| self.days.range(from..until));
        days.into_iter().flatten().map(|(day, held)| (*day, held.waiting.as_slice()))
    }

    /// The first day from `from` on in which a score of the champion waits.
    pub(super) fn first_scored(&self, from: i64) -> Option<i64> {
        self.days.range(from..).find(|(_, day)| day.scored > 0).map(|(day, _)| *day)
    }

    /// The first day from `from` on in which a pair waits.
    pub(super) fn first_paired(&self, from: i64) -> Option<i64> {
        self.days.range(from..).find(|(_, day)| day.paired > 0).map(|(day, _)| *day)
    }

    /// Lets all days before `floor` go.
    pub(super) fn release(&mut self, floor: i64) {
        if self.floor.is_some_and(|old| floor <= old) {
            return;
        }
        self.floor = Some(floor);
        let held = self.days.split_off(&floor);
        self.late_before += std::mem::replace(&mut self.days, held).values().map(|day| day.late).sum::<u64>();
        let start = self.calendar.day_start(floor);
        self.labels.retain(|_, versions| {
            versions.retain(|_, (arrived, _)| *arrived >= start);
            !versions.is_empty()
        });
    }

    /// Forgets the pairs of a rollout that is over.
    pub(super) fn forget_pairs(&mut self) {
        for day in self.days.values_mut().filter(|day| day.paired > 0) {
            day.paired = 0;
            day.waiting.iter_mut().for_each(|waiting| waiting.pair = None);
        }
    }

    pub(super) fn floor(&self) -> Option<i64> {
        self.floor
    }

    pub(super) fn late_before(&self) -> u64 {
        self.late_before
    }

    pub(super) fn late(&self) -> u64 {
        self.late_before + self.days.values().map(|day| day.late).sum::<u64>()
    }
}
