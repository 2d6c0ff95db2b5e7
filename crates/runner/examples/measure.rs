//! Measures what a step costs: `cargo run --release -p mainstay-runner --example measure`.
//!
//! Prints the wall time of spawn and wait of `true` (p50, p95), the CPU time of server, spawner and
//! child together for each step, and the spawner's private memory.

use std::fs;
use std::process::ExitCode;

use mainstay_runner::{Program, Spawner, SpawnerConfig, StepCommand, spawner_main};
use rustix::time::{ClockId, clock_gettime};

const STEPS: usize = 2_000;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("__spawner") {
        return spawner_main();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(measure())) {
        Ok(report) => {
            report_to_stdout(&report);
            ExitCode::SUCCESS
        }
        Err(error) => {
            report_to_stdout(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the program's purpose")]
fn report_to_stdout(text: &str) {
    println!("{text}");
}

fn micros() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

type Failed = Box<dyn std::error::Error>;

async fn measure() -> Result<String, Failed> {
    let dir = tempfile::tempdir()?;
    let spawner = Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?;
    let pid = spawner.pid();
    let mut walls = Vec::with_capacity(STEPS);
    let (ours, theirs) = (cpu_ticks("self")?, cpu_ticks(&pid.to_string())?);
    for step in 0..STEPS + 100 {
        let program = Program::argv(["/bin/true"]);
        let command = StepCommand::new(program, dir.path(), dir.path().join("log"));
        let start = micros();
        let exit = spawner.spawn(command).await?.wait().await?;
        if !exit.succeeded() {
            return Err("a step failed".into());
        }
        if step >= 100 {
            walls.push(micros() - start);
        }
    }
    // Ticks are hundredths of a second.
    let cpu = |before: u64, after: u64| (after - before) as f64 * 10_000.0 / (STEPS + 100) as f64;
    let ours = cpu(ours, cpu_ticks("self")?);
    let theirs = cpu(theirs, cpu_ticks(&pid.to_string())?);
    walls.sort_unstable();
    let at = |part: usize| walls.get(walls.len() * part / 100).copied().unwrap_or_default();
    Ok(format!(
        "{STEPS} steps `true`: wall p50 {} us, p95 {} us; CPU per step: server {ours:.0} us, spawner and \
         children {theirs:.0} us; spawner's private memory {} kB",
        at(50),
        at(95),
        private_kb(pid)?,
    ))
}

/// User and system time of a process and its reaped children (`proc_pid_stat(5)`, fields 14 to 17).
fn cpu_ticks(pid: &str) -> Result<u64, Failed> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    Ok(fields.skip(11).take(4).map(str::parse::<u64>).sum::<Result<u64, _>>()?)
}

fn private_kb(pid: u32) -> Result<u64, Failed> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let private = smaps.lines().filter(|line| line.starts_with("Private_"));
    Ok(private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum())
}
