//! `/graphql`: whose runs it shows, and how much it answers.

use http::Method;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, with_role};

const API: &str = "/api/2.0/mlflow";

async fn post(app: &TestApp, workspace: &str, path: &str, body: Value) -> Answer {
    let headers = [("x-mlflow-workspace", workspace), ("content-type", "application/json")];
    app.send(Method::POST, path, &headers, body.to_string()).await
}

async fn ask(app: &TestApp, workspace: &str, query: &str) -> Value {
    post(app, workspace, "/graphql", json!({ "query": query })).await.expect(200)
}

/// An experiment with one run, and its ids.
async fn made(app: &TestApp, workspace: &str) -> (String, String) {
    let body = json!({"name": "read"});
    let made = post(app, workspace, &format!("{API}/experiments/create"), body).await.expect(200);
    let experiment = made["experiment_id"].as_str().unwrap().to_owned();
    let body = json!({"experiment_id": experiment, "tags": [{"key": "whose", "value": workspace}]});
    let made = post(app, workspace, &format!("{API}/runs/create"), body).await.expect(200);
    (experiment, made["run"]["info"]["run_id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_the_workspace_that_is_named_and_no_other() {
    let app = TestApp::start().await;
    app.create_workspace("beta").await;
    let grants = ["default", "beta"]
        .map(|workspace| Grant { workspace: Some(workspace.parse().unwrap()), role: Role::Developer });
    app.act_as(Principal::new(Actor::user("somebody"), grants.to_vec()));
    let (mine, theirs) = (made(&app, "default").await, made(&app, "beta").await);
    for (workspace, seen, unseen) in [("default", &mine, &theirs), ("beta", &theirs, &mine)] {
        let query = format!(
            r#"{{
              seen: mlflowGetRun(input: {{runId: "{}"}}) {{ run {{ info {{ runId }} experiment {{ name }} }} }}
              unseen: mlflowGetRun(input: {{runId: "{}"}}) {{ run {{ info {{ runId }} }} }}
              both: mlflowSearchRuns(input: {{experimentIds: ["{}", "{}"]}}) {{ runs {{ data {{ tags {{ value }} }} }} }}
            }}"#,
            seen.1, unseen.1, seen.0, unseen.0
        );
        let answer = ask(&app, workspace, &query).await;
        let data = &answer["data"];
        assert_eq!(data["seen"]["run"], json!({"info": {"runId": seen.1}, "experiment": {"name": "read"}}));
        assert_eq!(data["unseen"], Value::Null);
        let runs = data["both"]["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1, "{answer}");
        assert!(runs[0]["data"]["tags"].as_array().unwrap().contains(&json!({ "value": workspace })));
        let errors = answer["errors"].as_array().unwrap();
        assert!(errors.len() == 1 && errors[0].as_str().unwrap().contains(&unseen.1), "{errors:?}");
    }
    app.act_as(with_role(Role::Developer, "gamma"));
    assert_eq!(post(&app, "default", "/graphql", json!({"query": "{ __typename }"})).await.status, 403);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_do_not_multiply_an_answer_without_end() {
    let app = TestApp::start().await;
    let (experiment, run) = made(&app, "default").await;
    let tags: Vec<Value> =
        (0..90).map(|n| json!({"key": format!("k{n}"), "value": "x".repeat(8_000)})).collect();
    let batch = json!({"run_id": run, "tags": tags});
    post(&app, "default", &format!("{API}/runs/log-batch"), batch).await.expect(200);
    let aliased = |letter: char, what: &str| {
        let fields: Vec<_> = (0..10).map(|n| format!("{letter}{n}: {what}")).collect();
        fields.join(" ")
    };
    // A hundred copies of 720 kB.
    let tags = aliased('t', &format!("tags {{ {} }}", aliased('v', "value")));
    let of = |wanted: &str| {
        format!(
            r#"mlflowSearchRuns(input: {{experimentIds: ["{experiment}"]}}) {{ runs {{ data {{ {wanted} }} }} }}"#
        )
    };
    let query = format!("{{ once: {} often: {} }}", of("tags { key }"), of(&tags));
    let answer = ask(&app, "default", &query).await;
    assert_eq!(answer["data"]["once"]["runs"].as_array().unwrap().len(), 1);
    assert_eq!(answer["data"]["often"], Value::Null);
    assert!(answer["errors"][0].as_str().unwrap().starts_with("The answer is larger than 64 MiB"));
    app.platform.close().await;
}
