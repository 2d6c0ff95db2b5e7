//! Logging spans: all of one request, or none.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{ask_for_run, existing_experiment, save, trace_within};
use crate::batch::SpanBatch;
use crate::error::TraceError;
use crate::info::TraceInfo;
use crate::port::TraceTx;
use mainstay_core::experiment::{Experiment, ExperimentId, experiment_subject};

/// Logs the spans of some traces. A trace that is not known yet begins with them. Event: `spans.logged`, with
/// the traces, and the number and digest of all spans.
#[derive(Debug, Clone)]
pub struct LogSpans {
    workspace: Name,
    experiment: ExperimentId,
    run: Option<String>,
    batches: Vec<SpanBatch>,
    digest: Digest,
}

impl LogSpans {
    /// Logs these batches, each of another trace, in an experiment. Traces whose root is among the spans are
    /// linked to the run.
    pub fn new(
        workspace: Name,
        experiment: ExperimentId,
        run: Option<String>,
        batches: Vec<SpanBatch>,
    ) -> Self {
        let blocks = batches.iter().flat_map(|batch| &batch.blocks);
        let digest = Digest::of_parts(blocks.map(|block| block.bytes.as_slice()));
        Self { workspace, experiment, run, batches, digest }
    }

    async fn log(
        &self,
        tx: &mut dyn TraceTx,
        experiment: &Experiment,
        batch: &SpanBatch,
    ) -> Result<(), TraceError> {
        let before = trace_within(tx, &batch.trace, self.experiment).await?;
        let mut info = match &before {
            Some(before) => before.clone(),
            None => TraceInfo::begun(batch.trace.clone(), experiment, batch.facts.start_ms),
        };
        let earlier = if before.is_some() && info.needs_earlier(&batch.facts) {
            tx.span_outlines(&batch.trace).await?
        } else {
            Vec::new()
        };
        info.absorb(batch, &earlier);
        if before.as_ref() != Some(&info) {
            save(tx, before.as_ref(), &info).await?;
        }
        for block in &batch.blocks {
            tx.append_spans(&batch.trace, block).await?;
        }
        match &self.run {
            Some(run) if batch.facts.root.is_some() => Ok(tx.link_trace_to_run(&batch.trace, run).await?),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Command for LogSpans {
    type Tx = dyn TraceTx;
    type Out = ();
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.experiment))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TraceError> {
        let experiment = existing_experiment(tx, self.experiment).await?;
        if let Some(run) = &self.run {
            ask_for_run(tx, run).await?;
        }
        for batch in &self.batches {
            self.log(tx, &experiment, batch).await?;
        }
        let traces: Vec<_> = self.batches.iter().map(SpanBatch::trace).collect();
        let spans: usize = self.batches.iter().map(SpanBatch::spans).sum();
        let body = json!({"traces": traces, "spans": {"count": spans, "digest": self.digest}});
        tx.record(Event::new("spans.logged", experiment_subject(self.experiment), body));
        Ok(())
    }
}
