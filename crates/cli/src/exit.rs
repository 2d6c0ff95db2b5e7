//! How the program ends, for scripts: the one place of the exit codes.

use std::io;
use std::process::ExitCode;

use mainstay_core::error::{ErrorClass, ErrorCode};

use crate::Failed;

/// The contract of `docs/reference/cli.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It could not, or what it checked is not as it should be.
    Failed = 1,
    /// The caller has to change something: an argument, or what is in a file.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The caller may not.
    Refused = 4,
    /// What was done again came to something else.
    Different = 5,
    /// What is to be done again cannot be.
    NotReproducible = 6,
    /// Stopped by a signal, as shells have it for Ctrl-C.
    Stopped = 130,
}

impl Exit {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Refused,
        Self::Different,
        Self::NotReproducible,
        Self::Stopped,
    ];

    /// What it means, as the documentation has it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed: a step, a check, a server that does not answer, a fault of Mainstay's",
            Self::Usage => "used wrongly: an argument, or a file that was given and cannot be used as it is",
            Self::NotFound => "no such thing: a file, a directory, a model or anything else that was named",
            Self::Refused => "refused: no permission, no credential, gates not passed",
            Self::Different => "different: a run that was done again came to something else",
            Self::NotReproducible => {
                "not reproducible: a run cannot be done again, since its code or data are not there as they were"
            }
            Self::Stopped => "stopped with Ctrl-C; what ran was cancelled",
        }
    }

    /// The end that a failed command leads to.
    pub fn of(failed: &Failed) -> Self {
        match failed {
            Failed::Usage(_) => Self::Usage,
            Failed::File { error, .. } => Self::of_io(error.kind()),
            Failed::Coded(failure) => Self::of_code(failure.code()),
            Failed::Outside { .. } => Self::Failed,
        }
    }

    /// The end that a refusal or failure of some part of Mainstay leads to.
    pub const fn of_code(code: ErrorCode) -> Self {
        match (code, code.class()) {
            (ErrorCode::GateNotPassed, _) | (_, ErrorClass::Denied | ErrorClass::Unauthenticated) => {
                Self::Refused
            }
            (ErrorCode::NotReproducible, _) => Self::NotReproducible,
            (_, ErrorClass::NotFound) => Self::NotFound,
            (_, ErrorClass::Invalid | ErrorClass::TooLarge) => Self::Usage,
            _ => Self::Failed,
        }
    }

    /// The end that trouble with a file or directory of the caller leads to.
    pub const fn of_io(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Kind;
        match kind {
            Kind::NotFound | Kind::NotADirectory => Self::NotFound,
            // Another kind of thing than was asked for, or text that is not UTF-8.
            Kind::IsADirectory
            | Kind::AlreadyExists
            | Kind::DirectoryNotEmpty
            | Kind::InvalidData
            | Kind::InvalidInput
            | Kind::InvalidFilename => Self::Usage,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_every_code_and_no_other() {
        let page = include_str!("../../../docs/reference/cli.md");
        let table = page.split("| exit code |").nth(1).unwrap().split("\n\n").next().unwrap();
        let documented: Vec<&str> = table.lines().skip(2).collect();
        let known = Exit::ALL.map(|exit| format!("| {} | {} |", exit as u8, exit.sentence()));
        assert_eq!(documented, known);
    }

    #[test]
    fn every_error_code_ends_the_program_as_its_kind_of_trouble_does() {
        use ErrorCode as Code;
        for code in Code::ALL {
            let expected = match code {
                Code::InvalidArgument
                | Code::InvalidName
                | Code::MalformedBody
                | Code::InvalidDefinition
                | Code::InvalidData
                | Code::InvalidModel
                | Code::SignatureMismatch
                | Code::InvalidFilter
                | Code::TooLarge => Exit::Usage,
                Code::NotFound => Exit::NotFound,
                Code::NotReproducible => Exit::NotReproducible,
                Code::Unauthenticated
                | Code::PermissionDenied
                | Code::ForeignOrigin
                | Code::GateNotPassed => Exit::Refused,
                Code::MethodNotAllowed
                | Code::TooSlow
                | Code::AlreadyExists
                | Code::LabelConflict
                | Code::RevisionConflict
                | Code::WrongState
                | Code::StaleToken
                | Code::StillNeeded
                | Code::RateLimited
                | Code::QuotaExceeded
                | Code::Internal
                | Code::Corrupt
                | Code::Unsupported
                | Code::Unavailable
                | Code::StorageFull => Exit::Failed,
            };
            assert_eq!(Exit::of_code(*code), expected, "{code}");
        }
    }

    #[test]
    fn trouble_with_files_is_told_apart() {
        use io::ErrorKind as Kind;
        for (kind, expected) in [
            (Kind::NotFound, Exit::NotFound),
            (Kind::NotADirectory, Exit::NotFound),
            (Kind::IsADirectory, Exit::Usage),
            (Kind::AlreadyExists, Exit::Usage),
            (Kind::InvalidData, Exit::Usage),
            (Kind::PermissionDenied, Exit::Refused),
            (Kind::StorageFull, Exit::Failed),
            (Kind::Interrupted, Exit::Failed),
        ] {
            assert_eq!(Exit::of_io(kind), expected, "{kind:?}");
        }
    }
}
