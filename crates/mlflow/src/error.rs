//! What this protocol itself refuses. Sentences that clients and their tests read begin as MLflow's do.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_registry::model::Stage;
use mainstay_registry::name::{ModelName, VersionNumber};
use serde_json::Value;
use thiserror::Error;

use crate::python_json;

/// Why a request was refused before a domain saw it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MlflowError {
    /// A field that is needed is not there.
    #[error(
        "Missing value for required parameter '{0}'. See the API docs for more information about request parameters."
    )]
    Missing(&'static str),
    /// A field that is needed is not in an item of a list.
    #[error(
        "Missing value for required parameter '{list}[{at}].{field}'. \
         See the API docs for more information about request parameters."
    )]
    MissingIn {
        /// The list.
        list: &'static str,
        /// Which item, from 0.
        at: usize,
        /// The field.
        field: &'static str,
    },
    /// A field holds something of another type.
    #[error(
        "Invalid value {value} for parameter '{name}' supplied:  Hint: Value was of type '{of}'. \
         See the API docs for more information about request parameters."
    )]
    WrongType {
        /// The field.
        name: &'static str,
        /// What it holds, as JSON.
        value: String,
        /// Python's name for the type of that.
        of: &'static str,
    },
    /// A field stands there under both its names.
    #[error("Request specifies both '{name}' and '{json_name}'; provide only one of them.")]
    BothSpellings {
        /// The name of the field.
        name: &'static str,
        /// Its name in protobuf's JSON.
        json_name: String,
    },
    /// A field has a wrong value.
    #[error("Invalid value {value} for parameter '{name}' supplied: {hint}")]
    Invalid {
        /// The field.
        name: &'static str,
        /// What it was, as JSON.
        value: String,
        /// What it should be.
        hint: String,
    },
    /// A field that holds JSON as text holds something else.
    #[error(
        "Invalid value for parameter '{field}': it must hold the JSON text that this call takes: {reason}"
    )]
    JsonText {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A list of scorers is asked for in two ways at once.
    #[error(
        "Cannot specify both 'experiment_id' and 'experiment_ids'. Use the latter for several experiments, and \
         the former for one"
    )]
    TwoExperimentFields,
    /// A page of no length, or a longer one than there are.
    #[error("Invalid value {number} for parameter 'max_results' supplied. It must be {}", page_length(*.number, *.most))]
    MaxResults {
        /// What was asked for.
        number: i64,
        /// The most.
        most: usize,
    },
    /// The name of a logged model holds what none may hold.
    #[error(
        "Invalid model name ('{0}') provided. Model name must be a non-empty string and cannot contain the following \
         characters: ('/', ':', '.', '%', '\"', \"'\")"
    )]
    ModelName(String),
    /// A dataset that metrics were measured on is not named.
    #[error("`dataset_name` in the `datasets` clause must be specified.")]
    NamelessDataset,
    /// The description of a model is not JSON.
    #[error("Malformed model info. \n {0} \n is not a valid JSON.")]
    MalformedModel(String),
    /// The description of a model lacks these fields.
    #[error("Model json is missing mandatory fields: {{{0}}}")]
    IncompleteModel(String),
    /// A call on no or too many runs, or on none of their metrics.
    #[error("{call} request {rule}")]
    Bulk {
        /// The call.
        call: &'static str,
        /// What it must do.
        rule: String,
    },
    /// A number of points that no sample has.
    #[error(
        "max_results must be between 1 and {0}. See the API docs for more information about request parameters."
    )]
    SampleSize(usize),
    /// The steps end before they start.
    #[error("end_step must be greater than start_step. Found start_step={start} and end_step={end}.")]
    StepsBackwards {
        /// The first.
        start: i64,
        /// The last.
        end: i64,
    },
    /// One end of the steps.
    #[error("If either start step or end step are specified, both must be specified.")]
    HalfSteps,
    /// The body is of another type.
    #[error("Bad Request. Content-Type must be one of ['application/json'].")]
    NotJson,
    /// Nothing says of what type the body is.
    #[error("Bad Request. Content-Type header is missing.")]
    NoContentType,
    /// There is no such experiment.
    #[error("Could not find experiment with name '{0}'")]
    NoExperimentNamed(String),
    /// The text names no run.
    #[error("Run with id={0} not found")]
    NoRun(String),
    /// The text names no trace.
    #[error("Trace with ID '{0}' not found.")]
    NoTrace(String),
    /// The text names no assessment.
    #[error("Assessment with ID '{id}' not found for trace '{trace}'")]
    NoAssessment {
        /// The text.
        id: String,
        /// Of which trace.
        trace: String,
    },
    /// Neither feedback, nor an expectation, nor an issue.
    #[error("Unknown assessment type: None. Give one of `feedback`, `expectation` and `issue`.")]
    UnknownAssessment,
    /// More than one of them.
    #[error("Exactly one of `expectation`, `feedback`, or `issue` should be specified.")]
    SeveralJudgements,
    /// An expectation of nothing.
    #[error("The `value` field must be specified.")]
    NoExpectation,
    /// A value in another format than JSON.
    #[error("Unknown serialization format: {0}. Only JSON_FORMAT is supported.")]
    SerializationFormat(String),
    /// There is no such trace, or none of its spans has come.
    #[error("Trace with ID {0} is not found.")]
    NoTraceYet(String),
    /// Some of its spans have not come.
    #[error("Trace with ID {0} is not fully exported yet, please try again later.")]
    TraceNotWhole(String),
    /// A place that is no experiment.
    #[error("Locations must be a list of experiment IDs. Found invalid experiment IDs: {0}.")]
    ForeignLocations(String),
    /// A query without a trace.
    #[error("Request must include the \"request_id\" query parameter.")]
    NoRequestId,
    /// No name of an attachment.
    #[error("Invalid attachment path: '{0}'. Attachment path must be a valid UUID.")]
    InvalidAttachment(String),
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
    /// There is no such webhook.
    #[error("Webhook with ID {0} not found.")]
    NoWebhook(String),
    /// A page of webhooks is too small or too large.
    #[error("max_results must be between 1 and 1000.")]
    WebhookPage,
    /// The path could leave its root.
    #[error("Invalid path")]
    InvalidPath,
    /// A directory was asked for as a file.
    #[error("Artifact path refers to a directory, not a file: '{0}'")]
    IsDirectory(String),
    /// An artifact of another workspace.
    #[error(
        "Artifact path targets workspace '{asked}' but the workspace specified in the request is '{own}'."
    )]
    OtherWorkspace {
        /// Whose it would be.
        asked: String,
        /// Who asks.
        own: String,
    },
    /// A location that is longer than this many characters.
    #[error(
        "Invalid artifact path length. The length of the artifact path cannot be greater than {0} characters."
    )]
    LongLocation(usize),
    /// A location that is relative to a run.
    #[error("Artifact location cannot be a runs:/ URI. Given: '{0}'")]
    RunLocation(String),
    /// A location with a fragment.
    #[error("'artifact_location' URL can't include fragments or params.")]
    LocationFragment,
    /// A query that leads elsewhere.
    #[error("Invalid query string")]
    InvalidQuery,
    /// Something that an upload needs is not there.
    #[error("Request must specify {0}.")]
    Unspecified(&'static str),
    /// An upload that is too large for this call.
    #[error("Artifact size is too large. Max size is 10MB.")]
    LargeArtifact,
    /// A download that names no file.
    #[error("Request must include the \"artifact_file_path\" query parameter.")]
    NoFileNamed,
    /// A call of a stock server that this one refuses, as its documentation says.
    #[error("{0} is not implemented by this server; docs/mlflow-compatibility.md says what is")]
    Refused(String),
    /// Issues are shown whole or without their long texts.
    #[error("view must be basic or full")]
    IssueView,
    /// Nobody counts the traces of an issue.
    #[error("include_trace_count is not implemented by this server; search for traces by their issue")]
    TraceCount,
    /// A call that only a store with URLs of its own can answer.
    #[error("{0} is not supported for the current artifact repository")]
    Unsupported(&'static str),
    /// The parts of an upload do not make up a file.
    #[error(
        "Invalid value for parameter 'parts' supplied: list 1 to {most} parts by their numbers, from 1 on without a gap"
    )]
    Parts {
        /// The most parts.
        most: u32,
    },
    /// URLs are asked for in a way that no store answers.
    #[error("{0}")]
    PresignedUrl(String),
    /// There is no such artifact.
    #[error("No such artifact: '{0}'")]
    NoArtifact(String),
    /// The artifacts are not kept here.
    #[error("The artifacts are at '{0}', which this server does not serve; ask that store")]
    ElsewhereArtifacts(String),
    /// A version's artifacts are neither with what it names, nor the caller's to read.
    #[error(
        "version {number} of '{model}' names no run or logged model that its artifacts lie with, and you may not read \
         the place that it does name; register it with its run_id or model_id, or ask whoever manages that place"
    )]
    ClosedSource {
        /// The model.
        model: ModelName,
        /// The version.
        number: VersionNumber,
    },
    /// The source of a model version is not acceptable.
    #[error("Invalid model version source: '{uri}'. {reason}")]
    InvalidSource {
        /// The source.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A version of a prompt has no artifacts, so no source.
    #[error("Invalid prompt source: '{0}'. Prompt sources must use an MLflow placeholder.")]
    PromptSource(String),
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
    /// A directory has more in it than is told at once.
    #[error(
        "the directory has more than {limit} files and directories in it, which are too many for one answer; \
         get its files by their paths, and put files into more directories"
    )]
    LargeDirectory {
        /// The most.
        limit: usize,
    },
    /// A model has more files than are looked at.
    #[error("the model at '{uri}' has more than {limit} files; register an archive of them instead")]
    TooManyFiles {
        /// The source.
        uri: String,
        /// The most files.
        limit: usize,
    },
}

fn page_length(number: i64, most: usize) -> String {
    if number < 1 { "a positive integer".to_owned() } else { format!("at most {most}") }
}

impl MlflowError {
    /// A wrong value.
    pub fn invalid(name: &'static str, value: impl Into<Value>, hint: impl Into<String>) -> Self {
        let value = python_json::compact(&value.into()).chars().take(100).collect();
        Self::Invalid { name, value, hint: hint.into() }
    }
}

impl Coded for MlflowError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoExperimentNamed(_)
            | Self::NoRun(_)
            | Self::NoTrace(_)
            | Self::NoAssessment { .. }
            | Self::NoTraceYet(_)
            | Self::TraceNotWhole(_)
            | Self::NoArtifact(_)
            | Self::NoVersion { .. }
            | Self::NoWebhook(_)
            | Self::NoneInStage { .. }
            | Self::NoLatest(_)
            | Self::NoExperimentPermission { .. }
            | Self::NoModelPermission { .. }
            | Self::NoWorkspacePermission { .. } => ErrorCode::NotFound,
            Self::Unsupported(_)
            | Self::Refused(_)
            | Self::TraceCount
            | Self::NoWorkspaces
            | Self::WorkspaceMode(_) => ErrorCode::Unsupported,
            Self::NotJson | Self::NoContentType => ErrorCode::MalformedBody,
            Self::ClosedSource { .. } => ErrorCode::PermissionDenied,
            _ => ErrorCode::InvalidArgument,
        }
    }
}
