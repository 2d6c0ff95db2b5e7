//! Reads a request message from the body, or from the query of a GET.

use axum::body::Bytes;
use axum::extract::{FromRequest, Query, Request};
use http::{Method, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::fields::complaint;
use crate::query::Parameters;
use crate::table::JSON_LIMIT;
use crate::{Error, MlflowError};
use mainstay_api::dialect::BodyError;

/// Longest body that is looked at once more to say what is wrong with it, in bytes: read without its types it
/// takes many times its length.
const EXPLAINED: usize = 1 << 20;

/// A request message. Unknown fields are left alone.
pub struct Call<T>(
    /// The message.
    pub T,
);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Call<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        if method == Method::GET {
            return Ok(Self(from_query(&method, &uri)?));
        }
        let typed = content_type(&request);
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                BodyError::TooLarge { limit: JSON_LIMIT }
            } else {
                BodyError::Incomplete
            }
        })?;
        if bytes.is_empty() && method == Method::DELETE {
            return Ok(Self(from_query(&method, &uri)?));
        }
        typed?;
        Ok(Self(from_json(&method, &uri, &bytes)?))
    }
}

/// Checks that the body is JSON (`_validate_content_type`).
fn content_type(request: &Request) -> Result<(), MlflowError> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        let must_say = matches!(*request.method(), Method::POST | Method::PUT);
        return if must_say { Err(MlflowError::NoContentType) } else { Ok(()) };
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(MlflowError::NotJson) }
}

fn from_json<T: DeserializeOwned>(method: &Method, uri: &Uri, bytes: &[u8]) -> Result<T, Error> {
    // Some old clients encode twice: a JSON text that holds JSON.
    let inner: String;
    let bytes = if bytes.first() == Some(&b'"') {
        inner = serde_json::from_slice(bytes).map_err(|error| BodyError::Malformed(error.to_string()))?;
        inner.as_bytes()
    } else {
        bytes
    };
    BodyError::unless_object(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| {
        let message = if bytes.len() <= EXPLAINED { serde_json::from_slice(bytes).ok() } else { None };
        refusal(method, uri, message, &error)
    })
}

/// Reads a message from a query.
pub(crate) fn from_query<T: DeserializeOwned>(method: &Method, uri: &Uri) -> Result<T, Error> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| BodyError::Malformed(error.to_string()))?;
    let parameters = Parameters::gather(pairs);
    let kept = parameters.clone();
    parameters.message().map_err(|error| refusal(method, uri, Some(kept.loose()), &error))
}

/// What is said of a message that could not be read: what a stock server would complain of, if it would.
#[cold]
fn refusal(
    method: &Method,
    uri: &Uri,
    message: Option<Map<String, Value>>,
    error: &dyn std::error::Error,
) -> Error {
    let complaint = message.and_then(|message| complaint(method.as_str(), uri.path(), &message));
    complaint.map_or_else(|| BodyError::Malformed(error.to_string()).into(), Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::response::IntoResponse as _;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Message {
        #[serde(alias = "runId")]
        run_id: Option<String>,
        key: Option<String>,
        #[serde(alias = "orderBy", deserialize_with = "crate::wire::list")]
        order_by: Vec<String>,
    }

    async fn read(request: Request) -> Result<Message, (u16, String)> {
        match Call::<Message>::from_request(request, &()).await {
            Ok(Call(message)) => Ok(message),
            Err(error) => {
                let response = error.into_response();
                let status = response.status().as_u16();
                let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
                let told: Value = serde_json::from_slice(&bytes).unwrap();
                Err((status, told["message"].as_str().unwrap().to_owned()))
            }
        }
    }

    async fn post(content_type: Option<&str>, body: &str) -> Result<Message, (u16, String)> {
        let mut request = http::Request::post("/api/2.0/mlflow/runs/set-tag");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        read(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    #[tokio::test]
    async fn bodies_may_be_encoded_twice_but_not_malformed() {
        let json = Some("application/json; charset=utf-8");
        let plain = r#"{"runId": "a", "other": 1, "order_by": ["x"]}"#;
        let twice = serde_json::to_string(plain).unwrap();
        let message = Message { run_id: Some("a".into()), key: None, order_by: vec!["x".into()] };
        assert_eq!(post(json, plain).await.unwrap(), message);
        assert_eq!(post(json, &twice).await.unwrap(), message);
        for bad in [
            "{bad",
            "",
            "[1]",
            r#"["a"]"#,
            "\"x\"",
            r#"{"run_id": "a", "key": "k", "order_by": [3]}"#,
            &"[".repeat(10_000),
        ] {
            let (status, told) = post(json, bad).await.unwrap_err();
            assert!(status == 400 && told.starts_with("the body cannot be read: "), "{bad}: {told}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_in_the_words_of_a_stock_server() {
        let json = Some("application/json");
        let (status, told) = post(json, r#"{"key": 1, "run_id": 31}"#).await.unwrap_err();
        assert!(
            status == 400 && told.starts_with("Invalid value 31 for parameter 'run_id' supplied: "),
            "{told}"
        );
        let (_, told) = post(json, r#"{"run_id": "a", "runId": "a"}"#).await.unwrap_err();
        assert!(told.starts_with("Request specifies both 'run_id' and 'runId'"), "{told}");
        let long = format!(r#"{{"run_id": 31, "key": "{}"}}"#, "x".repeat(EXPLAINED));
        assert!(post(json, &long).await.unwrap_err().1.starts_with("the body cannot be read: "));
        let (_, told) = post(None, "{}").await.unwrap_err();
        assert_eq!(told, "Bad Request. Content-Type header is missing.");
        let (_, told) = post(Some("text/plain"), "{}").await.unwrap_err();
        assert_eq!(told, "Bad Request. Content-Type must be one of ['application/json'].");
    }

    #[tokio::test]
    async fn queries_are_messages_too() {
        let get = |uri: &str| read(http::Request::get(uri).body(Body::empty()).unwrap());
        let found = get("/api/2.0/mlflow/runs/get?run_id=a%20b&order_by=x&order_by=y+DESC").await.unwrap();
        let message =
            Message { run_id: Some("a b".into()), key: None, order_by: vec!["x".into(), "y DESC".into()] };
        assert_eq!(found, message);
        let both = get("/api/2.0/mlflow/runs/get?run_id=a&runId=a").await.unwrap_err();
        assert!(both.1.starts_with("Request specifies both"), "{}", both.1);
        let delete = http::Request::delete("/api/2.0/mlflow/x?key=k").body(Body::empty()).unwrap();
        assert_eq!(read(delete).await.unwrap().key.as_deref(), Some("k"));
    }
}
