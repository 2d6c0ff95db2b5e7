//! Experiments: named groups of runs.

use std::collections::BTreeMap;

pub use mainstay_core::experiment::{
    Experiment, ExperimentId, ExperimentName, MAX_EXPERIMENT_NAME, experiment_subject,
};

/// An experiment with its tags: what readers hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentDetail {
    /// The experiment.
    pub experiment: Experiment,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The URI of what is `below` another one. What follows a `?` in one with a scheme stays at the end.
pub fn uri_below(uri: &str, below: &str) -> String {
    let has_scheme = uri.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    let (place, query) = match uri.split_once('?') {
        Some((place, query)) if has_scheme => (place, Some(query)),
        _ => (uri, None),
    };
    let place = place.trim_end_matches('/');
    match query {
        None => format!("{place}/{below}"),
        Some(query) => format!("{place}/{below}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_uri_stands_before_its_query() {
        for (uri, below) in [
            ("mlflow-artifacts:/", "mlflow-artifacts:/7/a"),
            ("file:///srv/a", "file:///srv/a/7/a"),
            ("s3://b/p?x=1&y=2", "s3://b/p/7/a?x=1&y=2"),
            ("/srv/what?/now", "/srv/what?/now/7/a"),
        ] {
            assert_eq!(uri_below(uri, "7/a"), below);
        }
    }
}
