//! Whose an artifact is that a client names by its path.
//!
//! Folders with a number belong to the experiments that name no place, `workspaces/<name>` to that workspace,
//! and a few to the server. Everything else is the default workspace's; what another workspace names plainly
//! lies in its own folder (`_get_workspace_scoped_repo_path_if_enabled`).

use std::sync::Arc;

use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::object::{Entry, ObjectPath};
use mainstay_core::permission::Readable;
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_tracking::experiment::ExperimentId;

use crate::artifact_path::{stored_at, within};
use crate::artifact_root::Place;
use crate::{Error, Mlflow, MlflowError};
use mainstay_api::caller::Caller;

/// The folder below which places of workspaces lie.
pub(crate) const WORKSPACES: &str = "workspaces";
/// Folders of the server's own.
const RESERVED: [&str; 2] = [ObjectPath::MODELS, ObjectPath::INCOMING];

fn first(path: &ObjectPath) -> &str {
    path.as_str().split('/').next().unwrap_or_default()
}

/// Where what a caller names really lies. Refuses what is not their workspace's, and what lies in an experiment to
/// which the caller may not do what the route does.
pub async fn owned(state: &Mlflow, caller: &Caller, path: ObjectPath) -> Result<ObjectPath, Error> {
    let workspace = &caller.workspace;
    let first = first(&path);
    let number = ExperimentId::parse(first).ok();
    if RESERVED.contains(&first) {
        return Err(MlflowError::NoArtifact(path.to_string()).into());
    }
    if first.eq_ignore_ascii_case(WORKSPACES) {
        let asked = path.as_str().split('/').nth(1).unwrap_or_default();
        if first == WORKSPACES && asked == workspace.as_str() {
            return admitted(state, caller, path).await;
        }
        let (asked, own) = (asked.to_owned(), workspace.to_string());
        return Err(MlflowError::OtherWorkspace { asked, own }.into());
    }
    if let Some(number) = number {
        caller.admitted(ResourceKind::Experiment, number)?;
        let is_theirs = of_experiment(state, workspace, number, &path).await?;
        return if is_theirs { Ok(path) } else { Err(MlflowError::NoArtifact(path.to_string()).into()) };
    }
    if *workspace == default_workspace() {
        return admitted(state, caller, path).await;
    }
    let path = ObjectPath::new(format!("{WORKSPACES}/{workspace}/{path}"));
    admitted(state, caller, path.map_err(|_| MlflowError::InvalidPath)?).await
}

/// Refuses a path in the place that an experiment has named, or above it, unless the caller may do to all of these
/// experiments what the route does. What no experiment has is for those alone whose role lets them in.
async fn admitted(state: &Mlflow, caller: &Caller, path: ObjectPath) -> Result<ObjectPath, Error> {
    if !caller.is_confined() {
        return Ok(path);
    }
    let place = Place::own(Arc::clone(&state.objects), path);
    let around = around(state, &caller.workspace, &place).await?;
    for id in around.all() {
        caller.admitted(ResourceKind::Experiment, id)?;
    }
    if around.outer.is_empty() {
        Err(MlflowError::NoArtifact(place.path.to_string()).into())
    } else {
        Ok(place.path)
    }
}

/// The experiments that have to do with a place.
struct Around {
    /// It lies in the places of these.
    outer: Vec<ExperimentId>,
    /// The places of these lie in it.
    inner: Vec<ExperimentId>,
}

impl Around {
    fn all(&self) -> impl Iterator<Item = ExperimentId> {
        self.outer.iter().chain(&self.inner).copied()
    }
}

async fn around(state: &Mlflow, workspace: &Name, place: &Place) -> Result<Around, Error> {
    let mut around = Around { outer: Vec::new(), inner: Vec::new() };
    for (id, named) in state.tracked.places(workspace).await? {
        let Some(Ok(own)) = state.place(&named) else { continue };
        if place.is_within(&own) {
            around.outer.push(id);
        } else if own.is_within(place) {
            around.inner.push(id);
        }
    }
    Ok(around)
}

/// Whether the caller may read a place in one of our stores, whatever names it: that of an experiment of this workspace
/// is for those who may read the experiment, and what none has is for those who may read whatever the workspace has.
pub(crate) async fn is_readable(state: &Mlflow, caller: &Caller, place: &Place) -> Result<bool, Error> {
    let around = around(state, &caller.workspace, place).await?;
    if around.all().any(|id| caller.may(Action::RunRead, ResourceKind::Experiment, id).is_err()) {
        return Ok(false);
    }
    let by_workspace = || {
        let readable = caller.doing(Action::RunRead).readable();
        place.is_of(&caller.workspace) && !matches!(readable, Readable::Only(_))
    };
    Ok(!around.outer.is_empty() || by_workspace())
}

/// Whether a path is below the place that an experiment has.
fn covers(location: &str, path: &ObjectPath) -> bool {
    stored_at(location).and_then(Result::ok).is_some_and(|root| within(path, &root))
}

/// Where a file lies that a caller wants to write or remove.
pub(crate) async fn writable(state: &Mlflow, caller: &Caller, path: ObjectPath) -> Result<ObjectPath, Error> {
    let path = owned(state, caller, path).await?;
    if is_folder_of_many(&path, state.artifact_root.folders(&caller.workspace, true).as_ref()) {
        Err(MlflowError::InvalidPath.into())
    } else {
        Ok(path)
    }
}

/// The root of what a caller of this workspace names; `None` is the root of the store.
pub(crate) fn root_of(workspace: &Name) -> Option<ObjectPath> {
    if *workspace == default_workspace() {
        return None;
    }
    ObjectPath::new(format!("{WORKSPACES}/{workspace}")).ok()
}

/// What somebody of the default workspace sees in the root of the store.
pub(crate) async fn seen(state: &Mlflow, caller: &Caller, mut all: Vec<Entry>) -> Result<Vec<Entry>, Error> {
    let experiments = state.tracked.places(&caller.workspace).await?;
    let readable = caller.readable();
    all.retain(|entry| match ExperimentId::parse(&entry.name) {
        Ok(id) => readable.has(id) && experiments.iter().any(|(other, _)| *other == id),
        Err(_) if caller.is_confined() => false,
        Err(_) => !RESERVED.contains(&entry.name.as_str()) && !entry.name.eq_ignore_ascii_case(WORKSPACES),
    });
    Ok(all)
}

/// Whether a path is a folder that is no artifact: nothing is put in its place, and it is not removed as a whole.
/// `root` is where the folders of experiments are that name no place, if that is not the root of the store.
fn is_folder_of_many(path: &ObjectPath, root: Option<&ObjectPath>) -> bool {
    let is_number = |name: &str| ExperimentId::parse(name).is_ok();
    let below_root = root.and_then(|root| path.as_str().strip_prefix(root.as_str())?.strip_prefix('/'));
    let (depth, first) = (path.as_str().split('/').count(), first(path));
    is_number(path.as_str())
        || below_root.is_some_and(is_number)
        || (depth <= 2 && first == WORKSPACES)
        || root.is_some_and(|root| within(root, path))
}

/// Whether a path lies in an experiment of the workspace, for one that begins with a number.
async fn of_experiment(
    state: &Mlflow,
    workspace: &Name,
    number: ExperimentId,
    path: &ObjectPath,
) -> Result<bool, Error> {
    let Some(found) = state.tracked.experiment(workspace, number).await? else { return Ok(false) };
    // An experiment of that number may have named another place.
    Ok(covers(&found.experiment.artifact_location, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_many_are_no_artifacts() {
        let path = |text: &str| ObjectPath::new(text).unwrap();
        let is = |text: &str| is_folder_of_many(&path(text), None);
        assert!(is("7") && is("workspaces") && is("workspaces/beta"));
        assert!(!is("7/a") && !is("a.txt") && !is("workspaces/beta/a"));
        let root = path("base/of");
        let is = |text: &str| is_folder_of_many(&path(text), Some(&root));
        assert!(is("base") && is("base/of") && is("base/of/7") && is("7"));
        assert!(!is("base/other") && !is("base/of/7/a") && !is("base/of/team") && !is("basement"));
        let root = root_of(&Name::new("beta").unwrap()).map(|path| path.to_string());
        assert_eq!((root.as_deref(), root_of(&default_workspace())), (Some("workspaces/beta"), None));
    }
}
