//! Assessments of a trace.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::existing_trace;
use crate::assessment::{Assessment, AssessmentId, Change, MAX_ASSESSMENTS};
use crate::error::TraceError;
use crate::id::{TraceId, trace_subject};
use crate::port::TraceTx;

/// Makes an assessment. The one that it overrides, which is of the same trace, is valid no longer. Event:
/// `trace.assessed`.
#[derive(Debug, Clone)]
pub struct CreateAssessment {
    /// Where.
    pub workspace: Name,
    /// What is said.
    pub assessment: Assessment,
}

#[async_trait]
impl Command for CreateAssessment {
    type Tx = dyn TraceTx;
    type Out = Assessment;
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.assessment.trace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Assessment, TraceError> {
        let assessment = self.assessment.clone().checked()?;
        let Assessment { id, trace, .. } = &assessment;
        let experiment = existing_trace(tx, trace).await?.experiment;
        let known = tx.assessments(trace).await?;
        if known.iter().any(|known| known.id == *id) {
            return Err(TraceError::AssessmentExists { id: id.clone(), trace: trace.clone() });
        }
        if known.len() >= MAX_ASSESSMENTS {
            return Err(TraceError::TooManyAssessments { trace: trace.clone(), limit: MAX_ASSESSMENTS });
        }
        if let Some(overridden) = &assessment.overrides {
            let missing = || TraceError::NoAssessment { id: overridden.clone(), trace: trace.clone() };
            let overridden = known.into_iter().find(|known| known.id == *overridden).ok_or_else(missing)?;
            tx.put_assessment(&Assessment { valid: false, ..overridden }).await?;
        }
        tx.put_assessment(&assessment).await?;
        tx.record(event("trace.assessed", experiment, &assessment));
        Ok(assessment)
    }
}

/// Changes an assessment. Event: `trace.assessment_updated`.
#[derive(Debug, Clone)]
pub struct UpdateAssessment {
    /// Where.
    pub workspace: Name,
    /// Of which trace.
    pub trace: TraceId,
    /// Which.
    pub id: AssessmentId,
    /// How.
    pub change: Change,
}

#[async_trait]
impl Command for UpdateAssessment {
    type Tx = dyn TraceTx;
    type Out = Assessment;
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.trace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Assessment, TraceError> {
        let experiment = existing_trace(tx, &self.trace).await?.experiment;
        let found = tx.assessment(&self.trace, &self.id).await?;
        let missing = || TraceError::NoAssessment { id: self.id.clone(), trace: self.trace.clone() };
        let changed = found.ok_or_else(missing)?.changed(&self.change, tx.now().millis())?;
        tx.put_assessment(&changed).await?;
        tx.record(event("trace.assessment_updated", experiment, &changed));
        Ok(changed)
    }
}

/// Deletes an assessment; nothing happens if there is none. The one that it overrode is valid again. Event:
/// `trace.assessment_deleted`.
#[derive(Debug, Clone)]
pub struct DeleteAssessment {
    /// Where.
    pub workspace: Name,
    /// Of which trace.
    pub trace: TraceId,
    /// Which.
    pub id: AssessmentId,
}

#[async_trait]
impl Command for DeleteAssessment {
    type Tx = dyn TraceTx;
    type Out = ();
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.trace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TraceError> {
        let experiment = existing_trace(tx, &self.trace).await?.experiment;
        let Some(deleted) = tx.assessment(&self.trace, &self.id).await? else { return Ok(()) };
        tx.delete_assessment(&self.trace, &self.id).await?;
        if let Some(overridden) = &deleted.overrides
            && let Some(overridden) = tx.assessment(&self.trace, overridden).await?
        {
            tx.put_assessment(&Assessment { valid: true, ..overridden }).await?;
        }
        tx.record(event("trace.assessment_deleted", experiment, &deleted));
        Ok(())
    }
}

/// Takes in assessments that come with a client's summary of a trace: those that are known are replaced. Whether
/// any was new or another than before.
pub(super) async fn take_in(
    tx: &mut dyn TraceTx,
    trace: &TraceId,
    told: &[Assessment],
) -> Result<bool, TraceError> {
    if told.is_empty() {
        return Ok(false);
    }
    let mut known = tx.assessments(trace).await?;
    let mut is_changed = false;
    for told in told {
        let told = told.clone().checked()?;
        match known.iter().position(|known| known.id == told.id).and_then(|at| known.get_mut(at)) {
            Some(known) if *known == told => continue,
            Some(known) => known.clone_from(&told),
            None => {
                if known.len() >= MAX_ASSESSMENTS {
                    let trace = trace.clone();
                    return Err(TraceError::TooManyAssessments { trace, limit: MAX_ASSESSMENTS });
                }
                known.push(told.clone());
            }
        }
        tx.put_assessment(&told).await?;
        is_changed = true;
    }
    Ok(is_changed)
}

fn event(name: &'static str, experiment: ExperimentId, assessment: &Assessment) -> Event {
    let body = json!({
        "traces": [assessment.trace],
        "experiment": experiment,
        "assessment": assessment.id,
        "kind": assessment.judgement.kind().as_str(),
        "name": assessment.name,
        "source": assessment.source.kind.as_str(),
    });
    Event::new(name, trace_subject(&assessment.trace), body)
}
