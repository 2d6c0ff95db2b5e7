//! The folder of a project: claimed empty, and left as it was found if nothing comes of it.

use std::path::{Path, PathBuf};

use mainstay_core::failed::Failed;

/// A folder that was empty, or not there, when it was claimed.
#[derive(Debug)]
pub(super) struct Folder<'a> {
    path: &'a Path,
    /// The directories that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

impl<'a> Folder<'a> {
    /// Makes the folder; one with files in it is left alone.
    pub(super) fn claim(path: &'a Path) -> Result<Self, Failed> {
        let above = path.ancestors().filter(|above| !above.as_os_str().is_empty());
        let made = above.take_while(|above| !above.exists()).map(Path::to_owned).collect();
        std::fs::create_dir_all(path).map_err(|error| Failed::file(path, error))?;
        let mut entries = std::fs::read_dir(path).map_err(|error| Failed::file(path, error))?;
        if entries.next().is_some() {
            let message = format!("{} is not empty; name another folder with --to", path.display());
            return Err(Failed::Usage(message));
        }
        Ok(Self { path, made })
    }

    /// Takes away files of these names, and what was made for them.
    pub(super) fn abandon<'f>(self, files: impl IntoIterator<Item = &'f str>) {
        for file in files {
            // What was not written is not there.
            drop(std::fs::remove_file(self.path.join(file)));
        }
        for made in self.made {
            // One that somebody else put a file into stays.
            drop(std::fs::remove_dir(made));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abandoned_folder_leaves_nothing_and_takes_nothing_of_others() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let folder = Folder::claim(&path).unwrap();
        std::fs::write(path.join("x"), "").unwrap();
        folder.abandon(["x", "y"]);
        assert!(!place.path().join("a").exists());

        let folder = Folder::claim(&path).unwrap();
        std::fs::write(path.join("theirs"), "").unwrap();
        folder.abandon(["x"]);
        assert!(path.join("theirs").exists());
        assert!(matches!(Folder::claim(&path), Err(Failed::Usage(_))));

        let empty = place.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        Folder::claim(&empty).unwrap().abandon([]);
        assert!(empty.exists(), "it was there before");
    }
}
