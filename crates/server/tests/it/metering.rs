//! Rate limits in the words of each protocol, metrics, and where the process stands.

use axum::body::Body;
use http::{Method, header};
use mainstay_api::route::Rate;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let app = TestApp::limited(Some(Rate { per_second: 1, burst: 3 })).await;
    for _ in 0..3 {
        assert_eq!(app.get("/api/v1/status").await.status, 200);
    }
    let native = app.get("/api/v1/status").await;
    assert_eq!(native.headers[header::RETRY_AFTER], "1");
    assert_eq!(native.problem(429), "rate-limited");
    let oip = app.send(Method::POST, "/v2/models/x/infer", &[], Body::empty()).await.expect(429);
    assert!(oip["error"].as_str().unwrap().starts_with("you ask more often"), "{oip}");
    let mlflow = app.get("/api/2.0/mlflow/experiments/search").await.expect(429);
    assert_eq!(mlflow["error_code"], "REQUEST_LIMIT_EXCEEDED");
    // Somebody else has a turn of their own.
    app.act_as(mainstay_core::principal::Principal::anonymous());
    assert_eq!(app.get("/health").await.status, 200);
    app.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_counted() {
    let app = TestApp::start().await;
    let definition = json!({ "model": "m", "governed": false, "schema": [{ "name": "x", "kind": "float" }] });
    app.put("/api/v1/endpoints/e", &definition).await.expect(201);
    app.get("/api/v1/endpoints/none").await.expect(404);
    // Nobody follows the record here, so the predictor cannot know it.
    app.post("/v2/models/e/infer", &json!({ "inputs": [] })).await.expect(503);
    let metrics = app.get("/metrics").await;
    assert_eq!(metrics.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = metrics.text();
    for line in [
        r#"mainstay_http_requests_total{method="PUT",route="/api/v1/endpoints/{name}",status="201"} 1"#,
        r#"mainstay_http_requests_total{method="GET",route="/api/v1/endpoints/{name}",status="404"} 1"#,
        r#"mainstay_http_request_duration_seconds_count{method="PUT",route="/api/v1/endpoints/{name}"} 1"#,
        r#"mainstay_prediction_refusals_total{code="unavailable"} 1"#,
        "mainstay_writer_groups_total 1",
        "mainstay_writer_commands_total 1",
        "mainstay_event_head 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    let status = app.get("/api/v1/status").await.expect(200);
    assert_eq!((&status["head"], &status["predictor"]["endpoints"]), (&json!(1), &json!(0)));
    app.platform.close().await;
}
