//! One request to a receiver, and its answer.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, response};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::time::Clock;
use mainstay_governance::webhook::address::is_public;
use mainstay_governance::webhook::mlflow::InvalidWebhook;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::DeliveryOptions;
use crate::retry;

/// Who calls.
const AGENT: &str = concat!("mainstay/", env!("CARGO_PKG_VERSION"));

/// Why a delivery was not taken.
#[derive(Debug, Error)]
pub(crate) enum NotDelivered {
    #[error("its URL cannot be called")]
    Url,
    #[error(transparent)]
    Refused(#[from] InvalidWebhook),
    #[error("its address is not public, and --allow-private-webhooks was not given")]
    Private,
    #[error("it answered {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    #[error("it did not answer in time")]
    Late,
    #[error("it could not be reached: {0}")]
    Unreachable(Cause),
    #[error("connections cannot be encrypted: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Signature(#[from] StorageError),
}

fn unreachable(cause: impl Into<Cause>) -> NotDelivered {
    NotDelivered::Unreachable(cause.into())
}

/// What is posted to a receiver.
pub(crate) struct Message {
    url: Uri,
    headers: HeaderMap,
    body: String,
}

impl Message {
    /// A JSON document for a URL, with these headers beside those that every message has.
    pub(crate) fn new<'a>(
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: String,
    ) -> Result<Self, NotDelivered> {
        let url: Uri = url.parse().map_err(|_| NotDelivered::Url)?;
        let host = url.authority().ok_or(NotDelivered::Url)?.as_str();
        let host = HeaderValue::from_str(host).map_err(|_| NotDelivered::Url)?;
        let mut all = HeaderMap::new();
        all.insert(HOST, host);
        all.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| NotDelivered::Url)?;
            all.insert(name, HeaderValue::from_str(value).map_err(|_| NotDelivered::Url)?);
        }
        Ok(Self { url, headers: all, body })
    }

    fn request(&self) -> Result<Request<String>, NotDelivered> {
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path).body(self.body.clone()).map_err(|_| NotDelivered::Url)?;
        request.headers_mut().clone_from(&self.headers);
        Ok(request)
    }
}

/// What a receiver answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// How long it wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// As much of the body as was asked for.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// An answer of 200 to 299 says that the message was taken.
    pub(crate) fn taken(self) -> Result<(), NotDelivered> {
        let Self { status, retry_after, .. } = self;
        if status.is_success() { Ok(()) } else { Err(NotDelivered::Status { status, retry_after }) }
    }
}

/// Sends messages, each on a connection of its own. It follows no redirection and knows no proxy: the
/// address that it connects to is the one that it has judged.
pub(crate) struct Sender {
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    allow_private: bool,
}

impl Sender {
    pub(crate) fn new(options: &DeliveryOptions, clock: Arc<dyn Clock>) -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let (timeout, allow_private) = (options.timeout, options.allow_private);
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)), clock, timeout, allow_private })
    }

    /// Sends a message, and reads at most `keep` bytes of what the answer holds.
    pub(crate) async fn send(&self, message: &Message, keep: usize) -> Result<Answer, NotDelivered> {
        let answer =
            tokio::time::timeout(self.timeout, self.call(&message.url, message.request()?, keep)).await;
        let (head, body) = answer.map_err(|_| NotDelivered::Late)??;
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| retry::after(text, self.clock.now()));
        Ok(Answer { status: head.status, retry_after, body })
    }

    async fn call(&self, url: &Uri, request: Request<String>, keep: usize) -> Result<Answered, NotDelivered> {
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NotDelivered::Url),
        };
        let host = url.host().ok_or(NotDelivered::Url)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let addresses = self.addresses(host, url.port_u16().unwrap_or(if secure { 443 } else { 80 })).await?;
        let stream = TcpStream::connect(&*addresses).await.map_err(unreachable)?;
        if !secure {
            return exchange(TokioIo::new(stream), request, keep).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NotDelivered::Url)?;
        let stream = self.tls.connect(name, stream).await.map_err(unreachable)?;
        exchange(TokioIo::new(stream), request, keep).await
    }

    /// The addresses of a host, written as a number in whatever way or as a name.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NotDelivered> {
        let found: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(unreachable)?.collect();
        if found.is_empty() {
            return Err(unreachable(io::Error::from(io::ErrorKind::NotFound)));
        }
        let allowed = |address: &SocketAddr| self.allow_private || is_public(address.ip());
        let allowed: Vec<_> = found.into_iter().filter(allowed).collect();
        if allowed.is_empty() { Err(NotDelivered::Private) } else { Ok(allowed) }
    }
}

/// The head of an answer, and the beginning of its body.
type Answered = (response::Parts, Vec<u8>);

/// One request and its answer; the connection ends with it.
async fn exchange(
    stream: impl Read + Write + Unpin,
    request: Request<String>,
    keep: usize,
) -> Result<Answered, NotDelivered> {
    let (mut sender, connection) = http1::handshake(stream).await.map_err(unreachable)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok::<_, hyper::Error>((head, beginning(body, keep).await?))
    });
    tokio::select! {
        answer = &mut answer => answer.map_err(unreachable),
        ended = &mut connection => match ended {
            // The answer may have come with the end.
            Ok(()) => answer.await.map_err(unreachable),
            Err(error) => Err(unreachable(error)),
        },
    }
}

/// At most so many bytes of a body.
async fn beginning(mut body: Incoming, keep: usize) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while kept.len() < keep {
        let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await else { break };
        if let Some(data) = frame?.data_ref() {
            let room = keep - kept.len();
            kept.extend(data.iter().take(room));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use mainstay_core::time::{MachineTime, ManualClock};
    use mainstay_governance::webhook::mlflow::check_url;

    use super::*;

    fn sender(allow_private: bool) -> Sender {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let options = DeliveryOptions { allow_private, ..DeliveryOptions::default() };
        Sender::new(&options, clock).unwrap()
    }

    fn message(url: &str) -> Message {
        Message::new(url, [], "{}".to_owned()).unwrap()
    }

    #[tokio::test]
    async fn private_addresses_are_refused_by_number_and_by_name() {
        let sender = sender(false);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:7f00:1]", "localhost"] {
            let sent = sender.send(&message(&format!("http://{host}:{port}/")), 0).await;
            assert!(matches!(sent, Err(NotDelivered::Private)), "{host}");
        }
    }

    #[tokio::test]
    async fn of_an_answer_the_beginning_is_kept_and_when_to_come_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answering = thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"{}") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                let head =
                    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 300000\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                // Whoever has read enough hangs up.
                drop(stream.write_all(&vec![b'x'; 300_000]));
            }
        });
        let sender = sender(true);
        for keep in [0, 1_000] {
            let answer = sender.send(&message(&url), keep).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.body.len()), (429, keep));
            assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
            assert!(matches!(answer.taken(), Err(NotDelivered::Status { .. })));
        }
        answering.join().unwrap();
    }

    #[test]
    fn what_may_be_registered_can_be_called() {
        for byte in 0..=u8::MAX {
            for place in ["https://example.com/#", "https://example.com/?#", "https://a#.example/"] {
                let url = place.replace('#', &char::from(byte).to_string());
                if check_url(url.clone(), false).is_ok() {
                    assert!(Message::new(&url, [], String::new()).is_ok(), "{url:?}");
                }
            }
        }
    }
}
