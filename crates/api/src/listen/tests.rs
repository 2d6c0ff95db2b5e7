//! What clients can do to the sockets of a server, and what it tells them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::{HttpLimits, Pace, start};

/// Nothing in these tests takes so long, unless something is wrong.
const LONG: Duration = Duration::from_mins(1);
/// What tests wait for to happen by itself.
const SHORT: Duration = Duration::from_millis(50);

/// Pieces of what is asked under `/long`.
const PIECES: usize = 4_000;
static PIECE: [u8; 512 << 10] = [0; 512 << 10];

/// A server that echoes bodies. What is asked under `/held` is answered once there is a permit for it.
struct Server {
    address: SocketAddr,
    /// How many pieces of `/long` were made.
    made: Arc<AtomicUsize>,
    /// One permit for each request that is held.
    entered: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: HttpLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let permits = Arc::new(Semaphore::new(0));
        let entered = Arc::new(Semaphore::new(0));
        let (held, enters) = (Arc::clone(&permits), Arc::clone(&entered));
        let made = Arc::new(AtomicUsize::new(0));
        let making = Arc::clone(&made);
        let router = Router::new().fallback(async move |request: Request| {
            if request.uri().path() == "/long" {
                return Body::from_stream(futures::stream::iter(0..PIECES).map(move |_| {
                    making.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, Infallible>(Bytes::from_static(&PIECE))
                }));
            }
            if request.uri().path() == "/held" {
                enters.add_permits(1);
                held.acquire().await.unwrap().forget();
            }
            let read = axum::body::to_bytes(request.into_body(), 1 << 20).await;
            Body::from(read.unwrap_or_else(|error| Bytes::from(error.to_string())))
        });
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(start(listener, router, limits, stopping).unwrap());
        Self { address, made, entered, permits, stop, task }
    }

    /// A connection on which so much was sent.
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What a request on a connection of its own is answered.
    async fn ask(&self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        all(self.send(&head).await).await
    }

    async fn end(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(LONG, self.task).await.unwrap().unwrap();
    }
}

/// All that comes until the server closes.
async fn all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    tokio::time::timeout(LONG, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

/// Limits that no test reaches but those that it sets.
fn patient() -> HttpLimits {
    HttpLimits {
        connections: 1_000,
        from_here: 1_000,
        from_one_address: 1,
        head: LONG,
        body: Pace { grace: LONG, bytes_per_second: 1 << 10 },
        drain: SHORT,
        edges: 2,
    }
}

const HALF: &str = "GET / HTTP/1.1\r\nhost: x\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_answered_and_silence_is_not() {
    let server = Server::start(HttpLimits { head: SHORT, ..patient() }).await;
    let told = all(server.send(HALF).await).await;
    assert!(told.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{told}");
    assert!(told.contains("application/problem+json") && told.contains("\"code\":\"too-slow\""), "{told}");
    assert_eq!(all(server.send("").await).await, "");
    // A connection that is kept alive ends without a word, too.
    let kept = all(server.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert!(kept.starts_with("HTTP/1.1 200 OK\r\n") && kept.matches("HTTP/1.1").count() == 1, "{kept}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_refused_in_the_words_of_its_address() {
    let pace = Pace { grace: SHORT, bytes_per_second: 1 << 20 };
    let server = Server::start(HttpLimits { body: pace, ..patient() }).await;
    let head = |path: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\nbody")
    };
    let whole = head("/api/v1/x", 4).replace("host: x", "host: x\r\nconnection: close");
    let told = all(server.send(&whole).await).await;
    assert!(told.starts_with("HTTP/1.1 200 OK") && told.ends_with("\r\n\r\nbody"), "{told}");
    for (path, words) in [
        ("/api/2.0/mlflow/x", "\"error_code\":\"DEADLINE_EXCEEDED\""),
        ("/v2/models/x/infer", "{\"error\":\"the body came too slowly"),
        ("/anything", "\"code\":\"too-slow\""),
    ] {
        let told = all(server.send(&head(path, 5)).await).await;
        assert!(told.starts_with("HTTP/1.1 408 Request Timeout\r\n") && told.contains(words), "{told}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_come_give_a_body_more_time() {
    // Each byte gives a second.
    let pace = Pace { grace: SHORT, bytes_per_second: 1 };
    let server = Server::start(HttpLimits { body: pace, ..patient() }).await;
    let chunk = "a".repeat(100);
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 200\r\n\r\n";
    let mut stream = server.send(&format!("{head}{chunk}")).await;
    // The answer to something else comes after the grace of this one has passed.
    let other = all(server.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n").await).await;
    assert!(other.starts_with("HTTP/1.1 408"), "{other}");
    stream.write_all(chunk.as_bytes()).await.unwrap();
    let told = all(stream).await;
    assert!(told.starts_with("HTTP/1.1 200 OK") && told.ends_with(&chunk.repeat(2)), "{told}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_is_slow_to_take_is_not_made_yet() {
    let server = Server::start(HttpLimits { edges: 1, ..patient() }).await;
    let mut slow = server.send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await;
    slow.read_exact(&mut [0; 12]).await.unwrap();
    // The thread that writes to it comes back to others, with no more made than fits into what the kernel keeps.
    for _ in 0..3 {
        assert!(server.ask("/").await.starts_with("HTTP/1.1 200 OK"));
    }
    let made = server.made.load(Ordering::Relaxed);
    assert!((1..PIECES / 10).contains(&made), "{made} pieces");
    drop(slow);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_keep_nobody_out() {
    let server = Server::start(HttpLimits { connections: 20, from_here: 8, ..patient() }).await;
    let mut halves = Vec::new();
    for _ in 0..30 {
        halves.push(server.send(HALF).await);
    }
    for _ in 0..3 {
        assert!(server.ask("/").await.starts_with("HTTP/1.1 200 OK"));
    }
    // Those that were first made room, and were told; one whose bytes came too late may find a closed door.
    let mut told = 0;
    for mut half in halves.drain(..20) {
        let mut text = String::new();
        let read = tokio::time::timeout(LONG, half.read_to_string(&mut text)).await.unwrap();
        told += usize::from(read.is_ok() && text.starts_with("HTTP/1.1 408 Request Timeout"));
    }
    assert!(told > 0);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_answered_stays_and_others_are_told_that_there_is_no_room() {
    for (limits, status) in [
        (HttpLimits { from_here: 3, ..patient() }, "429 Too Many Requests"),
        (HttpLimits { connections: 3, ..patient() }, "503 Service Unavailable"),
    ] {
        let server = Server::start(limits).await;
        let held = "GET /held HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(server.send(held).await);
            // The next one finds it under way, or it would make room.
            server.entered.acquire().await.unwrap().forget();
        }
        let told = all(server.send(HALF).await).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{told}");
        assert!(told.contains("retry-after: 1\r\n") && told.contains("application/problem+json"), "{told}");
        server.permits.add_permits(3);
        for stream in streams {
            assert!(all(stream).await.starts_with("HTTP/1.1 200 OK"));
        }
        assert!(server.ask("/").await.starts_with("HTTP/1.1 200 OK"));
        server.end().await;
    }
}
