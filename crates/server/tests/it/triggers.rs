//! Triggers of kept pipelines: what fires, once, for what reason, and what does not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use mainstay_core::command::{Command as _, Commands};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq, RecordedEvent};
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal, Role};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{DataTime, MachineTime, ManualClock};
use mainstay_governance::command::GrantRole;
use mainstay_governance::port::GovernanceTx;
use mainstay_pipelines::circumstances::Provenance;
use mainstay_pipelines::commands::{AcceptStep, Claim, ClaimStep};
use mainstay_pipelines::engine::Acceptance;
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::run::StepOutput;
use mainstay_platform::decisions::Progress;
use mainstay_platform::loop_tx::{ConcludeStep, Conclusion, Effect, EffectError, Tx};
use mainstay_server::triggers::Triggers;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::app::TestApp;

const HOUR: Duration = Duration::from_hours(1);

/// A Monday.
fn monday() -> Arc<ManualClock> {
    let at = DataTime::parse("2026-01-05").unwrap();
    Arc::new(ManualClock::starting_at(MachineTime::from_micros(at.micros())))
}

async fn keep(app: &TestApp, name: &str, on: &str) -> Value {
    let text = format!("stages: {{ only: {{ cmd: 'true' }} }}\non: {on}\n");
    keep_text(app, name, text).await.expect(200)
}

async fn keep_text(app: &TestApp, name: &str, text: String) -> crate::app::Answer {
    let path = format!("/api/v1/pipelines/{name}");
    app.send(Method::PUT, &path, &[("content-type", "text/yaml")], text).await
}

/// The runs of a pipeline, oldest first.
async fn runs(app: &TestApp, name: &str) -> Vec<Value> {
    let listed = app.get(&format!("/api/v1/pipeline-runs?pipeline={name}&limit=500")).await.expect(200);
    let mut runs = listed["items"].as_array().unwrap().clone();
    // Ids are drawn; the evidence tells the order.
    runs.sort_by_key(|run| run["cause"]["evidence"]["at"].to_string());
    runs
}

/// The instants that runs were started for.
async fn instants(app: &TestApp, name: &str) -> Vec<String> {
    let instant = |run: &Value| run["cause"]["evidence"]["at"].as_str().unwrap().to_owned();
    runs(app, name).await.iter().map(instant).collect()
}

async fn events(app: &TestApp, kind: &str) -> Vec<RecordedEvent> {
    app.platform.database.read(&EventQuery::after(EventSeq(0), 1_000).of_kind(kind)).await.unwrap()
}

fn triggers(app: &TestApp) -> Triggers {
    Triggers::new(app.platform.clone())
}

fn grant_to(person: &str) -> GrantRole {
    let actor = Actor::user(Name::new(person).unwrap());
    GrantRole { workspace: default_workspace(), actor, role: Role::Viewer }
}

async fn grant(app: &TestApp, person: &str) {
    let writer = Arc::new(app.platform.database.writer.clone());
    let commands: Commands<dyn GovernanceTx> = Commands::new(writer, app.platform.authority.clone());
    commands.run(&app.caller(), grant_to(person)).await.unwrap();
}

async fn claim(app: &TestApp) -> Claim {
    let lease = Duration::from_mins(1);
    let claim = ClaimStep { workspace: default_workspace(), worker: "w".into(), lease };
    app.platform.pipelines.run(&Principal::system("engine"), claim).await.unwrap().unwrap()
}

/// Ends the run whose only step is ready.
async fn finish(app: &TestApp) -> String {
    let claim = claim(app).await;
    let (run, step, token) = (claim.run.id, claim.step.name, claim.step.token);
    let acceptance =
        Acceptance { run, step, token, output: StepOutput::default(), provenance: Provenance::default() };
    let accept = AcceptStep { workspace: default_workspace(), acceptance };
    app.platform.pipelines.run(&Principal::system("engine"), accept).await.unwrap();
    claim.run.pipeline.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn cron_fires_each_instant_once_and_for_what_was_missed_the_newest() {
    let clock = monday();
    let app = TestApp::at(clock.clone()).await;
    let kept = keep(&app, "nightly", "{ cron: '0 5 * * *' }").await;
    assert_eq!(kept["triggers"][0]["next"], "2026-01-05T05:00:00Z");
    let mut service = triggers(&app);
    let next = service.look().await.unwrap().next.unwrap();
    assert_eq!(next.to_string(), "2026-01-05T05:00:00Z");
    clock.advance((5 * HOUR).checked_sub(Duration::from_micros(1)).unwrap());
    service.look().await.unwrap();
    assert_eq!(instants(&app, "nightly").await, [""; 0]);
    clock.advance(Duration::from_micros(1));
    // Another server on the same record, at the same time.
    let mut other = triggers(&app);
    let (here, there) = tokio::join!(service.look(), other.look());
    assert_eq!(here.unwrap().next.unwrap().to_string(), "2026-01-06T05:00:00Z");
    assert_eq!(there.unwrap().next.unwrap().to_string(), "2026-01-06T05:00:00Z");
    service.look().await.unwrap();
    assert_eq!(instants(&app, "nightly").await, ["2026-01-05T05:00:00Z"]);
    let run = runs(&app, "nightly").await.remove(0);
    assert_eq!((&run["cause"]["kind"], &run["author"]), (&json!("cron"), &json!("system:triggers")));
    assert_eq!(run["data_time"], Value::Null);

    // Down for three instants.
    drop((service, other));
    clock.advance(72 * HOUR);
    let mut service = triggers(&app);
    for _ in 0..2 {
        service.look().await.unwrap();
        assert_eq!(instants(&app, "nightly").await, ["2026-01-05T05:00:00Z", "2026-01-08T05:00:00Z"]);
    }
    let shown = app.get("/api/v1/pipelines/nightly").await.expect(200);
    let expected = json!([{
        "kind": "cron", "when": "0 5 * * *",
        "last": "2026-01-08T05:00:00Z", "next": "2026-01-09T05:00:00Z",
    }]);
    assert_eq!(shown["triggers"], expected);

    // Another text, and the instant of the text before has no meaning any more.
    keep(&app, "nightly", "{ cron: '0 6 * * *' }").await;
    clock.advance(24 * HOUR);
    assert_eq!(service.look().await.unwrap().next.unwrap().to_string(), "2026-01-09T06:00:00Z");
    keep(&app, "nightly", "manual").await;
    clock.advance(HOUR);
    assert_eq!(service.look().await.unwrap().next, None);
    let fired = ["2026-01-05T05:00:00Z", "2026-01-08T05:00:00Z", "2026-01-08T06:00:00Z"];
    assert_eq!(instants(&app, "nightly").await, fired, "not at five on the 9th");
    assert_eq!(runs(&app, "nightly").await.len(), 3);
    app.platform.close().await;
}

/// The endpoint's data came so far.
fn note(app: &TestApp, watermark: &str) {
    let at = |text: &str| DataTime::parse(text).unwrap();
    let watermark = at(watermark);
    let progress = Progress {
        began: at("2013-01-01T12:00:00Z"),
        watermark,
        folded_until: watermark,
        is_deciding: false,
        late: 0,
    };
    app.platform.decisions.note(&default_workspace(), &"delays".parse().unwrap(), progress);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_fire_every_instant_that_the_data_passed_in_order() {
    let app = TestApp::at(monday()).await;
    keep(&app, "daily", "{ schedule: { endpoint: delays, every: 1d } }").await;
    // It is seen before there are data, and counts from their beginning, whichever process looks then.
    triggers(&app).look().await.unwrap();
    note(&app, "2013-01-03T06:00:00Z");
    let (mut service, mut other) = (triggers(&app), triggers(&app));
    let (here, there) = tokio::join!(service.look(), other.look());
    assert_eq!((here.unwrap().is_unfinished, there.unwrap().is_unfinished), (false, false));
    let days = ["2013-01-02T00:00:00Z", "2013-01-03T00:00:00Z"];
    assert_eq!(instants(&app, "daily").await, days);
    let run = runs(&app, "daily").await.remove(1);
    assert_eq!((&run["data_time"], &run["cause"]["kind"]), (&json!(days[1]), &json!("schedule")));
    assert_eq!(run["cause"]["evidence"]["watermark"], "2013-01-03T06:00:00Z");

    // One that begins later counts from where the data are; the watermark does not go back for anybody.
    keep(&app, "later", "[{ schedule: { endpoint: delays, cron: '0 0 * * *' } }, manual]").await;
    service.look().await.unwrap();
    note(&app, "2013-01-02T00:00:00Z");
    service.look().await.unwrap();
    assert_eq!(instants(&app, "later").await, [""; 0]);
    let mut service = triggers(&app);
    note(&app, "2013-01-05T00:00:00Z");
    service.look().await.unwrap();
    let later = ["2013-01-04T00:00:00Z", "2013-01-05T00:00:00Z"];
    assert_eq!(instants(&app, "later").await, later);
    assert_eq!(instants(&app, "daily").await, [days, later].concat());
    let fired: Vec<_> =
        events(&app, "schedule.fired").await.iter().map(|e| e.body.clone().unwrap()).collect();
    let in_order = |name: &str| {
        let of = fired.iter().filter(|body| body["schedule"].as_str().unwrap().starts_with(name));
        of.map(|body| body["at"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert!(in_order("daily@1/on[0]").is_sorted());
    let shown = app.get("/api/v1/pipelines/later").await.expect(200);
    let standing =
        (&shown["triggers"][0]["last"], &shown["triggers"][0]["next"], &shown["triggers"][1]["kind"]);
    assert_eq!(standing, (&json!(later[1]), &json!("2013-01-06T00:00:00Z"), &json!("manual")));
    app.platform.close().await;
}

/// Grants a role as a built-in step would: in one command with its acceptance.
struct Grants(GrantRole);

#[async_trait]
impl Effect for Grants {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let tx: &mut (dyn GovernanceTx + 'static) = tx;
        self.0.apply(tx).await.map_err(EffectError::from_coded)?;
        Ok(Conclusion::Accepted(StepOutput::default()))
    }
}

async fn conclude_with_a_grant(app: &TestApp, person: &str) {
    let claim = claim(app).await;
    let conclude = ConcludeStep {
        workspace: default_workspace(),
        run: claim.run.id,
        step: claim.step.name,
        token: claim.step.token,
        provenance: Provenance::default(),
        effect: Arc::new(Grants(grant_to(person))),
    };
    app.platform.looped.run(&Principal::system("engine"), conclude).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_fire_from_the_definition_on_but_not_those_of_the_pipelines_own_runs() {
    let app = TestApp::at(monday()).await;
    grant(&app, "too-early").await;
    let on =
        "{ event: { kind: role.granted, where: { actor: ['user:ann', 'user:bob', 'user:too-early'] } } }";
    keep(&app, "greet", on).await;
    let mut service = triggers(&app);
    for person in ["ann", "eve", "bob"] {
        grant(&app, person).await;
    }
    let mut other = triggers(&app);
    let (here, there) = tokio::join!(service.look(), other.look());
    assert_eq!((here.unwrap().next, there.unwrap().next), (None, None));
    triggers(&app).look().await.unwrap();
    let started = runs(&app, "greet").await;
    let mut people: Vec<_> =
        started.iter().map(|run| run["cause"]["evidence"]["event"]["body"]["actor"].clone()).collect();
    people.sort_by_key(Value::to_string);
    assert_eq!(people, ["user:ann", "user:bob"]);
    assert_eq!(started[0]["cause"]["kind"], "event");

    // What its own step writes starts nothing, though it would fit.
    grant(&app, "bob").await;
    keep(&app, "greet", "{ event: { kind: role.granted } }").await;
    conclude_with_a_grant(&app, "cid").await;
    service.look().await.unwrap();
    assert_eq!(runs(&app, "greet").await.len(), 2);
    // What another pipeline's step writes does.
    keep(&app, "other", "manual").await;
    finish(&app).await;
    app.post("/api/v1/pipelines/other/runs", &json!({})).await.expect(201);
    conclude_with_a_grant(&app, "dan").await;
    service.look().await.unwrap();
    let started = runs(&app, "greet").await;
    let newest = started.iter().find(|run| run["cause"]["evidence"]["revision"] == 2).unwrap();
    assert_eq!(newest["cause"]["evidence"]["chain"], json!(["other"]));
    assert_eq!(started.len(), 3);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_that_start_each_other_come_to_an_end() {
    let app = TestApp::at(monday()).await;
    for name in ["a", "b", "c"] {
        keep(&app, name, "{ event: { kind: pipeline_run.finished, where: { state: succeeded } } }").await;
    }
    let mut service = triggers(&app);
    app.post("/api/v1/pipelines/a/runs", &json!({})).await.expect(201);
    let mut finished = vec![finish(&app).await];
    loop {
        service.look().await.unwrap();
        let listed = app.get("/api/v1/pipeline-runs?state=running").await.expect(200);
        if listed["items"].as_array().unwrap().is_empty() {
            break;
        }
        finished.push(finish(&app).await);
        assert!(finished.len() < 20, "no end: {finished:?}");
    }
    finished.sort();
    // a starts b and c; b starts c, and c starts b.
    assert_eq!(finished, ["a", "b", "b", "c", "c"]);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_is_on_the_record_once_and_holds_nobody_up() {
    let clock = monday();
    let app = TestApp::at(clock.clone()).await;
    let hourly = "on: { cron: '0 * * * *' }";
    let broken = format!("stages: {{ only: {{ cmd: 'train ${{days}}' }} }}\n{hourly}\n");
    keep_text(&app, "broken", broken).await.expect(200);
    let full = "concurrency: { group: g, limit: 1, when_full: refuse }";
    keep_text(&app, "full", format!("stages: {{ only: {{ cmd: 'true' }} }}\n{full}\n{hourly}\n"))
        .await
        .expect(200);
    keep(&app, "sound", "{ cron: '0 * * * *' }").await;
    let mut service = triggers(&app);
    for _ in 0..2 {
        clock.advance(HOUR);
        for _ in 0..2 {
            assert!(!service.look().await.unwrap().is_unfinished);
        }
    }
    let counts =
        (runs(&app, "broken").await.len(), runs(&app, "full").await.len(), runs(&app, "sound").await.len());
    assert_eq!(counts, (0, 1, 2));
    let refused = events(&app, "schedule.refused").await;
    let mut told: Vec<_> = refused
        .iter()
        .map(|event| {
            let body = event.body.as_ref().unwrap();
            (event.subject.to_string(), body["code"].as_str().unwrap().to_owned())
        })
        .collect();
    told.sort();
    let told: Vec<_> = told.iter().map(|(subject, code)| (subject.as_str(), code.as_str())).collect();
    let (definition, state) = ("invalid-definition", "wrong-state");
    let expected =
        [("pipeline:broken", definition), ("pipeline:broken", definition), ("pipeline:full", state)];
    assert_eq!(told, expected);
    let reason = refused.iter().find_map(|event| event.body.as_ref()?["reason"].as_str().map(str::to_owned));
    assert!(reason.unwrap().contains("days"));

    // Triggers that could never fire are refused when they are written.
    for bad in ["{ cron: soon }", "{ schedule: { endpoint: '${endpoint}', every: 1d } }", "{ event: {} }"] {
        let text = format!("stages: {{ only: {{ cmd: 'true' }} }}\non: {bad}\n");
        assert_eq!(keep_text(&app, "bad", text).await.problem(400), "invalid-definition", "{bad}");
    }
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_wakes_by_itself_and_ends_when_told() {
    let app = TestApp::start().await;
    let (stop, stopping) = watch::channel(false);
    let service = tokio::spawn(triggers(&app).run(stopping));
    keep(&app, "greet", "{ event: { kind: role.granted } }").await;
    keep(&app, "daily", "{ schedule: { endpoint: delays, every: 1d } }").await;
    grant(&app, "ann").await;
    let mut head = app.platform.database.head();
    let started = async |name: &str, head: &mut watch::Receiver<EventSeq>| {
        while runs(&app, name).await.is_empty() {
            head.changed().await.unwrap();
        }
    };
    let minute = Duration::from_mins(1);
    tokio::time::timeout(minute, started("greet", &mut head)).await.unwrap();
    // The schedule was seen before there were data.
    let seen = async |head: &mut watch::Receiver<EventSeq>| {
        let reader = &app.platform.database.reader;
        let (workspace, daily) = (default_workspace(), "daily".parse().unwrap());
        while reader.position(&workspace, &daily, 1, 0).await.unwrap().is_none() {
            head.changed().await.unwrap();
        }
    };
    tokio::time::timeout(minute, seen(&mut head)).await.unwrap();
    note(&app, "2013-01-02T06:00:00Z");
    tokio::time::timeout(minute, started("daily", &mut head)).await.unwrap();
    stop.send_replace(true);
    tokio::time::timeout(minute, service).await.unwrap().unwrap();
    app.platform.close().await;
}
