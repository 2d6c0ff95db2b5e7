//! What a step gets, and what is told of its end.

use std::time::Duration;

use mainstay_runner::{Cause, Limits, Program, RunnerError, Status, StepCommand, read_log};

use crate::{eventually, lives, log, shell, spawner};

#[tokio::test]
async fn a_step_gets_its_environment_folder_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let mut command =
        shell(dir.path(), "echo out $WHO; echo err >&2; pwd; env | sort | cut -d= -f1 | tr '\\n' ' '");
    command.env.insert("WHO".to_owned(), "it's me".to_owned());
    let exit = spawner.spawn(command).await.unwrap().wait().await.unwrap();
    assert!(exit.succeeded());
    assert!(exit.started <= exit.ended);
    let expected = format!("out it's me\nerr\n{}\nPATH PWD WHO ", dir.path().display());
    assert_eq!(log(dir.path()), expected);
    assert_eq!((exit.log_bytes, exit.log_truncated), (expected.len() as u64, false));
    let tail = read_log(&dir.path().join("log"), 4, 7).unwrap();
    assert_eq!((tail.bytes.as_slice(), tail.next), (b"it's me".as_slice(), 11));
    assert_eq!(read_log(&dir.path().join("none"), 4, 7).unwrap().next, 4);
}

#[tokio::test]
async fn ends_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    for (line, status) in [("exit 3", Status::Code(3)), ("kill -9 $$", Status::Signal(9))] {
        let mut step = spawner.spawn(shell(dir.path(), line)).await.unwrap();
        let exit = step.wait().await.unwrap();
        assert_eq!((exit.status, exit.cause), (status, Cause::Ended), "{line}");
        assert_eq!(step.wait().await.unwrap(), exit, "asked again, the same answer");
    }
    let mut lines = shell(dir.path(), "");
    lines.program = Program::shell(["echo one", "exit 5", "echo never"]);
    let exit = spawner.spawn(lines).await.unwrap().wait().await.unwrap();
    assert_eq!((exit.status, log(dir.path()).as_str()), (Status::Code(5), "one\n"));
}

#[tokio::test]
async fn what_cannot_start_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let log = dir.path().join("log");
    for (command, word) in [
        (StepCommand::new(Program::argv(["/no/such/program"]), dir.path(), &log), "No such file"),
        (StepCommand::new(Program::argv(["true"]), dir.path().join("none"), &log), "No such file"),
        (StepCommand::new(Program::argv(["true"]), dir.path(), dir.path().join("none/log")), "No such file"),
        (StepCommand::new(Program::argv(Vec::<String>::new()), dir.path(), &log), "no program"),
    ] {
        match spawner.spawn(command).await {
            Err(RunnerError::NotStarted { reason, .. }) => assert!(reason.contains(word), "{reason}"),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("started"),
        }
    }
    let mut huge = shell(dir.path(), "true");
    huge.env.insert("X".to_owned(), "x".repeat(2_000_000));
    assert!(matches!(spawner.spawn(huge).await, Err(RunnerError::TooLarge)));
    assert!(spawner.spawn(shell(dir.path(), "true")).await.unwrap().wait().await.unwrap().succeeded());
}

#[tokio::test]
async fn a_timeout_ends_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let mut command =
        shell(dir.path(), "trap '' TERM; sh -c 'echo $$; exec sleep 1000' & echo $$; wait; wait");
    command.timeout = Some(Duration::from_millis(300));
    command.grace = Duration::from_millis(100);
    let exit = spawner.spawn(command).await.unwrap().wait().await.unwrap();
    assert_eq!(
        (exit.status, exit.cause),
        (Status::Signal(9), Cause::TimedOut),
        "it ignores the polite signal"
    );
    let pids = log(dir.path());
    assert_eq!(pids.lines().count(), 2);
    eventually("the end of the group", || !pids.lines().any(lives)).await;
}

#[tokio::test]
async fn a_killed_step_may_clean_up() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let command = shell(dir.path(), "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done");
    let mut step = spawner.spawn(command).await.unwrap();
    eventually("the start", || log(dir.path()).contains("up")).await;
    let killer = step.killer();
    killer.kill().unwrap();
    let exit = step.wait().await.unwrap();
    assert_eq!((exit.status, exit.cause), (Status::Code(7), Cause::Killed));
    // The shell may note the end of its own child in between.
    assert!(log(dir.path()).starts_with("up\n") && log(dir.path()).ends_with("bye\n"));
    killer.kill().unwrap();
}

#[tokio::test]
async fn what_a_step_leaves_behind_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let command =
        shell(dir.path(), "sh -c 'echo $$; exec sleep 1000' & while ! [ -s log ]; do sleep 0.01; done");
    let exit = spawner.spawn(command).await.unwrap().wait().await.unwrap();
    assert!(exit.succeeded());
    let pid = log(dir.path());
    eventually("the end of the background process", || !lives(&pid)).await;
}

#[tokio::test]
async fn a_dropped_handle_kills() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let step = spawner.spawn(shell(dir.path(), "echo $$; exec sleep 1000")).await.unwrap();
    let pid = step.pid().to_string();
    assert!(lives(&pid));
    drop(step);
    eventually("the end of the step", || !lives(&pid)).await;
}

#[tokio::test]
async fn limits_and_log_bounds_hold() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let mut command = shell(dir.path(), "ulimit -n; ulimit -f; ulimit -v");
    command.limits = Limits {
        open_files: Some(64),
        file_size: Some(512 * 20),
        address_space: Some(1 << 30),
        cpu_seconds: None,
    };
    assert!(spawner.spawn(command).await.unwrap().wait().await.unwrap().succeeded());
    assert_eq!(log(dir.path()), "64\n20\n1048576\n");

    let other = tempfile::tempdir().unwrap();
    let mut noisy = shell(other.path(), "yes | head -c 1000000; echo done >&2");
    noisy.log_limit = 1_000;
    let exit = spawner.spawn(noisy).await.unwrap().wait().await.unwrap();
    assert!(exit.succeeded(), "it is not held up");
    assert_eq!((exit.log_bytes, exit.log_truncated), (1_000, true));
    assert!(log(other.path()).len() < 1_100);
}

#[tokio::test]
async fn many_steps_at_once_end_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = spawner();
    let mut steps = Vec::new();
    for code in 0..50 {
        let mut command = shell(dir.path(), &format!("exit {code}"));
        command.log = dir.path().join(format!("log{code}"));
        steps.push(spawner.spawn(command).await.unwrap());
    }
    for (code, mut step) in (0..).zip(steps) {
        assert_eq!(step.wait().await.unwrap().status, Status::Code(code));
    }
}
