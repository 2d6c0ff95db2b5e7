//! What must hold of any bytes that are sent as the path of an artifact, as a place for artifacts, or to `/graphql`. The
//! fuzz targets in `fuzz/` look for bytes of which it does not; their corpora are replayed here.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::object::{ByteStream, Content, Entries, ObjectError, ObjectPath, Objects, Status};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::MachineTime;

pub use crate::graphql::fuzzed as graphql;

use crate::artifact_multipart::file_name;
use crate::artifact_owner::WORKSPACES;
use crate::artifact_path::{artifact_directory, stored_at};
use crate::artifact_root::ArtifactRoot;

/// A store of which only its place matters.
pub(crate) struct Nothing;

#[async_trait]
impl Objects for Nothing {
    async fn put(&self, _: &ObjectPath, _: ByteStream, limit: u64) -> Result<(), ObjectError> {
        Err(ObjectError::TooLarge { limit })
    }

    async fn get(&self, _: &ObjectPath, _: Option<Range<u64>>) -> Result<Option<Content>, StorageError> {
        Ok(None)
    }

    async fn status(&self, _: &ObjectPath) -> Result<Option<Status>, StorageError> {
        Ok(None)
    }

    async fn entries(&self, _: Option<&ObjectPath>) -> Result<Entries, StorageError> {
        Ok(Box::pin(futures::stream::empty()))
    }

    async fn delete(&self, _: &ObjectPath) -> Result<bool, StorageError> {
        Ok(false)
    }

    async fn discard_unfinished(&self, _: MachineTime) -> Result<u64, StorageError> {
        Ok(0)
    }
}

/// Whatever a store does with such a path, it stays below its root.
fn stays_below(path: &ObjectPath) {
    let parts: Vec<Component<'_>> = Path::new(path.as_str()).components().collect();
    assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))), "{path}");
    assert_eq!(parts.len(), path.as_str().split('/').count(), "{path}");
    assert!(!path.as_str().contains(|c: char| c == '\\' || c.is_control()), "{path}");
}

/// A path is refused, or stays where it is, whoever decodes it again; so does what a location means.
///
/// # Panics
///
/// If it is otherwise.
pub fn artifact_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(Some(path)) = artifact_directory(text) {
        stays_below(&path);
        assert_eq!(artifact_directory(path.as_str()), Ok(Some(path)), "{text}");
    }
    if let Some(Ok(path)) = stored_at(text) {
        stays_below(&path);
    }
    if let Ok(name) = file_name(text) {
        stays_below(&name);
        assert!(!name.as_str().contains('/'), "{name}");
    }
    let places =
        ["mlflow-artifacts:/", "mlflow-artifacts:/base/of", "/srv/a", "file:///srv/a%20b", "s3://b/p"];
    for (root, is_own) in places.map(|root| (root, false)).into_iter().chain([("s3://b/p", true)]) {
        let root = ArtifactRoot::new(root, PathBuf::from("/work/here"));
        let Ok(root) = root.map(|root| root.read_through(Arc::new(Nothing), is_own)) else { continue };
        for workspace in [Ok(default_workspace()), Name::new("beta")].into_iter().flatten() {
            location(&root, text, &workspace, is_own);
        }
    }
}

/// A location that a client may name is nowhere in our stores, or in a folder that its workspace may name. `is_one` tells
/// that both of our stores are the same.
fn location(root: &ArtifactRoot, text: &str, workspace: &Name, is_one: bool) {
    let Ok(uri) = root.checked(text.to_owned(), workspace) else { return };
    let spot = |uri: &str| {
        let own = stored_at(uri).map(|path| (true, path));
        own.or_else(|| Some((is_one, root.below(uri)?)))
    };
    let Some((is_own, place)) = spot(&uri) else { return };
    assert!(place.is_ok(), "{uri}");
    let Ok(path) = place else { return };
    stays_below(&path);
    let parts: Vec<&str> = path.as_str().split('/').collect();
    let first = parts.first().copied().unwrap_or_default();
    // Digits beyond what a database counts to, and those after a zero, are those of no experiment.
    let is_number =
        |name: &str| name.parse::<i64>().is_ok_and(|number| number >= 0 && number.to_string() == name);
    assert!(!is_number(first), "{path}");
    assert!(!is_own || (first != ObjectPath::MODELS && first != ObjectPath::INCOMING), "{path}");
    if let Some((_, Ok(folders))) = spot(&root.of(workspace)).filter(|(of_own, _)| *of_own == is_own) {
        let folders: Vec<&str> = folders.as_str().split('/').collect();
        assert!(!folders.starts_with(&parts), "{path} is around the folders of others");
        let numbered = parts.strip_prefix(&*folders).and_then(|below| below.first());
        assert!(!numbered.is_some_and(|name| is_number(name)), "{path} is another experiment's");
    }
    let is_workspaces = first == WORKSPACES && parts.get(1) == Some(&workspace.as_str());
    assert!(
        is_workspaces || (*workspace == default_workspace() && first != WORKSPACES),
        "{path} in {workspace}"
    );
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Runs every text of a target's corpus through it.
    fn replay(target: &str, run: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        let files = fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
        assert!(files.len() > 5, "{}", corpus.display());
        for file in &files {
            run(&fs::read(file).unwrap());
        }
    }

    #[test]
    fn the_corpora_are_replayed() {
        replay("artifact_path", artifact_path);
        replay("graphql", graphql);
    }
}
