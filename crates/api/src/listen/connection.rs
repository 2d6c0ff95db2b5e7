//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use mainstay_core::error::{Coded, Failure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use super::doors::Guest;
use super::paced::{Pace, Paced, TooSlow};
use crate::dialect::{Protocol, render};

/// Clients at a time that are told why they are not served; further ones are not.
const DISMISSED: usize = 64;
/// How long a last answer may take to be taken.
const FAREWELL: Duration = Duration::from_secs(1);
/// Most bytes that are taken from a client that is told that it is not served.
const UNREAD: u64 = 64 << 10;

/// What every connection is driven with.
#[derive(Clone)]
pub(super) struct Driver {
    pub(super) http: Builder,
    pub(super) router: Router,
    pub(super) pace: Pace,
    pub(super) farewells: Farewells,
    pub(super) stop: watch::Receiver<bool>,
}

/// What a connection waited for.
enum Happened {
    Ended(hyper::Result<()>),
    /// It is to make room.
    Told,
    /// The server drains.
    Stopped,
}

impl Driver {
    /// Serves a connection to its end.
    pub(super) async fn drive(mut self, stream: TcpStream, peer: SocketAddr, guest: Guest) {
        let guest = Arc::new(guest);
        let (router, pace) = (self.router, self.pace);
        let service = hyper::service::service_fn({
            let guest = Arc::clone(&guest);
            move |request| answer(router.clone(), request, peer, pace, Arc::clone(&guest))
        });
        let mut connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut is_stopping = false;
        let line = Arc::clone(guest.line());
        let ended = loop {
            let happened = tokio::select! {
                biased;
                ended = &mut connection => Happened::Ended(ended),
                () = line.told_to_leave() => Happened::Told,
                _ = self.stop.wait_for(|stop| *stop), if !is_stopping => Happened::Stopped,
            };
            match happened {
                Happened::Ended(ended) => break ended.map_err(Some),
                Happened::Told if line.is_waiting() => break Err(None),
                // A request came meanwhile: it is answered, and is the last.
                Happened::Told => {}
                Happened::Stopped => is_stopping = true,
            }
            Pin::new(&mut connection).graceful_shutdown();
        };
        let Err(error) = ended else { return };
        if let Some(error) = &error {
            tracing::debug!(%peer, %error, "connection ended");
        }
        if error.is_none_or(|error| error.is_timeout()) {
            let parts = connection.into_parts();
            match to_be_told(parts.io.into_inner(), !parts.read_buf.is_empty()) {
                Ok(Some(stream)) => self.farewells.dismiss(stream, TooSlow::Head).await,
                Ok(None) => {}
                Err(error) => tracing::debug!(%peer, %error, "connection ended"),
            }
        }
    }
}

/// The stream, if the client has sent something of a request, read or not: who has sent nothing expects no answer.
fn to_be_told(stream: TcpStream, was_read: bool) -> io::Result<Option<TcpStream>> {
    if was_read {
        return Ok(Some(stream));
    }
    // The kernel is asked: what it has may not have been noticed here yet.
    let stream = stream.into_std()?;
    match stream.peek(&mut [0]) {
        Ok(0) => Ok(None),
        Ok(_) => TcpStream::from_std(stream).map(Some),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    pace: Pace,
    guest: Arc<Guest>,
) -> Result<Response, Infallible> {
    guest.line().begin();
    let (mut head, body) = request.into_parts();
    head.extensions.insert(peer);
    let response = if body.is_end_stream() {
        router.oneshot(Request::from_parts(head, Body::empty())).await?
    } else {
        let protocol = Protocol::of_path(head.uri.path()).unwrap_or(Protocol::Native);
        let body = Body::new(Paced::new(body, pace, Arc::clone(guest.line())));
        let response = router.oneshot(Request::from_parts(head, body)).await?;
        if guest.line().is_too_slow() { render(protocol, &TooSlow::Body.into()) } else { response }
    };
    // What is streamed is under way until the next request.
    if response.body().size_hint().exact().is_some() {
        guest.wait();
    }
    Ok(response)
}

/// Last answers to clients that are not served: so many at a time, for they are not counted as connections.
#[derive(Clone)]
pub(super) struct Farewells(Arc<Semaphore>);

impl Default for Farewells {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(DISMISSED)))
    }
}

impl Farewells {
    /// Tells a client that it is not served, and closes. Best effort: it may not listen, and there may be too many.
    pub(super) async fn dismiss(&self, mut stream: TcpStream, reason: impl Coded) {
        let Ok(_permit) = self.0.try_acquire() else { return };
        let farewell = async {
            stream.write_all(&text(render(Protocol::Native, &Failure::from(reason))).await).await?;
            stream.shutdown().await?;
            // To close while something is unread resets the connection, and the answer may be lost with it.
            tokio::io::copy(&mut stream.take(UNREAD), &mut tokio::io::sink()).await
        };
        drop(tokio::time::timeout(FAREWELL, farewell).await);
    }
}

/// An answer as it goes over the wire (RFC 9112).
async fn text(response: Response) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 << 10).await.unwrap_or_default();
    let mut text = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    text.extend_from_slice(&body);
    text
}
