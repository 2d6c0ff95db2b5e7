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

async fn patch(app: &TestApp, path: &str, body: &Value) -> Answer {
    app.send(Method::PATCH, path, &[JSON], body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_assessed() {
    let app = started().await;
    let spans: Vec<Value> = (1..=2).map(|trace| span(trace, 1, None, &json!([]))).collect();
    log(&app, &[JSON, EXPERIMENT], &spans).await.expect(200);
    let all = format!("/api/3.0/mlflow/traces/{}/assessments", named(1));
    let judge = json!({"source_type": "LLM_JUDGE", "source_id": "j"});
    let first = json!({"assessment_name": "quality", "source": judge, "feedback": {"value": 4},
        "metadata": {"a": "1"}, "rationale": "good"});
    let first = app.post(&all, &json!({"assessment": first})).await.expect(200)["assessment"].clone();
    assert_eq!((&first["feedback"]["value"], &first["valid"]), (&json!(4.0), &json!(true)));
    let one = format!("{all}/{}", first["assessment_id"].as_str().unwrap());
    assert_eq!(app.get(&one).await.expect(200)["assessment"], first);

    let update = json!({"assessment": {"feedback": {"value": "yes"}, "metadata": {"b": "2"}},
        "update_mask": "feedback,metadata"});
    let updated = patch(&app, &one, &update).await.expect(200)["assessment"].clone();
    assert_eq!((&updated["feedback"], &updated["rationale"]), (&json!({"value": "yes"}), &json!("good")));
    assert_eq!(updated["metadata"], json!({"a": "1", "b": "2"}));
    let wrong = json!({"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"});
    let wrong = patch(&app, &one, &wrong).await.expect(400);
    assert_eq!(wrong["message"], "Cannot update expectation value on a Feedback assessment.");

    let other = json!({"assessment_id": "a-2", "assessment_name": "quality", "feedback": {"value": "no"},
        "overrides": first["assessment_id"]});
    app.post(&all, &json!({"assessment": other})).await.expect(200);
    assert_eq!(app.get(&one).await.expect(200)["assessment"]["valid"], false);
    let info = app.get(&format!("/api/3.0/mlflow/traces/{}", named(1))).await.expect(200);
    let told = info["trace"]["trace_info"]["assessments"].as_array().unwrap().clone();
    assert_eq!((told.len(), &told[0]["valid"], &told[1]["assessment_id"]), (2, &json!(false), &json!("a-2")));
    let filtered = async |filter: &str| ids(&found(&app, json!({"filter": filter})).await);
    assert_eq!(filtered("feedback.quality = 'no'").await, [named(1)]);
    assert_eq!(filtered("feedback.quality = 'yes'").await, Vec::<String>::new(), "it is overridden");
    assert_eq!(filtered("feedback.quality IS NULL").await, [named(2)]);
    let searched = found(&app, json!({"filter": "feedback.quality LIKE '%no%'"})).await;
    assert_eq!(searched["traces"][0]["assessments"].as_array().unwrap().len(), 2);

    app.send(Method::DELETE, &format!("{all}/a-2"), &[], "").await.expect(200);
    app.send(Method::DELETE, &format!("{all}/a-2"), &[], "").await.expect(200);
    assert_eq!(app.get(&one).await.expect(200)["assessment"]["valid"], true);
    let gone = app.get(&format!("{all}/a-2")).await.expect(404);
    assert_eq!(gone["message"], format!("Assessment with ID 'a-2' not found for trace '{}'", named(1)));
    let nowhere = json!({"assessment": {"assessment_name": "q", "feedback": {}}});
    app.post("/api/3.0/mlflow/traces/tr-x/assessments", &nowhere).await.expect(404);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_searched_and_summed_up() {
    let app = started().await;
    let kind = |kind: &str| text("mlflow.spanType", kind);
    let model = [kind("LLM"), text("mlflow.llm.model", "gpt"), text("answer", "I like it")];
    let cost = text("mlflow.llm.cost", r#"{"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75}"#);
    let spans = [
        span(1, 1, None, &json!([kind("AGENT")])),
        span(1, 2, Some(1), &json!([model[0], model[1], model[2], cost])),
        span(2, 1, None, &json!([kind("TOOL")])),
    ];
    log(&app, &[JSON, EXPERIMENT], &spans).await.expect(200);
    let filtered = async |filter: &str| ids(&found(&app, json!({"filter": filter})).await);
    assert_eq!(filtered("trace.text LIKE '%I like it%'").await, [named(1)]);
    assert_eq!(filtered("span.content ILIKE '%TRACE%'").await, [named(1), named(2)]);
    assert_eq!(filtered("span.type = 'TOOL' AND status = 'OK'").await, [named(2)]);
    assert_eq!(filtered("span.type = 'AGENT' AND span.name = 'span 2'").await, Vec::<String>::new());
    let page = json!({"filter": "trace.text LIKE '%trace%'", "max_results": 1});
    let first = found(&app, page.clone()).await;
    let mut rest = page;
    rest["page_token"] = first["next_page_token"].clone();
    let rest = found(&app, rest).await;
    assert_eq!((ids(&first), ids(&rest)), (vec![named(1)], vec![named(2)]));
    assert_eq!(rest.get("next_page_token"), None);

    let sums = async |view: &str, metric: &str, kind: &str, dimensions: Value| {
        let query = json!({"experiment_ids": ["0"], "view_type": view, "metric_name": metric,
            "aggregations": [{"aggregation_type": kind}], "dimensions": dimensions});
        app.post("/api/3.0/mlflow/traces/metrics", &query).await
    };
    let by_type = sums("SPANS", "span_count", "COUNT", json!(["span_type"])).await.expect(200);
    let points = by_type["data_points"].as_array().unwrap();
    let shown = |point: &Value| (point["dimensions"]["span_type"].clone(), point["values"]["COUNT"].clone());
    let expected = [(json!("AGENT"), json!(1.0)), (json!("LLM"), json!(1.0)), (json!("TOOL"), json!(1.0))];
    assert_eq!(points.iter().map(shown).collect::<Vec<_>>(), expected);
    let cost = sums("SPANS", "total_cost", "SUM", json!(["span_model_name"])).await.expect(200);
    assert_eq!(cost["data_points"][0]["dimensions"]["span_model_name"], "gpt");
    assert_eq!(cost["data_points"][0]["values"], json!({"SUM": 0.75}));
    let latency = sums("TRACES", "latency", "AVG", json!([])).await.expect(200);
    assert_eq!(latency["data_points"][0]["values"], json!({"AVG": 1500.0}));
    let wrong = sums("TRACES", "latency", "COUNT", json!([])).await.expect(400);
    assert!(wrong["message"].as_str().unwrap().starts_with("Found invalid aggregation_type(s): ['COUNT']"));

    let question = json!({"experiment_ids": ["0"], "filter_string1": "span.type = 'LLM'",
        "filter_string2": "status = 'OK'"});
    let path = "/api/3.0/mlflow/traces/calculate-filter-correlation";
    let told = app.post(path, &question).await.expect(200);
    let counts = (&told["filter1_count"], &told["filter2_count"], &told["joint_count"], &told["total_count"]);
    assert_eq!(counts, (&json!(1), &json!(2), &json!(1), &json!(2)));
    assert_eq!(told["npmi"], 0.0);
    let never = json!({"experiment_ids": ["0"], "filter_string1": "status = 'ERROR'", "filter_string2": "name = 'x'"});
    assert_eq!(app.post(path, &never).await.expect(200).get("npmi"), None);

    let spans = app.get(&format!("/api/v1/traces/{}/spans?columns=parent,name", named(1))).await.expect(200);
    assert_eq!((&spans["count"], &spans["columns"]["parent"]), (&json!(2), &json!([-1, 0])));
    assert_eq!(spans["columns"]["name"]["values"], json!(["span 1", "span 2"]));
    let one = format!("/api/v1/traces/{}/spans/0000000000000002", named(1));
    assert_eq!(app.get(&one).await.expect(200)["attributes"]["answer"], "I like it");
    assert_eq!(app.get("/api/v1/traces/tr-x/spans").await.problem(404), "not-found");
    assert_eq!(
        app.get(&format!("/api/v1/traces/{}/spans?columns=x", named(1))).await.problem(400),
        "invalid-argument"
    );
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_reads_rows_and_what_a_search_can_name() {
    let app = started().await;
    let kind = |kind: &str| text("mlflow.spanType", &format!("\"{kind}\""));
    let spans = [
        span(1, 1, None, &json!([kind("AGENT"), text("mlflow.traceTag.team", "ops")])),
        span(
            2,
            1,
            None,
            &json!([
                kind("TOOL"),
                text("mlflow.traceTag.team", "ops"),
                text("mlflow.spanInputs", "\"a Needle\"")
            ]),
        ),
        span(3, 1, None, &json!([kind("TOOL"), text("mlflow.traceTag.team", "research")])),
    ];
    log(&app, &[JSON, EXPERIMENT], &spans).await.expect(200);
    let said = json!({"assessment": {"assessment_name": "correct", "feedback": {"value": "yes"},
        "source": {"source_type": "HUMAN", "source_id": "ada"}}});
    app.post(&format!("/api/3.0/mlflow/traces/{}/assessments", named(2)), &said).await.expect(200);

    let search = async |body: Value| app.post("/api/v1/traces/search", &body).await;
    let ids = |found: &Value| -> Vec<String> {
        let rows = found["traces"].as_array().unwrap().iter();
        rows.map(|row| row["trace_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = search(json!({"count": true, "limit": 2, "columns": ["tags.team"]})).await.expect(200);
    assert_eq!((&all["total"], ids(&all)), (&json!(3), vec![named(1), named(2)]));
    let row = &all["traces"][1];
    assert_eq!((&row["status"], &row["execution_time_ms"]), (&json!("OK"), &json!(1_500)));
    assert_eq!((&row["tags"], &row["metadata"]), (&json!({"team": "ops"}), &json!({})));
    assert_eq!(
        row["assessments"],
        json!([{"name": "correct", "kind": "feedback", "value": "\"yes\"", "source": "HUMAN"}])
    );
    // Nobody named it: MLflow's clients are told of no name, our own lists of its root's.
    let info = app.get(&format!("/api/3.0/mlflow/traces/{}", named(2))).await.expect(200);
    assert_eq!(
        (info["trace"]["trace_info"]["tags"].get("mlflow.traceName"), &row["name"]),
        (None, &json!("span 1"))
    );
    assert_eq!(search(json!({"filter": "name = 'span 1'", "count": true})).await.expect(200)["total"], 3);
    let rest = search(json!({"limit": 2, "page_token": all["next_page_token"]})).await.expect(200);
    assert_eq!((ids(&rest), &rest["next_page_token"]), (vec![named(3)], &Value::Null));
    let tools = search(json!({"filter": "span.type = 'TOOL'", "count": true})).await.expect(200);
    assert_eq!((ids(&tools), tools.get("total")), (vec![named(2), named(3)], None));
    let late = search(json!({"since_ms": 1_700_000_000_001_i64})).await.expect(200);
    assert_eq!(ids(&late), Vec::<String>::new());
    let in_time = json!({"since_ms": 1_700_000_000_000_i64, "until_ms": 1_700_000_000_001_i64,
        "filter": "tags.team = 'ops' OR tags.team = 'sales'", "experiments": ["0"]});
    assert_eq!(ids(&search(in_time).await.expect(200)).len(), 2);
    assert_eq!(search(json!({"filter": "nothing = 1"})).await.problem(400), "invalid-filter");
    assert_eq!(search(json!({"limit": 0})).await.problem(400), "invalid-argument");
    assert_eq!(search(json!({"columns": ["span.name"]})).await.problem(400), "invalid-filter");

    let columns = json!({"kinds": ["tags", "feedback"], "prefix": ""});
    let known = app.post("/api/v1/traces/columns", &columns).await.expect(200);
    let named_so =
        |name: &str| known["columns"].as_array().unwrap().iter().find(|one| one["column"] == name).cloned();
    assert_eq!(named_so("tags.team").unwrap()["traces"], 3);
    assert_eq!(named_so("feedback.correct").unwrap()["traces"], 1);
    let values = json!({"column": "tags.team"});
    let known = app.post("/api/v1/traces/columns/values", &values).await.expect(200);
    assert_eq!(known["values"][0], json!({"value": "ops", "traces": 2, "filter": "tags.team = 'ops'"}));
    let values = json!({"column": "span.name"});
    assert_eq!(app.post("/api/v1/traces/columns/values", &values).await.problem(400), "invalid-filter");

    let path = format!("/api/v1/traces/{}/spans?columns=status&contains=needle", named(2));
    assert_eq!(app.get(&path).await.expect(200)["matches"], json!([0]));
    app.platform.close().await;
}
