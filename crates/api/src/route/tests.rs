//! Who answers a request: the thread that it came to, or a worker.

use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::handler::Handler;
use axum::response::Response;
use http::{Method, Request};
use mainstay_core::action::Action;
use mainstay_core::command::Authorizer;
use mainstay_core::principal::Principal;
use mainstay_core::scope::Scope;
use mainstay_core::time::{MachineTime, ManualClock};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::{App, Route, RouteScope, router};
use crate::caller::{AuthenticationError, Authenticator};
use crate::dialect::Protocol;

/// Takes everybody for a part of the server, and lets them do everything.
pub(crate) struct Anyone;

#[async_trait]
impl Authenticator for Anyone {
    async fn authenticate(&self, _: &http::request::Parts) -> Result<Principal, AuthenticationError> {
        Ok(Principal::system("test"))
    }
}

impl Authorizer for Anyone {
    fn allows(&self, _: &Principal, _: Action, _: &Scope) -> bool {
        true
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

/// What a handler that waits for ever tells of itself.
#[derive(Clone, Default)]
struct Waiting {
    began: Arc<Notify>,
    ended: Arc<Notify>,
}

/// Tells that what it belongs to has ended.
struct Ending(Arc<Notify>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn who(_: Bytes) -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

async fn dies() -> String {
    panic!("as tests do");
}

async fn waits(State(waiting): State<Waiting>) {
    let _ending = Ending(waiting.ended);
    waiting.began.notify_one();
    std::future::pending::<()>().await;
}

struct Served {
    router: axum::Router,
    waiting: Waiting,
    workers: Option<Runtime>,
}

impl Served {
    fn start() -> Self {
        let workers = Builder::new_multi_thread().worker_threads(1).thread_name("worker").build().unwrap();
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let app = App::new(Arc::new(Anyone), Arc::new(Anyone), clock, None);
        let app = App { workers: Some(workers.handle().clone()), ..app };
        let waiting = Waiting::default();
        let table = vec![
            row("/brief", who).brief(),
            row("/long", who),
            row("/dies", dies),
            row("/dies-soon", dies).brief(),
            row("/waits", waits),
        ];
        Self { router: router(&app, table, waiting.clone()), waiting, workers: Some(workers) }
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Response {
        let request = Request::post(path).body(body.into()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn told(&self, path: &str, body: impl Into<Body>) -> (u16, String) {
        let (head, body) = self.post(path, body).await.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.workers.take().unwrap().shutdown_background();
    }
}

fn row<T: 'static>(path: &str, handler: impl Handler<T, Waiting>) -> Route<Waiting> {
    let read = (Action::ServerProbe, RouteScope::Server);
    Route::new(Protocol::Native, (Method::POST, path), read, handler)
}

#[tokio::test]
async fn what_is_brief_wakes_nobody() {
    let served = Served::start();
    let (status, name) = served.told("/brief", "").await;
    assert!(status == 200 && name != "worker", "{name}");
    assert_eq!(served.told("/long", "").await, (200, "worker".to_owned()));
}

#[tokio::test]
async fn a_long_body_is_left_to_a_worker() {
    let served = Served::start();
    assert_eq!(served.told("/brief", vec![0; 100_000]).await, (200, "worker".to_owned()));
    // Nobody knows how long this one is.
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>("short")]);
    assert_eq!(served.told("/brief", Body::from_stream(chunks)).await, (200, "worker".to_owned()));
}

#[tokio::test]
async fn a_handler_that_panics_is_an_answer() {
    let served = Served::start();
    for path in ["/dies", "/dies-soon"] {
        let (status, problem) = served.told(path, "").await;
        assert!(status == 500 && problem.contains("\"code\":\"internal\""), "{problem}");
    }
    assert_eq!(served.told("/long", "").await.0, 200);
}

#[tokio::test]
async fn nobody_works_for_a_client_that_went_away() {
    let served = Served::start();
    tokio::select! {
        answer = served.post("/waits", "") => panic!("{answer:?}"),
        () = served.waiting.began.notified() => {}
    }
    served.waiting.ended.notified().await;
}
