//! What is said where a command fails: a sentence, or for programs a document.

use mainstay_core::error::{ErrorCode, causes};
use serde_json::json;

use crate::{Exit, Failed};

/// What a failed command says on standard error: `error: …`, or JSON with `code` and `message`.
pub fn report(failed: &Failed, json: bool) -> String {
    if json { document(code(failed), &told(failed)) } else { format!("error: {}", told(failed)) }
}

/// What is said, as JSON, of arguments that are wrong: `text` is what a person is told.
pub fn misuse(text: &str) -> String {
    let text = text.trim();
    document(ErrorCode::InvalidArgument, text.strip_prefix("error: ").unwrap_or(text))
}

fn document(code: ErrorCode, message: &str) -> String {
    json!({ "code": code.as_str(), "message": message }).to_string()
}

/// The sentence, with the causes behind it: whoever sits at the terminal has no log to look into.
fn told(failed: &Failed) -> String {
    let sentence = failed.to_string();
    let Failed::Coded(failure) = failed else { return sentence };
    let causes = causes(failure.inner());
    if causes.is_empty() || sentence.contains(&causes) {
        return sentence;
    }
    format!("{}: {causes}", sentence.strip_suffix("; see the log").unwrap_or(&sentence))
}

/// The code of what has none by itself: that of its kind of trouble, with which the program ends alike.
fn code(failed: &Failed) -> ErrorCode {
    match failed {
        Failed::Usage(_) => ErrorCode::InvalidArgument,
        Failed::Coded(failure) => failure.code(),
        Failed::Outside { .. } => ErrorCode::Unavailable,
        Failed::File { error, .. } => match Exit::of_io(error.kind()) {
            Exit::NotFound => ErrorCode::NotFound,
            Exit::Refused => ErrorCode::PermissionDenied,
            Exit::Usage => ErrorCode::InvalidArgument,
            _ if error.kind() == std::io::ErrorKind::StorageFull => ErrorCode::StorageFull,
            _ => ErrorCode::Unavailable,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use mainstay_core::error::StorageError;
    use serde_json::Value;

    use super::*;

    fn every() -> Vec<Failed> {
        use io::ErrorKind as Kind;
        let file = |kind: Kind| Failed::file(Path::new("x"), io::Error::from(kind));
        let mut all: Vec<Failed> =
            [Kind::NotFound, Kind::IsADirectory, Kind::PermissionDenied, Kind::StorageFull, Kind::TimedOut]
                .map(file)
                .into();
        all.push(Failed::Usage("say what".into()));
        all.push(Failed::outside("talking to the server", "it hung up"));
        all.push(StorageError::Full("no room".into()).into());
        all
    }

    #[test]
    fn programs_are_told_in_json_with_the_same_end() {
        for failed in every() {
            let said: Value = serde_json::from_str(&report(&failed, true)).unwrap();
            let code = ErrorCode::ALL.iter().find(|code| said["code"] == code.as_str()).unwrap();
            assert_eq!(Exit::of_code(*code), Exit::of(&failed), "{failed}");
            assert_eq!(report(&failed, false), format!("error: {}", said["message"].as_str().unwrap()));
        }
        let said: Value = serde_json::from_str(&misuse("error: unexpected argument\n")).unwrap();
        assert_eq!(said, json!({ "code": "invalid-argument", "message": "unexpected argument" }));
    }

    #[test]
    fn the_cause_stands_where_there_is_no_log() {
        let failed = StorageError::Failed("no such column".into()).into();
        assert_eq!(report(&failed, false), "error: the store failed: no such column");
    }
}
