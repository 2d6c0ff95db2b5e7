//! How protobuf's JSON writes scalars: <https://protobuf.dev/programming-guides/json/>.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr as _;

use mainstay_core::page::{PageRequest, PageToken};
use mainstay_core::text::exceeds;
use mainstay_tracking::search::View;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Error, MlflowError};

/// A key with its value: a tag or a parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Pairs in the order of a map.
pub fn pairs(map: std::collections::BTreeMap<String, String>) -> Vec<KeyValue> {
    map.into_iter().map(|(key, value)| KeyValue { key, value }).collect()
}

/// An answer without fields: `{}`.
#[derive(Debug, Serialize)]
pub struct Empty {}

/// 2^53: every integral double below it is exact.
pub(crate) const WHOLE_DOUBLES: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(i64),
    Float(f64),
    Text(String),
}

/// An int64: a number or its text.
pub fn int64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let wrong = || D::Error::custom("expected a 64-bit integer, or its text");
    match Option::<Integer>::deserialize(deserializer).map_err(|_| wrong())? {
        None => Ok(None),
        Some(Integer::Number(number)) => Ok(Some(number)),
        Some(Integer::Float(float)) if float.fract() == 0.0 && float.abs() < WHOLE_DOUBLES =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and in range")]
            Ok(Some(float as i64))
        }
        Some(Integer::Float(_)) => Err(wrong()),
        Some(Integer::Text(text)) => text.parse().map(Some).map_err(|_| wrong()),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Double {
    Number(f64),
    Text(String),
}

/// A double: a number, its text, or one of `NaN`, `Infinity`, `-Infinity`.
pub fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let wrong = || D::Error::custom("expected a number, or one of \"NaN\", \"Infinity\", \"-Infinity\"");
    match Option::<Double>::deserialize(deserializer).map_err(|_| wrong())? {
        None => Ok(None),
        Some(Double::Number(number)) => Ok(Some(number)),
        Some(Double::Text(text)) => f64::from_str(&text).map(Some).map_err(|_| wrong()),
    }
}

/// Writes a metric value: NaN as text, infinities as the largest doubles, which is how a stock server
/// stores them (`sanitize_metric_value`).
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(crate) fn metric_value<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_f64(value.clamp(f64::MIN, f64::MAX))
    }
}

/// Most items of any list. Calls have limits of their own below it; this one keeps a long list from being
/// built before it is counted.
const MAX_ITEMS: usize = 100_000;

/// A list that may be absent or null. A longer one than any call takes is not read to its end.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Short<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Short<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_none<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
            deserializer.deserialize_seq(self)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                if all.len() == MAX_ITEMS {
                    return Err(A::Error::custom(format_args!("a list has at most {MAX_ITEMS} items")));
                }
                all.push(item);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_option(Short(PhantomData))
}

/// A list that can be told from none at all, if it is absent.
pub fn some_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    list(deserializer).map(Some)
}

/// A value of an enumeration: its name or its number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// The number.
    Number(i64),
    /// The name.
    Name(String),
}

impl From<Choice> for Value {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Number(number) => number.into(),
            Choice::Name(name) => name.into(),
        }
    }
}

impl Choice {
    /// The name; `names` are in the order of their numbers, which count from `first`.
    pub fn name<'a>(&'a self, names: &[&'a str], first: i64) -> Option<&'a str> {
        match self {
            Self::Number(number) => {
                let at = usize::try_from(number.checked_sub(first)?).ok()?;
                names.get(at).copied()
            }
            Self::Name(name) => names.iter().copied().find(|known| known == name),
        }
    }
}

/// `ViewType`; what is alive if nothing is said.
pub(crate) fn view(name: &'static str, choice: Option<&Choice>) -> Result<View, MlflowError> {
    let Some(choice) = choice else { return Ok(View::Active) };
    match choice.name(&["ACTIVE_ONLY", "DELETED_ONLY", "ALL"], 1) {
        Some("ACTIVE_ONLY") => Ok(View::Active),
        Some("DELETED_ONLY") => Ok(View::Deleted),
        Some(_) => Ok(View::All),
        None => Err(MlflowError::invalid(name, choice.clone(), "use ACTIVE_ONLY, DELETED_ONLY or ALL")),
    }
}

/// A text that must be there and not empty.
pub fn required(name: &'static str, text: Option<String>) -> Result<String, MlflowError> {
    text.filter(|text| !text.is_empty()).ok_or(MlflowError::Missing(name))
}

/// Longest text that [`looked_up_nowhere`] lets through, in characters.
const MAX_NAME: usize = 256;

/// A name, such as the id of a run, that is kept without being looked up, so that nothing else bounds it.
pub fn looked_up_nowhere(field: &'static str, text: String) -> Result<String, MlflowError> {
    if exceeds(&text, MAX_NAME).is_some() || text.contains('\0') {
        let hint = format!("give at most {MAX_NAME} characters, no U+0000");
        return Err(MlflowError::invalid(field, text, hint));
    }
    Ok(text)
}

/// The wanted page: `max_results` from 1 to `most`, and where the page before ended.
pub fn page(
    max_results: Option<i64>,
    (default, most): (usize, usize),
    token: Option<&str>,
) -> Result<PageRequest, Error> {
    let limit = match max_results {
        None => default,
        Some(number) => {
            let wanted = usize::try_from(number).ok().filter(|wanted| (1..=most).contains(wanted));
            wanted.ok_or(MlflowError::MaxResults { number, most })?
        }
    };
    let after = token.filter(|token| !token.is_empty()).map(str::parse::<PageToken>).transpose()?;
    Ok(PageRequest { limit, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "int64", alias = "startTime")]
        start_time: Option<i64>,
        #[serde(deserialize_with = "double")]
        value: Option<f64>,
        #[serde(deserialize_with = "list")]
        tags: Vec<KeyValue>,
    }

    fn read(text: &str) -> Result<Sample, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn scalars_come_in_every_form_of_protobuf() {
        let sample = |start_time, value| Sample { start_time, value, tags: Vec::new() };
        assert_eq!(read("{}").unwrap(), sample(None, None));
        for text in [
            r#"{"start_time": 7, "value": 1}"#,
            r#"{"start_time": "7", "value": "1.0"}"#,
            r#"{"startTime": 7.0, "value": 1.0, "unknown": {"a": [1]}, "tags": null}"#,
        ] {
            assert_eq!(read(text).unwrap(), sample(Some(7), Some(1.0)), "{text}");
        }
        for (text, value) in [("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)] {
            assert_eq!(read(&format!("{{\"value\": \"{text}\"}}")).unwrap().value, Some(value));
        }
        assert!(read(r#"{"value": "NaN"}"#).unwrap().value.unwrap().is_nan());
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            r#"{"start_time": "x"}"#,
            r#"{"start_time": 1.5}"#,
            r#"{"start_time": 1e300}"#,
            r#"{"start_time": true}"#,
            r#"{"start_time": 1, "startTime": 1}"#,
            r#"{"value": NaN}"#,
            r#"{"value": "much"}"#,
            r#"{"value": []}"#,
            r#"{"tags": {}}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn metric_values_go_out_as_mlflow_writes_them() {
        #[derive(Serialize)]
        struct Out(#[serde(serialize_with = "metric_value")] f64);
        let text = |value| serde_json::to_string(&Out(value)).unwrap();
        assert_eq!(text(f64::NAN), "\"NaN\"");
        assert_eq!(text(f64::INFINITY).parse(), Ok(f64::MAX));
        assert_eq!(text(f64::NEG_INFINITY).parse(), Ok(f64::MIN));
        assert_eq!(text(0.1), "0.1");
    }

    #[test]
    fn views_and_pages_are_checked() {
        assert_eq!(view("v", Some(&Choice::Number(3))), Ok(View::All));
        assert_eq!(view("v", Some(&Choice::Name("DELETED_ONLY".into()))), Ok(View::Deleted));
        assert!(view("v", Some(&Choice::Number(0))).is_err());
        assert_eq!(page(None, (5, 10), Some("")).unwrap(), PageRequest::first(5));
        for wrong in [0, -1, 11] {
            assert!(page(Some(wrong), (5, 10), None).is_err(), "{wrong}");
        }
        assert!(page(None, (5, 10), Some("not ours")).is_err());
    }
}
