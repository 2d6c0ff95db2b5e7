//! A server at the other end of a socket: HTTP/1.1, one connection for each request.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use mainstay_core::error::Cause;
use tokio::net::TcpStream;

use crate::credential::shown;
use crate::{Failed, LONGEST_ANSWER};

/// How long a server may take to answer, and again to send the next part of a long answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it may take to reach it.
const REACHED: Duration = Duration::from_secs(10);

/// Where the server is.
#[derive(Debug)]
pub(super) struct Remote {
    host: String,
    port: u16,
    authority: HeaderValue,
    /// What stands before every path, without a slash at the end.
    prefix: String,
}

impl Remote {
    /// Reads `http://host:port`.
    pub(super) fn new(url: &str) -> Result<Self, Failed> {
        let wrong = |why: &str| {
            Failed::Usage(format!("{}: {why}; write the server as http://127.0.0.1:5000", shown(url)))
        };
        let uri: Uri = url.parse().map_err(|_| wrong("this is no address"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong(
                    "the command line speaks plain HTTP; reach the server over loopback or a tunnel",
                ));
            }
            _ => return Err(wrong("the address has no scheme")),
        }
        let host = uri.host().ok_or_else(|| wrong("the address has no host"))?;
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let behind = authority.rsplit([']', '@']).next().unwrap_or_default();
        if behind.contains(':') && uri.port_u16().is_none() {
            return Err(wrong("the port is no number up to 65535"));
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authority: HeaderValue::try_from(authority).map_err(|_| wrong("the host cannot be sent"))?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    pub(super) async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        let place = format!("{}:{}", self.host, self.port);
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = tokio::time::timeout(REACHED, connecting).await.unwrap_or_else(|late| Err(late.into()));
        let stream = stream.map_err(|error| unreachable(&place, error))?;
        let response = match tokio::time::timeout(PATIENCE, self.send(stream, request)).await {
            Ok(done) => {
                done.map_err(|error| Failed::outside(format!("talking to the server at {place}"), error))?
            }
            Err(late) => return Err(Failed::outside(format!("waiting for the server at {place}"), late)),
        };
        let (head, body) = response.into_parts();
        let body = whole(body).await.map_err(|error| Failed::outside("reading the answer", error))?;
        Ok(Response::from_parts(head, body))
    }

    async fn send(&self, stream: TcpStream, request: Request<Bytes>) -> Result<Response<Incoming>, Cause> {
        let mut request = request.map(Full::new);
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = format!("{}{path}", self.prefix).parse()?;
        request.headers_mut().insert(header::HOST, self.authority.clone());
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It carries the body that is still to be read; its error shows there.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}

/// All of an answer, as long as it comes.
async fn whole(body: Incoming) -> Result<Bytes, Cause> {
    let (mut body, mut whole) = (Limited::new(body, LONGEST_ANSWER), BytesMut::new());
    while let Some(frame) = tokio::time::timeout(PATIENCE, body.frame()).await? {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// Nobody listens there.
fn unreachable(place: &str, error: std::io::Error) -> Failed {
    let what = format!(
        "no server answers at {place}: start one with `mainstay up`, or say where it is with --server or \
         MAINSTAY_SERVER"
    );
    Failed::outside(what, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let remote = Remote::new("http://[::1]:5000/mainstay/").unwrap();
        assert_eq!((remote.host.as_str(), remote.port, remote.prefix.as_str()), ("::1", 5000, "/mainstay"));
        assert_eq!(Remote::new("http://box.lan").unwrap().port, 80);
        for bad in ["127.0.0.1:5000", "https://x", "", "http://"] {
            assert!(matches!(Remote::new(bad), Err(Failed::Usage(_))), "{bad}");
        }
        assert!(!Remote::new("ada:secret@box").unwrap_err().to_string().contains("secret"));
    }
}
