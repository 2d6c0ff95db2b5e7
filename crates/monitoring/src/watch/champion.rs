//! The monitors of the version that is champion.

use std::sync::Arc;

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::finding::{Finding, FindingKey};
use super::intake::Intake;
use super::observation::{FeatureValue, Observation};
use super::rows::Rows;
use crate::alarm::{AgeRule, AlarmError, Look, Monitor, MonitorState, Series};
use crate::maturity::MaturityRule;
use crate::profile::{Binning, Profile, Value};
use crate::reference::{Family, Losses, Reference, day_totals};

/// Whom to monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChampionWatch {
    /// Its version.
    pub version: u64,
    /// Its artifact.
    pub digest: Digest,
    /// Since when it is champion, in data time: the watermark when it became so. Its days count from
    /// the next whole one on.
    pub since: DataTime,
    /// When it is due by age.
    pub age_rules: Vec<AgeRule>,
}

/// An alarm that is open, and its series that have not recovered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OpenAlarm {
    raised: FindingKey,
    series: Vec<Series>,
}

/// What is folded of a champion: all that a checkpoint needs beside its [`Reference`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Folded {
    pub(super) watch: ChampionWatch,
    /// The newest hour that is folded.
    hour: i64,
    /// The data day whose hours are being counted.
    today: Option<(i64, Profile)>,
    /// The first day whose quality is not folded.
    next_quality: i64,
    aged: Vec<AgeRule>,
    open: Vec<OpenAlarm>,
    monitors: [Option<MonitorState>; 3],
}

/// A champion with its monitors.
#[derive(Debug)]
pub(super) struct Champion {
    folded: Folded,
    reference: Option<Arc<Reference>>,
    monitors: [Option<Monitor>; 3],
    /// For each feature of the reference, its place in the endpoint's schema.
    places: Vec<Option<usize>>,
}

impl Champion {
    /// Starts with `first_day`.
    pub(super) fn new(
        watch: ChampionWatch,
        reference: Option<Arc<Reference>>,
        features: &[String],
        first_day: i64,
    ) -> Self {
        let monitors = Family::WATCHED.map(|family| {
            reference.as_ref().and_then(|known| known.baseline(family)).cloned().map(Monitor::new)
        });
        let folded = Folded {
            watch,
            hour: Calendar::last_hour(first_day.saturating_sub(1)),
            today: None,
            next_quality: first_day,
            aged: Vec::new(),
            open: Vec::new(),
            monitors: [const { None }; 3],
        };
        Self { folded, places: places(reference.as_deref(), features), reference, monitors }
    }

    /// Goes on where a checkpoint stood.
    pub(super) fn resume(
        folded: Folded,
        reference: Option<Arc<Reference>>,
        features: &[String],
    ) -> Result<Self, AlarmError> {
        let mut monitors = [const { None }; 3];
        for ((family, state), monitor) in Family::WATCHED.into_iter().zip(&folded.monitors).zip(&mut monitors)
        {
            let baseline = reference.as_ref().and_then(|known| known.baseline(family));
            *monitor = match (baseline, state) {
                (Some(baseline), Some(state)) => Some(Monitor::resume(baseline.clone(), state.clone())?),
                (Some(baseline), None) => Some(Monitor::new(baseline.clone())),
                (None, _) => None,
            };
        }
        Ok(Self { folded, places: places(reference.as_deref(), features), reference, monitors })
    }

    pub(super) fn folded(&self) -> Folded {
        let monitors = self.monitors.each_ref().map(|monitor| monitor.as_ref().map(|m| m.state().clone()));
        Folded { monitors, ..self.folded.clone() }
    }

    pub(super) fn watch(&self) -> &ChampionWatch {
        &self.folded.watch
    }

    pub(super) fn set_age_rules(&mut self, rules: Vec<AgeRule>) {
        self.folded.watch.age_rules = rules;
    }

    /// The score that a prediction has from this champion.
    pub(super) fn score(&self, observation: &Observation) -> Option<f64> {
        let score = observation.arm(self.folded.watch.version)?.finite()?;
        // The loss of the reference is one of probabilities.
        (0.0..=1.0).contains(&score).then_some(score)
    }

    /// The next hour at whose end something is due even if no prediction falls into it.
    pub(super) fn next_due(&self, intake: &Intake, horizon: i64) -> Option<i64> {
        let day_ends = self.folded.today.as_ref().map(|(day, _)| Calendar::last_hour(*day));
        let ripe = intake.first_scored(self.folded.next_quality).map(|day| Calendar::maturity(day, horizon));
        day_ends.into_iter().chain(ripe).min()
    }

    /// Folds the predictions of one hour, in order, and what its end makes due.
    pub(super) fn fold(
        &mut self,
        hour: i64,
        rows: &Rows,
        intake: &Intake,
        rule: &MaturityRule,
        found: &mut impl Extend<Finding>,
    ) {
        if hour <= self.folded.hour {
            return;
        }
        self.folded.hour = hour;
        let calendar = Calendar { day_offset: rule.day_offset };
        self.end_day(Calendar::day_of(hour), found);
        self.count(Calendar::day_of(hour), rows);
        if hour == Calendar::last_hour(Calendar::day_of(hour)) {
            self.end_day(Calendar::day_of(hour).saturating_add(1), found);
        }
        self.fold_quality(calendar.first_immature(hour, rule.horizon), intake, rule, found);
        self.check_age(calendar.hour_end(hour), found);
    }

    fn count(&mut self, day: i64, rows: &Rows) {
        let Some(reference) = self.reference.clone() else { return };
        for row in rows.iter() {
            let Some(score) = self.score(&row) else { continue };
            let features = reference.profile.features.iter().zip(&self.places);
            let values: Vec<Value<'_>> = features
                .map(|(feature, place)| {
                    let value = place.and_then(|place| row.features.get(place)).map(FeatureValue::value);
                    value.filter(|value| fits(&feature.binning, *value)).unwrap_or(Value::Missing)
                })
                .collect();
            let (_, profile) =
                self.folded.today.get_or_insert_with(|| (day, Profile::new(&reference.profile)));
            // Every value was made to fit, so the profile takes the row.
            let _fits = profile.observe(&reference.profile, &values, Some(score));
        }
    }

    /// Judges the day that is being counted if it lies before `until`.
    fn end_day(&mut self, until: i64, found: &mut impl Extend<Finding>) {
        let (Some((day, profile)), Some(reference)) =
            (self.folded.today.take_if(|(day, _)| *day < until), self.reference.clone())
        else {
            return;
        };
        for family in [Family::Features, Family::Predictions] {
            let totals = day_totals(family, &reference.profile, &profile, Losses::default());
            let look = totals.and_then(|totals| self.monitor(family)?.fold(day, totals).ok()?);
            self.report(family, look, None, found);
        }
    }

    fn fold_quality(
        &mut self,
        until: i64,
        intake: &Intake,
        rule: &MaturityRule,
        found: &mut impl Extend<Finding>,
    ) {
        for (day, waiting) in intake.waiting(self.folded.next_quality, until) {
            let (mut losses, mut all, mut labelled) = (Losses::default(), 0_u64, 0_u64);
            for (waiting, score) in waiting.iter().filter_map(|w| Some((w, w.champion?))) {
                let (outcome, is_labelled) = intake.outcome(waiting, rule.horizon, rule.missing);
                all += 1;
                labelled += u64::from(is_labelled);
                if let Some(outcome) = outcome {
                    losses.add(score, outcome);
                }
            }
            let look =
                losses.totals().and_then(|totals| self.monitor(Family::Quality)?.fold(day, totals).ok()?);
            self.report(Family::Quality, look, (all > 0).then(|| labelled as f64 / all as f64), found);
        }
        self.folded.next_quality = self.folded.next_quality.max(until);
    }

    fn monitor(&mut self, family: Family) -> Option<&mut Monitor> {
        let index = Family::WATCHED.iter().position(|watched| *watched == family)?;
        self.monitors.get_mut(index)?.as_mut()
    }

    fn key(&self, family: Family, day: i64) -> FindingKey {
        let ChampionWatch { digest, version, .. } = self.folded.watch;
        FindingKey { champion: digest, version, family, day }
    }

    fn report(
        &mut self,
        family: Family,
        look: Option<Look>,
        coverage: Option<f64>,
        found: &mut impl Extend<Finding>,
    ) {
        let Some(look) = look else { return };
        let key = self.key(family, look.window.last_day);
        let (alarm, recovered) = (look.alarm.clone(), look.recovered.clone());
        found.extend([Finding::Looked { key, look, coverage }]);
        if let Some(alarm) = alarm {
            let series = alarm.signals.iter().map(|signal| signal.series.clone()).collect();
            self.folded.open.push(OpenAlarm { raised: key, series });
            found.extend([Finding::Raised { key, alarm }]);
        }
        for alarm in self.folded.open.iter_mut().filter(|alarm| alarm.raised.family == family) {
            alarm.series.retain(|series| !recovered.contains(series));
        }
        let over = self.folded.open.extract_if(.., |alarm| alarm.series.is_empty());
        found.extend(over.map(|alarm| Finding::Recovered { key, raised: alarm.raised }));
    }

    fn check_age(&mut self, watermark: DataTime, found: &mut impl Extend<Finding>) {
        let Some(trained_through) = self.reference.as_ref().map(|reference| reference.trained_through) else {
            return;
        };
        for rule in self.folded.watch.age_rules.clone() {
            if let Some(alarm) = rule.check(trained_through, watermark)
                && !self.folded.aged.contains(&rule)
            {
                self.folded.aged.push(rule);
                found.extend([Finding::Aged { key: self.key(Family::Age, rule.days.into()), alarm }]);
            }
        }
    }
}

/// Where the schema has each feature of the reference.
fn places(reference: Option<&Reference>, schema: &[String]) -> Vec<Option<usize>> {
    let features = reference.into_iter().flat_map(|reference| &reference.profile.features);
    features.map(|feature| schema.iter().position(|name| *name == feature.name)).collect()
}

fn fits(binning: &Binning, value: Value<'_>) -> bool {
    match value {
        Value::Missing => true,
        Value::Number(_) => matches!(binning, Binning::Numeric { .. }),
        Value::Category(_) => matches!(binning, Binning::Categorical { .. }),
    }
}
