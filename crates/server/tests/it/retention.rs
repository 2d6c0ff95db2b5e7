//! What is deleted for good, over the API, artifacts included; and that a purge which is interrupted ends whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use http::{Method, StatusCode};
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentName;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::time::{MachineTime, ManualClock};
use mainstay_platform::artifact_places::ArtifactPlaces;
use mainstay_platform::sweeper::Sweeper;
use mainstay_retention::port::{Artifacts, Folders};
use mainstay_retention::purge::Measure;
use mainstay_retention::target::{Target, TargetKind};
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::app::{TestApp, with_role};

const API: &str = "/api/2.0/mlflow";
const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
const PURGES: &str = "/api/v1/purges";

async fn experiment(app: &TestApp, name: &str) -> String {
    let made = app.post(&format!("{API}/experiments/create"), &json!({ "name": name })).await.expect(200);
    made["experiment_id"].as_str().unwrap().to_owned()
}

/// A run that has ended, with a metric and a file of five bytes.
async fn run(app: &TestApp, experiment: &str) -> String {
    let body = json!({ "experiment_id": experiment, "start_time": 1 });
    let made = app.post(&format!("{API}/runs/create"), &body).await.expect(200);
    let id = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let point = json!({ "run_id": id, "key": "loss", "value": 0.5, "timestamp": 2, "step": 0 });
    app.post(&format!("{API}/runs/log-metric"), &point).await.expect(200);
    let ended = json!({ "run_id": id, "status": "FINISHED", "end_time": 3 });
    app.post(&format!("{API}/runs/update"), &ended).await.expect(200);
    let put = app.send(Method::PUT, &file(experiment, &id), &[], "bytes").await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    id
}

fn file(experiment: &str, run: &str) -> String {
    format!("{PROXY}/{experiment}/{run}/artifacts/model/weights.bin")
}

async fn delete(app: &TestApp, run: &str) {
    app.post(&format!("{API}/runs/delete"), &json!({ "run_id": run })).await.expect(200);
}

async fn sweep(app: &TestApp) {
    let (_stop, never) = watch::channel(false);
    Sweeper::new(&app.platform).sweep(&never).await.unwrap();
}

async fn found(app: &TestApp, experiment: &str) -> usize {
    let body = json!({ "experiment_ids": [experiment], "run_view_type": "ALL" });
    let found = app.post(&format!("{API}/runs/search"), &body).await.expect(200);
    found["runs"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_purged_with_its_artifacts() {
    for app in TestApp::on_each_database("purged").await {
        let experiment = experiment(&app, "one").await;
        let (gone, stays) = (run(&app, &experiment).await, run(&app, &experiment).await);
        delete(&app, &gone).await;
        let mut body = json!({ "deleted": { "kind": "runs" }, "reason": "tidying", "dry_run": true });
        let looked = app.post(PURGES, &body).await.expect(200);
        assert_eq!((&looked["takes"]["runs"], &looked["held_count"]), (&json!(1), &json!(0)));
        let sample = &looked["sample"][0];
        assert_eq!(
            (&sample["id"], &sample["objects"], &sample["bytes"]),
            (&json!(gone), &json!(1), &json!(5))
        );
        assert_eq!(found(&app, &experiment).await, 2, "nothing happened");

        let whole = json!({ "targets": [{ "kind": "experiment", "id": experiment }], "dry_run": true });
        let looked = app.post(PURGES, &whole).await.expect(200);
        assert_eq!(looked["sample"][0]["objects"], 2, "its own folder: {looked}");

        body["dry_run"] = json!(false);
        let started = app.post(PURGES, &body).await.expect(202);
        assert_eq!((&started["purge"]["state"], &started["has_more"]), (&json!("running"), &json!(false)));
        assert_eq!(found(&app, &experiment).await, 1, "the index of runs forgot it");
        assert_eq!(app.get(&format!("{API}/runs/get?run_id={gone}")).await.status, 404);
        let restored = app.post(&format!("{API}/runs/restore"), &json!({ "run_id": gone })).await;
        assert_eq!(restored.status, 404);
        sweep(&app).await;
        let id = started["purge"]["id"].as_str().unwrap();
        let done = app.get(&format!("{PURGES}/{id}")).await.expect(200);
        assert_eq!((&done["state"], &done["left"]), (&json!("finished"), &json!(0)));
        assert_eq!((&done["done"]["objects"], &done["done"]["bytes"]), (&json!(1), &json!(5)));
        assert_eq!(app.get(&file(&experiment, &gone)).await.status, 404);
        assert_eq!(app.get(&file(&experiment, &stays)).await.text(), "bytes");
        assert_eq!(app.get(PURGES).await.expect(200)["items"][0]["reason"], "tidying");
        let events = app.get(&format!("/api/v1/events?subject=run:{gone}&newest=true")).await.expect(200);
        assert_eq!(events["events"][0]["kind"], "run.purged");
        // Nothing is left to do.
        let again = app.post(PURGES, &body).await.expect(200);
        assert_eq!((&again["purge"], &again["held"]), (&Value::Null, &json!([])));
        app.platform.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_needs_is_refused_by_name() {
    let app = TestApp::start().await;
    let experiment = experiment(&app, "one").await;
    let run = run(&app, &experiment).await;
    app.post(&format!("{API}/registered-models/create"), &json!({ "name": "delay" })).await.expect(200);
    let source = format!("mlflow-artifacts:/{experiment}/{run}/artifacts/model");
    let version = json!({ "name": "delay", "source": source, "run_id": run });
    app.post(&format!("{API}/model-versions/create"), &version).await.expect(200);
    let named = json!({ "targets": [{ "kind": "run", "id": run }] });
    let refused = app.post(PURGES, &named).await.expect(409);
    assert_eq!(refused["code"], "still-needed");
    assert!(refused["detail"].to_string().contains("model version delay/1"), "{refused}");
    let mut dry = named.clone();
    dry["dry_run"] = json!(true);
    let held = app.post(PURGES, &dry).await.expect(200)["held"].take();
    assert_eq!(held[0]["by"], json!([{ "kind": "model_version", "id": "delay/1" }]));
    for (bad, code) in [
        (json!({}), "invalid-argument"),
        (json!({ "targets": [{ "kind": "run", "id": "x" }] }), "invalid-argument"),
        (json!({ "targets": [{ "kind": "model", "id": "x" }] }), "invalid-argument"),
        (json!({ "deleted": { "kind": "traces" } }), "invalid-argument"),
    ] {
        assert_eq!(app.post(PURGES, &bad).await.problem(400), code, "{bad}");
    }
    let missing = json!({ "targets": [{ "kind": "run", "id": "ab".repeat(16) }] });
    assert_eq!(app.post(PURGES, &missing).await.problem(404), "not-found");
    // Purging is for admins: developers delete what can be restored.
    app.act_as(with_role(Role::Developer, "default"));
    assert_eq!(app.post(PURGES, &named).await.problem(403), "permission-denied");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_takes_what_its_preview_told() {
    let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_000_000)));
    let app = TestApp::at(clock.clone()).await;
    let experiment = experiment(&app, "one").await;
    let (tagged, old) = (run(&app, &experiment).await, run(&app, &experiment).await);
    let tag = json!({ "run_id": tagged, "key": "keep", "value": "" });
    app.post(&format!("{API}/runs/set-tag"), &tag).await.expect(200);
    let rule = json!({ "kind": "runs", "older_than_days": 30, "keep_tagged": ["keep"] });
    let path = "/api/v1/retention/rules/old-runs";
    let saved = app.put(path, &rule).await.expect(200);
    assert_eq!((&saved["name"], &saved["applied_at"]), (&json!("old-runs"), &Value::Null));
    let (_stop, never) = watch::channel(false);
    let sweeper = Sweeper::new(&app.platform);
    sweeper.apply_rules(&never).await.unwrap();
    assert_eq!(found(&app, &experiment).await, 2, "nothing is so old");

    clock.advance(std::time::Duration::from_hours(24 * 31));
    let told = app.post("/api/v1/retention/preview", &rule).await.expect(200);
    assert_eq!((&told["takes"]["runs"], &told["sample"][0]["id"]), (&json!(1), &json!(old)));
    sweeper.apply_rules(&never).await.unwrap();
    assert_eq!(found(&app, &experiment).await, 1);
    let purge = app.get(PURGES).await.expect(200)["items"][0].take();
    assert_eq!((&purge["rule"], &purge["state"]), (&json!("old-runs"), &json!("finished")));
    assert_eq!(purge["actor"], "system:sweeper");
    let page = app.get("/retention").await;
    assert!(page.status.is_success() && page.text().contains("old-runs"), "{}", page.text());
    let events = app.get(&format!("/api/v1/events?subject=run:{old}&newest=true")).await.expect(200);
    assert_eq!(events["events"][0]["body"]["cause"], json!({ "rule": "old-runs" }));
    for bad in [json!({ "kind": "runs" }), json!({ "kind": "x", "keep_last": 1 }), json!({ "keep": 1 })] {
        assert_eq!(app.put(path, &bad).await.status, 400, "{bad}");
    }
    assert_eq!(app.status(Method::DELETE, path).await, 204);
    assert_eq!(app.status(Method::DELETE, path).await, 404);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_workspace_takes_no_more_until_something_is_purged() {
    let app = TestApp::start().await;
    let admin = app.caller();
    let experiment = experiment(&app, "one").await;
    let first = run(&app, &experiment).await;
    let free = app.get("/api/v1/quotas").await.expect(200);
    let counted = json!({ "experiments": 1, "runs": 1, "traces_today": null, "artifact_bytes": null, "measured_at": null });
    assert_eq!(
        (&free["limits"]["runs"], &free["usage"]),
        (&Value::Null, &counted),
        "what is not limited is told too"
    );
    let limits = json!({ "runs": 2, "artifact_bytes": 12 });
    assert_eq!(app.put("/api/v1/quotas", &limits).await.problem(403), "permission-denied");
    app.act_as(Principal::new(Actor::user("root"), vec![Grant { workspace: None, role: Role::Admin }]));
    let set = app.put("/api/v1/quotas", &limits).await.expect(200);
    assert_eq!((&set["limits"]["runs"], &set["usage"]["runs"]), (&json!(2), &json!(1)));
    assert_eq!(set["usage"]["artifact_bytes"], Value::Null, "not measured yet");
    assert_eq!(app.put("/api/v1/quotas", &json!({ "runs": -1 })).await.status, 400);
    app.act_as(admin);
    let (_stop, never) = watch::channel(false);
    Sweeper::new(&app.platform).measure(&never).await.unwrap();
    let usage = async || app.get("/api/v1/quotas").await.expect(200)["usage"].take();
    assert_eq!(usage().await["artifact_bytes"], 5, "what was there is measured");

    run(&app, &experiment).await;
    assert_eq!(usage().await["artifact_bytes"], 10, "what comes is added");
    let put = app.send(Method::PUT, &file(&experiment, &"ab".repeat(16)), &[], "bytes").await.expect(429);
    assert_eq!(put["error_code"], "RESOURCE_EXHAUSTED");
    assert!(put["message"].as_str().unwrap().contains("12 bytes of artifacts"), "{put}");
    let body = json!({ "experiment_id": experiment, "start_time": 1 });
    let refused = app.post(&format!("{API}/runs/create"), &body).await.expect(429);
    assert_eq!(refused["error_code"], "RESOURCE_EXHAUSTED");
    assert!(refused["message"].as_str().unwrap().contains("quota of 2 runs"), "{refused}");
    assert!(app.get("/retention").await.text().contains("artifacts"));

    let purge = json!({ "targets": [{ "kind": "run", "id": first }] });
    app.post(PURGES, &purge).await.expect(202);
    sweep(&app).await;
    let left = usage().await;
    assert_eq!((&left["runs"], &left["artifact_bytes"]), (&json!(1), &json!(5)));
    run(&app, &experiment).await;
    app.platform.close().await;
}

/// Ends at a call: before it is done, or after. As a server does that is killed there.
struct Killed {
    artifacts: ArtifactPlaces,
    calls: Calls,
}

struct KilledFolders {
    folders: Box<dyn Folders>,
    calls: Calls,
}

#[derive(Clone)]
struct Calls {
    made: Arc<AtomicUsize>,
    at: usize,
}

impl Calls {
    fn call(&self) -> Result<(), StorageError> {
        let call = self.made.fetch_add(1, Ordering::SeqCst);
        if call == self.at { Err(StorageError::Failed("killed here".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Artifacts for Killed {
    fn folders(&self, gone: &[&Target]) -> Box<dyn Folders> {
        Box::new(KilledFolders { folders: self.artifacts.folders(gone), calls: self.calls.clone() })
    }

    async fn measure_all(&self, places: &[String]) -> Result<u64, StorageError> {
        self.artifacts.measure_all(places).await
    }
}

#[async_trait]
impl Folders for KilledFolders {
    async fn measure(&mut self, target: &Target, place: &str) -> Result<Measure, StorageError> {
        self.calls.call()?;
        let measure = self.folders.measure(target, place).await;
        self.calls.call()?;
        measure
    }

    async fn remove(&mut self, target: &Target, place: &str) -> Result<(), StorageError> {
        self.calls.call()?;
        let removed = self.folders.remove(target, place).await;
        self.calls.call()?;
        removed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_is_interrupted_at_each_step_ends_whole() {
    let app = TestApp::start().await;
    let (_stop, never) = watch::channel(false);
    let mut at = 0;
    loop {
        let experiment = experiment(&app, &format!("round {at}")).await;
        let runs = [run(&app, &experiment).await, run(&app, &experiment).await];
        // One of them by itself, and then what is left of the experiment.
        let mut ids = Vec::new();
        for (kind, id) in [("run", &runs[0]), ("experiment", &experiment)] {
            let body = json!({ "targets": [{ "kind": kind, "id": id }] });
            let started = app.post(PURGES, &body).await.expect(202);
            ids.push(started["purge"]["id"].as_str().unwrap().to_owned());
        }
        let artifacts = ArtifactPlaces::new(&app.platform);
        let killed = Arc::new(Killed { artifacts, calls: Calls { made: Arc::default(), at } });
        let is_whole = Sweeper::over(&app.platform, killed).sweep(&never).await.is_ok();
        // Another server goes on.
        sweep(&app).await;
        let mut takes = 0;
        for id in ids {
            let done = app.get(&format!("{PURGES}/{id}")).await.expect(200);
            assert_eq!(
                (&done["state"], &done["left"]),
                (&json!("finished"), &json!(0)),
                "killed at call {at}"
            );
            takes += done["takes"]["runs"].as_u64().unwrap();
        }
        assert_eq!(takes, 2, "killed at call {at}");
        let listed = app.get(&format!("{PROXY}?path={experiment}")).await;
        assert!(listed.status == 404 || listed.json()["files"] == json!([]), "{}", listed.text());
        assert!(app.platform.database.reader.check_state().await.unwrap().is_good());
        if is_whole {
            break;
        }
        at += 1;
    }
    assert!(at >= 8, "it was killed at {at} places");
    app.platform.close().await;
}

/// Adds an experiment in any place, as an import may.
async fn lies(app: &TestApp, workspace: &str, place: &str) -> String {
    let create = CreateExperiment {
        workspace: workspace.parse().unwrap(),
        name: ExperimentName::new(place).unwrap(),
        location: ArtifactLocation::At(format!("mlflow-artifacts:/{place}")),
        tags: Vec::new(),
    };
    let somebody = Principal::new(Actor::local(), vec![Grant { workspace: None, role: Role::Admin }]);
    app.platform.tracking.run(&somebody, create).await.unwrap().id.to_string()
}

/// Clients name traces.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_folder_of_another_experiment_stays() {
    for app in TestApp::on_each_database("within").await {
        app.create_workspace("beta").await;
        let team = lies(&app, "default", "team").await;
        // Two have one place, as some do that a server has given to all of its users.
        lies(&app, "beta", "team").await;
        lies(&app, "default", "team/traces/nightly").await;
        for place in ["%6Fdd/in", "none/a/../../nearby", "asked?x=1"] {
            lies(&app, "beta", &format!("team/traces/{place}")).await;
        }
        let within = ["nightly/f", "odd/in/f", "none/f", "asked/f"];
        let within = within.map(|file| format!("{PROXY}/team/traces/{file}"));
        for file in &within {
            assert_eq!(app.send(Method::PUT, file, &[], "bytes").await.status, 200);
        }
        let purge = async |trace: &str| {
            let place = json!({"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": team}});
            let info = json!({"trace_id": trace, "trace_location": place, "state": "OK",
                "request_time": "2026-01-01T00:00:00Z"});
            app.post("/api/3.0/mlflow/traces", &json!({"trace": {"trace_info": info}})).await.expect(200);
            purged(&app, "trace", trace).await
        };
        for trace in ["nightly", "odd", "none", "asked"] {
            let done = purge(trace).await;
            assert_eq!((&done["objects"], &done["elsewhere"]), (&json!(0), &json!(1)), "{done}");
        }
        for file in &within {
            assert_eq!(app.get(file).await.text(), "bytes", "{file}");
        }
        // A folder of its own goes.
        let own = format!("{PROXY}/team/traces/daily/artifacts/f");
        assert_eq!(app.send(Method::PUT, &own, &[], "bytes").await.status, 200);
        assert_eq!(purge("daily").await["objects"], 1);
        assert_eq!(app.get(&own).await.status, 404);
        // So do one's runs, if others have the same place.
        let body = json!({ "experiment_id": team, "start_time": 1 });
        let made = app.post(&format!("{API}/runs/create"), &body).await.expect(200);
        let run = made["run"]["info"]["run_id"].as_str().unwrap();
        let artifact = format!("{PROXY}/team/{run}/artifacts/f");
        assert_eq!(app.send(Method::PUT, &artifact, &[], "bytes").await.status, 200);
        assert_eq!(purged(&app, "run", run).await["objects"], 1);
        assert_eq!(app.get(&artifact).await.status, 404);
        app.platform.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_looked_at_as_if_those_that_go_with_it_were_gone() {
    let app = TestApp::start().await;
    let outer = experiment(&app, "outer").await;
    run(&app, &outer).await;
    let inner = lies(&app, "default", &format!("{outer}/inner")).await;
    for (those, objects) in [(vec![&outer], Value::Null), (vec![&outer, &inner], json!(1))] {
        let targets: Vec<_> = those.iter().map(|id| json!({ "kind": "experiment", "id": id })).collect();
        let looked = app.post(PURGES, &json!({ "targets": targets, "dry_run": true })).await.expect(200);
        assert_eq!((&looked["sample"][0]["id"], &looked["sample"][0]["objects"]), (&json!(outer), &objects));
    }
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_that_comes_during_a_purge_keeps_its_place() {
    let app = TestApp::start().await;
    let experiment = experiment(&app, "outer").await;
    let run = run(&app, &experiment).await;
    let target = Target { kind: TargetKind::Run, id: run.clone() };
    let place = format!("mlflow-artifacts:/{experiment}/{run}/artifacts");
    let mut folders = ArtifactPlaces::new(&app.platform).folders(&[]);
    assert_eq!(folders.measure(&target, &place).await.unwrap().objects, 1);
    lies(&app, "default", &format!("{experiment}/{run}/inner")).await;
    folders.remove(&target, &place).await.unwrap();
    assert_eq!(app.get(&file(&experiment, &run)).await.text(), "bytes");
    assert!(folders.measure(&target, &place).await.unwrap().elsewhere);
    app.platform.close().await;
}

/// What a purge of one thing has come to.
async fn purged(app: &TestApp, kind: &str, id: &str) -> Value {
    let started = app.post(PURGES, &json!({ "targets": [{ "kind": kind, "id": id }] })).await.expect(202);
    sweep(app).await;
    let id = started["purge"]["id"].as_str().unwrap();
    app.get(&format!("{PURGES}/{id}")).await.expect(200)["done"].clone()
}
