//! Artifacts of what is purged: how much there is, and removing it.
//!
//! Only a folder that bears the name of the very thing is removed. A place that several things share, since somebody
//! named it so, is left alone, as is what lies where this server does not reach.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ObjectPath, Objects};
use mainstay_mlflow::ArtifactRoot;
use mainstay_retention::port::Artifacts;
use mainstay_retention::purge::Measure;
use mainstay_retention::target::{Target, TargetKind};

use crate::Platform;

/// The stores of this server, and how URIs lead into them.
pub struct ArtifactPlaces {
    objects: Arc<dyn Objects>,
    root: Arc<ArtifactRoot>,
}

/// What a place is to a target.
enum Own {
    /// A folder of its own.
    Folder(Arc<dyn Objects>, ObjectPath),
    /// Nothing that is its own: what lies there belongs to the things in it.
    Nothing,
    /// Out of reach, or not its own alone.
    Elsewhere,
}

impl ArtifactPlaces {
    /// Those of a platform.
    pub fn new(platform: &Platform) -> Self {
        Self { objects: Arc::clone(&platform.objects), root: Arc::clone(&platform.artifact_root) }
    }

    fn own(&self, target: &Target, place: &str) -> Own {
        let found = self.root.locate(place, &self.objects);
        let folder = found.and_then(|(objects, path)| Some((objects, own_folder(target, &path)?)));
        match folder {
            Some((objects, path)) => Own::Folder(objects, path),
            None if target.kind == TargetKind::Experiment => Own::Nothing,
            None => Own::Elsewhere,
        }
    }
}

/// The part of a path that is the target's alone. It is known by the end of the path, as the server has given it: what is
/// further up is named by people, who name traces too, and may have named the one as the other.
fn own_folder(target: &Target, path: &ObjectPath) -> Option<ObjectPath> {
    let (text, id) = (path.as_str(), &target.id);
    let folder = match target.kind {
        // Numbers are the folders of experiments that name no place, and nobody else's.
        TargetKind::Experiment => return (text == *id).then(|| path.clone()),
        TargetKind::Run | TargetKind::RunArtifacts => id.clone(),
        TargetKind::LoggedModel => format!("models/{id}"),
        TargetKind::Trace => format!("traces/{id}"),
    };
    let own = text.strip_suffix("/artifacts")?;
    let outer = own.strip_suffix(&*folder)?;
    if !outer.is_empty() && !outer.ends_with('/') {
        return None;
    }
    // The folder of a run itself may hold what is no artifact of it.
    let is_artifacts = target.kind == TargetKind::RunArtifacts;
    ObjectPath::new(if is_artifacts { text } else { own }).ok()
}

#[async_trait]
impl Artifacts for ArtifactPlaces {
    async fn measure(&self, target: &Target, place: &str) -> Result<Measure, StorageError> {
        match self.own(target, place) {
            Own::Folder(objects, path) => measure(&*objects, path).await,
            Own::Nothing => Ok(Measure::default()),
            Own::Elsewhere => Ok(Measure { elsewhere: true, ..Measure::default() }),
        }
    }

    async fn measure_all(&self, places: &[String]) -> Result<u64, StorageError> {
        let mut folders: Vec<(Arc<dyn Objects>, ObjectPath)> =
            places.iter().filter_map(|place| self.root.locate(place, &self.objects)).collect();
        folders.sort_by(|(_, a), (_, b)| a.cmp(b));
        let (mut bytes, mut counted) = (0_u64, HashSet::new());
        for (objects, path) in &folders {
            let store = Arc::as_ptr(objects).cast::<()>().addr();
            if is_counted_first(&mut counted, store, path.as_str()) {
                bytes = bytes.saturating_add(measure(&**objects, path.clone()).await?.bytes);
            }
        }
        Ok(bytes)
    }

    async fn remove(&self, target: &Target, place: &str) -> Result<(), StorageError> {
        match self.own(target, place) {
            Own::Folder(objects, path) => objects.delete(&path).await.map(drop),
            Own::Nothing | Own::Elsewhere => Ok(()),
        }
    }
}

/// Whether a folder of a store is neither one of those that are counted nor lies in one; it is counted from then on.
/// Outer folders come before those within.
fn is_counted_first<'p>(counted: &mut HashSet<(usize, &'p str)>, store: usize, path: &'p str) -> bool {
    let above = path.rmatch_indices('/').filter_map(|(at, _)| path.get(..at));
    let is_first = !std::iter::once(path).chain(above).any(|outer| counted.contains(&(store, outer)));
    if is_first {
        counted.insert((store, path));
    }
    is_first
}

/// Counts the files below a folder, a directory at a time.
async fn measure(objects: &dyn Objects, folder: ObjectPath) -> Result<Measure, StorageError> {
    let (mut measure, mut waiting) = (Measure::default(), vec![folder]);
    while let Some(directory) = waiting.pop() {
        let mut entries = match objects.entries(Some(&directory)).await {
            // A link that leads out is removed as a link: what it leads to is not counted.
            Err(StorageError::Corrupt(_)) => continue,
            found => found?,
        };
        while let Some(entry) = entries.try_next().await? {
            match entry.size {
                Some(bytes) => {
                    measure.objects += 1;
                    measure.bytes = measure.bytes.saturating_add(bytes);
                }
                None => waiting.extend(directory.join(&entry.name)),
            }
        }
    }
    Ok(measure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(kind: TargetKind, id: &str, path: &str) -> Option<String> {
        let path = ObjectPath::new(path).unwrap();
        own_folder(&Target { kind, id: id.to_owned() }, &path).map(|path| path.to_string())
    }

    #[test]
    fn what_lies_in_another_folder_is_counted_there() {
        let mut counted = HashSet::new();
        let folders =
            [(1, "a"), (1, "a"), (1, "a-b"), (1, "a/c"), (1, "a/c/d"), (1, "ab"), (2, "a"), (2, "a/c")];
        let first: Vec<_> = folders
            .into_iter()
            .filter(|(store, path)| is_counted_first(&mut counted, *store, path))
            .collect();
        assert_eq!(first, [(1, "a"), (1, "a-b"), (1, "ab"), (2, "a")]);
    }

    #[test]
    fn only_what_bears_the_name_of_a_thing_is_its_own() {
        let run = "ab".repeat(16);
        let folder = format!("7/{run}");
        let artifacts = format!("{folder}/artifacts");
        assert_eq!(own(TargetKind::Run, &run, &artifacts), Some(folder.clone()));
        assert_eq!(own(TargetKind::RunArtifacts, &run, &artifacts), Some(artifacts.clone()));
        for shared in
            ["shared/artifacts", &format!("x{folder}"), &format!("x{run}/artifacts"), &format!("{run}/a/b")]
        {
            assert_eq!(own(TargetKind::Run, &run, shared), None, "{shared}");
        }
        assert_eq!(own(TargetKind::RunArtifacts, &run, "shared"), None);
        let model = format!("m-{run}");
        assert_eq!(
            own(TargetKind::LoggedModel, &model, &format!("7/models/{model}/artifacts")),
            Some(format!("7/models/{model}"))
        );
        assert_eq!(own(TargetKind::Trace, "tr-1", "7/traces/tr-1/artifacts"), Some("7/traces/tr-1".into()));
        // Clients name traces: as a folder further up, too.
        for id in ["shop", "7", "traces", "artifacts", "workspaces"] {
            let place = format!("workspaces/shop/7/traces/{id}/artifacts");
            assert_eq!(own(TargetKind::Trace, id, &place), Some(format!("workspaces/shop/7/traces/{id}")));
        }
        assert_eq!(own(TargetKind::Trace, "shop", "shop/bob/traces/another/artifacts"), None);
        assert_eq!(own(TargetKind::Experiment, "7", "7"), Some("7".into()));
        assert_eq!(own(TargetKind::Experiment, "7", "workspaces/a/7"), None);
        assert_eq!(own(TargetKind::Experiment, "7", "team"), None);
    }
}
