//! One endpoint under watch: its fold, the rollout that it is in, and what follows from both.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventSeq};
use mainstay_core::id::{AlarmId, PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::object::{ModelFile, ObjectPath};
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::time::{DataTime, HOUR};
use mainstay_monitoring::alarm::AgeRule;
use mainstay_monitoring::command::{RaiseAlarm, RecordLooks, ResolveAlarm};
use mainstay_monitoring::port::{AlarmFilter, MonitoringReader as _};
use mainstay_monitoring::record::{Cause, Ending, RecordedAlarm, RecordedLook};
use mainstay_monitoring::reference::{Family, Reference};
use mainstay_monitoring::watch::{ChampionWatch, Checkpoint, Finding, FindingKey, Watch};
use mainstay_pipelines::commands::WakeRun;
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::label::Label;
use mainstay_serving::port::ServingStore as _;
use mainstay_serving::record::PredictionRecord;
use mainstay_serving::retraining::Trigger;
use mainstay_serving::revision::Pinned;
use mainstay_serving::rollout::{Decision, Rollout, decide};
use serde::{Deserialize, Serialize};

use super::{convert, retraining};
use crate::Failed;
use mainstay_platform::Platform;
use mainstay_platform::abandoned::AbortAbandoned;
use mainstay_platform::decisions::Progress;

/// Largest stored reference, in bytes.
const REFERENCE_LIMIT: usize = 64 << 20;
/// Revisions read at once.
const PAGE: usize = 200;

/// What matters of a revision.
#[derive(Debug, Clone, Copy)]
struct Stage {
    champion: Option<Pinned>,
    rollout: Option<RolloutId>,
}

/// What is kept of an endpoint between two lives of the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    checkpoint: Checkpoint,
    revision: u64,
    /// The data time of the first prediction.
    #[serde(default)]
    began: Option<DataTime>,
}

/// One endpoint under watch.
pub(super) struct Watched {
    workspace: Name,
    endpoint: Endpoint,
    watch: Watch,
    stages: BTreeMap<u64, Stage>,
    /// The newest revision that a prediction was made under.
    revision: u64,
    /// The data time of the first prediction.
    began: Option<DataTime>,
    rollout: Option<Rollout>,
    /// The head of the log at which a revision was looked for and not found.
    unknown_at: Option<EventSeq>,
    /// The evidence in hand demands something; no more is taken before it has happened.
    is_deciding: bool,
}

impl Watched {
    /// Starts to watch an endpoint, or goes on where a checkpoint was taken. `newest` is its newest revision.
    pub(super) async fn open(
        platform: &Platform,
        workspace: &Name,
        (endpoint, newest): (Endpoint, u64),
        kept: Option<Kept>,
    ) -> Result<Self, Failed> {
        let plan = convert::plan(&endpoint);
        let kept = kept.filter(|kept| *kept.checkpoint.plan() == plan && kept.revision <= newest);
        let (mut watch, revision, began) = match kept {
            None => (Watch::new(plan)?, 0, None),
            Some(Kept { checkpoint, revision, began }) => {
                let reference = match checkpoint.champion() {
                    Some(champion) => reference(platform, &champion.digest).await?,
                    None => None,
                };
                match Watch::restore(checkpoint, reference) {
                    Ok(watch) => (watch, revision, began),
                    Err(error) => {
                        tracing::error!(%error, endpoint = %endpoint.name, "its checkpoint does not fit; it is watched anew");
                        (Watch::new(plan)?, 0, None)
                    }
                }
            }
        };
        let rollout = match watch.rollout() {
            Some(rollout) => platform.database.reader.rollout(workspace, &rollout.id).await?,
            None => None,
        };
        watch.set_age_rules(age_rules(&endpoint));
        Ok(Self {
            workspace: workspace.clone(),
            endpoint,
            watch,
            stages: BTreeMap::new(),
            unknown_at: None,
            revision,
            began,
            rollout,
            is_deciding: false,
        })
    }

    /// What to keep; `None` while a decision is under way, whose evidence would be lost.
    pub(super) fn keep(&self) -> Option<Kept> {
        let (revision, began) = (self.revision, self.began);
        (!self.is_deciding).then(|| Kept { checkpoint: self.watch.checkpoint(), revision, began })
    }

    /// From which data time on its logs must be read again.
    pub(super) fn needed(&self) -> Option<DataTime> {
        self.watch.watermark().map(|_| self.watch.unfolded_from())
    }

    /// Takes over a changed definition. A definition that changes how the logs are folded counts from the
    /// next start on.
    pub(super) fn redefine(&mut self, endpoint: Endpoint) {
        self.watch.set_age_rules(age_rules(&endpoint));
        self.endpoint = endpoint;
    }

    /// Feeds a label.
    pub(super) fn label(&mut self, label: &Label) {
        let Some(kind) = &self.endpoint.labels else { return };
        let is_positive = label.value == kind.positive;
        self.watch.label(label.prediction, label.version, label.arrived, is_positive);
    }

    /// Feeds a prediction.
    pub(super) async fn observe(
        &mut self,
        platform: &Platform,
        record: PredictionRecord,
    ) -> Result<(), Failed> {
        // Made under a revision that is not on the record: the database was put back to an earlier state.
        let Some(stage) = self.stage(platform, record.revision).await? else { return Ok(()) };
        if self.watch.watermark().is_none() {
            self.began = Some(record.at);
        }
        if record.revision > self.revision {
            self.revision = record.revision;
            self.enter(platform, stage, record.at).await?;
        }
        self.watch.observe(&convert::observation(record, stage.rollout));
        Ok(())
    }

    async fn stage(&mut self, platform: &Platform, revision: u64) -> Result<Option<Stage>, Failed> {
        if let Some(known) = self.stages.get(&revision) {
            return Ok(Some(*known));
        }
        let head = *platform.database.head().borrow();
        if self.unknown_at != Some(head) {
            let reader = &platform.database.reader;
            let page = PageRequest::first(PAGE);
            let newest = reader.revisions(&self.workspace, &self.endpoint.name, &page).await?;
            for known in newest.items {
                let champion = known.champion().map(|arm| arm.pinned);
                self.stages.insert(known.number, Stage { champion, rollout: known.rollout });
            }
        }
        let unknown = Stage { champion: None, rollout: None };
        let is_past = self.stages.last_key_value().is_some_and(|(newest, _)| revision <= *newest);
        if is_past {
            return Ok(Some(*self.stages.entry(revision).or_insert(unknown)));
        }
        self.unknown_at = Some(head);
        Ok(None)
    }

    /// The first prediction under a newer revision: another champion is monitored, another rollout
    /// watched.
    async fn enter(&mut self, platform: &Platform, stage: Stage, at: DataTime) -> Result<(), Failed> {
        if let Some(champion) = stage.champion
            && self.watch.champion().is_none_or(|watched| watched.digest != champion.digest)
        {
            let watch = ChampionWatch {
                version: champion.version,
                digest: champion.digest,
                since: at,
                age_rules: age_rules(&self.endpoint),
            };
            self.watch.set_champion(watch, reference(platform, &champion.digest).await?);
            self.replace_alarms(platform, champion, at).await?;
        }
        if let Some(id) = stage.rollout
            && self.watch.rollout().is_none_or(|watched| watched.id != id)
            && let Some(rollout) = platform.database.reader.rollout(&self.workspace, &id).await?
            && rollout.state.phase.is_running()
        {
            let champion = reference(platform, &rollout.champion.digest).await?;
            // One that cannot be watched must not keep the others from it; a person can roll it back.
            match self.watch.begin_rollout(convert::rollout_watch(&rollout), champion.as_deref()) {
                Ok(()) => self.rollout = Some(rollout),
                Err(error) => tracing::error!(%error, rollout = %id, "a rollout cannot be watched"),
            }
        }
        Ok(())
    }

    /// Ends the alarms about champions before this one.
    async fn replace_alarms(
        &self,
        platform: &Platform,
        champion: Pinned,
        data_time: DataTime,
    ) -> Result<(), Failed> {
        let filter = AlarmFilter { endpoint: Some(self.endpoint.name.clone()), open_only: true };
        let page = PageRequest::first(PAGE);
        let open = platform.database.reader.alarms(&self.workspace, &filter, &page).await?;
        for alarm in open.items.into_iter().filter(|alarm| {
            // While the logs are read again, alarms of later days stand on the record.
            alarm.finding.champion != champion.digest && alarm.data_time <= data_time
        }) {
            let ending = Ending::Replaced;
            self.resolve(platform, alarm.finding, ending, data_time).await?;
        }
        Ok(())
    }

    async fn resolve(
        &self,
        platform: &Platform,
        finding: FindingKey,
        ending: Ending,
        data_time: DataTime,
    ) -> Result<(), Failed> {
        let (workspace, endpoint) = (self.workspace.clone(), self.endpoint.name.clone());
        let resolve = ResolveAlarm { workspace, endpoint, finding, ending, data_time };
        platform.monitoring.run(&Principal::system("watch"), resolve).await?;
        Ok(())
    }

    /// Puts what was found on the record, and starts what policies demand of it.
    pub(super) async fn report(&mut self, platform: &Platform) -> Result<(), Failed> {
        let found = self.watch.poll();
        let system = Principal::system("watch");
        let looks = found.iter().filter_map(|finding| match finding {
            Finding::Looked { key, look, coverage } => {
                Some(RecordedLook { finding: *key, look: look.clone(), coverage: *coverage })
            }
            _ => None,
        });
        let looks: Vec<RecordedLook> = looks.collect();
        if !looks.is_empty() {
            let (workspace, endpoint) = (self.workspace.clone(), self.endpoint.name.clone());
            platform.monitoring.run(&system, RecordLooks { workspace, endpoint, looks }).await?;
        }
        for finding in found {
            let (key, cause) = match finding {
                Finding::Looked { key, .. } => {
                    self.ask_again(platform, &key).await?;
                    continue;
                }
                Finding::Recovered { key, raised } => {
                    self.resolve(platform, raised, Ending::Recovered, self.known_at(&key)).await?;
                    continue;
                }
                Finding::Raised { key, alarm } => (key, Cause::Changed(alarm)),
                Finding::Aged { key, alarm } => (key, Cause::Aged(alarm)),
            };
            let data_time = match &cause {
                Cause::Changed(_) => self.known_at(&key),
                Cause::Aged(aged) => aged.watermark,
            };
            let raise = RaiseAlarm {
                workspace: self.workspace.clone(),
                id: AlarmId::draw(&*platform.entropy),
                endpoint: self.endpoint.name.clone(),
                finding: key,
                cause,
                data_time,
            };
            let alarm = platform.monitoring.run(&system, raise).await?;
            retraining::answer(platform, &self.workspace, &self.endpoint, &alarm, data_time).await?;
        }
        Ok(())
    }

    /// A look at a family whose alarm is still open: what the policies tried did not end it.
    async fn ask_again(&self, platform: &Platform, key: &FindingKey) -> Result<(), Failed> {
        let filter = AlarmFilter { endpoint: Some(self.endpoint.name.clone()), open_only: true };
        let page = PageRequest::first(PAGE);
        let open = platform.database.reader.alarms(&self.workspace, &filter, &page).await?;
        let at = self.known_at(key);
        let same = |alarm: &RecordedAlarm| {
            let about = &alarm.finding;
            about.family == key.family && about.champion == key.champion && alarm.data_time < at
        };
        for alarm in open.items.into_iter().filter(same) {
            retraining::answer(platform, &self.workspace, &self.endpoint, &alarm, at).await?;
        }
        Ok(())
    }

    /// The data time at which a finding about a day becomes known: the end of the day, or of the horizon
    /// of its labels.
    fn known_at(&self, key: &FindingKey) -> DataTime {
        let rule = self.watch.plan().maturity;
        let end = rule.span(key.day).end;
        if key.family == Family::Quality { end.plus(rule.horizon) } else { end }
    }

    /// Takes evidence, hour by hour, until it demands something of the rollout; then wakes who carries it
    /// out. Waits with further evidence until that has happened.
    pub(super) async fn decide(&mut self, platform: &Platform) -> Result<(), Failed> {
        let Some(known) = self.rollout.as_ref().map(|rollout| rollout.id) else { return Ok(()) };
        let Some(rollout) = platform.database.reader.rollout(&self.workspace, &known).await? else {
            return Ok(());
        };
        let moved = self.rollout.as_ref().is_none_or(|before| before.state != rollout.state);
        if moved {
            self.is_deciding = false;
            platform.decisions.publish(known, None);
        }
        if !rollout.state.phase.is_running() {
            self.watch.end_rollout();
            self.rollout = None;
            return Ok(());
        }
        let run = rollout.run;
        while !self.is_deciding {
            let Some(block) = self.watch.next_evidence() else { break };
            let state = &rollout.state;
            // What led to this phase has been decided on.
            if block.watermark <= state.entered_at && state.entered_at != state.started_at {
                continue;
            }
            let evidence = convert::evidence(&self.watch, &block, state.entered_at);
            if decide(&rollout.plan, state, &evidence) != Decision::Stay {
                platform.decisions.publish(known, Some(evidence));
                // Without a run a person carries it out.
                self.is_deciding = run.is_some();
            }
        }
        self.rollout = Some(rollout);
        if let Some(run) = run.filter(|_| self.is_deciding) {
            self.wake(platform, known, run).await?;
        }
        Ok(())
    }

    /// Wakes the run that carries out a rollout. One that is over never will: then nobody waits for it.
    async fn wake(&self, platform: &Platform, rollout: RolloutId, run: PipelineRunId) -> Result<(), Failed> {
        let system = Principal::system("watch");
        let workspace = self.workspace.clone();
        let found = platform.database.reader.run(&workspace, run).await?;
        if found.is_none_or(|run| run.state.is_over()) {
            platform.looped.run(&system, AbortAbandoned { workspace, run }).await?;
        } else if let Err(error) = platform.pipelines.run(&system, WakeRun { workspace, run }).await {
            tracing::warn!(%error, %rollout, "the run of a rollout could not be woken");
        }
        Ok(())
    }

    /// How far the fold has come; `None` before the first prediction.
    pub(super) fn progress(&self) -> Option<Progress> {
        let watermark = self.watch.watermark()?;
        let folded_until = DataTime::from_micros(watermark.micros().div_euclid(HOUR) * HOUR);
        let began = self.began.unwrap_or(watermark);
        let late = self.watch.late();
        Some(Progress { began, watermark, folded_until, late, is_deciding: self.is_deciding })
    }

    /// Whether it waits for something that it must ask for again.
    pub(super) const fn is_deciding(&self) -> bool {
        self.is_deciding
    }
}

/// From which ages on the endpoint's policies want another champion.
fn age_rules(endpoint: &Endpoint) -> Vec<AgeRule> {
    let rules = endpoint.retraining.iter().filter_map(|policy| match policy.trigger {
        Trigger::Age { days } => Some(AgeRule { days }),
        _ => None,
    });
    rules.collect()
}

/// The reference of a model version; `None` if it has none, so that it is served and not monitored.
async fn reference(platform: &Platform, digest: &Digest) -> Result<Option<Arc<Reference>>, Failed> {
    let path = ObjectPath::of_model(digest, ModelFile::Reference);
    let Some(mut content) = platform.objects.get(&path, None).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    while let Some(chunk) = content.bytes.next().await {
        bytes.extend_from_slice(&chunk.map_err(StorageError::Failed)?);
        if bytes.len() > REFERENCE_LIMIT {
            tracing::warn!(%digest, "the reference of a model is too large; it is not monitored");
            return Ok(None);
        }
    }
    match Reference::from_json(&bytes) {
        Ok(reference) => Ok(Some(Arc::new(reference))),
        Err(error) => {
            tracing::warn!(%error, %digest, "the reference of a model cannot be read; it is not monitored");
            Ok(None)
        }
    }
}
