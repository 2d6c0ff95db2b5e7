//! The digest of a model's artifacts, to which gates and approvals are bound.
//!
//! A single file has the SHA-256 of its bytes, which is what `mainstay`'s own trainer gives its models.
//! A directory has the SHA-256 over its files in the order of their relative paths, each as path and
//! SHA-256, each part preceded by its length ([`Digest::of_parts`]).

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ObjectPath, Objects};
use sha2::{Digest as _, Sha256};

use crate::{Error, MlflowError};

/// Most files in one model.
const MAX_FILES: usize = 10_000;

/// The digest of what lies at `root`; `None` if there is nothing.
pub(crate) async fn digest(objects: &dyn Objects, root: &ObjectPath) -> Result<Option<Digest>, Error> {
    if let Some(file) = of_file(objects, root).await? {
        return Ok(Some(file));
    }
    let mut files = BTreeMap::new();
    let mut directories = vec![(root.clone(), String::new())];
    while let Some((directory, prefix)) = directories.pop() {
        let mut entries = objects.entries(Some(&directory)).await?;
        while let Some(entry) = entries.try_next().await? {
            let relative = format!("{prefix}{}", entry.name);
            // What is in the store was checked when it came.
            let Ok(path) = directory.join(&entry.name) else { continue };
            if entry.size.is_none() {
                directories.push((path, format!("{relative}/")));
            } else if let Some(digest) = of_file(objects, &path).await? {
                files.insert(relative, digest);
            }
            if files.len() + directories.len() > MAX_FILES {
                return Err(MlflowError::TooManyFiles { uri: root.to_string(), limit: MAX_FILES }.into());
            }
        }
    }
    let parts = files.iter().flat_map(|(path, digest)| [path.as_bytes(), digest.as_bytes().as_slice()]);
    Ok((!files.is_empty()).then(|| Digest::of_parts(parts)))
}

async fn of_file(objects: &dyn Objects, path: &ObjectPath) -> Result<Option<Digest>, StorageError> {
    let Some(mut content) = objects.get(path, None).await? else { return Ok(None) };
    let mut hasher = Sha256::new();
    while let Some(chunk) = content.bytes.next().await {
        hasher.update(&chunk.map_err(StorageError::Failed)?);
    }
    Ok(Some(Digest::from_bytes(hasher.finalize().into())))
}
