//! A week of real flights, from files to a judged, registered model; undisturbed, and under `kill -9`.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_core::event::RecordedEvent;

use crate::program::{Data, Running, demo};

/// The demonstration's pipeline over one week, judged on three days; small enough for a test.
const PIPELINE: &str = r#"
stages:
  flights:
    uses: import
    with: {dataset: flights, path: flights.parquet}
  weather:
    uses: import
    with: {dataset: weather, path: weather.parquet}
  planes:
    uses: import
    with: {dataset: planes, path: planes.parquet}
  check:
    uses: validate
    needs: [flights]
    with: {dataset: flights, suite: expectations.json}
  features:
    uses: features
    with: {project: flights, definitions: features.yaml}
  train:
    uses: train
    needs: [check, weather, planes, features]
    with:
      project: flights
      service: delay
      from: 2013-01-01T00:00:00Z
      until: 2013-01-08T00:00:00Z
      validation_days: 2
      max_trees: 10
  register:
    uses: register
    needs: [train]
    with: {model: flight-delay, digest: "${steps.train.digest}"}
  gate:
    uses: gate
    needs: [register]
    with:
      model: flight-delay
      version: "${steps.register.version}"
      digest: "${steps.register.digest}"
      project: flights
      service: delay
      from: 2013-01-08T00:00:00Z
      until: 2013-01-11T00:00:00Z
"#;

const STEPS: [&str; 8] = ["check", "features", "flights", "gate", "planes", "register", "train", "weather"];

/// Puts the pipeline beside the demonstration's files.
fn lay_out(directory: &Path) -> String {
    for file in ["flights.parquet", "weather.parquet", "planes.parquet", "features.yaml", "expectations.json"]
    {
        std::os::unix::fs::symlink(demo().join(file).canonicalize().unwrap(), directory.join(file)).unwrap();
    }
    let pipeline = directory.join("week.yaml");
    std::fs::write(&pipeline, PIPELINE).unwrap();
    pipeline.display().to_string()
}

/// What each accepted step gave: the digests, which tell everything that matters. Panics if a step was
/// accepted twice.
fn accepted(events: &[RecordedEvent]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == "step.accepted") {
        let body = event.body.as_ref().unwrap();
        let step = body["step"].as_str().unwrap().to_owned();
        let output = format!("{} {}", body["output"]["artifacts"], body["output"]["value"]["gates"]);
        assert_eq!(all.insert(step.clone(), output), None, "step {step} was accepted twice");
    }
    all
}

fn is_over(events: &[RecordedEvent]) -> bool {
    events.iter().any(|event| event.kind == "pipeline_run.finished")
}

#[tokio::test]
async fn a_week_of_flights_becomes_a_judged_model_and_the_record_holds() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    let pipeline = lay_out(folder.path());
    let run = data.output(&["run", &pipeline, "--json"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(summary["state"], "succeeded");

    let accepted = accepted(&data.events().await);
    assert_eq!(accepted.keys().collect::<Vec<_>>(), STEPS);
    let gate = summary["steps"].as_array().unwrap().iter().find(|step| step["step"] == "gate").unwrap();
    let gates = gate["output"]["value"]["gates"].as_object().unwrap();
    assert_eq!(gates["data_checks"], "passed");
    assert!(gates.contains_key("better_than_trivial") && gates.contains_key("calibration"));

    let again = data.output(&["runs", "reproduce", summary["run"].as_str().unwrap(), "--json"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((again["outcome"].as_str(), again["computed"][0].as_str()), (Some("equal"), Some("train")));
    assert_eq!(again["taken_over"].as_array().unwrap().len(), STEPS.len() - 1);
    let model = data.output(&["models", "show", "flight-delay", "--json"]);
    let model: serde_json::Value = serde_json::from_slice(&model.stdout).unwrap();
    assert_eq!(
        model["versions"].as_array().unwrap().len(),
        1,
        "what the run did to the record is not done twice"
    );

    let verify = data.output(&["audit", "verify", data.path().to_str().unwrap()]);
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
}

#[tokio::test]
async fn one_changed_byte_in_an_event_is_found_and_named() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    let pipeline = folder.path().join("hello.yaml");
    std::fs::write(&pipeline, "stages:\n  hello:\n    cmd: echo hello\n").unwrap();
    assert!(data.output(&["run", pipeline.to_str().unwrap()]).status.success());

    let database = data.path().join("mainstay.db");
    // The write-ahead log is gone since the program ended. Only the event's body has these keys in this order.
    let mut bytes = std::fs::read(&database).unwrap();
    let needle = br#""state":"succeeded","reason":null}"#;
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + 10] = b'S';
    std::fs::write(&database, bytes).unwrap();

    let verify = data.output(&["audit", "verify", data.path().to_str().unwrap()]);
    let said = String::from_utf8(verify.stdout).unwrap();
    assert_eq!(verify.status.code(), Some(1), "{said}");
    assert!(said.contains("event 3: the body is not the one that was committed"), "{said}");
}

/// Kills the program, as `kill -9` does, after so many events of a run, and lets a server finish the run.
async fn killed_after(events: usize, expected: &BTreeMap<String, String>) {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    let pipeline = lay_out(folder.path());
    let running = Running::start(data.mainstay(&["run", &pipeline]));
    data.wait_for("events before the kill", |seen| seen.len() >= events || is_over(seen)).await;
    drop(running);
    let before = data.events().await;

    let server = Running::start(data.mainstay(&["up", "--listen", "127.0.0.1:0"]));
    data.wait_for("the run to be finished by the server", is_over).await;
    drop(server);

    let after = data.events().await;
    assert_eq!(after[..before.len()], before[..], "the record lost or changed what stood in it");
    assert_eq!(&accepted(&after), expected, "killed after {events} events");
    let verify = data.output(&["audit", "verify", data.path().to_str().unwrap()]);
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
}

#[tokio::test]
async fn a_run_killed_anywhere_ends_as_an_undisturbed_one() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    assert!(data.output(&["run", &lay_out(folder.path())]).status.success());
    let expected = accepted(&data.events().await);
    // Started; importing; training; its experiment there, its run not; trained; registered; judged.
    for events in [1, 6, 14, 15, 24, 27, 29] {
        killed_after(events, &expected).await;
    }
}
