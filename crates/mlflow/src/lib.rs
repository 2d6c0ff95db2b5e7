//! MLflow's tracking, registry and artifact API, as its unmodified clients speak it: MLflow 3.18,
//! `mlflow/protos/{service,model_registry,mlflow_artifacts}.proto` over JSON.
//!
//! Each endpoint stands under `/api/2.0/mlflow` and under `/ajax-api/2.0/mlflow`. Names go out in snake
//! case, and come in in snake or camel case; a 64-bit integer goes out as a number, and comes in as a
//! number or a text. One thing is stricter than in a stock server: a body that is not JSON is refused,
//! where stock takes it for an empty one.

mod access;
mod alias;
mod artifact_file;
mod artifact_list;
mod artifact_multipart;
mod artifact_neighbours;
pub mod artifact_owner;
pub mod artifact_path;
mod artifact_presigned;
mod artifact_proxy;
mod artifact_room;
mod artifact_root;
pub mod body;
mod dataset_search;
mod demonstration;
pub mod download;
mod error;
mod evaluation_body;
mod evaluation_dataset;
mod evaluation_record;
mod experiment;
mod experiment_search;
mod fields;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzed;
mod graphql;
mod issue;
mod json_text;
mod logged_model;
mod logged_model_body;
mod logged_model_search;
mod long;
mod metric_history;
mod metric_history_bulk;
mod model_body;
mod model_digest;
mod model_source;
mod model_version;
mod promptlab;
mod python_json;
mod query;
mod refused;
mod registered_model;
mod registry_search;
mod registry_tag;
mod run;
mod run_body;
mod run_io;
mod run_log;
mod run_search;
mod scorer;
mod server_info;
pub mod table;
mod uri;
mod webhook;
mod webhook_body;
pub mod wire;

use mainstay_api::native::endpoint::EndpointCommands;
use std::sync::Arc;

use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::Entropy;
use mainstay_core::event::EventLog;
use mainstay_core::object::{ObjectPath, Objects};
use mainstay_core::permission::Level;
use mainstay_core::time::Clock;
use mainstay_demonstration::port::Demonstrations;
use mainstay_evaluation::issue::port::{IssueReader, IssueTx};
use mainstay_evaluation::port::{EvaluationReader, EvaluationTx};
use mainstay_evaluation::scorer::port::{ScorerReader, ScorerTx};
use mainstay_gateway::port::{GatewayReader, GatewayTx, KeyHolder};
use mainstay_governance::port::{
    GovernanceReader, GovernanceTx, PasswordHashing, PeopleReader, PeopleTx, WebhookProbe,
};
use mainstay_registry::port::{RegistryReader, RegistryTx};
use mainstay_retention::quota::{QuotaReader, QuotaTx};
use mainstay_traces::port::{TraceReader, TraceSearch, TraceTx};
use mainstay_tracking::port::{RunSearch, TrackingReader, TrackingTx};

use mainstay_api::dialect::{self, ApiError};
use mainstay_api::route::Route;

pub use artifact_root::{ArtifactRoot, InvalidArtifactRoot, Place};
pub use error::MlflowError;

/// A handler's error here.
pub type Error = ApiError<dialect::Mlflow>;

/// What the handlers here need, cheap to clone.
pub type MlflowState = Arc<Mlflow>;

/// The parts behind this protocol.
pub struct Mlflow {
    /// Commands on experiments, runs and logged models.
    pub tracking: Commands<dyn TrackingTx>,
    /// Queries on them.
    pub tracked: Arc<dyn TrackingReader>,
    /// Searches over runs.
    pub runs: Arc<dyn RunSearch>,
    /// Commands on evaluation datasets.
    pub evaluation: Commands<dyn EvaluationTx>,
    /// Queries on them.
    pub evaluated: Arc<dyn EvaluationReader>,
    /// Commands on scorers.
    pub scorers: Commands<dyn ScorerTx>,
    /// Queries on them.
    pub scored: Arc<dyn ScorerReader>,
    /// Commands on issues.
    pub issues: Commands<dyn IssueTx>,
    /// Queries on them.
    pub issue_reader: Arc<dyn IssueReader>,
    /// Commands on the LLM gateway.
    pub gateway: Commands<dyn GatewayTx>,
    /// Queries on it.
    pub gateway_reader: Arc<dyn GatewayReader>,
    /// The key of its secrets.
    pub gateway_keys: Arc<dyn KeyHolder>,
    /// Commands on traces.
    pub traces: Commands<dyn TraceTx>,
    /// Queries on them.
    pub traced: Arc<dyn TraceReader>,
    /// Searches over them.
    pub trace_search: Arc<dyn TraceSearch>,
    /// What is committed, by which those who wait for spans learn that some came.
    pub events: Arc<dyn EventLog>,
    /// Commands on registered models.
    pub registry: Commands<dyn RegistryTx>,
    /// Queries on them.
    pub registered: Arc<dyn RegistryReader>,
    /// Users, roles, permissions and workspaces.
    pub people: People,
    /// Promotes the version that an alias is moved to, where an endpoint follows the alias.
    pub endpoints: Arc<dyn EndpointCommands>,
    /// Commands on webhooks.
    pub governance: Commands<dyn GovernanceTx>,
    /// Queries on them.
    pub governed: Arc<dyn GovernanceReader>,
    /// Tries them out.
    pub webhooks: Arc<dyn WebhookProbe>,
    /// Records the demonstration, and removes it.
    pub demonstrations: Arc<dyn Demonstrations>,
    /// Artifacts that clients reach through this server.
    pub objects: Arc<dyn Objects>,
    /// How much artifacts workspaces may have.
    pub quotas: Arc<dyn QuotaReader>,
    /// Counts what comes.
    pub counting: Commands<dyn QuotaTx>,
    /// Where artifacts go of experiments that name no place.
    pub artifact_root: Arc<ArtifactRoot>,
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Ids and drawn names.
    pub entropy: Arc<dyn Entropy>,
}

/// Where in our store the artifacts of a URI are; `None` if they are elsewhere.
pub fn stored_location(uri: &str) -> Option<ObjectPath> {
    artifact_path::stored_at(uri).and_then(Result::ok)
}

/// What the routes on people work on.
pub struct People {
    /// Everybody, with all that they were granted.
    pub reader: Arc<dyn PeopleReader>,
    /// Commands on them.
    pub commands: Commands<dyn PeopleTx>,
    /// Creates workspaces.
    pub governance: Commands<dyn GovernanceTx>,
    /// Hashes and verifies passwords.
    pub hashing: Arc<dyn PasswordHashing>,
    /// Decides what a caller may read of others.
    pub authorizer: Arc<dyn Authorizer>,
    /// What the server's owner chose.
    pub options: Options,
}

/// What the owner of a server chooses of this protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether clients are told that there are workspaces.
    pub offers_workspaces: bool,
    /// What every user holds on each experiment and model of the default workspace.
    pub default_permission: Option<Level>,
    /// Whether the owner wants requests of MLflow's deployments API passed on to another gateway.
    pub has_deployments_target: bool,
    /// Whether clients are told to move large artifacts to and from the store themselves, where it lets them.
    pub direct_artifacts: bool,
}

/// The table.
pub fn routes() -> Vec<Route<MlflowState>> {
    [
        server_info::routes(),
        experiment::routes(),
        experiment_search::routes(),
        run::routes(),
        run_log::routes(),
        run_io::routes(),
        run_search::routes(),
        metric_history::routes(),
        metric_history_bulk::routes(),
        dataset_search::routes(),
        artifact_list::routes(),
        artifact_proxy::routes(),
        artifact_file::routes(),
        artifact_multipart::routes(),
        artifact_presigned::routes(),
        logged_model::routes(),
        logged_model_search::routes(),
        evaluation_dataset::routes(),
        evaluation_record::routes(),
        scorer::routes(),
        issue::routes(),
        promptlab::routes(),
        demonstration::routes(),
        graphql::routes(),
        registered_model::routes(),
        model_version::routes(),
        registry_tag::routes(),
        registry_search::routes(),
        alias::routes(),
        webhook::routes(),
        access::routes(),
        refused::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
