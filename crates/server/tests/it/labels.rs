//! Labels over HTTP: each once, with one value.

use http::Method;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

const LABELS: &str = "/api/v1/labels";

fn line(id: u8, version: u32, value: &Value) -> String {
    let id = format!("{id:02x}").repeat(16);
    json!({ "prediction_id": id, "version": version, "value": value, "at": "2013-03-01T05:00:00Z" })
        .to_string()
}

async fn send(app: &TestApp, lines: &[String]) -> Answer {
    app.send(Method::POST, LABELS, &[("content-type", "application/x-ndjson")], lines.join("\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_with_another_value_is_a_conflict_told_by_its_line() {
    let app = TestApp::start().await;
    let (yes, no) = (json!(true), json!(false));
    let told = send(&app, &[line(1, 0, &yes), line(2, 0, &yes), line(1, 0, &yes)]).await.expect(200);
    let all_fine = json!({ "accepted": 2, "duplicate": 1, "conflict": 0, "durability": "written" });
    assert_eq!(told, all_fine);

    let answer =
        send(&app, &[line(3, 0, &no), line(2, 0, &no), line(1, 0, &json!(1)), line(1, 1, &no)]).await;
    assert_eq!(answer.headers[http::header::CONTENT_TYPE], "application/problem+json");
    let told = answer.expect(409);
    assert_eq!((&told["accepted"], &told["duplicate"], &told["conflict"]), (&json!(2), &json!(1), &json!(1)));
    let id = "02".repeat(16);
    let named = json!([{ "line": 2, "prediction_id": id, "version": 0, "code": "label-conflict" }]);
    assert_eq!(
        (&told["conflicts"], &told["code"], &told["status"]),
        (&named, &json!("label-conflict"), &json!(409))
    );

    // The others were kept, and the first value stands.
    let told = send(&app, &[line(3, 0, &no), line(2, 0, &yes), line(1, 1, &no)]).await.expect(200);
    assert_eq!((&told["accepted"], &told["duplicate"]), (&json!(0), &json!(3)));
    app.platform.close().await;
}
