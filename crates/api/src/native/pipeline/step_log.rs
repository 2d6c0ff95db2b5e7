//! `GET /api/v1/pipeline-runs/{id}/steps/{step}/log`: a part of what a step wrote.
//!
//! `?from=` is an offset in bytes, 0 if left out; `?attempt=` the attempt, the present one if left out. An
//! answer holds at most 256 KiB and says where to go on (`next`). Bytes that are not UTF-8 are shown as
//! U+FFFD. While the step runs, an empty part means that nothing new was written yet.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use mainstay_pipelines::definition::StepName;
use mainstay_pipelines::refusal::{PipelineError, Refusal as StepRefusal};
use mainstay_pipelines::run::StepState;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::{PipelineState, RUN, existing_run};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::request::{Params, Two};
use crate::oip::Refusal;
use crate::route::Route;

/// Most bytes of an answer.
const MAX_PART: u64 = 256 << 10;

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where to go on, in bytes from the start.
    pub next: u64,
}

/// Where logs of steps are kept. The server implements it over its files.
#[async_trait]
pub trait StepLogs: Send + Sync {
    /// At most `limit` bytes of an attempt's log from an offset on; none if there are none.
    async fn read(
        &self,
        run: PipelineRunId,
        step: &StepName,
        attempt: u32,
        from: u64,
        limit: u64,
    ) -> Result<LogPart, Refusal>;
}

pub(super) fn routes() -> Vec<Route<PipelineState>> {
    let path = (Method::GET, "/api/v1/pipeline-runs/{id}/steps/{step}/log");
    vec![Route::new(Protocol::Native, path, (Action::PipelineRead, RUN), read)]
}

/// An offset that no file has, or an attempt that there was not.
#[derive(Debug, ThisError)]
enum LogError {
    #[error("'from' is an offset in bytes, as 'next' of an earlier answer")]
    From,
    #[error("step '{step}' has had {attempts} attempts; 'attempt' counts from 1")]
    Attempt { step: StepName, attempts: u32 },
}

impl Coded for LogError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::From => ErrorCode::InvalidArgument,
            Self::Attempt { .. } => ErrorCode::NotFound,
        }
    }
}

#[derive(Debug, Deserialize)]
struct LogParams {
    #[serde(default)]
    from: u64,
    attempt: Option<u32>,
}

#[derive(Debug, Serialize)]
struct LogBody {
    text: String,
    from: u64,
    next: u64,
    attempt: u32,
    /// Whether nothing more will be written to this attempt's log.
    ended: bool,
}

async fn read(
    State(state): State<PipelineState>,
    caller: Caller,
    Two(id, step): Two<PipelineRunId, StepName>,
    Params(LogParams { from, attempt }): Params<LogParams>,
) -> Result<Json<LogBody>, Error> {
    existing_run(&state, &caller, id).await?;
    let steps = state.reader.steps(&caller.workspace, id).await?;
    let missing = || PipelineError::from(StepRefusal::NoSuchStep(step.to_string()));
    let known = steps.into_iter().find(|known| known.name == step).ok_or_else(missing)?;
    if i64::try_from(from).is_err() {
        return Err(LogError::From.into());
    }
    let attempt = attempt.unwrap_or(known.attempt);
    if attempt == 0 || attempt > known.attempt {
        return Err(LogError::Attempt { step, attempts: known.attempt }.into());
    }
    let ended = attempt < known.attempt || known.state != StepState::Running;
    let part = state.logs.read(id, &step, attempt, from, MAX_PART).await?;
    let whole = whole_characters(&part.bytes);
    // What a character was cut short by is read again with the rest of it, unless there is no more.
    let cut = if ended && whole == 0 { 0 } else { part.bytes.len() - whole };
    let shown = part.bytes.get(..part.bytes.len() - cut).unwrap_or_default();
    let next = part.next - u64::try_from(cut).unwrap_or_default();
    let text = String::from_utf8_lossy(shown).into_owned();
    Ok(Json(LogBody { text, from, next, attempt, ended }))
}

/// The length without a character that the end cuts short.
fn whole_characters(bytes: &[u8]) -> usize {
    match bytes.utf8_chunks().last() {
        Some(last) if is_cut(last.invalid()) => bytes.len() - last.invalid().len(),
        _ => bytes.len(),
    }
}

/// Whether these bytes are the start of a character of which the rest is missing.
fn is_cut(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_at_the_end_is_whole_or_left_for_later() {
        let text = "grün 🦀".as_bytes();
        assert_eq!(whole_characters(text), text.len());
        for cut in 1..4 {
            assert_eq!(whole_characters(&text[..text.len() - cut]), "grün ".len());
        }
        assert_eq!(whole_characters(b"a\xffb"), 3, "not UTF-8 at all");
        assert_eq!(whole_characters(b"a\xff"), 2);
        assert_eq!(whole_characters(b""), 0);
    }
}
