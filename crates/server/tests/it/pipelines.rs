//! Pipelines over HTTP: texts, runs, logs, and decisions.

use http::{Method, header};
use mainstay_core::principal::{Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_pipelines::circumstances::Provenance;
use mainstay_pipelines::commands::AcceptStep;
use mainstay_pipelines::commands::ClaimStep;
use mainstay_pipelines::engine::Acceptance;
use mainstay_pipelines::run::StepOutput;
use serde_json::{Value, json};

use crate::app::{TestApp, with_role};

const LOOP: &str = "/api/v1/pipelines/loop";
const TEXT: &str = "\
# Kept with its comments.
vars:
  - days: 30
stages:
  train:
    cmd: train --days ${days}
    desc: A new candidate.
  ship:
    needs: [train]
    cmd: ship
    approve: { by: [approver], timeout: 1d, four_eyes: true }
concurrency: { group: loop, limit: 2, when_full: queue }
";

async fn define(app: &TestApp, text: &str) -> Value {
    app.send(Method::PUT, LOOP, &[("content-type", "text/yaml")], text.to_owned()).await.expect(200)
}

/// Does the work of the step that is ready, as a worker would.
async fn work(app: &TestApp, value: Value) {
    let (workspace, engine) = (default_workspace(), Principal::system("engine"));
    let claim = ClaimStep {
        workspace: workspace.clone(),
        worker: "w".into(),
        lease: std::time::Duration::from_mins(1),
    };
    let claim = app.platform.pipelines.run(&engine, claim).await.unwrap().unwrap();
    let output = StepOutput { value, ..StepOutput::default() };
    let (run, step, token) = (claim.run.id, claim.step.name, claim.step.token);
    let acceptance = Acceptance { run, step, token, output, provenance: Provenance::default() };
    app.platform.pipelines.run(&engine, AcceptStep { workspace, acceptance }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_kept_and_started_once_per_key() {
    let app = TestApp::start().await;
    assert_eq!(app.get(LOOP).await.problem(404), "not-found");
    assert_eq!(define(&app, TEXT).await["revision"], 1);
    assert_eq!(app.put(LOOP, &json!(TEXT)).await.expect(200)["revision"], 1, "the same text as JSON");
    assert_eq!(app.get(LOOP).await.expect(200)["source"], TEXT);
    let listed = app.get("/api/v1/pipelines").await.expect(200);
    assert_eq!((&listed["items"][0]["name"], listed["items"][0].get("source")), (&json!("loop"), None));
    let bad = app.send(Method::PUT, LOOP, &[(header::CONTENT_TYPE.as_str(), "text/yaml")], "stages: 3").await;
    assert_eq!(bad.problem(400), "invalid-definition");

    let runs = format!("{LOOP}/runs");
    let ask = json!({ "params": { "days": 60 }, "data_time": "2013-03-01", "idempotency_key": "k" });
    let started = app.post(&runs, &ask).await.expect(201);
    assert_eq!(started["how"], "running");
    let again = app.post(&runs, &ask).await.expect(200);
    assert_eq!((&again["run"], &again["how"]), (&started["run"], &json!("existing")));
    let other = json!({ "params": { "days": 61 }, "idempotency_key": "k" });
    assert_eq!(app.post(&runs, &other).await.problem(409), "already-exists");
    for bad in [
        json!({ "data_time": "soon" }),
        json!({ "idempotency_key": "" }),
        json!({ "params": { "pipeline_root": "here" } }),
    ] {
        assert_eq!(app.post(&runs, &bad).await.problem(400), "invalid-argument", "{bad}");
    }
    assert_eq!(app.post("/api/v1/pipelines/x/runs", &json!({})).await.problem(404), "not-found");

    let id = started["run"].as_str().unwrap();
    let shown = app.get(&format!("/api/v1/pipeline-runs/{id}")).await.expect(200);
    assert_eq!(shown["data_time"], "2013-03-01T00:00:00Z");
    assert_eq!(shown["steps"][1]["commands"], json!(["train --days 60"]));
    assert_eq!(
        (&shown["steps"][0]["name"], &shown["steps"][0]["needs"]),
        (&json!("ship"), &json!(["train"]))
    );
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_no_parameters_make_run_is_not_kept() {
    let app = TestApp::start().await;
    for (text, sentence) in [
        ("{ a: { uses: teleport } }", "stages.a.uses: there is no built-in step 'teleport'; there are "),
        (
            "{ a: { uses: import, with: { data: x } } }",
            "stages.a.with: there is no argument 'data'; there are dataset, path, ",
        ),
        ("{ a: { uses: import, with: { dataset: x } } }", "stages.a.with: the argument 'path' is missing"),
        (
            "{ a: { uses: train, with: { project: p, service: s, seed: '${run.id}', day: 3 } } }",
            "stages.a.with: unknown field `day`",
        ),
        ("{ a: { cmd: x, needs: [b] }, b: { cmd: x, needs: [a] } }", "the stages form a cycle: a -> b -> a"),
        ("{ a: { cmd: x, if: steps.b.ok } }", "stages.a: there is no stage named 'b'"),
        ("{ a: { cmd: 'x ${a..b}' } }", "stages.a.cmd: '${a..b}' is not a reference"),
    ] {
        let text = format!("stages: {text}");
        let refused = app.send(Method::PUT, LOOP, &[("content-type", "text/yaml")], text.clone()).await;
        let refused = refused.expect(400);
        let told = refused["detail"].as_str().unwrap();
        assert!(told.starts_with(sentence), "{text}: {told}");
    }
    assert_eq!(app.get(LOOP).await.problem(404), "not-found");
    // What a run may bring stays open.
    let open = "stages: { a: { uses: import, with: { dataset: '${data}', path: x, append: '${more}' } } }";
    define(&app, open).await;
    let runs = format!("{LOOP}/runs");
    assert_eq!(app.post(&runs, &json!({})).await.problem(400), "invalid-definition");
    app.post(&runs, &json!({ "params": { "data": "d", "more": true } })).await.expect(201);
    let wrong = app.post(&runs, &json!({ "params": { "data": "d", "more": 3 } })).await.expect(400);
    assert!(wrong["detail"].as_str().unwrap().starts_with("stages.a.with: the argument 'append'"), "{wrong}");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_decided_and_stopped() {
    let app = TestApp::start().await;
    define(&app, TEXT).await;
    let runs = format!("{LOOP}/runs");
    let first = app.post(&runs, &json!({})).await.expect(201)["run"].as_str().unwrap().to_owned();
    work(&app, json!({ "version": 7 })).await;
    let path = format!("/api/v1/pipeline-runs/{first}");
    let shown = app.get(&path).await.expect(200);
    assert_eq!(
        (&shown["steps"][1]["state"], &shown["steps"][0]["state"]),
        (&json!("accepted"), &json!("waiting"))
    );
    assert_eq!(shown["steps"][1]["output"]["value"]["version"], 7);

    // The log is read part by part, as it is written.
    let file = app.platform.layout.step_log(first.parse().unwrap(), "train", 1);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "round 1 🦀\n").unwrap();
    let log = app.get(&format!("{path}/steps/train/log")).await.expect(200);
    assert_eq!(
        (&log["text"], &log["next"], &log["ended"]),
        (&json!("round 1 🦀\n"), &json!(13), &json!(true))
    );
    let rest = app.get(&format!("{path}/steps/train/log?from=8")).await.expect(200);
    assert_eq!(rest["text"], "🦀\n");
    assert_eq!(app.get(&format!("{path}/steps/ship/log")).await.expect(200)["text"], "");
    assert_eq!(app.get(&format!("{path}/steps/train/log?attempt=2")).await.problem(404), "not-found");
    assert_eq!(app.get(&format!("{path}/steps/none/log")).await.problem(404), "not-found");
    assert_eq!(app.get(&format!("{path}/steps/train/log?from=-1")).await.problem(400), "invalid-argument");

    let waiting = app.get("/api/v1/approvals").await.expect(200);
    let asked = &waiting["items"][0];
    let decide = format!("/api/v1/approvals/{}", asked["id"].as_str().unwrap());
    let yes = |digest: &Value| json!({ "decision": "approve", "digest": digest, "reason": "looked at it" });
    app.act_as(with_role(Role::Developer, "default"));
    assert_eq!(app.post(&decide, &yes(&asked["digest"])).await.problem(403), "permission-denied");
    // Whoever started the run may not approve it.
    app.act_as(with_role(Role::Approver, "default"));
    assert_eq!(app.post(&decide, &yes(&asked["digest"])).await.problem(403), "permission-denied");
    let mut colleague = with_role(Role::Approver, "default");
    colleague.actor = mainstay_core::principal::Actor::user("colleague");
    app.act_as(colleague);
    let other = format!("sha256:{}", "0".repeat(64));
    assert_eq!(app.post(&decide, &yes(&json!(other))).await.problem(409), "revision-conflict");
    assert_eq!(app.post(&decide, &yes(&asked["digest"])).await.expect(200)["state"], "approved");
    assert_eq!(app.post(&decide, &yes(&asked["digest"])).await.problem(409), "wrong-state");
    work(&app, json!(null)).await;
    assert_eq!(app.get(&path).await.expect(200)["state"], "succeeded");

    let second = app.post(&runs, &json!({})).await.expect(201)["run"].as_str().unwrap().to_owned();
    let cancel = format!("/api/v1/pipeline-runs/{second}/cancel");
    assert_eq!(app.post(&cancel, &json!({})).await.problem(400), "malformed-body");
    assert_eq!(app.post(&cancel, &json!({ "reason": "wrong data" })).await.expect(200)["state"], "cancelled");
    assert_eq!(app.post(&cancel, &json!({ "reason": "again" })).await.problem(409), "wrong-state");

    let listed = async |query: &str| {
        let page = app.get(&format!("/api/v1/pipeline-runs?{query}")).await.expect(200);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("pipeline=loop").await, [second.clone(), first.clone()]);
    assert_eq!(listed("state=succeeded,failed").await, [first]);
    assert_eq!(listed("pipeline=other").await, [""; 0]);
    assert_eq!(app.get("/api/v1/pipeline-runs?state=lost").await.problem(400), "invalid-argument");
    app.platform.close().await;
}
