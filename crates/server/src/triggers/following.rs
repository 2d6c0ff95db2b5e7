//! Following the log on behalf of one trigger.

use mainstay_core::event::{EventLog as _, EventQuery, EventSeq, RecordedEvent};
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::trigger::{EventFilter, chain, data_time, event_cause, run_of};
use serde_json::json;

use super::armed::{DEFINED, Place};
use super::firing::Office;
use crate::Failed;

/// Events read at once.
const PAGE: usize = 500;
/// Definitions read at once: each has its whole text.
const DEFINITIONS: usize = 20;
/// The position is kept after so many events, should none of them fire.
const KEEP_AFTER: usize = 2_000;

impl Office {
    /// Fires at each event of the filter's kind that fits, in the order of the log.
    pub(super) async fn follow(
        &self,
        place: &Place,
        filter: &EventFilter,
        (since, unkept): (&mut Option<i64>, &mut usize),
    ) -> Result<(), Failed> {
        let mut position = if let Some(position) = self.position(place, *since).await? {
            position
        } else {
            let defined = signed(self.defined(place).await?);
            self.keep(place, defined).await?;
            defined
        };
        *since = Some(position);
        loop {
            let after = EventSeq(u64::try_from(position).unwrap_or(0));
            let query = EventQuery::after(after, PAGE).of_kind(&filter.kind);
            let events = self.platform.database.read(&query).await?;
            for event in &events {
                if event.workspace == place.workspace && filter.matches(event) {
                    self.answer(place, event).await?;
                }
                position = signed(event.seq);
                *since = Some(position);
            }
            *unkept += events.len();
            if *unkept >= KEEP_AFTER {
                self.keep(place, position).await?;
                *unkept = 0;
            }
            if events.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Starts the run of an event, unless it came of a run of the same pipeline.
    async fn answer(&self, place: &Place, event: &RecordedEvent) -> Result<(), Failed> {
        let chain = self.chain(place, event).await?;
        if chain.contains(&place.pipeline.name) {
            tracing::debug!(trigger = place.schedule(), seq = event.seq.0, "an event of its own runs");
            return Ok(());
        }
        let cause = event_cause(event, place.pipeline.revision, place.number, &chain);
        self.fire(place, signed(event.seq), data_time(event), cause).await
    }

    /// The pipelines whose runs led to an event.
    async fn chain(&self, place: &Place, event: &RecordedEvent) -> Result<Vec<Name>, Failed> {
        let reader = &self.platform.database.reader;
        let run = match run_of(event) {
            Some(run) => Some(run),
            None => reader.run_behind(event.seq).await?,
        };
        let run = match run {
            Some(run) => reader.run(&place.workspace, run).await?,
            None => None,
        };
        Ok(chain(event, run.as_ref()))
    }

    /// Where in the log the revision of a trigger was defined.
    async fn defined(&self, place: &Place) -> Result<EventSeq, Failed> {
        let subject = Subject::new(ResourceKind::Pipeline, &place.pipeline.name);
        let revision = json!(place.pipeline.revision);
        let is_it = |event: &RecordedEvent| {
            event.workspace == place.workspace
                && event.subject == subject
                && event.body.as_ref().is_none_or(|body| body.get("revision") == Some(&revision))
        };
        let mut before = None;
        loop {
            let query = EventQuery { before, ..EventQuery::newest(DEFINITIONS) }.of_kind(DEFINED);
            let events = self.platform.database.read(&query).await?;
            if let Some(event) = events.iter().find(|event| is_it(event)) {
                return Ok(event.seq);
            }
            match events.last() {
                Some(oldest) if events.len() == DEFINITIONS => before = Some(oldest.seq),
                _ => return Ok(EventSeq(0)),
            }
        }
    }
}

/// The number of an event, as firings note it.
fn signed(seq: EventSeq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}
