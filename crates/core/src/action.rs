//! What can be done. A route names one; a command names one; the policy speaks of nothing else.

use std::fmt;

use crate::scope::ResourceKind;

macro_rules! actions {
    ($($(#[$meta:meta])* $variant:ident = $text:literal;)*) => {
        /// Something that a principal may or may not do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$meta])* $variant,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name used in policies and in the record.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

actions! {
    /// Learn that the server lives, and which it is.
    ServerProbe = "server.probe";
    /// Read the server's own metrics and status.
    ServerRead = "server.read";
    /// Read experiments, runs, metrics and their artifacts.
    RunRead = "run.read";
    /// Create and change experiments and runs, and log to them.
    RunWrite = "run.write";
    /// Delete and restore experiments, runs and logged models, and remove their artifacts.
    RunDelete = "run.delete";
    /// Delete experiments, runs, logged models and traces for good.
    RunPurge = "run.purge";
    /// Create experiments.
    ExperimentCreate = "experiment.create";
    /// Read registered models, versions and aliases.
    ModelRead = "model.read";
    /// Register versions, and change models and versions: their descriptions, tags and free aliases.
    ModelWrite = "model.write";
    /// Delete models, versions and aliases.
    ModelDelete = "model.delete";
    /// Register models.
    ModelCreate = "model.create";
    /// Make a version what a governed endpoint serves.
    ModelPromote = "model.promote";
    /// Read datasets, table versions and validation results.
    DataRead = "data.read";
    /// Import data and change suites.
    DataWrite = "data.write";
    /// Read feature definitions and values.
    FeatureRead = "feature.read";
    /// Change feature definitions and materialise.
    FeatureWrite = "feature.write";
    /// Read pipelines, their runs and logs.
    PipelineRead = "pipeline.read";
    /// Start and cancel pipeline runs.
    PipelineRun = "pipeline.run";
    /// Record what a step did; held by the engine.
    PipelineStep = "pipeline.step";
    /// Decide an approval.
    ApprovalDecide = "approval.decide";
    /// Read endpoints and their rollouts.
    EndpointRead = "endpoint.read";
    /// Create and change endpoints and their policies.
    EndpointWrite = "endpoint.write";
    /// Put an endpoint back to the version before.
    EndpointRollback = "endpoint.rollback";
    /// Ask a model for predictions.
    EndpointInvoke = "endpoint.invoke";
    /// Report what really happened.
    LabelWrite = "label.write";
    /// Read monitors, profiles and alarms.
    MonitorRead = "monitor.read";
    /// Change monitors, and record what they found.
    MonitorWrite = "monitor.write";
    /// Read the LLM gateway's secrets (without their values), model definitions and endpoints.
    GatewayRead = "gateway.read";
    /// Make, change and remove them.
    GatewayManage = "gateway.manage";
    /// Read how much was purged, and by which rules things are.
    RetentionRead = "retention.read";
    /// Say by which rules things are purged, and look what they would take.
    RetentionManage = "retention.manage";
    /// Read the record.
    AuditRead = "audit.read";
    /// Write what every act leaves behind, a refusal for instance.
    AuditWrite = "audit.write";
    /// Manage tokens, grants, workspaces and webhooks.
    AccessManage = "access.manage";
    /// Say who may do what with a thing: grant levels on it, or, of a workspace, manage its custom roles.
    AccessShare = "access.share";
    /// Manage users and workspaces: what belongs to the server as a whole.
    ServerManage = "server.manage";
    /// Learn who one is, and change one's own password.
    AccountUse = "account.use";
}

impl Action {
    /// The kind of thing that it is done to, where levels on single things count.
    pub const fn object(self) -> Option<ResourceKind> {
        match self {
            Self::RunRead | Self::RunWrite | Self::RunDelete | Self::ExperimentCreate => {
                Some(ResourceKind::Experiment)
            }
            Self::ModelRead
            | Self::ModelWrite
            | Self::ModelDelete
            | Self::ModelCreate
            | Self::ModelPromote => Some(ResourceKind::Model),
            _ => None,
        }
    }

    /// The action of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
