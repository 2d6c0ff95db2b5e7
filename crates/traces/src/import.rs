//! Traces that another server kept, brought in whole; as they were there.

use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::experiment::ExperimentError;
use serde_json::{Value, json};

use crate::assessment::Assessment;
use crate::block;
use crate::id::trace_subject;
use crate::info::TraceInfo;
use crate::port::TraceTx;
use crate::span::Span;

/// A trace of elsewhere with everything that hangs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedTrace {
    /// What is known of it as a whole.
    pub info: TraceInfo,
    /// Its spans, if they were kept in the database, as [`in_order`](super::span::in_order) has them.
    pub spans: Vec<Span>,
    /// The runs that it belongs to.
    pub runs: Vec<String>,
    /// The prompts that it used: `name/version` each.
    pub prompts: Vec<String>,
    /// What is said of it, in the order in which it was said.
    pub assessments: Vec<ImportedAssessment>,
}

/// An assessment of elsewhere, and the run that made it there, for which there is no place here: it stands in the
/// event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedAssessment {
    /// The assessment.
    pub assessment: Assessment,
    /// The run.
    pub run: Option<String>,
}

fn told(ImportedAssessment { assessment, run }: &ImportedAssessment) -> Value {
    json!({
        "assessment": assessment.id,
        "kind": assessment.judgement.kind().as_str(),
        "name": assessment.name,
        "source": assessment.source.kind.as_str(),
        "run": run,
    })
}

/// Adds a trace as it is: nothing is derived from its spans. Event: `trace.imported`, with the number of its spans
/// and the digest of their blocks, and with what was said of it.
pub async fn put_trace(tx: &mut dyn TraceTx, trace: &ImportedTrace) -> Result<(), ExperimentError> {
    let ImportedTrace { info, spans, runs, prompts, assessments } = trace;
    tx.put_trace(info).await?;
    tx.put_trace_tags(&info.id, &info.tags).await?;
    tx.put_trace_metadata(&info.id, &info.metadata).await?;
    let blocks = block::encode(spans)?;
    for block in &blocks {
        tx.append_spans(&info.id, block).await?;
    }
    for run in runs {
        tx.link_trace_to_run(&info.id, run).await?;
    }
    for prompt in prompts {
        tx.link_trace_to_prompt(&info.id, prompt).await?;
    }
    for imported in assessments {
        tx.put_assessment(&imported.assessment).await?;
    }
    let digest = Digest::of_parts(blocks.iter().map(|block| block.bytes.as_slice()));
    let body = json!({
        "traces": [info.id],
        "experiment": info.experiment,
        "state": info.state.as_str(),
        "request_ms": info.request_ms,
        "duration_ms": info.duration_ms,
        "runs": runs,
        "prompts": prompts,
        "spans": {"count": spans.len(), "digest": digest},
        "assessments": assessments.iter().map(told).collect::<Vec<_>>(),
    });
    tx.record(Event::new("trace.imported", trace_subject(&info.id), body));
    Ok(())
}
