//! The body of an inference request: JSON, and behind it the tensors in binary form.
//!
//! Source: Open Inference Protocol, "Inference Request JSON Object"; Triton's
//! `extension_binary_data.md`. Parameters of ours: `data_time`, `key` and `entity`, each one value for
//! all rows or a list with one for each; `prediction_id`, one for each row, by which a client that lost the
//! answer asks again without predicting twice; and `durability` (`written` or `synced`).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_serving::value::FeatureValue;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::binary;
use super::error::OipError;
use super::per_row::PerRow;
use super::plain;
use super::service::{Durability, InferRequest};
use super::tensor::{Datatype, MAX_RANK, Tensor, TensorError, elements};
use super::values::Elements;

/// Most inputs, outputs or entity keys of a request.
pub(super) const MAX_NAMES: usize = 4_096;
/// So few names are compared with each other sooner than hashed.
const FEW: usize = 32;
/// Longest key, in bytes.
const MAX_KEY: usize = 1_024;

/// Whom a request is for.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) workspace: Name,
    pub(super) endpoint: String,
    pub(super) version: Option<u64>,
}

/// Which outputs are wanted, and in which form.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// The request's own id, echoed.
    pub(super) id: String,
    /// Names and whether in binary form; `None` is all of them.
    pub(super) outputs: Option<Vec<(String, bool)>>,
    /// Whether outputs that are not named come in binary form.
    pub(super) binary: bool,
}

/// What a body says, its tensors complete.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) id: String,
    pub(super) parameters: Parameters,
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    parameters: Parameters,
    #[serde(borrow, deserialize_with = "few")]
    inputs: Vec<Input<'a>>,
    #[serde(default, deserialize_with = "few")]
    outputs: Vec<Output>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    binary_data_output: Option<bool>,
    data_time: Option<PerRow<String>>,
    prediction_id: Option<PerRow<PredictionId>>,
    key: Option<PerRow<FeatureValue>>,
    #[serde(default, deserialize_with = "few_named")]
    entity: BTreeMap<String, PerRow<FeatureValue>>,
    #[serde(default)]
    durability: Durability,
}

#[derive(Deserialize)]
struct Input<'a> {
    name: String,
    shape: ShortShape,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(default)]
    parameters: InputParameters,
    data: Option<Elements>,
}

#[derive(Default, Deserialize)]
struct InputParameters {
    binary_data_size: Option<u64>,
    shared_memory_region: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    name: String,
    #[serde(default)]
    parameters: OutputParameters,
}

#[derive(Debug, Default, Deserialize)]
struct OutputParameters {
    binary_data: Option<bool>,
    classification: Option<u64>,
    shared_memory_region: Option<String>,
}

/// At most [`MAX_NAMES`] items; a longer list is not read to its end.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of tensors")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = list.next_element()? {
                if all.len() == MAX_NAMES {
                    return Err(A::Error::custom(format_args!("a request has at most {MAX_NAMES} tensors")));
                }
                all.push(item);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_seq(Few(PhantomData))
}

/// At most [`MAX_NAMES`] entity keys; a longer map is not read to its end.
fn few_named<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, PerRow<FeatureValue>>, D::Error> {
    struct Few;
    impl<'de> Visitor<'de> for Few {
        type Value = BTreeMap<String, PerRow<FeatureValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("entity keys by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((name, value)) = map.next_entry()? {
                if all.len() == MAX_NAMES {
                    return Err(A::Error::custom(format_args!(
                        "a request has at most {MAX_NAMES} entity keys"
                    )));
                }
                all.insert(name, value);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Few)
}

/// A shape of at most [`MAX_RANK`] dimensions; a longer list is not read to its end.
struct ShortShape {
    sizes: [i64; MAX_RANK],
    rank: usize,
}

impl ShortShape {
    fn sizes(&self) -> &[i64] {
        self.sizes.get(..self.rank).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for ShortShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Short;
        impl<'de> Visitor<'de> for Short {
            type Value = ShortShape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a shape: a list of whole numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ShortShape, A::Error> {
                let mut dimensions = ShortShape { sizes: [0; MAX_RANK], rank: 0 };
                while let Some(dimension) = list.next_element()? {
                    let Some(size) = dimensions.sizes.get_mut(dimensions.rank) else {
                        return Err(A::Error::custom(format_args!(
                            "a shape has at most {MAX_RANK} dimensions"
                        )));
                    };
                    *size = dimension;
                    dimensions.rank += 1;
                }
                Ok(dimensions)
            }
        }
        deserializer.deserialize_seq(Short)
    }
}

/// Reads a body whose first `header` bytes are JSON; all of it is, where there is no header length.
pub(super) fn read(
    target: Target,
    body: &[u8],
    header: Option<usize>,
) -> Result<(InferRequest, Wanted), OipError> {
    let (json, mut tail) = match header {
        None => (body, &[][..]),
        Some(0) => return Err(OipError::RawRequest),
        Some(length) => {
            body.split_at_checked(length).ok_or(OipError::HeaderLength { length, body: body.len() })?
        }
    };
    let plain = std::str::from_utf8(json).ok().and_then(|text| plain::read(text, &mut tail));
    let body = plain.map_or_else(|| general(json, &mut tail), Ok)?;
    let Body { id, parameters, inputs, outputs } = body;
    if let Some(twice) = repeated(&inputs) {
        return Err(OipError::Duplicate { what: "input", name: twice.name.clone() });
    }
    if !tail.is_empty() {
        return Err(OipError::Trailing(tail.len()));
    }
    let wanted = wanted(id, outputs, parameters.binary_data_output.unwrap_or(false))?;
    let Target { workspace, endpoint, version } = target;
    let request = InferRequest {
        workspace,
        endpoint,
        version,
        inputs,
        data_time: parameters.data_time.map(|times| times.try_map(|text| instant(&text))).transpose()?,
        ids: parameters.prediction_id,
        key: parameters.key.map(|keys| keys.try_map(key)).transpose()?,
        entities: parameters.entity.into_iter().collect(),
        durability: parameters.durability,
    };
    Ok((request, wanted))
}

/// A tensor whose name another one before it has.
fn repeated(inputs: &[Tensor]) -> Option<&Tensor> {
    if inputs.len() <= FEW {
        let mut before = inputs.iter().enumerate().map(|(at, tensor)| (inputs.iter().take(at), tensor));
        return before
            .find(|(before, one)| before.clone().any(|other| other.name == one.name))
            .map(|(_, one)| one);
    }
    let mut names = HashSet::with_capacity(inputs.len());
    inputs.iter().find(|tensor| !names.insert(tensor.name.as_str()))
}

/// Reads any body, and says what is wrong with it.
pub(super) fn general(json: &[u8], tail: &mut &[u8]) -> Result<Body, OipError> {
    let Written { id, parameters, inputs, outputs } = serde_json::from_slice(json).map_err(OipError::Json)?;
    let mut tensors: Vec<Tensor> = Vec::with_capacity(inputs.len());
    for input in inputs {
        tensors.push(tensor(input, tail)?);
    }
    Ok(Body { id, parameters, inputs: tensors, outputs })
}

/// Takes a tensor from its JSON, or from the front of the binary part.
fn tensor(input: Input<'_>, tail: &mut &[u8]) -> Result<Tensor, OipError> {
    let Input { name, shape, datatype, parameters, data } = input;
    if parameters.shared_memory_region.is_some() {
        return Err(OipError::SharedMemory);
    }
    let datatype = Datatype::named(&datatype)
        .ok_or_else(|| TensorError::Datatype { name: name.clone(), datatype: datatype.into_owned() })?;
    let (shape, count) = elements(&name, shape.sizes())?;
    let data = match (data, parameters.binary_data_size) {
        (Some(data), None) => data.into_data(&name, datatype)?,
        (None, Some(size)) => {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let missing = || OipError::BinarySize { name: name.clone(), size, left: tail.len() };
            let (bytes, rest) = tail.split_at_checked(size).ok_or_else(missing)?;
            *tail = rest;
            binary::decode(&name, datatype, count, bytes)?
        }
        (None, None) | (Some(_), Some(_)) => return Err(OipError::Data(name)),
    };
    if data.len() != count {
        return Err(TensorError::Length { name, expected: count, given: data.len() }.into());
    }
    Ok(Tensor { name, shape, data })
}

fn wanted(id: String, outputs: Vec<Output>, binary: bool) -> Result<Wanted, OipError> {
    let mut names = HashSet::with_capacity(outputs.len());
    let mut chosen = Vec::with_capacity(outputs.len());
    for Output { name, parameters } in outputs {
        if parameters.shared_memory_region.is_some() {
            return Err(OipError::SharedMemory);
        }
        if parameters.classification.is_some_and(|top| top > 0) {
            return Err(OipError::Classification);
        }
        if !names.insert(name.clone()) {
            return Err(OipError::Duplicate { what: "output", name });
        }
        chosen.push((name, parameters.binary_data.unwrap_or(binary)));
    }
    Ok(Wanted { id, outputs: (!chosen.is_empty()).then_some(chosen), binary })
}

fn instant(text: &str) -> Result<DataTime, OipError> {
    DataTime::parse(text).ok_or_else(|| OipError::DataTime(text.chars().take(60).collect()))
}

/// A sticky key is text, or a whole number as its decimal text.
fn key(value: FeatureValue) -> Result<String, OipError> {
    let text = match value {
        FeatureValue::Text(text) => text,
        FeatureValue::Integer(number) => number.to_string(),
        FeatureValue::Null | FeatureValue::Boolean(_) | FeatureValue::Float(_) => {
            return Err(OipError::Key(MAX_KEY));
        }
    };
    if text.is_empty() || text.len() > MAX_KEY { Err(OipError::Key(MAX_KEY)) } else { Ok(text) }
}
