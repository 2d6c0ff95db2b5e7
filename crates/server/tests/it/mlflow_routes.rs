//! Every route of a stock MLflow 3.18 is answered: served, or refused with 501 and listed in the documentation.

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use crate::app::TestApp;

const STOCK: &str = include_str!("../../../mlflow/tests/reference/routes-3.18.txt");
const DOCUMENTED: &str = include_str!("../../../../docs/mlflow-compatibility.md");

/// The files of stock's own pages, and an address that is misspelt there.
const NOT_OURS: [&str; 4] = [
    "/build/",
    "/static-files/",
    "/api/2.0mlflow/experiments/search-datasets",
    "/ajax-api/2.0mlflow/experiments/search-datasets",
];

fn rows() -> impl Iterator<Item = (Method, &'static str)> {
    let lines = STOCK.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (method, path) = line.split_once(' ').unwrap();
        (method.parse().unwrap(), path)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_routes_are_served_or_refused() {
    let app = TestApp::start().await;
    let (mut served, mut refused) = (0, BTreeSet::new());
    for (method, path) in rows() {
        let concrete: Vec<String> = path
            .split('/')
            .map(|part| match (part.find('{'), part.find('}')) {
                (Some(from), Some(to)) => format!("{}x{}", &part[..from], &part[to + 1..]),
                _ => part.to_owned(),
            })
            .collect();
        let address = concrete.join("/");
        let json = [("content-type", "application/json")];
        let answer = match method {
            Method::GET => app.send(method.clone(), &address, &[], "").await,
            _ => app.send(method.clone(), &address, &json, "{}").await,
        };
        let (status, text) = (answer.status, answer.text());
        let is_ours = !NOT_OURS.iter().any(|prefix| path.starts_with(prefix));
        let is_bare = status == StatusCode::NOT_FOUND && text.is_empty();
        let is_routed = !is_bare && !text.contains("there is no route") && !text.contains("does not take");
        assert_eq!(is_routed, is_ours, "{method} {path}: {status} {text}");
        if status == StatusCode::NOT_IMPLEMENTED && text.contains("is not implemented by this server") {
            assert!(text.contains("\"NOT_IMPLEMENTED\""), "{method} {path}: {text}");
            refused.insert(prefix(path));
        } else if is_ours {
            served += 1;
        }
    }
    assert!(served > 300, "{served} are served");
    let listed = |path: &String| DOCUMENTED.contains(&format!("`{path}"));
    let forgotten: Vec<&String> = refused.iter().filter(|path| !listed(path)).collect();
    assert!(forgotten.is_empty(), "docs/mlflow-compatibility.md does not list {forgotten:?}");
    app.platform.close().await;
}

/// What the documentation names of a refused path: its first part after MLflow's own prefixes.
fn prefix(path: &str) -> String {
    let roots = ["/api/3.0/mlflow/", "/ajax-api/3.0/mlflow/", "/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"];
    match roots.iter().find_map(|root| path.strip_prefix(root)) {
        Some(rest) => rest.split('/').next().unwrap_or_default().to_owned(),
        None if path.starts_with("/ajax-api/3.0/jobs") => "/ajax-api/3.0/jobs".to_owned(),
        None => path.split('/').take(2).collect::<Vec<_>>().join("/"),
    }
}
