//! Reads a request message from the body, or from the query of a GET.

use axum::body::Bytes;
use axum::extract::{FromRequest, Query, Request};
use http::{Method, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::table::JSON_LIMIT;
use crate::{Error, MlflowError};
use mainstay_api::dialect::BodyError;

/// Parameters that may stand in a query several times.
const LISTS: [&str; 9] = [
    "order_by",
    "orderBy",
    "stages",
    "run_ids",
    "runIds",
    "trace_ids",
    "traceIds",
    "experiment_ids",
    "experimentIds",
];

/// A request message. Unknown fields are left alone.
pub(crate) struct Call<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Call<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if request.method() == Method::GET {
            return Ok(Self(from_query(request.uri())?));
        }
        let is_delete = request.method() == Method::DELETE;
        let (uri, is_json) = (request.uri().clone(), is_json(&request));
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                BodyError::TooLarge { limit: JSON_LIMIT }
            } else {
                BodyError::Incomplete
            }
        })?;
        if bytes.is_empty() && is_delete {
            return Ok(Self(from_query(&uri)?));
        }
        if !is_json {
            return Err(MlflowError::NotJson.into());
        }
        Ok(Self(from_json(&bytes)?))
    }
}

fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    let malformed = |error: serde_json::Error| BodyError::Malformed(error.to_string());
    // Some old clients encode twice: a JSON text that holds JSON.
    if bytes.first() == Some(&b'"') {
        let inner: String = serde_json::from_slice(bytes).map_err(malformed)?;
        return serde_json::from_str(&inner).map_err(malformed);
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

fn from_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, BodyError> {
    let malformed = |error: String| BodyError::Malformed(error);
    let Query(pairs) =
        Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| malformed(error.to_string()))?;
    let mut message = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value);
        if LISTS.contains(&name.as_str()) {
            let list = message.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = list {
                items.push(value);
            }
        } else {
            message.insert(name, value);
        }
    }
    T::deserialize(Value::Object(message)).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Message {
        name: Option<String>,
        #[serde(alias = "maxResults", deserialize_with = "crate::wire::int64")]
        max_results: Option<i64>,
        #[serde(alias = "orderBy")]
        order_by: Vec<String>,
    }

    fn message(name: &str, max_results: i64, order_by: &[&str]) -> Message {
        let order_by = order_by.iter().map(|&text| text.to_owned()).collect();
        Message { name: Some(name.into()), max_results: Some(max_results), order_by }
    }

    #[test]
    fn bodies_may_be_encoded_twice_but_not_malformed() {
        let plain = br#"{"name": "a", "maxResults": "7", "other": 1}"#;
        let twice = serde_json::to_vec(std::str::from_utf8(plain).unwrap()).unwrap();
        assert_eq!(from_json::<Message>(plain).unwrap(), message("a", 7, &[]));
        assert_eq!(from_json::<Message>(&twice).unwrap(), message("a", 7, &[]));
        for bad in [&b"{bad"[..], b"", b"[1]", b"\"x\"", br#"{"name": 0}"#, &b"[".repeat(10_000)] {
            assert!(matches!(from_json::<Message>(bad), Err(BodyError::Malformed(_))));
        }
    }

    #[test]
    fn queries_repeat_what_is_a_list() {
        let uri = "/x?name=a%20b&max_results=7&order_by=x&order_by=y+DESC".parse().unwrap();
        assert_eq!(from_query::<Message>(&uri).unwrap(), message("a b", 7, &["x", "y DESC"]));
    }
}
