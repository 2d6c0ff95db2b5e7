//! The console of somebody who holds levels on single experiments and models, and no role.

use std::sync::Arc;

use axum::body::Body;
use futures::StreamExt as _;
use http::{Method, Request, StatusCode, header};
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Principal, Role};
use mainstay_core::scope::{ResourceKind, default_workspace};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::{TestApp, with_role};

/// Where levels lead nobody.
const CLOSED: [&str; 6] = ["/datasets", "/endpoints", "/pipelines", "/approvals", "/audit", "/retention"];

/// Somebody with these levels alone; for one request.
fn holding(levels: &[(ResourceKind, &str, Level)]) -> Principal {
    let mut held = Permissions::default();
    for (kind, id, level) in levels {
        held.add(&default_workspace(), *kind, &Pattern::new(*id), *level);
    }
    Principal::new(Actor::user("ada"), Vec::new()).with_permissions(Arc::new(held))
}

async fn call(app: &TestApp, path: &str, body: Value) -> Value {
    app.post(&format!("/api/2.0/mlflow/{path}"), &body).await.expect(200)
}

/// An experiment with a run of the same name, and both ids.
async fn experiment(app: &TestApp, name: &str) -> (String, String) {
    let made = call(app, "experiments/create", json!({"name": name})).await;
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    let run = call(app, "runs/create", json!({"experiment_id": id, "run_name": format!("{name}-run")})).await;
    let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let metric = json!({"run_id": run, "key": format!("{name}-loss"), "value": 1, "timestamp": 1});
    call(app, "runs/log-metric", metric).await;
    (id, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_what_their_reader_holds_levels_on() {
    let app = TestApp::start().await;
    let (mine, my_run) = experiment(&app, "mine").await;
    let (theirs, their_run) = experiment(&app, "theirs").await;
    for name in ["my-model", "their-model"] {
        call(&app, "registered-models/create", json!({"name": name})).await;
    }
    let child = json!({"run_id": my_run, "key": "mlflow.parentRunId", "value": their_run});
    call(&app, "runs/set-tag", child).await;
    let view = |ids: Value| json!({"experiments": ids, "query": "filter=a"});
    for (name, ids) in [("my-view", json!([mine])), ("their-view", json!([mine, theirs])), ("all", json!([]))]
    {
        app.put(&format!("/api/v1/saved-views/{name}"), &view(ids)).await.expect(200);
    }
    let levels = [
        (ResourceKind::Experiment, mine.as_str(), Level::Edit),
        (ResourceKind::Model, "my-model", Level::Read),
    ];
    let page = async |path: &str| {
        app.act_as(holding(&levels));
        let answer = app.get(path).await;
        (answer.status, answer.text())
    };

    app.act_as(holding(&levels));
    let home = app.get("/").await;
    assert_eq!(
        (home.status, &home.headers[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/experiments".parse().unwrap())
    );
    for path in ["/experiments", "/runs", "/traces", "/models", "/prompts"] {
        let (status, text) = page(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        assert!(!text.contains("theirs") && !text.contains("their-model"), "{path}: {text}");
    }
    assert!(page("/experiments").await.1.contains(">mine</a>"));
    let (_, experiments) = page("/experiments").await;
    let leads = |to: &str| experiments.contains(&format!("href=\"{to}\""));
    assert!(["/traces", "/models", "/prompts", "/account"].into_iter().all(leads), "{experiments}");
    assert!(!CLOSED.into_iter().any(leads), "{experiments}");
    assert!(page("/runs").await.1.contains("mine-run</a>"));
    assert!(page("/models").await.1.contains("my-model</a>"));
    let (_, run) = page(&format!("/runs/{my_run}")).await;
    assert!(run.contains("mine-loss") && run.contains("data-may=\"write\""), "{run}");
    assert!(!run.contains("/audit"), "nowhere where one may not go: {run}");
    assert!(run.contains(&their_run) && !run.contains("theirs-run"), "the parent by its id alone: {run}");
    for path in [
        format!("/experiments/{mine}"),
        format!("/experiments/{mine}/models"),
        format!("/experiments/{mine}/traces"),
        format!("/runs/{my_run}/artifacts"),
        format!("/api/v1/runs/{my_run}/metrics?key=mine-loss"),
        "/models/my-model".to_owned(),
    ] {
        assert_eq!(page(&path).await.0, StatusCode::OK, "{path}");
    }
    for path in [
        format!("/experiments/{theirs}"),
        format!("/experiments/{theirs}/models"),
        format!("/experiments/{theirs}/traces"),
        format!("/runs/{their_run}"),
        format!("/runs/{their_run}/artifacts"),
        format!("/runs/{their_run}/artifact?path=a"),
        format!("/api/v1/runs/{their_run}/metrics?key=theirs-loss"),
        "/models/their-model".to_owned(),
        "/pipelines".to_owned(),
        "/endpoints".to_owned(),
        "/audit".to_owned(),
        "/api/v1/events".to_owned(),
    ] {
        assert_eq!(page(&path).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(page("/views/my-view").await.0, StatusCode::SEE_OTHER);
    for view in ["their-view", "all"] {
        assert_eq!(page(&format!("/views/{view}")).await.0, StatusCode::NOT_FOUND, "{view}");
    }
    let (_, views) = page("/api/v1/saved-views").await;
    assert!(views.contains("my-view") && !views.contains("their-view") && !views.contains("all"), "{views}");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_of_what_its_hearer_holds_levels_on() {
    let app = TestApp::start().await;
    let (theirs, their_run) = experiment(&app, "theirs").await;
    let (mine, my_run) = experiment(&app, "mine").await;
    let heard = async |who: Principal| {
        app.act_as(who);
        let request = Request::builder().method(Method::GET).uri("/api/v1/events/stream");
        let request = request.header("last-event-id", "0").body(Body::empty()).unwrap();
        let answer = app.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let (mut parts, mut text) = (answer.into_body().into_data_stream(), String::new());
        // The last thing that happened.
        while !(text.contains("mine-loss")) {
            text += std::str::from_utf8(&parts.next().await.unwrap().unwrap()).unwrap();
        }
        text
    };
    let all = heard(with_role(Role::Viewer, "default")).await;
    assert!(all.contains(&their_run) && all.contains(&my_run), "{all}");
    let own = heard(holding(&[(ResourceKind::Experiment, &mine, Level::Read)])).await;
    assert!(own.contains(&my_run) && own.contains(&format!("experiment:{mine}")), "{own}");
    assert!(!own.contains(&their_run) && !own.contains(&format!("experiment:{theirs}\"")), "{own}");
    app.platform.close().await;
}
