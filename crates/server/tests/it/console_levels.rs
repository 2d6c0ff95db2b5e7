//! The console of somebody who holds levels on single experiments and models, and no role.

use std::sync::Arc;
use std::time::Duration;

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
    // An id that was another trace's: what happened to that one is not told with it.
    for (experiment, tag) in [(&theirs, "their-secret"), (&mine, "my-tag")] {
        let place = json!({"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}});
        let info = json!({"trace_id": "job-1", "trace_location": place, "state": "OK",
            "request_time": "2026-01-01T00:00:00Z"});
        app.post("/api/3.0/mlflow/traces", &json!({"trace": {"trace_info": info}})).await.expect(200);
        let headers = [("content-type", "application/json")];
        let tag = json!({"key": "k", "value": tag}).to_string();
        app.send(Method::PATCH, "/api/3.0/mlflow/traces/job-1/tags", &headers, tag).await.expect(200);
        if experiment == &theirs {
            let gone = json!({"experiment_id": experiment, "request_ids": ["job-1"]});
            app.post("/api/3.0/mlflow/traces/delete-traces", &gone).await.expect(200);
        }
    }
    let last = json!({"run_id": my_run, "key": "mine-last", "value": "v"});
    call(&app, "runs/set-tag", last).await;
    let heard = async |who: Principal| {
        app.act_as(who);
        let request = Request::builder().method(Method::GET).uri("/api/v1/events/stream");
        let request = request.header("last-event-id", "0").body(Body::empty()).unwrap();
        let answer = app.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let (mut parts, mut text) = (answer.into_body().into_data_stream(), String::new());
        // The last thing that happened.
        while !(text.contains("mine-last")) {
            text += std::str::from_utf8(&parts.next().await.unwrap().unwrap()).unwrap();
        }
        text
    };
    let all = heard(with_role(Role::Viewer, "default")).await;
    assert!(all.contains(&their_run) && all.contains(&my_run) && all.contains("their-secret"), "{all}");
    let own = heard(holding(&[(ResourceKind::Experiment, &mine, Level::Read)])).await;
    assert!(own.contains(&my_run) && own.contains(&format!("experiment:{mine}")), "{own}");
    assert!(own.contains("my-tag") && !own.contains("their-secret"), "{own}");
    assert!(!own.contains(&their_run) && !own.contains(&format!("experiment:{theirs}\"")), "{own}");
    app.platform.close().await;
}

/// What a run logged into another experiment stands on its page by the id alone, and a tag tells nobody which versions
/// there are.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_names_besides_is_for_those_who_may_see_it() {
    let app = TestApp::start().await;
    let (mine, my_run) = experiment(&app, "mine").await;
    let (theirs, _) = experiment(&app, "theirs").await;
    let mut ids = Vec::new();
    for (experiment, name) in [(&mine, "my-logged"), (&theirs, "their-logged")] {
        let made = call(&app, "logged-models", json!({"experiment_id": experiment, "name": name})).await;
        ids.push(made["model"]["info"]["model_id"].as_str().unwrap().to_owned());
    }
    for name in ["my-model", "their-model"] {
        call(&app, "registered-models/create", json!({"name": name})).await;
        call(&app, "model-versions/create", json!({"name": name, "source": "s3://elsewhere/m"})).await;
    }
    let outputs: Vec<Value> = ids.iter().map(|id| json!({"model_id": id, "step": 1})).collect();
    call(&app, "runs/outputs", json!({"run_id": my_run, "models": outputs})).await;
    let versions = json!([{"name": "my-model", "version": 1}, {"name": "their-model", "version": 1}]);
    let tag = json!({"tags": [{"key": "mlflow.modelVersions", "value": versions.to_string()}]});
    let tagged = format!("/api/2.0/mlflow/logged-models/{}/tags", ids[0]);
    let headers = [("content-type", "application/json")];
    app.send(Method::PATCH, &tagged, &headers, tag.to_string()).await.expect(200);
    let pages = [format!("/runs/{my_run}"), format!("/experiments/{mine}/models/{}", ids[0])];
    for page in &pages {
        app.act_as(with_role(Role::Viewer, "default"));
        let all = app.get(page).await.text();
        assert!(all.contains("/models/their-model/1\""), "{all}");
        let levels = [
            (ResourceKind::Experiment, mine.as_str(), Level::Read),
            (ResourceKind::Model, "my-model", Level::Read),
        ];
        app.act_as(holding(&levels));
        let own = app.get(page).await.text();
        assert!(own.contains("/models/my-model/1\"") && !own.contains("/models/their-model/1\""), "{own}");
        assert!(own.contains("their-model v1</span>"), "nor whether it is there: {own}");
        assert!(own.contains("my-logged") && !own.contains("their-logged"), "{own}");
    }
    app.act_as(holding(&[(ResourceKind::Experiment, &mine, Level::Read)]));
    assert!(app.get(&pages[0]).await.text().contains(&ids[1]));
    app.platform.close().await;
}

/// A denial is found by the id that it names, so no other spelling of the id leads around it.
#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_known_by_one_spelling() {
    let app = TestApp::start().await;
    let (theirs, _) = experiment(&app, "theirs").await;
    let made = call(&app, "logged-models", json!({"experiment_id": theirs, "name": "theirs-logged"})).await;
    let model = made["model"]["info"]["model_id"].as_str().unwrap();
    for spelling in [theirs.clone(), format!("0{theirs}"), format!("%30{theirs}"), format!("+{theirs}")] {
        for page in ["", "/models", &format!("/models/{model}"), "/traces"] {
            let mut levels = Permissions::new(Some(Level::Read));
            levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new(&*theirs), Level::Deny);
            app.act_as(with_role(Role::Developer, "default").with_permissions(Arc::new(levels)));
            let answer = app.get(&format!("/experiments/{spelling}{page}")).await;
            let text = answer.text();
            assert!(answer.status.is_client_error() && !text.contains("theirs"), "{spelling}{page}: {text}");
        }
    }
    app.platform.close().await;
}

/// A stream is let in once. It ends with what let it in, and goes on through changes of what others may do.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_what_let_it_in() {
    let app = TestApp::start().await;
    let (mine, my_run) = experiment(&app, "mine").await;
    let set = async |key: &str| {
        app.act_as(with_role(Role::Admin, "default"));
        call(&app, "runs/set-tag", json!({"run_id": my_run, "key": key, "value": "v"})).await;
    };
    let reader = || holding(&[(ResourceKind::Experiment, &mine, Level::Read)]);
    app.act_as(reader());
    let request = Request::builder().method(Method::GET).uri("/api/v1/events/stream");
    let answer = app.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut told = answer.into_body().into_data_stream();
    // Where it begins, for those who come again before they are told anything.
    let begun = told.next().await.unwrap().unwrap();
    assert!(begun.starts_with(b"id: ") && begun.ends_with(b"\n\n"), "{begun:?}");
    set("before").await;
    // Who may do what changes, and the reader stays who it is.
    app.act_as(reader());
    app.create_workspace("beta").await;
    let mut text = String::new();
    while !text.contains("run.logged") {
        text += std::str::from_utf8(&told.next().await.unwrap().unwrap()).unwrap();
    }
    set("between").await;
    app.act_as(reader());
    let heard = told.next().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&heard).unwrap().contains(&my_run));
    // It waits by now, and is woken by what changes.
    assert!(futures::poll!(told.next()).is_pending());
    app.act_as(holding(&[(ResourceKind::Experiment, "77", Level::Read)]));
    app.create_workspace("gamma").await;
    // By itself it ends after two minutes.
    let ended = tokio::time::timeout(Duration::from_mins(1), told.next()).await;
    assert!(ended.unwrap().is_none());
    app.platform.close().await;
}
