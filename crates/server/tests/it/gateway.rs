//! The LLM gateway's administration over MLflow's routes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use http::Method;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Principal, Role};
use mainstay_core::scope::{ResourceKind, default_workspace};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, with_role};

const API: &str = "/api/3.0/mlflow/gateway";
const AJAX: &str = "/ajax-api/3.0/mlflow/gateway";
const VALUE: &str = "sk-a-value-that-nobody-reads-1234";

async fn delete(app: &TestApp, path: &str, body: Value) -> Answer {
    let json = [("content-type", "application/json")];
    app.send(Method::DELETE, &format!("{API}/{path}"), &json, body.to_string()).await
}

async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post(&format!("{API}/{path}"), &body).await
}

async fn secret(app: &TestApp, name: &str) -> Value {
    let body = json!({"secret_name": name, "secret_value": {"api_key": VALUE}, "provider": "openai"});
    post(app, "secrets/create", body).await.expect(200)["secret"].clone()
}

/// The id of an endpoint with one model.
async fn endpoint(app: &TestApp, name: &str) -> Value {
    let secret = secret(app, &format!("{name} key")).await;
    let body = json!({
        "name": format!("{name} model"), "secret_id": secret["secret_id"], "provider": "openai", "model_name": "gpt-4",
    });
    let model = post(app, "model-definitions/create", body).await.expect(200)["model_definition"].clone();
    let config = json!({"model_definition_id": model["model_definition_id"], "linkage_type": "PRIMARY"});
    let body = json!({"name": name, "model_configs": [config]});
    post(app, "endpoints/create", body).await.expect(200)["endpoint"].clone()
}

/// Whether some file below a directory holds a text.
fn is_anywhere(directory: &Path, text: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_anywhere(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let app = TestApp::start().await;
    let root = app.platform.layout.root().to_owned();
    let key_file = app.platform.layout.keys().join("gateway.key");
    assert!(!key_file.exists(), "it is made when it is needed");
    let made = secret(&app, "openai").await;
    assert_eq!((&made["secret_name"], &made["provider"]), (&json!("openai"), &json!("openai")));
    assert_eq!(made["masked_values"], json!({"api_key": "sk-...1234"}));
    assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);

    let id = made["secret_id"].as_str().unwrap();
    let named = app.get(&format!("{AJAX}/secrets/get?secret_id={id}")).await.expect(200);
    assert_eq!(named, json!({"secret": made}));
    assert_eq!(app.get(&format!("{API}/secrets/get?secret_name=openai")).await.expect(200), named);
    assert_eq!(
        app.get(&format!("{API}/secrets/list?provider=openai")).await.expect(200),
        json!({"secrets": [made]})
    );
    assert_eq!(app.get(&format!("{API}/secrets/list?provider=cohere")).await.expect(200), json!({}));

    let body = json!({"secret_id": id, "secret_value": {"api_key": "sk-another-long-one-9876"}, "auth_config": {"region": "eu"}});
    let changed = post(&app, "secrets/update", body).await.expect(200)["secret"].clone();
    assert_eq!(changed["masked_values"], json!({"api_key": "sk-...9876"}));
    assert_eq!(changed["auth_config"], json!({"region": "eu"}));
    assert!(changed["last_updated_at"].as_i64() > made["created_at"].as_i64());

    for (body, said) in [
        (json!({"secret_name": "x", "secret_value": VALUE}), "secret_value and auth_config must be objects"),
        (json!({"secret_name": "x"}), "Missing value for required parameter 'secret_value'"),
        (
            json!({"secret_name": "x", "secret_value": {"api_base": VALUE}}),
            "secret_value must not contain 'api_base'",
        ),
        (
            json!({"secret_name": "openai", "secret_value": {"k": VALUE}}),
            "Secret with name 'openai' already exists",
        ),
    ] {
        let refused = post(&app, "secrets/create", body).await;
        let text = refused.text();
        assert!(refused.status.is_client_error() && text.contains(said), "{text}");
        assert!(!text.contains(VALUE), "{text}");
    }
    let events = app.platform.database.read(&EventQuery::after(EventSeq(0), 1_000)).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "gateway_secret.created"));
    app.platform.close().await;
    assert!(!is_anywhere(&root, VALUE) && !is_anywhere(&root, "sk-another"), "it lies open somewhere");
    assert!(is_anywhere(&root, "sk-...9876"), "what is masked is found, so the search finds");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_made_of_models_and_traced_in_an_experiment() {
    for app in TestApp::on_each_database("gateway").await {
        let made = endpoint(&app, "chat").await;
        assert_eq!((&made["name"], &made["usage_tracking"]), (&json!("chat"), &json!(true)));
        let mapping = &made["model_mappings"][0];
        assert_eq!((&mapping["linkage_type"], &mapping["weight"]), (&json!("PRIMARY"), &json!(1.0)));
        assert_eq!(mapping["model_definition"]["secret_name"], "chat key");
        assert!(made.get("fallback_config").is_none() && made.get("routing_strategy").is_none());
        let experiment = made["experiment_id"].as_str().unwrap();
        let path = format!("/api/2.0/mlflow/experiments/get?experiment_id={experiment}");
        assert_eq!(app.get(&path).await.expect(200)["experiment"]["name"], "gateway/chat");

        let id = made["endpoint_id"].as_str().unwrap();
        let named = app.get(&format!("{API}/endpoints/get?name=chat")).await.expect(200);
        assert_eq!(named["endpoint"]["endpoint_id"], id);
        let neither = app.get(&format!("{API}/endpoints/get")).await.expect(400);
        assert!(neither["message"].as_str().unwrap().starts_with("Exactly one of endpoint_id or name"));
        let missing = app.get(&format!("{API}/endpoints/get?endpoint_id=e-1")).await.expect(404);
        assert_eq!(missing["message"], "GatewayEndpoint not found (endpoint_id='e-1')");

        let body = json!({"endpoint_id": id, "fallback_config": {"strategy": 1, "max_attempts": 3}, "routing_strategy": "REQUEST_BASED_TRAFFIC_SPLIT"});
        let changed = post(&app, "endpoints/update", body).await.expect(200)["endpoint"].clone();
        assert_eq!(changed["fallback_config"], json!({"strategy": "SEQUENTIAL", "max_attempts": 3}));
        assert_eq!(changed["routing_strategy"], "REQUEST_BASED_TRAFFIC_SPLIT");

        let tag = json!({"endpoint_id": id, "key": "team", "value": "ml"});
        post(&app, "endpoints/set-tag", tag).await.expect(200);
        let found = app.get(&format!("{API}/endpoints/list?provider=openai")).await.expect(200);
        assert_eq!(found["endpoints"][0]["tags"], json!([{"key": "team", "value": "ml"}]));
        assert_eq!(app.get(&format!("{API}/endpoints/list?provider=cohere")).await.expect(200), json!({}));
        let used = delete(
            &app,
            "model-definitions/delete",
            json!({"model_definition_id": mapping["model_definition_id"]}),
        );
        assert!(
            used.await.expect(400)["message"].as_str().unwrap().starts_with("Cannot delete model definition")
        );
        delete(&app, "endpoints/delete", json!({"endpoint_id": id})).await.expect(200);
        assert_eq!(app.get(&format!("{API}/endpoints/list")).await.expect(200), json!({}));
        app.platform.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_see_and_admins_manage() {
    let app = TestApp::start().await;
    let made = endpoint(&app, "chat").await;
    app.act_as(with_role(Role::Viewer, "default"));
    assert_eq!(app.get(&format!("{API}/endpoints/list")).await.expect(200)["endpoints"][0]["name"], "chat");
    assert_eq!(
        app.get(&format!("{API}/secrets/list")).await.expect(200)["secrets"][0]["secret_name"],
        "chat key"
    );
    for role in [Role::Viewer, Role::Developer, Role::Approver] {
        app.act_as(with_role(role, "default"));
        let body = json!({"endpoint_id": made["endpoint_id"], "key": "a", "value": "b"});
        post(&app, "endpoints/set-tag", body).await.expect(403);
        let body = json!({"secret_name": "s", "secret_value": {"api_key": VALUE}});
        post(&app, "secrets/create", body).await.expect(403);
    }
    app.platform.close().await;
}

/// Ids of another workspace are as good as ids of nothing, whoever says them.
#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_has_nothing_of_this_one() {
    for app in TestApp::on_each_database("gateway_other").await {
        app.create_workspace("other").await;
        let made = endpoint(&app, "chat").await;
        let model = &made["model_mappings"][0]["model_definition"];
        let config = json!({"model_definition_id": model["model_definition_id"], "linkage_type": "FALLBACK"});
        let names = json!({
            "endpoint_id": made["endpoint_id"], "secret_id": model["secret_id"], "name": "stolen",
            "model_definition_id": model["model_definition_id"], "secret_value": {"api_key": "sk-stolen"},
            "provider": "openai", "model_name": "gpt-4", "model_config": config, "key": "stolen", "value": "v",
            "resource_type": "scorer", "resource_id": "stolen", "usage_tracking": false,
        });
        let before = app.get(&format!("{API}/endpoints/list")).await.expect(200);
        app.act_as(with_role(Role::Admin, "other"));
        let headers = [("content-type", "application/json"), ("x-mlflow-workspace", "other")];
        let id = |field: &str| names[field].as_str().unwrap();
        for list in ["secrets/list", "model-definitions/list", "endpoints/list", "endpoints/bindings/list"] {
            let found = app.send(Method::GET, &format!("{API}/{list}"), &headers, "").await;
            assert_eq!(found.expect(200), json!({}), "{list}");
        }
        for (path, field) in [
            ("secrets/get", "secret_id"),
            ("model-definitions/get", "model_definition_id"),
            ("endpoints/get", "endpoint_id"),
        ] {
            let path = format!("{API}/{path}?{field}={}", id(field));
            app.send(Method::GET, &path, &headers, "").await.expect(404);
        }
        for path in [
            "secrets/update",
            "model-definitions/create",
            "model-definitions/update",
            "endpoints/update",
            "endpoints/models/attach",
            "endpoints/models/detach",
            "endpoints/set-tag",
            "endpoints/bindings/create",
        ] {
            let told = app.send(Method::POST, &format!("{API}/{path}"), &headers, names.to_string()).await;
            assert_eq!(told.status, 404, "{path}: {}", told.text());
        }
        for path in [
            "secrets/delete",
            "model-definitions/delete",
            "endpoints/delete",
            "endpoints/delete-tag",
            "endpoints/bindings/delete",
        ] {
            let told = app.send(Method::DELETE, &format!("{API}/{path}"), &headers, names.to_string()).await;
            assert_eq!(told.status, 404, "{path}: {}", told.text());
        }
        app.act_as(with_role(Role::Admin, "default"));
        assert_eq!(app.get(&format!("{API}/endpoints/list")).await.expect(200), before);
        app.platform.close().await;
    }
}

/// Levels on experiments open nothing here, not even whether an endpoint of some name is there.
#[tokio::test(flavor = "multi_thread")]
async fn levels_on_experiments_tell_nothing_of_endpoints() {
    let app = TestApp::start().await;
    endpoint(&app, "chat").await;
    let made = app.post("/api/2.0/mlflow/experiments/create", &json!({"name": "judged"})).await.expect(200);
    let register = async |model: &str| {
        let scorer =
            json!({"instructions_judge_pydantic_data": {"instructions": "{{ outputs }}", "model": model}});
        let body = json!({
            "experiment_id": made["experiment_id"], "name": "judge", "serialized_scorer": scorer.to_string(),
        });
        app.post("/api/3.0/mlflow/scorers/register", &body).await
    };
    let mut levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new("*"), Level::Manage);
    let levels = Arc::new(levels);
    let owner = |grants| Principal::new(Actor::user("ann"), grants).with_permissions(levels.clone());
    app.act_as(owner(Vec::new()));
    register("openai:/gpt-4").await.expect(200);
    let (there, absent) = (register("gateway:/chat").await, register("gateway:/none").await);
    assert_eq!(there.text(), absent.text());
    assert_eq!((there.status.as_u16(), absent.status.as_u16()), (403, 403), "{}", there.text());
    for list in ["secrets/list", "model-definitions/list", "endpoints/list", "endpoints/bindings/list"] {
        app.get(&format!("{API}/{list}")).await.expect(403);
    }
    app.act_as(owner(with_role(Role::Viewer, "default").grants));
    register("gateway:/chat").await.expect(200);
    register("gateway:/none").await.expect(404);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_call_a_provider_is_not_offered() {
    let app = TestApp::start().await;
    let calls = [
        (Method::POST, "/gateway/chat/mlflow/invocations"),
        (Method::POST, "/gateway/mlflow/v1/chat/completions"),
        (Method::POST, "/api/3.0/mlflow/gateway/budgets/create"),
        (Method::GET, "/ajax-api/3.0/mlflow/gateway/guardrails/list"),
    ];
    for (method, path) in calls {
        let json = [("content-type", "application/json")];
        let told = app.send(method, path, &json, "{}").await.expect(501);
        assert_eq!(told["error_code"], "NOT_IMPLEMENTED", "{path}");
        assert!(told["message"].as_str().unwrap().contains("sends no requests to providers yet"), "{told}");
    }
    let proxy = "/ajax-api/2.0/mlflow/gateway-proxy";
    assert_eq!(app.get(proxy).await.expect(200), json!({"endpoints": []}));

    let config = app.get(&format!("{AJAX}/secrets/config")).await.expect(200);
    assert_eq!(config, json!({"secrets_available": true, "using_default_passphrase": true}));
    let providers = app.get(&format!("{AJAX}/supported-providers")).await.expect(200);
    assert!(providers["providers"].as_array().unwrap().contains(&json!("openai")));
    let bedrock = app.get(&format!("{AJAX}/provider-config?provider=bedrock")).await.expect(200);
    assert_eq!(
        (&bedrock["default_mode"], bedrock["auth_modes"].as_array().unwrap().len()),
        (&json!("api_key"), 4)
    );
    app.get(&format!("{AJAX}/provider-config")).await.expect(400);
    app.platform.close().await;
}
