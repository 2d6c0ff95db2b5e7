//! The `data` of a tensor in JSON: numbers, truth values or texts, flat or nested, in row-major order.
//!
//! The datatype may stand behind the data, so elements are collected by what they look like and turned
//! into the declared datatype afterwards; no JSON value is ever built.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::tensor::{Data, Datatype, MAX_ELEMENTS, MAX_RANK, TensorError};

/// The elements by what they look like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Elements {
    Empty,
    Bools(Vec<bool>),
    Ints(Vec<i64>),
    /// Also the missing ones, written as `null`, which are NaN here.
    Floats(Vec<f64>),
    Texts(Vec<Arc<str>>),
}

const MIXED: &str = "the elements of one tensor are all numbers, all texts, or all true and false";
const MANY: &str = "a tensor has too many elements";

impl Elements {
    fn bool(&mut self, value: bool) -> Result<(), &'static str> {
        match self {
            Self::Empty => *self = Self::Bools(vec![value]),
            Self::Bools(all) => push(all, value)?,
            _ => return Err(MIXED),
        }
        Ok(())
    }

    fn int(&mut self, value: i64) -> Result<(), &'static str> {
        match self {
            Self::Empty => *self = Self::Ints(vec![value]),
            Self::Ints(all) => push(all, value)?,
            Self::Floats(all) => push(all, value as f64)?,
            _ => return Err(MIXED),
        }
        Ok(())
    }

    fn float(&mut self, value: f64) -> Result<(), &'static str> {
        match self {
            Self::Empty => *self = Self::Floats(vec![value]),
            Self::Ints(all) => {
                let mut floats: Vec<f64> = all.iter().map(|int| *int as f64).collect();
                push(&mut floats, value)?;
                *self = Self::Floats(floats);
            }
            Self::Floats(all) => push(all, value)?,
            _ => return Err(MIXED),
        }
        Ok(())
    }

    fn text(&mut self, value: &str) -> Result<(), &'static str> {
        match self {
            Self::Empty => *self = Self::Texts(vec![Arc::from(value)]),
            Self::Texts(all) => push(all, Arc::from(value))?,
            _ => return Err(MIXED),
        }
        Ok(())
    }

    /// The elements as the declared datatype.
    pub(super) fn into_data(self, name: &str, datatype: Datatype) -> Result<Data, TensorError> {
        let wrong =
            |problem| TensorError::Element { name: name.to_owned(), datatype: datatype.as_str(), problem };
        match datatype {
            Datatype::Bool => match self {
                Self::Empty => Ok(Data::Bool(Vec::new())),
                Self::Bools(all) => Ok(Data::Bool(all)),
                _ => Err(wrong("an element is neither true nor false")),
            },
            Datatype::Bytes => match self {
                Self::Empty => Ok(Data::Text(Vec::new())),
                Self::Texts(all) => Ok(Data::Text(all)),
                _ => Err(wrong("an element is no text")),
            },
            Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32 => {
                self.numbers().ok_or_else(|| wrong("an element is no number"))?.narrow().map_err(wrong)
            }
            Datatype::Fp64 => {
                Ok(Data::F64(self.numbers().ok_or_else(|| wrong("an element is no number"))?.0))
            }
            Datatype::Int64 | Datatype::Uint64 | Datatype::Uint32 => {
                let all = self.ints().ok_or_else(|| wrong("an element is no whole number"))?;
                let max = if datatype == Datatype::Uint32 { i64::from(u32::MAX) } else { i64::MAX };
                let min = if datatype == Datatype::Int64 { i64::MIN } else { 0 };
                let fits = all.iter().all(|int| (min..=max).contains(int));
                if fits { Ok(Data::I64(all)) } else { Err(wrong("an element is out of its range")) }
            }
            Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Uint8 | Datatype::Uint16 => {
                let all = self.ints().ok_or_else(|| wrong("an element is no whole number"))?;
                let range = match datatype {
                    Datatype::Int8 => i64::from(i8::MIN)..=i64::from(i8::MAX),
                    Datatype::Int16 => i64::from(i16::MIN)..=i64::from(i16::MAX),
                    Datatype::Uint8 => 0..=i64::from(u8::MAX),
                    Datatype::Uint16 => 0..=i64::from(u16::MAX),
                    _ => i64::from(i32::MIN)..=i64::from(i32::MAX),
                };
                let narrowed = all.iter().map(|int| i32::try_from(*int).ok().filter(|_| range.contains(int)));
                let narrowed: Option<Vec<i32>> = narrowed.collect();
                narrowed.map(Data::I32).ok_or_else(|| wrong("an element is out of its range"))
            }
        }
    }

    fn numbers(self) -> Option<Numbers> {
        match self {
            Self::Empty => Some(Numbers(Vec::new())),
            Self::Ints(all) => Some(Numbers(all.iter().map(|int| *int as f64).collect())),
            Self::Floats(all) => Some(Numbers(all)),
            Self::Bools(_) | Self::Texts(_) => None,
        }
    }

    fn ints(self) -> Option<Vec<i64>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Ints(all) => Some(all),
            _ => None,
        }
    }
}

struct Numbers(Vec<f64>);

impl Numbers {
    /// As FP32; a number beyond its range would silently become infinite.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to FP32 is what was declared")]
    fn narrow(self) -> Result<Data, &'static str> {
        if self.0.iter().any(|number| number.is_finite() && (*number as f32).is_infinite()) {
            return Err("an element is too large for it; send FP64");
        }
        Ok(Data::F32(self.0.iter().map(|number| *number as f32).collect()))
    }
}

fn push<T>(all: &mut Vec<T>, value: T) -> Result<(), &'static str> {
    if all.len() >= MAX_ELEMENTS {
        return Err(MANY);
    }
    all.push(value);
    Ok(())
}

impl<'de> serde::Deserialize<'de> for Elements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Self::Empty;
        deserializer.deserialize_seq(Collect { into: &mut all, depth: 0 })?;
        Ok(all)
    }
}

/// Adds whatever comes next: an element, or a list of such.
struct Collect<'c> {
    into: &'c mut Elements,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the elements of a tensor: numbers, null, texts, or true and false, in lists")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.into.bool(value).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.into.int(value).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(int) => self.into.int(int).map_err(E::custom),
            Err(_) => self.into.float(value as f64).map_err(E::custom),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.into.float(value).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.into.text(value).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.into.float(f64::NAN).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.depth >= MAX_RANK {
            return Err(A::Error::custom("the lists of a tensor's data are nested too deeply"));
        }
        let Self { into, depth } = self;
        while list.next_element_seed(Collect { into: &mut *into, depth: depth + 1 })?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, datatype: Datatype) -> Result<Data, String> {
        let elements: Elements = serde_json::from_str(text).map_err(|error| error.to_string())?;
        elements.into_data("x", datatype).map_err(|error| error.to_string())
    }

    #[test]
    fn nested_and_flat_data_are_the_same() {
        let flat = read("[1, 2.5, 3, 4]", Datatype::Fp32);
        assert_eq!(flat, Ok(Data::F32(vec![1.0, 2.5, 3.0, 4.0])));
        assert_eq!(read("[[1, 2.5], [3, 4]]", Datatype::Fp32), flat);
        assert_eq!(read(r#"[["a"], ["b"]]"#, Datatype::Bytes), Ok(Data::Text(vec!["a".into(), "b".into()])));
        assert_eq!(read("[true, false]", Datatype::Bool), Ok(Data::Bool(vec![true, false])));
        assert_eq!(read("[9007199254740993]", Datatype::Int64), Ok(Data::I64(vec![9_007_199_254_740_993])));
    }

    #[test]
    fn null_is_a_missing_number() {
        let Ok(Data::F32(all)) = read("[1, null]", Datatype::Fp32) else { panic!() };
        assert!(all[0].to_bits() == 1.0_f32.to_bits() && all[1].is_nan());
        assert!(read("[1, null]", Datatype::Int64).is_err());
        assert!(read(r#"["a", null]"#, Datatype::Bytes).is_err());
    }

    #[test]
    fn elements_must_be_of_the_declared_datatype() {
        for (text, datatype) in [
            ("[1.5]", Datatype::Int32),
            ("[300]", Datatype::Uint8),
            ("[-1]", Datatype::Uint64),
            ("[18446744073709551615]", Datatype::Uint64),
            ("[3000000000]", Datatype::Int32),
            ("[1e39]", Datatype::Fp32),
            ("[1]", Datatype::Bytes),
            ("[1]", Datatype::Bool),
            ("[true]", Datatype::Fp32),
            (r#"[1, "a"]"#, Datatype::Fp32),
            ("[[[[[[[[[1]]]]]]]]]", Datatype::Fp32),
            ("[{}]", Datatype::Fp32),
            ("[NaN]", Datatype::Fp32),
            ("1", Datatype::Fp32),
        ] {
            assert!(read(text, datatype).is_err(), "{text} as {datatype:?}");
        }
        assert_eq!(read("[]", Datatype::Int8), Ok(Data::I32(vec![])));
    }
}
