//! People who log in: their credentials, and what single levels show of everything else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, header};
use mainstay_api::Authenticator as _;
use mainstay_api::caller::{AuthenticationError, Workspaces as _};
use mainstay_core::action::Action;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Principal, Role};
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_core::time::{MachineTime, ManualClock};
use mainstay_governance::command::{CreateUser, CreateWorkspace, DeleteUser, SetPassword};
use mainstay_governance::people::Number;
use mainstay_governance::port::{GovernanceTx, PasswordHashing as _, PeopleReader as _};
use mainstay_governance::user::{Password, PasswordHash, UserName};
use mainstay_platform::Platform;
use mainstay_platform::authority::{Credentials, Directory, Hashing, local_user};
use mainstay_server::serve;
use serde_json::{Value, json};

use crate::app::{TestApp, with_role};

const PASSWORD: &str = "a long password";

fn hash(text: &str) -> PasswordHash {
    PasswordHash::of(&Password::new(text).unwrap(), &SeededEntropy::new(1)).unwrap()
}

async fn create(platform: &Platform, name: &str) -> UserName {
    let name = UserName::new(name).unwrap();
    let id = Number::draw(&*platform.entropy);
    let user = CreateUser { name: name.clone(), id, admin: false, password: hash(PASSWORD) };
    platform.people.run(&local_user(), user).await.unwrap();
    name
}

/// Asks for credentials, by a clock of the test's.
struct Door {
    credentials: Credentials,
    clock: Arc<ManualClock>,
}

impl Door {
    fn new(platform: &Platform) -> Self {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let directory = Directory::new(&platform.database, clock.clone(), None);
        let given = (clock.clone() as Arc<_>, &*platform.entropy);
        let credentials = Credentials::new(&platform.database, directory, platform.hashing.clone(), given);
        Self { credentials, clock }
    }

    async fn ask(
        &self,
        from: [u8; 4],
        (name, password): (&str, &str),
        headers: &[(&str, &str)],
    ) -> Result<String, AuthenticationError> {
        let shown = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        let mut request = Request::builder().method("POST").uri("/").header(header::AUTHORIZATION, shown);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(SocketAddr::from((from, 5)));
        let known = self.credentials.authenticate(&parts).await;
        known.map(|principal| principal.actor.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_counts_as_long_as_it_is_the_users_and_wrong_ones_are_counted() {
    let app = TestApp::start().await;
    let platform = &app.platform;
    let ann = create(platform, "ann@example.org").await;
    let door = Door::new(platform);
    let (here, shown) = ([10, 0, 0, 1], (ann.as_str(), PASSWORD));
    for _ in 0..3 {
        assert_eq!(door.ask(here, shown, &[]).await, Ok("user:ann@example.org".to_owned()));
    }
    let foreign = [("host", "mlops.example"), ("origin", "https://evil.example")];
    assert!(matches!(door.ask(here, shown, &foreign).await, Err(AuthenticationError::Foreign(_))));

    let wrong = Err(AuthenticationError::Unauthenticated);
    for _ in 0..10 {
        assert_eq!(door.ask(here, (ann.as_str(), "not this password"), &[]).await, wrong);
        assert_eq!(door.ask(here, ("nobody", PASSWORD), &[]).await, wrong);
    }
    // Twenty were wrong. Nobody there is asked any more but who is known already.
    let later = Err(AuthenticationError::TooManyAttempts(2));
    assert_eq!(door.ask(here, ("nobody", PASSWORD), &[]).await, later);
    assert!(door.ask(here, shown, &[]).await.is_ok());
    // Elsewhere the user has had ten, so ten more are left, from wherever they come.
    for last in 2..12 {
        assert_eq!(door.ask([10, 0, 0, last], (ann.as_str(), "not this password"), &[]).await, wrong);
    }
    assert_eq!(door.ask([10, 0, 0, 99], (ann.as_str(), "not this password"), &[]).await, later);
    door.clock.advance(Duration::from_secs(2));
    assert_eq!(door.ask([10, 0, 0, 99], (ann.as_str(), "not this password"), &[]).await, wrong);

    door.clock.advance(Duration::from_mins(1));
    let change = SetPassword { name: ann.clone(), password: hash("another password") };
    platform.people.run(&local_user(), change).await.unwrap();
    // Pages that are open go on to show it, which is no guessing.
    for _ in 0..21 {
        assert_eq!(door.ask(here, shown, &[]).await, wrong);
    }
    assert!(door.ask(here, (ann.as_str(), "another password"), &[]).await.is_ok());
    // And it counts again when it is the user's again.
    let change = SetPassword { name: ann.clone(), password: hash(PASSWORD) };
    platform.people.run(&local_user(), change).await.unwrap();
    assert!(door.ask(here, shown, &[]).await.is_ok());
    assert_eq!(door.ask(here, (ann.as_str(), "another password"), &[]).await, wrong);
    platform.people.run(&local_user(), DeleteUser { name: ann.clone() }).await.unwrap();
    for _ in 0..2 {
        assert_eq!(door.ask(here, shown, &[]).await, wrong);
    }
    app.platform.close().await;
}

/// How often somebody was told that it was wrong, and how often to wait.
fn counted(answers: &[Result<String, AuthenticationError>]) -> (usize, usize) {
    let wrong = |answer: &&Result<_, _>| matches!(answer, Err(AuthenticationError::Unauthenticated));
    let later = |answer: &&Result<_, _>| matches!(answer, Err(AuthenticationError::TooManyAttempts(_)));
    (answers.iter().filter(wrong).count(), answers.iter().filter(later).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_learns_little_however_it_asks() {
    let app = TestApp::start().await;
    let platform = &app.platform;
    let ann = create(platform, "ann").await;
    // Many at once are no more than many one after another: two at most are hashed when the twentieth was wrong.
    let door = Door::new(platform);
    let ask = |n: u8| door.ask([10, 0, n, 1], (ann.as_str(), "not this password"), &[]);
    let answers = futures::future::join_all((0..60).map(ask)).await;
    let (wrong, later) = counted(&answers);
    assert!((20..=22).contains(&wrong) && wrong + later == 60, "{wrong} {later}");
    // Whether a name is counted does not tell whether there is such a user.
    for name in [ann.as_str(), "nobody"] {
        let door = Door::new(platform);
        let mut answers = Vec::new();
        for n in 0..21 {
            answers.push(door.ask([10, 0, n, 1], (name, "not this password"), &[]).await);
        }
        assert_eq!(counted(&answers), (20, 1), "{name}");
    }
    // Nor does somebody with an open session find out the password of it.
    let people = platform.database.reader.people().await.unwrap();
    let user = people.user(&ann).unwrap();
    let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
    let hashing = Hashing::new(Arc::new(platform.database.reader.clone()), platform.entropy.clone(), clock);
    for _ in 0..20 {
        assert!(!hashing.is_of(user, "not this password".to_owned()).await.unwrap());
    }
    let later = hashing.is_of(user, PASSWORD.to_owned()).await.unwrap_err();
    assert_eq!(later.code(), ErrorCode::RateLimited);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_known_as_they_come() {
    let app = TestApp::start().await;
    let platform = &app.platform;
    let directory = Directory::new(&platform.database, platform.clock.clone(), None);
    let team: mainstay_core::name::Name = "team".parse().unwrap();
    assert!(directory.exists(&default_workspace()).await.unwrap());
    assert!(!directory.exists(&team).await.unwrap());
    let governance: mainstay_core::command::Commands<dyn GovernanceTx> =
        mainstay_core::command::Commands::new(
            Arc::new(platform.database.writer.clone()),
            platform.authority.clone(),
        );
    let create =
        CreateWorkspace { workspace: default_workspace(), name: team.clone(), admin: Actor::local() };
    governance.run(&local_user(), create).await.unwrap();
    assert!(directory.exists(&team).await.unwrap());
    app.platform.close().await;
}

/// Somebody who may read one experiment and one model that are not there; for one request.
fn walker() -> Principal {
    let mut levels = Permissions::default();
    for (kind, id) in [(ResourceKind::Experiment, "77"), (ResourceKind::Model, "elsewhere")] {
        levels.add(&default_workspace(), kind, &Pattern::new(id), Level::Manage);
    }
    Principal::new(Actor::user("walker"), Vec::new()).with_permissions(Arc::new(levels))
}

/// The trace among them.
const TRACE: &str = "abababababababababababababababab";
/// A file that no experiment has.
const PLAIN: &str = "/api/2.0/mlflow-artifacts/artifacts/plain.txt";

/// Things of others, and every name by which a request can mean them.
async fn hidden(app: &TestApp) -> Value {
    app.act_as(with_role(Role::Developer, "default"));
    let call =
        async |path: &str, body: Value| app.post(&format!("/api/2.0/mlflow/{path}"), &body).await.expect(200);
    let experiment =
        call("experiments/create", json!({"name": "hidden-experiment"})).await["experiment_id"].clone();
    let run = call("runs/create", json!({"experiment_id": experiment, "run_name": "hidden-run"})).await;
    let run = run["run"]["info"]["run_id"].clone();
    let metric = json!({"run_id": run, "key": "hidden-metric", "value": 1, "timestamp": 1});
    call("runs/log-metric", metric).await;
    let logged = json!({"experiment_id": experiment, "name": "hidden-logged"});
    let logged = call("logged-models", logged).await["model"]["info"]["model_id"].clone();
    call("registered-models/create", json!({"name": "hidden-model"})).await;
    call("model-versions/create", json!({"name": "hidden-model", "source": "s3://hidden/m"})).await;
    call("registered-models/alias", json!({"name": "hidden-model", "alias": "a", "version": "1"})).await;
    let span = json!({"traceId": TRACE, "spanId": "00000000000000aa", "name": "hidden-span",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"});
    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string();
    let of = experiment.as_str().unwrap();
    let headers = [("content-type", "application/json"), ("x-mlflow-experiment-id", of)];
    app.send(Method::POST, "/v1/traces", &headers, spans).await.expect(200);
    let trace = format!("tr-{TRACE}");
    let assessment = json!({"assessment": {"assessment_id": "a-hidden", "assessment_name": "hidden-judgement",
        "feedback": {"value": "hidden"}}});
    app.post(&format!("/api/3.0/mlflow/traces/{trace}/assessments"), &assessment).await.expect(200);
    let dataset = json!({"name": "hidden-dataset", "experiment_ids": [experiment]});
    let dataset = app.post("/api/3.0/mlflow/datasets/create", &dataset).await.expect(200);
    let dataset = dataset["dataset"]["dataset_id"].clone();
    let records = json!({"records": r#"[{"inputs": {"q": "hidden-input"}}]"#});
    let path = format!("/api/3.0/mlflow/datasets/{}/records", dataset.as_str().unwrap());
    app.post(&path, &records).await.expect(200);
    let scorer = json!({"experiment_id": experiment, "name": "hidden-model",
        "serialized_scorer": r#"{"name": "hidden-model", "builtin_scorer_class": "Safety"}"#});
    app.post("/api/3.0/mlflow/scorers/register", &scorer).await.expect(200);
    app.send(Method::PUT, PLAIN, &[], "hidden bytes").await.expect(200);
    let query = format!(
        r"{{ mlflowGetRun(input: {{runId: {run}}}) {{ run {{ info {{ runName }} experiment {{ name }} modelVersions {{ name }} }} }}
        mlflowGetExperiment(input: {{experimentId: {experiment}}}) {{ experiment {{ name }} }}
        mlflowSearchModelVersions(input: {{}}) {{ modelVersions {{ name }} }} }}"
    );
    json!({
        "trace_id": trace, "request_id": trace, "trace_ids": [trace], "request_ids": [trace], "dataset_id": dataset, "run_ids": [run],
        "query": query, "scorer_ids": [], "locations": [{"mlflow_experiment": {"experiment_id": experiment}}],
        "tags": [], "records": "[]", "prompt_versions": [{"name": "stolen", "version": "1"}],
        "experiment_id": experiment, "experiment_ids": [experiment], "experiment_name": "hidden-experiment",
        "run_id": run, "metric_key": "hidden-metric", "model_id": logged, "name": "hidden-model",
        "version": "1", "alias": "a", "key": "k", "value": "1", "timestamp": 5, "new_name": "stolen",
        "path": format!("{}/x", experiment.as_str().unwrap()), "stage": "Archived", "status": "FINISHED",
        "assessment": {"assessment_name": "stolen", "feedback": {"value": 1}}, "update_mask": "assessmentName",
        "view_type": "ASSESSMENTS", "metric_name": "assessment_count", "dimensions": ["assessment_name"],
        "aggregations": [{"aggregation_type": "COUNT"}], "filter_string1": "status = 'OK'",
        "filter_string2": "span.name = 'hidden-span'", "description": "stolen", "models": [{"model_id": logged}], "model_json": "{}",
    })
}

/// The address of a route with hidden things in its parameters.
fn concrete(path: &str, names: &Value) -> String {
    let part = |part: &str| match part {
        "{model_id}" => names["model_id"].as_str().unwrap().to_owned(),
        "{*path}" => names["path"].as_str().unwrap().to_owned(),
        "{version}" => "1".to_owned(),
        "{assessment_id}" => "a-hidden".to_owned(),
        "{span}" => "00000000000000aa".to_owned(),
        "{trace_id}" | "{request_id}" | "{trace}" => names["trace_id"].as_str().unwrap().to_owned(),
        "{dataset_id}" => names["dataset_id"].as_str().unwrap().to_owned(),
        part if part.starts_with('{') => "hidden-model".to_owned(),
        part => part.to_owned(),
    };
    // What the pages of the console call an id by the name of the thing.
    let thing = [
        ("/runs/{id}", "run_id"),
        ("/experiments/{id}", "experiment_id"),
        ("/logged-models/{id}", "model_id"),
        ("/traces/{id}", "trace_id"),
    ]
    .into_iter()
    .find(|(page, _)| path.trim_start_matches("/api/v1").starts_with(page));
    let path = thing.map_or_else(
        || path.to_owned(),
        |(_, field)| path.replace("{id}", names[field].as_str().unwrap_or_default()),
    );
    let path = path.replace("{model}", names["model_id"].as_str().unwrap());
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Whether a route is a page of the console, whose links repeat what it was asked.
fn is_page(path: &str) -> bool {
    let things =
        ["", "account", "experiments", "runs", "traces", "models", "prompts", "logged-models", "views"];
    path.split('/').nth(1).is_some_and(|first| things.contains(&first))
}

/// Whether a route looks among many things, so that it finds nothing where another one refuses.
fn is_search(path: &str) -> bool {
    let lists = ["/", "/experiments", "/runs", "/traces", "/models", "/prompts", "/api/v1/saved-views"];
    path.ends_with("/mlflow/traces")
        || lists.contains(&path)
        || path.starts_with("/api/v1/") && path.contains("/columns")
        || ["/search", "/graphql", "/batchGet", "traces/metrics", "/calculate-filter-correlation"]
            .iter()
            .any(|part| path.contains(part))
}

/// Every route, about things on which the caller holds nothing while it holds something on others.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_shows_or_changes_what_the_caller_has_no_level_on() {
    let app = TestApp::start().await;
    let names = hidden(&app).await;
    let fields = names.as_object().unwrap().iter();
    // No address holds blanks as they are.
    let text =
        |value: &Value| value.as_str().filter(|text| !text.contains(char::is_whitespace)).map(str::to_owned);
    let query: Vec<String> =
        fields.filter_map(|(key, value)| Some(format!("{key}={}", text(value)?))).collect();
    let query = query.join("&");
    let (mut let_in, mut wrong) = (0, Vec::new());
    // A stream has no end; what it tells is tried where the console is.
    for (method, path, action) in serve::table().into_iter().filter(|(_, path, _)| !path.ends_with("/stream"))
    {
        app.act_as(walker());
        let address = concrete(&path, &names);
        let json = [("content-type", "application/json")];
        let mut body = names.clone();
        if path.contains("/datasets/") {
            // There it is a text.
            body["tags"] = json!(r#"{"k": "stolen"}"#);
        }
        let answer = match method {
            Method::GET if is_page(&path) => {
                app.get(&format!(
                    "{address}?path=plain.txt&experiment={}",
                    names["experiment_id"].as_str().unwrap()
                ))
                .await
            }
            Method::GET => app.send(method.clone(), &format!("{address}?{query}"), &[], "").await,
            _ => app.send(method.clone(), &address, &json, body.to_string()).await,
        };
        let text = answer.text();
        // Pages hide parts of themselves, with an attribute of that name.
        let hidden = if is_page(&path) { "hidden-" } else { "hidden" };
        let is_shown = answer.status.is_success() && (text.contains(hidden) || text.contains("stolen"));
        let is_let_in = answer.status.is_success() && action.object().is_some();
        let_in += usize::from(is_let_in);
        let deletes = matches!(action, Action::RunDelete | Action::ModelDelete);
        if is_shown
            || (is_let_in && !is_search(&path))
            || (deletes && ![403, 501].contains(&answer.status.as_u16()))
        {
            wrong.push(format!("{method} {address} ({action}): {} {text}", answer.status));
        }
    }
    assert!(let_in > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
    // The body of this one has no field of others.
    app.act_as(walker());
    let charts = json!({"runs": [names["run_id"]], "metrics": ["hidden-metric"]});
    assert_eq!(app.post("/api/v1/runs/series", &charts).await.status, 403);
    // What no experiment has is nobody's who holds levels alone.
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        app.act_as(walker());
        let answer = app.send(method.clone(), PLAIN, &[], "stolen").await;
        assert!(!answer.status.is_success(), "{method}: {}", answer.text());
    }
    app.act_as(with_role(Role::Developer, "default"));
    assert_eq!(app.get(PLAIN).await.text(), "hidden bytes");
    let log = &app.platform.database;
    let events = log.read(&EventQuery::after(EventSeq(0), 1_000)).await.unwrap();
    let by_walker: Vec<_> = events.iter().filter(|event| event.actor.as_str() == "user:walker").collect();
    assert!(by_walker.is_empty(), "{by_walker:?}");
    // Refusals are on the record, by the server.
    assert!(events.iter().any(|event| event.kind == "access.refused"));
    app.platform.close().await;
}

/// What is put together from many things takes a role, and whatever a request names besides takes a level too.
#[tokio::test(flavor = "multi_thread")]
async fn a_level_on_one_thing_opens_no_other() {
    let app = TestApp::start().await;
    let names = hidden(&app).await;
    let mut levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Model, &Pattern::new("hidden-model"), Level::Manage);
    let levels = Arc::new(levels);
    let owner = |grants| Principal::new(Actor::user("owner"), grants).with_permissions(levels.clone());
    let addresses = [
        "/api/v1/models/hidden-model",
        "/models/hidden-model/1/why",
        "/api/v1/models/hidden-model/versions/1",
    ];
    for address in addresses {
        app.act_as(owner(Vec::new()));
        assert_eq!(app.get(address).await.status, 403, "{address}");
        app.act_as(owner(with_role(Role::Viewer, "default").grants));
        assert_eq!(app.get(address).await.status, 200, "{address}");
    }
    app.act_as(owner(Vec::new()));
    app.get("/api/2.0/mlflow/registered-models/get?name=hidden-model").await.expect(200);
    // Versions of all kinds link to runs and logged models.
    let prompt = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"}]);
    for (source, tags) in [("s3://elsewhere/m", json!([])), ("prompt-template", prompt)] {
        for field in ["run_id", "model_id"] {
            let mut body = json!({"name": "hidden-model", "source": source, "tags": tags});
            body[field] = names[field].clone();
            let answer = app.post("/api/2.0/mlflow/model-versions/create", &body).await;
            assert_eq!(answer.status, 403, "{source} {field}: {}", answer.text());
        }
    }
    app.platform.close().await;
}

/// A version is noted at the logged model that it is made of by those who may change that.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_version_changes_nothing_that_is_closed() {
    let app = TestApp::start().await;
    let names = hidden(&app).await;
    let logged = names["model_id"].as_str().unwrap();
    let versions = "/api/2.0/mlflow/model-versions/create";
    let made = json!({"name": "hidden-model", "source": format!("models:/{logged}"), "model_id": logged});
    let number = app.post(versions, &made).await.expect(200)["model_version"]["version"].clone();
    app.post("/api/2.0/mlflow/registered-models/create", &json!({"name": "copies"})).await.expect(200);
    let mut levels = Permissions::default();
    for (name, level) in [("hidden-model", Level::Read), ("copies", Level::Edit)] {
        levels.add(&default_workspace(), ResourceKind::Model, &Pattern::new(name), level);
    }
    let copy =
        json!({"name": "copies", "source": format!("models:/hidden-model/{}", number.as_str().unwrap())});
    app.act_as(Principal::new(Actor::user("copier"), Vec::new()).with_permissions(Arc::new(levels)));
    app.post(versions, &copy).await.expect(200);
    app.act_as(with_role(Role::Developer, "default"));
    let noted = async || {
        let found = app.get(&format!("/api/2.0/mlflow/logged-models/{logged}")).await.expect(200);
        found["model"]["info"]["tags"].to_string()
    };
    let before = noted().await;
    assert!(before.contains("hidden-model") && !before.contains("copies"), "{before}");
    app.post(versions, &copy).await.expect(200);
    assert!(noted().await.contains("copies"));
    app.platform.close().await;
}

/// A trace is linked to a run by those who may change the run. What its metadata say is where it comes from: a copy says
/// the same of a run that its owner may only read, or no more.
#[tokio::test(flavor = "multi_thread")]
async fn traces_name_no_run_of_others() {
    let app = TestApp::start().await;
    let names = hidden(&app).await;
    let mine = app.post("/api/2.0/mlflow/experiments/create", &json!({"name": "mine"})).await.expect(200);
    let mine = mine["experiment_id"].as_str().unwrap();
    let (run, n) = (names["run_id"].as_str().unwrap(), std::cell::Cell::new(0));
    let mut levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new(mine), Level::Edit);
    let levels = Arc::new(levels);
    let told = async |who: &str, header: Option<&str>, metadata: Value| {
        app.act_as(if who == "editor" {
            Principal::new(Actor::user("editor"), Vec::new()).with_permissions(levels.clone())
        } else {
            with_role(Role::Developer, "default")
        });
        n.set(n.get() + 1);
        let id = format!("{:032x}", n.get());
        let Some(header) = header else {
            let info = json!({"trace_id": format!("tr-{id}"), "state": "OK",
                "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": mine}},
                "request_time": "2026-01-01T00:00:00Z", "trace_metadata": metadata});
            let answer = app.post("/api/3.0/mlflow/traces", &json!({"trace": {"trace_info": info}})).await;
            return (answer.status, answer.text());
        };
        let span = json!({"traceId": id, "spanId": "00000000000000aa", "name": "root",
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"});
        let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string();
        let headers = [
            ("content-type", "application/json"),
            ("x-mlflow-experiment-id", mine),
            ("x-mlflow-run-id", header),
        ];
        let answer = app.send(Method::POST, "/v1/traces", &headers, body).await;
        (answer.status, answer.text())
    };
    let of_run = json!({"mlflow.sourceRun": run});
    let (refused, text) = told("editor", Some(run), json!({})).await;
    assert_eq!(refused, 403);
    // What it may change is not what was refused, on the record either.
    let besides = format!("what the request names besides experiment:{mine}");
    assert!(text.contains(&besides), "{text}");
    assert_eq!(told("editor", None, of_run.clone()).await.0, 200);
    assert_eq!(told("developer", Some(run), json!({})).await.0, 200);
    assert_eq!(told("developer", None, of_run).await.0, 200);
    app.platform.close().await;
}

/// Searches page over what may be read alone.
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_full_of_what_may_be_read() {
    let app = TestApp::start().await;
    let call =
        async |path: &str, body: Value| app.post(&format!("/api/2.0/mlflow/{path}"), &body).await.expect(200);
    let mut ids = Vec::new();
    for n in 0..6 {
        let made = call("experiments/create", json!({"name": format!("e{n}")})).await;
        let id = made["experiment_id"].as_str().unwrap().to_owned();
        call("runs/create", json!({"experiment_id": id})).await;
        ids.push(id);
    }
    let reader = |denies: bool| {
        let mut levels = Permissions::default();
        for id in ids.iter().step_by(2) {
            let level = if denies { Level::Deny } else { Level::Read };
            levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new(id.as_str()), level);
        }
        let grants = if denies { with_role(Role::Viewer, "default").grants } else { Vec::new() };
        Principal::new(Actor::user("reader"), grants).with_permissions(Arc::new(levels))
    };
    for (denies, sizes) in [(false, [2, 1]), (true, [2, 1])] {
        for path in ["runs/search", "experiments/search"] {
            let (mut token, mut found) = (Value::Null, Vec::new());
            loop {
                app.act_as(reader(denies));
                let body = json!({"experiment_ids": ids, "max_results": 2, "page_token": token});
                let page = call(path, body).await;
                let items = if path == "runs/search" { &page["runs"] } else { &page["experiments"] };
                found.push(items.as_array().map_or(0, Vec::len));
                token = page["next_page_token"].clone();
                if token.is_null() {
                    break;
                }
            }
            assert_eq!(found, sizes, "{path} {denies}");
        }
    }
    app.platform.close().await;
}
