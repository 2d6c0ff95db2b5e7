//! An HTTP client of one server, on one connection.

use std::net::SocketAddr;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::ReplayError;

/// Longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 256 << 20;

pub(super) struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Body>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Value, ReplayError> {
        self.call(Method::GET, path, "application/json", Vec::new()).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Result<Value, ReplayError> {
        self.call(Method::POST, path, "application/json", body.to_string().into_bytes()).await
    }

    /// One request. An answer other than of success is a failure, with what the server said.
    pub(super) async fn call(
        &mut self,
        method: Method,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Value, ReplayError> {
        let what = format!("{method} {path}");
        let failed = |error: hyper::Error| ReplayError::outside(what.clone(), error);
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .map_err(|error| ReplayError::outside(what.clone(), error))?;
        let connection = self.connection().await?;
        let answer = connection.send_request(request).await.map_err(failed)?;
        let status = answer.status();
        let bytes = axum::body::to_bytes(Body::new(answer.into_body()), ANSWER_LIMIT).await;
        let bytes = bytes.map_err(|error| ReplayError::outside(what.clone(), error))?;
        if !status.is_success() || status == StatusCode::NO_CONTENT {
            let said = String::from_utf8_lossy(&bytes).into_owned();
            return Err(ReplayError::outside(what, format!("{status} {said}")));
        }
        serde_json::from_slice(&bytes).map_err(|error| ReplayError::outside(what, error))
    }

    async fn connection(&mut self) -> Result<&mut SendRequest<Body>, ReplayError> {
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
                let failed = |error| ReplayError::outside("connecting to the server", error);
                let stream = TcpStream::connect(self.address).await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                let made = handshake(TokioIo::new(stream)).await;
                let (sender, connection) =
                    made.map_err(|error| ReplayError::outside("connecting to the server", error))?;
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
