//! Runs, experiments, models, prompts and traces as a person at a terminal finds them, and runs that are done again.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::program::{Data, Running};

/// The server's address, once it listens.
async fn server(data: &Data) -> (Running, String) {
    let running = Running::start(data.mainstay(&["up", "--listen", "127.0.0.1:0"]));
    let file = data.path().join("server.json");
    data.wait_for("the server", |_| file.exists()).await;
    let told: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    (running, told["url"].as_str().unwrap().trim_start_matches("http://").to_owned())
}

/// Sends JSON as a client does.
fn post(address: &str, path: &str, headers: &str, body: &Value) -> Value {
    let (mut stream, body) = (TcpStream::connect(address).unwrap(), body.to_string());
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = BufReader::new(stream);
    let (mut status, mut length) = (String::new(), 0);
    answer.read_line(&mut status).unwrap();
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(given) = line.to_lowercase().strip_prefix("content-length:") {
            length = given.trim().parse().unwrap();
        }
    }
    let mut text = vec![0; length];
    answer.read_exact(&mut text).unwrap();
    assert!(status.contains(" 200 "), "{path}: {status} {}", String::from_utf8_lossy(&text));
    serde_json::from_slice(&text).unwrap_or_default()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// A run with a parameter and a metric; its id.
fn log_run(address: &str, experiment: &str, name: &str, (lr, loss): (&str, f64)) -> String {
    let api = |call: &str, body: &Value| post(address, &format!("/api/2.0/mlflow/{call}"), "", body);
    let run =
        api("runs/create", &json!({ "experiment_id": experiment, "run_name": name, "start_time": 1_000 }));
    let id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let batch = json!({
        "run_id": id, "params": [{ "key": "lr", "value": lr }, { "key": "depth", "value": "3" }],
        "metrics": [{ "key": "loss", "value": loss, "timestamp": 1, "step": 7 }],
        "tags": [{ "key": "team", "value": "ops" }],
    });
    api("runs/log-batch", &batch);
    api("runs/update", &json!({ "run_id": id, "status": "FINISHED", "end_time": 3_500 }));
    id
}

#[tokio::test]
async fn runs_and_experiments_are_listed_shown_and_compared() {
    let data = Data::new();
    let (_server, address) = server(&data).await;
    let created = post(&address, "/api/2.0/mlflow/experiments/create", "", &json!({ "name": "flights" }));
    let experiment = created["experiment_id"].as_str().unwrap();
    let first = log_run(&address, experiment, "one", ("0.1", 0.5));
    let second = log_run(&address, experiment, "two", ("0.2", 0.25));

    let listed =
        printed(&data.output(&["runs", "list", "--experiment", "flights", "--order-by", "metrics.loss ASC"]));
    let names: Vec<&str> = listed.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!(names, ["two", "one"], "{listed}");
    assert!(
        listed.starts_with(&format!(
            "{second}\ttwo\tflights\tFINISHED\t1970-01-01T00:00:01Z\t2.5 s\tloss=0.25"
        ))
    );
    let by_id =
        ["runs", "list", "--experiment", experiment, "--filter", "params.lr = '0.1' OR metrics.loss > 9"];
    let columns = ["--columns", "run_name,params.*", "--limit", "1"];
    assert_eq!(
        printed(&data.output(&[&by_id[..], &columns[..]].concat())),
        format!("{first}\tone\t3\t0.1\n")
    );
    let all = json_of(&data.output(&["runs", "list", "--json"]));
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(all["items"][0]["params"]["depth"], "3");

    let shown = printed(&data.output(&["runs", "show", &first[..6]]));
    for part in [
        "experiment  flights (",
        "status      FINISHED",
        "duration    2.5 s",
        "lr     0.1",
        "loss  0.5     7",
        "team  ops",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let document = json_of(&data.output(&["runs", "show", "two", "--json"]));
    assert_eq!(
        (&document["info"]["run_id"], &document["experiment_name"]),
        (&json!(second), &json!("flights"))
    );
    let compared = printed(&data.output(&["runs", "compare", "one", "two"]));
    assert!(compared.contains("param\tlr\t0.1\t0.2\n") && !compared.contains("depth"), "{compared}");

    let experiments = printed(&data.output(&["experiments", "list", "--filter", "name LIKE 'fl%'"]));
    assert!(experiments.starts_with(&format!("flights\t{experiment}\t")), "{experiments}");
    let shown = json_of(&data.output(&["experiments", "show", "flights", "--json"]));
    assert_eq!(
        (&shown["runs"]["FINISHED"], &shown["newest"][0]["experiment_id"]),
        (&json!(2), &json!(experiment))
    );
    assert!(printed(&data.output(&["experiments", "show", experiment])).contains("FINISHED  2"));
}

#[tokio::test]
async fn what_is_not_there_is_answered_with_what_was_meant() {
    let data = Data::new();
    let (_server, address) = server(&data).await;
    post(&address, "/api/2.0/mlflow/experiments/create", "", &json!({ "name": "flights" }));
    post(&address, "/api/2.0/mlflow/registered-models/create", "", &json!({ "name": "delay" }));
    for (arguments, code, part) in [
        (&["runs", "list", "--experiment", "flihgts"][..], 3, "did you mean 'flights'"),
        (&["experiments", "show", "flight"], 3, "did you mean 'flights'"),
        (&["models", "show", "delais"], 3, "did you mean 'delay'"),
        (&["models", "show", "delay@champion"], 3, "no alias 'champion'"),
        (&["prompts", "show", "delay"], 3, "there is no prompt 'delay'"),
        (&["traces", "show", "tr-1"], 3, "`mainstay traces list` shows them"),
        (&["models", "show", "delay/9"], 3, "model 'delay' has no version 9; `mainstay models show delay`"),
        (&["why", "delay/9"], 3, "model 'delay' has no version 9"),
        (&["retention", "preview", "--kind", "runs", "--experiment", "flihgts"], 3, "did you mean 'flights'"),
        (&["runs", "show", "nothing"], 3, "mainstay runs list"),
        (&["runs", "compare", "one"], 2, "RUN"),
        (&["runs", "list", "--filter", "metrics.loss <"], 2, ""),
        (&["runs", "list", "--server", "http://127.0.0.1:1"], 1, "mainstay up"),
        (&["completion", "tcsh"], 2, "bash"),
    ] {
        let (found, said) = said(&data.output(arguments));
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let script = printed(&data.output(&["completion", "bash"]));
    assert!(script.contains("reproduce") && !script.contains("__spawner"));
}

#[tokio::test]
async fn models_prompts_and_traces_are_listed_and_shown() {
    let data = Data::new();
    let (_server, address) = server(&data).await;
    let api = |call: &str, body: &Value| post(&address, &format!("/api/2.0/mlflow/{call}"), "", body);
    let prompt = json!([{ "key": "mlflow.prompt.is_prompt", "value": "true" }]);
    api("registered-models/create", &json!({ "name": "greeting", "tags": prompt }));
    let text = json!([
        { "key": "mlflow.prompt.is_prompt", "value": "true" },
        { "key": "mlflow.prompt.text", "value": "Hello {{name}}" },
    ]);
    api("model-versions/create", &json!({ "name": "greeting", "source": "dummy-source", "tags": text }));
    api("registered-models/create", &json!({ "name": "delay" }));

    let models = json_of(&data.output(&["models", "list", "--json"]));
    assert_eq!(models["items"].as_array().unwrap().len(), 1, "a prompt is no model");
    assert!(printed(&data.output(&["models", "show", "delay"])).starts_with("model delay\n"));
    assert!(
        printed(&data.output(&["prompts", "list", "--filter", "name LIKE 'gr%'"])).starts_with("greeting\t")
    );
    let shown = printed(&data.output(&["prompts", "show", "greeting/1"]));
    assert!(shown.contains("version 1") && shown.contains("  Hello {{name}}"), "{shown}");
    let shown = json_of(&data.output(&["prompts", "show", "greeting", "--json"]));
    assert_eq!(shown["versions"][0]["text"], "Hello {{name}}");

    let span = |id: u8, parent: Option<u8>, name: &str, (start, end): (&str, &str)| {
        json!({
            "traceId": format!("{:032x}", 5), "spanId": format!("{id:016x}"), "name": name,
            "parentSpanId": parent.map(|parent| format!("{parent:016x}")),
            "startTimeUnixNano": start, "endTimeUnixNano": end,
        })
    };
    let spans = [
        span(1, None, "agent", ("1700000000000000000", "1700000002000000000")),
        span(2, Some(1), "lookup", ("1700000001000000000", "1700000001500000000")),
    ];
    let export = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    post(&address, "/v1/traces", "x-mlflow-experiment-id: 0\r\n", &export);
    let listed = json_of(&data.output(&["traces", "list", "--experiment", "Default", "--json"]));
    let id = listed["items"][0]["trace_id"].as_str().unwrap();
    let rows = printed(&data.output(&["traces", "list"]));
    assert!(rows.contains("2 s") && rows.contains("agent"), "{rows}");
    let said = json!({ "assessment": { "assessment_name": "expected", "source": { "source_type": "HUMAN", "source_id": "ann" },
        "expectation": { "serialized_value": { "serialization_format": "JSON_FORMAT", "value": "{\"a\": 1}" } } } });
    post(&address, &format!("/api/3.0/mlflow/traces/{id}/assessments"), "", &said);
    let failed = json!({ "assessment": { "assessment_name": "judged", "source": { "source_type": "CODE", "source_id": "j" },
        "feedback": { "error": { "error_code": "ValueError", "error_message": "judge failed" } } } });
    post(&address, &format!("/api/3.0/mlflow/traces/{id}/assessments"), "", &failed);
    let shown = printed(&data.output(&["traces", "show", &id[..12]]));
    assert!(
        shown.contains("expected  {\"a\":1}") && shown.contains("failed: ValueError: judge failed"),
        "{shown}"
    );
    assert!(
        shown.contains("  agent ") && shown.contains("    lookup ") && shown.contains("500 ms  "),
        "{shown}"
    );
}

#[tokio::test]
async fn figures_are_whole_and_those_that_differ_look_different() {
    let data = Data::new();
    let (_server, address) = server(&data).await;
    let first = log_run(&address, "0", "t0", ("0.1", 0.999_976));
    let second = log_run(&address, "0", "t1", ("0.1", 0.999_98));
    let api = |call: &str, body: &Value| post(&address, &format!("/api/2.0/mlflow/{call}"), "", body);
    for (run, count) in [(&first, 7_241_732_096.0), (&second, 7_241_732_097.0)] {
        let metric =
            |key: &str, value: Value| json!({ "key": key, "value": value, "timestamp": 1, "step": 0 });
        let metrics = [
            metric("n_params", json!(count)),
            metric("low", json!("-Infinity")),
            metric("none", json!("NaN")),
            metric("largest", json!(f64::MAX)),
        ];
        api("runs/log-batch", &json!({ "run_id": run, "metrics": metrics }));
    }
    let shown = printed(&data.output(&["runs", "show", "t0"]));
    for part in [
        "loss      0.999976",
        "n_params  7241732096",
        "low       -Infinity",
        "none      NaN",
        "1.7976931348623157e308",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let compared = printed(&data.output(&["runs", "compare", "t0", "t1"]));
    assert!(compared.contains("metric\tloss\t0.999976\t0.99998\n"), "{compared}");
    assert!(compared.contains("metric\tn_params\t7241732096\t7241732097\n"), "{compared}");
    let listed = printed(&data.output(&["runs", "list", "--columns", "metrics.loss,metrics.low"]));
    assert!(listed.contains("\t0.999976\t-Infinity") && listed.contains("\t0.99998\t-Infinity"), "{listed}");
}

#[tokio::test]
async fn what_is_deleted_is_listed_and_what_is_not_is_not_purged_by_mistake() {
    let data = Data::new();
    let (_server, address) = server(&data).await;
    let created = post(&address, "/api/2.0/mlflow/experiments/create", "", &json!({ "name": "tries" }));
    let experiment = created["experiment_id"].as_str().unwrap();
    let kept = log_run(&address, experiment, "kept", ("0.1", 0.5));
    let gone = log_run(&address, experiment, "gone", ("0.1", 0.5));
    post(&address, "/api/2.0/mlflow/runs/delete", "", &json!({ "run_id": gone }));
    let ids = |arguments: &[&str]| {
        let listed =
            printed(&data.output(&[&["runs", "list", "--columns", "run_name"][..], arguments].concat()));
        listed.lines().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&[]), ids(&["--deleted"])), (vec!["kept".to_owned()], vec!["gone".to_owned()]));
    assert_eq!(ids(&["--all"]).len(), 2);
    let counted = printed(&data.output(&["experiments", "list", "--order-by", "name ASC"]));
    let counts: Vec<&str> = counted.lines().map(|line| line.split('\t').nth(2).unwrap()).collect();
    assert_eq!(counts, ["0", "1"], "{counted}");

    let (code, why) = said(&data.output(&["purge", "run:kept", "--yes"]));
    assert_eq!(code, Some(2), "{why}");
    assert!(
        why.contains(&format!("run {kept} (kept) is not deleted yet")) && why.contains("--not-deleted"),
        "{why}"
    );
    let (code, why) = said(&data.output(&["purge", "experiment:tries", "--yes"]));
    assert!(code == Some(2) && why.contains("(tries) is not deleted yet"), "{why}");
    let (code, why) = said(&data.output(&["purge", &format!("run:{}", &gone[..8]), "--yes"]));
    assert!(code == Some(3) && why.contains("whole id"), "{why}");
    let looked = data.output(&["purge", "run:kept", "run:gone", "--dry-run"]);
    assert!(
        said(&looked).1.contains("not deleted yet: run") && printed(&looked).contains("would go: 2 runs")
    );
    printed(&data.output(&["purge", "run:gone", "--yes"]));
    printed(&data.output(&["purge", "run:kept", "--yes", "--not-deleted"]));
    assert!(ids(&["--all"]).is_empty());
}

#[tokio::test]
async fn limits_that_are_not_mentioned_stay() {
    let data = Data::new();
    let (_server, _address) = server(&data).await;
    let quotas =
        |arguments: &[&str]| json_of(&data.output(&[&["quotas"][..], arguments, &["--json"]].concat()));
    let free = printed(&data.output(&["quotas", "show"]));
    assert!(
        free.contains("experiments\t1\tno limit\n") && free.contains("artifacts\tnot measured\tno limit\n"),
        "{free}"
    );
    quotas(&["set", "--runs", "5", "--artifact-bytes", "10GiB"]);
    let set = quotas(&["set", "--experiments", "5000"]);
    let expected =
        json!({ "experiments": 5000, "runs": 5, "traces_per_day": null, "artifact_bytes": 10_u64 << 30 });
    assert_eq!(set["limits"], expected);
    assert_eq!(data.output(&["quotas", "set"]).status.code(), Some(2));
    let lifted = quotas(&["set", "--runs", "none"]);
    assert_eq!((&lifted["limits"]["runs"], &lifted["limits"]["experiments"]), (&Value::Null, &json!(5000)));
}

/// The id of the run of a pipeline file that succeeds.
fn run(data: &Data, file: &Path) -> String {
    let output = data.output(&["run", file.to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    json_of(&output)["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_is_done_again_and_compared() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("sum.yaml");
    std::fs::write(folder.path().join("numbers"), "1\n2\n").unwrap();
    std::fs::write(folder.path().join("uv.lock"), "version = 1\n").unwrap();
    let pipeline = "vars: [{seed: 7}]\nstages:\n  sum:\n    cmd: 'cat numbers numbers > twice'\n    deps: [numbers]\n    outs: [twice]\n  \
        count:\n    cmd: 'echo {\\\"lines\\\": 4} > m.json'\n    deps: [twice]\n    metrics: [m.json]\n";
    std::fs::write(&file, pipeline).unwrap();
    let first = run(&data, &file);
    let told = json_of(&data.output(&["pipelines", "runs", "--run", &first, "--json"]));
    let sum = told["steps"].as_array().unwrap().iter().find(|step| step["name"] == "sum").unwrap();
    let found = &sum["output"]["circumstances"];
    assert!(found["files"]["numbers"].as_str().unwrap().starts_with("sha256:"), "{found}");
    assert!(
        found["locks"]["uv.lock"].is_string() && found["hardware"]["cores"].as_u64() > Some(0),
        "{found}"
    );
    assert_eq!(found["seed"], 7);

    let again = data.output(&["runs", "reproduce", &first, "--json"]);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    let again = json_of(&again);
    assert_eq!((&again["outcome"], &again["run"]), (&json!("equal"), &json!(first)));
    assert_eq!(again["computed"], json!(["count", "sum"]), "no earlier result stands for what is done again");

    std::fs::write(folder.path().join("numbers"), "3\n").unwrap();
    let (code, why) = said(&data.output(&["runs", "reproduce", &first]));
    assert_eq!(code, Some(6), "{why}");
    assert!(why.contains("step 'sum' read numbers") && why.contains("now"), "{why}");
    let (code, why) = said(&data.output(&["runs", "reproduce", &"0".repeat(32)]));
    assert_eq!(code, Some(3), "{why}");
}

#[test]
fn a_run_that_comes_to_something_else_says_what() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("draw.yaml");
    let draw = "stages: {draw: {cmd: 'cat /proc/sys/kernel/random/uuid > drawn', outs: [drawn]}}";
    std::fs::write(&file, draw).unwrap();
    let first = run(&data, &file);
    let again = data.output(&["runs", "reproduce", &first]);
    assert_eq!(again.status.code(), Some(5), "{}", String::from_utf8_lossy(&again.stderr));
    let page = String::from_utf8(again.stdout).unwrap();
    assert!(page.starts_with("different: ") && page.contains("output  draw  drawn  sha256:"), "{page}");
}

#[test]
fn code_that_is_not_there_any_more_is_named() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"];
        let done =
            Command::new("git").args(name).args(arguments).current_dir(folder.path()).output().unwrap();
        printed(&done).trim().to_owned()
    };
    let file = folder.path().join("code.yaml");
    std::fs::write(folder.path().join("code.sh"), "echo 1 > out\n").unwrap();
    std::fs::write(&file, "stages: {a: {cmd: sh code.sh, outs: [out]}}").unwrap();
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let clean = run(&data, &file);
    // What the pipeline writes is no change of its code, even if somebody keeps it under version control.
    git(&["add", "out"]);
    assert_eq!(data.output(&["runs", "reproduce", &clean]).status.code(), Some(0));

    std::fs::write(folder.path().join("code.sh"), "echo 2 > out\n").unwrap();
    let (code, why) = said(&data.output(&["runs", "reproduce", &clean]));
    assert_eq!(code, Some(6), "{why}");
    assert!(why.contains(&commit) && why.contains("git checkout"), "{why}");
    let changed = run(&data, &file);
    let (code, why) = said(&data.output(&["runs", "reproduce", &changed]));
    assert_eq!(code, Some(6), "{why}");
    assert!(why.contains("not committed"), "{why}");
}
