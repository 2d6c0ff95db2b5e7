//! The spawner as a real process: this test binary starts itself again in the roles of the spawner and
//! of a server that is killed.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod deaths;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_runner::{Program, Spawner, SpawnerConfig, StepCommand};

/// Far longer than anything here takes on a busy machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// This binary, running only the ignored test of that name.
fn role(name: &str) -> SpawnerConfig {
    let args = ["--ignored", "--exact", name, "--nocapture", "--test-threads=1"];
    SpawnerConfig { program: std::env::current_exe().unwrap(), args: args.map(Into::into).to_vec() }
}

fn spawner() -> Spawner {
    Spawner::start(role("the_spawner")).unwrap()
}

#[test]
#[ignore = "a role that other tests start"]
fn the_spawner() {
    mainstay_runner::spawner_main();
}

fn shell(dir: &Path, line: &str) -> StepCommand {
    StepCommand::new(Program::shell([line]), dir, dir.join("log"))
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

/// Whether a process is there and not a zombie.
fn lives(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(PathBuf::from("/proc").join(pid.trim()).join("stat")) else {
        return false;
    };
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// Looks again and again until it holds; the kernel and other processes give no sign to wait for.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what} never happened");
}
