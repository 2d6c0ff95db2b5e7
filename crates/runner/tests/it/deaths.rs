//! Nobody is left behind, whoever dies.

use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_runner::RunnerError;
use rustix::process::{Pid, Signal, kill_process};

use crate::{eventually, lives, log, role, shell, spawner};

/// A step that is a shell with a child in its group, and a grandchild that left the group: each writes
/// its process id to the log.
const FAMILY: &str = "echo $$; sh -c 'echo $$; exec sleep 1000' & \
    setsid sh -c 'echo $$; sh -c \"echo \\$\\$; exec sleep 1000\" & wait' & wait";

fn family(dir: &Path) -> Vec<String> {
    log(dir).lines().map(str::to_owned).collect()
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
#[ignore = "a role that another test starts and kills"]
async fn a_server() {
    let dir = std::env::var_os("MAINSTAY_TEST_DIR").map(std::path::PathBuf::from).unwrap();
    let spawner = spawner();
    std::fs::write(dir.join("spawner"), spawner.pid().to_string()).unwrap();
    let _first = spawner.spawn(shell(&dir, FAMILY)).await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_server_takes_everything_along() {
    let dir = tempfile::tempdir().unwrap();
    let config = role("deaths::a_server");
    let mut server = Command::new(config.program)
        .args(config.args)
        .env("MAINSTAY_TEST_DIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the start of the family", || family(dir.path()).len() == 4).await;
    let mut pids = family(dir.path());
    pids.push(std::fs::read_to_string(dir.path().join("spawner")).unwrap());
    pids.dedup();
    assert_eq!(pids.len(), 5);
    assert!(pids.iter().all(|pid| lives(pid)), "all run before the kill");
    kill(server.id());
    server.wait().unwrap();
    eventually("the end of everybody", || !pids.iter().any(|pid| lives(pid))).await;
}

#[tokio::test]
async fn a_dropped_spawner_takes_everything_along() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let step = spawner.spawn(shell(dir.path(), FAMILY)).await.unwrap();
    eventually("the start of the family", || family(dir.path()).len() == 4).await;
    let mut pids = family(dir.path());
    pids.push(spawner.pid().to_string());
    drop(spawner);
    eventually("the end of everybody", || !pids.iter().any(|pid| lives(pid))).await;
    drop(step);
}

#[tokio::test]
async fn a_killed_spawner_is_noticed_and_its_groups_end() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let line = "echo $$; sh -c 'echo $$; exec sleep 1000' & wait";
    let mut step = spawner.spawn(shell(dir.path(), line)).await.unwrap();
    eventually("the start of the family", || family(dir.path()).len() == 2).await;
    kill(spawner.pid());
    assert!(matches!(step.wait().await, Err(RunnerError::SpawnerGone)));
    let pids = family(dir.path());
    eventually("the end of the group", || !pids.iter().any(|pid| lives(pid))).await;
    let next = spawner.spawn(shell(dir.path(), "true")).await;
    assert!(matches!(next, Err(RunnerError::SpawnerGone)));
}
