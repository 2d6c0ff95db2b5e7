//! Every route names an action, and is refused without it.

use http::{Method, StatusCode, header};
use mainstay_core::action::Action;
use mainstay_core::principal::{Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_server::serve;

use crate::app::{TestApp, with_role};

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_refused_without_its_action() {
    let app = TestApp::start().await;
    let answer = async |method: &Method, path: &str| {
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

        // Whoever is known may ask about itself, from wherever it is; what else is asked there, handlers and commands
        // look at.
        if *action == Action::AccountUse {
            continue;
        }

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

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_takes_is_refused_in_the_words_of_its_protocol() {
    let app = TestApp::start().await;
    for (method, path, status, key, value) in [
        ("GET", "/api/2.0/mlflow/runs/nothing", 404, "error_code", "ENDPOINT_NOT_FOUND"),
        ("GET", "/ajax-api/2.0/mlflow/nothing", 404, "error_code", "ENDPOINT_NOT_FOUND"),
        ("GET", "/api/3.0/mlflow/nothing", 404, "error_code", "ENDPOINT_NOT_FOUND"),
        ("DELETE", "/api/2.0/mlflow/runs/create", 405, "error_code", "ENDPOINT_NOT_FOUND"),
        ("PUT", "/ajax-api/2.0/mlflow/experiments/get", 405, "error_code", "ENDPOINT_NOT_FOUND"),
        ("GET", "/v2/nothing", 404, "error", "there is no route /v2/nothing"),
        ("DELETE", "/v2/models/x/infer", 405, "error", "/v2/models/x/infer does not take DELETE"),
        ("GET", "/api/v1/nothing", 404, "code", "not-found"),
        ("GET", "/api/v1/labels", 405, "code", "method-not-allowed"),
        ("GET", "/modles", 404, "code", "not-found"),
        ("POST", "/modles", 404, "code", "not-found"),
        ("PURGE", "/modles/x", 404, "code", "not-found"),
        ("POST", "/models", 405, "code", "method-not-allowed"),
    ] {
        let method: Method = method.parse().unwrap();
        let answer = app.send(method.clone(), path, &[], "").await;
        let allow = answer.headers.get(header::ALLOW).map(|allow| allow.to_str().unwrap().to_owned());
        assert_eq!(allow.is_some(), status == 405, "{method} {path}");
        assert!(!allow.is_some_and(|allow| allow.contains(method.as_str())), "{method} {path}");
        let told = answer.expect(status);
        assert!(told[key].as_str().unwrap().starts_with(value), "{method} {path}: {told}");
    }
    let answer = app.send(Method::POST, "/modles", &[("accept", "text/html")], "").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers[header::CONTENT_TYPE]),
        (404, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(answer.text().contains("There is nothing here"));
    let answer = app.send(Method::POST, "/models", &[("accept", "text/html")], "").await;
    assert_eq!((answer.status.as_u16(), &answer.headers[header::ALLOW]), (405, &"GET,HEAD".parse().unwrap()));
    assert!(answer.text().contains("method-not-allowed"));
    app.platform.close().await;
}
