//! Experiments, runs, metrics, params, tags and logged models.
