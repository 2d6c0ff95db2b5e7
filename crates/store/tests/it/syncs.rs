//! What SQLite asks of the disk, counted between it and the operating system.
#![expect(unsafe_code, reason = "SQLite's file system is an interface of C")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock};

use mainstay_core::principal::Principal;
use mainstay_store::database::DATABASE_FILE;
use rusqlite::ffi;

use crate::databases::sqlite;
use crate::projection::{commands, grant};

type Open = unsafe extern "C" fn(
    *mut ffi::sqlite3_vfs,
    ffi::sqlite3_filename,
    *mut ffi::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;
type Sync = unsafe extern "C" fn(*mut ffi::sqlite3_file, c_int) -> c_int;

static OPEN: OnceLock<Open> = OnceLock::new();
static SYNC: OnceLock<Sync> = OnceLock::new();
/// Names of open files, by their address.
static NAMES: Mutex<BTreeMap<usize, PathBuf>> = Mutex::new(BTreeMap::new());
static SYNCS: Mutex<BTreeMap<PathBuf, u64>> = Mutex::new(BTreeMap::new());

/// Opens as SQLite would, and has the file's syncs counted.
unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's own, and the file is as its file system left it.
    unsafe {
        let opened = OPEN.get().unwrap()(vfs, name, file, flags, out);
        if opened == ffi::SQLITE_OK && !name.is_null() {
            let methods = *(*file).pMethods;
            SYNC.get_or_init(|| methods.xSync.unwrap());
            let name = Path::new(CStr::from_ptr(name).to_str().unwrap()).to_owned();
            NAMES.lock().unwrap().insert(file.addr(), name);
            let counting = ffi::sqlite3_io_methods { xSync: Some(sync), ..methods };
            (*file).pMethods = Box::leak(Box::new(counting));
        }
        opened
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    if let Some(name) = NAMES.lock().unwrap().get(&file.addr()) {
        *SYNCS.lock().unwrap().entry(name.clone()).or_default() += 1;
    }
    // SAFETY: as SQLite called it.
    unsafe { SYNC.get().unwrap()(file, flags) }
}

/// From here on, this process's databases are opened through a file system that counts.
fn count() {
    static ONCE: Once = Once::new();
    // SAFETY: the copy differs from SQLite's own file system in name and one function, and lives for ever.
    ONCE.call_once(|| unsafe {
        let own = *ffi::sqlite3_vfs_find(std::ptr::null());
        OPEN.get_or_init(|| own.xOpen.unwrap());
        let counting = ffi::sqlite3_vfs { zName: c"counting".as_ptr(), xOpen: Some(open), ..own };
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(counting)), 1), ffi::SQLITE_OK);
    });
}

fn syncs(path: &Path) -> u64 {
    SYNCS.lock().unwrap().get(path).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_answered_the_disk_has_their_change() {
    count();
    let fresh = sqlite().await;
    let log = fresh.directory.path().canonicalize().unwrap().join(format!("{DATABASE_FILE}-wal"));
    for name in ["ann", "bob", "cid"] {
        let before = syncs(&log);
        commands(&fresh).run(&Principal::system("test"), grant(name)).await.unwrap();
        assert!(syncs(&log) > before, "{name} was answered, and nobody waited for the disk");
    }
}
