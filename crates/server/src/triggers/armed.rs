//! Which triggers there are: those of the newest revision of each kept pipeline.

use std::collections::HashSet;
use std::sync::Arc;

use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::name::Name;
use mainstay_pipelines::definition::{Parameters, Source};
use mainstay_pipelines::port::{Pipeline, PipelineReader as _};
use mainstay_pipelines::trigger::{Trigger, schedule_name};

use crate::Failed;
use mainstay_platform::Platform;

/// The event of a new revision.
pub(super) const DEFINED: &str = "pipeline.defined";

/// Where a trigger stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) workspace: Name,
    /// The revision that has it.
    pub(super) pipeline: Arc<Pipeline>,
    /// Its place in the definition.
    pub(super) number: usize,
}

impl Place {
    /// The name under which its firings are noted.
    pub(super) fn schedule(&self) -> String {
        schedule_name(&self.pipeline.name, self.pipeline.revision, self.number)
    }
}

/// A trigger that fires by itself.
pub(super) struct Armed {
    pub(super) place: Place,
    pub(super) trigger: Trigger,
    /// Up to where it has fired or needs no look, in microseconds of its clock or the number of an event;
    /// `None` until the record was asked.
    pub(super) since: Option<i64>,
    /// Events that needed no look since the position was kept.
    pub(super) unkept: usize,
}

/// All triggers that fire by themselves.
#[derive(Default)]
pub(super) struct Armory {
    armed: Vec<Armed>,
    /// The revisions that were read, those without such triggers too.
    read: HashSet<(Name, Name, u64)>,
    /// The newest definition that was seen in the log.
    seen: EventSeq,
}

impl Armory {
    /// Every trigger, to be looked at.
    pub(super) fn armed(&mut self) -> impl Iterator<Item = &mut Armed> {
        self.armed.iter_mut()
    }

    /// Whether some trigger follows a watermark.
    pub(super) fn follows_data(&self) -> bool {
        self.armed.iter().any(|armed| matches!(armed.trigger, Trigger::Schedule { .. }))
    }

    /// Takes over what was defined since the last time.
    pub(super) async fn refresh(&mut self, platform: &Platform) -> Result<(), Failed> {
        let query = EventQuery { after: self.seen, ..EventQuery::newest(1) }.of_kind(DEFINED);
        let Some(newest) = platform.database.read(&query).await?.pop() else { return Ok(()) };
        let pipelines = platform.database.reader.all_pipelines().await?;
        let key = |workspace: &Name, pipeline: &Pipeline| {
            (workspace.clone(), pipeline.name.clone(), pipeline.revision)
        };
        let standing: HashSet<_> = pipelines.iter().map(|(at, pipeline)| key(at, pipeline)).collect();
        self.armed.retain(|armed| standing.contains(&key(&armed.place.workspace, &armed.place.pipeline)));
        for (workspace, pipeline) in pipelines {
            if !self.read.contains(&key(&workspace, &pipeline)) {
                self.arm(&workspace, pipeline);
            }
        }
        self.read = standing;
        self.seen = newest.seq;
        Ok(())
    }

    fn arm(&mut self, workspace: &Name, pipeline: Pipeline) {
        let read = Source::parse(&pipeline.source).and_then(|source| source.triggers(&Parameters::default()));
        let triggers = read.unwrap_or_else(|error| {
            tracing::warn!(%error, pipeline = %pipeline.name, "its triggers cannot be read; they do not fire");
            Vec::new()
        });
        let pipeline = Arc::new(pipeline);
        for (number, trigger) in triggers.into_iter().enumerate() {
            if trigger != Trigger::Manual {
                let place = Place { workspace: workspace.clone(), pipeline: pipeline.clone(), number };
                self.armed.push(Armed { place, trigger, since: None, unkept: 0 });
            }
        }
    }
}
