//! Reads a message from the query of a GET. The types of the message say what may stand there several times.

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// Names with all their values, in the order of their first ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(Vec<(String, Values)>);

impl Parameters {
    /// Gathers the pairs of a query.
    pub(crate) fn gather(pairs: Vec<(String, String)>) -> Self {
        let mut all: Vec<(String, Values)> = Vec::new();
        for (name, value) in pairs {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.0.push(value),
                None => all.push((name, Values(vec![value]))),
            }
        }
        Self(all)
    }

    /// Reads a message.
    pub(crate) fn message<T: DeserializeOwned>(self) -> Result<T, Error> {
        T::deserialize(MapDeserializer::new(self.0.into_iter()))
    }

    /// What stands there: a text, or a list of them.
    pub(crate) fn loose(self) -> Map<String, Value> {
        let value = |Values(mut values): Values| match values.pop() {
            Some(last) if values.is_empty() => Value::from(last),
            last => values.into_iter().chain(last).collect(),
        };
        self.0.into_iter().map(|(name, values)| (name, value(values))).collect()
    }
}

/// The values of one name: a list where one is asked for, else the first.
#[derive(Debug, Clone)]
struct Values(Vec<String>);

impl IntoDeserializer<'_> for Values {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Values {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0.into_iter().next().unwrap_or_default())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.0.into_iter().next().unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => {
                Err(Error::custom(format_args!("Invalid boolean value: {text}, must be 'true' or 'false'.")))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Message {
        name: Option<String>,
        #[serde(alias = "maxResults", deserialize_with = "crate::wire::int64")]
        max_results: Option<i64>,
        #[serde(alias = "orderBy", deserialize_with = "crate::wire::list")]
        order_by: Vec<String>,
        allow_deleted: Option<bool>,
    }

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters::gather(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn the_message_says_what_is_a_list() {
        let read = |pairs| parameters(pairs).message::<Message>();
        let expected = Message {
            name: Some("a b".into()),
            max_results: Some(7),
            order_by: vec!["x".into(), "y DESC".into()],
            allow_deleted: Some(true),
        };
        let pairs: &[_] = &[
            ("order_by", "x"),
            ("name", "a b"),
            ("max_results", "7"),
            ("order_by", "y DESC"),
            ("allow_deleted", "TRUE"),
            ("other", "1"),
        ];
        assert_eq!(read(pairs), Ok(expected));
        assert_eq!(read(&[("orderBy", "x")]).unwrap().order_by, ["x"]);
        assert_eq!(read(&[("name", "a"), ("name", "b")]).unwrap().name.as_deref(), Some("a"));
        let refused = read(&[("allow_deleted", "1")]).unwrap_err().to_string();
        assert_eq!(refused, "Invalid boolean value: 1, must be 'true' or 'false'.");
        assert!(read(&[("max_results", "x")]).is_err());
        assert!(read(&[("order_by", "x"), ("orderBy", "x")]).is_err());
    }

    #[test]
    fn what_stands_in_a_query_can_be_shown() {
        let shown = parameters(&[("a", "1"), ("b", "2"), ("a", "3")]).loose();
        assert_eq!(Value::from(shown), json!({"a": ["1", "3"], "b": "2"}));
    }
}
