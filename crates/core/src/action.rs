//! What can be done. A route names one; a command names one; the policy speaks of nothing else.

use std::fmt;

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
    /// Read registered models, versions and aliases.
    ModelRead = "model.read";
    /// Register models and versions, and change their descriptions, tags and free aliases.
    ModelWrite = "model.write";
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
    /// Read the record.
    AuditRead = "audit.read";
    /// Write what every act leaves behind, a refusal for instance.
    AuditWrite = "audit.write";
    /// Manage tokens, grants, workspaces and webhooks.
    AccessManage = "access.manage";
}

impl Action {
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
