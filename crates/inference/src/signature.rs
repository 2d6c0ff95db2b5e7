//! What a model takes and gives.

use std::fmt::Write as _;

use mainstay_onnx::ValueInfoProto;
use mainstay_onnx::tensor_shape_proto::dimension;
use mainstay_onnx::type_proto;

use crate::constant;
use crate::error::SignatureError;
use crate::tensor::{DType, MAX_RANK, Shape, Tensor};

/// A declared input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its dimensions, outermost first; `None` is any size. A first `None` is the number of rows,
    /// the same for all inputs and outputs.
    pub shape: Vec<Option<usize>>,
}

impl TensorSpec {
    /// Reads the declaration of an input: a tensor of a known type with a shape.
    pub(crate) fn input(value: &ValueInfoProto) -> Result<Self, SignatureError> {
        if value.name().is_empty() {
            return Err(SignatureError::Unnamed);
        }
        let Some(type_proto::Value::TensorType(tensor)) =
            value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        else {
            return Err(SignatureError::Shape);
        };
        let dtype = constant::dtype(tensor.elem_type()).ok_or(SignatureError::Type(tensor.elem_type()))?;
        let shape = dims(value)?.ok_or(SignatureError::Shape)?;
        Ok(Self { name: value.name().to_owned(), dtype, shape })
    }

    /// Whether the first dimension is the number of rows.
    pub(crate) fn has_rows(&self) -> bool {
        self.shape.first() == Some(&None)
    }

    /// Whether a tensor of this shape may be sent.
    pub(crate) fn admits(&self, shape: &Shape) -> bool {
        self.shape.len() == shape.rank()
            && self
                .shape
                .iter()
                .zip(shape.dims())
                .all(|(wanted, given)| wanted.is_none_or(|size| size == *given))
    }

    /// The declared dimensions as text, -1 for any size.
    pub(crate) fn shape_text(&self) -> String {
        let mut text = String::from("[");
        for (index, dim) in self.shape.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = match dim {
                Some(size) => write!(text, "{separator}{size}"),
                None => write!(text, "{separator}-1"),
            };
        }
        text.push(']');
        text
    }

    /// A tensor of zeros (or empty texts) of this shape with `rows` rows, if only the number of rows
    /// is open and the tensor has at most `limit` elements.
    pub(crate) fn blank(&self, rows: usize, limit: usize) -> Option<Tensor> {
        let dims: Option<Vec<usize>> = self
            .shape
            .iter()
            .enumerate()
            .map(|(index, dim)| dim.or(if index == 0 { Some(rows) } else { None }))
            .collect();
        let shape = Shape::new(&dims?).ok()?;
        if shape.elements() > limit {
            return None;
        }
        let mut tensor = Tensor::empty();
        crate::kernel::for_dtype!(self.dtype, T => {
            use crate::tensor::Element;
            tensor.reset::<T>(shape).ok()?.resize(shape.elements(), T::blank());
        });
        Some(tensor)
    }
}

/// The declared dimensions of a value, if a shape is declared.
pub(crate) fn dims(value: &ValueInfoProto) -> Result<Option<Vec<Option<usize>>>, SignatureError> {
    let Some(type_proto::Value::TensorType(tensor)) =
        value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Ok(None);
    };
    let Some(shape) = &tensor.shape else { return Ok(None) };
    if shape.dim.len() > MAX_RANK {
        return Err(SignatureError::Shape);
    }
    shape
        .dim
        .iter()
        .map(|dim| match dim.value {
            Some(dimension::Value::DimValue(size)) => match u32::try_from(size) {
                Ok(size) if size > 0 => Ok(Some(size as usize)),
                _ => Err(SignatureError::Dimension(size)),
            },
            _ => Ok(None),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}
