//! Where the triggers of a pipeline stand, for people to see.

use std::fmt;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};

use super::{Trigger, schedule_name};
use crate::definition::{Parameters, Source};
use crate::port::{Pipeline, PipelineReader};

/// An instant on a trigger's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    /// Of the machine.
    Machine(MachineTime),
    /// Of the data.
    Data(DataTime),
    /// The number of an event.
    Event(i64),
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(at) => at.fmt(f),
            Self::Data(at) => at.fmt(f),
            Self::Event(seq) => write!(f, "event {seq}"),
        }
    }
}

/// Where a trigger stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The trigger.
    pub trigger: Trigger,
    /// What it fired for last, be it that it started a run or was refused.
    pub last: Option<Instant>,
    /// What it fires for next; `None` for events, and while an endpoint has no data.
    pub next: Option<Instant>,
}

/// Where the triggers of a pipeline's newest revision stand. None, if they cannot be read.
pub async fn standing(
    reader: &dyn PipelineReader,
    workspace: &Name,
    pipeline: &Pipeline,
) -> Result<Vec<Standing>, StorageError> {
    let read = Source::parse(&pipeline.source).and_then(|source| source.triggers(&Parameters::default()));
    let mut all = Vec::new();
    for (number, trigger) in read.unwrap_or_default().into_iter().enumerate() {
        let last =
            reader.last_firing(workspace, &schedule_name(&pipeline.name, pipeline.revision, number)).await?;
        let (last, next) = match &trigger {
            Trigger::Manual => (None, None),
            Trigger::Event(_) => (last.map(Instant::Event), None),
            Trigger::Cron(cron) => {
                let last = last.map(MachineTime::from_micros);
                let next = cron.next(last.map_or(pipeline.updated, |last| last.max(pipeline.updated)));
                (last.map(Instant::Machine), next.map(Instant::Machine))
            }
            Trigger::Schedule { cadence, .. } => {
                let kept = reader.position(workspace, &pipeline.name, pipeline.revision, number).await?;
                // Kept before there were data, it counts from their beginning, which is not known here.
                let since = kept.max(last).map(DataTime::from_micros).filter(|since| *since > DataTime::MIN);
                let next = since.and_then(|since| cadence.next(since));
                (last.map(|at| Instant::Data(DataTime::from_micros(at))), next.map(Instant::Data))
            }
        };
        all.push(Standing { trigger, last, next });
    }
    Ok(all)
}
