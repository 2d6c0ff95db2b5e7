//! The sockets of the server: no delayed writes, limits on connections and on the time that they may take, and a
//! drain at the end.

mod connection;
mod doors;
mod edge;
mod paced;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

pub use paced::Pace;

use self::connection::{Driver, Farewells};
use self::doors::Doors;
use self::edge::Edges;

/// Most open connections, where the process may have as many.
pub const CONNECTIONS: usize = 4_096;
/// Most threads that talk to clients: half as many as there are cores, for the others have work, too.
const EDGES: usize = 16;

/// How the server treats its clients.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Most open connections. Beyond it the one that has waited longest for a head makes room; if all are being
    /// answered, a new one is told 503.
    pub connections: usize,
    /// Most of them that come from this machine, by whatever address: 429 beyond it.
    pub from_here: usize,
    /// Most of them that come from one other address, or one network of IPv6: 429 beyond it.
    pub from_one_address: usize,
    /// How long a client may take to send the head of a request, keep-alive pauses included: 408 after it.
    pub head: Duration,
    /// How fast the body of a request must come: 408 otherwise.
    pub body: Pace,
    /// How long requests in flight may take to end once the server drains.
    pub drain: Duration,
    /// Threads that talk to clients.
    pub edges: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self::of_connections(CONNECTIONS)
    }
}

impl HttpLimits {
    /// What fits so many connections.
    pub fn of_connections(connections: usize) -> Self {
        Self {
            connections,
            // Local programs, and a proxy that brings everybody's requests.
            from_here: connections / 4 * 3,
            from_one_address: connections / 4,
            head: Duration::from_secs(20),
            body: Pace { grace: Duration::from_secs(20), bytes_per_second: 1 << 10 },
            drain: Duration::from_secs(30),
            edges: thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, EDGES)),
        }
    }
}

/// Starts to serve until `stop` turns true, and to let the requests in flight end then. What is given back ends
/// with it. Connections are taken, and talked to, by threads of their own, so that nothing that the caller's
/// runtime does holds them up.
pub fn start(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    stop: watch::Receiver<bool>,
) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let mut http = hyper::server::conn::http1::Builder::new();
    // Not `pipeline_flush`: with it, what a client is slow to take is gathered in memory without a bound.
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(64 << 10);
    let farewells = Farewells::default();
    let driver = Driver { http, router, pace: limits.body, farewells: farewells.clone(), stop: stop.clone() };
    let edges = Edges::start(limits.edges.max(1), &driver)?;
    let listener = listener.into_std()?;
    let (ending, ended) = oneshot::channel::<()>();
    edge::start("door".to_owned(), async move || {
        match TcpListener::from_std(listener) {
            Ok(listener) => serve(listener, edges, farewells, limits, stop).await,
            Err(error) => tracing::error!(%error, "nothing can be listened to"),
        }
        drop(ending);
    })?;
    // Nothing is sent: it ends once nobody holds the other end.
    Ok(async move { drop(ended.await) })
}

async fn serve(
    listener: TcpListener,
    mut edges: Edges,
    farewells: Farewells,
    limits: HttpLimits,
    mut stop: watch::Receiver<bool>,
) {
    let doors = Arc::new(Doors::new(&limits));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener, &doors) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match doors.admit(peer.ip()) {
            Ok(guest) => tokio::select! {
                taken = edges.take(stream, peer, guest) => if let Err(error) = taken {
                    tracing::warn!(%peer, %error, "a connection could not be handed over");
                },
                _ = stop.wait_for(|stop| *stop) => break,
            },
            Err(full) => {
                tracing::debug!(%peer, %full, "no room for a connection");
                let farewells = farewells.clone();
                tokio::spawn(async move { farewells.dismiss(stream, full).await });
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, edges.end()).await.is_err() {
        tracing::warn!("some requests did not end within {:?}", limits.drain);
    }
}

async fn accept(listener: &TcpListener, doors: &Doors) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A response is one write; waiting for more only costs the client 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "TCP_NODELAY");
                }
                return (stream, peer);
            }
            Err(error) => {
                // Out of file descriptors, mostly: others must close first.
                tracing::warn!(%error, "accept");
                doors.make_room();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
