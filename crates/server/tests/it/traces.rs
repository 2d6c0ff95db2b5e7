//! Traces over HTTP: OpenTelemetry's export, and MLflow's calls on what it brought.

use http::Method;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

const JSON: (&str, &str) = ("content-type", "application/json");
const EXPERIMENT: (&str, &str) = ("x-mlflow-experiment-id", "0");

fn span(trace: u8, id: u8, parent: Option<u8>, attributes: &Value) -> Value {
    json!({
        "traceId": format!("{trace:032x}"),
        "spanId": format!("{id:016x}"),
        "parentSpanId": parent.map(|id| format!("{id:016x}")),
        "name": format!("span {id}"),
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000",
        "attributes": attributes,
    })
}

fn export(spans: &[Value]) -> String {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

/// With the default experiment, which the program makes when it starts.
async fn started() -> TestApp {
    let app = TestApp::start().await;
    assert!(app.platform.create_default_experiment().await.is_ok());
    app
}

async fn log(app: &TestApp, headers: &[(&str, &str)], spans: &[Value]) -> Answer {
    app.send(Method::POST, "/v1/traces", headers, export(spans)).await
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn named(trace: u8) -> String {
    format!("tr-{trace:032x}")
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_taken_and_told_again() {
    let app = started().await;
    let root = span(1, 1, None, &json!([text("fruit", "apple"), text("mlflow.spanInputs", "{\"q\": 1}")]));
    let child = span(1, 2, Some(1), &json!([{"key": "n", "value": {"intValue": "7"}}]));
    let taken = log(&app, &[JSON, EXPERIMENT, ("x-mlflow-run-id", "r1")], &[root, child]).await;
    assert_eq!(taken.headers[CONTENT_TYPE], "application/json");
    assert_eq!(taken.expect(200), json!({}));

    let info = app.get(&format!("/api/3.0/mlflow/traces/{}", named(1))).await.expect(200);
    let info = &info["trace"]["trace_info"];
    assert_eq!(info["trace_location"]["mlflow_experiment"]["experiment_id"], "0");
    assert_eq!((&info["state"], &info["request_time"]), (&json!("OK"), &json!("2023-11-14T22:13:20Z")));
    assert_eq!(
        (&info["execution_duration"], &info["request_preview"]),
        (&json!("1.500s"), &json!("{\"q\": 1}"))
    );
    assert_eq!(info["tags"]["mlflow.trace.spansLocation"], "TRACKING_STORE");

    let got = app.get(&format!("/ajax-api/3.0/mlflow/traces/get?trace_id={}", named(1))).await.expect(200);
    let spans = &got["trace"]["spans"];
    assert_eq!((&spans[0]["name"], &spans[0]["span_id"]), (&json!("span 1"), &json!("AAAAAAAAAAE=")));
    assert_eq!(spans[0]["attributes"][0], json!({"key": "fruit", "value": {"string_value": "apple"}}));
    assert_eq!(spans[1]["attributes"][0]["value"], json!({"int_value": 7}));
    assert_eq!(spans[1]["parent_span_id"], "AAAAAAAAAAE=");

    let path = format!("/ajax-api/2.0/mlflow/get-trace-artifact?request_id={}", named(1));
    let file = app.get(&path).await;
    assert_eq!(file.headers[CONTENT_DISPOSITION], "attachment; filename=traces.json");
    let stored = file.expect(200);
    assert_eq!(stored["spans"][0]["attributes"]["fruit"], "\"apple\"");
    assert_eq!(stored["spans"][0]["attributes"]["mlflow.traceRequestId"], format!("\"{}\"", named(1)));

    let unknown = app.get("/api/3.0/mlflow/traces/tr-x").await.expect(404);
    assert_eq!(unknown["error_code"], "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(unknown["message"], "Trace with ID 'tr-x' not found.");
    let unknown = app.get("/api/3.0/mlflow/traces/get?trace_id=tr-x").await.expect(404);
    assert_eq!(unknown["message"], "Trace with ID tr-x is not found.");
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_as_a_stock_server_does() {
    let app = started().await;
    let send = async |headers: &[(&str, &str)], body: &'static [u8]| {
        app.send(Method::POST, "/v1/traces", headers, body).await
    };
    let missing = send(&[JSON], b"").await.expect(422);
    assert_eq!(missing["detail"][0]["loc"], json!(["header", "x-mlflow-experiment-id"]));
    let protobuf = ("content-type", "application/x-protobuf");
    let odd = ("x-mlflow-experiment-id", "not a number");
    for (headers, body, detail) in [
        (&[("content-type", "text/csv"), EXPERIMENT][..], &b""[..], "Invalid Content-Type: text/csv."),
        (&[protobuf, EXPERIMENT][..], &b""[..], "Invalid OpenTelemetry format - no spans found"),
        (&[protobuf, odd][..], &b"garbage"[..], "Invalid OpenTelemetry format"),
        (
            &[protobuf, EXPERIMENT, ("content-encoding", "gzip")][..],
            &b"x"[..],
            "Failed to decompress gzip payload",
        ),
        (
            &[protobuf, EXPERIMENT, ("content-encoding", "br")][..],
            &b"x"[..],
            "Unsupported Content-Encoding: br",
        ),
    ] {
        let told = send(headers, body).await.expect(400);
        assert!(told["detail"].as_str().unwrap().starts_with(detail), "{told}");
    }
    let spans = [span(1, 1, None, &json!([]))];
    let told = log(&app, &[JSON, odd], &spans).await.expect(400);
    assert_eq!(told["error_code"], "INVALID_PARAMETER_VALUE");
    let told = log(&app, &[JSON, ("x-mlflow-experiment-id", "99")], &spans).await.expect(404);
    assert_eq!(told["message"], "No Experiment with id=99 exists");
    assert_eq!(app.status(Method::GET, "/v1/traces").await, 405);
    app.platform.close().await;
}

async fn found(app: &TestApp, wanted: Value) -> Value {
    let mut body = json!({"locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]});
    body.as_object_mut().unwrap().extend(wanted.as_object().unwrap().clone());
    app.post("/api/3.0/mlflow/traces/search", &body).await.expect(200)
}

fn ids(found: &Value) -> Vec<String> {
    let traces = found["traces"].as_array().cloned().unwrap_or_default();
    traces.iter().map(|trace| trace["trace_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_searched_tagged_linked_and_deleted() {
    let app = started().await;
    let spans: Vec<Value> = (1..=3).map(|trace| span(trace, 1, None, &json!([]))).collect();
    log(&app, &[JSON, EXPERIMENT, ("x-mlflow-run-id", "r1")], &spans[..1]).await.expect(200);
    log(&app, &[JSON, EXPERIMENT], &spans[1..]).await.expect(200);

    let first = found(&app, json!({"max_results": 2})).await;
    assert_eq!(ids(&first), [named(1), named(2)]);
    let rest = found(&app, json!({"max_results": 2, "page_token": first["next_page_token"]})).await;
    assert_eq!((ids(&rest), rest.get("next_page_token")), (vec![named(3)], None));
    assert_eq!(ids(&found(&app, json!({"filter": "attribute.run_id = 'r1'"})).await), [named(1)]);

    let tags = format!("/api/2.0/mlflow/traces/{}/tags", named(2));
    let set = json!({"key": "topic", "value": "news"}).to_string();
    app.send(Method::PATCH, &tags, &[JSON], set).await.expect(200);
    assert_eq!(ids(&found(&app, json!({"filter": "tag.topic = \"news\""})).await), [named(2)]);
    let unset = json!({"key": "topic"}).to_string();
    app.send(Method::DELETE, &tags, &[JSON], unset).await.expect(200);
    assert_eq!(ids(&found(&app, json!({"filter": "tag.topic = 'news'"})).await), Vec::<String>::new());

    let link = json!({"trace_ids": [named(3)], "run_id": "r1"});
    app.post("/api/2.0/mlflow/traces/link-to-run", &link).await.expect(200);
    assert_eq!(ids(&found(&app, json!({"filter": "run_id = 'r1'"})).await), [named(1), named(3)]);

    let both = format!("trace_ids={}&trace_ids=tr-x&trace_ids={}", named(3), named(1));
    let batch = app.get(&format!("/api/3.0/mlflow/traces/batchGet?{both}")).await.expect(200);
    assert_eq!(batch["traces"][0]["trace_info"]["trace_id"], named(3));
    assert_eq!(batch["traces"].as_array().unwrap().len(), 2);

    let delete =
        json!({"experiment_id": "0", "max_timestamp_millis": 2_000_000_000_000_i64, "max_traces": 1});
    let gone = app.post("/api/3.0/mlflow/traces/delete-traces", &delete).await.expect(200);
    assert_eq!(gone["traces_deleted"], 1);
    assert_eq!(ids(&found(&app, json!({})).await), [named(2), named(3)]);
    let delete = json!({"experiment_id": "0", "request_ids": [named(2), "tr-x"]});
    let gone = app.post("/api/2.0/mlflow/traces/delete-traces", &delete).await.expect(200);
    assert_eq!((&gone["traces_deleted"], ids(&found(&app, json!({})).await)), (&json!(1), vec![named(3)]));
    let wrong =
        app.post("/api/2.0/mlflow/traces/delete-traces", &json!({"experiment_id": "0"})).await.expect(400);
    assert!(wrong["message"].as_str().unwrap().starts_with("Either `max_timestamp_millis` or `trace_ids`"));
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_without_spans_is_not_whole() {
    let app = started().await;
    let info = json!({
        "trace_id": "tr-1234",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
        "request_time": "2024-02-29T12:34:56.789Z",
        "execution_duration": "0.250s",
        "state": "OK",
        "trace_metadata": {"mlflow.trace_schema.version": "3"},
        "tags": {"mlflow.traceName": "predict"},
    });
    let started =
        app.post("/api/3.0/mlflow/traces", &json!({"trace": {"trace_info": info}})).await.expect(200);
    let started = &started["trace"]["trace_info"];
    assert_eq!(started["tags"]["mlflow.artifactLocation"], "mlflow-artifacts:/0/traces/tr-1234/artifacts");
    assert_eq!(started["trace_metadata"]["mlflow.trace.infoFinalized"], "true");
    assert_eq!(started["request_time"], "2024-02-29T12:34:56.789Z");
    assert_eq!(started["execution_duration"], "0.250s");
    let partial = "/api/3.0/mlflow/traces/get?trace_id=tr-1234&allow_partial=True";
    assert_eq!(app.get(partial).await.expect(200)["trace"]["spans"], json!([]));
    let told = app.get("/api/3.0/mlflow/traces/get?trace_id=tr-1234").await.expect(404);
    assert!(told["message"].as_str().unwrap().contains("is not fully exported yet"));
    let batch = app.get("/api/3.0/mlflow/traces/batchGet?trace_ids=tr-1234").await.expect(200);
    assert_eq!(batch, json!({"traces": []}));
    let infos = app.post("/api/3.0/mlflow/traces/batchGetInfos", &json!({"trace_ids": ["tr-1234"]})).await;
    assert_eq!(infos.expect(200)["trace_infos"][0]["trace_id"], "tr-1234");

    let legacy = app.get("/api/2.0/mlflow/traces/tr-1234/info").await.expect(200);
    assert_eq!(legacy["trace_info"]["execution_time_ms"], 250);
    assert_eq!(legacy["trace_info"]["request_metadata"][0]["key"], "mlflow.trace.infoFinalized");
    let listed =
        app.get("/api/2.0/mlflow/traces?experiment_ids=0&filter=status+%3D+%27OK%27").await.expect(200);
    assert_eq!(listed["traces"][0]["request_id"], "tr-1234");
    app.platform.close().await;
}
