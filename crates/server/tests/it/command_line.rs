//! The command line as scripts use it: the same commands with a server and without one, and exit codes.

use std::io::{Read as _, Write as _};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::program::{Data, Running};

const HELLO: &str = "stages:\n  hello:\n    cmd: echo hello\n  ask:\n    cmd: echo asked\n    needs: hello\n    approve: {timeout: 1d}\n";

/// What a command that must succeed printed.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(data: &Data, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&printed(&data.output(&arguments))).unwrap()
}

/// Waits until the server on this data listens.
async fn server(data: &Data) -> Running {
    server_with(data, "local").await
}

async fn server_with(data: &Data, auth: &str) -> Running {
    let server = Running::start(data.mainstay(&["up", "--listen", "127.0.0.1:0", "--auth", auth]));
    for _ in 0..6_000 {
        if data.path().join("server.json").exists() {
            return server;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited a minute for the server");
}

#[test]
fn what_lets_somebody_in_may_be_the_first_that_is_done() {
    let data = Data::new();
    let made = data.output(&["token", "create", "--label", "first", "--role", "admin"]);
    assert!(String::from_utf8_lossy(&made.stderr).contains("a new data directory: "));
    assert!(printed(&made).len() > 20);
    let again = data.output(&["token", "create", "--label", "second", "--role", "viewer"]);
    assert!(!String::from_utf8_lossy(&again.stderr).contains("a new data directory: "));
    assert_eq!(json(&data, &["token", "list"])["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn commands_are_the_same_with_a_server_and_without_one() {
    let data = Data::new();
    let missing = data.output(&["models", "list"]);
    assert_eq!(missing.status.code(), Some(3), "an empty directory is no data directory");

    let running = server(&data).await;
    let made = json(&data, &["token", "create", "--label", "ci", "--role", "viewer"]);
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(made["token"].as_str().unwrap().len() > 20);
    let with_server = json(&data, &["token", "list"]);
    assert_eq!(with_server["items"][0]["label"], "ci");
    // As by `kill -9`: the address of the server stays behind, and is not believed.
    drop(running);
    assert!(data.path().join("server.json").exists());
    assert_eq!(json(&data, &["token", "list"]), with_server);
    assert!(!data.path().join("server.json").exists());

    printed(&data.output(&["token", "revoke", &id]));
    assert_eq!(printed(&data.output(&["token", "list"])), "");
    assert_eq!(data.output(&["token", "revoke", &"0".repeat(32)]).status.code(), Some(3));
    for kind in ["runs", "models", "endpoints", "pipelines", "datasets", "features"] {
        assert_eq!(json(&data, &[kind, "list"])["items"], Value::Array(Vec::new()), "{kind}");
        assert_eq!(printed(&data.output(&[kind, "list"])), "", "{kind}");
        let nothing = data.output(&[kind, "show", "11111111111111111111111111111111"]);
        assert_eq!(nothing.status.code(), Some(3), "{kind}: {}", String::from_utf8_lossy(&nothing.stderr));
    }
    let refused = data.output(&["endpoints", "rollback", "none", "--reason", "it is slow"]);
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(data.output(&["endpoints", "rollback", "none"]).status.code(), Some(2), "a reason is missing");
    assert_eq!(data.output(&["models", "list", "--server", "box:1"]).status.code(), Some(2));
}

#[tokio::test]
async fn a_server_that_asks_for_tokens_is_shown_the_one_in_the_environment() {
    let data = Data::new();
    let pipeline = data.path().join("hello.yaml");
    std::fs::write(&pipeline, "stages: {hello: {cmd: echo hello}}").unwrap();
    printed(&data.output(&["run", pipeline.to_str().unwrap()]));
    let token = printed(&data.output(&["token", "create", "--label", "reader", "--role", "viewer"]));
    let _server = server_with(&data, "required").await;
    let refused = data.output(&["pipelines", "runs"]);
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    let with_token =
        |arguments: &[&str]| data.mainstay(arguments).env("MAINSTAY_TOKEN", token.trim()).output().unwrap();
    let runs = printed(&with_token(&["pipelines", "runs"]));
    assert_eq!(runs.split('\t').nth(2), Some("succeeded"), "{runs}");
    let refused = with_token(&["token", "create", "--label", "more", "--role", "admin"]);
    assert_eq!(refused.status.code(), Some(4));
}

#[tokio::test]
async fn a_person_is_known_by_name_and_password_and_is_granted_levels() {
    let data = Data::new();
    let create = |name: &str, password: &str, more: &[&str], environment: &[(&str, &str)]| {
        let mut command = data.mainstay(&[&["users", "create", name][..], more].concat());
        command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        printed(&child.wait_with_output().unwrap())
    };
    create("root", "a p@ss/word of root", &["--admin"], &[]);
    let _server = server_with(&data, "required").await;
    let root = [("MAINSTAY_USERNAME", "root"), ("MAINSTAY_PASSWORD", "a p@ss/word of root")];
    create("ann", "a password of hers", &[], &root);
    let ann = [("MLFLOW_TRACKING_USERNAME", "ann"), ("MLFLOW_TRACKING_PASSWORD", "a password of hers")];
    let by =
        |who: [(&str, &str); 2], arguments: &[&str]| data.mainstay(arguments).envs(who).output().unwrap();
    let experiments = |who| printed(&by(who, &["experiments", "list"]));
    let refused = by(ann, &["experiments", "list"]);
    assert_eq!(refused.status.code(), Some(4), "known, and nothing was granted yet");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("user:ann"));

    assert_eq!(
        printed(&by(root, &["users", "grant", "ann", "read", "--experiment", "Default"])),
        "ann has READ on experiment Default\n"
    );
    assert!(experiments(ann).starts_with("Default\t0\t"));
    let raised = by(root, &["users", "grant", "ann", "DENY", "--experiment", "0", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&printed(&raised)).unwrap()["permission"], "DENY");
    assert_eq!(experiments(ann), "");
    printed(&by(root, &["users", "revoke", "ann", "--experiment", "Default"]));
    printed(&by(root, &["users", "grant", "ann", "--role", "viewer"]));
    assert!(experiments(ann).starts_with("Default\t0\t0\t"));
    printed(&by(root, &["users", "revoke", "ann", "--role", "viewer"]));
    assert_eq!(by(ann, &["users", "grant", "ann", "MANAGE", "--everything"]).status.code(), Some(4));
    assert_eq!(by(root, &["users", "grant", "ann", "READ", "--model", "none"]).status.code(), Some(3));

    let told: Value =
        serde_json::from_slice(&std::fs::read(data.path().join("server.json")).unwrap()).unwrap();
    let host = told["url"].as_str().unwrap().trim_start_matches("http://");
    let named =
        |person: &str| data.output(&["users", "list", "--server", &format!("http://{person}@{host}")]);
    assert!(printed(&named("root:a%20p%40ss%2Fword%20of%20root")).contains("ann\t"));
    for wrong in ["root:s3cret", "root", "root:s3cret%4"] {
        let refused = named(wrong);
        assert!(matches!(refused.status.code(), Some(2 | 4)), "{wrong}");
        assert!(!String::from_utf8_lossy(&refused.stderr).contains("s3cret"), "{wrong}");
    }
}

/// The run is cancelled, and nobody is told of trouble that is none.
#[tokio::test]
async fn a_run_that_is_stopped_with_ctrl_c_says_so_and_no_more() {
    let data = Data::new();
    let (pipeline, begun) = (data.path().join("slow.yaml"), data.path().join("begun"));
    std::fs::write(&pipeline, format!("stages: {{slow: {{cmd: 'touch {}; sleep 600'}}}}", begun.display()))
        .unwrap();
    let mut command = data.mainstay(&["run", pipeline.to_str().unwrap(), "--data"]);
    let child =
        command.arg(data.path().join("data")).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..6_000 {
        if begun.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.starts_with("cancelled · run ") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn a_server_listens_on_the_name_of_this_machine() {
    let data = Data::new();
    let _server = Running::start(data.mainstay(&["up", "--listen", "localhost:0"]));
    data.wait_for("the server", |_| data.path().join("server.json").exists()).await;
    assert_eq!(json(&data, &["models", "list"])["items"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_person_approves_what_they_have_seen() {
    let data = Data::new();
    let pipeline = data.path().join("hello.yaml");
    std::fs::write(&pipeline, HELLO).unwrap();
    let run = data.output(&["run", pipeline.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("ask waits for a person") && said.contains("under `mainstay up`"), "{said}");
    let _server = server(&data).await;

    let waiting = json(&data, &["approve", "list"]);
    let request = &waiting["items"][0];
    let (id, digest) = (request["id"].as_str().unwrap(), request["digest"].as_str().unwrap());
    assert_eq!(data.output(&["approve", id]).status.code(), Some(2), "nobody was asked and nothing was said");
    let other = format!("sha256:{}", "0".repeat(64));
    assert_eq!(data.output(&["approve", id, "--digest", &other]).status.code(), Some(4));
    assert_eq!(data.output(&["approve", &"0".repeat(32), "--yes"]).status.code(), Some(3));
    let done = data.output(&["approve", id, "--digest", digest, "--reason", "it is what I wanted"]);
    assert_eq!(printed(&done).trim(), "approved");
    let shown = String::from_utf8(done.stderr).unwrap();
    assert!(shown.contains(digest) && shown.contains("hello"), "{shown}");
    data.wait_for("the end", |events| events.iter().any(|e| e.kind == "pipeline_run.finished")).await;

    let run = request["run"].as_str().unwrap();
    assert_eq!(printed(&data.output(&["pipelines", "logs", run, "ask", "--follow"])).trim(), "asked");
    let steps = printed(&data.output(&["pipelines", "runs", "--run", run]));
    assert!(steps.contains("hello\taccepted") && steps.contains("ask\taccepted"), "{steps}");
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_waits_for_no_open_page() {
    let data = Data::new();
    let mut running = server(&data).await;
    let known: Value =
        serde_json::from_slice(&std::fs::read(data.path().join("server.json")).unwrap()).unwrap();
    let address = known["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let mut page = std::net::TcpStream::connect(address).unwrap();
    page.write_all(b"GET /api/v1/events/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut head = [0; 12];
    page.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");

    let pid = running.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    // It waits 30 seconds for requests in flight.
    for _ in 0..2_000 {
        if let Some(status) = running.0.try_wait().unwrap() {
            assert!(status.success());
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited 20 seconds for the server to end");
}
