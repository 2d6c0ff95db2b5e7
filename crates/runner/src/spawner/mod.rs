//! The spawner process: one thread, one loop over its socket, its children and their output.

mod child;
mod log;
mod orphans;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use mainstay_core::time::MachineTime;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process_group, pidfd_open,
    set_child_subreaper, wait,
};
use rustix::time::{ClockId, clock_gettime};

use crate::command::{Cause, Exit, Status, StepCommand};
use crate::frame::{self, Frames};
use crate::message::{Reply, Request};
use log::LogFile;

/// Looks at least so often whether the server still lives, in microseconds.
const LONGEST_SLEEP: i64 = 5_000_000;

/// The spawner's whole life: serves the socket that it finds as standard input until the server closes
/// it or dies, then kills all that is left. Call it before any thread is started.
pub fn spawner_main() -> ExitCode {
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    // Descendants whose parents die become ours, so that none escapes.
    let adopts = set_child_subreaper(Some(getpid())).is_ok();
    let parent = getppid();
    let mut spawner = Loop {
        socket: UnixStream::from(socket),
        server: parent,
        frames: Frames::default(),
        steps: BTreeMap::new(),
    };
    let served = spawner.serve();
    for step in spawner.steps.values() {
        step.signal(Signal::KILL);
    }
    orphans::kill_all();
    if adopts && served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Loop {
    socket: UnixStream,
    server: Option<Pid>,
    frames: Frames,
    steps: BTreeMap<u64, Running>,
}

/// What a sleep ended with.
struct Woken {
    /// The socket has something to say.
    readable: bool,
    /// The steps whose process ended.
    ended: Vec<u64>,
}

struct Running {
    pid: Pid,
    pidfd: OwnedFd,
    output: Option<PipeReader>,
    log: LogFile,
    started: MachineTime,
    /// When the polite signal is due, on the monotonic clock.
    timeout_at: Option<i64>,
    /// When the certain signal is due, once the polite one was sent.
    kill_at: Option<i64>,
    grace: i64,
    cause: Cause,
}

/// Microseconds of a clock. The spawner is outside of the domain and reads the system's.
fn micros(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
}

fn machine_now() -> MachineTime {
    MachineTime::from_micros(micros(ClockId::Realtime))
}

fn in_micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Loop {
    /// Ends well when the server closes the socket.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let Woken { readable, ended } = self.wait()?;
            if readable && !self.listen()? {
                return Ok(());
            }
            if getppid() != self.server {
                return Ok(());
            }
            for step in self.steps.values_mut() {
                step.pump();
            }
            self.reap(&ended)?;
            let now = micros(ClockId::Monotonic);
            for step in self.steps.values_mut() {
                step.enforce(now);
            }
        }
    }

    /// Sleeps until something happens or is due.
    fn wait(&self) -> io::Result<Woken> {
        let mut fds = vec![PollFd::new(&self.socket, PollFlags::IN)];
        let pidfds = self.steps.values().map(|step| step.pidfd.as_fd());
        fds.extend(pidfds.map(|pidfd| PollFd::from_borrowed_fd(pidfd, PollFlags::IN)));
        for step in self.steps.values() {
            if let Some(output) = &step.output {
                let output: BorrowedFd<'_> = output.as_fd();
                fds.push(PollFd::from_borrowed_fd(output, PollFlags::IN));
            }
        }
        let now = micros(ClockId::Monotonic);
        let due = self.steps.values().filter_map(|step| step.kill_at.or(step.timeout_at)).min();
        let sleep = due.map_or(LONGEST_SLEEP, |at| at.saturating_sub(now)).clamp(0, LONGEST_SLEEP);
        let timeout = Timespec { tv_sec: sleep / 1_000_000, tv_nsec: sleep % 1_000_000 * 1_000 };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        let readable = happened.next().unwrap_or(false);
        let ended = self.steps.keys().zip(happened).filter_map(|(id, ended)| ended.then_some(*id)).collect();
        Ok(Woken { readable, ended })
    }

    /// Reads and does what the server asks; `false` when it is gone.
    fn listen(&mut self) -> io::Result<bool> {
        if !self.frames.fill(&mut self.socket)? {
            return Ok(false);
        }
        while let Some(request) = self.frames.next::<Request>()? {
            match request {
                Request::Spawn { id, command } => {
                    let reply = match Running::start(&command) {
                        Ok(step) => {
                            let pid = step.pid.as_raw_pid();
                            self.steps.insert(id, step);
                            Reply::Started { id, pid }
                        }
                        Err(error) => Reply::Refused { id, reason: error.to_string() },
                    };
                    frame::write(&mut self.socket, &reply)?;
                }
                Request::Kill { id } => {
                    if let Some(step) = self.steps.get_mut(&id) {
                        step.stop(Cause::Killed, micros(ClockId::Monotonic));
                    }
                }
            }
        }
        Ok(true)
    }

    /// Collects whoever ended: steps, which are reported, and adopted descendants, which are not.
    fn reap(&mut self, ended: &[u64]) -> io::Result<()> {
        for step in ended.iter().filter_map(|id| self.steps.get(id)) {
            // What it left running goes with it. Not reaped yet, the group's number is still its own.
            step.signal(Signal::KILL);
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let of_pid = |(_, step): &(&u64, &Running)| step.pid == pid;
            let Some(id) = self.steps.iter().find(of_pid).map(|(id, _)| *id) else { continue };
            if let Some(step) = self.steps.remove(&id) {
                let exit = step.finish(status);
                frame::write(&mut self.socket, &Reply::Exited { id, exit })?;
            }
        }
        Ok(())
    }
}

impl Running {
    fn start(command: &StepCommand) -> io::Result<Self> {
        let log = LogFile::open(&command.log, command.log_limit, command.timestamps)?;
        let (child, output) = child::start(command)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the system gave no process id"))?;
        // Not reaped yet, so the id is still its.
        let prepared = pidfd_open(pid, PidfdFlags::empty()).and_then(|pidfd| {
            let flags = fcntl_getfl(&output)?;
            fcntl_setfl(&output, flags | OFlags::NONBLOCK)?;
            Ok(pidfd)
        });
        let pidfd = prepared.inspect_err(|_| {
            let _ = kill_process_group(pid, Signal::KILL);
        })?;
        let now = micros(ClockId::Monotonic);
        Ok(Self {
            pid,
            pidfd,
            output: Some(output),
            log,
            started: machine_now(),
            timeout_at: command.timeout.map(|timeout| now.saturating_add(in_micros(timeout))),
            kill_at: None,
            grace: in_micros(command.grace),
            cause: Cause::Ended,
        })
    }

    /// To the whole group; nobody may be left in it.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
    }

    fn stop(&mut self, cause: Cause, now: i64) {
        if self.kill_at.is_none() {
            self.cause = cause;
            self.kill_at = Some(now.saturating_add(self.grace));
            self.signal(Signal::TERM);
        }
    }

    fn enforce(&mut self, now: i64) {
        if self.kill_at.is_some_and(|at| at <= now) {
            self.signal(Signal::KILL);
            // Once is enough, but a process in an uninterruptible call is asked again.
            self.kill_at = Some(now.saturating_add(LONGEST_SLEEP));
        } else if self.timeout_at.is_some_and(|at| at <= now) {
            self.timeout_at = None;
            self.stop(Cause::TimedOut, now);
        }
    }

    /// Moves what output there is to the log.
    fn pump(&mut self) {
        let Some(output) = &mut self.output else { return };
        let mut chunk = [0; 16 * 1024];
        // A step that never stops writing must not keep the others from being served.
        for _ in 0..64 {
            match output.read(&mut chunk) {
                Ok(0) => {
                    self.output = None;
                    return;
                }
                Ok(read) => self.log.append(chunk.get(..read).unwrap_or_default(), machine_now()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.output = None;
                    return;
                }
            }
        }
    }

    fn finish(mut self, status: WaitStatus) -> Exit {
        let ended = machine_now();
        self.pump();
        let status = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Status::Code(code),
            (None, Some(signal)) => Status::Signal(signal),
            (None, None) => Status::Signal(0),
        };
        Exit {
            status,
            cause: self.cause,
            started: self.started,
            ended,
            log_bytes: self.log.written(),
            log_truncated: self.log.truncated(),
        }
    }
}
