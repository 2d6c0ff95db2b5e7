//! Why an import does not happen, or stops.

use mainstay_core::command::CommandError;
use mainstay_core::error::{Cause, Coded, ErrorCode, Failure, StorageError, causes};
use mainstay_core::object::ObjectError;
use mainstay_gateway::sealing::SealError;
use thiserror::Error;

use crate::source::ACCEPTED;

/// Why an import does not happen, or stops. Whatever it had written stays; called again with the same options it
/// goes on from there.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The text names no database that can be read.
    #[error(
        "{0} is no database to import from; give what the stock server's --backend-store-uri says: \
         sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    )]
    Address(String),
    /// There is no such file.
    #[error("there is no database at {0}; name the file that the stock server's --backend-store-uri names")]
    NoFile(String),
    /// It is a database of something else.
    #[error("the database has no table alembic_version: it is not one of an MLflow server")]
    NotMlflow,
    /// Its tables are not those that were tried.
    #[error(
        "the database is at revision {0}; this Mainstay reads {accepted}. Run `mlflow db upgrade` on a copy of it \
         with MLflow 3.18, and import that",
        accepted = accepted()
    )]
    Revision(String),
    /// The database to read from failed.
    #[error("the database to import from: {} ({})", .0, causes(.0))]
    Source(#[source] StorageError),
    /// Somebody else's data is there.
    #[error(
        "there are experiments or registered models already, which could have the same ids and names; import into a \
         data directory, and a database, that nobody has used"
    )]
    Used,
    /// The database changed since the import began.
    #[error(
        "{0} is not what it was when this import began: the number of {1} changed. Stop the stock server, and begin \
         anew in a fresh data directory"
    )]
    Changed(String, String),
    /// The import began with other options.
    #[error(
        "this import began with other options: {0}. Go on with those, or begin anew in a fresh data directory"
    )]
    OtherOptions(String),
    /// Artifacts lie where only a stock server finds them, and nobody said what is to be done.
    #[error(
        "{0} experiments keep their artifacts behind the stock server (mlflow-artifacts:); say where \
         with --artifacts DIR, or --artifacts keep if the data directory's artifacts are that directory already"
    )]
    NoArtifacts(u64),
    /// An option that says where artifacts are cannot be understood.
    #[error("--artifacts {0}: {1}")]
    ArtifactOption(String, &'static str),
    /// Some things cannot be kept, and nobody said that they may be left out.
    #[error(
        "{0} things cannot be kept as they are; see the list above. --truncate cuts values that are too long, \
         --leave-out leaves out whatever cannot be kept"
    )]
    Unfit(u64),
    /// A workspace has a name that cannot be one here.
    #[error("the workspace {0:?} cannot have that name here; rename it before the import")]
    Workspace(String),
    /// A file to be copied could not be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A file has another content where it was copied to.
    #[error(
        "{0} is not here what it is there, though it was just copied; look at the disk, and import again"
    )]
    CopyDiffers(String),
    /// Another file is in the way.
    #[error("{0} is there already with another content; two places cannot be copied to the same one")]
    Collision(String),
    /// Both sides are not the same in the end.
    #[error("{0}: what was imported is not what the stock server has; see the list above")]
    Differs(&'static str),
    /// A command was refused, or the store failed.
    #[error("{0}")]
    Target(Failure),
    /// A key to open what a stock server sealed is none.
    #[error(
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY is no key; give what the stock server had: 32 bytes in base64, as \
         Fernet writes them"
    )]
    WebhookKey,
    /// A secret could not be sealed, or opened again.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The store of objects failed.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

fn accepted() -> String {
    let all = ACCEPTED.map(|(revision, release)| format!("{revision} (MLflow {release})"));
    all.join(" and ")
}

impl ImportError {
    /// State that does not read.
    pub(crate) fn state(error: serde_json::Error) -> Self {
        Self::Storage(StorageError::Failed(Cause::from(error)))
    }
}

impl<E: Coded> From<CommandError<E>> for ImportError {
    fn from(error: CommandError<E>) -> Self {
        Self::Target(Failure::from(error))
    }
}

impl Coded for ImportError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Address(_)
            | Self::ArtifactOption(..)
            | Self::NoArtifacts(_)
            | Self::OtherOptions(_)
            | Self::WebhookKey => ErrorCode::InvalidArgument,
            Self::NoFile(_) | Self::File { .. } => ErrorCode::NotFound,
            Self::NotMlflow | Self::Unfit(_) | Self::Workspace(_) => ErrorCode::InvalidData,
            Self::Revision(_) => ErrorCode::Unsupported,
            Self::Used | Self::Changed(..) | Self::Collision(_) => ErrorCode::WrongState,
            Self::CopyDiffers(_) | Self::Differs(_) => ErrorCode::Corrupt,
            Self::Source(error) | Self::Storage(error) => error.code(),
            Self::Seal(error) => error.code(),
            Self::Target(failure) => failure.code(),
            Self::Object(error) => error.code(),
        }
    }
}
