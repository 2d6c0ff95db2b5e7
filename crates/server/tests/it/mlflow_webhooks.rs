//! Webhooks over MLflow's routes: what its clients see of them.

use http::Method;
use mainstay_core::principal::Role;
use mainstay_core::scope::default_workspace;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, with_role};

const PATH: &str = "/api/2.0/mlflow/webhooks";

async fn patch(app: &TestApp, id: &str, body: Value) -> Answer {
    let path = format!("/ajax-api/2.0/mlflow/webhooks/{id}");
    app.send(Method::PATCH, &path, &[("content-type", "application/json")], body.to_string()).await
}

fn event(entity: &str, action: &str) -> Value {
    json!({"entity": entity, "action": action})
}

fn hook(name: &str) -> Value {
    json!({"name": name, "url": "https://example.com/hook", "events": [event("MODEL_VERSION", "CREATED")]})
}

async fn create(app: &TestApp, body: &Value) -> Value {
    app.post(PATH, body).await.expect(200)["webhook"].clone()
}

/// The sentence of a refusal with that status.
fn sentence(answer: Answer, status: u16) -> String {
    let told = answer.expect(status);
    let code = if status == 404 { "RESOURCE_DOES_NOT_EXIST" } else { "INVALID_PARAMETER_VALUE" };
    assert_eq!(told["error_code"], code, "{told}");
    told["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_changed_and_removed() {
    for app in TestApp::on_each_database("mlflow_webhooks").await {
        let mut asked = hook("first");
        asked["events"] = json!([event("PROMPT", "CREATED"), event("MODEL_VERSION", "CREATED"), {"entity": 5, "action": 1}]);
        asked["secret"] = json!("hidden");
        let made = create(&app, &asked).await;
        assert_eq!((&made["name"], &made["status"]), (&json!("first"), &json!("ACTIVE")));
        assert_eq!(made["events"], json!([event("PROMPT", "CREATED"), event("MODEL_VERSION", "CREATED")]));
        assert!(made.get("secret").is_none() && made.get("description").is_none());
        let id = made["webhook_id"].as_str().unwrap();
        let got = app.get(&format!("{PATH}/{id}")).await.expect(200);
        assert_eq!(got, json!({"webhook": made}));

        let untouched = json!({"name": "", "url": "", "events": []});
        let same = patch(&app, id, untouched).await.expect(200)["webhook"].clone();
        let updated = |webhook: &Value| webhook["last_updated_timestamp"].as_i64().unwrap();
        assert!(updated(&same) > updated(&made), "it moves always");
        assert_eq!((&same["name"], &same["events"]), (&made["name"], &made["events"]));

        let change = json!({
            "name": "second", "url": "https://example.com/other", "description": "what for", "status": "DISABLED",
            "events": [event("PROMPT_TAG", "SET"), event("REGISTERED_MODEL", "CREATED")], "secret": "",
        });
        let changed = patch(&app, id, change.clone()).await.expect(200)["webhook"].clone();
        for member in ["name", "url", "description", "status", "events"] {
            assert_eq!(changed[member], change[member], "{member}");
        }
        assert_eq!(changed["creation_timestamp"], made["creation_timestamp"]);

        // Those of our own API are not seen here, nor these there.
        let native = json!({"name": "ours", "url": "https://example.com/", "kinds": ["rollout.*"]});
        let native = app.post("/api/v1/webhooks", &native).await.expect(201);
        let ours = app.get("/api/v1/webhooks").await.expect(200);
        assert_eq!((ours["items"].as_array().unwrap().len(), &ours["items"][0]["name"]), (1, &json!("ours")));
        assert_eq!(app.get(PATH).await.expect(200), json!({"webhooks": [changed]}));
        assert_eq!(app.status(Method::DELETE, &format!("/api/v1/webhooks/{id}")).await, 404);
        let native = native["id"].as_str().unwrap();
        assert_eq!(app.status(Method::DELETE, &format!("{PATH}/{native}")).await, 404);

        let gone = format!("{PATH}/{id}");
        assert_eq!(app.send(Method::DELETE, &gone, &[], "").await.expect(200), json!({}));
        let not_found = format!("Webhook with ID {id} not found.");
        assert_eq!(sentence(app.get(&gone).await, 404), not_found);
        assert_eq!(app.get(PATH).await.expect(200), json!({}));
        assert!(!app.get("/api/v1/events?limit=1000").await.text().contains("hidden"));
        app.platform.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_every_webhook_once() {
    let app = TestApp::start().await;
    for n in 0..5 {
        create(&app, &hook(&format!("hook{n}"))).await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    for expected in [2, 2, 1] {
        let page = app.get(&format!("{PATH}?max_results=2&page_token={token}")).await.expect(200);
        let names = page["webhooks"].as_array().unwrap().iter().map(|each| each["name"].to_string());
        assert_eq!(names.len(), expected);
        seen.extend(names);
        token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
    }
    assert!(token.is_empty());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    for (limit, status) in [("0", 200), ("1000", 200), ("1001", 400), ("-1", 400)] {
        let answer = app.get(&format!("{PATH}?max_results={limit}")).await;
        assert_eq!(answer.status.as_u16(), status, "{limit}");
        assert!(status == 200 || answer.text().contains("max_results must be between 1 and 1000."));
    }
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_the_words_that_clients_know() {
    let app = TestApp::start().await;
    let with = |member: &str, value: Value| {
        let mut body = hook("good");
        body[member] = value;
        body
    };
    for (body, starts) in [
        (with("name", json!("")), "Missing value for required parameter 'name'."),
        (with("url", json!("")), "Missing value for required parameter 'url'."),
        (with("events", json!([])), "Missing value for required parameter 'events'."),
        (with("name", json!("no good")), "Webhook name 'no good' is invalid. It must start and end with"),
        (with("url", json!("   ")), "Webhook URL cannot be empty or just whitespace: '   '"),
        (with("url", json!("ftp://example.com")), "Invalid webhook URL scheme: 'ftp'. Allowed schemes are:"),
        (with("url", json!("http://[invalid")), "Invalid webhook URL 'http://[invalid':"),
        (with("url", json!("https://10.0.0.1/")), "Webhook URL must not resolve to a non-public IP address."),
        (
            with("events", json!([event("REGISTERED_MODEL", "UPDATED")])),
            "Invalid action 'updated' for entity 'registered_model'. Valid actions are: ['created']",
        ),
        (with("events", json!([event("MODEL", "CREATED")])), "Invalid value"),
        (with("status", json!("PAUSED")), "Invalid value"),
        (with("description", json!("\0")), "the webhook's description holds"),
    ] {
        let told = sentence(app.post(PATH, &body).await, 400);
        assert!(told.starts_with(starts), "{told}");
    }
    assert_eq!(app.get(PATH).await.expect(200), json!({}));

    let nowhere = || async { patch(&app, "nonexistent", json!({"name": "no good"})).await };
    assert_eq!(sentence(nowhere().await, 404), "Webhook with ID nonexistent not found.");
    let untold = patch(&app, "nonexistent", json!({"status": "PAUSED"})).await;
    assert!(sentence(untold, 400).starts_with("Invalid value"), "that is looked at first");
    for path in [format!("{PATH}/nonexistent"), format!("{PATH}/{}", "0".repeat(32))] {
        assert_eq!(app.get(&path).await.status, 404);
        assert_eq!(app.send(Method::DELETE, &path, &[], "").await.status, 404);
        assert_eq!(app.post(&format!("{path}/test"), &json!({})).await.status, 404);
    }

    let local = create(&app, &with("url", json!("https://localhost:1/"))).await;
    let path = format!("{PATH}/{}/test", local["webhook_id"].as_str().unwrap());
    let tried = app.post(&path, &json!({"event": event("PROMPT_TAG", "SET")})).await.expect(200);
    let why = "Failed to test webhook: its address is not public, and --allow-private-webhooks was not given";
    assert_eq!(tried, json!({"result": {"success": false, "error_message": why}}));
    assert_eq!(app.post(&path, &json!({"event": event("PROMPT_TAG", "CREATED")})).await.status, 400);

    app.act_as(with_role(Role::Developer, default_workspace().as_str()));
    assert_eq!(app.get(PATH).await.status, 403);
    app.platform.close().await;
}
