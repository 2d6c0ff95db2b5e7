//! What people and the console read over HTTP: models, datasets, feature definitions; and who may.

use http::Method;
use mainstay_core::digest::Digest;
use mainstay_core::scope::default_workspace;
use mainstay_data::commands::{CommitTableVersion, CreateDataset};
use mainstay_data::dataset::Dataset;
use mainstay_data::schema::{Column, DataType, Schema};
use mainstay_data::table::{ColumnStats, DataFile, Manifest};
use mainstay_features::command::ApplyDefinitions;
use mainstay_platform::compactor::Compactor;
use serde_json::json;

use crate::app::TestApp;
use crate::endpoints::with_versions;
use crate::program::demo;

#[tokio::test(flavor = "multi_thread")]
async fn models_are_shown_with_their_gates() {
    let app = TestApp::start().await;
    with_versions(&app).await;
    let models = app.get("/api/v1/models").await.expect(200);
    assert_eq!((&models["items"][0]["name"], &models["next_page_token"]), (&json!("flights"), &json!(null)));
    let path = "/api/v1/models/flights/versions";
    let first = app.get(&format!("{path}?limit=2")).await.expect(200);
    assert_eq!((&first["items"][0]["number"], &first["items"][1]["number"]), (&json!(3), &json!(2)));
    let token = first["next_page_token"].as_str().unwrap();
    let last = app.get(&format!("{path}?page_token={token}")).await.expect(200);
    assert_eq!((&last["items"][0]["number"], &last["next_page_token"]), (&json!(1), &json!(null)));
    let judged = app.get(&format!("{path}/1")).await.expect(200);
    let gate = &judged["reports"][0]["gates"][0];
    assert_eq!((&gate["name"], &gate["verdict"]), (&json!("incumbent"), &json!("passed")));
    assert_eq!(app.get(&format!("{path}/3")).await.expect(200)["reports"], json!([]));
    assert_eq!(app.get(&format!("{path}/9")).await.problem(404), "not-found");
    assert_eq!(app.get(&format!("{path}/x")).await.problem(400), "invalid-argument");
    assert_eq!(app.get("/api/v1/models/none").await.problem(404), "not-found");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_and_definitions_are_shown() {
    let app = TestApp::start().await;
    let (workspace, caller) = (default_workspace(), app.caller());
    let name: mainstay_core::name::Name = "days".parse().unwrap();
    let dataset = Dataset {
        name: name.clone(),
        description: "One row a day.".to_owned(),
        declared_types: [].into(),
        time_column: None,
        created_column: None,
    };
    app.platform.data.run(&caller, CreateDataset { workspace: workspace.clone(), dataset }).await.unwrap();
    let manifest = Manifest {
        schema: Schema::new(vec![Column::new("day", DataType::Int64)]).unwrap(),
        files: vec![DataFile {
            object_key: "tables/a.parquet".to_owned(),
            sha256: Digest::of(b"a"),
            rows: 3,
            bytes: 40,
            columns: vec![ColumnStats::default()],
        }],
        quarantine: None,
    };
    let commit = CommitTableVersion {
        workspace: workspace.clone(),
        dataset: name,
        manifest,
        source: "a.csv".to_owned(),
    };
    app.platform.data.run(&caller, commit).await.unwrap();
    assert_eq!(app.get("/api/v1/datasets").await.expect(200)["items"][0]["description"], "One row a day.");
    let versions = app.get("/api/v1/datasets/days/versions").await.expect(200);
    assert_eq!((&versions["items"][0]["version"], &versions["items"][0]["rows"]), (&json!(1), &json!(3)));
    let version = app.get("/api/v1/datasets/days/versions/1").await.expect(200);
    assert_eq!((&version["files"][0]["rows"], &version["validations"]), (&json!(3), &json!([])));
    assert_eq!(app.get("/api/v1/datasets/days/versions/2").await.problem(404), "not-found");
    assert_eq!(app.get("/api/v1/datasets/days/versions/0").await.problem(400), "invalid-argument");
    let beyond = format!("/api/v1/datasets/days/versions/{}", u64::MAX);
    assert_eq!(app.get(&beyond).await.problem(400), "invalid-argument");
    assert_eq!(app.get("/api/v1/datasets/none").await.problem(404), "not-found");

    let text = std::fs::read_to_string(demo().join("features.yaml")).unwrap();
    let apply = ApplyDefinitions::new(workspace, "flights".parse().unwrap(), text.clone(), None).unwrap();
    app.platform.features.run(&caller, apply).await.unwrap();
    let listed = app.get("/api/v1/feature-definitions").await.expect(200);
    assert_eq!(
        (&listed["items"][0]["project"], &listed["items"][0]["revision"]),
        (&json!("flights"), &json!(1))
    );
    let shown = app.get("/api/v1/feature-definitions/flights").await.expect(200);
    assert_eq!((&shown["text"], &shown["materialisations"]), (&json!(text), &json!([])));
    assert_eq!(app.get("/api/v1/feature-definitions/none").await.problem(404), "not-found");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_once() {
    let app = TestApp::start().await;
    let made = app.post("/api/v1/tokens", &json!({ "label": "ci", "role": "developer" })).await.expect(201);
    assert!(made["token"].as_str().unwrap().starts_with("mst_"));
    let listed = app.get("/api/v1/tokens").await;
    assert!(!listed.text().contains(&made["token"].as_str().unwrap()[40..]));
    let listed = listed.expect(200);
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["roles"]),
        (&made["id"], &json!(["developer"]))
    );
    let bad = json!({ "label": "ci", "role": "developer", "expires_in_days": 0 });
    assert_eq!(app.post("/api/v1/tokens", &bad).await.problem(400), "invalid-argument");
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(app.status(Method::DELETE, &path).await, 204);
    assert_eq!(app.get("/api/v1/tokens").await.expect(200)["items"], json!([]));
    let unknown = format!("/api/v1/tokens/{}", "0".repeat(32));
    assert_eq!(app.status(Method::DELETE, &unknown).await, 404);

    let hook = json!({ "name": "chat", "url": "https://chat.example/hook", "kinds": ["rollout.*"] });
    let made = app.post("/api/v1/webhooks", &hook).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    let listed = app.get("/api/v1/webhooks").await;
    assert!(secret.starts_with("whsec_") && !listed.text().contains(secret));
    assert_eq!(listed.expect(200)["items"][0]["kinds"], json!(["rollout.*"]));
    let bad = json!({ "name": "chat", "url": "ftp://x", "kinds": ["rollout.*"] });
    assert_eq!(app.post("/api/v1/webhooks", &bad).await.problem(400), "invalid-argument");
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    assert_eq!(app.status(Method::DELETE, &path).await, 204);
    assert_eq!(app.status(Method::DELETE, &path).await, 404);

    let alice = json!({ "actor": "user:alice", "role": "approver" });
    assert_eq!(app.post("/api/v1/grants", &alice).await.expect(201), alice);
    assert_eq!(app.get("/api/v1/grants?actor=user:alice").await.expect(200)["items"], json!([alice]));
    let system = json!({ "actor": "system:engine", "role": "admin" });
    assert_eq!(app.post("/api/v1/grants", &system).await.problem(400), "invalid-argument");
    assert_eq!(app.status(Method::DELETE, "/api/v1/grants/user:alice/approver").await, 204);
    assert_eq!(app.status(Method::DELETE, "/api/v1/grants/user:alice/approver").await, 404);
    assert_eq!(app.status(Method::DELETE, "/api/v1/grants/user:alice/king").await, 400);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_runs_are_kept_for_the_workspace() {
    let app = TestApp::start().await;
    let path = "/api/v1/saved-views/best of May";
    let path = path.replace(' ', "%20");
    let view =
        json!({ "experiments": ["0"], "query": "filter=metrics.loss%20%3C%201&col=!160:metrics.loss" });
    let saved = app.put(&path, &view).await.expect(200);
    assert_eq!((&saved["name"], &saved["query"]), (&json!("best of May"), &view["query"]));
    let other = json!({ "query": "" });
    assert_eq!(app.put(&path, &other).await.expect(200)["experiments"], json!([]));
    let listed = app.get("/api/v1/saved-views").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "the second took the place of the first");
    for bad in [
        json!({ "query": "a b" }),
        json!({ "query": "a\r\nb" }),
        json!({ "query": "", "experiments": ["x"] }),
    ] {
        assert_eq!(app.put(&path, &bad).await.problem(400), "invalid-argument");
    }
    assert_eq!(app.put("/api/v1/saved-views/a%2Fb", &other).await.problem(400), "invalid-name");
    let events = app.get("/api/v1/events?kind=saved_view.saved").await.expect(200);
    assert_eq!(events["events"].as_array().unwrap().len(), 2);
    assert_eq!(events["events"][0]["body"]["query"], view["query"], "the record says what was saved");
    assert_eq!(app.status(Method::DELETE, &path).await, 204);
    assert_eq!(app.status(Method::DELETE, &path).await, 404);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_cut_into_buckets() {
    for app in TestApp::on_each_database("series").await {
        let api = "/api/2.0/mlflow";
        app.platform.create_default_experiment().await.unwrap();
        let body = json!({"experiment_id": "0", "start_time": 1_000});
        let made = app.post(&format!("{api}/runs/create"), &body).await.expect(200);
        let run = made["run"]["info"]["run_id"].as_str().unwrap();
        let point =
            |step: i64| json!({"key": "loss", "step": step, "timestamp": 2_000 + step, "value": step % 7});
        // Enough for a segment; the last call is sent twice.
        let mut calls: Vec<Vec<i64>> =
            (0..9).map(|call| (call * 1_000..call * 1_000 + 1_000).collect()).collect();
        calls.push(calls[8].clone());
        for call in calls {
            let metrics: Vec<_> = call.into_iter().map(point).collect();
            app.post(&format!("{api}/runs/log-batch"), &json!({"run_id": run, "metrics": metrics}))
                .await
                .expect(200);
        }
        let ask = async |body: serde_json::Value| app.post("/api/v1/runs/series", &body).await;
        let all = json!({"runs": [run], "metrics": ["loss", "none"], "points": 10});
        let before = ask(all.clone()).await.expect(200);
        let loss = &before["series"][0];
        assert_eq!(
            (&before["from"], &before["to"], &before["width"]),
            (&json!(0), &json!(8_999), &json!(1_024))
        );
        assert_eq!(
            (&loss["kind"], &loss["total"], &loss["start"]),
            (&json!("buckets"), &json!(9_000), &json!(1_000))
        );
        assert_eq!(loss["x"], json!((0..9).map(|n| n * 1_024).collect::<Vec<_>>()));
        assert_eq!(
            (&loss["count"][8], &loss["min"][8], &loss["last"][8]),
            (&json!(808), &json!(0.0), &json!(4.0))
        );
        assert_eq!(before["series"][1], json!({"run": run, "metric": "none", "kind": "empty"}));

        let compactor = Compactor::new(&app.platform.database, app.platform.authority.clone());
        let (_stop, stopping) = tokio::sync::watch::channel(false);
        compactor.compact_due(&stopping).await.unwrap();
        assert_eq!(ask(all.clone()).await.expect(200), before, "merging changes nothing that can be seen");
        let mut held = all;
        held["known"] = json!({ run: {"loss": loss["version"]} });
        assert_eq!(ask(held).await.expect(200)["series"][0]["kind"], "unchanged");

        let part = json!({"runs": [run], "metrics": ["loss"], "axis": "time", "from": 5_000, "to": 5_001});
        let part = &ask(part).await.expect(200)["series"][0];
        assert_eq!((&part["x"], &part["step"]), (&json!([5_000, 5_001]), &json!([3_000, 3_001])));
        assert_eq!((&part["kind"], &part["value"]), (&json!("points"), &json!([4.0, 5.0])));
        let bad = json!({"runs": [run], "metrics": ["loss"], "points": 1});
        assert_eq!(ask(bad).await.problem(400), "invalid-argument");
        assert_eq!(ask(json!({"runs": ["x"], "metrics": ["loss"]})).await.problem(400), "malformed-body");
        app.platform.close().await;
    }
}
