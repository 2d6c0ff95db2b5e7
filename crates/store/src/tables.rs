//! Every table, and the class that it belongs to (invariant 1).

/// What may happen to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A change comes with an event in the same transaction.
    Record,
    /// Leases, heartbeats, cursors, caches: no event, expendable or rebuildable, never read by
    /// governance.
    Operational,
    /// Metric points, spans, predictions, labels: one event per sealed block or segment.
    Bulk,
    /// The log itself, and what the writer keeps beside it.
    Log,
}

/// The classes, in alphabetical order of the tables.
pub const TABLES: &[(&str, Class)] = &[
    ("alarms", Class::Record),
    ("api_tokens", Class::Record),
    ("approvals", Class::Record),
    ("audit_heads", Class::Log),
    ("audit_tree", Class::Log),
    ("custom_role_members", Class::Record),
    ("custom_role_permissions", Class::Record),
    ("custom_roles", Class::Record),
    ("datasets", Class::Record),
    ("endpoint_revisions", Class::Record),
    ("endpoints", Class::Record),
    ("evaluation_dataset_experiments", Class::Record),
    ("evaluation_dataset_tags", Class::Record),
    ("evaluation_datasets", Class::Record),
    ("evaluation_records", Class::Record),
    ("event_runs", Class::Operational),
    ("events", Class::Log),
    ("experiment_tags", Class::Record),
    ("experiments", Class::Record),
    ("feature_definitions", Class::Record),
    ("feature_materialisations", Class::Record),
    ("gate_reports", Class::Record),
    ("logged_model_metrics", Class::Record),
    ("logged_model_params", Class::Record),
    ("logged_model_tags", Class::Record),
    ("logged_models", Class::Record),
    ("metric_blocks", Class::Bulk),
    ("model_aliases", Class::Record),
    ("model_tags", Class::Record),
    ("model_version_tags", Class::Record),
    ("model_versions", Class::Record),
    ("monitor_looks", Class::Operational),
    ("permissions", Class::Record),
    ("pipeline_definitions", Class::Record),
    ("pipeline_runs", Class::Record),
    ("pipeline_steps", Class::Operational),
    ("pipelines", Class::Record),
    ("registered_models", Class::Record),
    ("role_grants", Class::Record),
    ("rollouts", Class::Record),
    ("run_dataset_inputs", Class::Record),
    ("run_datasets", Class::Record),
    ("run_metrics", Class::Record),
    ("run_model_inputs", Class::Record),
    ("run_model_outputs", Class::Record),
    ("run_params", Class::Record),
    ("run_tags", Class::Record),
    ("runs", Class::Record),
    ("schedule_firings", Class::Record),
    ("schema_version", Class::Operational),
    ("scorer_online_configs", Class::Record),
    ("scorer_versions", Class::Record),
    ("scorers", Class::Record),
    ("sealed_segments", Class::Record),
    ("span_blocks", Class::Bulk),
    ("step_ledger", Class::Operational),
    ("step_results", Class::Record),
    ("table_versions", Class::Record),
    ("trace_metadata", Class::Record),
    ("trace_prompts", Class::Record),
    ("trace_runs", Class::Record),
    ("trace_tags", Class::Record),
    ("traces", Class::Record),
    ("trigger_positions", Class::Operational),
    ("user_passwords", Class::Record),
    ("users", Class::Record),
    ("validations", Class::Record),
    ("webhook_cursors", Class::Operational),
    ("webhooks", Class::Record),
    ("workspaces", Class::Record),
];

/// The tables of a class.
pub fn of_class(class: Class) -> impl Iterator<Item = &'static str> {
    TABLES.iter().filter(move |(_, c)| *c == class).map(|(name, _)| *name)
}
