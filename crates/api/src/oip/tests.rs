//! The protocol from router to answer, over the native evaluator on a real scikit-learn model.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime, ManualClock};
use mainstay_inference as inference;
use mainstay_serving::traffic::Source;
use mainstay_serving::value::FeatureValue;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::per_row::PerRow;
use super::service::{
    Durability, EndpointDescription, InferAnswer, InferRequest, InferenceService, Receipt, Refusal,
    RowAnswer, TensorDescription,
};
use super::tensor::{Data, Datatype, Tensor};
use super::{OipState, routes};
use crate::route::tests::Anyone;
use crate::route::{App, router};

/// Serves one model under the name `iris`, and remembers the last request.
struct Evaluator {
    model: inference::Model,
    last: Mutex<Option<InferRequest>>,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no endpoint '{0}'")]
struct Unknown(String);

impl Coded for Unknown {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

fn describe(spec: &inference::TensorSpec) -> TensorDescription {
    let datatype = match spec.dtype {
        inference::DType::I64 => Datatype::Int64,
        _ => Datatype::Fp32,
    };
    TensorDescription { name: spec.name.clone(), datatype, shape: spec.shape.clone() }
}

#[async_trait]
impl InferenceService for Evaluator {
    fn is_ready(&self) -> bool {
        true
    }

    fn describe(&self, _: &Name, endpoint: &str) -> Result<EndpointDescription, Refusal> {
        if endpoint != "iris" {
            return Err(Refusal::new(Unknown(endpoint.to_owned())));
        }
        Ok(EndpointDescription {
            name: Name::new(endpoint).map_err(Refusal::new)?,
            versions: vec![3],
            inputs: self.model.inputs().iter().map(describe).collect(),
            outputs: self.model.outputs().iter().map(describe).collect(),
        })
    }

    async fn infer(&self, request: InferRequest) -> Result<InferAnswer, Refusal> {
        self.describe(&request.workspace, &request.endpoint)?;
        *self.last.lock().unwrap() = Some(request.clone());
        let mut inputs = Vec::new();
        for tensor in request.inputs {
            let data = match tensor.data {
                Data::F32(data) => inference::Data::F32(data),
                Data::F64(data) => inference::Data::F64(data),
                Data::I64(data) => inference::Data::I64(data),
                Data::I32(data) => inference::Data::I32(data),
                Data::Bool(data) => inference::Data::Bool(data),
                Data::Text(data) => inference::Data::Str(data),
            };
            inputs.push((tensor.name, inference::Tensor::new(&tensor.shape, data).map_err(Refusal::new)?));
        }
        let given = self.model.run(&inputs, &mut inference::Scratch::default()).map_err(Refusal::new)?;
        let rows = given[0].1.shape().dims()[0];
        let outputs = given.into_iter().map(|(name, tensor)| {
            let shape = tensor.shape().dims().into();
            let data = match tensor.into_data() {
                inference::Data::I64(data) => Data::I64(data),
                inference::Data::F32(data) => Data::F32(data),
                other => panic!("{other:?}"),
            };
            Tensor { name: name.to_owned(), shape, data }
        });
        let row = RowAnswer { id: PredictionId::from_bytes([7; 16]), version: 3, source: Source::Assigned };
        let outputs = outputs.collect();
        Ok(InferAnswer { revision: 5, outputs, rows: vec![row; rows], receipt: Receipt::Written })
    }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/tests/reference/models").join(name)
}

struct Server {
    router: Router,
    service: Arc<Evaluator>,
}

fn server() -> Server {
    let bytes = std::fs::read(fixture("decision_tree.onnx")).unwrap();
    let model = inference::Model::load(&bytes, &inference::Limits::default()).unwrap();
    let service = Arc::new(Evaluator { model, last: Mutex::default() });
    let clock = Arc::new(ManualClock::starting_at(MachineTime::default()));
    let app = App::new(Arc::new(Anyone), Arc::new(Anyone), clock, None);
    let state = OipState { service: service.clone(), version: "0.0.0", meter: app.meter.clone() };
    Server { router: router(&app, routes(), state), service }
}

impl Server {
    async fn send(&self, request: Request<Body>) -> (StatusCode, http::HeaderMap, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        (parts.status, parts.headers, bytes.to_vec())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn infer(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post("/v2/models/iris/infer").body(body.into()).unwrap();
        let (status, _, body) = self.send(request).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The sentence with which a body is refused.
    async fn refused(&self, body: impl Into<Body>) -> String {
        let (status, body) = self.infer(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        body["error"].as_str().unwrap().to_owned()
    }
}

fn rows() -> (Value, Vec<i64>) {
    let reference: Value =
        serde_json::from_slice(&std::fs::read(fixture("decision_tree.json")).unwrap()).unwrap();
    let labels = reference["outputs"][0]["data"].as_array().unwrap().iter();
    (reference["inputs"][0]["data"].clone(), labels.map(|label| label.as_i64().unwrap()).collect())
}

fn body(data: &Value, count: usize) -> Value {
    json!({"id": "42", "inputs": [{"name": "X", "shape": [count, 4], "datatype": "FP32", "data": data}]})
}

#[tokio::test]
async fn json_in_json_out_equals_the_reference() {
    let server = server();
    let (data, labels) = rows();
    let (status, answer) = server.infer(body(&data, labels.len()).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!((&answer["model_name"], &answer["model_version"]), (&json!("iris"), &json!("3")));
    assert_eq!(answer["id"], "42");
    assert_eq!(answer["outputs"][0]["datatype"], "INT64");
    assert_eq!(answer["outputs"][0]["data"], json!(labels));
    assert_eq!(answer["outputs"][1]["shape"], json!([labels.len(), 3]));
    let parameters = &answer["parameters"];
    assert_eq!(parameters["prediction_ids"].as_array().unwrap().len(), labels.len());
    assert_eq!(parameters["prediction_ids"][0], "07".repeat(16));
    assert_eq!((&parameters["durability"], &parameters["revision"]), (&json!("written"), &json!(5)));
    assert_eq!((&parameters["sources"][0], &parameters["versions"][0]), (&json!("assigned"), &json!(3)));
}

/// What `tritonclient.http` sends by default: every input in binary form, every output wanted so.
#[tokio::test]
async fn binary_in_binary_out_equals_the_reference() {
    let server = server();
    let (data, labels) = rows();
    #[expect(clippy::cast_possible_truncation, reason = "the reference's values are f32")]
    let floats: Vec<u8> =
        data.as_array().unwrap().iter().flat_map(|v| (v.as_f64().unwrap() as f32).to_le_bytes()).collect();
    let head = json!({
        "inputs": [{"name": "X", "shape": [labels.len(), 4], "datatype": "FP32",
                    "parameters": {"binary_data_size": floats.len()}}],
        "parameters": {"binary_data_output": true},
    })
    .to_string();
    let request = Request::post("/v2/models/iris/versions/3/infer")
        .header("Inference-Header-Content-Length", head.len())
        .body(Body::from([head.as_bytes(), &floats].concat()))
        .unwrap();
    let (status, headers, answer) = server.send(request).await;
    assert_eq!(status, StatusCode::OK);
    let length: usize = headers["inference-header-content-length"].to_str().unwrap().parse().unwrap();
    let (json, tail) = answer.split_at(length);
    let json: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], labels.len() * 8);
    assert!(json["outputs"][0].get("data").is_none());
    assert_eq!(tail.len(), labels.len() * (8 + 3 * 4));
    let read: Vec<i64> =
        tail.as_chunks().0.iter().take(labels.len()).map(|b| i64::from_le_bytes(*b)).collect();
    assert_eq!(read, labels);
}

#[tokio::test]
async fn outputs_are_chosen_by_name() {
    let server = server();
    let mut asked = body(&json!([6.1, 2.8, 4.0, 1.3]), 1);
    asked["outputs"] = json!([{"name": "probabilities", "parameters": {"binary_data": false}}]);
    let (status, answer) = server.infer(asked.to_string()).await;
    assert_eq!((status, answer["outputs"].as_array().unwrap().len()), (StatusCode::OK, 1), "{answer}");
    asked["outputs"] = json!([{"name": "logits"}]);
    let sentence = server.refused(asked.to_string()).await;
    assert_eq!(sentence, "the endpoint has no output 'logits'; it has: label, probabilities");
    assert_eq!(server.service.last.lock().unwrap().as_ref().unwrap().inputs.len(), 1);
}

#[tokio::test]
async fn our_parameters_reach_the_service() {
    let server = server();
    let mut asked = body(&json!([6.1, 2.8, 4.0, 1.3, 6.1, 2.8, 4.0, 1.3]), 2);
    asked["parameters"] = json!({
        "data_time": ["2013-01-01T05:00:00Z", "2013-01-01T06:00:00Z"],
        "key": 17,
        "prediction_id": ["01".repeat(16), "02".repeat(16)],
        "entity": {"origin": "JFK", "tail": ["N1", null]},
        "durability": "synced",
        "sequence_id": 0,
    });
    let (status, answer) = server.infer(asked.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let request = server.service.last.lock().unwrap().take().unwrap();
    let hours = ["2013-01-01T05:00:00Z", "2013-01-01T06:00:00Z"].map(|text| DataTime::parse(text).unwrap());
    assert_eq!(request.data_time, Some(PerRow::Each(hours.to_vec())));
    assert_eq!(request.key, Some(PerRow::All("17".to_owned())));
    let ids = [[1; 16], [2; 16]].map(PredictionId::from_bytes);
    assert_eq!(request.ids, Some(PerRow::Each(ids.to_vec())));
    assert_eq!(request.durability, Durability::Synced);
    let tail = PerRow::Each(vec![FeatureValue::Text("N1".to_owned()), FeatureValue::Null]);
    let origin = PerRow::All(FeatureValue::Text("JFK".to_owned()));
    assert_eq!(request.entities, [("origin".to_owned(), origin), ("tail".to_owned(), tail)]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_a_sentence() {
    let server = server();
    let input = |input: Value| json!({"inputs": [input]}).to_string();
    let x =
        |shape: Value, data: Value| json!({"name": "X", "shape": shape, "datatype": "FP32", "data": data});
    let cases = [
        ("{".to_owned(), "cannot be read"),
        ("[]".to_owned(), "cannot be read"),
        (
            r#"{"inputs": [{"name": "X", "shape": [1], "datatype": "FP32", "data": [NaN]}]}"#.to_owned(),
            "write null",
        ),
        ("[".repeat(100_000), "cannot be read"),
        (input(x(json!([-1, 4]), json!([1, 2, 3, 4]))), "not negative"),
        (input(x(json!([1_u64 << 40, 1_u64 << 40]), json!([]))), "too large"),
        (input(x(json!(vec![1; 9]), json!([1]))), "at most 8 dimensions"),
        (input(x(json!([1, 4]), json!([1, 2, 3]))), "3 elements where its shape asks for 4"),
        (input(x(json!([1, 4]), json!(["a", "b", "c", "d"]))), "no number"),
        (input(x(json!([1, 3]), json!([1, 2, 3]))), "must have shape [-1, 4]"),
        (input(x(json!([0, 4]), json!([]))), "at least one row"),
        (
            input(json!({"name": "Y", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]})),
            "no input `Y`",
        ),
        (input(json!({"name": "X", "shape": [1, 4], "datatype": "FLOAT", "data": [1]})), "it is one of BOOL"),
        (input(json!({"name": "X", "shape": [1, 4], "datatype": "FP32"})), "needs either"),
        (
            input(json!({"name": "X", "shape": [1, 4], "datatype": "FP32",
                         "parameters": {"binary_data_size": 16}})),
            "announces 16 bytes",
        ),
        (
            input(json!({"name": "X", "shape": [1, 4], "datatype": "FP32",
                         "parameters": {"shared_memory_region": "r"}, "data": [1]})),
            "shared memory is not offered",
        ),
        (
            json!({"inputs": [x(json!([1, 4]), json!([1, 2, 3, 4])), x(json!([1, 4]), json!([1, 2, 3, 4]))]})
                .to_string(),
            "'X' is given twice",
        ),
        (json!({"inputs": [], "outputs": [{"name": "a"}, {"name": "a"}]}).to_string(), "'a' is given twice"),
        (json!({"inputs": [], "parameters": {"data_time": "yesterday"}}).to_string(), "RFC 3339"),
        (json!({"inputs": [], "parameters": {"key": ""}}).to_string(), "1 to 1024 bytes"),
        (
            json!({"inputs": [], "parameters": {"prediction_id": "7"}}).to_string(),
            "32 lower-case hexadecimal",
        ),
        (json!({"inputs": [], "parameters": {"durability": "maybe"}}).to_string(), "cannot be read"),
    ];
    for (body, expected) in cases {
        let shown: String = body.chars().take(200).collect();
        let sentence = server.refused(body).await;
        assert!(sentence.contains(expected), "{shown} gave {sentence:?}");
    }
    assert!(server.service.last.lock().unwrap().as_ref().is_none_or(|last| !last.inputs.is_empty()));
}

#[tokio::test]
async fn header_lengths_and_codings_are_checked() {
    const LENGTH: &str = "Inference-Header-Content-Length";
    let server = server();
    let json = body(&json!([1, 2, 3, 4]), 1).to_string();
    let send = |name: &'static str, value: String, body: String| {
        server
            .send(Request::post("/v2/models/iris/infer").header(name, value).body(Body::from(body)).unwrap())
    };
    for value in ["-1", "x", "0", "99999", "18446744073709551616"] {
        let (status, _, body) = send(LENGTH, value.to_owned(), json.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{value}: {}", String::from_utf8_lossy(&body));
    }
    let (status, _, body) = send(LENGTH, json.len().to_string(), format!("{json}xyz")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8(body).unwrap().contains("3 bytes behind the last input"));
    let (status, _, body) = send("Content-Encoding", "gzip".to_owned(), json.clone()).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(String::from_utf8(body).unwrap().starts_with(r#"{"error":"compressed"#));
    let (status, _, _) = send("Content-Encoding", "identity".to_owned(), json).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn oversized_bodies_are_refused_in_the_dialect() {
    let server = server();
    let (status, answer) = server.infer(vec![b' '; (64 << 20) + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer["error"].as_str().unwrap().contains("67108864 bytes"), "{answer}");
}

#[tokio::test]
async fn metadata_health_and_configuration() {
    let server = server();
    let (status, meta) = server.get("/v2").await;
    assert_eq!((status, &meta["extensions"][0]), (StatusCode::OK, &json!("binary_tensor_data")));
    for path in
        ["/v2/health/live", "/v2/health/ready", "/v2/models/iris/ready", "/v2/models/iris/versions/3/ready"]
    {
        assert_eq!(server.get(path).await.0, StatusCode::OK, "{path}");
    }
    let (_, model) = server.get("/v2/models/iris").await;
    assert_eq!(model["inputs"], json!([{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]));
    assert_eq!(model["versions"], json!(["3"]));
    let (_, config) = server.get("/v2/models/iris/config").await;
    assert_eq!(config["input"][0], json!({"name": "X", "data_type": "TYPE_FP32", "dims": [-1, 4]}));
    assert_eq!(config["max_batch_size"], 0);
    let (status, answer) = server.get("/v2/models/rose").await;
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, json!({"error": "there is no endpoint 'rose'"})));
    for path in ["/v2/models/iris/versions/4/ready", "/v2/models/iris/versions/x", "/v2/models/rose/ready"] {
        assert_eq!(server.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.get("/v2/models/%ff/ready").await.0, StatusCode::BAD_REQUEST);
}
