//! The rows that hang on things, and how they are removed a bounded number at a time.

use mainstay_retention::target::TargetKind;

/// A statement that removes at most `$2` rows of the thing that `$1` names.
macro_rules! some_of {
    ($table:literal, $of:literal, $key:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ",
            $of,
            " = $1 AND (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $of,
            " = $1 LIMIT $2)"
        )
    };
}

const OF_RUN: &[&str] = &[
    some_of!("run_params", "run", "key"),
    some_of!("run_tags", "run", "key"),
    some_of!("run_metrics", "run", "key"),
    some_of!("metric_due", "run", "key"),
    some_of!("metric_summaries", "run", "key, tier, ordinal"),
    some_of!("metric_segments", "run", "key, ordinal"),
    some_of!("metric_blocks", "run", "key, number"),
    some_of!("run_dataset_inputs", "run", "name, digest"),
    some_of!("run_model_inputs", "run", "model"),
    some_of!("run_model_outputs", "run", "model"),
];

const OF_MODEL: &[&str] = &[
    some_of!("logged_model_params", "model", "key"),
    some_of!("logged_model_tags", "model", "key"),
    some_of!(
        "logged_model_metrics",
        "model",
        "run, key, dataset_name, dataset_digest, step, timestamp_ms, value"
    ),
    some_of!("run_model_inputs", "model", "run"),
    some_of!("run_model_outputs", "model", "run"),
];

/// By the number of an experiment, once nothing is left that becomes an item.
const OF_EXPERIMENT: &[&str] = &[
    some_of!("experiment_tags", "experiment", "key"),
    some_of!("run_datasets", "experiment", "name, digest"),
    // In the order of their ids, so that none goes before its versions.
    "DELETE FROM scorer_online_configs WHERE scorer IN (SELECT id FROM scorers WHERE experiment = $1 ORDER BY id \
     LIMIT $2)",
    "DELETE FROM scorer_versions WHERE scorer IN (SELECT id FROM scorers WHERE experiment = $1 ORDER BY id LIMIT $2)",
    "DELETE FROM scorers WHERE id IN (SELECT id FROM scorers WHERE experiment = $1 ORDER BY id LIMIT $2)",
    some_of!("issues", "experiment", "workspace, id"),
];

/// What removes the rows of such a thing.
pub(super) const fn of(kind: TargetKind) -> &'static [&'static str] {
    match kind {
        TargetKind::Run => OF_RUN,
        TargetKind::LoggedModel => OF_MODEL,
        TargetKind::Experiment => OF_EXPERIMENT,
        // A trace's rows go with it, and those of a run stay whose artifacts alone go.
        TargetKind::Trace | TargetKind::RunArtifacts => &[],
    }
}
