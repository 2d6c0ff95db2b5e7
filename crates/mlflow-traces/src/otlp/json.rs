//! How OTLP's JSON writes what protobuf has no JSON of its own for.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstay_traces::span::{SpanKind, StatusCode};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::message::Value;
use mainstay_mlflow::wire;

/// A list that may be absent or null.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An id: hexadecimal digits of either case.
pub(super) fn hex_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    hex::decode(text).map_err(|_| D::Error::custom("an id is hexadecimal digits"))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written<N> {
    Number(N),
    Text(String),
}

/// A 64-bit number, or its text.
pub(super) fn integer<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: Deserialize<'de> + FromStr + Default,
{
    match Option::<Written<N>>::deserialize(deserializer)? {
        None => Ok(N::default()),
        Some(Written::Number(number)) => Ok(number),
        Some(Written::Text(text)) => text.parse().map_err(|_| D::Error::custom("expected a 64-bit number")),
    }
}

/// A number of an enumeration, or one of its names; 0 if nobody knows it.
fn choice<'de, D: Deserializer<'de>>(
    deserializer: D,
    number: impl Fn(&str) -> Option<u8>,
) -> Result<i32, D::Error> {
    Ok(match Option::<Written<i32>>::deserialize(deserializer)? {
        None => 0,
        Some(Written::Number(number)) => number,
        Some(Written::Text(name)) => number(&name).map_or(0, i32::from),
    })
}

/// `SpanKind`.
pub(super) fn span_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    choice(deserializer, |name| {
        SpanKind::ALL.into_iter().find(|kind| kind.as_str() == name).map(SpanKind::number)
    })
}

/// `StatusCode`.
pub(super) fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    choice(deserializer, |name| {
        StatusCode::ALL.into_iter().find(|code| code.as_str() == name).map(StatusCode::number)
    })
}

/// `AnyValue`: an object of one member, which names its type.
pub(super) fn any_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    struct OneMember;

    impl<'de> Visitor<'de> for OneMember {
        type Value = Option<Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object that names the type of a value")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Value>, A::Error> {
            let mut value = None;
            while let Some(name) = members.next_key::<String>()? {
                value = Some(match name.as_str() {
                    "stringValue" => Value::String(members.next_value()?),
                    "boolValue" => Value::Bool(members.next_value()?),
                    "intValue" => Value::Int(members.next_value::<Int>()?.0),
                    "doubleValue" => Value::Double(members.next_value::<Double>()?.0.unwrap_or_default()),
                    "arrayValue" => Value::Array(members.next_value()?),
                    "kvlistValue" => Value::Map(members.next_value()?),
                    "bytesValue" => {
                        let text: String = members.next_value()?;
                        let bytes = STANDARD.decode(text);
                        Value::Bytes(bytes.map_err(|_| A::Error::custom("bytes are written in base64"))?)
                    }
                    _ => {
                        members.next_value::<IgnoredAny>()?;
                        continue;
                    }
                });
            }
            Ok(value)
        }
    }

    #[derive(Deserialize)]
    struct Int(#[serde(deserialize_with = "integer")] i64);
    #[derive(Deserialize)]
    struct Double(#[serde(deserialize_with = "wire::double")] Option<f64>);

    deserializer.deserialize_map(OneMember)
}
