//! The triggers of kept pipelines fire: at instants of the machine's clock, at instants of the data's clock,
//! and at events.
//!
//! What is due is decided in `pipelines::trigger`; here it is looked at, and carried out. Nothing but the
//! record says what has fired: a firing and the run that it starts are one command, unique by trigger and
//! instant (or event), so that a server that was killed, or a second one on the same database, fires nothing
//! twice. What the service remembers only saves it from asking again.

mod armed;
mod firing;
mod following;

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::event::EventLog as _;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::trigger::{
    CATCH_UP, Cadence, Cron, Trigger, cron_cause, schedule_cause, schedule_since, schedule_start,
};
use tokio::sync::watch;

use self::armed::{Armed, Armory, Place};
use self::firing::Office;
use crate::Failed;
use mainstay_platform::Platform;

/// How long events and instants gather before they are looked at.
const GATHER: Duration = Duration::from_millis(100);
/// How often to look for what other processes have written, if there can be any.
const LOOK: Duration = Duration::from_secs(5);
/// The longest wait without a look.
const LONGEST: Duration = Duration::from_hours(1);
/// After the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The service. Nothing happens until [`Triggers::run`].
pub struct Triggers {
    platform: Arc<Platform>,
    office: Office,
    armory: Armory,
}

/// What follows from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// The next instant of the machine's clock at which a trigger fires.
    pub next: Option<MachineTime>,
    /// Whether something could not be carried out now and must be looked at again.
    pub is_unfinished: bool,
}

impl Triggers {
    /// Wires the service.
    pub fn new(platform: Arc<Platform>) -> Self {
        Self { office: Office::new(platform.clone()), armory: Armory::default(), platform }
    }

    /// Fires what is due until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut head = self.platform.database.head();
        let mut data = self.platform.decisions.moves();
        while !*stop.borrow() {
            // Marked seen before looking, so that nothing that happens while we look is missed.
            head.mark_unchanged();
            data.mark_unchanged();
            let wait = match self.look().await {
                Ok(look) => self.wait(look),
                Err(error) => {
                    tracing::warn!(%error, "triggers wait for the database");
                    PAUSE
                }
            };
            let follows_data = self.armory.follows_data();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                Ok(()) = head.changed() => {}
                Ok(()) = data.changed(), if follows_data => {}
                () = tokio::time::sleep(wait) => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(GATHER) => {}
            }
        }
    }

    fn wait(&self, look: Look) -> Duration {
        let now = self.platform.clock.now();
        let until = look.next.map(|at| Duration::from_micros(u64::try_from(at.since(now)).unwrap_or(0)));
        let longest = match (look.is_unfinished, self.platform.is_sole) {
            (true, _) => PAUSE,
            // What another process writes does not move our head.
            (false, false) => LOOK,
            (false, true) => LONGEST,
        };
        until.map_or(longest, |until| until.min(longest))
    }

    /// Fires what is due now. A trigger that cannot be carried out does not keep the others from it.
    pub async fn look(&mut self) -> Result<Look, Failed> {
        self.armory.refresh(&self.platform).await?;
        let mut look = Look::default();
        for Armed { place, trigger, since, unkept } in self.armory.armed() {
            let attended = match trigger {
                Trigger::Manual => Ok(None),
                Trigger::Cron(cron) => self.office.cron(place, cron, since).await,
                Trigger::Schedule { endpoint, cadence } => {
                    self.office.schedule(place, (&*endpoint, &*cadence), since).await.map(|()| None)
                }
                Trigger::Event(filter) => {
                    self.office.follow(place, filter, (since, unkept)).await.map(|()| None)
                }
            };
            match attended {
                Ok(next) => look.next = [look.next, next].into_iter().flatten().min(),
                Err(error) => {
                    tracing::warn!(%error, trigger = place.schedule(), "it is looked at again");
                    look.is_unfinished = true;
                }
            }
        }
        Ok(look)
    }
}

impl Office {
    /// Fires the newest instant that has passed; the next one.
    async fn cron(
        &self,
        place: &Place,
        cron: &Cron,
        since: &mut Option<i64>,
    ) -> Result<Option<MachineTime>, Failed> {
        let from = match *since {
            Some(since) => since,
            None => place.pipeline.updated.micros().max(self.last_firing(place).await?.unwrap_or(i64::MIN)),
        };
        *since = Some(from);
        let from = MachineTime::from_micros(from);
        let Some(at) = cron.latest(from, self.platform.clock.now()) else { return Ok(cron.next(from)) };
        let cause = cron_cause(at, place.pipeline.revision, place.number);
        self.fire(place, at.micros(), None, cause).await?;
        *since = Some(at.micros());
        Ok(cron.next(at))
    }

    /// Fires each instant that the endpoint's watermark has passed, in order.
    async fn schedule(
        &self,
        place: &Place,
        (endpoint, cadence): (&Name, &Cadence),
        since: &mut Option<i64>,
    ) -> Result<(), Failed> {
        let decisions = &self.platform.decisions;
        let progress = decisions.progress(&place.workspace, endpoint);
        let from = match self.position(place, *since).await? {
            Some(from) => from,
            // The watermark is not yet what it was.
            None if decisions.is_behind() => return Ok(()),
            None => {
                let start = schedule_start(progress.map(|progress| progress.watermark)).micros();
                self.keep(place, start).await?;
                start
            }
        };
        *since = Some(from);
        let Some(progress) = progress else { return Ok(()) };
        let from = schedule_since(DataTime::from_micros(from), progress.began);
        for at in cadence.due(from, progress.watermark, CATCH_UP) {
            let revision = place.pipeline.revision;
            let cause = schedule_cause(endpoint, at, progress.watermark, revision, place.number);
            self.fire(place, at.micros(), Some(at), cause).await?;
            *since = Some(at.micros());
        }
        Ok(())
    }

    /// From where a trigger of which nothing is remembered goes on: what was kept or has fired last.
    async fn position(&self, place: &Place, since: Option<i64>) -> Result<Option<i64>, Failed> {
        if since.is_some() {
            return Ok(since);
        }
        let Place { workspace, pipeline, number } = place;
        let reader = &self.platform.database.reader;
        let kept = reader.position(workspace, &pipeline.name, pipeline.revision, *number).await?;
        Ok(kept.max(self.last_firing(place).await?))
    }

    async fn last_firing(&self, place: &Place) -> Result<Option<i64>, Failed> {
        Ok(self.platform.database.reader.last_firing(&place.workspace, &place.schedule()).await?)
    }
}
