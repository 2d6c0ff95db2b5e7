//! Copying a tree of files into our own store, in the order of their paths, so that it can go on anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, stream};
use mainstay_core::digest::Digest;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::object::{ByteStream, ObjectPath, Objects};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::Root;
use crate::command::CopiedFiles;
use crate::error::ImportError;
use crate::finding::Finding;
use crate::state::Files;

/// How many bytes are read at once.
const CHUNK: usize = 256 << 10;
/// Files that are copied side by side.
const ABREAST: usize = 8;
/// Most files, and bytes but for the last file, of one page.
const PAGE_FILES: usize = 256;
const PAGE_BYTES: u64 = 256 << 20;

/// One thing that a walk through a tree meets.
enum Met {
    File {
        path: String,
        bytes: u64,
    },
    /// Neither a file nor a directory, or a name that is not UTF-8.
    Odd(String),
}

/// A walk through a tree, sorted by the parts of the paths. It holds the names of the directories that it is in.
struct Walk {
    root: PathBuf,
    /// What is still to be met, the next last.
    left: Vec<PathBuf>,
}

impl Walk {
    fn begin(root: &Path) -> Result<Self, ImportError> {
        let mut walk = Self { root: root.to_owned(), left: Vec::new() };
        walk.enter(root)?;
        Ok(walk)
    }

    fn enter(&mut self, directory: &Path) -> Result<(), ImportError> {
        let failed = |error| failed(directory, error);
        let entries = fs::read_dir(directory).map_err(failed)?;
        let mut names =
            entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        names.sort_unstable_by(|a, b| b.cmp(a));
        self.left.append(&mut names);
        Ok(())
    }

    /// The next file; those up to `after` are passed over, with whole directories.
    fn next(&mut self, after: Option<&Path>) -> Result<Option<Met>, ImportError> {
        while let Some(place) = self.left.pop() {
            let path = place.strip_prefix(&self.root).unwrap_or(&place);
            if after.is_some_and(|after| path <= after && !after.starts_with(path)) || after == Some(path) {
                continue;
            }
            let metadata = fs::symlink_metadata(&place).map_err(|error| failed(&place, error))?;
            if metadata.is_dir() {
                self.enter(&place)?;
                continue;
            }
            let text = path.to_str().filter(|_| metadata.is_file());
            return Ok(Some(match text {
                Some(text) => Met::File { path: text.to_owned(), bytes: metadata.len() },
                None => Met::Odd(path.display().to_string()),
            }));
        }
        Ok(None)
    }
}

fn failed(path: &Path, error: std::io::Error) -> ImportError {
    ImportError::File { path: path.display().to_string(), error }
}

/// How much there is to copy, and what of it cannot be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many files.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Walks through a root without reading its files.
pub fn measure(root: &Root, found: &mut dyn FnMut(Finding)) -> Result<Measured, ImportError> {
    let mut walk = Walk::begin(&root.directory)?;
    let mut measured = Measured::default();
    while let Some(met) = walk.next(None)? {
        match fit(root, met) {
            Ok((_, _, bytes)) => {
                measured.count += 1;
                measured.bytes += bytes;
            }
            Err(finding) => found(finding),
        }
    }
    Ok(measured)
}

/// Where a file comes to lie, or why it cannot.
fn fit(root: &Root, met: Met) -> Result<(String, ObjectPath, u64), Finding> {
    let finding =
        |path: &str, why| Finding::new(format!("the file {path} in {}", root.directory.display()), why);
    match met {
        Met::File { path, bytes } => match root.target(&path) {
            Some(target) => Ok((path, target, bytes)),
            None => Err(finding(&path, "an artifact cannot have this path")),
        },
        Met::Odd(path) => {
            Err(finding(&path, "it is a link, or its name is not UTF-8; only plain files are copied"))
        }
    }
}

/// Copies one root.
pub struct Copier {
    root: Root,
    walk: Walk,
    objects: Arc<dyn Objects>,
    /// Met, and too much for the page before.
    held: Option<(String, ObjectPath, u64)>,
}

/// Files that were copied together.
pub struct CopiedPage {
    /// What the record says of them.
    pub files: CopiedFiles,
    /// The path of the last one; `None` if there are only such as cannot be copied.
    pub last: Option<String>,
    /// What cannot be copied.
    pub left_out: Vec<Finding>,
}

impl Copier {
    /// Begins.
    pub fn begin(root: Root, objects: Arc<dyn Objects>) -> Result<Self, ImportError> {
        let walk = Walk::begin(&root.directory)?;
        Ok(Self { root, walk, objects, held: None })
    }

    /// Copies the next files behind `files.after`; `None` at the end. What is not kept comes with the page that it
    /// would have been in, or with a last one that has no file.
    pub async fn page(&mut self, files: &Files) -> Result<Option<CopiedPage>, ImportError> {
        let (mut page, mut left_out, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
        let after = files.after.as_deref().map(Path::new);
        while page.len() < PAGE_FILES && bytes < PAGE_BYTES {
            if let Some(held) = self.held.take() {
                bytes += held.2;
                page.push(held);
                continue;
            }
            let Some(met) = self.walk.next(after)? else { break };
            match fit(&self.root, met) {
                Ok(file) if bytes > 0 && bytes + file.2 > PAGE_BYTES => {
                    self.held = Some(file);
                    break;
                }
                Ok(file) => {
                    bytes += file.2;
                    page.push(file);
                }
                Err(finding) => left_out.push(finding),
            }
        }
        if page.is_empty() && left_out.is_empty() {
            return Ok(None);
        }
        let last = page.last().map(|(path, ..)| path.clone());
        let mut copying = pin!(stream::iter(page.into_iter().map(|file| self.copy(file))).buffered(ABREAST));
        let mut copied = CopiedFiles { count: 0, bytes: 0, digest: files.digest.clone() };
        while let Some(done) = copying.next().await {
            let (path, size, digest) = done?;
            let parts = [copied.digest.as_bytes(), path.as_bytes(), &size.to_le_bytes(), digest.as_bytes()];
            copied.digest = Digest::of_parts(parts).hex();
            copied.count += 1;
            copied.bytes += size;
        }
        Ok(Some(CopiedPage { files: copied, last, left_out }))
    }

    /// Copies a file, and reads the copy.
    async fn copy(
        &self,
        (path, target, _): (String, ObjectPath, u64),
    ) -> Result<(String, u64, Digest), ImportError> {
        let place = self.root.directory.join(&path);
        let file = tokio::fs::File::open(&place).await.map_err(|error| failed(&place, error))?;
        let there = digest(&*self.objects, &target).await?;
        if let Some(there) = there {
            // Copied by an import that was killed before it could say so; or two roots have a path in common.
            let same = digest_of(Box::pin(chunks(file))).await?;
            return if same == there {
                Ok((target.to_string(), there.0, there.1))
            } else {
                Err(ImportError::Collision(target.to_string()))
            };
        }
        let sent = Arc::new(Mutex::new(Summed::default()));
        let seen = Arc::clone(&sent);
        let bytes = chunks(file).inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                seen.lock().unwrap_or_else(PoisonError::into_inner).add(chunk);
            }
        });
        self.objects.put(&target, Box::pin(bytes), u64::MAX).await?;
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).clone().end();
        match digest(&*self.objects, &target).await? {
            Some(there) if there == sent => Ok((target.to_string(), there.0, there.1)),
            _ => Err(ImportError::CopyDiffers(target.to_string())),
        }
    }
}

/// Length and digest of what is stored; `None` if nothing is.
async fn digest(objects: &dyn Objects, path: &ObjectPath) -> Result<Option<(u64, Digest)>, StorageError> {
    match objects.get(path, None).await? {
        Some(content) => digest_of(content.bytes).await.map(Some),
        None => Ok(None),
    }
}

/// Length and digest of what went by.
#[derive(Clone, Default)]
struct Summed {
    size: u64,
    hasher: Sha256,
}

impl Summed {
    fn add(&mut self, chunk: &[u8]) {
        self.size += chunk.len() as u64;
        self.hasher.update(chunk);
    }

    fn end(self) -> (u64, Digest) {
        (self.size, Digest::from_bytes(self.hasher.finalize().into()))
    }
}

async fn digest_of(mut bytes: ByteStream) -> Result<(u64, Digest), StorageError> {
    let mut summed = Summed::default();
    while let Some(chunk) = bytes.next().await {
        summed.add(&chunk.map_err(StorageError::Failed)?);
    }
    Ok(summed.end())
}

fn chunks(file: tokio::fs::File) -> impl futures::Stream<Item = Result<bytes::Bytes, Cause>> + Send {
    stream::try_unfold(file, |mut file| async move {
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
        let read = file.read_buf(&mut chunk).await?;
        Ok::<_, Cause>((read > 0).then(|| (chunk.freeze(), file)))
    })
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_objects::LocalObjects;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    async fn objects() -> (tempfile::TempDir, Arc<dyn Objects>) {
        let directory = tempfile::tempdir().unwrap();
        let opened = LocalObjects::open(directory.path().to_owned(), Arc::new(SeededEntropy::new(1)));
        let opened = opened.await.unwrap();
        (directory, Arc::new(opened))
    }

    fn paths(after: Option<&str>, root: &Path) -> Vec<String> {
        let mut walk = Walk::begin(root).unwrap();
        let mut paths = Vec::new();
        while let Some(Met::File { path, .. }) = walk.next(after.map(Path::new)).unwrap() {
            paths.push(path);
        }
        paths
    }

    #[test]
    fn a_walk_goes_on_behind_every_file() {
        let files = [("0/a/x", ""), ("0/a.b", ""), ("0/b", ""), ("10/c", ""), ("2/d/e/f", "")];
        let tree = tree(&files);
        let all = paths(None, tree.path());
        assert_eq!(all, ["0/a/x", "0/a.b", "0/b", "10/c", "2/d/e/f"]);
        for (at, path) in all.iter().enumerate() {
            assert_eq!(paths(Some(path), tree.path()), all[at + 1..], "behind {path}");
        }
        assert_eq!(paths(Some("1"), tree.path()), all[3..]);
    }

    #[tokio::test]
    async fn files_are_copied_once_and_their_digest_does_not_depend_on_where_it_went_on() {
        let tree = tree(&[("0/a", "one"), ("0/b/c", "two"), ("models/x", "not there")]);
        std::os::unix::fs::symlink("/etc/passwd", tree.path().join("0/link")).unwrap();
        let root = Root { from: "x:".into(), directory: tree.path().to_owned(), below: String::new() };
        let (_kept, target) = objects().await;
        let mut copier = Copier::begin(root.clone(), target.clone()).unwrap();
        let page = copier.page(&Files::default()).await.unwrap().unwrap();
        assert_eq!((page.files.count, page.files.bytes, page.last.as_deref()), (2, 6, Some("0/b/c")));
        assert_eq!(page.left_out.len(), 2, "{:?}", page.left_out);
        let mut found = Vec::new();
        let measured = measure(&root, &mut |finding| found.push(finding)).unwrap();
        assert_eq!((measured, found), (Measured { count: 2, bytes: 6 }, page.left_out));

        // As if it had been killed behind the first file: the second is there, and was not noted.
        let first = Digest::of_parts([&b""[..], b"0/a", &3_u64.to_le_bytes(), Digest::of(b"one").as_bytes()]);
        let files = Files { after: Some("0/a".into()), digest: first.hex(), ..Files::default() };
        let mut copier = Copier::begin(root.clone(), target.clone()).unwrap();
        let again = copier.page(&files).await.unwrap().unwrap();
        assert_eq!((again.files.count, &again.files.digest), (1, &page.files.digest));

        fs::write(tree.path().join("0/b/c"), "changed").unwrap();
        let mut copier = Copier::begin(root, target).unwrap();
        assert!(matches!(copier.page(&files).await, Err(ImportError::Collision(_))));
    }
}
