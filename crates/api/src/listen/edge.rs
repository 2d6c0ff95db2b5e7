//! The threads that talk to clients. Each has connections of its own and an executor of its own, so that a
//! brief request is read, answered and written by one thread, which wakes no other for it, and so that nothing
//! that computes for long holds up the others: that is left to the server's workers, by the guard of its route.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::connection::Driver;
use super::doors::Guest;

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
    arrivals: mpsc::UnboundedSender<Arrival>,
    open: Arc<AtomicUsize>,
}

impl Edges {
    /// Starts so many.
    pub(super) fn start(count: usize, driver: &Driver) -> io::Result<Self> {
        let (gone, leaving) = watch::channel(false);
        let (under_way, ended) = mpsc::channel(1);
        let mut all = Vec::with_capacity(count);
        for number in 0..count {
            let (arrivals, arriving) = mpsc::unbounded_channel();
            let open = Arc::new(AtomicUsize::new(0));
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (driver, leaving, under_way) = (driver.clone(), leaving.clone(), under_way.clone());
            let count = Arc::clone(&open);
            thread::Builder::new().name(format!("edge-{number}")).spawn(move || {
                runtime.block_on(talk(arriving, driver, count, leaving));
                drop(under_way);
            })?;
            all.push(Edge { arrivals, open });
        }
        Ok(Self { all, gone, ended })
    }

    /// Gives a connection to the thread that has the fewest.
    pub(super) fn take(&self, stream: TcpStream, peer: SocketAddr, guest: Guest) -> io::Result<()> {
        let stream = stream.into_std()?;
        if let Some(edge) = self.all.iter().min_by_key(|edge| edge.open.load(Ordering::Relaxed)) {
            edge.open.fetch_add(1, Ordering::Relaxed);
            // A thread that is gone has dropped what it would have been sent, too.
            drop(edge.arrivals.send(Arrival { stream, peer, guest }));
        }
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

/// What one thread does until it gets no more connections and the last one has ended.
async fn talk(
    mut arriving: mpsc::UnboundedReceiver<Arrival>,
    driver: Driver,
    open: Arc<AtomicUsize>,
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
