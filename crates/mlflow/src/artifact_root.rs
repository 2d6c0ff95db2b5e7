//! Where artifacts go of experiments that name no place, which other places they may name, and which of all
//! these places this server reads.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mainstay_core::name::Name;
use mainstay_core::object::{ObjectPath, Objects};
use mainstay_core::scope::default_workspace;
use mainstay_tracking::experiment::ExperimentId;
use thiserror::Error;

use crate::artifact_owner::WORKSPACES;
use crate::artifact_path::{SCHEME, decoded, stored_at, within};
use crate::uri::{local_path, names_a_host, with_small_scheme};
use crate::{Mlflow, MlflowError};

/// Longest location, in characters (`MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH`).
const MAX_LOCATION: usize = 2_048;
/// The text is no place for artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "'{0}' is no place for artifacts: give a directory or a URI, without '..', '#' and control characters"
)]
pub struct InvalidArtifactRoot(String);

/// The place below which each experiment gets a folder named by its id.
pub struct ArtifactRoot {
    uri: String,
    working_directory: PathBuf,
    read: Option<ReadRoot>,
}

/// A place that clients write themselves, and that this server reads.
struct ReadRoot {
    at: ReadAt,
    objects: Arc<dyn Objects>,
    /// Whether it is where our own store keeps its objects, too.
    is_own: bool,
}

/// Where it is: what lies below is named by paths, or by URIs.
enum ReadAt {
    Directory(PathBuf),
    Bucket(String),
}

/// A place in one of our stores.
pub struct Place {
    /// The store.
    pub objects: Arc<dyn Objects>,
    /// Where in it.
    pub path: ObjectPath,
    /// Whether that is our own store.
    pub is_own: bool,
}

impl Place {
    /// One in our own store.
    pub(crate) const fn own(objects: Arc<dyn Objects>, path: ObjectPath) -> Self {
        Self { objects, path, is_own: true }
    }

    /// Whether it is `root` or below it.
    pub(crate) fn is_within(&self, root: &Self) -> bool {
        self.is_own == root.is_own && within(&self.path, &root.path)
    }

    /// Where below `root` it lies: nothing if it is the same, `None` if it is elsewhere.
    pub(crate) fn below_of(&self, root: &Self) -> Option<&str> {
        let below = self.path.as_str().strip_prefix(root.path.as_str()).filter(|_| self.is_within(root))?;
        Some(below.trim_start_matches('/'))
    }

    /// What lies below it.
    pub(crate) fn below(self, path: &ObjectPath) -> Result<Self, MlflowError> {
        let path = self.path.join(path.as_str()).map_err(|_| MlflowError::InvalidPath)?;
        Ok(Self { path, ..self })
    }
}

impl ArtifactRoot {
    /// Checks a place that the operator named. A relative one lies in `working_directory`, as do those that
    /// clients name.
    pub fn new(uri: &str, working_directory: PathBuf) -> Result<Self, InvalidArtifactRoot> {
        let invalid = || InvalidArtifactRoot(uri.to_owned());
        let clean = decoded(uri).map_err(|_| invalid())?;
        let (place, query) = clean.split_once('?').unwrap_or((&clean, ""));
        let leads_out = place.split('/').any(|part| part == "..") || query.contains("..");
        if uri.is_empty() || leads_out || clean.contains('#') || clean.contains(char::is_control) {
            return Err(invalid());
        }
        let uri = resolved(uri.to_owned(), &working_directory);
        Ok(Self { uri, working_directory, read: None })
    }

    /// The proxy of this server.
    pub fn proxy(working_directory: PathBuf) -> Self {
        Self { uri: format!("{SCHEME}/"), working_directory, read: None }
    }

    /// The directory that it is, if it is one of this machine.
    pub fn directory(&self) -> Option<PathBuf> {
        local_path(&self.uri)
    }

    /// The URI that it is, without the query, if it is that of a bucket.
    pub fn bucket(&self) -> Option<&str> {
        let place = self.uri.split('?').next().unwrap_or_default();
        place.starts_with("s3://").then(|| place.trim_end_matches('/'))
    }

    /// Whether it is a bucket's place above or below another one. Whoever names a folder in the one could then
    /// name, by it, what is kept in the other by rules of its own.
    pub fn overlaps(&self, bucket: &str) -> bool {
        self.bucket().is_some_and(|own| own != bucket && (begins(own, bucket) || begins(bucket, own)))
    }

    /// Reads what lies in that directory or bucket through `objects`. It may be where our own store keeps its objects,
    /// too.
    #[must_use]
    pub fn read_through(mut self, objects: Arc<dyn Objects>, is_own: bool) -> Self {
        let bucket = self.bucket().map(|bucket| ReadAt::Bucket(bucket.to_owned()));
        let at = self.directory().map(ReadAt::Directory).or(bucket);
        self.read = at.map(|at| ReadRoot { at, objects, is_own });
        self
    }

    /// In which store what a URI names lies, and where: in `own`, or in the place that is read here. `None` if it is
    /// elsewhere, or no path.
    pub fn locate(&self, uri: &str, own: &Arc<dyn Objects>) -> Option<Place> {
        self.place(uri, own)?.ok()
    }

    /// The same, or the nearest folder above that has a path: what has none may still lie in it.
    pub fn locate_around(&self, uri: &str, own: &Arc<dyn Objects>) -> Option<Place> {
        let mut around = uri;
        loop {
            match self.place(around, own)? {
                Ok(place) => return Some(place),
                Err(_) => around = around.rsplit_once('/')?.0,
            }
        }
    }

    /// The same as [`locate`](Self::locate); `Some(Err(_))` if it is no path.
    fn place(&self, uri: &str, own: &Arc<dyn Objects>) -> Option<Result<Place, MlflowError>> {
        if let Some(path) = stored_at(uri) {
            return Some(path.map(|path| Place::own(Arc::clone(own), path)));
        }
        let ReadRoot { objects, is_own, .. } = self.read.as_ref()?;
        let path = self.below(uri)?;
        Some(path.map(|path| Place { objects: Arc::clone(objects), path, is_own: *is_own }))
    }

    /// Whether a URI is one of our own store, and where in it or in the place that is read here it lies.
    fn stored(&self, uri: &str) -> Option<(bool, Result<ObjectPath, MlflowError>)> {
        let own = stored_at(uri).map(|path| (true, path));
        own.or_else(|| Some((self.read.as_ref()?.is_own, self.below(uri)?)))
    }

    /// The folder of our own store, or of the place that is read here, below which the experiments of a workspace get
    /// their folders. `None` if that is the root of it, or elsewhere.
    pub(crate) fn folders(&self, workspace: &Name, is_own: bool) -> Option<ObjectPath> {
        let (of_own, path) = self.stored(&self.of(workspace))?;
        path.ok().filter(|_| of_own == is_own)
    }

    /// Whether clients can be given URLs for what lies there.
    pub(crate) fn can_sign(&self) -> bool {
        self.read.as_ref().is_some_and(|read| read.objects.direct().is_some())
    }

    /// Below which URI the experiments of a workspace get their folders. Those of other workspaces than the
    /// default one are kept apart, unless they have the proxy, which knows whose folder a number is.
    pub fn of(&self, workspace: &Name) -> String {
        if *workspace == default_workspace() {
            self.uri.clone()
        } else if stored_at(&format!("{}/x", self.uri.trim_end_matches('/'))).is_some() {
            format!("{SCHEME}/")
        } else {
            mainstay_tracking::experiment::uri_below(&self.uri, &format!("{WORKSPACES}/{workspace}"))
        }
    }

    /// What a URI is below the place that is read here; `None` if it is elsewhere.
    pub(crate) fn below(&self, uri: &str) -> Option<Result<ObjectPath, MlflowError>> {
        let relative = match &self.read.as_ref()?.at {
            ReadAt::Directory(directory) => {
                let path = local_path(uri)?;
                let relative = path.strip_prefix(directory).ok()?;
                let segments = relative.components().map(|component| match component {
                    Component::Normal(name) => name.to_str(),
                    _ => None,
                });
                segments.collect::<Option<Vec<_>>>().map(|segments| segments.join("/"))
            }
            ReadAt::Bucket(root) => {
                let place = uri.split('?').next().unwrap_or_default().trim_end_matches('/');
                let relative = place.strip_prefix(root.as_str())?;
                if !relative.is_empty() && !relative.starts_with('/') {
                    return None;
                }
                Some(relative.strip_prefix('/').unwrap_or_default().to_owned())
            }
        };
        Some(relative.and_then(|path| ObjectPath::new(path).ok()).ok_or(MlflowError::InvalidPath))
    }

    /// Checks the place that a client wants an experiment's artifacts to go to
    /// (`_validate_storage_location_uri`).
    ///
    /// Whoever names a place can read and write it. So places in our stores are those of their workspace: below
    /// `workspaces/<name>`, which nobody else may name; only the default workspace may use other folders.
    /// Numbers are the folders of experiments that name no place, so nobody may ask for one.
    pub(crate) fn checked(&self, uri: String, workspace: &Name) -> Result<String, MlflowError> {
        if uri.chars().count() > MAX_LOCATION {
            return Err(MlflowError::LongLocation(MAX_LOCATION));
        }
        let uri = resolved(uri, &self.working_directory);
        let wrong = |hint: &str| MlflowError::invalid("artifact_location", uri.as_str(), hint);
        if uri.starts_with("runs:") {
            return Err(MlflowError::RunLocation(uri));
        }
        let clean = decoded(&uri).map_err(|_| wrong("it cannot be read"))?;
        if clean.contains('#') {
            return Err(MlflowError::LocationFragment);
        }
        let (place, query) = clean.split_once('?').unwrap_or((&clean, ""));
        if query.contains("..") {
            return Err(MlflowError::InvalidQuery);
        }
        let stored = self.stored(&uri);
        // What is below it stands before the query: it would lie elsewhere than the place that is judged here.
        if uri.contains('?') && (uri.starts_with("file:") || stored.is_some()) {
            return Err(wrong("a place on disk, or one that this server reads, has no query"));
        }
        if place.split('/').any(|part| part == "..") || clean.contains(char::is_control) {
            return Err(wrong("it must not hold '..' or control characters"));
        }
        if names_a_host(&uri) && !(names_a_host(&self.uri) && begins(&uri, &self.uri)) {
            return Err(wrong("it names a host to ask, which only the server's own default root may do"));
        }
        if let Some((is_own, path)) = stored {
            let path = path.map_err(|_| wrong("name a folder below the artifact root"))?;
            let folders = self.folders(workspace, is_own);
            unreserved(&path, workspace, (is_own, folders.as_ref())).map_err(|hint| wrong(&hint))?;
        }
        Ok(uri)
    }
}

impl Mlflow {
    /// Where in our stores the artifacts of a URI are; `None` if they are elsewhere.
    pub(crate) fn place(&self, uri: &str) -> Option<Result<Place, MlflowError>> {
        self.artifact_root.place(uri, &self.objects)
    }
}

impl Place {
    /// Whether it is a workspace's, if no experiment of the workspace has it.
    pub(crate) fn is_of(&self, workspace: &Name) -> bool {
        let first = first(self.path.as_str());
        if first.eq_ignore_ascii_case(WORKSPACES) {
            return is_in_own_folder(&self.path, workspace);
        }
        // In our own store numbers are the folders of experiments of all workspaces.
        let is_others = self.is_own && (is_number(first) || is_servers(first));
        *workspace == default_workspace() && !is_others
    }
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

fn is_number(name: &str) -> bool {
    ExperimentId::parse(name).is_ok()
}

/// Whether a folder of our own store is the server's.
fn is_servers(name: &str) -> bool {
    [ObjectPath::MODELS, ObjectPath::INCOMING].contains(&name)
}

fn is_in_own_folder(path: &ObjectPath, workspace: &Name) -> bool {
    ObjectPath::new(format!("{WORKSPACES}/{workspace}")).is_ok_and(|own| within(path, &own))
}

/// Whether a client may put an experiment at a place in one of our stores; if not, why. It is told whether that is our
/// own, and where in it the experiments of the workspace get their folders, if that is not its root.
fn unreserved(
    path: &ObjectPath,
    workspace: &Name,
    (is_own, folders): (bool, Option<&ObjectPath>),
) -> Result<(), String> {
    let name = first(path.as_str());
    let numbered = folders.and_then(|root| path.as_str().strip_prefix(root.as_str())?.strip_prefix('/'));
    if is_number(name) || numbered.is_some_and(|below| is_number(first(below))) {
        return Err("numbered folders belong to experiments without a location; name another".to_owned());
    }
    if folders.is_some_and(|root| within(root, path)) {
        return Err("experiments without a location lie in it; name a folder beside them".to_owned());
    }
    if is_own && is_servers(name) {
        return Err("this folder is the server's own; name another".to_owned());
    }
    // Whoever put an experiment there could read models of other workspaces, and replace them.
    let is_plain = !name.eq_ignore_ascii_case(WORKSPACES) && *workspace == default_workspace();
    if is_plain || is_in_own_folder(path, workspace) {
        return Ok(());
    }
    Err(format!("in this workspace it must lie below {WORKSPACES}/{workspace} of the artifact root"))
}

/// Whether a URI is `root` or below it.
fn begins(uri: &str, root: &str) -> bool {
    let rest = uri.strip_prefix(root.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Makes a relative place on this machine an absolute one (`resolve_uri_if_local`).
fn resolved(uri: String, working_directory: &Path) -> String {
    let uri = with_small_scheme(uri);
    let below =
        |path: &str| working_directory.join(path.strip_prefix("./").unwrap_or(path)).display().to_string();
    match uri.split_once(':') {
        Some(("file", rest)) if !rest.starts_with('/') => format!("file://{}", below(rest)),
        Some((scheme, _)) if !scheme.contains('/') => uri,
        _ if uri.starts_with('/') => uri,
        _ => below(&uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzed::Nothing;

    fn root(uri: &str) -> ArtifactRoot {
        ArtifactRoot::new(uri, PathBuf::from("/work/here")).unwrap()
    }

    #[test]
    fn relative_places_lie_in_the_working_directory() {
        let here = default_workspace();
        let at = |uri: &str| root("mlflow-artifacts:/").checked(uri.to_owned(), &here).unwrap();
        assert_eq!(at("my_location"), "/work/here/my_location");
        assert_eq!(at("./a/b"), "/work/here/a/b");
        assert_eq!(at("file:a"), "file:///work/here/a");
        for kept in ["/srv/shared", "file:///srv/x", "s3://bucket/x?versionId=3", "dbfs:/x"] {
            assert_eq!(at(kept), kept);
        }
        assert_eq!(root("mlruns").uri, "/work/here/mlruns");
        for bad in ["", "a/../b", "s3://b/x?p=../y", "s3://b#c", "a\nb"] {
            assert!(ArtifactRoot::new(bad, PathBuf::from("/")).is_err(), "{bad}");
        }
    }

    #[test]
    fn experiments_of_other_workspaces_are_kept_apart() {
        let beta = Name::new("beta").unwrap();
        assert_eq!(root("file:///srv/a/").of(&default_workspace()), "file:///srv/a/");
        assert_eq!(root("file:///srv/a/").of(&beta), "file:///srv/a/workspaces/beta");
        assert_eq!(root("s3://b/p?x=1").of(&beta), "s3://b/p/workspaces/beta?x=1");
        assert_eq!(root("mlflow-artifacts:/team").of(&beta), "mlflow-artifacts:/");
    }

    #[test]
    fn some_places_are_nobodys_to_name() {
        let (here, beta) = (default_workspace(), Name::new("beta").unwrap());
        let at = |uri: &str, workspace: &Name| root("mlflow-artifacts:/").checked(uri.to_owned(), workspace);
        for good in ["s3://bucket/x", "mlflow-artifacts:/team/a", "mlflow-artifacts:/workspaces/default/a"] {
            assert!(at(good, &here).is_ok(), "{good}");
        }
        assert_eq!(at("S3://Bucket/X", &here).as_deref(), Ok("s3://Bucket/X"));
        for bad in [
            "mlflow-artifacts:/7",
            "mlflow-artifacts:/%37/x",
            "s3://b/../c",
            "s3://b/x?a=../c",
            "s3://b#x",
            "mlflow-artifacts:/",
            "mlflow-artifacts:/models",
            "mlflow-artifacts:/.incoming/x",
            "mlflow-artifacts:/workspaces/beta/x",
            "mlflow-artifacts:/Workspaces/default/x",
            "mlflow-artifacts:/workspaces",
            "mlflow-artifacts://host/team",
            "http://host/api/2.0/mlflow-artifacts/artifacts/team",
            "hdfs://node/x",
            "runs:/abc/x",
            "MLflow-Artifacts:/7",
            "RUNS:/abc/x",
            "mlflow-artifacts:/team?x=1",
            "file:///srv/a?x=1",
        ] {
            assert!(at(bad, &here).is_err(), "{bad}");
        }
        let told = at("runs:/a", &here).unwrap_err().to_string();
        assert_eq!(told, "Artifact location cannot be a runs:/ URI. Given: 'runs:/a'");
        let told = at(&"x".repeat(MAX_LOCATION + 1), &here).unwrap_err().to_string();
        assert!(told.starts_with("Invalid artifact path length."), "{told}");
        assert!(at("mlflow-artifacts:/workspaces/beta", &beta).is_ok() && at("s3://bucket/x", &beta).is_ok());
        for bad in
            ["team", "workspaces", "workspaces/betas/x", "workspaces/default/x", "workspaces/beta/../default"]
        {
            assert!(at(&format!("mlflow-artifacts:/{bad}"), &beta).is_err(), "{bad}");
        }
        let own = root("https://host/api/2.0/mlflow-artifacts/artifacts");
        let below = "https://host/api/2.0/mlflow-artifacts/artifacts/team";
        assert!(own.checked(below.to_owned(), &here).is_ok());
        assert!(own.checked("https://host/api/2.0/mlflow-artifacts/artifacts/7".to_owned(), &here).is_err());
    }

    #[test]
    fn what_is_read_is_known_by_its_uri() {
        let at = |root_uri: &str, uri: &str| {
            let read = root(root_uri).read_through(Arc::new(Nothing), false);
            read.below(uri).map(|path| path.map(|path| path.to_string()))
        };
        let path = |text: &str| Some(Ok(text.to_owned()));
        assert_eq!(at("s3://b/p/", "s3://b/p/0/run/artifacts"), path("0/run/artifacts"));
        assert_eq!(at("s3://b", "s3://b/0?versionId=1"), path("0"));
        assert_eq!(at("file:///srv/a", "/srv/a/0/x"), path("0/x"));
        for (root_uri, elsewhere) in
            [("s3://b/p", "s3://b/px/0"), ("s3://b", "s3://bc/0"), ("/srv/a", "/srv/b")]
        {
            assert_eq!(at(root_uri, elsewhere), None, "{elsewhere}");
        }
        for wrong in ["s3://b/p", "s3://b/p/", "s3://b/p//a", "s3://b/p/a//b", "s3://b/p/../x"] {
            assert_eq!(at("s3://b/p", wrong), Some(Err(MlflowError::InvalidPath)), "{wrong}");
        }
    }

    #[test]
    fn a_bucket_in_a_bucket_is_seen() {
        let overlaps = |uri: &str, other: &str| root(uri).overlaps(other);
        assert!(overlaps("s3://b", "s3://b/p") && overlaps("s3://b/p/q/?x=1", "s3://b/p"));
        for apart in ["s3://b/p", "s3://b/p2", "s3://b/q", "s3://bb"] {
            assert!(!overlaps("s3://b/p", apart), "{apart}");
        }
        assert!(!overlaps("/srv/b", "s3://b"));
    }

    #[test]
    fn folders_of_others_are_nobodys_to_name_in_a_bucket_that_is_read() {
        let (here, beta) = (default_workspace(), Name::new("beta").unwrap());
        let read = root("s3://b/p").read_through(Arc::new(Nothing), false);
        let may = |uri: &str, workspace: &Name| read.checked(uri.to_owned(), workspace).is_ok();
        assert!(may("s3://b/p/team", &here) && may("s3://b/p/workspaces/beta/x", &beta));
        assert!(may("s3://b/elsewhere", &beta) && may("s3://b/elsewhere?x=1", &beta));
        for taken in ["s3://b/p/7", "s3://b/p", "s3://b/p/workspaces/beta", "s3://b/p/team?x=1"] {
            assert!(!may(taken, &here), "{taken}");
        }
        for taken in ["s3://b/p/team", "s3://b/p/workspaces/beta", "s3://b/p/workspaces/beta/7/x"] {
            assert!(!may(taken, &beta), "{taken}");
        }
        // The server keeps nothing of its own there, unless it is one with its store.
        let own = root("s3://b/p").read_through(Arc::new(Nothing), true);
        let may_in_own = |uri: &str, workspace: &Name| own.checked(uri.to_owned(), workspace).is_ok();
        assert!(may("s3://b/p/models", &here) && !may_in_own("s3://b/p/models", &here));
        let proxied = "mlflow-artifacts:/workspaces/beta/7";
        assert!(may(proxied, &beta) && !may_in_own(proxied, &beta));
    }
}
