//! Where a model version comes from: which sources are accepted, and where their artifacts lie.
//!
//! The rules are those of 3.18 (`_validate_source_run`, `_validate_source_model`,
//! `_resolve_registered_model_source_lineage`): what lies in this server must belong to the run or
//! logged model that the request names, and no path may lead elsewhere.

use mainstay_core::digest::Digest;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::object::ObjectPath;
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_tracking::logged_model::LoggedModelId;

use super::artifact_path::{decoded, stored_at, within};
use super::model_digest::digest;
use super::{Error, Mlflow, MlflowError, logged_model, run};

/// What the clients write where a prompt version needs a source.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];
/// How many times a version may be a copy of a copy.
const MAX_COPIES: usize = 8;

const MUST_OWN_RUN: &str =
    "The run_id request parameter must identify the resource that contains the source.";
const MUST_OWN_MODEL: &str =
    "The model_id request parameter must identify the resource that contains the source.";
const LOCAL: &str = "A path on a client's disk cannot be loaded by others; log the model to a run first.";
const RELATIVE: &str = "It must be absolute, without relative path references, '#' or control characters.";

/// A source that was accepted.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) run: Option<RunId>,
    pub(super) logged_model: Option<LoggedModelId>,
    pub(super) digest: Option<Digest>,
}

fn invalid(uri: &str, reason: &'static str) -> Error {
    MlflowError::InvalidSource { uri: uri.chars().take(500).collect(), reason }.into()
}

/// A source by its form alone.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// `models:/m-…`, and what is below it.
    LoggedModel(LoggedModelId, String),
    /// `models:/name/version` or `models:/name@alias`.
    Registered(ModelName, Pointer),
    /// `runs:/id/path`.
    Run(RunId, String),
    /// In our own store.
    Stored(ObjectPath),
    /// In a store that the clients can reach.
    Elsewhere,
}

#[derive(Debug, PartialEq, Eq)]
enum Pointer {
    Number(VersionNumber),
    Alias(String),
}

/// Sorts a source; `Err` holds what is wrong with it.
fn form(uri: &str) -> Result<Form, &'static str> {
    let clean = decoded(uri).map_err(|_| RELATIVE)?;
    let relative = clean.split(['/', '\\']).any(|part| part == ".." || part == ".");
    if relative || clean.contains('#') || clean.contains(char::is_control) {
        return Err(RELATIVE);
    }
    let Some((scheme, rest)) = clean.split_once(':') else { return Err(LOCAL) };
    match scheme.to_ascii_lowercase().as_str() {
        "models" => {
            models_form(rest.strip_prefix('/').filter(|rest| !rest.starts_with('/')).ok_or(RELATIVE)?)
        }
        "runs" => {
            let rest = rest.strip_prefix('/').filter(|rest| !rest.starts_with('/')).ok_or(MUST_OWN_RUN)?;
            let (id, below) = rest.split_once('/').unwrap_or((rest, ""));
            id.parse().map(|id| Form::Run(id, below.to_owned())).map_err(|_| MUST_OWN_RUN)
        }
        "mlflow-artifacts" => stored_at(&clean).and_then(Result::ok).map(Form::Stored).ok_or(RELATIVE),
        "file" => Err(LOCAL),
        "http" | "https" if clean.contains("/mlflow-artifacts/artifacts") => {
            Err("Name artifacts of this server by their mlflow-artifacts:, runs: or models: URI.")
        }
        // A drive letter.
        one if one.len() == 1 => Err(LOCAL),
        _ => Ok(Form::Elsewhere),
    }
}

fn models_form(rest: &str) -> Result<Form, &'static str> {
    const SHAPE: &str = "A models: URI is models:/m-…, models:/name/version or models:/name@alias.";
    let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
    if let Ok(id) = first.parse() {
        return Ok(Form::LoggedModel(id, below.to_owned()));
    }
    let (name, pointer) = match first.split_once('@') {
        Some((name, alias)) => (name, Pointer::Alias(alias.to_owned())),
        None => (first, Pointer::Number(VersionNumber::parse(below).map_err(|_| SHAPE)?)),
    };
    Ok(Form::Registered(ModelName::new(name).map_err(|_| SHAPE)?, pointer))
}

/// Checks what a client wants to register. Empty ids count as none.
pub(super) async fn accept(
    state: &Mlflow,
    workspace: &Name,
    uri: String,
    (run, model): (Option<RunId>, Option<LoggedModelId>),
    is_prompt: bool,
) -> Result<Source, Error> {
    if is_prompt {
        if !PROMPT_SOURCES.contains(&uri.as_str()) {
            return Err(invalid(&uri, "Prompt sources must use an MLflow placeholder."));
        }
        return Ok(Source { uri, run, logged_model: model, digest: None });
    }
    let (run, model, directory) = match form(&uri).map_err(|reason| invalid(&uri, reason))? {
        Form::Elsewhere => (run, model, None),
        Form::Registered(name, pointer) => {
            let found = pointed(state, workspace, &name, pointer).await?.version;
            let (number, logged) = (found.number, found.logged_model.and_then(|id| id.parse().ok()));
            if (run.is_some() && run != found.run) || (model.is_some() && model != logged) {
                return Err(invalid(&uri, "run_id and model_id must match the referenced model version."));
            }
            let uri = format!("models:/{name}/{number}");
            return Ok(Source { uri, run: found.run, logged_model: logged, digest: found.digest });
        }
        Form::LoggedModel(id, below) => {
            if model != Some(id) {
                return Err(invalid(&uri, MUST_OWN_MODEL));
            }
            let found = logged_model::existing(state, workspace, id).await?.model;
            (run.or(found.source_run), model, place(&found.artifact_uri, &below))
        }
        Form::Run(id, below) => {
            if run != Some(id) {
                return Err(invalid(&uri, MUST_OWN_RUN));
            }
            let found = run::existing(state, workspace, id).await?.run;
            (run, model, place(&found.artifact_uri, &below))
        }
        Form::Stored(path) => {
            let (root, reason) = match (model, run) {
                (Some(id), _) => {
                    let found = logged_model::existing(state, workspace, id).await?.model;
                    (found.artifact_uri, MUST_OWN_MODEL)
                }
                (None, Some(id)) => {
                    (run::existing(state, workspace, id).await?.run.artifact_uri, MUST_OWN_RUN)
                }
                (None, None) => return Err(invalid(&uri, MUST_OWN_RUN)),
            };
            if !place(&root, "").is_some_and(|root| within(&path, &root)) {
                return Err(invalid(&uri, reason));
            }
            (run, model, Some(path))
        }
    };
    let digest = match directory {
        Some(directory) => digest(&*state.objects, &directory).await?,
        None => None,
    };
    Ok(Source { uri, run, logged_model: model, digest })
}

/// What is `below` the artifacts at `root_uri`, if they are in our store.
fn place(root_uri: &str, below: &str) -> Option<ObjectPath> {
    let root = stored_at(root_uri)?.ok()?;
    let below = below.trim_end_matches('/');
    if below.is_empty() { Some(root) } else { root.join(below).ok() }
}

/// The version that a `models:` URI names.
async fn pointed(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    pointer: Pointer,
) -> Result<VersionDetail, Error> {
    let number = match pointer {
        Pointer::Number(number) => number,
        Pointer::Alias(alias) => {
            let detail = super::registered_model::existing(state, workspace, name).await?;
            let found = detail.aliases.iter().find(|(known, _)| known.as_str() == alias);
            *found.ok_or(MlflowError::NoAlias(alias))?.1
        }
    };
    existing(state, workspace, name, number).await
}

/// A version of this workspace, unless it was deleted.
pub(super) async fn existing(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    number: VersionNumber,
) -> Result<VersionDetail, Error> {
    let found = state.registered.version(workspace, name, number).await?;
    let alive = found.filter(|detail| !detail.version.is_deleted());
    Ok(alive.ok_or_else(|| RegistryError::NoVersion(name.clone(), number))?)
}

/// Where a client finds the artifacts of a version: copies are followed to what they are copies of, and
/// logged models to their directory.
pub(super) async fn download_uri(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    number: VersionNumber,
) -> Result<String, Error> {
    let mut uri = existing(state, workspace, name, number).await?.version.source;
    for _ in 0..MAX_COPIES {
        match form(&uri) {
            Ok(Form::Registered(name, pointer)) => {
                uri = pointed(state, workspace, &name, pointer).await?.version.source;
            }
            Ok(Form::LoggedModel(id, below)) => {
                let found = logged_model::existing(state, workspace, id).await?.model.artifact_uri;
                return Ok(if below.is_empty() { found } else { format!("{found}/{below}") });
            }
            _ => return Ok(uri),
        }
    }
    Err(invalid(&uri, "It is a copy of a copy of a copy, deeper than is followed."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_sorted_by_their_form() {
        let (hex, path) = ("ab".repeat(16), |text: &str| ObjectPath::new(text).unwrap());
        let id: LoggedModelId = format!("m-{hex}").parse().unwrap();
        let name = ModelName::new("a b").unwrap();
        assert_eq!(form(&format!("models:/m-{hex}")), Ok(Form::LoggedModel(id, String::new())));
        assert_eq!(form(&format!("models:/m-{hex}/x/y")), Ok(Form::LoggedModel(id, "x/y".into())));
        let second = Pointer::Number(VersionNumber(2));
        assert_eq!(form("models:/a%20b/2"), Ok(Form::Registered(name.clone(), second)));
        assert_eq!(form("models:/a b@best"), Ok(Form::Registered(name, Pointer::Alias("best".into()))));
        assert_eq!(form(&format!("runs:/{hex}/model")), Ok(Form::Run(hex.parse().unwrap(), "model".into())));
        assert_eq!(form("mlflow-artifacts:/0/r/artifacts/m"), Ok(Form::Stored(path("0/r/artifacts/m"))));
        assert_eq!(form("mlflow-artifacts://host/0/r"), Ok(Form::Stored(path("0/r"))));
        assert_eq!(form("s3://bucket/model"), Ok(Form::Elsewhere));
    }

    #[test]
    fn sources_that_lead_elsewhere_are_refused() {
        for bad in [
            "/etc/passwd",
            "model",
            "file:///tmp/model",
            "C:\\model",
            "mlflow-artifacts:/0/../../etc",
            "mlflow-artifacts://host/%2e%2e%2f%252e%252e/x",
            "s3://bucket/a/../b",
            "s3://bucket/a#b",
            "https://host/api/2.0/mlflow-artifacts/artifacts/0/r",
            "http://host/x%00",
            "models://profile/name/1",
            "models:/name",
            "models:/name/0",
            "runs://profile/x",
            "runs:/short/model",
        ] {
            assert!(form(bad).is_err(), "{bad}: {:?}", form(bad));
        }
    }
}
