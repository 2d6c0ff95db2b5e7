//! Whose artifacts are whose, where several workspaces share a store.

use std::path::Path;
use std::sync::Arc;

use http::{Method, StatusCode};
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_governance::policy::Mode;
use mainstay_platform::clock::{SystemClock, SystemEntropy};
use mainstay_platform::{Environment, Platform};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, with_role};

const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
const API: &str = "/api/2.0/mlflow";

async fn ask(app: &TestApp, workspace: &str, method: Method, path: &str, body: &str) -> Answer {
    let headers = [("x-mlflow-workspace", workspace), ("content-type", "application/json")];
    app.send(method, path, &headers, body.to_owned()).await
}

async fn made(app: &TestApp, workspace: &str, name: &str) -> String {
    let body = json!({ "name": name }).to_string();
    let made =
        ask(app, workspace, Method::POST, &format!("{API}/experiments/create"), &body).await.expect(200);
    made["experiment_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_the_artifacts_of_another_workspace() {
    let app = TestApp::start().await;
    app.create_workspace("beta").await;
    let grants = ["default", "beta"]
        .map(|workspace| Grant { workspace: Some(workspace.parse().unwrap()), role: Role::Admin });
    app.act_as(Principal::new(Actor::user("somebody"), grants.to_vec()));
    let (mine, theirs) = (made(&app, "default", "a").await, made(&app, "beta", "a").await);
    let put = async |workspace: &str, path: &str| {
        ask(&app, workspace, Method::PUT, &format!("{PROXY}/{path}"), workspace).await.status
    };
    let read = async |workspace: &str, path: &str| {
        let answer = ask(&app, workspace, Method::GET, &format!("{PROXY}/{path}"), "").await;
        (answer.status == StatusCode::OK).then(|| answer.text())
    };
    // A plain name is in the folder of the workspace.
    for workspace in ["default", "beta"] {
        assert_eq!(put(workspace, "a.txt").await, 200);
        assert_eq!(read(workspace, "a.txt").await.as_deref(), Some(workspace));
    }
    assert_eq!(read("beta", "workspaces/beta/a.txt").await.as_deref(), Some("beta"));
    for other in ["workspaces/beta/a.txt", "WORKSPACES/beta/a.txt", "workspaces"] {
        assert_eq!(put("default", other).await, 400, "{other}");
        assert_eq!(read("default", other).await, None, "{other}");
    }
    // A number is the folder of an experiment.
    assert_eq!(put("beta", &format!("{theirs}/x/artifacts/m")).await, 200);
    assert_eq!(put("default", &format!("{mine}/x/artifacts/m")).await, 200);
    for (workspace, of_other) in [("default", &theirs), ("beta", &mine)] {
        assert_eq!(put(workspace, &format!("{of_other}/x/artifacts/m")).await, 404);
        assert_eq!(read(workspace, &format!("{of_other}/x/artifacts/m")).await, None);
        let path = format!("{PROXY}/{of_other}/x");
        assert_eq!(ask(&app, workspace, Method::DELETE, &path, "").await.status, 404);
    }
    let listed = async |workspace: &str| -> Vec<Value> {
        let found = ask(&app, workspace, Method::GET, PROXY, "").await.expect(200);
        found["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect()
    };
    assert_eq!(listed("default").await, [json!(mine), json!("a.txt")]);
    assert_eq!(listed("beta").await, [json!("a.txt")]);
    app.platform.close().await;
}

/// Somebody who may see everything but these experiments, and to whom others are given.
fn eve(denied: &[&str], managed: &[&str]) -> Principal {
    let mut levels = Permissions::new(Some(Level::Read));
    for (ids, level) in [(denied, Level::Deny), (managed, Level::Manage)] {
        for id in ids {
            levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new(*id), level);
        }
    }
    Principal::new(Actor::user("eve"), Vec::new()).with_permissions(Arc::new(levels))
}

/// The status of an attempt to create an experiment at a place, and its id.
async fn placed(app: &TestApp, name: &str, place: &str) -> (u16, Value) {
    let body = json!({"name": name, "artifact_location": place});
    let answer = app.post(&format!("{API}/experiments/create"), &body).await;
    (answer.status.as_u16(), answer.json()["experiment_id"].clone())
}

/// Whoever has the outer one of two places could read, replace and remove what lies in the inner one.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_place_around_those_of_others() {
    let app = TestApp::rooted("mlflow-artifacts:/base").await;
    let secret = made(&app, "default", "secret").await;
    let (_, team) = placed(&app, "team", "mlflow-artifacts:/team/secret").await;
    let team = team.as_str().unwrap();
    let files = [format!("base/{secret}/run/artifacts/f"), "team/secret/run/artifacts/f".to_owned()];
    for file in &files {
        assert_eq!(app.send(Method::PUT, &format!("{PROXY}/{file}"), &[], "secret").await.status, 200);
    }
    let denied = [secret.as_str(), team];
    for place in ["base", "base/9", "base/9/x", "9"] {
        // Nobody's to name, whoever asks.
        for who in [with_role(Role::Admin, "default"), eve(&denied, &[])] {
            app.act_as(who);
            assert_eq!(placed(&app, "x", &format!("mlflow-artifacts:/{place}")).await.0, 400, "{place}");
        }
    }
    for place in ["team", "team/secret", "team/secret/within"] {
        app.act_as(eve(&denied, &[]));
        assert_eq!(placed(&app, "x", &format!("mlflow-artifacts:/{place}")).await.0, 400, "{place}");
    }
    app.act_as(eve(&denied, &[]));
    assert_eq!(placed(&app, "beside", "mlflow-artifacts:/team/other").await.0, 200);
    // Somebody who may do everything may put one around another, and give it away.
    app.act_as(with_role(Role::Admin, "default"));
    let (status, outer) = placed(&app, "outer", "mlflow-artifacts:/team").await;
    assert_eq!(status, 200);
    for folder in ["base".to_owned(), format!("base/{secret}")] {
        let path = format!("{PROXY}/{folder}");
        assert_eq!(app.send(Method::DELETE, &path, &[], "").await.status, 400, "{folder}");
    }
    let outer = outer.as_str().unwrap();
    let ask = async |method: Method, path: &str| {
        app.act_as(eve(&denied, &[outer]));
        app.send(method, &format!("{PROXY}{path}"), &[], "of eve").await.status.as_u16()
    };
    assert_eq!(ask(Method::PUT, "/team/mine/f").await, 200);
    assert_eq!(ask(Method::GET, "?path=team/mine").await, 200);
    for path in ["/team", "/team/secret", "/team/secret/run/artifacts/f", "/base"] {
        assert!([400, 403].contains(&ask(Method::DELETE, path).await), "{path}");
    }
    for path in ["?path=team", "?path=team/secret", "/team/secret/run/artifacts/f"] {
        assert_eq!(ask(Method::GET, path).await, 403, "{path}");
    }
    assert_eq!(ask(Method::DELETE, "/team/mine").await, 200);
    app.act_as(with_role(Role::Viewer, "default"));
    for file in &files {
        assert_eq!(app.get(&format!("{PROXY}/{file}")).await.text(), "secret");
    }
    app.platform.close().await;
}

/// The purge of a run, a logged model or a trace removes its folder, and clients name traces.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_experiment_holds_is_no_place_of_another() {
    let app = TestApp::start().await;
    app.act_as(with_role(Role::Admin, "default"));
    let at = async |place: &str| placed(&app, place, &format!("mlflow-artifacts:/{place}")).await.0;
    assert_eq!((at("team").await, at("inner/traces/nightly").await), (200, 200));
    let run = "ab".repeat(16);
    for place in [&format!("team/{run}"), "team/models/x", "team/Traces/nightly/x", "team/traces", "inner"] {
        assert_eq!(at(place).await, 400, "{place}");
    }
    for place in ["team/of/models", "team/traces2", "inner/traces"] {
        assert_eq!(at(place).await, 200, "{place}");
    }
    // However many try at once.
    for n in 0..10 {
        let (outer, inner) = (format!("both/{n}"), format!("both/{n}/traces/x"));
        let mut both = tokio::join!(at(&outer), at(&inner));
        if both.0 == 400 {
            both = (both.1, both.0);
        }
        assert_eq!(both, (200, 400), "{n}");
    }
    app.platform.close().await;
}

/// What no experiment has is not to be had by naming an experiment's place there.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_where_files_lie_is_nobodys_by_a_level() {
    let app = TestApp::start().await;
    app.act_as(with_role(Role::Admin, "default"));
    let file = format!("{PROXY}/loose/of/x.txt");
    assert_eq!(app.send(Method::PUT, &file, &[], "secret").await.status, 200);
    let mut levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Workspace, &Pattern::new("*"), Level::Use);
    app.act_as(Principal::new(Actor::user("ann"), Vec::new()).with_permissions(Arc::new(levels.clone())));
    for place in ["loose", "loose/of", "loose/of/x.txt", "loose/of/x.txt/y"] {
        let (status, _) = placed(&app, place, &format!("mlflow-artifacts:/{place}")).await;
        assert_eq!(status, if place.ends_with('y') { 200 } else { 400 }, "{place}");
    }
    assert_eq!(placed(&app, "free", "mlflow-artifacts:/loose/free").await.0, 200);
    // A role may, whatever levels its holder has besides.
    levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new("0"), Level::Manage);
    let dev = with_role(Role::Developer, "default").with_permissions(Arc::new(levels));
    app.act_as(dev);
    assert_eq!(placed(&app, "a role may", "mlflow-artifacts:/loose/of").await.0, 200);
    app.platform.close().await;
}

/// Whether a server of an empty data directory takes this place for those that clients write; what it says.
async fn takes(data: &Path, place: &Path) -> Result<(), String> {
    let environment = Environment {
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(SystemEntropy),
        mode: Mode::Required,
        guard_events: true,
    };
    let platform = Platform::open(data, None, environment).await.unwrap();
    let database = platform.database.clone();
    let taken = platform.with_artifact_root(place.to_str().unwrap()).await;
    database.close().await;
    taken.map(drop).map_err(|error| error.to_string())
}

/// Places that clients write are none of the server's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_root_lies_beside_what_the_server_keeps() {
    for (place, is_good) in [
        ("data/artifacts/base", false),
        ("data", false),
        (".", false),
        ("link", false),
        ("link/keys", false),
        ("data/artifacts", true),
        ("link/artifacts", true),
        ("data2", true),
        ("runs/of/all", true),
    ] {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        std::os::unix::fs::symlink(&data, root.path().join("link")).unwrap();
        let taken = takes(&data, &root.path().join(place)).await;
        match taken {
            Ok(()) => assert!(is_good, "{place}"),
            Err(told) => assert!(!is_good && told.contains("name a directory beside it"), "{place}: {told}"),
        }
    }
}
