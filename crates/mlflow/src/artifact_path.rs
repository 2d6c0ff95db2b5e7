//! Paths and locations of artifacts: decoded until nothing is left to decode, then checked, then held
//! against the experiments of the caller's workspace.

use mainstay_api::caller::Caller;
use mainstay_core::name::Name;
use mainstay_core::object::ObjectPath;
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_tracking::experiment::ExperimentId;

use crate::{Error, Mlflow, MlflowError};

/// The scheme of what this server keeps.
const SCHEME: &str = "mlflow-artifacts:";
/// The folder below which places of workspaces lie.
const WORKSPACES: &str = "workspaces";
/// Longest path before decoding.
const MAX_RAW: usize = 4_096;

/// Decodes `%xx` until nothing changes, so that no further layer can find anything in it.
pub(crate) fn decoded(text: &str) -> Result<String, MlflowError> {
    if text.len() > MAX_RAW {
        return Err(MlflowError::InvalidPath);
    }
    let mut text = text.to_owned();
    // Each round shortens the text, so this ends.
    while let Some(shorter) = decoded_once(&text)? {
        text = shorter;
    }
    Ok(text)
}

/// `None` if there is nothing to decode.
fn decoded_once(text: &str) -> Result<Option<String>, MlflowError> {
    let (mut bytes, mut rest, mut changed) = (Vec::with_capacity(text.len()), text.as_bytes(), false);
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
            changed = true;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    if !changed {
        return Ok(None);
    }
    String::from_utf8(bytes).map(Some).map_err(|_| MlflowError::InvalidPath)
}

/// Checks a path that a client sent.
pub(crate) fn artifact_path(text: &str) -> Result<ObjectPath, MlflowError> {
    ObjectPath::new(decoded(text)?).map_err(|_| MlflowError::InvalidPath)
}

/// Where in our store the artifacts of a URI are; `None` if they are elsewhere. `mlflow-artifacts:/a`
/// and `mlflow-artifacts://host/a` are `a`.
pub(crate) fn stored_at(uri: &str) -> Option<Result<ObjectPath, MlflowError>> {
    let rest = uri.strip_prefix(SCHEME)?;
    let path = match rest.strip_prefix("//") {
        Some(authority_and_path) => authority_and_path.split_once('/').map_or("", |(_, path)| path),
        None => rest.trim_start_matches('/'),
    };
    Some(artifact_path(path.trim_end_matches('/')))
}

/// Checks the place that a client wants an experiment's artifacts to go to. Numbers below our own root
/// are the folders of experiments that name no place, so nobody may ask for one.
///
/// Whoever names a place can read and write it. So places in our store are those of their workspace: below
/// `workspaces/<name>`, which nobody else may name; only the default workspace may use other folders.
pub(crate) fn checked_location(uri: String, workspace: &Name) -> Result<String, MlflowError> {
    let wrong = |hint: &str| MlflowError::invalid("artifact_location", &uri, hint);
    let clean = decoded(&uri).map_err(|_| wrong("it cannot be read"))?;
    if clean.split('/').any(|part| part == "..")
        || clean.contains(['#', '?'])
        || clean.contains(char::is_control)
    {
        return Err(wrong("it must not hold '..', '#', '?' or control characters"));
    }
    if let Some(path) = stored_at(&uri) {
        let path = path.map_err(|_| wrong("it is no path below the artifact root"))?;
        let first = path.as_str().split('/').next().unwrap_or_default();
        if ExperimentId::parse(first).is_ok() {
            return Err(wrong("numbered folders belong to experiments without a location; name another"));
        }
        // Whoever put an experiment there could read models of other workspaces, and replace them.
        let own = ObjectPath::new(format!("{WORKSPACES}/{workspace}")).is_ok_and(|own| within(&path, &own));
        if !own && (first == WORKSPACES || *workspace != default_workspace()) {
            let hint = format!("in this workspace it must lie below {SCHEME}/{WORKSPACES}/{workspace}");
            return Err(wrong(&hint));
        }
        if first == ObjectPath::MODELS {
            return Err(wrong("this folder holds the models that are served; name another"));
        }
    }
    Ok(uri)
}

/// Whether `path` is `root` or below it.
pub(crate) fn within(path: &ObjectPath, root: &ObjectPath) -> bool {
    let rest = path.as_str().strip_prefix(root.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Refuses a path that belongs to no experiment of the workspace, or to one to which the caller may not do what the
/// route does.
pub(crate) async fn owned(state: &Mlflow, caller: &Caller, path: &ObjectPath) -> Result<(), Error> {
    let workspace = &caller.workspace;
    let admitted = |id: ExperimentId| Ok(caller.admitted(ResourceKind::Experiment, id)?);
    let covers =
        |location: &str| stored_at(location).and_then(Result::ok).is_some_and(|root| within(path, &root));
    let first = path.as_str().split('/').next().unwrap_or_default();
    if let Ok(id) = ExperimentId::parse(first)
        && let Some(found) = state.tracked.experiment(workspace, id).await?
        && covers(&found.experiment.artifact_location)
    {
        return admitted(id);
    }
    let all = state.tracked.experiments(workspace).await?;
    let mut owners = all.iter().filter(|found| covers(&found.experiment.artifact_location)).peekable();
    if owners.peek().is_none() {
        return Err(MlflowError::NoArtifact(path.to_string()).into());
    }
    // Several may name one place; whoever is denied one of them is denied what lies there.
    owners.try_for_each(|found| admitted(found.experiment.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_to_the_end_and_then_checked() {
        for (text, path) in [("0/a/b.txt", "0/a/b.txt"), ("0/a%20b", "0/a b"), ("0/100%", "0/100%")] {
            assert_eq!(artifact_path(text).unwrap().as_str(), path);
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../x",
            "a/%2e%2e/x",
            "a/%252e%252e/x",
            "a%2F..%2Fx",
            "a/%25252e%25252e",
            "a\\b",
            "a%5cb",
            "C:/x",
            "a#b",
            "a%23b",
            "a%00",
            "a%ff",
            "a//b",
            "file:///x",
        ] {
            assert_eq!(artifact_path(bad), Err(MlflowError::InvalidPath), "{bad}");
        }
        assert_eq!(artifact_path(&"%25".repeat(2_000)), Err(MlflowError::InvalidPath));
    }

    #[test]
    fn locations_are_ours_or_elsewhere() {
        let path = |uri| stored_at(uri).unwrap().unwrap().as_str().to_owned();
        assert_eq!(path("mlflow-artifacts:/0/r/artifacts"), "0/r/artifacts");
        assert_eq!(path("mlflow-artifacts://host:5000/0/r/"), "0/r");
        assert!(stored_at("s3://bucket/x").is_none());
        let here = default_workspace();
        for good in [
            "s3://bucket/x",
            "mlflow-artifacts:/team/a",
            "/srv/shared",
            "mlflow-artifacts:/workspaces/default/a",
        ] {
            assert!(checked_location(good.to_owned(), &here).is_ok(), "{good}");
        }
        for bad in [
            "mlflow-artifacts:/7",
            "mlflow-artifacts:/%37/x",
            "s3://b/../c",
            "s3://b#x",
            "mlflow-artifacts:/",
            "mlflow-artifacts:/models",
            "mlflow-artifacts:/workspaces/beta/x",
            "mlflow-artifacts:/workspaces",
            "mlflow-artifacts://host/%6dodels/ab",
        ] {
            assert!(checked_location(bad.to_owned(), &here).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_names_the_places_of_another_workspace() {
        let beta = Name::new("beta").unwrap();
        let at = |uri: &str| checked_location(uri.to_owned(), &beta);
        assert!(at("mlflow-artifacts:/workspaces/beta").is_ok() && at("s3://bucket/x").is_ok());
        for bad in
            ["team", "workspaces", "workspaces/betas/x", "workspaces/default/x", "workspaces/beta/../default"]
        {
            assert!(at(&format!("mlflow-artifacts:/{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_root_covers_what_is_below_it_only() {
        let path = |text: &str| ObjectPath::new(text).unwrap();
        assert!(within(&path("1/a"), &path("1")) && within(&path("1"), &path("1")));
        assert!(!within(&path("10/a"), &path("1")));
    }
}
