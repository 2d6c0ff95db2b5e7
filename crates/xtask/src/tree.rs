//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use crate::violation::CheckError;

/// Folders that hold nothing of ours: what builds and runs leave behind, and copies of others' work.
/// Those whose name begins with a dot are left out too.
const FOREIGN: &[&str] = &["target", "vendor", "node_modules", "__pycache__", "mainstay-data"];

/// The root of the repository: the closest directory from the current one upwards with a `Cargo.lock`.
pub(crate) fn root() -> Result<PathBuf, CheckError> {
    let here = std::env::current_dir()?;
    here.ancestors()
        .find(|directory| directory.join("Cargo.lock").is_file())
        .map(Path::to_owned)
        .ok_or(CheckError::NoRoot)
}

/// All files below a folder of ours, as paths from the root with `/` between parts, in order.
pub(crate) fn files(root: &Path) -> Result<Vec<String>, CheckError> {
    let mut found = Vec::new();
    collect(root, "", &mut found)?;
    found.sort();
    Ok(found)
}

/// The text of a file; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn read(root: &Path, path: &str) -> Result<String, CheckError> {
    let path = root.join(path);
    let bytes = fs::read(&path).map_err(|cause| CheckError::Read { path, cause })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What follows the last dot of a path's file name, or nothing.
pub(crate) fn extension(path: &str) -> &str {
    path.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, extension)| extension)
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), CheckError> {
    let failed = |cause| CheckError::Read { path: folder.to_owned(), cause };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || FOREIGN.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        // A link to a folder is not followed: it could lead in a circle.
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
