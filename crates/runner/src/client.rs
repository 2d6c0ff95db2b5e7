//! The server's side: starting the spawner, asking it for processes, hearing of their ends.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;

use crate::command::{Exit, StepCommand};
use crate::error::RunnerError;
use crate::frame::{self, Frames};
use crate::message::{Reply, Request};

/// How the spawner is started.
#[derive(Debug, Clone)]
pub struct SpawnerConfig {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl SpawnerConfig {
    /// The running binary again, with these arguments.
    pub fn this_binary<I: IntoIterator<Item = S>, S: Into<OsString>>(args: I) -> Result<Self, RunnerError> {
        // Through /proc, so that a binary that was replaced on disk is still the one that runs.
        let program = PathBuf::from("/proc/self/exe");
        let program = if program.exists() {
            program
        } else {
            std::env::current_exe().map_err(RunnerError::NoSpawner)?
        };
        Ok(Self { program, args: args.into_iter().map(Into::into).collect() })
    }
}

/// The process that starts processes. When this is dropped, or the server dies, all of them are killed.
pub struct Spawner {
    link: Arc<Link>,
    pid: u32,
}

struct Link {
    socket: Mutex<UnixStream>,
    steps: Mutex<Steps>,
    next_id: AtomicU64,
}

/// What is awaited. `None` once the spawner is gone.
type Steps = Option<HashMap<u64, Awaited>>;

struct Awaited {
    started: Option<oneshot::Sender<Result<i32, String>>>,
    exited: oneshot::Sender<Exit>,
    pid: Option<i32>,
}

impl Link {
    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames are small and the spawner always reads, so this does not wait in practice.
    fn send(&self, request: &Request) -> Result<(), RunnerError> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        frame::write(&mut *socket, request).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => RunnerError::TooLarge,
            _ => RunnerError::SpawnerGone,
        })
    }

    fn hear(&self, reply: Reply) {
        let mut steps = self.steps();
        let Some(steps) = steps.as_mut() else { return };
        match reply {
            Reply::Started { id, pid } => {
                if let Some(step) = steps.get_mut(&id) {
                    step.pid = Some(pid);
                    if let Some(started) = step.started.take() {
                        drop(started.send(Ok(pid)));
                    }
                }
            }
            Reply::Refused { id, reason } => {
                if let Some(started) = steps.remove(&id).and_then(|step| step.started) {
                    drop(started.send(Err(reason)));
                }
            }
            Reply::Exited { id, exit } => {
                if let Some(step) = steps.remove(&id) {
                    let _ = step.exited.send(exit);
                }
            }
        }
    }

    /// The spawner is gone: its children were killed by the kernel, their groups are killed here. Whoever
    /// waits is told by the end of its channel.
    fn lose(&self) {
        let Some(steps) = self.steps().take() else { return };
        for step in steps.into_values() {
            if let Some(pid) = step.pid.and_then(Pid::from_raw) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
        }
    }
}

impl Spawner {
    /// Starts the spawner, on a thread that lives as long as it does.
    pub fn start(config: SpawnerConfig) -> Result<Self, RunnerError> {
        let (ours, theirs) = UnixStream::pair().map_err(RunnerError::NoSpawner)?;
        let reader = ours.try_clone().map_err(RunnerError::NoSpawner)?;
        let link = Arc::new(Link {
            socket: Mutex::new(ours),
            steps: Mutex::new(Some(HashMap::new())),
            next_id: AtomicU64::new(1),
        });
        let (tell, told) = mpsc::channel();
        let heard = Arc::clone(&link);
        thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                let mut command = Command::new(&config.program);
                command.args(&config.args).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
                let child = command.spawn();
                // The command keeps the spawner's end of the socket open; without it the end of the
                // spawner is the end of the stream.
                drop(command);
                match child {
                    Err(error) => drop(tell.send(Err(error))),
                    Ok(mut child) => {
                        drop(tell.send(Ok(child.id())));
                        follow(&heard, reader);
                        if let Err(error) = child.wait() {
                            tracing::warn!(%error, "the spawner could not be waited for");
                        }
                    }
                }
            })
            .map_err(RunnerError::NoSpawner)?;
        let pid = told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")));
        Ok(Self { link, pid: pid.map_err(RunnerError::NoSpawner)? })
    }

    /// The spawner's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Starts a process. Its working directory and the folder of its log must exist.
    pub async fn spawn(&self, command: StepCommand) -> Result<Handle, RunnerError> {
        let id = self.link.next_id.fetch_add(1, Ordering::Relaxed);
        let program = command.program.argv.first().cloned().unwrap_or_default();
        let (started, has_started) = oneshot::channel();
        let (exited, exit) = oneshot::channel();
        match self.link.steps().as_mut() {
            None => return Err(RunnerError::SpawnerGone),
            Some(steps) => {
                steps.insert(id, Awaited { started: Some(started), exited, pid: None });
            }
        }
        let killer = Killer { link: Arc::clone(&self.link), id };
        if let Err(error) = self.link.send(&Request::Spawn { id, command: Box::new(command) }) {
            if let Some(steps) = self.link.steps().as_mut() {
                steps.remove(&id);
            }
            return Err(error);
        }
        // From here on the process ends with this future or with the handle.
        let mut handle = Handle { killer, exit, pid: 0, ended: None };
        match has_started.await {
            Ok(Ok(pid)) => {
                handle.pid = pid;
                Ok(handle)
            }
            Ok(Err(reason)) => Err(RunnerError::NotStarted { program, reason }),
            Err(_) => Err(RunnerError::SpawnerGone),
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        let socket = self.link.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // The end of the stream is the spawner's sign to kill everything and end.
        let _ = socket.shutdown(std::net::Shutdown::Write);
    }
}

/// Hears replies until the spawner is gone.
fn follow(link: &Link, mut socket: UnixStream) {
    let mut frames = Frames::default();
    loop {
        let heard = frames.fill(&mut socket).and_then(|more| {
            while let Some(reply) = frames.next::<Reply>()? {
                link.hear(reply);
            }
            Ok(more)
        });
        match heard {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, "the spawner cannot be understood");
                break;
            }
        }
    }
    link.lose();
}

/// Stops a process, from anywhere.
#[derive(Clone)]
pub struct Killer {
    link: Arc<Link>,
    id: u64,
}

impl Killer {
    /// Sends the whole process group `SIGTERM`, and `SIGKILL` after the command's grace. Nothing happens
    /// if it has ended.
    pub fn kill(&self) -> Result<(), RunnerError> {
        self.link.send(&Request::Kill { id: self.id })
    }
}

/// A process. Dropped before its end was seen, it is killed.
pub struct Handle {
    killer: Killer,
    exit: oneshot::Receiver<Exit>,
    pid: i32,
    ended: Option<Exit>,
}

impl Handle {
    /// Its process id, also that of its process group.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Something to stop it with while this waits.
    pub fn killer(&self) -> Killer {
        self.killer.clone()
    }

    /// Waits for its end. May be dropped and called again. `SpawnerGone` if the spawner ended first: the
    /// process is then dead too, but nobody knows how it ended.
    pub async fn wait(&mut self) -> Result<Exit, RunnerError> {
        if let Some(exit) = self.ended {
            return Ok(exit);
        }
        let exit = (&mut self.exit).await.map_err(|_| RunnerError::SpawnerGone)?;
        self.ended = Some(exit);
        Ok(exit)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.ended.is_none() {
            drop(self.killer.kill());
        }
    }
}
