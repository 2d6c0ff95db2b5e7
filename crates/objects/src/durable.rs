//! Directories whose names are known to survive a power cut.
//!
//! A file's name does once its directory was synced, and that directory's own name once the one above it was, up to the
//! root. All but the first are synced once: where many small files come into one directory, that is most of what each
//! of them would cost.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Most directories that are remembered; behind them all are forgotten.
const MOST: usize = 4_096;

/// What is known of the directories below a root. Somebody else may remove one, who has to leave it to us to make it
/// again.
pub(super) struct Durable {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: HashSet<PathBuf>,
    /// Removals that go on. A directory may come and go meanwhile.
    removing: usize,
    /// Moves as one begins, and as it ends.
    removals: u64,
}

impl Durable {
    /// Knows nothing yet.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, state: Mutex::default() }
    }

    fn state<T>(&self, ask: impl FnOnce(&mut State) -> T) -> T {
        ask(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a directory, does with it what gives a file there a name, and lets that name survive a power cut.
    pub(super) fn name(&self, directory: &Path, give: impl FnOnce() -> io::Result<()>) -> io::Result<Named> {
        let is_there = directory.is_dir();
        let (removals, is_known) = self.state(|state| {
            if !is_there {
                state.known.remove(directory);
            }
            (state.removals, state.removing == 0 && state.known.contains(directory))
        });
        if let Err(error) = fs::create_dir_all(directory).and_then(|()| give()) {
            return Ok(Named::Refused(error));
        }
        sync(directory)?;
        let unchanged = |state: &State| state.removing == 0 && state.removals == removals;
        if is_known && self.state(|state| unchanged(state)) {
            return Ok(Named::Durably);
        }
        for above in directory.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
            sync(above)?;
        }
        self.state(|state| {
            if unchanged(state) {
                if state.known.len() >= MOST {
                    state.known.clear();
                }
                state.known.insert(directory.to_owned());
            }
        });
        Ok(Named::Durably)
    }

    /// Removes a directory with all that is in it.
    pub(super) fn remove(&self, directory: &Path) -> io::Result<()> {
        self.state(|state| {
            state.removing = state.removing.saturating_add(1);
            state.removals = state.removals.wrapping_add(1);
            state.known.clear();
        });
        let removed = fs::remove_dir_all(directory);
        self.state(|state| {
            state.removing = state.removing.saturating_sub(1);
            state.removals = state.removals.wrapping_add(1);
        });
        removed
    }
}

/// What came of a name.
#[derive(Debug)]
pub(super) enum Named {
    /// It is there for good.
    Durably,
    /// It could not be given.
    Refused(io::Error),
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(durable: &Durable, file: &Path) -> Named {
        durable.name(file.parent().unwrap(), || fs::write(file, "x")).unwrap()
    }

    fn knows(durable: &Durable, directory: &Path) -> bool {
        durable.state(|state| state.known.contains(directory))
    }

    #[test]
    fn a_directory_is_known_until_something_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let durable = Durable::new(root.path().to_owned());
        let (one, two) = (root.path().join("a/b"), root.path().join("c"));
        for directory in [&one, &two] {
            assert!(matches!(write(&durable, &directory.join("f")), Named::Durably));
            assert!(knows(&durable, directory));
        }
        durable.remove(&two).unwrap();
        assert!(!knows(&durable, &one) && !knows(&durable, &two) && !two.exists());
        assert!(durable.remove(&two).is_err());
        assert!(matches!(write(&durable, &one.join("f")), Named::Durably));
        assert!(knows(&durable, &one));
    }

    #[test]
    fn what_was_removed_meanwhile_is_not_known() {
        let root = tempfile::tempdir().unwrap();
        let durable = Durable::new(root.path().to_owned());
        let place = root.path().join("a");
        write(&durable, &place.join("f"));
        let between = || {
            durable.remove(&place)?;
            fs::create_dir(&place)?;
            fs::write(place.join("g"), "x")
        };
        assert!(matches!(durable.name(&place, between).unwrap(), Named::Durably));
        assert!(!knows(&durable, &place));
        // One that goes on.
        durable.state(|state| state.removing = 1);
        write(&durable, &place.join("h"));
        assert!(!knows(&durable, &place));
    }

    #[test]
    fn what_somebody_else_removed_is_not_known() {
        let root = tempfile::tempdir().unwrap();
        let durable = Durable::new(root.path().to_owned());
        let place = root.path().join("a");
        write(&durable, &place.join("f"));
        fs::remove_dir_all(&place).unwrap();
        let refused = durable.name(&place, || Err(io::ErrorKind::AlreadyExists.into())).unwrap();
        assert!(matches!(refused, Named::Refused(_)) && place.exists() && !knows(&durable, &place));
    }

    #[test]
    fn a_name_that_is_taken_by_a_file_is_refused_and_not_too_many_are_known() {
        let root = tempfile::tempdir().unwrap();
        let durable = Durable::new(root.path().to_owned());
        write(&durable, &root.path().join("f"));
        assert!(matches!(write(&durable, &root.path().join("f/g")), Named::Refused(_)));
        durable.state(|state| state.known.extend((0..MOST).map(|n| PathBuf::from(n.to_string()))));
        write(&durable, &root.path().join("a/f"));
        assert_eq!(durable.state(|state| state.known.len()), 1);
    }
}
