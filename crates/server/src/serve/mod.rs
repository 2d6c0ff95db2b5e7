//! The HTTP server: no delayed writes, limits on time and connections, and a drain at the end.

mod console;
mod process;
mod progress;
mod routes;
mod step_logs;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

pub use routes::{router, table};

/// How the server treats its clients.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Most open connections; further ones wait in the listener's backlog.
    pub connections: usize,
    /// How long a client may take to send the head of a request, keep-alive pauses included.
    pub head: Duration,
    /// How long requests in flight may take to end once the server drains.
    pub drain: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { connections: 4_096, head: Duration::from_secs(20), drain: Duration::from_secs(30) }
    }
}

/// Serves until `stop` turns true, then lets the requests in flight end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .pipeline_flush(true)
        .max_buf_size(64 << 10);
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let service = hyper::service::service_fn({
            let router = router.clone();
            move |request| answer(router.clone(), request, peer)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end within {:?}", limits.drain);
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
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
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer(
    router: Router,
    mut request: hyper::Request<Incoming>,
    peer: SocketAddr,
) -> Result<axum::response::Response, Infallible> {
    request.extensions_mut().insert(peer);
    router.oneshot(request.map(axum::body::Body::new)).await
}
