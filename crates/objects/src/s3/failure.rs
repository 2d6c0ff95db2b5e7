//! What went wrong with a call of S3, without what must not be told.
//!
//! A store that refuses a signature answers with the whole request that it saw, session token included. So of an
//! answer only the status and the code are kept.

use mainstay_core::error::{StorageError, causes};
use thiserror::Error;

/// How much of an error is kept that is no answer of the store.
const MAX_TEXT: usize = 300;

#[derive(Debug, Error)]
#[error("S3, {doing}: {what}")]
struct Failure {
    doing: &'static str,
    what: String,
}

/// What a store answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    status: Option<u16>,
    code: Option<String>,
}

/// The error of a call.
pub(super) fn failure(doing: &'static str, error: &object_store::Error) -> StorageError {
    let text = format!("{error}: {}", causes(error));
    classified(doing, &text)
}

/// The code of what a store answered, such as `NoSuchUpload`.
pub(super) fn code(error: &object_store::Error) -> Option<String> {
    Answer::in_text(&format!("{error}: {}", causes(error))).code
}

/// The error of a call that was made without `object_store`.
pub(super) fn of_answer(doing: &'static str, status: u16, body: &str) -> StorageError {
    classified(doing, &format!("status code: {status}: {body}"))
}

fn classified(doing: &'static str, text: &str) -> StorageError {
    let answer = Answer::in_text(text);
    let (status, code) = (answer.status, answer.code.as_deref());
    let what = match (status, code) {
        (None, None) => text.split('<').next().unwrap_or_default().chars().take(MAX_TEXT).collect(),
        (Some(status), None) => format!("it answered {status}"),
        (None, Some(code)) => format!("it answered {code}"),
        (Some(status), Some(code)) => format!("it answered {status} {code}"),
    };
    let is_full = status == Some(507)
        || code.is_some_and(|code| code.contains("StorageFull") || code.contains("Quota"));
    // Without an answer, nobody was reached.
    let is_away = answer == Answer::default() || status.is_some_and(|status| status >= 500 || status == 429);
    let failure = Box::new(Failure { doing, what });
    if is_full {
        StorageError::Full(failure)
    } else if is_away {
        StorageError::Unavailable(failure)
    } else {
        StorageError::Failed(failure)
    }
}

impl Answer {
    fn in_text(text: &str) -> Self {
        let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
        let status = after("status code: ").and_then(|rest| rest.get(..3)?.parse().ok());
        let code = after("<Code>").and_then(|rest| rest.split('<').next());
        let is_code = |code: &&str| {
            (1..=64).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        };
        Self { status, code: code.filter(is_code).map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn told(text: &str) -> (StorageError, String) {
        let error = classified("storing", text);
        let told = format!("{error} {error:?} {}", error.source().unwrap());
        (error, told)
    }

    #[test]
    fn an_answer_is_reduced_to_its_code() {
        let body = "<?xml?><Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>x-amz-security-token:TOKEN\
                    </CanonicalRequest></Error>";
        let (error, text) = told(&format!(
            "Error performing PUT: Server returned non-2xx status code: 403 Forbidden: {body}"
        ));
        assert!(matches!(error, StorageError::Failed(_)), "{text}");
        assert!(text.contains("403 SignatureDoesNotMatch") && !text.contains("TOKEN"), "{text}");
        let (_, text) = told("Server returned error response: <Error><Token>TOKEN</Token></Error>");
        assert!(!text.contains("TOKEN"), "{text}");
        let (_, text) = told("status code: 403: <Code>TOKEN=</Code>");
        assert!(!text.contains("TOKEN"), "{text}");
    }

    #[test]
    fn a_store_that_is_away_or_full_is_told_from_one_that_refuses() {
        assert!(matches!(told("error sending request: connection refused").0, StorageError::Unavailable(_)));
        assert!(matches!(told("status code: 503 <Code>SlowDown</Code>").0, StorageError::Unavailable(_)));
        assert!(matches!(told("status code: 507 <Code>XMinioStorageFull</Code>").0, StorageError::Full(_)));
        assert!(matches!(told("status code: 404 <Code>NoSuchBucket</Code>").0, StorageError::Failed(_)));
    }
}
