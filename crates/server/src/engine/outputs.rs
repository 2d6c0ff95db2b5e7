//! The files that command steps read and write, by digest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_pipelines::definition::{OutputKind, Stage};
use mainstay_pipelines::run::StepOutput;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use mainstay_steps::StepError;

/// Largest metrics file that is read into a step's output, in bytes.
const MAX_METRICS: u64 = 32 << 10;

/// The digests of paths below `root`. A path that is missing is an error: the step cannot run.
pub(super) fn digests<'a>(
    root: &Path,
    paths: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Digest>, StepError> {
    let digest = |path: &String| match digest_of(&root.join(path)) {
        Ok(digest) => Ok((path.clone(), digest)),
        Err(error) => Err(StepError::refused(ErrorCode::NotFound, format!("the dependency {path}: {error}"))),
    };
    paths.map(digest).collect()
}

/// Whether everything that a stage writes lies there as an earlier result says.
pub(super) fn are_in_place(root: &Path, stage: &Stage, output: &StepOutput) -> bool {
    stage.outs.keys().all(|path| {
        let recorded = output.artifacts.get(path);
        recorded.is_some() && digest_of(&root.join(path)).ok().as_ref() == recorded
    })
}

/// What a stage has written: digests of its outputs, and the numbers of its metrics files.
pub(super) fn collect(root: &Path, stage: &Stage) -> Result<StepOutput, StepError> {
    let mut artifacts = BTreeMap::new();
    let mut metrics = Map::new();
    for (path, out) in &stage.outs {
        let place = root.join(path);
        let digest = digest_of(&place).map_err(|error| {
            let message = format!("the command ended well, but its output {path} cannot be read: {error}");
            StepError::refused(ErrorCode::NotFound, message)
        })?;
        artifacts.insert(path.clone(), digest);
        if out.kind == OutputKind::Metrics && fs::metadata(&place).is_ok_and(|file| file.len() <= MAX_METRICS)
        {
            let read = fs::read(&place).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            metrics.insert(path.clone(), read.unwrap_or(Value::Null));
        }
    }
    let value = if metrics.is_empty() { Value::Null } else { serde_json::json!({ "metrics": metrics }) };
    Ok(StepOutput { value, artifacts })
}

/// The digest of a file's bytes, or of a directory's names and digests in order. Nothing else has one: a
/// device has no end, and links in a directory may form a circle.
pub(super) fn digest_of(path: &Path) -> io::Result<Digest> {
    digest_of_known(path, &fs::metadata(path)?)
}

fn digest_of_known(path: &Path, known: &fs::Metadata) -> io::Result<Digest> {
    if !known.is_dir() && !known.is_file() {
        let message = format!("{} is neither a file nor a directory", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if known.is_dir() {
        let mut names: Vec<_> =
            fs::read_dir(path)?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
        names.sort();
        let mut parts = Vec::with_capacity(2 * names.len());
        for name in names {
            let below = path.join(&name);
            let digest = digest_of_known(&below, &fs::symlink_metadata(&below)?)?;
            parts.push(name.into_encoded_bytes());
            parts.push(digest.as_bytes().to_vec());
        }
        return Ok(Digest::of_parts(parts.iter().map(Vec::as_slice)));
    }
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_bytes(hasher.finalize().into())),
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_has_no_digest() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(directory.path(), directory.path().join("again")).unwrap();
        for path in [Path::new("/dev/zero"), directory.path()] {
            assert_eq!(digest_of(path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_directory_digest_depends_on_names_and_bytes_alone() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str, files: &[(&str, &str)]| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.join("sub")).unwrap();
            for (file, text) in files {
                fs::write(path.join(file), text).unwrap();
            }
            digest_of(&path).unwrap()
        };
        let a = make("a", &[("x", "1"), ("sub/y", "2")]);
        let same = make("b", &[("sub/y", "2"), ("x", "1")]);
        let renamed = make("c", &[("z", "1"), ("sub/y", "2")]);
        let changed = make("d", &[("x", "1"), ("sub/y", "3")]);
        assert_eq!(a, same);
        assert_ne!(a, renamed);
        assert_ne!(a, changed);
    }
}
