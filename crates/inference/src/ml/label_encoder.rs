//! `LabelEncoder`: maps each element by a list of keys and values, of any kinds.

use std::fmt;
use std::sync::Arc;

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::lookup::{Key, Lookup};
use crate::node::{Built, Node};
use crate::tensor::{DType, Data, Element, Tensor};

/// A key that is listed twice counts where it stands first. NaN is a key like any other (said by
/// operator set 4; earlier ones leave it open).
#[derive(Debug)]
struct Encoder<K, V> {
    keys: Lookup<K>,
    values: Vec<V>,
    default: V,
}

impl<K: Key, V: Element> Kernel for Encoder<K, V> {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<K>(0)?;
        let values = data.iter().map(|key| {
            self.keys.place(key).and_then(|place| self.values.get(place)).unwrap_or(&self.default).clone()
        });
        outputs.buffer(0, shape)?.extend(values);
        Ok(())
    }
}

/// The keys or values of a node as data, from whichever attribute holds them.
fn entries(node: &Node<'_>, side: Side) -> Result<Data, NodeError> {
    let names = side.names();
    let (texts, ints, floats) = (node.texts(names[0])?, node.ints(names[1])?, node.floats(names[2])?);
    let tensor = node.tensor(names[3])?;
    let mut found: Vec<Data> = Vec::new();
    if !texts.is_empty() {
        found.push(Data::Str(texts));
    }
    if !ints.is_empty() {
        found.push(Data::I64(ints.to_vec()));
    }
    if !floats.is_empty() {
        found.push(Data::F32(floats.to_vec()));
    }
    found.extend(tensor.map(Tensor::into_data));
    match (found.pop(), found.is_empty()) {
        (Some(data), true) => Ok(data),
        (None, _) => Err(NodeError::AttributeMissing(names[0])),
        _ => Err(NodeError::AttributeValue {
            name: names[0],
            problem: "is given together with one of another type",
        }),
    }
}

#[derive(Clone, Copy)]
enum Side {
    Keys,
    Values,
}

impl Side {
    const fn names(self) -> [&'static str; 4] {
        match self {
            Self::Keys => ["keys_strings", "keys_int64s", "keys_floats", "keys_tensor"],
            Self::Values => ["values_strings", "values_int64s", "values_floats", "values_tensor"],
        }
    }
}

/// A type of values, with the attribute that says what unknown keys become.
trait Value: Element {
    fn default(node: &Node<'_>) -> Result<Self, NodeError>;
}

fn default_from_tensor<T: Element>(node: &Node<'_>) -> Result<Option<T>, NodeError> {
    let Some(tensor) = node.tensor("default_tensor")? else { return Ok(None) };
    match T::slice(tensor.data()) {
        Some([value]) => Ok(Some(value.clone())),
        _ => Err(NodeError::AttributeValue {
            name: "default_tensor",
            problem: "must hold one value of the values' type",
        }),
    }
}

macro_rules! value {
    ($type:ty, $node:ident => $attribute:expr) => {
        impl Value for $type {
            fn default($node: &Node<'_>) -> Result<Self, NodeError> {
                Ok(match default_from_tensor::<$type>($node)? {
                    Some(value) => value,
                    None => $attribute,
                })
            }
        }
    };
}

value!(f32, node => node.float("default_float")?.unwrap_or(-0.0));
value!(f64, _node => -0.0);
value!(i64, node => node.int("default_int64")?.unwrap_or(-1));
value!(Arc<str>, node => node.text("default_string")?.unwrap_or("_Unused").into());

fn with_keys<K: Key + fmt::Debug>(node: &Node<'_>, keys: Vec<K>, values: Data) -> Result<Built, NodeError> {
    fn build<K: Key, V: Value>(node: &Node<'_>, keys: Vec<K>, values: Vec<V>) -> Result<Built, NodeError> {
        if keys.len() != values.len() {
            return Err(NodeError::AttributeValue {
                name: "keys_*",
                problem: "and the values must be equally many",
            });
        }
        let default = V::default(node)?;
        Ok(Built::one(V::DTYPE, Encoder { keys: Lookup::new(keys, false), values, default }))
    }
    match values {
        Data::F32(values) => build(node, keys, values),
        Data::F64(values) => build(node, keys, values),
        Data::I64(values) => build(node, keys, values),
        Data::Str(values) => build(node, keys, values),
        Data::I32(_) | Data::Bool(_) => Err(NodeError::AttributeValue {
            name: "values_tensor",
            problem: "is of a type that is not supported",
        }),
    }
}

/// The first version: a list of texts, and their places in it.
fn build_classes(node: &Node<'_>) -> Result<Built, NodeError> {
    let classes = node.texts("classes_strings")?;
    let places = (0_i64..).take(classes.len()).collect::<Vec<_>>();
    match node.input(0)? {
        DType::Str => with_keys(node, classes, Data::I64(places)),
        DType::I64 => with_keys(node, places, Data::Str(classes)),
        dtype => Err(NodeError::InputType { input: 0, dtype }),
    }
}

/// Compiles `LabelEncoder` of all versions.
pub(crate) fn build(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    if node.has("classes_strings") {
        return build_classes(node);
    }
    let keys = entries(node, Side::Keys)?;
    let values = entries(node, Side::Values)?;
    node.input_of(0, &[keys.dtype()])?;
    match keys {
        Data::F32(keys) => with_keys(node, keys, values),
        Data::F64(keys) => with_keys(node, keys, values),
        Data::I64(keys) => with_keys(node, keys, values),
        Data::Str(keys) => with_keys(node, keys, values),
        Data::I32(_) | Data::Bool(_) => Err(NodeError::AttributeValue {
            name: "keys_tensor",
            problem: "is of a type that is not supported",
        }),
    }
}
