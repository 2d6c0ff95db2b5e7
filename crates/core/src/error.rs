//! One small set of stable error codes for all protocols.
//!
//! Every error of a domain or store implements [`Coded`]: its `Display` is the public sentence, says
//! what to do, and never holds a secret or an internal path; its `source()` is for the log. Each
//! protocol module renders a [`Failure`] in its own dialect.

use std::error::Error as StdError;
use std::fmt;

/// What kind of trouble a code stands for; decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request is wrong and will stay wrong: 400.
    Invalid,
    /// Nobody is known to be calling: 401.
    Unauthenticated,
    /// The caller may not do this: 403.
    Denied,
    /// There is no such thing: 404.
    NotFound,
    /// What is there does not take this method: 405.
    NotAllowed,
    /// The client took too long to send it: 408.
    TooSlow,
    /// It conflicts with the present state: 409.
    Conflict,
    /// It is larger than a limit: 413.
    TooLarge,
    /// The caller asks too often: 429.
    TooMany,
    /// A fault of ours: 500.
    Internal,
    /// Not offered here: 501.
    Unsupported,
    /// Not now; again later: 503.
    Unavailable,
    /// There is no room to store it: 507.
    StorageFull,
}

impl ErrorClass {
    /// The HTTP status code.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::NotAllowed => 405,
            Self::TooSlow => 408,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Unavailable => 503,
            Self::StorageFull => 507,
        }
    }
}

macro_rules! error_codes {
    ($($(#[$meta:meta])* $variant:ident = $text:literal, $class:ident;)*) => {
        /// A stable error code. Each has a page in `docs/errors/<code>.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$meta])* $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands on the wire and in the documentation.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The class.
            pub const fn class(self) -> ErrorClass {
                match self { $(Self::$variant => ErrorClass::$class,)* }
            }
        }
    };
}

error_codes! {
    /// A field has a wrong value.
    InvalidArgument = "invalid-argument", Invalid;
    /// A name breaks the rules for names.
    InvalidName = "invalid-name", Invalid;
    /// A body cannot be read: malformed, too deep, wrongly typed.
    MalformedBody = "malformed-body", Invalid;
    /// A pipeline, feature, endpoint or suite definition is wrong.
    InvalidDefinition = "invalid-definition", Invalid;
    /// Data does not have the declared shape.
    InvalidData = "invalid-data", Invalid;
    /// A model artifact cannot be accepted.
    InvalidModel = "invalid-model", Invalid;
    /// An inference request does not fit the model's signature.
    SignatureMismatch = "signature-mismatch", Invalid;
    /// A search filter or order cannot be understood.
    InvalidFilter = "invalid-filter", Invalid;
    /// No credential, or one that is not known.
    Unauthenticated = "unauthenticated", Unauthenticated;
    /// The policy refuses.
    PermissionDenied = "permission-denied", Denied;
    /// The address or origin of the request is not allowed.
    ForeignOrigin = "foreign-origin", Denied;
    /// The thing does not exist.
    NotFound = "not-found", NotFound;
    /// The address takes other methods.
    MethodNotAllowed = "method-not-allowed", NotAllowed;
    /// The request came too slowly.
    TooSlow = "too-slow", TooSlow;
    /// The name is taken.
    AlreadyExists = "already-exists", Conflict;
    /// A label has another value than the one that is known.
    LabelConflict = "label-conflict", Conflict;
    /// What was done cannot be done again as it was.
    NotReproducible = "not-reproducible", Conflict;
    /// The state moved on since it was read.
    RevisionConflict = "revision-conflict", Conflict;
    /// The present state does not allow it.
    WrongState = "wrong-state", Conflict;
    /// Something else still needs it.
    StillNeeded = "still-needed", Conflict;
    /// A lease or token was superseded.
    StaleToken = "stale-token", Conflict;
    /// A gate has not passed, or an approval is missing.
    GateNotPassed = "gate-not-passed", Conflict;
    /// The body, file or batch is larger than allowed.
    TooLarge = "too-large", TooLarge;
    /// Too many requests.
    RateLimited = "rate-limited", TooMany;
    /// The workspace has as much as it may have.
    QuotaExceeded = "quota-exceeded", TooMany;
    /// Something broke inside.
    Internal = "internal", Internal;
    /// Stored bytes do not match their checksum or schema.
    Corrupt = "corrupt", Internal;
    /// Known, and not offered.
    Unsupported = "unsupported", Unsupported;
    /// The database, or another part, does not answer now.
    Unavailable = "unavailable", Unavailable;
    /// The disk or quota is full.
    StorageFull = "storage-full", StorageFull;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with a stable code. `Display` is the public sentence; `source` is for the log only.
pub trait Coded: StdError + Send + Sync + 'static {
    /// The code.
    fn code(&self) -> ErrorCode;

    /// Where in a text that was sent the trouble is: how many characters stand before it. `None` if it is in no
    /// place of its own.
    fn position(&self) -> Option<usize> {
        None
    }
}

/// Any [`Coded`] error, with its type forgotten: what crosses a layer.
#[derive(Debug)]
pub struct Failure(Box<dyn Coded>);

impl Failure {
    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.0.code()
    }

    /// The error that this was made of, for the log and for tests.
    pub fn inner(&self) -> &(dyn Coded + 'static) {
        &*self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// A cause that is kept for the log.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a store could not do its part. The same for SQL, objects and local files.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another transaction was in the way; the writer runs the command again by itself.
    #[error("the store was busy; try again")]
    Contended(#[source] Cause),
    /// The database or object store does not answer.
    #[error("the store does not answer now; try again shortly")]
    Unavailable(#[source] Cause),
    /// No space left.
    #[error("there is no space left to store this; free some and try again")]
    Full(#[source] Cause),
    /// A stored row or file is not what it must be.
    #[error("stored data is damaged ({0}); see the log, and `mainstay audit verify`")]
    Corrupt(String),
    /// A text holds U+0000, which PostgreSQL cannot keep; refused on every database before it is asked.
    #[error("a text holds the character U+0000, which is neither stored nor found; remove it")]
    Nul,
    /// The database belongs to a later program.
    #[error(
        "the database was written by a newer Mainstay: its schema is version {schema}, and this one knows {known}; \
         start that Mainstay, or restore a backup from before it"
    )]
    Newer {
        /// The version of the schema.
        schema: usize,
        /// The last version that is known here.
        known: usize,
    },
    /// Anything else: a fault of ours.
    #[error("the store failed; see the log")]
    Failed(#[source] Cause),
}

impl Coded for StorageError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Contended(_) | Self::Unavailable(_) => ErrorCode::Unavailable,
            Self::Full(_) => ErrorCode::StorageFull,
            Self::Corrupt(_) => ErrorCode::Corrupt,
            Self::Nul => ErrorCode::InvalidArgument,
            Self::Newer { .. } => ErrorCode::WrongState,
            Self::Failed(_) => ErrorCode::Internal,
        }
    }
}

/// What lies behind an error, for the log: its causes, the nearest first.
pub fn causes(error: &dyn StdError) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_code_has_a_page() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        for code in ErrorCode::ALL {
            let page = std::fs::read_to_string(pages.join(format!("{code}.md"))).unwrap_or_default();
            assert!(
                page.starts_with(&format!("# {code}\n")),
                "docs/errors/{code}.md is missing or mistitled"
            );
        }
        let written = std::fs::read_dir(pages).map_or(0, Iterator::count);
        assert_eq!(written, ErrorCode::ALL.len(), "a page without a code, or a code without a page");
    }
}
