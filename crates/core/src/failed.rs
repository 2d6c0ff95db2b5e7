//! Why something that a person asked for at a terminal could not be done.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use thiserror::Error;

use crate::error::{Cause, Coded, ErrorCode, Failure};

/// What ends a command of the program. Its `Display` is for the person at the terminal, who may see paths
/// and causes: unlike that of a [`Coded`] error, it is never shown to a client.
#[derive(Debug, Error)]
pub enum Failed {
    /// What was asked for contradicts itself or what is there.
    #[error("{0}")]
    Usage(String),
    /// A file or directory could not be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A part of Mainstay refused or failed.
    #[error("{0}")]
    Coded(Failure),
    /// Something outside did not work.
    #[error("{what}: {cause}")]
    Outside {
        /// What was tried.
        what: String,
        /// Why it did not work.
        cause: Cause,
    },
}

impl Failed {
    /// A file or directory could not be used.
    pub fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.display().to_string(), error }
    }

    /// Something outside did not work.
    pub fn outside(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Outside { what: what.into(), cause: cause.into() }
    }

    /// The code, if a part of Mainstay refused or failed.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Coded(failure) => Some(failure.code()),
            _ => None,
        }
    }

    /// Whether it was made of this error of a part of Mainstay.
    pub fn is<E: Coded>(&self) -> bool {
        match self {
            Self::Coded(failure) => {
                let error: &(dyn StdError + 'static) = failure.inner();
                error.is::<E>()
            }
            _ => false,
        }
    }
}

impl<E: Coded> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Coded(Failure::from(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StorageError;

    #[derive(Debug, Error)]
    #[error("another one")]
    struct Other;

    impl Coded for Other {
        fn code(&self) -> ErrorCode {
            ErrorCode::Internal
        }
    }

    #[test]
    fn what_it_was_made_of_is_told_apart() {
        let failed = Failed::from(Other);
        assert_eq!(failed.code(), Some(ErrorCode::Internal));
        assert!(failed.is::<Other>() && !failed.is::<StorageError>());
        assert!(!Failed::Usage("another one".into()).is::<Other>());
    }
}
