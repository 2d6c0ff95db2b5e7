//! The arguments of a built-in step, checked when its pipeline is kept or started: while some of their values are
//! still references.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value, json};

/// Whether some values of the references that are left in the arguments make them a `T`; if not, a sentence that
/// says why. What [`BuiltIns::check`](super::BuiltIns::check) needs of a step whose arguments are a type.
pub fn check_arguments<T: DeserializeOwned>(with: &Map<String, Value>) -> Result<(), String> {
    let mut tried = Map::new();
    let mut later = Vec::new();
    for (name, value) in with {
        if !value.to_string().contains("${") {
            tried.insert(name.clone(), value.clone());
            continue;
        }
        match sample::<T>(name) {
            Ok(Some(sample)) => {
                tried.insert(name.clone(), sample);
            }
            Ok(None) => later.push(name.as_str()),
            Err(fault) => return Err(fault.to_string()),
        }
    }
    match read::<T>(&tried) {
        Err(Fault::Missing(name)) if later.contains(&name) => Ok(()),
        Err(fault) => Err(fault.to_string()),
        Ok(()) => Ok(()),
    }
}

/// Values of the kinds that arguments have.
fn samples() -> [Value; 7] {
    let (digest, id) = (format!("sha256:{}", "0".repeat(64)), "0".repeat(32));
    [json!("x"), json!(digest), json!(id), json!(1), json!(true), json!([]), json!({})]
}

/// A value that the argument may have. `None` if the argument is known but takes none of the values at hand.
fn sample<T: DeserializeOwned>(name: &str) -> Result<Option<Value>, Fault> {
    for value in samples() {
        match completed::<T>(Map::from_iter([(name.to_owned(), value.clone())])) {
            Ok(()) | Err(Fault::Missing(_)) => return Ok(Some(value)),
            Err(unknown @ Fault::Unknown(_)) => return Err(unknown),
            Err(Fault::Wrong(_)) => {}
        }
    }
    Ok(None)
}

/// Reads arguments, with samples for those that are missing: some are looked at only once none is.
fn completed<T: DeserializeOwned>(mut with: Map<String, Value>) -> Result<(), Fault> {
    loop {
        let name = match read::<T>(&with) {
            Err(Fault::Missing(name)) => name,
            read => return read,
        };
        // Alone: beside a wrong value none would do.
        let fits = |value: &Value| {
            let alone = Map::from_iter([(name.to_owned(), value.clone())]);
            !matches!(read::<T>(&alone), Err(Fault::Wrong(_)))
        };
        match samples().into_iter().find(fits) {
            Some(value) if !with.contains_key(name) => with.insert(name.to_owned(), value),
            _ => return Err(Fault::Missing(name)),
        };
    }
}

fn read<T: DeserializeOwned>(with: &Map<String, Value>) -> Result<(), Fault> {
    T::deserialize(Given { entries: with.iter(), value: None }).map(drop)
}

/// What is wrong with arguments.
#[derive(Debug, PartialEq)]
enum Fault {
    /// One is missing.
    Missing(&'static str),
    /// There is none of that name.
    Unknown(String),
    /// A value is wrong.
    Wrong(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "the argument '{name}' is missing"),
            Self::Unknown(sentence) | Self::Wrong(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<M: fmt::Display>(message: M) -> Self {
        let sentence = message.to_string();
        // Types with parts that are flattened into them say so in their own words.
        if sentence.starts_with("unknown field") { Self::Unknown(sentence) } else { Self::Wrong(sentence) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown(format!("there is no argument '{field}'; there are {}", expected.join(", ")))
    }
}

/// Arguments whose faults keep their kind.
struct Given<'a> {
    entries: serde_json::map::Iter<'a>,
    value: Option<(&'a String, &'a Value)>,
}

impl<'de> Deserializer<'de> for Given<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Given<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.value = self.entries.next();
        let Some((name, _)) = self.value else { return Ok(None) };
        seed.deserialize(de::value::StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) =
            self.value.take().ok_or_else(|| Fault::Wrong("a value without a name".to_owned()))?;
        seed.deserialize(value.clone())
            .map_err(|error| Fault::Wrong(format!("the argument '{name}': {error}")))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::digest::Digest;
    use mainstay_core::name::Name;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Plain {
        model: Name,
        digest: Option<Digest>,
        days: u32,
        kind: Kind,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Odd,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Mixed {
        project: Name,
        #[serde(flatten)]
        span: Span,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Span {
        days: Option<u32>,
    }

    fn checked<T: DeserializeOwned>(with: Value) -> Result<(), String> {
        let Value::Object(with) = with else { unreachable!() };
        check_arguments::<T>(&with)
    }

    #[test]
    fn references_stand_for_what_the_argument_takes() {
        let later = "${steps.train.x}";
        assert_eq!(checked::<Plain>(json!({"model": "m", "days": 3, "kind": "odd"})), Ok(()));
        let all = json!({"model": later, "digest": later, "days": later, "kind": later});
        assert_eq!(checked::<Plain>(all), Ok(()));
        assert_eq!(checked::<Plain>(json!({"model": "m", "days": 3, "kind": [later]})), Ok(()));
        assert_eq!(checked::<Mixed>(json!({"project": later, "days": later})), Ok(()));
    }

    #[test]
    fn what_no_value_mends_is_told() {
        let later = "${run.id}";
        for (with, sentence) in [
            (json!({"model": "m", "kind": "odd"}), "the argument 'days' is missing"),
            (json!({"model": later, "kind": "odd"}), "the argument 'days' is missing"),
            (json!({"mode": later}), "there is no argument 'mode'; there are model, digest, days, kind"),
            (json!({"model": "m", "days": -3, "kind": later}), "the argument 'days': invalid value"),
            (json!({"model": "m", "days": 3, "kind": "even"}), "the argument 'kind': unknown variant"),
        ] {
            let told = checked::<Plain>(with).unwrap_err();
            assert!(told.starts_with(sentence), "{told}");
        }
        let told = checked::<Mixed>(json!({"project": "p", "dayz": later})).unwrap_err();
        assert!(told.starts_with("unknown field `dayz`"), "{told}");
        let told = checked::<Mixed>(json!({"project": later, "days": []})).unwrap_err();
        assert!(told.contains("invalid type"), "{told}");
    }
}
