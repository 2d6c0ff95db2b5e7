//! The whole router over a data directory of its own, without sockets.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use mainstay_api::caller::AuthenticationError;
use mainstay_api::route::Rate;
use mainstay_api::{App, Authenticator};
use mainstay_core::command::Commands;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{Clock, ManualClock};
use mainstay_governance::command::CreateWorkspace;
use mainstay_governance::policy::Mode;
use mainstay_governance::port::GovernanceTx;
use mainstay_platform::clock::{SystemClock, SystemEntropy};
use mainstay_platform::{Environment, Platform};
use mainstay_server::serve;
use mainstay_webhooks::DeliveryOptions;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// Lets the test say who is calling.
struct Says(Mutex<Principal>);

#[async_trait]
impl Authenticator for Says {
    async fn authenticate(&self, _: &Parts) -> Result<Principal, AuthenticationError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// Somebody with one role in one workspace.
pub(crate) fn with_role(role: Role, workspace: &str) -> Principal {
    let grant = Grant { workspace: Some(workspace.parse().unwrap()), role };
    Principal::new(Actor::user("somebody"), vec![grant])
}

/// The application under test. Whatever changes the record without an event fails in it.
pub(crate) struct TestApp {
    pub(crate) platform: Arc<Platform>,
    says: Arc<Says>,
    router: Router,
    _data: TempDir,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of an answer that must have this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// The code of a problem that must have this status.
    pub(crate) fn problem(self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap().to_owned()
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::limited(None).await
    }

    /// Callers may ask so often, and no more.
    pub(crate) async fn limited(rate: Option<Rate>) -> Self {
        Self::with(Arc::new(SystemClock::start()), rate, None, None).await
    }

    /// One over each database that there is: SQLite, and a database of its own on the PostgreSQL server that the
    /// tests run against. A server that is missing is a failure where it must not be.
    pub(crate) async fn on_each_database(name: &str) -> Vec<Self> {
        let mut apps = vec![Self::start().await];
        match std::env::var("MAINSTAY_TEST_POSTGRES") {
            Ok(server) => {
                let name = format!("server_{}_{name}", std::process::id());
                mainstay_store::testing::create_postgres_database(&server, &name).await.unwrap();
                let (front, _) = server.rsplit_once('/').unwrap();
                let url = format!("{front}/{name}");
                apps.push(Self::with(Arc::new(SystemClock::start()), None, Some(url), None).await);
            }
            Err(_) => assert!(
                std::env::var_os("CI").is_none(),
                "MAINSTAY_TEST_POSTGRES is not set: run the tests by scripts/with-postgres.sh"
            ),
        }
        apps
    }

    /// The machine's time is the test's.
    pub(crate) async fn at(clock: Arc<ManualClock>) -> Self {
        Self::with(clock, None, None, None).await
    }

    /// Experiments that name no place have their artifacts below this one.
    pub(crate) async fn rooted(root: &str) -> Self {
        Self::with(Arc::new(SystemClock::start()), None, None, Some(root)).await
    }

    async fn with(
        clock: Arc<dyn Clock>,
        rate: Option<Rate>,
        database: Option<String>,
        root: Option<&str>,
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let environment =
            Environment { clock, entropy: Arc::new(SystemEntropy), mode: Mode::Required, guard_events: true };
        let platform = Platform::open(data.path(), database.as_deref(), environment).await.unwrap();
        let platform = Arc::new(match root {
            Some(root) => platform.with_artifact_root(root).await.unwrap(),
            None => platform,
        });
        let says = Arc::new(Says(Mutex::new(Principal::anonymous())));
        // Buckets fill by a clock that stands still, however long the test takes.
        let clock: Arc<dyn Clock> = match rate {
            Some(_) => Arc::new(ManualClock::starting_at(platform.clock.now())),
            None => platform.clock.clone(),
        };
        let app = App::new(says.clone(), platform.authority.clone(), clock, rate);
        let predictor = platform.open_predictor().await.unwrap();
        let router = serve::router(&platform, &predictor, &app, &DeliveryOptions::default());
        let this = Self { platform, says, router, _data: data };
        this.act_as(with_role(Role::Admin, default_workspace().as_str()));
        this
    }

    /// Who calls from now on.
    pub(crate) fn act_as(&self, principal: Principal) {
        *self.says.0.lock().unwrap() = principal;
    }

    /// Who calls now.
    pub(crate) fn caller(&self) -> Principal {
        self.says.0.lock().unwrap().clone()
    }

    /// The status of a request without a body. The answer is not read, as some never end.
    pub(crate) async fn status(&self, method: Method, path: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status()
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request with headers and a body of any kind.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request.body(body.into()).unwrap()).await
    }

    /// Creates a workspace.
    pub(crate) async fn create_workspace(&self, name: &str) {
        let writer = Arc::new(self.platform.database.writer.clone());
        let commands: Commands<dyn GovernanceTx> = Commands::new(writer, self.platform.authority.clone());
        let (name, admin) = (name.parse().unwrap(), Actor::local());
        let create = CreateWorkspace { workspace: default_workspace(), name, admin };
        let somebody = Principal::new(Actor::local(), vec![Grant { workspace: None, role: Role::Admin }]);
        commands.run(&somebody, create).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[("content-type", "application/json")], body.to_string()).await
    }
}
