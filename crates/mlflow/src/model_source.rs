//! Where a model version comes from: which sources are accepted, and where their artifacts lie.
//!
//! The rules are those of 3.18 (`_validate_source_run`, `_validate_source_model`,
//! `_resolve_registered_model_source_lineage`): what lies in this server must belong to the run or
//! logged model that the request names, and no path may lead elsewhere. Runs of elsewhere are accepted by
//! their names; only what lies here gets a digest, without which nothing is promoted.

use std::path::PathBuf;
use std::sync::Arc;

use mainstay_api::caller::Caller;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::name::Name;
use mainstay_core::object::ObjectPath;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::clip;
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::{ModelVersion, Stage, VersionDetail};
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_registry::prompt::{IS_PROMPT, says_prompt};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelId};
use mainstay_tracking::run::Run;

use crate::artifact_owner::is_readable;
use crate::artifact_path::{decoded, stored_at, within};
use crate::artifact_root::Place;
use crate::model_digest::digest;
use crate::run::parse_run_id;
use crate::uri::{NAMING_A_HOST, is_of_a_scheme, local_path, normal, with_small_scheme};
use crate::{Error, Mlflow, MlflowError, alias, logged_model};

/// What the clients write where a prompt version needs a source.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];

const MUST_OWN_RUN: &str =
    "The run_id request parameter must identify the resource that contains the source.";
const MUST_OWN_MODEL: &str =
    "The model_id request parameter must identify the resource that contains the source.";
const LOCAL: &str = "To use a local path as a model version source, the run_id request parameter has to be specified \
    and the local path has to be contained within the artifact directory of the run specified by the run_id.";
const OTHER_HOST: &str = "It is not a valid remote uri: a file: URI names a file of this host.";
const ABSOLUTE: &str = "Give an absolute path, without relative path references, '#' or control characters.";
const HOST: &str = "It names a host to load from. That must be where the artifacts of the run or logged model are that \
    the request names.";
const OTHER_REGISTRY: &str = "Registered models are named by models:/name/version, without a host.";
const PROMPT: &str = "Prompt versions cannot be used as model version sources.";

/// A source that was accepted.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) uri: String,
    /// Where clients find it, if `uri` names another version.
    pub(crate) location: Option<String>,
    pub(crate) run: Option<RunRef>,
    pub(crate) logged_model: Option<LoggedModelId>,
    pub(crate) digest: Option<Digest>,
}

fn invalid(uri: &str, reason: &'static str) -> Error {
    MlflowError::InvalidSource { uri: uri.chars().take(500).collect(), reason }.into()
}

/// A source by its form alone.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// `models:/m-…`, and what is below it.
    LoggedModel(LoggedModelId, String),
    /// `models:/name/version`, `models:/name/stage` or `models:/name@alias`.
    Registered(ModelName, Pointer),
    /// `runs:/id/path`.
    Run(String, String),
    /// In our own store.
    Stored(ObjectPath),
    /// On a disk, which clients and this server may share.
    Local(PathBuf),
    /// In a store that the clients can reach.
    Elsewhere,
    /// On a host that the URI names.
    OnHost,
}

#[derive(Debug, PartialEq, Eq)]
enum Pointer {
    Number(VersionNumber),
    Stage(Stage),
    Alias(String),
}

/// Sorts a source; `Err` holds what is wrong with it.
fn form(uri: &str) -> Result<Form, &'static str> {
    let clean = decoded(uri).map_err(|_| ABSOLUTE)?;
    if clean.starts_with('/') || clean.starts_with("file:") {
        return local_form(uri, &clean);
    }
    let relative = clean.split(['/', '\\']).any(|part| part == ".." || part == ".");
    if relative || clean.contains('#') || clean.contains(char::is_control) {
        return Err(ABSOLUTE);
    }
    let Some((scheme, rest)) = clean.split_once(':') else { return Err(LOCAL) };
    match scheme {
        "models" if rest.starts_with("//") => Err(OTHER_REGISTRY),
        "models" => models_form(rest.strip_prefix('/').ok_or(ABSOLUTE)?),
        "runs" => {
            let rest = rest.strip_prefix('/').filter(|rest| !rest.starts_with('/')).ok_or(MUST_OWN_RUN)?;
            let (id, below) = rest.split_once('/').unwrap_or((rest, ""));
            Ok(Form::Run(id.to_owned(), below.to_owned()))
        }
        "mlflow-artifacts" if rest.starts_with("//") => Ok(Form::OnHost),
        "mlflow-artifacts" => stored_at(&clean).and_then(Result::ok).map(Form::Stored).ok_or(ABSOLUTE),
        // A drive letter, or no scheme at all.
        one if one.len() == 1 || !one.bytes().all(is_of_a_scheme) => Err(LOCAL),
        one => {
            let path =
                rest.strip_prefix("//").map_or(rest, |rest| rest.find('/').map_or("", |at| &rest[at..]));
            if !path.starts_with('/') || path.len() == 1 {
                return Err(ABSOLUTE);
            }
            Ok(if NAMING_A_HOST.contains(&one) { Form::OnHost } else { Form::Elsewhere })
        }
    }
}

fn local_form(uri: &str, clean: &str) -> Result<Form, &'static str> {
    let host = clean.strip_prefix("file://").map_or("", |rest| rest.split('/').next().unwrap_or_default());
    if !matches!(host, "" | ".") && !host.starts_with("localhost") && !host.starts_with("127.0.0.1") {
        return Err(OTHER_HOST);
    }
    let path = local_path(uri).filter(|_| !clean.contains('#') && !clean.contains(char::is_control));
    path.map(|path| Form::Local(normal(&path))).ok_or(LOCAL)
}

fn models_form(rest: &str) -> Result<Form, &'static str> {
    const SHAPE: &str = "A models: URI is models:/m-…, models:/name/version or models:/name@alias.";
    let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
    if let Ok(id) = first.parse() {
        return Ok(Form::LoggedModel(id, below.to_owned()));
    }
    let (name, pointer) = match first.split_once('@') {
        Some((name, alias)) => (name, Pointer::Alias(alias.to_owned())),
        None if below.eq_ignore_ascii_case("latest") => (first, Pointer::Alias("latest".to_owned())),
        None => match Stage::choice(below) {
            Ok(stage) => (first, Pointer::Stage(stage)),
            Err(_) => (first, Pointer::Number(VersionNumber::parse(below).map_err(|_| SHAPE)?)),
        },
    };
    Ok(Form::Registered(ModelName::new(name).map_err(|_| SHAPE)?, pointer))
}

/// Checks what a client wants to register. Empty ids count as none.
pub(crate) async fn accept(
    state: &Mlflow,
    caller: &Caller,
    uri: String,
    (run, model): (Option<RunRef>, Option<LoggedModelId>),
    is_prompt: bool,
) -> Result<Source, Error> {
    let uri = with_small_scheme(uri);
    if caller.holds_levels() {
        // Whatever is registered, of what the request names besides nothing is linked that the caller may not read.
        known_run(state, caller, run.as_ref()).await?;
        if let Some(id) = model {
            known_model(state, caller, id).await?;
        }
    }
    if is_prompt {
        if !PROMPT_SOURCES.contains(&uri.as_str()) {
            return Err(MlflowError::PromptSource(clip(&uri)).into());
        }
        return Ok(Source { uri, location: None, run, logged_model: model, digest: None });
    }
    let form = form(&uri).map_err(|reason| invalid(&uri, reason))?;
    if let Form::Registered(name, pointer) = form {
        return copied(state, caller, (name, pointer), &uri, (run, model)).await;
    }
    let logged = match model {
        Some(id) => Some(known_model(state, caller, id).await?),
        None => None,
    };
    let place = directory(state, caller, form, (&uri, run.as_ref(), logged.as_ref())).await?;
    let digest = match place {
        Some(place) => digest(&*place.objects, &place.path).await?,
        None => None,
    };
    let run = run.or_else(|| logged.and_then(|logged| logged.source_run));
    Ok(Source { uri, location: None, run, logged_model: model, digest })
}

/// A version like another: it has that one's artifacts, whatever becomes of that one.
async fn copied(
    state: &Mlflow,
    caller: &Caller,
    (name, pointer): (ModelName, Pointer),
    uri: &str,
    (run, model): (Option<RunRef>, Option<LoggedModelId>),
) -> Result<Source, Error> {
    caller.may(Action::ModelRead, ResourceKind::Model, &name)?;
    let detail = pointed(state, &caller.workspace, &name, pointer).await?;
    if detail.tags.get(IS_PROMPT).is_some_and(|value| says_prompt(value)) {
        return Err(invalid(uri, PROMPT));
    }
    let found = detail.version;
    let logged = found.logged_model.and_then(|id| id.parse().ok());
    if (run.is_some() && run != found.run) || (model.is_some() && model != logged) {
        return Err(invalid(uri, "run_id and model_id must match the referenced model version."));
    }
    Ok(Source {
        uri: format!("models:/{name}/{}", found.number),
        location: Some(found.location),
        run: found.run,
        logged_model: logged,
        digest: found.digest,
    })
}

/// Where in our store the artifacts are, if they are there; refuses what neither the run nor the logged model
/// that the request names has.
async fn directory(
    state: &Mlflow,
    caller: &Caller,
    form: Form,
    (uri, run, logged): (&str, Option<&RunRef>, Option<&LoggedModel>),
) -> Result<Option<Place>, Error> {
    match form {
        // What this server may read there by its own means is judged when somebody asks for it, see `version_place`.
        Form::Elsewhere | Form::Registered(..) => Ok(None),
        Form::LoggedModel(id, below) => match logged {
            Some(logged) if logged.id == id => Ok(place(state, &logged.artifact_uri, &below)),
            _ => Err(invalid(uri, MUST_OWN_MODEL)),
        },
        Form::Run(..) if logged.is_some() => Err(invalid(uri, MUST_OWN_MODEL)),
        Form::Run(id, below) => match run {
            Some(run) if run.as_str() == id => {
                let found = known_run(state, caller, Some(run)).await?;
                Ok(found.and_then(|found| place(state, &found.artifact_uri, &below)))
            }
            _ => Err(invalid(uri, MUST_OWN_RUN)),
        },
        Form::Stored(path) => {
            let (root, reason) = owner(state, caller, run, logged).await?;
            let root = root.as_deref().and_then(stored_at).and_then(Result::ok);
            if root.is_some_and(|root| within(&path, &root)) {
                Ok(Some(Place::own(Arc::clone(&state.objects), path)))
            } else {
                Err(invalid(uri, reason))
            }
        }
        Form::Local(path) => {
            let (root, _) = owner(state, caller, run, logged).await?;
            let root = root.as_deref().and_then(local_path);
            if root.is_some_and(|root| path.starts_with(normal(&root))) {
                // Files outside the artifact root are not read.
                Ok(path.to_str().and_then(|path| state.place(path)).and_then(Result::ok))
            } else {
                Err(invalid(uri, LOCAL))
            }
        }
        Form::OnHost => {
            let (root, _) = owner(state, caller, run, logged).await?;
            let below = root.as_deref().and_then(|root| uri.strip_prefix(root.trim_end_matches('/')));
            if below.is_some_and(|below| below.starts_with('/')) { Ok(None) } else { Err(invalid(uri, HOST)) }
        }
    }
}

/// Where the artifacts of the logged model are, or else of the run; and what to say if a source is not there.
async fn owner(
    state: &Mlflow,
    caller: &Caller,
    run: Option<&RunRef>,
    logged: Option<&LoggedModel>,
) -> Result<(Option<String>, &'static str), Error> {
    Ok(match logged {
        Some(logged) => (Some(logged.artifact_uri.clone()), MUST_OWN_MODEL),
        None => (known_run(state, caller, run).await?.map(|run| run.artifact_uri), MUST_OWN_RUN),
    })
}

/// The logged model of this workspace; refused if the caller may not read it.
async fn known_model(state: &Mlflow, caller: &Caller, id: LoggedModelId) -> Result<LoggedModel, Error> {
    let found = logged_model::existing(state, &caller.workspace, id).await?.model;
    caller.may(Action::RunRead, ResourceKind::Experiment, found.experiment)?;
    Ok(found)
}

/// The run of this workspace that a client means, if there is one; refused if the caller may not read it.
pub(crate) async fn known_run(
    state: &Mlflow,
    caller: &Caller,
    run: Option<&RunRef>,
) -> Result<Option<Run>, Error> {
    let Some(id) = run.and_then(RunRef::id) else { return Ok(None) };
    let found = state.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
    let found = found.map(|detail| detail.run);
    if let Some(run) = &found {
        caller.may(Action::RunRead, ResourceKind::Experiment, run.experiment)?;
    }
    Ok(found)
}

/// What is `below` the artifacts at `root_uri`, if they are in our store.
fn place(state: &Mlflow, root_uri: &str, below: &str) -> Option<Place> {
    let root = state.place(root_uri)?.ok()?;
    let below = below.trim_end_matches('/');
    if below.is_empty() {
        return Some(root);
    }
    root.below(&ObjectPath::new(below).ok()?).ok()
}

/// The version that a `models:` URI names.
async fn pointed(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    pointer: Pointer,
) -> Result<VersionDetail, Error> {
    match pointer {
        Pointer::Number(number) => existing(state, workspace, name, number).await,
        Pointer::Alias(alias) => alias::pointed(state, workspace, name, alias).await,
        Pointer::Stage(wanted) => {
            crate::registered_model::existing(state, workspace, name).await?;
            let all = state.registered.latest_versions(workspace, std::slice::from_ref(name)).await?;
            let newest = all.into_iter().find(|latest| latest.version.stage == wanted);
            newest.ok_or_else(|| MlflowError::NoneInStage { model: name.clone(), stage: wanted }.into())
        }
    }
}

/// A version of this workspace, unless it was deleted.
pub(crate) async fn existing(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    number: VersionNumber,
) -> Result<VersionDetail, Error> {
    let found = state.registered.version(workspace, name, number).await?;
    let alive = found.filter(|detail| !detail.version.is_deleted());
    Ok(alive.ok_or_else(|| RegistryError::NoVersion(name.clone(), number))?)
}

/// Where this server finds the artifacts of a version. Whoever may read a model may read what lies with the run or the
/// logged model that a version names; of all else, what is theirs to read anyway. So nobody makes the server show what
/// is closed to them by a version that names it.
pub(crate) async fn version_place(
    state: &Mlflow,
    caller: &Caller,
    name: &ModelName,
    number: VersionNumber,
) -> Result<Place, Error> {
    let version = existing(state, &caller.workspace, name, number).await?.version;
    let uri = located(state, &caller.workspace, &version.location).await?;
    let place = state.place(&uri).ok_or(MlflowError::ElsewhereArtifacts(uri))??;
    if is_with_its_owner(state, &caller.workspace, &version, &place).await?
        || is_readable(state, caller, &place).await?
    {
        return Ok(place);
    }
    Err(MlflowError::ClosedSource { model: name.clone(), number }.into())
}

/// Whether a place is with the run or the logged model that a version names.
async fn is_with_its_owner(
    state: &Mlflow,
    workspace: &Name,
    version: &ModelVersion,
    place: &Place,
) -> Result<bool, Error> {
    let is_within = |root: &str| matches!(state.place(root), Some(Ok(root)) if place.is_within(&root));
    if let Some(id) = version.run.as_ref().and_then(RunRef::id) {
        let found = state.tracked.runs(workspace, &[id]).await?;
        if found.iter().any(|found| is_within(&found.run.artifact_uri)) {
            return Ok(true);
        }
    }
    let Some(id) = version.logged_model.as_deref().and_then(|id| id.parse().ok()) else { return Ok(false) };
    let found = state.tracked.logged_models(workspace, &[id]).await?;
    Ok(found.iter().any(|found| is_within(&found.model.artifact_uri)))
}

/// Where a location leads: into the artifacts of the run that it names, of the logged model, or where it says itself.
async fn located(state: &Mlflow, workspace: &Name, location: &str) -> Result<String, Error> {
    let Some(rest) = location.strip_prefix("runs:/") else {
        return of_logged_model(state, workspace, location).await;
    };
    let (run, below) = rest.split_once('/').unwrap_or((rest, ""));
    let id = parse_run_id(run)?;
    let found = state.tracked.runs(workspace, &[id]).await?.into_iter().next();
    let root = found.ok_or(TrackingError::NoRun(id))?.run.artifact_uri;
    Ok(mainstay_tracking::experiment::uri_below(&root, below))
}

/// A location, that of a logged model as its directory.
async fn of_logged_model(state: &Mlflow, workspace: &Name, location: &str) -> Result<String, Error> {
    let Ok(Form::LoggedModel(id, below)) = form(location) else { return Ok(location.to_owned()) };
    let found = logged_model::existing(state, workspace, id).await?.model.artifact_uri;
    Ok(if below.is_empty() { found } else { format!("{found}/{below}") })
}

/// Where a client finds the artifacts of a version; those of a logged model are in its directory.
pub(crate) async fn download_uri(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    number: VersionNumber,
) -> Result<String, Error> {
    let location = existing(state, workspace, name, number).await?.version.location;
    of_logged_model(state, workspace, &location).await
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
        let name = ModelName::new("m").unwrap();
        assert_eq!(
            form("models:/m/LATEST"),
            Ok(Form::Registered(name.clone(), Pointer::Alias("latest".into())))
        );
        assert_eq!(form("models:/m/staging"), Ok(Form::Registered(name, Pointer::Stage(Stage::Staging))));
        assert_eq!(form("runs:/run_1/model"), Ok(Form::Run("run_1".into(), "model".into())));
        assert_eq!(form("mlflow-artifacts:/0/r/artifacts/m"), Ok(Form::Stored(path("0/r/artifacts/m"))));
        assert_eq!(form("s3://bucket/model"), Ok(Form::Elsewhere));
        assert_eq!(form("dbfs:/model"), Ok(Form::Elsewhere));
        for local in [
            "/srv/r/model",
            "/srv/r/model/.",
            "/srv/r/model/../model",
            "file:///srv/r/model",
            "file:/srv/r//model",
        ] {
            assert_eq!(form(local), Ok(Form::Local("/srv/r/model".into())), "{local}");
        }
        // A client would ask the host, whatever lies at that path here.
        for named in ["mlflow-artifacts://host/0/r", "https://host/model", "hdfs://node/a/b"] {
            assert_eq!(form(named), Ok(Form::OnHost), "{named}");
        }
    }

    #[test]
    fn sources_that_lead_elsewhere_are_refused() {
        for bad in [
            "model",
            "./model",
            "file:model",
            "/srv/a#b",
            "file://123.456.789.123/path",
            "C:\\model",
            " mlflow-artifacts:/0/r/artifacts/x",
            "a_b://host/x",
            "mlflow-artifacts:/0/../../etc",
            "mlflow-artifacts://host/%2e%2e%2f%252e%252e/x",
            "s3://bucket",
            "s3:bucket/a",
            "s3://bucket/a/../b",
            "s3://bucket/a#b",
            "http://host/x%00",
            "models://profile/name/1",
            "models:/name",
            "models:/name/0",
            "runs://profile/x",
        ] {
            assert!(form(bad).is_err(), "{bad}: {:?}", form(bad));
        }
    }
}
