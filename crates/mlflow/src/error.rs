//! What this protocol itself refuses. Sentences that clients and their tests read begin as MLflow's do.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_registry::model::Stage;
use mainstay_registry::name::ModelName;
use thiserror::Error;

/// Why a request was refused before a domain saw it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MlflowError {
    /// A field that is needed is not there.
    #[error(
        "Missing value for required parameter '{0}'. See the API docs for more information about request parameters."
    )]
    Missing(&'static str),
    /// A field has a wrong value.
    #[error("Invalid value '{value}' for parameter '{name}' supplied: {hint}")]
    Invalid {
        /// The field.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it should be.
        hint: String,
    },
    /// The body is of another type.
    #[error("Bad Request. Content-Type must be one of ['application/json']; send the body as JSON")]
    NotJson,
    /// There is no such experiment.
    #[error("Could not find experiment with name '{0}'")]
    NoExperimentNamed(String),
    /// The text names no run.
    #[error("Run with id={0} not found")]
    NoRun(String),
    /// There is no such alias.
    #[error("Registered model alias {0} not found.")]
    NoAlias(String),
    /// The text is not a whole number.
    #[error("Parameter 'version' must be an integer, got '{0}'.")]
    NotVersion(String),
    /// A number that no version has.
    #[error("Model Version (name={model}, version={number}) not found")]
    NoVersion {
        /// The model.
        model: ModelName,
        /// What was asked for.
        number: String,
    },
    /// No version is in that stage.
    #[error("no version of model {model} is in stage {stage}; name one by its number")]
    NoneInStage {
        /// The model.
        model: ModelName,
        /// The stage.
        stage: Stage,
    },
    /// A model without versions has no latest one.
    #[error("Latest version not found for model {0}.")]
    NoLatest(ModelName),
    /// The path could leave its root.
    #[error("Invalid path: give a relative path without '..', '#', ':' and backslashes")]
    InvalidPath,
    /// There is no such artifact.
    #[error("No such artifact: '{0}'")]
    NoArtifact(String),
    /// The artifacts are not kept here.
    #[error("The artifacts are at '{0}', which this server does not serve; ask that store")]
    ElsewhereArtifacts(String),
    /// The source of a model version is not acceptable.
    #[error("Invalid model version source: '{uri}'. {reason}")]
    InvalidSource {
        /// The source.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A new user without a name or a password.
    #[error("Username and password cannot be empty.")]
    NoCredentials,
    /// One's own password is changed by showing it.
    #[error("Current password is required when changing your own password.")]
    NoCurrentPassword,
    /// It is another one.
    #[error("Current password does not match.")]
    WrongCurrentPassword,
    /// It would be no change.
    #[error("New password must differ from the current password.")]
    SamePassword,
    /// Not a level.
    #[error(
        "Invalid permission '{0}'. Valid permissions are: ('DENY', 'NO_PERMISSIONS', 'READ', 'USE', 'EDIT', 'MANAGE')"
    )]
    InvalidPermission(String),
    /// Not a kind of thing on which something is granted here.
    #[error(
        "Invalid resource type '{0}'. Valid resource types are: ('experiment', 'registered_model', 'workspace')"
    )]
    InvalidResourceType(String),
    /// No workspace is named.
    #[error("Workspace cannot be empty.")]
    EmptyWorkspace,
    /// Nothing would change.
    #[error("At least one of 'name' or 'description' must be provided to update a role.")]
    NothingToUpdate,
    /// Nothing would change.
    #[error("Workspace update must have at least one key")]
    EmptyWorkspaceUpdate,
    /// A user holds no level of its own on an experiment.
    #[error("Experiment permission with experiment_id={id} and username={user} not found")]
    NoExperimentPermission {
        /// The experiment.
        id: String,
        /// The user.
        user: String,
    },
    /// A user holds no level of its own on a model.
    #[error(
        "Registered model permission with workspace={workspace}, name={name} and username={user} not found"
    )]
    NoModelPermission {
        /// Where.
        workspace: Name,
        /// The model.
        name: String,
        /// The user.
        user: String,
    },
    /// A user holds no level of its own on a workspace.
    #[error("Workspace permission does not exist for workspace='{workspace}', username='{user}'")]
    NoWorkspacePermission {
        /// Where.
        workspace: Name,
        /// The user.
        user: String,
    },
    /// Clients are not told of workspaces.
    #[error("workspaces are not enabled on this server; start it with --mlflow-workspaces")]
    NoWorkspaces,
    /// What is in a workspace is not deleted or moved with it.
    #[error("mode {0} is not supported: empty the workspace, and delete it with RESTRICT")]
    WorkspaceMode(String),
    /// A model has more files than are looked at.
    #[error("the model at '{uri}' has more than {limit} files; register an archive of them instead")]
    TooManyFiles {
        /// The source.
        uri: String,
        /// The most files.
        limit: usize,
    },
}

impl MlflowError {
    /// A wrong value.
    pub(crate) fn invalid(
        name: &'static str,
        value: impl std::fmt::Display,
        hint: impl Into<String>,
    ) -> Self {
        let value = value.to_string().chars().take(100).collect();
        Self::Invalid { name, value, hint: hint.into() }
    }
}

impl Coded for MlflowError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoExperimentNamed(_)
            | Self::NoRun(_)
            | Self::NoArtifact(_)
            | Self::NoVersion { .. }
            | Self::NoneInStage { .. }
            | Self::NoLatest(_)
            | Self::NoExperimentPermission { .. }
            | Self::NoModelPermission { .. }
            | Self::NoWorkspacePermission { .. } => ErrorCode::NotFound,
            Self::NoWorkspaces | Self::WorkspaceMode(_) => ErrorCode::Unsupported,
            Self::NotJson => ErrorCode::MalformedBody,
            _ => ErrorCode::InvalidArgument,
        }
    }
}
