//! A parameter that is given once for a request, or once for each of its rows.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::Error as ScalarError;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};

/// The most rows that a request may have.
pub const MAX_ROWS: usize = 1 << 16;

/// A value for all rows of a request, or one for each.
#[derive(Debug, Clone, PartialEq)]
pub enum PerRow<T> {
    /// The same for all.
    All(T),
    /// One for each row, in order.
    Each(Vec<T>),
}

impl<T> PerRow<T> {
    /// The value of a row; `None` beyond the last.
    pub fn get(&self, row: usize) -> Option<&T> {
        match self {
            Self::All(value) => Some(value),
            Self::Each(values) => values.get(row),
        }
    }

    /// How many rows it speaks of, if it speaks of each.
    pub const fn rows(&self) -> Option<usize> {
        match self {
            Self::All(_) => None,
            Self::Each(values) => Some(values.len()),
        }
    }

    /// The same with other values.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<PerRow<U>, E> {
        Ok(match self {
            Self::All(value) => PerRow::All(f(value)?),
            Self::Each(values) => PerRow::Each(values.into_iter().map(f).collect::<Result<_, _>>()?),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PerRow<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrEach(PhantomData))
    }
}

/// Reads in one pass what an untagged enum would first copy.
struct OneOrEach<T>(PhantomData<T>);

fn scalar<'de, T: Deserialize<'de>, E: Error>(
    value: impl IntoDeserializer<'de, ScalarError>,
) -> Result<PerRow<T>, E> {
    T::deserialize(value.into_deserializer()).map(PerRow::All).map_err(E::custom)
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrEach<T> {
    type Value = PerRow<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value for all rows, or a list with one for each")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<PerRow<T>, E> {
        scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<PerRow<T>, E> {
        scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<PerRow<T>, E> {
        scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<PerRow<T>, E> {
        scalar(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<PerRow<T>, E> {
        scalar(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PerRow<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            if values.len() == MAX_ROWS {
                return Err(A::Error::custom(format_args!("a request has at most {MAX_ROWS} rows")));
            }
            values.push(value);
        }
        Ok(PerRow::Each(values))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_serving::value::FeatureValue;

    use super::*;

    #[test]
    fn one_value_or_one_for_each_row() {
        let read = |text| serde_json::from_str::<PerRow<FeatureValue>>(text).unwrap();
        assert_eq!(read("7"), PerRow::All(FeatureValue::Integer(7)));
        assert_eq!(read(r#""UA""#), PerRow::All(FeatureValue::Text("UA".to_owned())));
        let each = read("[1.5, null]");
        assert_eq!(each, PerRow::Each(vec![FeatureValue::Float(1.5), FeatureValue::Null]));
        assert_eq!((each.rows(), each.get(1), each.get(2)), (Some(2), Some(&FeatureValue::Null), None));
        assert!(serde_json::from_str::<PerRow<String>>("[1]").is_err());
        assert!(serde_json::from_str::<PerRow<String>>("{}").is_err());
        let many = format!("[{}0]", "0,".repeat(MAX_ROWS));
        assert!(serde_json::from_str::<PerRow<FeatureValue>>(&many).is_err());
    }
}
