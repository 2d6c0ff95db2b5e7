//! An HTTP client of one server, on one connection. It asks again while the server is away.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Method, Request, StatusCode, header};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use mainstay_core::error::Cause;
use mainstay_core::failed::Failed;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::server::Server;

/// Longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 256 << 20;
/// How often a server that is away is asked again, and the pause before each time: for a minute.
const AGAIN: (usize, Duration) = (600, Duration::from_millis(100));

pub(super) struct Client {
    server: Server,
    connection: Option<SendRequest<Body>>,
}

/// A request of the replay. Each may be made twice: predictions have ids, labels versions, runs keys.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    kind: &'a str,
    body: Bytes,
}

/// Why there is no answer of success.
enum Fault {
    /// The server cannot be reached, went away, or says that it is not able to now.
    Away(Cause),
    /// Asking again would not help.
    Refused(Cause),
}

impl Client {
    pub(super) fn new(server: Server) -> Self {
        Self { server, connection: None }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Value, Failed> {
        self.call(Method::GET, path, "application/json", Vec::new()).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Result<Value, Failed> {
        self.call(Method::POST, path, "application/json", body.to_string().into_bytes()).await
    }

    /// One request. An answer other than of success is a failure, with what the server said.
    pub(super) async fn call(
        &mut self,
        method: Method,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Value, Failed> {
        let asked = Asked { method, path, kind, body: body.into() };
        let (most, pause) = AGAIN;
        let mut again = 0;
        loop {
            let cause = match self.attempt(&asked).await {
                Ok(answer) => return Ok(answer),
                Err(Fault::Away(cause)) if again < most => cause,
                Err(Fault::Away(cause) | Fault::Refused(cause)) => {
                    return Err(Failed::outside(format!("{} {path}", asked.method), cause));
                }
            };
            if again == 0 {
                tracing::warn!(%cause, "the server is away; it is asked again");
            }
            again += 1;
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&mut self, asked: &Asked<'_>) -> Result<Value, Fault> {
        let mut request = Request::builder()
            .method(&asked.method)
            .uri(asked.path)
            .header(header::HOST, &self.server.address)
            .header(header::CONTENT_TYPE, asked.kind);
        if let Some(token) = &self.server.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request =
            request.body(Body::from(asked.body.clone())).map_err(|error| Fault::Refused(error.into()))?;
        let connection = self.connection().await.map_err(Fault::Away)?;
        let answer = connection.send_request(request).await.map_err(|error| Fault::Away(error.into()))?;
        let status = answer.status();
        let bytes = axum::body::to_bytes(Body::new(answer.into_body()), ANSWER_LIMIT).await;
        let bytes = bytes.map_err(|error| Fault::Away(error.into()))?;
        if !status.is_success() || status == StatusCode::NO_CONTENT {
            let said = format!("{status} {}", String::from_utf8_lossy(&bytes)).into();
            return Err(if status == StatusCode::SERVICE_UNAVAILABLE {
                Fault::Away(said)
            } else {
                Fault::Refused(said)
            });
        }
        serde_json::from_slice(&bytes).map_err(|error| Fault::Refused(error.into()))
    }

    async fn connection(&mut self) -> Result<&mut SendRequest<Body>, Cause> {
        let is_open = match &mut self.connection {
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        if !is_open {
            self.connection = None;
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let stream = TcpStream::connect(&self.server.address).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "the connection of the replay ended");
                    }
                });
                Ok(none.insert(sender))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    /// Gives each connection the next answer, if it is not empty, and hangs up.
    fn server(answers: Vec<&'static str>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Client::new(address.into())
    }

    const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";
    const TORN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{";
    const SAID: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn a_server_that_is_away_is_asked_again() {
        let mut client = server(vec!["", UNAVAILABLE, TORN, SAID]);
        assert_eq!(client.post("/once", &json!({})).await.unwrap(), json!({}));
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let mut client = server(vec![NOT_FOUND, SAID]);
        let refused = client.get("/there").await.unwrap_err().to_string();
        assert!(
            refused.contains("GET /there") && refused.contains("404") && refused.contains("none"),
            "{refused}"
        );
    }
}
