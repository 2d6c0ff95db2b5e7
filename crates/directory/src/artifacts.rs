//! `--artifacts URL`: artifacts and models on another disk than the rest of the data directory.
//!
//! The data directory remembers the place by a link in it. So whoever opens it later, a backup among them,
//! finds the artifacts without being told, and nobody can name another place by mistake.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use mainstay_core::failed::Failed;

use crate::layout::Layout;

/// Keeps the artifacts of the data directory `root` at `url`: a directory, plain or as `file://`.
pub fn keep_at(root: &Path, url: &str) -> Result<(), Failed> {
    let place = directory(url)?;
    std::fs::create_dir_all(&place).map_err(|error| Failed::file(&place, error))?;
    let place = std::fs::canonicalize(&place).map_err(|error| Failed::file(&place, error))?;
    std::fs::create_dir_all(root).map_err(|error| Failed::file(root, error))?;
    let root = std::fs::canonicalize(root).map_err(|error| Failed::file(root, error))?;
    let link = root.join(Layout::ARTIFACTS);
    let failed = |error| Failed::file(&link, error);
    if place == link {
        return Ok(());
    }
    match std::fs::read_link(&link) {
        Ok(known) if known == place => return Ok(()),
        Ok(known) => return Err(elsewhere(&link, &known, &place)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // It is a directory: one without anything in it may go.
        Err(_) => std::fs::remove_dir(&link).map_err(|_| elsewhere(&link, &link, &place))?,
    }
    symlink(&place, &link).map_err(failed)
}

fn directory(url: &str) -> Result<PathBuf, Failed> {
    match url.split_once("://") {
        None => Ok(PathBuf::from(url)),
        Some(("file", path)) if path.starts_with('/') => Ok(PathBuf::from(path)),
        Some((scheme, _)) => Err(Failed::Usage(format!(
            "--artifacts takes a directory or file:///DIRECTORY; this build keeps nothing at {scheme}://"
        ))),
    }
}

fn elsewhere(link: &Path, known: &Path, place: &Path) -> Failed {
    Failed::Usage(format!(
        "the artifacts are in {} already; to keep them in {} instead, stop the server, move them there, and \
         remove {}",
        known.display(),
        place.display(),
        link.display()
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
    }

    #[test]
    fn artifacts_that_are_there_are_not_left_behind() {
        let (data, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let layout = Layout::create(data.path()).unwrap();
        std::fs::write(layout.artifacts().join("a"), "here").unwrap();
        assert!(keep_at(data.path(), disk.path().to_str().unwrap()).is_err());
        std::fs::remove_file(layout.artifacts().join("a")).unwrap();
        keep_at(data.path(), disk.path().to_str().unwrap()).unwrap();
        assert!(keep_at(data.path(), "s3://bucket/x").is_err());
    }
}
