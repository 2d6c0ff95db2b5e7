//! The models and answers that `tests/reference/make_models.py` wrote.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_inference::{DType, Data, Tensor};
use serde::Deserialize;

/// A tensor as the JSON holds it.
#[derive(Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    data: Vec<Cell>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Cell {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Nan(()),
}

/// Inputs and the outputs that ONNX Runtime gave for them.
#[derive(Deserialize)]
pub(crate) struct Example {
    pub(crate) inputs: Vec<Record>,
    pub(crate) outputs: Vec<Record>,
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/models")
}

/// The names of all models, sorted.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".onnx")?.to_owned()))
        .collect();
    names.sort();
    names
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs::read(directory().join(format!("{name}.onnx"))).unwrap()
}

pub(crate) fn example(name: &str) -> Example {
    serde_json::from_slice(&fs::read(directory().join(format!("{name}.json"))).unwrap()).unwrap()
}

impl Cell {
    fn float(&self) -> f64 {
        match self {
            Self::Float(value) => *value,
            Self::Int(value) => *value as f64,
            Self::Nan(()) => f64::NAN,
            Self::Text(text) => text.parse().unwrap(),
            Self::Bool(_) => panic!("a truth value among floats"),
        }
    }

    fn int(&self) -> i64 {
        let Self::Int(value) = self else { panic!("not an integer") };
        *value
    }
}

impl Record {
    pub(crate) fn tensor(&self) -> Tensor {
        let cells = self.data.iter();
        let data = match self.dtype.as_str() {
            #[expect(clippy::cast_possible_truncation, reason = "the JSON holds the digits of a float32")]
            "float32" => Data::F32(cells.map(|cell| cell.float() as f32).collect()),
            "float64" => Data::F64(cells.map(Cell::float).collect()),
            "int64" => Data::I64(cells.map(Cell::int).collect()),
            "int32" => Data::I32(cells.map(|cell| cell.int().try_into().unwrap()).collect()),
            "bool" => Data::Bool(cells.map(|cell| matches!(cell, Cell::Bool(true))).collect()),
            "string" => Data::Str(
                cells
                    .map(|cell| match cell {
                        Cell::Text(text) => Arc::from(text.as_str()),
                        _ => panic!("not a text"),
                    })
                    .collect(),
            ),
            other => panic!("unknown type {other}"),
        };
        Tensor::new(&self.shape, data).unwrap()
    }
}

impl Example {
    pub(crate) fn request(&self) -> Vec<(&str, Tensor)> {
        self.inputs.iter().map(|record| (record.name.as_str(), record.tensor())).collect()
    }
}

/// The greatest difference between two tensors, each difference over the greater of 1 and the wanted
/// value; infinite if they differ in kind, shape, text or NaN.
pub(crate) fn difference(given: &Tensor, wanted: &Tensor) -> f64 {
    if given.shape() != wanted.shape() || given.dtype() != wanted.dtype() {
        return f64::INFINITY;
    }
    let one = |(given, wanted): (f64, f64)| {
        if given.is_nan() && wanted.is_nan() || given.to_bits() == wanted.to_bits() {
            0.0
        } else if given.is_finite() && wanted.is_finite() {
            (given - wanted).abs() / wanted.abs().max(1.0)
        } else {
            f64::INFINITY
        }
    };
    match (given.data(), wanted.data()) {
        (Data::F32(a), Data::F32(b)) => {
            a.iter().zip(b).map(|(&a, &b)| one((a.into(), b.into()))).fold(0.0, f64::max)
        }
        (Data::F64(a), Data::F64(b)) => a.iter().zip(b).map(|(&a, &b)| one((a, b))).fold(0.0, f64::max),
        (a, b) => {
            if a == b {
                0.0
            } else {
                f64::INFINITY
            }
        }
    }
}

/// One row of a tensor whose first dimension is the rows.
pub(crate) fn row(tensor: &Tensor, index: usize) -> Tensor {
    let dims = tensor.shape().dims();
    let width: usize = dims[1..].iter().product();
    let range = index * width..(index + 1) * width;
    let shape: Vec<usize> = std::iter::once(1).chain(dims[1..].iter().copied()).collect();
    let data = match tensor.data() {
        Data::F32(data) => Data::F32(data[range].to_vec()),
        Data::F64(data) => Data::F64(data[range].to_vec()),
        Data::I64(data) => Data::I64(data[range].to_vec()),
        Data::I32(data) => Data::I32(data[range].to_vec()),
        Data::Bool(data) => Data::Bool(data[range].to_vec()),
        Data::Str(data) => Data::Str(data[range].to_vec()),
    };
    Tensor::new(&shape, data).unwrap()
}

/// Whether a type is one of floats, for which answers may differ by rounding.
pub(crate) fn is_float(tensor: &Tensor) -> bool {
    matches!(tensor.dtype(), DType::F32 | DType::F64)
}
