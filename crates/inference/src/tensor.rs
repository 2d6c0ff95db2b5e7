//! Tensors: an element type, a shape, and row-major data.

use std::fmt;
use std::sync::Arc;

use mainstay_core::error::{Coded, ErrorCode};

use crate::error::KernelError;

/// The most dimensions that a tensor may have. Tabular graphs use one to three.
pub const MAX_RANK: usize = 8;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Signed 64-bit integer.
    I64,
    /// Signed 32-bit integer.
    I32,
    /// Truth value.
    Bool,
    /// UTF-8 text.
    Str,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::Bool => "bool",
            Self::Str => "string",
        })
    }
}

/// Why a tensor cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// More than [`MAX_RANK`] dimensions.
    #[error("a tensor may have at most {MAX_RANK} dimensions, not {0}")]
    Rank(usize),
    /// The data does not fill the shape.
    #[error("shape {shape} does not fit {elements} elements; send exactly the product of its dimensions")]
    Length {
        /// The declared shape.
        shape: Shape,
        /// How many elements there are.
        elements: usize,
    },
}

impl Coded for TensorError {
    fn code(&self) -> ErrorCode {
        ErrorCode::SignatureMismatch
    }
}

/// The extent of each dimension, outermost first. Kept inline, so that copying one allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    rank: usize,
    dims: [usize; MAX_RANK],
}

impl Shape {
    /// A shape of these dimensions; none at all is a scalar.
    pub fn new(dims: &[usize]) -> Result<Self, TensorError> {
        let mut shape = Self::scalar();
        shape.dims.get_mut(..dims.len()).ok_or(TensorError::Rank(dims.len()))?.copy_from_slice(dims);
        shape.rank = dims.len();
        Ok(shape)
    }

    /// The shape of a single value.
    pub const fn scalar() -> Self {
        Self { rank: 0, dims: [0; MAX_RANK] }
    }

    /// One dimension.
    pub const fn vector(length: usize) -> Self {
        let mut shape = Self::scalar();
        shape.rank = 1;
        shape.dims[0] = length;
        shape
    }

    /// Two dimensions.
    pub const fn matrix(rows: usize, columns: usize) -> Self {
        let mut shape = Self::vector(rows);
        shape.rank = 2;
        shape.dims[1] = columns;
        shape
    }

    /// The same with another extent of the first dimension; a scalar has none.
    #[must_use]
    pub const fn with_first(mut self, extent: usize) -> Self {
        if self.rank > 0 {
            self.dims[0] = extent;
        }
        self
    }

    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        self.dims.get(..self.rank).unwrap_or_default()
    }

    pub(crate) fn dims_mut(&mut self) -> &mut [usize] {
        self.dims.get_mut(..self.rank).unwrap_or_default()
    }

    /// How many dimensions.
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// How many elements: the product of the dimensions, `usize::MAX` if it does not fit.
    pub fn elements(&self) -> usize {
        self.dims().iter().fold(1, |product, &dim| product.saturating_mul(dim))
    }

    /// The product of the dimensions with empty ones counted as 1: bounds the steps of loops over any
    /// of the dimensions, also where there are no elements.
    pub(crate) fn extent(&self) -> usize {
        self.dims().iter().fold(1, |product, &dim| product.saturating_mul(dim.max(1)))
    }

    /// The shape as rows and columns the way ONNX's `ai.onnx.ml` operators read it: a vector is one
    /// row, and everything after the first dimension is the row.
    pub(crate) fn rows_and_columns(&self) -> (usize, usize) {
        match self.dims() {
            [] => (1, 1),
            [columns] => (1, *columns),
            [rows, rest @ ..] => (*rows, rest.iter().product()),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.dims()).finish()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The elements of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// [`DType::F32`].
    F32(Vec<f32>),
    /// [`DType::F64`].
    F64(Vec<f64>),
    /// [`DType::I64`].
    I64(Vec<i64>),
    /// [`DType::I32`].
    I32(Vec<i32>),
    /// [`DType::Bool`].
    Bool(Vec<bool>),
    /// [`DType::Str`]. Shared, so that a label repeated over rows is stored once.
    Str(Vec<Arc<str>>),
}

impl Data {
    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
            Self::I64(_) => DType::I64,
            Self::I32(_) => DType::I32,
            Self::Bool(_) => DType::Bool,
            Self::Str(_) => DType::Str,
        }
    }

    /// How many elements.
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::F64(data) => data.len(),
            Self::I64(data) => data.len(),
            Self::I32(data) => data.len(),
            Self::Bool(data) => data.len(),
            Self::Str(data) => data.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An element type and shape with the data that fills it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

impl Tensor {
    /// A tensor of `shape` over `data`, whose length must be the product of the dimensions.
    pub fn new(shape: &[usize], data: Data) -> Result<Self, TensorError> {
        let shape = Shape::new(shape)?;
        if shape.elements() != data.len() {
            return Err(TensorError::Length { shape, elements: data.len() });
        }
        Ok(Self { shape, data })
    }

    /// The shape.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// The elements, row-major.
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Gives the elements away.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// An empty place for a kernel's output.
    pub(crate) const fn empty() -> Self {
        Self { shape: Shape::vector(0), data: Data::F32(Vec::new()) }
    }

    /// Gives the tensor a new shape and an empty, typed buffer that the caller fills with exactly
    /// `shape.elements()` elements. The old buffer's memory is used again if its type fits.
    pub(crate) fn reset<T: Element>(&mut self, shape: Shape) -> Result<&mut Vec<T>, KernelError> {
        self.shape = shape;
        if T::slice(&self.data).is_none() {
            self.data = T::wrap(Vec::new());
        }
        let buffer = T::buffer(&mut self.data).ok_or(KernelError::Operand)?;
        buffer.clear();
        Ok(buffer)
    }
}

/// A Rust type that a tensor can hold.
pub(crate) trait Element: Clone + PartialEq + Send + Sync + fmt::Debug + 'static {
    /// Its tag.
    const DTYPE: DType;
    /// The data, if it is of this type.
    fn slice(data: &Data) -> Option<&[Self]>;
    /// The data's buffer, if it is of this type.
    fn buffer(data: &mut Data) -> Option<&mut Vec<Self>>;
    /// The data around a buffer.
    fn wrap(buffer: Vec<Self>) -> Data;
    /// The value of padding and of fresh memory.
    fn blank() -> Self;
}

macro_rules! element {
    ($type:ty, $variant:ident, $blank:expr) => {
        impl Element for $type {
            const DTYPE: DType = DType::$variant;

            fn slice(data: &Data) -> Option<&[Self]> {
                if let Data::$variant(data) = data { Some(data) } else { None }
            }

            fn buffer(data: &mut Data) -> Option<&mut Vec<Self>> {
                if let Data::$variant(buffer) = data { Some(buffer) } else { None }
            }

            fn wrap(buffer: Vec<Self>) -> Data {
                Data::$variant(buffer)
            }

            fn blank() -> Self {
                $blank
            }
        }
    };
}

element!(f32, F32, 0.0);
element!(f64, F64, 0.0);
element!(i64, I64, 0);
element!(i32, I32, 0);
element!(bool, Bool, false);
element!(Arc<str>, Str, Arc::from(""));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_must_fill_the_shape() {
        assert!(Tensor::new(&[2, 2], Data::F32(vec![0.0; 4])).is_ok());
        let error = Tensor::new(&[2, 3], Data::F32(vec![0.0; 4])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shape [2, 3] does not fit 4 elements; send exactly the product of its dimensions"
        );
        assert!(Tensor::new(&[usize::MAX, 2], Data::F32(vec![])).is_err());
        assert_eq!(Tensor::new(&[1; 9], Data::F32(vec![1.0])), Err(TensorError::Rank(9)));
    }

    #[test]
    fn a_scalar_has_one_element() {
        assert_eq!(Shape::scalar().elements(), 1);
        assert_eq!(Shape::scalar().rows_and_columns(), (1, 1));
        assert_eq!(Shape::vector(3).rows_and_columns(), (1, 3));
        assert_eq!(Shape::matrix(2, 3).rows_and_columns(), (2, 3));
    }

    #[test]
    fn a_buffer_of_the_same_type_is_used_again() {
        let mut tensor = Tensor::empty();
        tensor.reset::<f32>(Shape::vector(100)).unwrap().resize(100, 1.0);
        let capacity = tensor.reset::<f32>(Shape::vector(2)).unwrap().capacity();
        assert!(capacity >= 100);
        assert!(tensor.reset::<i64>(Shape::vector(2)).unwrap().is_empty());
    }
}
