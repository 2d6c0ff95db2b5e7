//! What an answer says: JSON, or why not.

use bytes::Bytes;
use http::{Response, StatusCode};
use mainstay_core::error::{Coded, ErrorCode};
use serde_json::Value;
use thiserror::Error;

use crate::Failed;

/// A refusal, in the words of whoever answered.
#[derive(Debug, Error)]
#[error("{sentence}")]
struct Refused {
    code: ErrorCode,
    sentence: String,
}

impl Coded for Refused {
    fn code(&self) -> ErrorCode {
        self.code
    }
}

/// Reads an answer.
pub(super) fn read(response: &Response<Bytes>) -> Result<Value, Failed> {
    let (status, body) = (response.status(), response.body());
    if status.is_success() {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(body)
            .map_err(|error| Failed::outside("the answer is not JSON; is this a Mainstay server?", error));
    }
    Err(refused(status, &serde_json::from_slice(body).unwrap_or_default()).into())
}

/// What MLflow calls some of ours, where the status does not tell them apart.
fn of_mlflow(code: &str) -> Option<ErrorCode> {
    match code {
        "RESOURCE_ALREADY_EXISTS" => Some(ErrorCode::AlreadyExists),
        "RESOURCE_DOES_NOT_EXIST" => Some(ErrorCode::NotFound),
        "INVALID_STATE" => Some(ErrorCode::WrongState),
        _ => None,
    }
}

/// The refusal in problem details (RFC 9457), or in MLflow's words.
fn refused(status: StatusCode, body: &Value) -> Refused {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let named =
        text("code").and_then(|code| ErrorCode::ALL.iter().copied().find(|known| known.as_str() == code));
    let named = named.or_else(|| text("error_code").and_then(of_mlflow));
    let code = named.unwrap_or(match status.as_u16() {
        400 => ErrorCode::InvalidArgument,
        401 => ErrorCode::Unauthenticated,
        403 => ErrorCode::PermissionDenied,
        404 => ErrorCode::NotFound,
        409 => ErrorCode::WrongState,
        429 => ErrorCode::RateLimited,
        503 => ErrorCode::Unavailable,
        _ => ErrorCode::Internal,
    });
    let sentence = text("detail").or_else(|| text("message")).or_else(|| text("title"));
    let mut sentence = sentence.map_or_else(|| format!("the server answered {status}"), str::to_owned);
    if code == ErrorCode::Unauthenticated {
        sentence.push_str(
            "; the command line takes a token from MAINSTAY_TOKEN, or a name and a password from MAINSTAY_USERNAME \
             and MAINSTAY_PASSWORD",
        );
    }
    Refused { code, sentence }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_keep_their_code_and_words() {
        let problem = json!({ "code": "gate-not-passed", "detail": "version 3 has not passed its gates" });
        let refused = refused(StatusCode::CONFLICT, &problem);
        assert_eq!(
            (refused.code, refused.sentence.as_str()),
            (ErrorCode::GateNotPassed, "version 3 has not passed its gates")
        );
    }

    #[test]
    fn what_speaks_otherwise_is_known_by_its_status() {
        let mlflow = json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run 7" });
        let missing = refused(StatusCode::NOT_FOUND, &mlflow);
        assert_eq!((missing.code, missing.sentence.as_str()), (ErrorCode::NotFound, "no run 7"));
        let taken = json!({ "error_code": "RESOURCE_ALREADY_EXISTS", "message": "it is there" });
        assert_eq!(refused(StatusCode::BAD_REQUEST, &taken).code, ErrorCode::AlreadyExists);
        assert_eq!(
            refused(StatusCode::BAD_GATEWAY, &Value::Null).sentence,
            "the server answered 502 Bad Gateway"
        );
    }
}
