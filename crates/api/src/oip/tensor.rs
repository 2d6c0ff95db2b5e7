//! Tensors as the protocol knows them: a name, a shape, and row-major data of one of its datatypes.
//!
//! Source: Open Inference Protocol, "Inference Request JSON Object" and "Tensor Data Types"
//! (`open_inference_rest.yaml`); Triton's "Binary tensor data extension" (`extension_binary_data.md`).

use std::sync::Arc;

use mainstay_core::error::{Coded, ErrorCode};
use serde::Serialize;
use smallvec::SmallVec;
use thiserror::Error;

/// The most dimensions that a tensor may have.
pub const MAX_RANK: usize = 8;
/// The most elements that a tensor of a request may have.
pub const MAX_ELEMENTS: usize = 1 << 22;

/// Why something is no tensor. Every sentence names the tensor and says what to send.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TensorError {
    /// A datatype that the protocol does not have.
    #[error(
        "tensor '{name}' has the datatype '{datatype}'; it is one of BOOL, INT8 to INT64, UINT8 to UINT64, \
         FP16, BF16, FP32, FP64 and BYTES"
    )]
    Datatype {
        /// The tensor.
        name: String,
        /// What was written.
        datatype: String,
    },
    /// A negative size.
    #[error("tensor '{name}' has a dimension of {dimension}; sizes in a request are not negative")]
    Negative {
        /// The tensor.
        name: String,
        /// The size.
        dimension: i64,
    },
    /// More dimensions or elements than are taken.
    #[error("tensor '{0}' is too large; send at most {MAX_RANK} dimensions and {MAX_ELEMENTS} elements")]
    TooLarge(String),
    /// The data does not fill the shape.
    #[error("tensor '{name}' has {given} elements where its shape asks for {expected}")]
    Length {
        /// The tensor.
        name: String,
        /// The product of the dimensions.
        expected: usize,
        /// How many came.
        given: usize,
    },
    /// An element is not of the declared datatype.
    #[error("tensor '{name}' is declared as {datatype}, and {problem}")]
    Element {
        /// The tensor.
        name: String,
        /// The datatype.
        datatype: &'static str,
        /// What is wrong with an element.
        problem: &'static str,
    },
}

impl Coded for TensorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge(_) => ErrorCode::InvalidArgument,
            _ => ErrorCode::SignatureMismatch,
        }
    }
}

macro_rules! datatypes {
    ($($variant:ident = $text:literal, $width:expr;)*) => {
        /// The datatypes of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the protocol's own name")]
        pub enum Datatype {
            $($variant,)*
        }

        impl Datatype {
            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The datatype of that name.
            pub fn named(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            /// Bytes of one element in binary form; `None` for BYTES, whose elements carry their length.
            pub const fn width(self) -> Option<usize> {
                match self { $(Self::$variant => $width,)* }
            }
        }
    };
}

datatypes! {
    Bool = "BOOL", Some(1);
    Int8 = "INT8", Some(1);
    Int16 = "INT16", Some(2);
    Int32 = "INT32", Some(4);
    Int64 = "INT64", Some(8);
    Uint8 = "UINT8", Some(1);
    Uint16 = "UINT16", Some(2);
    Uint32 = "UINT32", Some(4);
    Uint64 = "UINT64", Some(8);
    Fp16 = "FP16", Some(2);
    Bf16 = "BF16", Some(2);
    Fp32 = "FP32", Some(4);
    Fp64 = "FP64", Some(8);
    Bytes = "BYTES", None;
}

/// The elements of a tensor, row-major. Narrower integers are kept in the next wider kind that holds
/// all their values, FP16 and BF16 as FP32.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// BOOL.
    Bool(Vec<bool>),
    /// INT8, INT16, INT32, UINT8 and UINT16.
    I32(Vec<i32>),
    /// INT64, UINT32 and UINT64.
    I64(Vec<i64>),
    /// FP16, BF16 and FP32.
    F32(Vec<f32>),
    /// FP64.
    F64(Vec<f64>),
    /// BYTES: texts.
    #[serde(serialize_with = "texts")]
    Text(Vec<Arc<str>>),
}

fn texts<S: serde::Serializer>(texts: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(|text| &**text))
}

impl Data {
    /// How many elements.
    pub const fn len(&self) -> usize {
        match self {
            Self::Bool(data) => data.len(),
            Self::I32(data) => data.len(),
            Self::I64(data) => data.len(),
            Self::F32(data) => data.len(),
            Self::F64(data) => data.len(),
            Self::Text(data) => data.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The datatype under which it is sent.
    pub const fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::I32(_) => Datatype::Int32,
            Self::I64(_) => Datatype::Int64,
            Self::F32(_) => Datatype::Fp32,
            Self::F64(_) => Datatype::Fp64,
            Self::Text(_) => Datatype::Bytes,
        }
    }
}

/// Sizes, outermost first.
pub type Dimensions = SmallVec<[usize; 4]>;

/// A named tensor whose data fills its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub shape: Dimensions,
    /// Its elements.
    pub data: Data,
}

/// Checks the dimensions of a request's tensor and multiplies them.
pub(super) fn elements(name: &str, shape: &[i64]) -> Result<(Dimensions, usize), TensorError> {
    let too_large = || TensorError::TooLarge(name.to_owned());
    if shape.len() > MAX_RANK {
        return Err(too_large());
    }
    let mut product = 1_usize;
    let mut dimensions = Dimensions::with_capacity(shape.len());
    for &dimension in shape {
        if dimension < 0 {
            return Err(TensorError::Negative { name: name.to_owned(), dimension });
        }
        let size = usize::try_from(dimension).map_err(|_| too_large())?;
        // A zero later on must not hide an absurd size.
        if size > MAX_ELEMENTS {
            return Err(too_large());
        }
        product = product.checked_mul(size).filter(|p| *p <= MAX_ELEMENTS).ok_or_else(too_large)?;
        dimensions.push(size);
    }
    Ok((dimensions, product))
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    #[test]
    fn absurd_shapes_are_refused_before_anything_is_allocated() {
        assert_eq!(elements("x", &[2, 3]), Ok((smallvec![2, 3], 6)));
        assert_eq!(elements("x", &[]), Ok((smallvec![], 1)));
        let negative = TensorError::Negative { name: "x".to_owned(), dimension: -1 };
        assert_eq!(elements("x", &[-1, 3]), Err(negative));
        for shape in [&[1 << 40, 1 << 40][..], &[i64::MAX, 2], &[0, i64::MAX], &[1; 9], &[4096, 4096]] {
            assert_eq!(elements("x", shape), Err(TensorError::TooLarge("x".to_owned())), "{shape:?}");
        }
    }

    #[test]
    fn datatypes_have_their_protocol_names() {
        assert_eq!(Datatype::named("FP32"), Some(Datatype::Fp32));
        assert_eq!(Datatype::named("fp32"), None);
        assert_eq!(Datatype::Uint16.as_str(), "UINT16");
        assert_eq!(Datatype::Bytes.width(), None);
    }
}
