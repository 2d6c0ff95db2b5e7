//! The record from outside: checked, backed up while it is written, restored, rebuilt.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mainstay_core::command::Commands;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Role};
use mainstay_core::scope::default_workspace;
use mainstay_governance::command::GrantRole;
use mainstay_governance::policy::Mode;
use mainstay_governance::port::GovernanceTx;
use mainstay_platform::authority::local_user;
use mainstay_platform::clock::{SystemClock, SystemEntropy};
use mainstay_platform::{Environment, Platform};
use mainstay_store::reader::Reader;

use crate::program::Data;

async fn open(data: &Path) -> Platform {
    let clock = Arc::new(SystemClock::start());
    let environment =
        Environment { clock, entropy: Arc::new(SystemEntropy), mode: Mode::Local, guard_events: false };
    Platform::open(data, None, environment).await.unwrap()
}

/// Grants a role to a new person.
async fn grant(commands: &Commands<dyn GovernanceTx>, person: &str) {
    let actor = Actor::user(Name::new(person).unwrap());
    let grant = GrantRole { workspace: default_workspace(), actor, role: Role::Viewer };
    commands.run(&local_user(), grant).await.unwrap();
}

fn commands(platform: &Platform) -> Commands<dyn GovernanceTx> {
    Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone())
}

/// A data directory with so many events, closed in order.
async fn with_events(count: usize) -> Data {
    let data = Data::new();
    let platform = open(data.path()).await;
    for number in 0..count {
        grant(&commands(&platform), &format!("p{number}")).await;
    }
    platform.close().await;
    data
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_kept_elsewhere_shows_a_cut_and_a_forked_log_and_a_wrong_key() {
    let (here, longer, shorter) = (with_events(4).await, with_events(6).await, with_events(2).await);
    let kept = tempfile::tempdir().unwrap();
    let head = kept.path().join("head.json");
    let key = here.path().join("keys/audit.pub");
    assert!(here.output(&["audit", "head", "--out", path(&head)]).status.success());
    let verify = |data: &Data, key: &Path| {
        let output = data.output(&["audit", "verify", "--head", path(&head), "--key", path(key)]);
        (output.status.code(), text(&output))
    };
    let (code, said) = verify(&here, &key);
    assert_eq!((code, said.contains("signed up to event 4")), (Some(0), true), "{said}");
    // The log grows, and still continues the head.
    let platform = open(here.path()).await;
    grant(&commands(&platform), "later").await;
    platform.close().await;
    let (code, said) = verify(&here, &key);
    assert_eq!((code, said.contains("5 events, all as they were recorded")), (Some(0), true), "{said}");

    let (code, said) = verify(&shorter, &key);
    let cut = "the log ends before it, but the head kept elsewhere counts 4 events";
    assert_eq!((code, said.contains(cut)), (Some(1), true), "{said}");
    let (code, said) = verify(&longer, &key);
    let forked = "events 1..=4: do not give the root of the head kept elsewhere";
    assert_eq!((code, said.contains(forked)), (Some(1), true), "{said}");
    let (code, said) = verify(&here, &longer.path().join("keys/audit.pub"));
    let strange = "the head kept elsewhere at 4: it is signed by another key than those given";
    assert_eq!((code, said.contains(strange)), (Some(1), true), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_private_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = with_events(1).await;
    let mode = |name: &str| data.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys"), mode("keys/audit.key")), (0o700, 0o600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projections_are_rebuilt_when_nobody_has_the_data_open() {
    let data = with_events(3).await;
    let platform = open(data.path()).await;
    let refused = data.output(&["audit", "rebuild"]);
    assert!(
        !refused.status.success() && text(&refused).contains("another Mainstay has"),
        "{}",
        text(&refused)
    );
    platform.close().await;
    drop(platform);
    let rebuilt = data.output(&["audit", "rebuild"]);
    assert!(rebuilt.status.success() && text(&rebuilt).contains("role_grants: 3 rows"), "{}", text(&rebuilt));
    let checked = data.output(&["audit", "verify", "--state"]);
    assert!(checked.status.success() && text(&checked).contains("4 events"), "{}", text(&checked));
}

/// Writes grants until told to stop; `acknowledged` counts those that were answered.
async fn write(
    commands: Commands<dyn GovernanceTx>,
    writer: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
) {
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        grant(&commands, &format!("w{writer}-{number}")).await;
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_restores_to_a_whole_record() {
    let (data, disk) = (Data::new(), tempfile::tempdir().unwrap());
    // As `--artifacts` leaves it.
    std::os::unix::fs::symlink(disk.path(), data.path().join("artifacts")).unwrap();
    std::fs::write(disk.path().join("model"), "elsewhere").unwrap();
    let platform = open(data.path()).await;
    let table = data.path().join("tables/part.parquet");
    std::fs::write(&table, vec![7; 3_000_000]).unwrap();
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..8)
        .map(|n| tokio::spawn(write(commands(&platform), n, stop.clone(), acknowledged.clone())))
        .collect();
    while acknowledged.load(Ordering::SeqCst) < 100 {
        tokio::task::yield_now().await;
    }
    let (place, before) = (tempfile::tempdir().unwrap(), acknowledged.load(Ordering::SeqCst));
    let (backup, restored) = (place.path().join("backup"), place.path().join("restored"));
    let run = data.mainstay(&["backup", "--to", path(&backup)]).output();
    let made = tokio::task::spawn_blocking(move || run.unwrap()).await.unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let after = acknowledged.load(Ordering::SeqCst);
    assert!(after > before, "the backup must not hold up the writers");
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    platform.close().await;

    assert!(!backup.join("keys").exists() && !backup.join("work").exists());
    let back = data.output(&["restore", path(&backup), "--data", path(&restored)]);
    assert!(back.status.success(), "{}", text(&back));
    let log = Reader::open_sqlite(&restored);
    let events = log.frontier().await.unwrap().size();
    assert!(events >= before, "{events} of {before} that were acknowledged before");
    assert!(log.check_state().await.unwrap().is_good());
    assert_eq!(std::fs::read(restored.join("tables/part.parquet")).unwrap(), std::fs::read(table).unwrap());
    assert!(!restored.join("artifacts").is_symlink());
    assert_eq!(std::fs::read_to_string(restored.join("artifacts/model")).unwrap(), "elsewhere");
    let checked = data.output(&["audit", "verify", "--state", path(&restored)]);
    assert!(checked.status.success(), "{}", text(&checked));

    // Into a directory that holds something, or of files that were changed, nothing is restored.
    let again = data.output(&["restore", path(&backup), "--data", path(&restored)]);
    assert!(again.status.code() == Some(2) && text(&again).contains("is not empty"), "{}", text(&again));
    std::fs::write(backup.join("tables/part.parquet"), vec![8; 3_000_000]).unwrap();
    let third = place.path().join("third");
    let changed = data.output(&["restore", path(&backup), "--data", path(&third)]);
    assert!(text(&changed).contains("is not what was backed up"), "{}", text(&changed));
    assert!(std::fs::read_dir(&third).unwrap().next().is_none());
}
