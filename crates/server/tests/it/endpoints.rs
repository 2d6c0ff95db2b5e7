//! Endpoints over HTTP: definitions, revisions, rollback and rollouts, with the alias that follows.

use std::collections::BTreeMap;

use http::{Method, header};
use mainstay_core::command::Commands;
use mainstay_core::digest::Digest;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::id::RolloutId;
use mainstay_core::principal::{Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{DAY, DataTime, MachineTime};
use mainstay_governance::command::RecordGates;
use mainstay_governance::gate::{GateReport, GateResult, Verdict};
use mainstay_governance::port::GovernanceTx;
use mainstay_registry::command::{CreateModel, RegisterVersion};
use mainstay_registry::name::ModelName;
use mainstay_registry::port::RegistryReader as _;
use mainstay_serving::command::{AdvanceRollout, StartRollout};
use mainstay_serving::port::ServingStore as _;
use mainstay_serving::revision::Pinned;
use mainstay_serving::rollout::{Evidence, RolloutPlan};
use serde_json::{Value, json};

use crate::app::{TestApp, with_role};

const DELAYS: &str = "/api/v1/endpoints/delays";

fn model() -> ModelName {
    ModelName::new("flights").unwrap()
}

fn digest(version: u32) -> Digest {
    Digest::of(&version.to_le_bytes())
}

fn definition(governed: bool) -> Value {
    json!({
        "model": "flights",
        "governed": governed,
        "schema": [{ "name": "hour", "kind": "float" }],
    })
}

fn arms(expected: u64, arms: &Value) -> Value {
    json!({ "expected": expected, "arms": arms })
}

/// A model with three versions, of which the gates of the first two have passed.
pub(crate) async fn with_versions(app: &TestApp) {
    let (workspace, caller) = (default_workspace(), app.caller());
    let create = CreateModel {
        workspace: workspace.clone(),
        name: model(),
        description: String::new(),
        tags: Vec::new(),
    };
    app.platform.registry.run(&caller, create).await.unwrap();
    for version in 1..=3 {
        let register = RegisterVersion {
            workspace: workspace.clone(),
            name: model(),
            source: format!("models/{version}"),
            location: None,
            run: None,
            run_link: String::new(),
            logged_model: None,
            description: String::new(),
            tags: Vec::new(),
            digest: Some(digest(version)),
        };
        app.platform.registry.run(&caller, register).await.unwrap();
    }
    let governance: Commands<dyn GovernanceTx> = Commands::new(
        std::sync::Arc::new(app.platform.database.writer.clone()),
        app.platform.authority.clone(),
    );
    for version in [1, 2] {
        let gate = GateResult {
            name: "incumbent".to_owned(),
            verdict: Verdict::Passed,
            figures: BTreeMap::new(),
            sentence: "it is no worse".to_owned(),
        };
        let report = GateReport {
            model: "flights".to_owned(),
            version: Some(version),
            digest: digest(version),
            gates: vec![gate],
            data: BTreeMap::new(),
            evaluated: MachineTime::from_micros(1),
        };
        let record = RecordGates { workspace: workspace.clone(), report };
        governance.run(&Principal::system("engine"), record).await.unwrap();
    }
}

/// Where the alias `champion` points.
async fn champion(app: &TestApp) -> Option<u32> {
    let model = app.platform.database.reader.model(&default_workspace(), &model()).await.unwrap().unwrap();
    model.aliases.iter().find(|(alias, _)| alias.as_str() == "champion").map(|(_, number)| number.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_defined_changed_and_listed() {
    let app = TestApp::start().await;
    assert_eq!(app.get(DELAYS).await.problem(404), "not-found");
    let made = app.put(DELAYS, &definition(true)).await;
    assert_eq!(made.headers[header::ETAG], "\"1\"");
    let made = made.expect(201);
    assert_eq!(made["revision"]["number"], 1);
    assert_eq!(made["definition"]["governed"], true);
    assert!(made["definition"].get("name").is_none());
    // The same once more, as from a file.
    assert_eq!(app.put(DELAYS, &made["definition"]).await.expect(200)["revision"]["number"], 1);
    // Another one needs the revision that it was made against.
    assert_eq!(app.put(DELAYS, &definition(false)).await.problem(409), "revision-conflict");
    let stale = format!("{DELAYS}?expected=7");
    assert_eq!(app.put(&stale, &definition(false)).await.problem(409), "revision-conflict");
    let text = definition(false).to_string();
    let changed = app.send(Method::PUT, DELAYS, &[("if-match", "\"1\"")], text).await.expect(200);
    assert_eq!(
        (&changed["revision"]["number"], &changed["definition"]["governed"]),
        (&json!(2), &json!(false))
    );

    for (bad, code) in [
        (json!({ "model": "flights" }), "invalid-definition"),
        (json!({ "name": "other", "model": "flights" }), "invalid-argument"),
        (json!([]), "malformed-body"),
    ] {
        assert_eq!(app.put("/api/v1/endpoints/x", &bad).await.problem(400), code, "{bad}");
    }
    assert_eq!(app.put("/api/v1/endpoints/a%2Fb", &definition(true)).await.problem(400), "invalid-name");

    app.put("/api/v1/endpoints/arrivals", &definition(false)).await.expect(201);
    let first = app.get("/api/v1/endpoints?limit=1").await.expect(200);
    assert_eq!(first["items"][0]["name"], "arrivals");
    let token = first["next_page_token"].as_str().unwrap();
    let second = app.get(&format!("/api/v1/endpoints?limit=1&page_token={token}")).await.expect(200);
    assert_eq!((&second["items"][0]["name"], &second["next_page_token"]), (&json!("delays"), &Value::Null));
    assert_eq!(app.get("/api/v1/endpoints?page_token=00").await.problem(400), "invalid-argument");
    assert_eq!(app.get("/api/v1/endpoints?limit=0").await.problem(400), "invalid-argument");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arms_are_set_against_a_revision_and_the_alias_follows() {
    let app = TestApp::start().await;
    with_versions(&app).await;
    app.put(DELAYS, &definition(true)).await.expect(201);
    let path = format!("{DELAYS}/revisions");
    let one = json!([{ "version": 1, "role": "champion" }]);
    let set = app.post(&path, &arms(1, &one)).await.expect(201);
    assert_eq!((&set["number"], &set["arms"][0]["digest"]), (&json!(2), &json!(digest(1))));
    assert_eq!(champion(&app).await, Some(1));

    for (bad, status, code) in [
        (json!({ "arms": one }), 400, "invalid-argument"),
        (arms(1, &one), 409, "revision-conflict"),
        (arms(2, &json!([{ "version": 9, "role": "champion" }])), 404, "not-found"),
        (arms(2, &json!([{ "version": 3, "role": "champion" }])), 409, "gate-not-passed"),
        (
            arms(2, &json!([{ "version": 2, "role": "champion", "digest": digest(1) }])),
            409,
            "revision-conflict",
        ),
        (arms(2, &json!([{ "version": 2, "role": "champion", "weight": 5 }])), 400, "invalid-argument"),
        (arms(2, &json!([{ "version": 2, "role": "canary" }])), 400, "invalid-argument"),
        (arms(2, &json!([{ "version": 2, "role": "king" }])), 400, "malformed-body"),
    ] {
        assert_eq!(app.post(&path, &bad).await.problem(status), code, "{bad}");
    }
    // A developer may not choose what a governed endpoint serves.
    let two = json!([{ "version": 2, "role": "champion" }, { "version": 3, "role": "shadow" }]);
    app.act_as(with_role(Role::Developer, "default"));
    assert_eq!(app.post(&path, &arms(2, &two)).await.problem(403), "permission-denied");
    app.act_as(with_role(Role::Approver, "default"));
    let set = app.post(&path, &arms(2, &two)).await.expect(201);
    assert_eq!(set["fallback"]["version"], 1);
    assert_eq!(champion(&app).await, Some(2));

    let back = json!({ "reason": "it is slow", "expected": 3 });
    let rolled = app.post(&format!("{DELAYS}/rollback"), &back).await.expect(200);
    assert_eq!((&rolled["champion"]["version"], &rolled["revision"]["number"]), (&json!(1), &json!(4)));
    assert_eq!(champion(&app).await, Some(1));
    assert_eq!(
        app.post(&format!("{DELAYS}/rollback"), &json!({ "reason": " " })).await.problem(400),
        "invalid-argument"
    );
    assert_eq!(app.post(&format!("{DELAYS}/rollback"), &back).await.problem(409), "revision-conflict");

    let all = app.get(&path).await.expect(200);
    let numbers: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|r| r["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_becomes_governed_takes_its_alias_along() {
    for app in TestApp::on_each_database("governed").await {
        with_versions(&app).await;
        let alias = async |version: u32| {
            let body = json!({ "name": "flights", "alias": "champion", "version": version.to_string() });
            app.post("/api/2.0/mlflow/registered-models/alias", &body).await.status.as_u16()
        };
        let moves = async || {
            let query = EventQuery::after(EventSeq(0), 1_000).of_kind("alias.moved");
            app.platform.database.read(&query).await.unwrap()
        };
        let put = async |governed, expected: u64| {
            let path = format!("{DELAYS}?expected={expected}");
            app.put(&path, &definition(governed)).await.expect(200)
        };
        // Nobody governs it, so people move the alias as they like.
        app.put(DELAYS, &definition(false)).await.expect(201);
        let one = json!([{ "version": 1, "role": "champion" }]);
        app.post(&format!("{DELAYS}/revisions"), &arms(1, &one)).await.expect(201);
        assert_eq!((champion(&app).await, alias(3).await), (None, 200));

        put(true, 2).await;
        assert_eq!(champion(&app).await, Some(1), "the alias says what answers");
        let told = moves().await.pop().unwrap().body.unwrap();
        assert_eq!((&told["from"], &told["to"], &told["endpoint"]), (&json!(3), &json!(1), &json!("delays")));
        assert_eq!(alias(2).await, 200, "a promotion, which changes what answers");
        assert_eq!(app.get(DELAYS).await.expect(200)["revision"]["arms"][0]["version"], 2);
        // A change that leaves it governed moves nothing.
        let before = moves().await.len();
        let changed = json!({ "model": "flights", "schema": [{ "name": "hour", "kind": "float" }],
            "governed": true, "day_offset_micros": 1 });
        app.put(&format!("{DELAYS}?expected=4"), &changed).await.expect(200);
        assert_eq!(moves().await.len(), before);

        // Let go, the alias stays, and is free again.
        put(false, 5).await;
        assert_eq!((champion(&app).await, moves().await.len()), (Some(2), before));
        assert_eq!((alias(3).await, champion(&app).await), (200, Some(3)));
        assert_eq!(app.get(DELAYS).await.expect(200)["revision"]["arms"][0]["version"], 2);
        app.platform.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_a_rollout() {
    let app = TestApp::start().await;
    with_versions(&app).await;
    app.put(DELAYS, &definition(true)).await.expect(201);
    let one = json!([{ "version": 1, "role": "champion" }]);
    app.post(&format!("{DELAYS}/revisions"), &arms(1, &one)).await.expect(201);
    let id = RolloutId::from_bytes([7; 16]);
    let start = StartRollout {
        workspace: default_workspace(),
        endpoint: "delays".parse().unwrap(),
        expected: 2,
        rollout: id,
        candidate: Pinned { version: 2, digest: digest(2) },
        plan: RolloutPlan::default(),
        watermark: DataTime::parse("2013-03-01").unwrap(),
        run: None,
    };
    app.platform.serving.run(&app.caller(), start).await.unwrap();
    let shown = app.get(DELAYS).await.expect(200);
    assert_eq!(shown["rollout"]["phase"], "shadow");
    assert_eq!(shown["rollout"]["started_at"], "2013-03-01T00:00:00Z");
    assert_eq!(shown["rollout"]["plan"]["max_data_time_micros"], 21 * DAY);

    // Time runs out without a verdict, and the plan waits for a person.
    let evidence = Evidence {
        watermark: DataTime::parse("2013-03-23").unwrap(),
        pairs: 4,
        first_pair: Some(DataTime::parse("2013-03-01").unwrap()),
        guards: Vec::new(),
        quality: None,
    };
    let advance = AdvanceRollout {
        workspace: default_workspace(),
        endpoint: "delays".parse().unwrap(),
        rollout: id,
        expected: 3,
        evidence,
    };
    app.platform.serving.run(&app.caller(), advance).await.unwrap();
    let path = format!("/api/v1/rollouts/{id}");
    assert_eq!(app.get(&path).await.expect(200)["phase"], "inconclusive");
    let word = json!({ "outcome": "promote", "reason": "the labels look fine" });
    app.act_as(with_role(Role::Developer, "default"));
    assert_eq!(app.post(&format!("{path}/decision"), &word).await.problem(403), "permission-denied");
    app.act_as(with_role(Role::Approver, "default"));
    let decided = app.post(&format!("{path}/decision"), &word).await.expect(200);
    assert_eq!((&decided["phase"], &decided["running"]), (&json!("promoted"), &json!(false)));
    assert_eq!(champion(&app).await, Some(2));
    assert_eq!(app.post(&format!("{path}/decision"), &word).await.problem(409), "wrong-state");

    let endpoint =
        app.platform.database.reader.endpoint(&default_workspace(), &"delays".parse().unwrap()).await;
    let (_, revision) = endpoint.unwrap().unwrap();
    assert_eq!(revision.champion().unwrap().pinned.version, 2);
    let listed = app.get(&format!("{DELAYS}/rollouts")).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let unknown = format!("/api/v1/rollouts/{}", "0".repeat(32));
    assert_eq!(app.get(&unknown).await.problem(404), "not-found");
    assert_eq!(app.get("/api/v1/rollouts/x").await.problem(400), "invalid-argument");
    app.platform.close().await;
}
