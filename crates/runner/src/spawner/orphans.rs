//! The last thing a spawner does: leave nobody behind.

use std::fs;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

/// Rounds of killing; each ends one generation of descendants that became ours when their parent died.
const ROUNDS: usize = 1_000;

/// Kills every child that this process has, and every descendant that becomes its child because its
/// parent died (it is their subreaper), until there is none.
pub(super) fn kill_all() {
    for _ in 0..ROUNDS {
        for pid in children() {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        // Waits for one, so that what it leaves behind shows in the next round; an error means that
        // there are no children any more.
        if wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

/// The children of all threads (`proc_pid_task_tid_children(5)`).
fn children() -> Vec<Pid> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let listed: Vec<String> =
        tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok()).collect();
    let pids = listed.iter().flat_map(|of_task| of_task.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw).collect()
}
