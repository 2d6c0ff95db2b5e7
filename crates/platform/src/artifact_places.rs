//! Artifacts of what is purged: how much there is, and removing it.
//!
//! Only a folder that bears the name of the very thing is removed. A place that several things share, since somebody
//! named it so, is left alone, as is what lies where this server does not reach. Nobody puts an experiment into such a
//! folder, but one that was imported may have its place anywhere: then the folder is left alone, too.

use std::collections::{BTreeSet, HashSet};
use std::iter::once;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ObjectPath, Objects};
use mainstay_mlflow::{ArtifactRoot, Place};
use mainstay_retention::port::{Artifacts, Folders};
use mainstay_retention::purge::Measure;
use mainstay_retention::target::{Target, TargetKind};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::port::TrackingReader;

use crate::Platform;

/// The stores of this server, and how URIs lead into them.
#[derive(Clone)]
pub struct ArtifactPlaces {
    objects: Arc<dyn Objects>,
    root: Arc<ArtifactRoot>,
    tracked: Arc<dyn TrackingReader>,
}

impl ArtifactPlaces {
    /// Those of a platform.
    pub fn new(platform: &Platform) -> Self {
        let (objects, root) = (Arc::clone(&platform.objects), Arc::clone(&platform.artifact_root));
        Self { objects, root, tracked: Arc::new(platform.database.reader.clone()) }
    }
}

/// What a place is to a target.
enum Own {
    /// A folder of its own.
    Folder(Place),
    /// Nothing that is its own: what lies there belongs to the things in it.
    Nothing,
    /// Out of reach, or not its own alone.
    Elsewhere,
}

/// The folders of what is purged, and the places of experiments that may lie in them.
///
/// The experiments are read once; from then on only those that came. One that is gone meanwhile counts still.
struct ArtifactFolders {
    places: ArtifactPlaces,
    gone: HashSet<String>,
    last: Option<ExperimentId>,
    experiments: Experiments,
}

impl ArtifactFolders {
    async fn own(&mut self, target: &Target, place: &str) -> Result<Own, StorageError> {
        let ArtifactPlaces { objects, root, tracked } = &self.places;
        let found = root.locate(place, objects);
        let folder = found.and_then(|place| Some(Place { path: own_folder(target, &place.path)?, ..place }));
        let Some(folder) = folder else {
            return Ok(if target.kind == TargetKind::Experiment { Own::Nothing } else { Own::Elsewhere });
        };
        for (id, named) in tracked.all_places(self.last).await? {
            // Clients put what a run has before the query.
            let before = named.split_once('?').map_or(&*named, |(before, _)| before);
            let around = root.locate_around(before, objects);
            if let Some(place) = around.filter(|_| !self.gone.contains(&id.to_string())) {
                self.experiments.insert(place.is_own, place.path.as_str());
            }
            self.last = Some(id);
        }
        Ok(if self.experiments.lie_in(folder.is_own, folder.path.as_str()) {
            Own::Elsewhere
        } else {
            Own::Folder(folder)
        })
    }
}

/// Places of experiments: whether they lie in our own store, and where there.
#[derive(Default)]
struct Experiments(BTreeSet<(bool, String)>);

impl Experiments {
    fn insert(&mut self, is_own: bool, path: &str) {
        self.0.insert((is_own, path.to_owned()));
    }

    /// Whether one is a folder, or lies in it.
    fn lie_in(&self, is_own: bool, folder: &str) -> bool {
        self.0
            .range((is_own, folder.to_owned())..)
            .map_while(|(own, path)| path.strip_prefix(folder).filter(|_| *own == is_own))
            .any(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// The folders above a path, the nearest first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').filter_map(|(at, _)| path.get(..at))
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
    fn folders(&self, gone: &[&Target]) -> Box<dyn Folders> {
        let experiments = gone.iter().filter(|target| target.kind == TargetKind::Experiment);
        let gone = experiments.map(|target| target.id.clone()).collect();
        let (places, experiments) = (self.clone(), Experiments::default());
        Box::new(ArtifactFolders { places, gone, last: None, experiments })
    }

    async fn measure_all(&self, places: &[String]) -> Result<u64, StorageError> {
        let mut folders: Vec<Place> =
            places.iter().filter_map(|place| self.root.locate(place, &self.objects)).collect();
        folders.sort_by(|a, b| a.path.cmp(&b.path));
        let (mut first, mut counted) = (Vec::new(), HashSet::new());
        for place in &folders {
            first.push(is_counted_first(&mut counted, place.is_own, place.path.as_str()));
        }
        let mut bytes = 0_u64;
        for (place, _) in folders.into_iter().zip(first).filter(|(_, is_first)| *is_first) {
            bytes = bytes.saturating_add(measure(place).await?.bytes);
        }
        Ok(bytes)
    }
}

#[async_trait]
impl Folders for ArtifactFolders {
    async fn measure(&mut self, target: &Target, place: &str) -> Result<Measure, StorageError> {
        match self.own(target, place).await? {
            Own::Folder(place) => measure(place).await,
            Own::Nothing => Ok(Measure::default()),
            Own::Elsewhere => Ok(Measure { elsewhere: true, ..Measure::default() }),
        }
    }

    async fn remove(&mut self, target: &Target, place: &str) -> Result<(), StorageError> {
        match self.own(target, place).await? {
            Own::Folder(Place { objects, path, .. }) => objects.delete(&path).await.map(drop),
            Own::Nothing | Own::Elsewhere => Ok(()),
        }
    }
}

/// Whether a folder of a store is neither one of those that are counted nor lies in one; it is counted from then on.
/// Outer folders come before those within.
fn is_counted_first<'p>(counted: &mut HashSet<(bool, &'p str)>, is_own: bool, path: &'p str) -> bool {
    let is_first = !once(path).chain(above(path)).any(|outer| counted.contains(&(is_own, outer)));
    if is_first {
        counted.insert((is_own, path));
    }
    is_first
}

/// Counts the files below a folder, a directory at a time.
async fn measure(Place { objects, path, .. }: Place) -> Result<Measure, StorageError> {
    let (mut measure, mut waiting) = (Measure::default(), vec![path]);
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
        let folders = ["a", "a", "a-b", "a/c", "a/c/d", "ab"]
            .map(|path| (true, path))
            .into_iter()
            .chain([(false, "a")]);
        let first: Vec<_> =
            folders.filter(|(is_own, path)| is_counted_first(&mut counted, *is_own, path)).collect();
        assert_eq!(first, [(true, "a"), (true, "a-b"), (true, "ab"), (false, "a")]);
    }

    #[test]
    fn folders_in_which_experiments_lie_are_known() {
        let mut experiments = Experiments::default();
        for (is_own, path) in [(true, "7"), (true, "71/a"), (true, "a-b"), (true, "a/b/c"), (false, "b")] {
            experiments.insert(is_own, path);
        }
        for (is_own, folder) in [(true, "7"), (true, "71"), (true, "a"), (true, "a/b/c"), (false, "b")] {
            assert!(experiments.lie_in(is_own, folder), "{folder}");
        }
        for (is_own, folder) in [(true, "b"), (false, "a"), (true, "a/b/c/d"), (true, "71/"), (true, "c")] {
            assert!(!experiments.lie_in(is_own, folder), "{folder}");
        }
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
