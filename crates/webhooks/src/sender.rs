//! One delivery: a signed request, and what counts as taken.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::event::RecordedEvent;
use mainstay_core::time::Clock;
use mainstay_governance::webhook::{SIGNATURE_HEADER, Webhook};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::DeliveryOptions;
use crate::address::is_public;

/// Names the delivery; the same at each attempt, so that a receiver can tell a repetition.
const DELIVERY_HEADER: HeaderName = HeaderName::from_static("mainstay-delivery");
/// The kind of the event.
const EVENT_HEADER: HeaderName = HeaderName::from_static("mainstay-event");
/// Who calls.
const AGENT: &str = concat!("mainstay/", env!("CARGO_PKG_VERSION"));

/// Why a delivery was not taken; it is tried again.
#[derive(Debug, Error)]
pub(super) enum NotDelivered {
    #[error("its URL cannot be called")]
    Url,
    #[error("its address is not public, and --allow-private-webhooks was not given")]
    Private,
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("it did not answer in time")]
    Late,
    #[error("it could not be reached: {0}")]
    Unreachable(Cause),
    #[error(transparent)]
    Signature(#[from] StorageError),
}

fn unreachable(cause: impl Into<Cause>) -> NotDelivered {
    NotDelivered::Unreachable(cause.into())
}

/// Sends deliveries, each on a connection of its own. It follows no redirection and knows no proxy: the
/// address that it connects to is the one that it has judged.
pub(super) struct Sender {
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    allow_private: bool,
}

impl Sender {
    pub(super) fn new(options: &DeliveryOptions, clock: Arc<dyn Clock>) -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let (timeout, allow_private) = (options.timeout, options.allow_private);
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)), clock, timeout, allow_private })
    }

    /// Sends one event; an answer of 200 to 299 says that it was taken. Its body is not read.
    pub(super) async fn send(&self, webhook: &Webhook, event: &RecordedEvent) -> Result<(), NotDelivered> {
        let url: Uri = webhook.url.parse().map_err(|_| NotDelivered::Url)?;
        let request = self.request(&url, webhook, event)?;
        let answer = tokio::time::timeout(self.timeout, self.call(&url, request)).await;
        let status = answer.map_err(|_| NotDelivered::Late)??;
        if status.is_success() { Ok(()) } else { Err(NotDelivered::Status(status)) }
    }

    fn request(
        &self,
        url: &Uri,
        webhook: &Webhook,
        event: &RecordedEvent,
    ) -> Result<Request<String>, NotDelivered> {
        let id = format!("{}-{}", webhook.id, event.seq.0);
        let body = document(&id, event);
        let signature = webhook.secret.sign(self.clock.now(), body.as_bytes())?;
        let host = url.authority().ok_or(NotDelivered::Url)?.as_str();
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        Request::post(path)
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature)
            .header(DELIVERY_HEADER, id)
            .header(EVENT_HEADER, &event.kind)
            .body(body)
            .map_err(|_| NotDelivered::Url)
    }

    async fn call(&self, url: &Uri, request: Request<String>) -> Result<StatusCode, NotDelivered> {
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
            return exchange(TokioIo::new(stream), request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NotDelivered::Url)?;
        let stream = self.tls.connect(name, stream).await.map_err(unreachable)?;
        exchange(TokioIo::new(stream), request).await
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

/// One request and the head of its answer; the connection ends with it.
async fn exchange(
    stream: impl Read + Write + Unpin,
    request: Request<String>,
) -> Result<StatusCode, NotDelivered> {
    let (mut sender, connection) = http1::handshake(stream).await.map_err(unreachable)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(sender.send_request(request));
    tokio::select! {
        answer = &mut answer => answer.map(|answer| answer.status()).map_err(unreachable),
        ended = &mut connection => match ended {
            // The answer may have come with the end.
            Ok(()) => answer.await.map(|answer| answer.status()).map_err(unreachable),
            Err(error) => Err(unreachable(error)),
        },
    }
}

/// The event as JSON; `body` is null once it was erased.
fn document(id: &str, event: &RecordedEvent) -> String {
    let document = json!({
        "delivery": id,
        "seq": event.seq.0,
        "at": event.at.micros(),
        "kind": event.kind,
        "actor": event.actor,
        "workspace": event.workspace,
        "subject": event.subject.to_string(),
        "body": event.body,
    });
    document.to_string()
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_core::event::EventSeq;
    use mainstay_core::name::Name;
    use mainstay_core::principal::Actor;
    use mainstay_core::scope::{ResourceKind, Subject, default_workspace};
    use mainstay_core::time::{MachineTime, ManualClock};
    use mainstay_governance::webhook::{WebhookId, WebhookSecret};

    use super::*;

    #[tokio::test]
    async fn private_addresses_are_refused_by_number_and_by_name() {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let sender = Sender::new(&DeliveryOptions::default(), clock).unwrap();
        let event = RecordedEvent {
            seq: EventSeq(1),
            at: MachineTime::from_micros(0),
            kind: "alarm.raised".into(),
            actor: Actor::local(),
            workspace: default_workspace(),
            subject: Subject::new(ResourceKind::Alarm, "a"),
            body: None,
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let send = async |host: &str| {
            let name = Name::new("hook").unwrap();
            let (kinds, url) = (vec!["alarm.*".to_owned()], format!("http://{host}:{port}/"));
            let secret = WebhookSecret::draw(&SeededEntropy::new(1));
            let webhook = Webhook::new(WebhookId::from_bytes([1; 16]), name, url, kinds, secret).unwrap();
            sender.send(&webhook, &event).await.unwrap_err()
        };
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:7f00:1]", "localhost"] {
            assert!(matches!(send(host).await, NotDelivered::Private), "{host}");
        }
    }
}
