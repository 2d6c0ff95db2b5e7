//! Every route names an action, and is refused without it.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use axum::body::Body;
use http::request::Parts;
use http::{Request, StatusCode};
use mainstay_api::caller::AuthenticationError;
use mainstay_api::{App, Authenticator};
use mainstay_core::action::Action;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_governance::policy::Mode;
use mainstay_server::clock::{SystemClock, SystemEntropy};
use mainstay_server::platform::{Environment, Platform};
use mainstay_server::serve;
use tower::ServiceExt as _;

/// Lets the test say who is calling.
struct Says(Mutex<Principal>);

#[async_trait]
impl Authenticator for Says {
    async fn authenticate(&self, _: &Parts) -> Result<Principal, AuthenticationError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

fn with_role(role: Role, workspace: &str) -> Principal {
    let grant = Grant { workspace: Some(workspace.parse().unwrap()), role };
    Principal { actor: Actor::user(&"somebody".parse().unwrap()), grants: vec![grant] }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_refused_without_its_action() {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment {
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(SystemEntropy),
        mode: Mode::Required,
        guard_events: true,
    };
    let platform = Platform::open(directory.path(), None, environment).await.unwrap();
    let says = Arc::new(Says(Mutex::new(Principal::anonymous())));
    let app = App { authenticator: says.clone(), authorizer: platform.authority.clone() };
    let router = serve::router(&platform, &app);
    let answer = async |method: &http::Method, path: &str| {
        let concrete: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        let request = Request::builder().method(method).uri(concrete.join("/")).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };

    let table = serve::table();
    assert!(table.len() >= 5, "the table lists {} routes", table.len());
    for (method, path, action) in &table {
        *says.0.lock().unwrap() = Principal::anonymous();
        let anonymous = answer(method, path).await;
        let probe = *action == Action::ServerProbe;
        assert_eq!(
            anonymous == StatusCode::UNAUTHORIZED,
            !probe,
            "{method} {path} as anonymous: {anonymous}"
        );

        *says.0.lock().unwrap() = with_role(Role::Developer, "another");
        let stranger = answer(method, path).await;
        assert_eq!(
            stranger == StatusCode::FORBIDDEN,
            !probe,
            "{method} {path} from another workspace: {stranger}"
        );

        *says.0.lock().unwrap() = with_role(Role::Viewer, default_workspace().as_str());
        let viewer = answer(method, path).await;
        let reads = probe || action.as_str().rsplit_once('.').is_some_and(|(_, verb)| verb == "read");
        assert_eq!(viewer != StatusCode::FORBIDDEN, reads, "{method} {path} ({action}) as viewer: {viewer}");
    }
    platform.close().await;
}
