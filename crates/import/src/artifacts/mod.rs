//! Artifacts: which places of a stock server are copied where, and the copying.

mod copy;

use std::path::PathBuf;

use mainstay_core::object::ObjectPath;
use serde::Serialize;

use crate::error::ImportError;

pub use copy::{Copier, Measured, measure};

/// The scheme of what a server keeps for its clients.
const SCHEME: &str = "mlflow-artifacts:";

/// A place that is copied: what a stock server calls by URIs that begin with `from` lies in a directory here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Root {
    /// The beginning of the URIs, without a slash at its end.
    pub from: String,
    /// The directory.
    pub directory: PathBuf,
    /// Below which path of our own store it comes to lie; empty for the top.
    pub below: String,
}

impl Root {
    fn new(from: &str, directory: &str) -> Result<Self, ImportError> {
        let refused = |why| ImportError::ArtifactOption(format!("{from}={directory}"), why);
        let from = from.trim_end_matches('/').to_owned();
        if from.is_empty() || directory.is_empty() {
            return Err(refused("say FROM=DIR: the beginning of the URIs, and the directory that they mean"));
        }
        let below = match from.strip_prefix(SCHEME) {
            None => String::new(),
            Some(rest) => {
                let path = match rest.strip_prefix("//") {
                    Some(host_and_path) => host_and_path.split_once('/').map_or("", |(_, path)| path),
                    None => rest.trim_start_matches('/'),
                };
                if !path.is_empty() && ObjectPath::new(path).is_err() {
                    return Err(refused("the path in the URI is none that can be stored"));
                }
                path.to_owned()
            }
        };
        Ok(Self { from, directory: PathBuf::from(directory), below })
    }

    /// What a URI says behind the beginning; `None` if it does not begin so.
    fn rest<'a>(&self, uri: &'a str) -> Option<&'a str> {
        let rest = uri.strip_prefix(&self.from)?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/').map(|rest| rest.trim_start_matches('/'))
        }
    }

    /// Where a file of the directory comes to lie.
    pub fn target(&self, path: &str) -> Option<ObjectPath> {
        let path = if self.below.is_empty() { path.to_owned() } else { format!("{}/{path}", self.below) };
        // Models lie there by their digests, and objects that are being written: nobody else may write there.
        let is_free = |path: &ObjectPath| {
            let first = path.as_str().split('/').next();
            first != Some(ObjectPath::MODELS) && first != Some(ObjectPath::INCOMING)
        };
        ObjectPath::new(path).ok().filter(is_free)
    }
}

/// What is to be done about artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Artifacts {
    /// What is behind the stock server is in the data directory's artifacts already.
    pub are_kept: bool,
    /// What is copied.
    pub roots: Vec<Root>,
}

impl Artifacts {
    /// Reads the values of `--artifacts`: `keep`, `DIR` for what is behind the stock server, `FROM=DIR` for what it
    /// calls by URIs that begin with FROM.
    pub fn parse(values: &[String]) -> Result<Self, ImportError> {
        let mut artifacts = Self::default();
        for value in values {
            if value == "keep" {
                artifacts.are_kept = true;
                continue;
            }
            let root = match value.split_once('=') {
                Some((from, directory)) => Root::new(from, directory)?,
                None => Root::new(SCHEME, value)?,
            };
            if !root.directory.is_dir() {
                return Err(ImportError::ArtifactOption(value.clone(), "there is no such directory"));
            }
            if artifacts.roots.iter().any(|other| other.from == root.from) {
                return Err(ImportError::ArtifactOption(value.clone(), "that place is named twice"));
            }
            artifacts.roots.push(root);
        }
        if artifacts.are_kept && artifacts.roots.iter().any(|root| root.from == SCHEME) {
            let why = "either they are kept where they are, or copied";
            return Err(ImportError::ArtifactOption("keep".to_owned(), why));
        }
        // The longest beginning says most.
        artifacts.roots.sort_by(|a, b| b.from.len().cmp(&a.from.len()).then_with(|| a.from.cmp(&b.from)));
        Ok(artifacts)
    }

    /// A URI as it is here: of what is copied, where it comes to lie; of all else, as it was.
    pub fn uri(&self, uri: &str) -> String {
        for root in &self.roots {
            let Some(rest) = root.rest(uri) else { continue };
            if root.from == SCHEME {
                break;
            }
            let parts = [root.below.as_str(), rest].into_iter().filter(|part| !part.is_empty());
            return format!("{SCHEME}/{}", parts.collect::<Vec<_>>().join("/"));
        }
        uri.to_owned()
    }

    /// Whether somebody said where the artifacts of a URI are.
    pub fn covers(&self, uri: &str) -> bool {
        (self.are_kept && uri.starts_with(SCHEME)) || self.roots.iter().any(|root| root.rest(uri).is_some())
    }

    /// Whether a URI leads to the stock server.
    pub fn is_behind_server(uri: &str) -> bool {
        uri.starts_with(SCHEME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifacts(values: &[&str]) -> Result<Artifacts, ImportError> {
        Artifacts::parse(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_copied_has_the_uri_of_where_it_comes_to_lie() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().to_str().unwrap();
        let from = |from: &str| format!("{from}={place}");
        let all =
            artifacts(&[place, &from("file:///old/mlruns/"), &from("mlflow-artifacts://h:1/team")]).unwrap();
        assert_eq!(all.uri("mlflow-artifacts:/0/r/artifacts"), "mlflow-artifacts:/0/r/artifacts");
        assert_eq!(all.uri("file:///old/mlruns/0/r/artifacts"), "mlflow-artifacts:/0/r/artifacts");
        assert_eq!(all.uri("file:///old/mlruns2/0"), "file:///old/mlruns2/0");
        assert_eq!(all.uri("mlflow-artifacts://h:1/team/0/r"), "mlflow-artifacts:/team/0/r");
        assert_eq!(all.uri("models:/m-1"), "models:/m-1");
        assert!(all.covers("mlflow-artifacts:/x") && !all.covers("s3://bucket/x"));
        assert!(artifacts(&["keep"]).unwrap().covers("mlflow-artifacts:/x"));
        assert!(!artifacts(&["keep"]).unwrap().covers("file:///x"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().to_str().unwrap();
        for bad in [&["/nowhere/at/all"][..], &[place, place], &[place, "keep"], &["=x"], &["s3://b="]] {
            assert!(artifacts(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_comes_to_lie_among_the_models_that_are_served() {
        let root = Root::new(SCHEME, "/x").unwrap();
        assert!(root.target("0/r/artifacts/models/a").is_some());
        assert!(root.target("models/ab/model.onnx").is_none() && root.target("a#b").is_none());
        let below = Root::new("mlflow-artifacts:/team", "/x").unwrap();
        assert_eq!(below.target("models/x").unwrap().as_str(), "team/models/x");
    }
}
