//! A program that webhooks call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::Value;

/// One request as it came, and how it was answered.
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) answer: u16,
}

impl Call {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// An answer: its status, and a header.
type Prepared = (u16, Option<(HeaderName, &'static str)>);

/// Takes deliveries; the answers are used up one by one, and then it is 200.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<VecDeque<Prepared>>>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let (answer, header) = receiver.answers.lock().unwrap().pop_front().unwrap_or((200, None));
    receiver.calls.lock().unwrap().push(Call { headers, body, answer });
    let header = header.map(|header| [header]);
    let status = StatusCode::from_u16(answer).unwrap();
    match header {
        Some(header) => (status, header, "so").into_response(),
        None => (status, "so").into_response(),
    }
}

impl Receiver {
    /// Listens; gives the URL.
    pub(crate) async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// What to answer next.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = u16>) {
        self.answers.lock().unwrap().extend(answers.into_iter().map(|status| match status {
            307 => (status, Some((header::LOCATION, "/elsewhere"))),
            // Come again at once.
            429 => (status, Some((header::RETRY_AFTER, "0"))),
            _ => (status, None),
        }));
    }

    /// Waits for so many calls, and gives what `show` makes of all that there are.
    pub(crate) async fn calls<T>(&self, count: usize, show: impl Fn(&Call) -> T) -> Vec<T> {
        for _ in 0..6_000 {
            if self.calls.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.calls.lock().unwrap().iter().map(show).collect()
    }
}
