//! `demo/generate` and `demo/delete`: the demonstration that is recorded of questions to the documentation.

use http::{Method, StatusCode};
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use serde_json::{Value, json};

use crate::app::{TestApp, with_role};

const GENERATE: &str = "/ajax-api/3.0/mlflow/demo/generate";
const DELETE: &str = "/ajax-api/3.0/mlflow/demo/delete";
const API: &str = "/api/2.0/mlflow";
const V3: &str = "/api/3.0/mlflow";
const BOTH: [&str; 2] = ["traces", "evaluation"];

/// As the pages of a stock server ask, without a body.
async fn bare(app: &TestApp, path: &str) -> Value {
    app.send(Method::POST, path, &[], "").await.expect(200)
}

async fn experiments(app: &TestApp, view: &str) -> Vec<Value> {
    let wanted = json!({ "max_results": 100, "view_type": view });
    let found = app.post(&format!("{API}/experiments/search"), &wanted).await.expect(200);
    found["experiments"].as_array().cloned().unwrap_or_default()
}

async fn traces(app: &TestApp, experiment: &str, filter: &str) -> Vec<Value> {
    let location =
        json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment } });
    let wanted = json!({ "locations": [location], "filter": filter, "max_results": 100 });
    let found = app.post(&format!("{V3}/traces/search"), &wanted).await.expect(200);
    found["traces"].as_array().cloned().unwrap_or_default()
}

async fn runs(app: &TestApp, experiment: &str) -> Vec<Value> {
    let wanted = json!({ "experiment_ids": [experiment] });
    let found = app.post(&format!("{API}/runs/search"), &wanted).await.expect(200);
    found["runs"].as_array().cloned().unwrap_or_default()
}

async fn datasets(app: &TestApp, experiment: &str) -> Vec<Value> {
    let wanted = json!({ "experiment_ids": [experiment] });
    let found = app.post(&format!("{V3}/datasets/search"), &wanted).await.expect(200);
    found["datasets"].as_array().cloned().unwrap_or_default()
}

/// A metric, a parameter or a tag of a run.
fn of_run<'a>(run: &'a Value, kind: &str, key: &str) -> &'a Value {
    let all = run["data"][kind].as_array().unwrap();
    &all.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key} in {all:?}"))["value"]
}

fn assessed<'a>(trace: &'a Value, name: &str) -> &'a Value {
    let all = trace["assessments"].as_array().unwrap();
    all.iter().find(|one| one["assessment_name"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_recorded_once_and_removed_for_good() {
    for app in TestApp::on_each_database("demonstrated").await {
        assert_eq!(bare(&app, DELETE).await, json!({ "status": "deleted", "features_deleted": [] }));
        let made = bare(&app, GENERATE).await;
        let id = made["experiment_id"].as_str().unwrap().to_owned();
        assert_eq!((&made["status"], &made["features_generated"]), (&json!("created"), &json!(BOTH)));
        assert_eq!(made["navigation_url"], format!("/experiments/{id}"));
        let again = app.post(GENERATE, &json!({})).await.expect(200);
        assert_eq!(again["status"], "exists");
        assert_eq!((&again["experiment_id"], &again["features_generated"]), (&json!(id), &json!([])));

        let found = traces(&app, &id, "").await;
        assert_eq!(found.len(), 24);
        assert_eq!(runs(&app, &id).await.len(), 2);
        assert_eq!(datasets(&app, &id).await.len(), 1);

        let gone = bare(&app, DELETE).await;
        assert_eq!(gone, json!({ "status": "deleted", "features_deleted": BOTH }));
        assert_eq!(app.get(&format!("{API}/experiments/get?experiment_id={id}")).await.status, 404);
        assert!(datasets(&app, &id).await.is_empty());
        let purges = app.get("/api/v1/purges").await.expect(200);
        assert_eq!(purges["items"][0]["reason"], "the demonstration is removed");
        assert_eq!(bare(&app, DELETE).await["features_deleted"], json!([]));

        let anew = bare(&app, GENERATE).await;
        assert_eq!(anew["status"], "created");
        assert_ne!(anew["experiment_id"], json!(id), "ids are not given again");
        app.platform.close().await;
    }
}

/// Everything recorded follows from what was found: the feedback of the traces, and the figures of the run that they
/// are linked to.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_agrees_with_itself() {
    let app = TestApp::start().await;
    let made = bare(&app, GENERATE).await;
    let id = made["experiment_id"].as_str().unwrap();
    let runs = runs(&app, id).await;
    let run = |name: &str| runs.iter().find(|run| run["info"]["run_name"] == name).unwrap();
    let (bm25, baseline) = (run("BM25"), run("shared words"));
    assert_eq!((of_run(bm25, "params", "k1"), of_run(bm25, "params", "b")), (&json!("1.2"), &json!("0.75")));
    assert_eq!(of_run(bm25, "params", "passages"), of_run(baseline, "params", "passages"));
    let input = &bm25["inputs"]["dataset_inputs"][0]["dataset"];
    let dataset = &datasets(&app, id).await[0];
    assert_eq!(
        (&input["name"], &input["digest"], &input["source_type"]),
        (&dataset["name"], &dataset["digest"], &json!("mlflow_evaluation_dataset"))
    );

    let run_id = bm25["info"]["run_id"].as_str().unwrap();
    let linked = traces(&app, id, &format!("run_id = '{run_id}'")).await;
    assert_eq!(linked.len(), 24);
    let right = traces(&app, id, "feedback.found = 'true'").await.len();
    let of_metric = |key: &str| of_run(bm25, "metrics", key).as_f64().unwrap();
    let share = u32::try_from(right).map(f64::from).unwrap() / 24.0;
    assert!((of_metric("recall_at_3") - share).abs() < 1e-12);
    let path = format!("{API}/metrics/get-history?run_id={run_id}&metric_key=reciprocal_rank");
    let history = app.get(&path).await.expect(200);
    let ranks: Vec<f64> =
        history["metrics"].as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).collect();
    assert_eq!(ranks.len(), 24);
    assert!((of_metric("mrr") - ranks.iter().sum::<f64>() / 24.0).abs() < 1e-12);

    for trace in &linked {
        let trace_id = trace["trace_id"].as_str().unwrap();
        let page = assessed(trace, "page")["expectation"]["value"].as_str().unwrap();
        let path = format!("/ajax-api/2.0/mlflow/get-trace-artifact?request_id={trace_id}");
        let whole = app.get(&path).await.expect(200);
        let spans = whole["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["answer a question", "search", "quote"]);
        let outputs = attribute(&spans[1], "mlflow.spanOutputs");
        let documents = outputs.as_array().unwrap();
        assert_eq!(documents.len(), 5);
        let is_first = documents[..3].iter().any(|document| document["metadata"]["page"] == page);
        assert_eq!(assessed(trace, "found")["feedback"]["value"], json!(is_first), "{trace}");
        assert_eq!(attribute(&spans[0], "mlflow.spanOutputs"), attribute(&spans[2], "mlflow.spanOutputs"));
    }
    app.platform.close().await;
}

/// The value of an attribute of a span, which stands in it as the text of a JSON value.
fn attribute(span: &Value, key: &str) -> Value {
    serde_json::from_str(span["attributes"][key].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_recorded_as_they_are_asked_for() {
    let app = TestApp::start().await;
    let bad = app.post(GENERATE, &json!({ "features": ["traces", "prompts"] })).await.expect(400);
    assert_eq!(bad["error_code"], "INVALID_PARAMETER_VALUE");
    assert!(bad["message"].as_str().unwrap().contains("prompts"), "{bad}");
    let first = app.post(GENERATE, &json!({ "features": ["traces"] })).await.expect(200);
    assert_eq!(first["features_generated"], json!(["traces"]));
    let id = first["experiment_id"].as_str().unwrap();
    assert!(runs(&app, id).await.is_empty());
    let again = app.post(GENERATE, &json!({ "features": ["traces"] })).await.expect(200);
    assert_eq!(again["status"], "exists");
    let rest = bare(&app, GENERATE).await;
    assert_eq!((&rest["status"], &rest["features_generated"]), (&json!("created"), &json!(["evaluation"])));
    assert_eq!(rest["experiment_id"], json!(id));
    assert_eq!((traces(&app, id, "").await.len(), runs(&app, id).await.len()), (24, 2));
    app.platform.close().await;
}

/// A quota stands in the way of the traces when the runs are there already.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_interrupted_is_done_anew() {
    for app in TestApp::on_each_database("interrupted").await {
        let owner = Principal::new(Actor::user("owner"), vec![Grant { workspace: None, role: Role::Admin }]);
        app.act_as(owner.clone());
        let limited =
            json!({ "experiments": null, "runs": null, "traces_per_day": 3, "artifact_bytes": null });
        app.put("/api/v1/quotas", &limited).await.expect(200);
        app.act_as(with_role(Role::Developer, "default"));
        assert_eq!(app.send(Method::POST, GENERATE, &[], "").await.status, StatusCode::TOO_MANY_REQUESTS);
        let half = experiments(&app, "ACTIVE_ONLY").await;
        let half =
            half.iter().find(|one| one["name"].as_str().unwrap().starts_with("Demonstration")).unwrap();
        let half = half["experiment_id"].as_str().unwrap();
        assert_eq!((runs(&app, half).await.len(), datasets(&app, half).await.len()), (2, 1));

        app.act_as(owner.clone());
        let free =
            json!({ "experiments": null, "runs": null, "traces_per_day": null, "artifact_bytes": null });
        app.put("/api/v1/quotas", &free).await.expect(200);
        app.act_as(with_role(Role::Developer, "default"));
        let made = bare(&app, GENERATE).await;
        let id = made["experiment_id"].as_str().unwrap();
        assert_eq!((&made["status"], &made["features_generated"]), (&json!("created"), &json!(BOTH)));
        assert_ne!(id, half);
        assert_eq!((traces(&app, id, "").await.len(), runs(&app, id).await.len()), (24, 2));
        assert!(datasets(&app, half).await.is_empty());
        let aside = app.get(&format!("{API}/experiments/get?experiment_id={half}")).await.expect(200);
        assert_eq!(aside["experiment"]["lifecycle_stage"], "deleted");
        assert_eq!(bare(&app, GENERATE).await["status"], "exists");

        // Somebody deletes it as any experiment; its name is free for another one.
        app.post(&format!("{API}/experiments/delete"), &json!({ "experiment_id": id })).await.expect(200);
        let third = bare(&app, GENERATE).await;
        assert_eq!(third["status"], "created");
        assert_ne!(third["experiment_id"], made["experiment_id"]);
        let aside = app.get(&format!("{API}/experiments/get?experiment_id={id}")).await.expect(200);
        let tags = aside["experiment"]["tags"].as_array().unwrap();
        let mark = tags.iter().find(|tag| tag["key"] == "mainstay.demonstration").unwrap();
        assert_eq!(mark["value"], "; begun: traces, evaluation", "its dataset is gone");

        app.act_as(owner);
        assert_eq!(bare(&app, DELETE).await["features_deleted"], json!(BOTH));
        let left = experiments(&app, "ALL").await;
        assert!(
            left.iter().all(|one| !one["name"].as_str().unwrap().starts_with("Demonstration")),
            "{left:?}"
        );
        app.platform.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_record_one() {
    let app = TestApp::start().await;
    let (one, other) = tokio::join!(bare(&app, GENERATE), bare(&app, GENERATE));
    let mut said = [&one["status"], &other["status"]].map(|status| status.as_str().unwrap());
    said.sort_unstable();
    assert_eq!(said, ["created", "exists"]);
    assert_eq!(one["experiment_id"], other["experiment_id"]);
    assert_eq!(traces(&app, one["experiment_id"].as_str().unwrap(), "").await.len(), 24);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_tags_so_is_not_removed_with_it() {
    let app = TestApp::start().await;
    let own = json!({ "name": "mine", "tags": [{ "key": "mainstay.demonstration", "value": "traces" }] });
    app.post(&format!("{API}/experiments/create"), &own).await.expect(200);
    assert_eq!(bare(&app, GENERATE).await["status"], "created");
    bare(&app, DELETE).await;
    let left = experiments(&app, "ACTIVE_ONLY").await;
    assert!(left.iter().any(|one| one["name"] == "mine"), "{left:?}");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_those_who_may_and_of_one_workspace() {
    let app = TestApp::start().await;
    app.create_workspace("other").await;
    app.act_as(with_role(Role::Viewer, "default"));
    for path in [GENERATE, DELETE] {
        let refused = app.send(Method::POST, path, &[], "").await.expect(403);
        assert_eq!(refused["error_code"], "PERMISSION_DENIED");
    }
    assert!(!app.get("/traces").await.text().contains("Record a demonstration"));
    assert!(!app.get("/experiments").await.text().contains("Record a demonstration"));

    app.act_as(with_role(Role::Developer, "default"));
    assert!(app.get("/traces").await.text().contains("Record a demonstration"));
    assert!(app.get("/experiments").await.text().contains("Record a demonstration"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let sent = app.send(Method::POST, "/demonstration", &form, "").await;
    let made = bare(&app, GENERATE).await;
    assert_eq!(made["status"], "exists");
    let id = made["experiment_id"].as_str().unwrap();
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(sent.headers["location"], format!("/experiments/{id}/traces"));
    assert!(app.get(&format!("/experiments/{id}/traces")).await.text().contains("answer a question"));
    assert!(!app.get("/traces").await.text().contains("Record a demonstration"));
    // Purging is for admins.
    assert_eq!(app.send(Method::POST, DELETE, &[], "").await.status, StatusCode::FORBIDDEN);

    app.act_as(with_role(Role::Admin, "other"));
    let elsewhere = [("x-mlflow-workspace", "other")];
    let removed = app.send(Method::POST, DELETE, &elsewhere, "").await.expect(200);
    assert_eq!(removed["features_deleted"], json!([]));
    let another = app.send(Method::POST, GENERATE, &elsewhere, "").await.expect(200);
    assert_eq!(another["status"], "created");
    assert_ne!(another["experiment_id"], json!(id));
    let removed = app.send(Method::POST, DELETE, &elsewhere, "").await.expect(200);
    assert_eq!(removed["features_deleted"], json!(BOTH));
    app.act_as(with_role(Role::Developer, "default"));
    assert_eq!(bare(&app, GENERATE).await["status"], "exists");
    app.platform.close().await;
}
