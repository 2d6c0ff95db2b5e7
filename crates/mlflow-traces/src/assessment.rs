//! `traces/{id}/assessments`.

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_traces::assessment::{Assessment, AssessmentId, Change};
use mainstay_traces::command::{CreateAssessment, DeleteAssessment, UpdateAssessment};
use mainstay_traces::error::TraceError;
use mainstay_traces::id::TraceId;
use serde::Deserialize;

use crate::assessment_body::{AssessmentMessage, OneAssessment};
use crate::{existing, named};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    let one = "traces/{trace_id}/assessments/{assessment_id}";
    let table = Table::v3()
        .post("traces/{trace_id}/assessments", write, create)
        .patch(one, write, update)
        .delete(one, write, delete)
        .brief();
    [table.rows(), Table::v3().get(one, read, get).rows()].into_iter().flatten().collect()
}

/// A text that is no id names no assessment.
fn named_assessment(text: &str, trace: &TraceId) -> Result<AssessmentId, Error> {
    let missing =
        |_| MlflowError::NoAssessment { id: text.chars().take(100).collect(), trace: trace.to_string() };
    Ok(AssessmentId::parse(text).map_err(missing)?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    assessment: Option<AssessmentMessage>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(trace): Path<String>,
    Call(request): Call<Create>,
) -> Result<Json<OneAssessment>, Error> {
    let message = request.assessment.ok_or(MlflowError::Missing("assessment"))?;
    let drawn = || AssessmentId::draw(&*state.entropy);
    let told = message.told(&named(&trace)?, drawn, state.clock.now().millis())?;
    // Whether another one takes its place, only that other one says.
    let command =
        CreateAssessment { workspace: caller.workspace, assessment: Assessment { valid: true, ..told } };
    let made = state.traces.run(&caller.principal, command).await?;
    Ok(Json(made.into()))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Path((trace, id)): Path<(String, String)>,
) -> Result<Json<OneAssessment>, Error> {
    let trace = named(&trace)?;
    let id = named_assessment(&id, &trace)?;
    let found = existing(&state, &caller, &trace).await?.assessments.into_iter().find(|told| told.id == id);
    Ok(Json(found.ok_or(TraceError::NoAssessment { id, trace })?.into()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    assessment: Option<AssessmentMessage>,
    #[serde(alias = "updateMask")]
    update_mask: Option<String>,
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Path((trace, id)): Path<(String, String)>,
    Call(request): Call<Update>,
) -> Result<Json<OneAssessment>, Error> {
    let trace = named(&trace)?;
    let message = request.assessment.ok_or(MlflowError::Missing("assessment"))?;
    let mask = required("update_mask", request.update_mask)?;
    let command = UpdateAssessment {
        workspace: caller.workspace,
        id: named_assessment(&id, &trace)?,
        change: change(message, &mask)?,
        trace,
    };
    let changed = state.traces.run(&caller.principal, command).await?;
    Ok(Json(changed.into()))
}

/// What the mask names, in snake or camel case. What else it names does not change.
fn change(mut message: AssessmentMessage, mask: &str) -> Result<Change, Error> {
    let mut change = Change::default();
    for path in mask.split(',') {
        match path.trim() {
            "assessmentName" | "assessment_name" => {
                change.name = Some(message.assessment_name.take().unwrap_or_default());
            }
            "feedback" => {
                change.feedback = Some(message.feedback()?.ok_or(MlflowError::Missing("feedback"))?);
            }
            "expectation" => {
                change.expectation = Some(message.expectation()?.ok_or(MlflowError::NoExpectation)?);
            }
            "rationale" => change.rationale = Some(message.rationale.take().unwrap_or_default()),
            "metadata" => change.metadata = message.pairs()?,
            _ => {}
        }
    }
    Ok(change)
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path((trace, id)): Path<(String, String)>,
) -> Result<Json<Empty>, Error> {
    let trace = named(&trace)?;
    // What no assessment can be called is not there, and need not be deleted.
    let Ok(id) = AssessmentId::parse(&id) else {
        existing(&state, &caller, &trace).await?;
        return Ok(Json(Empty {}));
    };
    let command = DeleteAssessment { workspace: caller.workspace, trace, id };
    state.traces.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn masks_say_what_changes() {
        let message = || -> AssessmentMessage {
            let told = json!({"assessment_name": "n", "feedback": {"value": 5}, "rationale": "r", "metadata": {"k": "v"}});
            serde_json::from_value(told).unwrap()
        };
        let all = change(message(), "assessmentName,feedback,rationale,metadata").unwrap();
        assert_eq!((all.name.as_deref(), all.rationale.as_deref()), (Some("n"), Some("r")));
        assert_eq!(all.feedback.unwrap().0.as_str(), "5.0");
        assert_eq!(all.metadata["k"], "v");
        let one = change(message(), "assessment_name, valid,sourceId").unwrap();
        assert_eq!(one, Change { name: Some("n".into()), ..Change::default() });
        assert!(change(message(), "expectation").is_err());
    }
}
