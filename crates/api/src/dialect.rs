//! Errors in the dialect of each protocol.

use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use mainstay_core::error::{Coded, ErrorClass, ErrorCode, Failure, causes};
use serde_json::{Value, json};

/// The protocols that share the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Our own API, `/api/v1`.
    Native,
    /// MLflow's tracking, registry and artifact API.
    Mlflow,
    /// OpenTelemetry's protocol over HTTP, as MLflow's server speaks it.
    Otlp,
    /// Open Inference Protocol v2.
    Oip,
    /// Prometheus' text format.
    Prometheus,
    /// The console.
    Ui,
}

impl Protocol {
    /// Whose addresses begin like this one, whether or not there is a route.
    pub fn of_path(path: &str) -> Option<Self> {
        let begins = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if begins("/api/v1") {
            Some(Self::Native)
        } else if ["/api/1.0", "/api/2.0", "/api/3.0", "/ajax-api"].into_iter().any(begins) {
            Some(Self::Mlflow)
        } else if begins("/v1/traces") {
            Some(Self::Otlp)
        } else if begins("/v2") {
            Some(Self::Oip)
        } else if begins("/metrics") {
            Some(Self::Prometheus)
        } else {
            None
        }
    }
}

/// A protocol known at compile time: the marker in a handler's error type.
pub trait Dialect: Send + Sync + 'static {
    /// Which.
    const PROTOCOL: Protocol;
}

macro_rules! dialects {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name;
        impl Dialect for $name {
            const PROTOCOL: Protocol = Protocol::$name;
        }
    )*};
}

dialects! {
    /// Answers problem details (RFC 9457).
    Native;
    /// Answers `{"error_code", "message"}`, and beside them `sqlstate` and `error_class` where a stock server does.
    Mlflow;
    /// Answers `{"detail"}`.
    Otlp;
    /// Answers `{"error"}`.
    Oip;
    /// Answers a line of text.
    Prometheus;
    /// Answers a page.
    Ui;
}

/// A failure on its way out, in the dialect `D`.
pub struct ApiError<D> {
    failure: Failure,
    dialect: PhantomData<D>,
}

impl<D> fmt::Debug for ApiError<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.failure, f)
    }
}

impl<D> ApiError<D> {
    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.failure.code()
    }
}

/// What a response of [`Protocol::Ui`] tells: the console makes a page of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The stable code.
    pub code: ErrorCode,
    /// The public sentence.
    pub message: String,
}

impl<D, E: Coded> From<E> for ApiError<D> {
    fn from(error: E) -> Self {
        Self { failure: Failure::from(error), dialect: PhantomData }
    }
}

impl<D: Dialect> ApiError<D> {
    /// The public sentence, for an answer that tells of several calls at once. What lies behind it goes to the
    /// log.
    pub fn into_sentence(self) -> String {
        log_cause(&self.failure);
        self.failure.to_string()
    }
}

impl<D: Dialect> IntoResponse for ApiError<D> {
    fn into_response(self) -> Response {
        render(D::PROTOCOL, &self.failure)
    }
}

/// A body that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than the route allows.
    #[error("the body is larger than the {limit} bytes that this call accepts; split it")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Not what the protocol says.
    #[error("the body cannot be read: {0}")]
    Malformed(String),
    /// The client stopped sending.
    #[error("the body ended early; send it whole")]
    Incomplete,
}

impl BodyError {
    /// Refuses a body that is no object. Serde would take a list for one, whose fields come in the order in which
    /// the program names them.
    pub fn unless_object(json: &[u8]) -> Result<(), Self> {
        if json.trim_ascii_start().starts_with(b"{") {
            Ok(())
        } else {
            Err(Self::Malformed("it is no JSON object".to_owned()))
        }
    }
}

impl Coded for BodyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Malformed(_) | Self::Incomplete => ErrorCode::MalformedBody,
        }
    }
}

/// A request that no route takes.
#[derive(Debug, thiserror::Error)]
pub enum Unrouted {
    /// Nothing is at the address.
    #[error("there is no route {0}; see docs/reference/http.md for what there is")]
    Address(String),
    /// What is there takes other methods.
    #[error("{path} does not take {method}; the header Allow of this answer names what it takes")]
    Method {
        /// The method of the request.
        method: Method,
        /// Its path.
        path: String,
    },
}

impl Unrouted {
    /// Nothing is at the address.
    pub fn address(path: &str) -> Self {
        Self::Address(shown(path))
    }

    /// What is at the address does not take the method.
    pub fn method(method: Method, path: &str) -> Self {
        Self::Method { method, path: shown(path) }
    }
}

/// As much of an address as an answer repeats.
fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}

impl Coded for Unrouted {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Address(_) => ErrorCode::NotFound,
            Self::Method { .. } => ErrorCode::MethodNotAllowed,
        }
    }
}

/// Writes that no route takes a request.
pub fn render_unrouted(protocol: Protocol, unrouted: Unrouted) -> Response {
    if protocol == Protocol::Mlflow {
        let status =
            StatusCode::from_u16(unrouted.code().class().http_status()).unwrap_or(StatusCode::NOT_FOUND);
        let body = json!({"error_code": ENDPOINT_NOT_FOUND, "message": unrouted.to_string()});
        return (status, Json(body)).into_response();
    }
    render(protocol, &unrouted.into())
}

/// Notes in the log what lies behind a failure that is ours.
fn log_cause(failure: &Failure) {
    let code = failure.code();
    if matches!(code.class(), ErrorClass::Internal | ErrorClass::Unavailable | ErrorClass::StorageFull) {
        let cause = causes(failure.inner());
        tracing::error!(%code, cause, "{failure}");
    }
}

/// Writes a failure as `protocol` writes failures, and notes its cause in the log.
pub fn render(protocol: Protocol, failure: &Failure) -> Response {
    log_cause(failure);
    let code = failure.code();
    let class = code.class();
    let status = match protocol {
        Protocol::Mlflow => mlflow_status(code),
        _ => class.http_status(),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = failure.to_string();
    let (media_type, body) = match protocol {
        Protocol::Native => {
            let mut body = problem(code, status, &message);
            if let Some(at) = failure.inner().position() {
                body["position"] = at.into();
            }
            (PROBLEM, body)
        }
        Protocol::Mlflow => {
            let message = format!("{}{message}", mlflow_lead(code));
            ("application/json", mlflow_body(mlflow_code(code), &message))
        }
        Protocol::Otlp => ("application/json", json!({"detail": message})),
        Protocol::Oip => ("application/json", json!({"error": message})),
        Protocol::Prometheus => {
            return plain(class, (status, format!("{code}: {message}\n")).into_response());
        }
        Protocol::Ui => {
            let mut response = (status, format!("{code}: {message}\n")).into_response();
            response.extensions_mut().insert(Reported { code, message });
            return plain(class, response);
        }
    };
    plain(class, (status, [(header::CONTENT_TYPE, media_type)], body.to_string()).into_response())
}

fn plain(class: ErrorClass, mut response: Response) -> Response {
    let headers = response.headers_mut();
    match class {
        ErrorClass::Unavailable | ErrorClass::TooMany => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        ErrorClass::Unauthenticated => {
            // Browsers ask for a name and a password by themselves. A token may stand in place of the latter.
            for challenge in ["Bearer realm=\"mainstay\"", "Basic realm=\"mainstay\", charset=\"UTF-8\""] {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        _ => {}
    }
    response
}

/// The media type of problem details.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// RFC 9457, with the stable code beside it.
pub(crate) fn problem(code: ErrorCode, status: StatusCode, message: &str) -> Value {
    json!({
        "type": format!("/docs/errors/{code}"),
        "title": code.as_str(),
        "status": status.as_u16(),
        "code": code.as_str(),
        "detail": message,
    })
}

/// An error of MLflow's protocol, with the class that its newer clients know (`mlflow.exceptions`).
fn mlflow_body(error_code: &str, message: &str) -> Value {
    let mut body = json!({"error_code": error_code, "message": message});
    let class = match error_code {
        "INVALID_PARAMETER_VALUE" | "BAD_REQUEST" => Some(("KAM00", "INVALID_PARAMETER_VALUE")),
        "RESOURCE_DOES_NOT_EXIST" => Some(("KAM00", "RESOURCE_NOT_FOUND")),
        "RESOURCE_ALREADY_EXISTS" => Some(("KAM00", "RESOURCE_ALREADY_EXISTS")),
        "PERMISSION_DENIED" => Some(("KAM00", "PERMISSION_DENIED")),
        "INTERNAL_ERROR" | "TEMPORARILY_UNAVAILABLE" => Some(("XXM00", "CLIENT_INTERNAL_ERROR")),
        _ => None,
    };
    if let Some((state, class)) = class {
        body["sqlstate"] = state.into();
        body["error_class"] = class.into();
    }
    body
}

/// MLflow's name for a code: `mlflow.exceptions.ERROR_CODE_TO_HTTP_STATUS`.
const fn mlflow_code(code: ErrorCode) -> &'static str {
    match code.class() {
        ErrorClass::Invalid | ErrorClass::TooLarge => "INVALID_PARAMETER_VALUE",
        ErrorClass::Unauthenticated => "UNAUTHENTICATED",
        ErrorClass::Denied => "PERMISSION_DENIED",
        ErrorClass::NotFound => "RESOURCE_DOES_NOT_EXIST",
        ErrorClass::NotAllowed => ENDPOINT_NOT_FOUND,
        ErrorClass::TooSlow => "DEADLINE_EXCEEDED",
        ErrorClass::Conflict => match code {
            ErrorCode::AlreadyExists => "RESOURCE_ALREADY_EXISTS",
            ErrorCode::GateNotPassed => "PERMISSION_DENIED",
            // A stock server says so of what is deleted. INVALID_STATE would be a 500 there, which
            // clients try again.
            ErrorCode::WrongState => "INVALID_PARAMETER_VALUE",
            _ => "RESOURCE_CONFLICT",
        },
        ErrorClass::TooMany => match code {
            ErrorCode::QuotaExceeded => "RESOURCE_EXHAUSTED",
            _ => "REQUEST_LIMIT_EXCEEDED",
        },
        ErrorClass::Internal => "INTERNAL_ERROR",
        ErrorClass::Unsupported => "NOT_IMPLEMENTED",
        ErrorClass::Unavailable | ErrorClass::StorageFull => "TEMPORARILY_UNAVAILABLE",
    }
}

/// How a stock server's sentence begins, which clients look for.
const fn mlflow_lead(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unauthenticated => {
            "You are not authenticated. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or \
             MLFLOW_TRACKING_TOKEN. "
        }
        ErrorCode::PermissionDenied => "Permission denied. ",
        _ => "",
    }
}

/// What MLflow's clients take for "this server does not have that call", and then try another one.
const ENDPOINT_NOT_FOUND: &str = "ENDPOINT_NOT_FOUND";

/// The status that goes with [`mlflow_code`], where it is not the class's own.
const fn mlflow_status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::AlreadyExists | ErrorCode::WrongState => 400,
        ErrorCode::GateNotPassed => 403,
        _ => code.class().http_status(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_core::id::InvalidId;

    async fn body(protocol: Protocol) -> (StatusCode, String) {
        let response = render(protocol, &Failure::from(InvalidId));
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct Refused(ErrorCode);

    impl Coded for Refused {
        fn code(&self) -> ErrorCode {
            self.0
        }
    }

    #[tokio::test]
    async fn mlflow_has_statuses_of_its_own() {
        for (code, status, name) in [
            (ErrorCode::AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
            (ErrorCode::WrongState, 400, "INVALID_PARAMETER_VALUE"),
            (ErrorCode::GateNotPassed, 403, "PERMISSION_DENIED"),
            (ErrorCode::RevisionConflict, 409, "RESOURCE_CONFLICT"),
            (ErrorCode::NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
            (ErrorCode::InvalidName, 400, "INVALID_PARAMETER_VALUE"),
            (ErrorCode::Unsupported, 501, "NOT_IMPLEMENTED"),
        ] {
            let response = render(Protocol::Mlflow, &Failure::from(Refused(code)));
            assert_eq!(response.status().as_u16(), status, "{code}");
            let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            let body: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!((&body["error_code"], &body["message"]), (&json!(name), &json!("no")));
            let class = match name {
                "INVALID_PARAMETER_VALUE" => json!("INVALID_PARAMETER_VALUE"),
                "RESOURCE_DOES_NOT_EXIST" => json!("RESOURCE_NOT_FOUND"),
                "RESOURCE_ALREADY_EXISTS" | "PERMISSION_DENIED" => json!(name),
                _ => Value::Null,
            };
            let state = if class.is_null() { Value::Null } else { json!("KAM00") };
            assert_eq!((&body["error_class"], &body["sqlstate"]), (&class, &state), "{name}");
        }
    }

    #[tokio::test]
    async fn what_no_route_takes_is_told_in_the_words_of_the_address() {
        for (path, status, body) in [
            ("/api/2.0/mlflow/nothing", 404, json!({"error_code": "ENDPOINT_NOT_FOUND"})),
            ("/ajax-api/2.0/mlflow/runs/get", 405, json!({"error_code": "ENDPOINT_NOT_FOUND"})),
            ("/v2/models", 405, json!({})),
            ("/v1/traces", 405, json!({})),
            ("/api/v1", 404, json!({"code": "not-found"})),
            ("/api/v1/labels", 405, json!({"code": "method-not-allowed", "status": 405})),
        ] {
            let unrouted = match status {
                405 => Unrouted::method(Method::DELETE, path),
                _ => Unrouted::address(path),
            };
            let sentence = unrouted.to_string();
            let response = render_unrouted(Protocol::of_path(path).unwrap(), unrouted);
            assert_eq!(response.status().as_u16(), status, "{path}");
            let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            for (key, value) in body.as_object().unwrap() {
                assert_eq!(&told[key], value, "{path}");
            }
            assert!(["message", "error", "detail"].iter().any(|key| told[key] == *sentence), "{told}");
        }
        for path in ["/", "/models", "/v20", "/api/v10/x", "/api"] {
            assert_eq!(Protocol::of_path(path), None, "{path}");
        }
    }

    #[tokio::test]
    async fn one_failure_in_each_dialect() {
        let (status, native) = body(Protocol::Native).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(native.contains(r#""code":"invalid-argument""#), "{native}");
        let (_, mlflow) = body(Protocol::Mlflow).await;
        assert!(mlflow.contains(r#""error_code":"INVALID_PARAMETER_VALUE""#), "{mlflow}");
        let (_, oip) = body(Protocol::Oip).await;
        assert!(oip.starts_with(r#"{"error":"an id is"#), "{oip}");
    }
}
