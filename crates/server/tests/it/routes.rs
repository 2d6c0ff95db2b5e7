//! Every route names an action, and is refused without it.

use http::StatusCode;
use mainstay_core::action::Action;
use mainstay_core::principal::{Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_server::serve;

use crate::app::{TestApp, with_role};

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_refused_without_its_action() {
    let app = TestApp::start().await;
    let answer = async |method: &http::Method, path: &str| {
        let concrete: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        app.status(method.clone(), &concrete.join("/")).await
    };

    let table = serve::table();
    assert!(table.len() >= 5, "the table lists {} routes", table.len());
    for (method, path, action) in &table {
        app.act_as(Principal::anonymous());
        let anonymous = answer(method, path).await;
        let probe = *action == Action::ServerProbe;
        assert_eq!(
            anonymous == StatusCode::UNAUTHORIZED,
            !probe,
            "{method} {path} as anonymous: {anonymous}"
        );

        app.act_as(with_role(Role::Developer, "another"));
        let stranger = answer(method, path).await;
        assert_eq!(
            stranger == StatusCode::FORBIDDEN,
            !probe,
            "{method} {path} from another workspace: {stranger}"
        );

        app.act_as(with_role(Role::Viewer, default_workspace().as_str()));
        let viewer = answer(method, path).await;
        let reads = probe || action.as_str().rsplit_once('.').is_some_and(|(_, verb)| verb == "read");
        assert_eq!(viewer != StatusCode::FORBIDDEN, reads, "{method} {path} ({action}) as viewer: {viewer}");
    }
    app.platform.close().await;
}
