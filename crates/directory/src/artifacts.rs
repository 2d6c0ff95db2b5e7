//! `--artifacts URL`: artifacts and models on another disk than the rest of the data directory, or in S3.
//!
//! The data directory remembers the place, a disk by a link in it and a bucket by a file. So whoever opens it
//! later finds the artifacts without being told, and nobody can name another place by mistake.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use mainstay_core::failed::Failed;
use mainstay_objects::S3Location;

use crate::layout::Layout;
use crate::lock::DataLock;

/// Keeps the artifacts of the data directory `root` at `url`: a directory, plain or as `file://`, or `s3://`.
pub fn keep_at(root: &Path, url: &str) -> Result<(), Failed> {
    std::fs::create_dir_all(root).map_err(|error| Failed::file(root, error))?;
    let root = std::fs::canonicalize(root).map_err(|error| Failed::file(root, error))?;
    // A server that has it open goes on to write to where they have been.
    let _lock = DataLock::take(&root)?;
    let known = bucket(&root)?;
    if url.starts_with("s3://") {
        return keep_in(&root, &location(url)?, known.as_ref());
    }
    let place = directory(url)?;
    if let Some(known) = known {
        return Err(elsewhere(
            &root.join(Layout::ARTIFACTS_URL),
            &known.to_string(),
            &place.to_string_lossy(),
        ));
    }
    keep_on(&root, &place)
}

/// The bucket in which the artifacts of the data directory `root` are kept, if it is one.
pub fn bucket(root: &Path) -> Result<Option<S3Location>, Failed> {
    let file = root.join(Layout::ARTIFACTS_URL);
    match std::fs::read_to_string(&file) {
        Ok(text) => location(text.trim()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failed::file(&file, error)),
    }
}

/// In a bucket. How it is reached may change, which it is may not.
fn keep_in(root: &Path, place: &S3Location, known: Option<&S3Location>) -> Result<(), Failed> {
    let file = root.join(Layout::ARTIFACTS_URL);
    match known {
        Some(known) if known.uri() != place.uri() => {
            return Err(elsewhere(&file, &known.uri(), &place.uri()));
        }
        Some(known) if known == place => return Ok(()),
        Some(_) => {}
        None => empty(&root.join(Layout::ARTIFACTS), &place.uri())?,
    }
    let new = file.with_extension("new");
    let written = std::fs::write(&new, format!("{place}\n")).and_then(|()| {
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &file)?;
        std::fs::File::open(root)?.sync_all()
    });
    written.map_err(|error| Failed::file(&file, error))
}

/// Sees that no artifacts would be left behind.
fn empty(artifacts: &Path, place: &str) -> Result<(), Failed> {
    let incoming = artifacts.join(mainstay_core::object::ObjectPath::INCOMING);
    let failed = |error| Failed::file(artifacts, error);
    match std::fs::read_dir(artifacts) {
        Ok(entries) => {
            for entry in entries {
                if entry.map_err(failed)?.path() != incoming {
                    return Err(elsewhere(artifacts, &artifacts.to_string_lossy(), place));
                }
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// On a disk.
fn keep_on(root: &Path, place: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(place).map_err(|error| Failed::file(place, error))?;
    let place = std::fs::canonicalize(place).map_err(|error| Failed::file(place, error))?;
    let link = root.join(Layout::ARTIFACTS);
    if place == link {
        return Ok(());
    }
    let elsewhere = |known: &Path| elsewhere(&link, &known.to_string_lossy(), &place.to_string_lossy());
    match std::fs::read_link(&link) {
        Ok(known) if known == place => return Ok(()),
        Ok(known) => return Err(elsewhere(&known)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // It is a directory: one without anything in it may go.
        Err(_) => std::fs::remove_dir(&link).map_err(|_| elsewhere(&link))?,
    }
    symlink(&place, &link).map_err(|error| Failed::file(&link, error))
}

fn location(url: &str) -> Result<S3Location, Failed> {
    url.parse().map_err(|error| Failed::Usage(format!("--artifacts: {error}")))
}

fn directory(url: &str) -> Result<PathBuf, Failed> {
    match url.split_once("://") {
        None => Ok(PathBuf::from(url)),
        Some(("file", path)) if path.starts_with('/') => Ok(PathBuf::from(path)),
        Some((scheme, _)) => Err(Failed::Usage(format!(
            "--artifacts takes a directory, file:///DIRECTORY or s3://BUCKET/PREFIX; nothing is kept at {scheme}://"
        ))),
    }
}

fn elsewhere(remembered: &Path, known: &str, place: &str) -> Failed {
    Failed::Usage(format!(
        "the artifacts are in {known} already; to keep them in {place} instead, stop the server, move them there, \
         and remove {}",
        remembered.display(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_remembers_where_its_artifacts_are() {
        let (data, disk, other) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let url = |dir: &tempfile::TempDir| format!("file://{}", dir.path().display());
        keep_at(data.path(), &url(&disk)).unwrap();
        let layout = Layout::create(data.path()).unwrap();
        std::fs::write(layout.artifacts().join("a"), "here").unwrap();
        assert_eq!(std::fs::read_to_string(disk.path().join("a")).unwrap(), "here");
        keep_at(data.path(), disk.path().to_str().unwrap()).unwrap();
        let refused = keep_at(data.path(), &url(&other)).unwrap_err();
        assert!(refused.to_string().contains("move them there"), "{refused}");
        assert!(keep_at(data.path(), "s3://bucket/x").is_err());
        assert_eq!(bucket(data.path()).unwrap(), None);
    }

    #[test]
    fn nothing_is_moved_under_a_server() {
        let data = tempfile::tempdir().unwrap();
        let open = DataLock::take(data.path()).unwrap();
        assert!(keep_at(data.path(), "s3://bucket/x").is_err());
        assert_eq!(bucket(data.path()).unwrap(), None);
        drop(open);
        keep_at(data.path(), "s3://bucket/x").unwrap();
    }

    #[test]
    fn artifacts_that_are_there_are_not_left_behind() {
        let (data, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let layout = Layout::create(data.path()).unwrap();
        std::fs::write(layout.artifacts().join("a"), "here").unwrap();
        assert!(keep_at(data.path(), disk.path().to_str().unwrap()).is_err());
        assert!(keep_at(data.path(), "s3://bucket/x").is_err());
        std::fs::remove_file(layout.artifacts().join("a")).unwrap();
        keep_at(data.path(), disk.path().to_str().unwrap()).unwrap();
        assert!(keep_at(data.path(), "gs://bucket/x").is_err());
    }

    #[test]
    fn a_bucket_is_remembered_and_another_one_refused() {
        let (data, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        keep_at(data.path(), "s3://bucket/a").unwrap();
        Layout::create(data.path()).unwrap();
        assert_eq!(bucket(data.path()).unwrap().unwrap().to_string(), "s3://bucket/a");
        keep_at(data.path(), "s3://bucket/a?region=here").unwrap();
        assert_eq!(bucket(data.path()).unwrap().unwrap().to_string(), "s3://bucket/a?region=here");
        for other in ["s3://bucket/b", "s3://other/a", disk.path().to_str().unwrap()] {
            let refused = keep_at(data.path(), other).unwrap_err();
            assert!(refused.to_string().contains("artifacts.url"), "{refused}");
        }
        let refused = keep_at(data.path(), "s3://KEY:SECRET@bucket/a").unwrap_err();
        assert!(!refused.to_string().contains("SECRET"), "{refused}");
        std::fs::write(data.path().join("artifacts.url"), "nonsense").unwrap();
        assert!(bucket(data.path()).is_err());
    }
}
