//! Copies the files of a data directory that others write to meanwhile.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, FileType};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use mainstay_core::failed::Failed;
use mainstay_store::database::DATABASE_FILE;

use super::manifest::{StoredFile, copy_hashing};
use crate::layout::Layout;

/// How often a directory is copied anew because files of it vanished meanwhile.
const TRIES: usize = 20;

/// A copy of everything but the database, what is only of this machine's present, and, unless asked
/// for, the keys.
pub(super) struct Copy<'a> {
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
    pub(super) with_keys: bool,
}

/// What a directory holds.
struct Listing {
    files: BTreeSet<OsString>,
    directories: BTreeSet<OsString>,
}

impl Copy<'_> {
    pub(super) fn run(&self) -> Result<Vec<StoredFile>, Failed> {
        let mut files = Vec::new();
        self.directory(Path::new(""), &mut files)?;
        Ok(files)
    }

    /// Copies a directory. A file is renamed when it is finished (a segment that is sealed, a snapshot):
    /// if one that was listed is gone afterwards, its new name may have been missed, and all is copied
    /// again.
    fn directory(&self, relative: &Path, files: &mut Vec<StoredFile>) -> Result<(), Failed> {
        let source = self.from.join(relative);
        let failed = |error| Failed::file(&source, error);
        let target = self.to.join(relative);
        fs::create_dir_all(&target).map_err(failed)?;
        let mut listing = self.list(relative)?;
        let mut copied = Vec::new();
        for attempt in 1.. {
            let mut vanished = false;
            for name in &listing.files {
                match copy(&source.join(name), &target.join(name)) {
                    Ok((bytes, digest)) => {
                        let path = relative.join(name).to_str().map(str::to_owned);
                        let path =
                            path.ok_or_else(|| not_copied(&source.join(name), "its name is not UTF-8"))?;
                        copied.push(StoredFile { path, bytes, digest });
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => vanished = true,
                    Err(error) => return Err(Failed::file(&source.join(name), error)),
                }
            }
            let after = self.list(relative)?;
            if !vanished && after.files.is_superset(&listing.files) {
                break;
            }
            if attempt == TRIES {
                return Err(not_copied(&source, "files in it keep vanishing"));
            }
            for file in copied.drain(..) {
                fs::remove_file(self.to.join(&file.path)).map_err(failed)?;
            }
            listing = after;
        }
        files.append(&mut copied);
        File::open(&target).and_then(|directory| directory.sync_all()).map_err(failed)?;
        for name in &listing.directories {
            match self.directory(&relative.join(name), files) {
                // A directory that is gone now was of no use to what the database names.
                Err(Failed::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn list(&self, relative: &Path) -> Result<Listing, Failed> {
        let source = self.from.join(relative);
        let failed = |error| Failed::file(&source, error);
        let mut listing = Listing { files: BTreeSet::new(), directories: BTreeSet::new() };
        for entry in fs::read_dir(&source).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if self.left_out(&relative.join(&name)) {
                continue;
            }
            match entry.file_type().map_err(failed)? {
                kind if kind.is_dir() => listing.directories.insert(name),
                // It may lie on another disk.
                kind if kind.is_symlink() && relative.join(&name) == Path::new(Layout::ARTIFACTS) => {
                    listing.directories.insert(name)
                }
                kind if kind.is_file() => listing.files.insert(name),
                kind => return Err(not_copied(&entry.path(), kind_of(kind))),
            };
        }
        Ok(listing)
    }

    fn left_out(&self, relative: &Path) -> bool {
        let text = relative.to_string_lossy();
        // What steps work in, who has it open, the database (copied already), uploads under way, and what is
        // made again from the record.
        matches!(&*text, "work" | "lock" | "artifacts/.incoming" | "segments/.incoming")
            || text.starts_with(DATABASE_FILE)
            || text.starts_with(Layout::RUN_INDEX)
            || text == "keys" && !self.with_keys
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<(u64, mainstay_core::digest::Digest)> {
    let mut source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode();
    let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    let copied = copy_hashing(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(copied)
}

fn kind_of(kind: FileType) -> &'static str {
    if kind.is_symlink() { "it is a symbolic link" } else { "it is no plain file" }
}

fn not_copied(path: &Path, why: &str) -> Failed {
    Failed::Usage(format!("{} cannot be backed up: {why}", path.display()))
}
