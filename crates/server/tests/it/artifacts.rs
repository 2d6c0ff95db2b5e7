//! Whose artifacts are whose, where several workspaces share a store.

use http::{Method, StatusCode};
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
const API: &str = "/api/2.0/mlflow";

async fn ask(app: &TestApp, workspace: &str, method: Method, path: &str, body: &str) -> Answer {
    let headers = [("x-mlflow-workspace", workspace), ("content-type", "application/json")];
    app.send(method, path, &headers, body.to_owned()).await
}

async fn made(app: &TestApp, workspace: &str, name: &str) -> String {
    let body = json!({ "name": name }).to_string();
    let made =
        ask(app, workspace, Method::POST, &format!("{API}/experiments/create"), &body).await.expect(200);
    made["experiment_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_the_artifacts_of_another_workspace() {
    let app = TestApp::start().await;
    app.create_workspace("beta").await;
    let grants = ["default", "beta"]
        .map(|workspace| Grant { workspace: Some(workspace.parse().unwrap()), role: Role::Admin });
    app.act_as(Principal::new(Actor::user("somebody"), grants.to_vec()));
    let (mine, theirs) = (made(&app, "default", "a").await, made(&app, "beta", "a").await);
    let put = async |workspace: &str, path: &str| {
        ask(&app, workspace, Method::PUT, &format!("{PROXY}/{path}"), workspace).await.status
    };
    let read = async |workspace: &str, path: &str| {
        let answer = ask(&app, workspace, Method::GET, &format!("{PROXY}/{path}"), "").await;
        (answer.status == StatusCode::OK).then(|| answer.text())
    };
    // A plain name is in the folder of the workspace.
    for workspace in ["default", "beta"] {
        assert_eq!(put(workspace, "a.txt").await, 200);
        assert_eq!(read(workspace, "a.txt").await.as_deref(), Some(workspace));
    }
    assert_eq!(read("beta", "workspaces/beta/a.txt").await.as_deref(), Some("beta"));
    for other in ["workspaces/beta/a.txt", "WORKSPACES/beta/a.txt", "workspaces"] {
        assert_eq!(put("default", other).await, 400, "{other}");
        assert_eq!(read("default", other).await, None, "{other}");
    }
    // A number is the folder of an experiment.
    assert_eq!(put("beta", &format!("{theirs}/x/artifacts/m")).await, 200);
    assert_eq!(put("default", &format!("{mine}/x/artifacts/m")).await, 200);
    for (workspace, of_other) in [("default", &theirs), ("beta", &mine)] {
        assert_eq!(put(workspace, &format!("{of_other}/x/artifacts/m")).await, 404);
        assert_eq!(read(workspace, &format!("{of_other}/x/artifacts/m")).await, None);
        let path = format!("{PROXY}/{of_other}/x");
        assert_eq!(ask(&app, workspace, Method::DELETE, &path, "").await.status, 404);
    }
    let listed = async |workspace: &str| -> Vec<Value> {
        let found = ask(&app, workspace, Method::GET, PROXY, "").await.expect(200);
        found["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect()
    };
    assert_eq!(listed("default").await, [json!(mine), json!("a.txt")]);
    assert_eq!(listed("beta").await, [json!("a.txt")]);
    app.platform.close().await;
}
