//! Starting one process: its own group, killed with its parent, bounded, output into a pipe.

use std::io::{self, PipeReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, setrlimit};

use crate::command::{Limits, StepCommand};

/// Starts a process; gives it and the end of its output.
pub(super) fn start(command: &StepCommand) -> io::Result<(Child, PipeReader)> {
    let (program, arguments) = command
        .program
        .argv
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no program to start"))?;
    let (reader, writer) = io::pipe()?;
    let mut process = Command::new(program);
    process
        .args(arguments)
        .env_clear()
        .envs(&command.env)
        .current_dir(&command.dir)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let parent = rustix::process::getpid();
    let bounds = bounds(&command.limits);
    let prepare = move || prepare(parent, &bounds);
    #[expect(
        unsafe_code,
        reason = "between fork and exec; `prepare` only makes system calls and never allocates"
    )]
    // SAFETY: the closure runs in the forked child of a single-threaded process. It calls prctl,
    // getppid and setrlimit, which are async-signal-safe, and touches only memory that it owns.
    unsafe {
        process.pre_exec(prepare);
    }
    let child = process.spawn()?;
    Ok((child, reader))
}

type Bounds = [(Resource, Option<u64>); 4];

fn bounds(limits: &Limits) -> Bounds {
    [
        (Resource::As, limits.address_space),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, limits.open_files),
    ]
}

fn prepare(parent: Pid, bounds: &Bounds) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the line above took hold.
    if getppid() != Some(parent) {
        return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
    }
    for (resource, most) in bounds {
        if most.is_some() {
            setrlimit(*resource, Rlimit { current: *most, maximum: *most })?;
        }
    }
    Ok(())
}
