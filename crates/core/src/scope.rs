//! On what something is done: a workspace and, in it, a resource.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// The kinds of thing that the record speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// The server itself.
    Server,
    /// A workspace.
    Workspace,
    /// An experiment.
    Experiment,
    /// A tracking run.
    Run,
    /// A trace.
    Trace,
    /// A registered model.
    Model,
    /// A version of a registered model.
    ModelVersion,
    /// A dataset.
    Dataset,
    /// An entity, feature view or feature service.
    Feature,
    /// A pipeline.
    Pipeline,
    /// An execution of a pipeline.
    PipelineRun,
    /// An endpoint.
    Endpoint,
    /// A rollout on an endpoint.
    Rollout,
    /// A monitor.
    Monitor,
    /// An alarm.
    Alarm,
    /// A request for approval.
    Approval,
    /// An API token.
    Token,
    /// A webhook.
    Webhook,
    /// A person who can log in.
    User,
    /// A role that somebody made, with levels on single things.
    CustomRole,
    /// A sealed segment of bulk data.
    Segment,
    /// An evaluation dataset.
    EvaluationDataset,
    /// A scorer.
    Scorer,
    /// A view of runs that somebody kept.
    SavedView,
    /// A problem that somebody found in traces.
    Issue,
    /// A secret of the LLM gateway.
    GatewaySecret,
    /// A model definition of the LLM gateway.
    GatewayModel,
    /// An endpoint of the LLM gateway.
    GatewayEndpoint,
    /// Something that is being deleted for good.
    Purge,
    /// A rule by which things are.
    RetentionRule,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Server,
        Self::Workspace,
        Self::Experiment,
        Self::Run,
        Self::Trace,
        Self::Model,
        Self::ModelVersion,
        Self::Dataset,
        Self::Feature,
        Self::Pipeline,
        Self::PipelineRun,
        Self::Endpoint,
        Self::Rollout,
        Self::Monitor,
        Self::Alarm,
        Self::Approval,
        Self::Token,
        Self::Webhook,
        Self::User,
        Self::CustomRole,
        Self::Segment,
        Self::EvaluationDataset,
        Self::Scorer,
        Self::SavedView,
        Self::Issue,
        Self::GatewaySecret,
        Self::GatewayModel,
        Self::GatewayEndpoint,
        Self::Purge,
        Self::RetentionRule,
    ];

    /// The name used in policies and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Workspace => "workspace",
            Self::Experiment => "experiment",
            Self::Run => "run",
            Self::Trace => "trace",
            Self::Model => "model",
            Self::ModelVersion => "model_version",
            Self::Dataset => "dataset",
            Self::Feature => "feature",
            Self::Pipeline => "pipeline",
            Self::PipelineRun => "pipeline_run",
            Self::Endpoint => "endpoint",
            Self::Rollout => "rollout",
            Self::Monitor => "monitor",
            Self::Alarm => "alarm",
            Self::Approval => "approval",
            Self::Token => "token",
            Self::Webhook => "webhook",
            Self::User => "user",
            Self::CustomRole => "custom_role",
            Self::Segment => "segment",
            Self::EvaluationDataset => "evaluation_dataset",
            Self::Scorer => "scorer",
            Self::SavedView => "saved_view",
            Self::Issue => "issue",
            Self::GatewaySecret => "gateway_secret",
            Self::GatewayModel => "gateway_model",
            Self::GatewayEndpoint => "gateway_endpoint",
            Self::Purge => "purge",
            Self::RetentionRule => "retention_rule",
        }
    }

    /// The kind of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// One thing: its kind and its id or name. `model_version:flight-delay/7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The kind.
    pub kind: ResourceKind,
    /// The id or name within its workspace.
    pub id: String,
}

impl Subject {
    /// Names one thing.
    pub fn new(kind: ResourceKind, id: impl fmt::Display) -> Self {
        Self { kind, id: id.to_string() }
    }

    /// Reads the form that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        Some(Self { kind: ResourceKind::named(kind)?, id: id.to_owned() })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// Where an action happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The workspace.
    pub workspace: Name,
    /// The thing in it.
    pub subject: Subject,
}

impl Scope {
    /// A thing in a workspace.
    pub fn new(workspace: Name, subject: Subject) -> Self {
        Self { workspace, subject }
    }
}

/// The workspace that exists from the start.
pub fn default_workspace() -> Name {
    Name::default_workspace()
}
