//! The threads that talk to clients. Each has connections of its own and an executor of its own, so that a
//! brief request is read, answered and written by one thread, which wakes no other for it, and so that nothing
//! that computes for long holds up the others: that is left to the server's workers, by the guard of its route.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::connection::Driver;
use super::doors::Guest;

/// Connections that wait for a thread to take them. Further ones wait in the kernel.
const WAITING: usize = 128;

/// A connection that was let in.
struct Arrival {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    guest: Guest,
}

/// All threads that talk to clients.
pub(super) struct Edges {
    all: Vec<Edge>,
    /// Becomes true when connections that are left are to be dropped.
    gone: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
}

struct Edge {
    arrivals: mpsc::Sender<Arrival>,
    /// Connections, about: one may end before it is counted.
    open: Arc<AtomicIsize>,
}

impl Edges {
    /// Starts so many.
    pub(super) fn start(count: usize, driver: &Driver) -> io::Result<Self> {
        let (gone, leaving) = watch::channel(false);
        let (under_way, ended) = mpsc::channel(1);
        let mut all = Vec::with_capacity(count);
        for number in 0..count {
            let (arrivals, arriving) = mpsc::channel(WAITING);
            let open = Arc::new(AtomicIsize::new(0));
            let (driver, leaving, under_way) = (driver.clone(), leaving.clone(), under_way.clone());
            let count = Arc::clone(&open);
            start(format!("edge-{number}"), async move || {
                talk(arriving, driver, count, leaving).await;
                drop(under_way);
            })?;
            all.push(Edge { arrivals, open });
        }
        Ok(Self { all, gone, ended })
    }

    /// Gives a connection to the thread that has the fewest, or to the next one that is not too busy to take it;
    /// waits if all are.
    pub(super) async fn take(&self, stream: TcpStream, peer: SocketAddr, guest: Guest) -> io::Result<()> {
        let mut arrival = Arrival { stream: stream.into_std()?, peer, guest };
        let mut edges: Vec<&Edge> = self.all.iter().filter(|edge| !edge.arrivals.is_closed()).collect();
        edges.sort_by_key(|edge| edge.open.load(Ordering::Relaxed));
        for edge in &edges {
            arrival = match edge.arrivals.try_send(arrival) {
                Ok(()) => {
                    edge.open.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(refused) => refused.into_inner(),
            };
        }
        let first = edges.first().ok_or(io::ErrorKind::BrokenPipe)?;
        first.arrivals.send(arrival).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
        first.open.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until the last connection has ended.
    pub(super) async fn end(&mut self) {
        self.all.clear();
        // Nothing is sent: it ends once nobody holds the other end.
        self.ended.recv().await;
    }
}

impl Drop for Edges {
    fn drop(&mut self) {
        self.gone.send_replace(true);
    }
}

/// Starts a thread with an executor of its own.
pub(super) fn start<F: Future<Output = ()>>(
    name: String,
    work: impl FnOnce() -> F + Send + 'static,
) -> io::Result<()> {
    let (report, reported) = std::sync::mpsc::sync_channel(1);
    // The executor is made and dropped there: where others run, none may be dropped.
    thread::Builder::new().name(name).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let (made, runtime) =
            runtime.map_or_else(|error| (Err(error), None), |runtime| (Ok(()), Some(runtime)));
        drop(report.send(made));
        if let Some(runtime) = runtime {
            runtime.block_on(work());
        }
    })?;
    reported.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// What one thread does until it gets no more connections and the last one has ended.
async fn talk(
    mut arriving: mpsc::Receiver<Arrival>,
    driver: Driver,
    open: Arc<AtomicIsize>,
    mut leaving: watch::Receiver<bool>,
) {
    let (mut connections, mut more) = (JoinSet::new(), true);
    while more || !connections.is_empty() {
        tokio::select! {
            arrival = arriving.recv(), if more => match arrival {
                None => more = false,
                Some(Arrival { stream, peer, guest }) => match TcpStream::from_std(stream) {
                    Ok(stream) => drop(connections.spawn(driver.clone().drive(stream, peer, guest))),
                    Err(error) => {
                        open.fetch_sub(1, Ordering::Relaxed);
                        tracing::warn!(%peer, %error, "a connection could not be taken over");
                    }
                },
            },
            Some(_) = connections.join_next() => drop(open.fetch_sub(1, Ordering::Relaxed)),
            _ = leaving.wait_for(|gone| *gone) => break,
        }
    }
}
