//! `/api/v1/runs`: rows at any offset, of one list however much is logged meanwhile; groups; names and values.

use std::sync::Arc;

use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Principal, Role};
use mainstay_core::scope::{ResourceKind, default_workspace};
use serde_json::{Value, json};

use crate::app::{TestApp, with_role};

const API: &str = "/api/2.0/mlflow";

/// Logs a run, and gives its id.
async fn run(app: &TestApp, experiment: &str, number: i64) -> String {
    let body =
        json!({"experiment_id": experiment, "run_name": format!("run-{number}"), "start_time": number});
    let made = app.post(&format!("{API}/runs/create"), &body).await.expect(200);
    let id = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let optimizer = if number % 2 == 0 { "adam" } else { "it's \"sgd\"" };
    let loss = if number == 4 { json!("NaN") } else { json!(number) };
    let mut body = json!({
        "run_id": id,
        "metrics": [{"key": "val/loss", "value": loss, "timestamp": 1, "step": 0}],
        "params": [{"key": "optimizer", "value": optimizer}],
    });
    if number < 2 {
        body["tags"] = json!([{"key": "team", "value": "a"}]);
    }
    app.post(&format!("{API}/runs/log-batch"), &body).await.expect(200);
    id
}

async fn search(app: &TestApp, body: Value) -> Value {
    app.post("/api/v1/runs/search", &body).await.expect(200)
}

fn names(answer: &Value) -> Vec<&str> {
    answer["runs"].as_array().unwrap().iter().map(|run| run["run_name"].as_str().unwrap()).collect()
}

/// Six runs, numbered as they start, in experiment 0.
async fn with_runs() -> (TestApp, Vec<String>) {
    let app = TestApp::start().await;
    app.platform.create_default_experiment().await.unwrap();
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(run(&app, "0", number).await);
    }
    (app, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_of_one_list_whatever_is_logged_meanwhile() {
    let (app, ids) = with_runs().await;
    let asked = json!({
        "experiments": ["0"], "order_by": ["metrics.`val/loss` DESC"], "columns": ["run_name", "metrics.`val/loss`"],
        "offset": 2, "limit": 2, "count": true,
    });
    let first = search(&app, asked.clone()).await;
    assert_eq!(names(&first), ["run-2", "run-1"]);
    let row =
        json!({"run_id": ids[2], "experiment_id": "0", "run_name": "run-2", "metrics": {"val/loss": 2.0}});
    assert_eq!(first["runs"][0], row, "nothing else is written");
    assert_eq!(
        (&first["total"], &first["is_current"], &first["offset"]),
        (&json!(6), &json!(true), &json!(2))
    );
    assert_eq!(search(&app, asked.clone()).await["snapshot"], first["snapshot"], "nothing changed");

    run(&app, "0", 6).await;
    let mut again = asked.clone();
    again["snapshot"] = first["snapshot"].clone();
    let same = search(&app, again.clone()).await;
    assert_eq!((names(&same), &same["is_current"]), (vec!["run-2", "run-1"], &json!(false)));
    assert_eq!((&same["snapshot"], &same["total"]), (&first["snapshot"], &json!(6)));
    let anew = search(&app, asked).await;
    assert_eq!((names(&anew), &anew["total"]), (vec!["run-3", "run-2"], &json!(7)));
    assert_ne!(anew["snapshot"], first["snapshot"]);
    again["filter"] = json!("status = 'RUNNING'");
    assert_eq!(
        search(&app, again).await["is_current"],
        json!(true),
        "a snapshot of another search says nothing"
    );

    let last =
        search(&app, json!({"order_by": ["metrics.`val/loss`"], "offset": 6, "columns": ["metrics.*"]}))
            .await;
    assert_eq!(
        last["runs"],
        json!([{"run_id": ids[4], "experiment_id": "0", "metrics": {"val/loss": "NaN"}}])
    );
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_projections_and_counts() {
    let (app, ids) = with_runs().await;
    let page = json!({"filter": "NOT run_name = 'run-3'", "limit": 3, "columns": ["run_name"]});
    let first = search(&app, page.clone()).await;
    assert_eq!((names(&first), first.get("total")), (vec!["run-5", "run-4", "run-2"], None));
    let mut next = page;
    next["page_token"] = first["next_page_token"].clone();
    let second = search(&app, next).await;
    assert_eq!((names(&second), &second["next_page_token"]), (vec!["run-1", "run-0"], &Value::Null));

    let counted = search(&app, json!({"filter": "tags.team IS NOT NULL", "limit": 0, "count": true})).await;
    assert_eq!((&counted["total"], &counted["runs"]), (&json!(2), &json!([])));
    let whole = search(&app, json!({"filter": "tags.team = 'a' AND start_time = 1"})).await;
    let run = &whole["runs"][0];
    assert_eq!(
        (&run["run_id"], &run["status"], &run["lifecycle"]),
        (&json!(ids[1]), &json!("RUNNING"), &json!("active"))
    );
    assert_eq!((&run["params"]["optimizer"], &run["tags"]["team"]), (&json!("it's \"sgd\""), &json!("a")));
    assert_eq!((run.get("end_time"), run.get("duration"), &run["datasets"]), (None, None, &json!([])));
    assert_eq!(search(&app, json!({"experiments": []})).await["runs"], json!([]));
    // MLflow's own call takes the whole language too.
    let body = json!({"experiment_ids": ["0"], "filter": "(metrics.`val/loss` >= 4 OR tags.team = 'a') AND params.optimizer RLIKE 'sgd'"});
    let found = app.post(&format!("{API}/runs/search"), &body).await.expect(200);
    assert_eq!(found["runs"].as_array().unwrap().len(), 2);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_what_a_search_can_name() {
    let (app, ids) = with_runs().await;
    let body = json!({
        "group_by": ["params.optimizer", "tags.team"], "aggregates": ["metrics.`val/loss`", "duration"],
        "order_by": ["metrics.`val/loss`"], "order_groups_by": ["count DESC", "max(metrics.`val/loss`) DESC"], "count": true,
    });
    let found = search(&app, body).await;
    assert_eq!((&found["total"], &found["total_runs"], &found["offset"]), (&json!(4), &json!(6), &json!(0)));
    let group = &found["groups"][0];
    assert_eq!((&group["key"], &group["runs"]), (&json!(["it's \"sgd\"", null]), &json!(2)));
    assert_eq!((&group["first_run"], &group["last_run"]), (&json!(ids[3]), &json!(ids[5])));
    let told = json!({"count": 2, "nan": 0, "min": 3.0, "max": 5.0, "mean": 4.0, "first": 3.0, "last": 5.0});
    assert_eq!(group["aggregates"]["metrics.`val/loss`"], told);
    let none =
        json!({"count": 0, "nan": 0, "min": null, "max": null, "mean": null, "first": null, "last": null});
    assert_eq!(group["aggregates"]["duration"], none);
    let inside = search(&app, json!({"filter": group["filter"], "columns": ["run_name"]})).await;
    assert_eq!(names(&inside), ["run-5", "run-3"]);
    let told = &found["groups"][1]["aggregates"]["metrics.`val/loss`"];
    assert_eq!((&told["count"], &told["nan"], &told["last"]), (&json!(1), &json!(1), &json!(2.0)));

    let known = app
        .post("/api/v1/runs/columns", &json!({"kinds": ["metrics", "params", "tags"], "prefix": "T"}))
        .await;
    let team = json!([{"column": "tags.team", "kind": "tags", "key": "team", "runs": 2}]);
    assert_eq!(known.expect(200), json!({"columns": team, "total": 1, "runs": 6}));
    let known = app.post("/api/v1/runs/columns", &json!({"kinds": ["metrics"]})).await.expect(200);
    assert_eq!(known["columns"][0]["column"], "metrics.`val/loss`");
    let body = json!({"column": "param.optimizer", "prefix": "IT"});
    let values = app.post("/api/v1/runs/columns/values", &body).await.expect(200);
    let filter = r#"params.optimizer = E'it\'s "sgd"'"#;
    let sgd = json!([{"value": "it's \"sgd\"", "runs": 3, "filter": filter}]);
    let told =
        json!({"column": "params.optimizer", "values": sgd, "total": 1, "with_value": 6, "without_value": 0});
    assert_eq!(values, told);
    assert_eq!(search(&app, json!({"filter": filter})).await["runs"].as_array().unwrap().len(), 3);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_where_and_what_to_do() {
    let app = TestApp::start().await;
    for (body, code, position, begins) in [
        (json!({"filter": "metrics.a > 1 AND ("}), "invalid-filter", Some(19), "filter: Invalid clause(s)"),
        (
            json!({"filter": "metrics.a > 1 OR foo = 'x'"}),
            "invalid-filter",
            Some(17),
            "filter: Invalid attribute key 'foo'",
        ),
        (json!({"order_by": ["metrics.a UP"]}), "invalid-filter", Some(10), "order_by: Invalid clause(s)"),
        (
            json!({"columns": ["datasets.name"]}),
            "invalid-filter",
            None,
            "columns: 'datasets.name' cannot stand here",
        ),
        (
            json!({"group_by": ["metrics.a"]}),
            "invalid-filter",
            None,
            "group_by: 'metrics.a' cannot stand here",
        ),
        (
            json!({"group_by": ["status"], "columns": []}),
            "invalid-argument",
            None,
            "'columns' cannot stand with 'group_by'",
        ),
        (
            json!({"aggregates": ["metrics.a"]}),
            "invalid-argument",
            None,
            "'aggregates' says nothing without 'group_by'",
        ),
        (json!({"limit": 10_001}), "invalid-argument", None, "'limit' is a whole number from 0 to 10000"),
        (json!({"page_token": "00"}), "invalid-argument", None, "the page token"),
        (json!({"experiments": ["x"]}), "invalid-argument", None, "Invalid experiment ID"),
        (json!({"fliter": ""}), "malformed-body", None, "the body cannot be read: unknown field `fliter`"),
    ] {
        let problem = app.post("/api/v1/runs/search", &body).await.expect(400);
        let position = position.map_or(Value::Null, |at: usize| json!(at));
        assert_eq!((&problem["code"], &problem["position"]), (&json!(code), &position), "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(begins), "{body}: {problem}");
    }
    let values = json!({"column": "metrics.a"});
    assert_eq!(app.post("/api/v1/runs/columns/values", &values).await.problem(400), "invalid-filter");
    app.platform.close().await;
}

/// What a page offers is what its reader may do; a deleted run says that it is one.
#[tokio::test(flavor = "multi_thread")]
async fn pages_offer_what_their_reader_may_do() {
    let (app, ids) = with_runs().await;
    let page = format!("/runs/{}", ids[0]);
    app.act_as(with_role(Role::Viewer, "default"));
    for address in [page.as_str(), "/experiments/0", "/runs"] {
        let text = app.get(address).await.text();
        assert!(text.contains("data-may=\"\""), "{address}: {text}");
    }
    let mut levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Experiment, &Pattern::new("0"), Level::Edit);
    let editor = with_role(Role::Viewer, "default").grants;
    app.act_as(Principal::new(Actor::user("ada"), editor).with_permissions(Arc::new(levels)));
    for (address, may) in [(page.as_str(), "write"), ("/experiments/0", "write"), ("/runs", "")] {
        let text = app.get(address).await.text();
        assert!(text.contains(&format!("data-may=\"{may}\"")), "{address}: {text}");
    }
    app.act_as(with_role(Role::Admin, "default"));
    assert!(app.get(&page).await.text().contains("data-may=\"write delete\""));
    app.post(&format!("{API}/runs/delete"), &json!({"run_id": ids[0]})).await.expect(200);
    app.post(
        &format!("{API}/runs/set-tag"),
        &json!({"run_id": ids[1], "key": "mlflow.parentRunId", "value": ids[0]}),
    )
    .await
    .expect(200);
    assert!(app.get(&page).await.text().contains("This run is deleted."));
    let child = app.get(&format!("/runs/{}", ids[1])).await.text();
    assert!(child.contains("run-0</a>, which is deleted"), "{child}");
    let listed = async |stage: &str| app.get(&format!("/experiments/0?stage={stage}")).await.text();
    let shown = |text: &str| (text.contains("run-0</a>"), text.contains("run-1</a>"));
    assert_eq!(shown(&listed("active").await), (false, true));
    assert_eq!(shown(&listed("deleted").await), (true, false));
    assert_eq!(shown(&listed("all").await), (true, true));
    app.platform.close().await;
}
