//! Stored tensors of a model file (`TensorProto`) as [`Tensor`]s.

use std::sync::Arc;

use mainstay_onnx::TensorProto;
use mainstay_onnx::tensor_proto::{DataLocation, DataType};

use crate::error::ConstantError;
use crate::tensor::{DType, Data, Shape, Tensor};

/// Dimensions whose product is larger are absurd for a tabular model.
const MAX_EXTENT: usize = 1 << 28;

/// The element type that an ONNX type number stands for, if it is evaluated here.
pub(crate) fn dtype(onnx: i32) -> Option<DType> {
    match DataType::try_from(onnx).ok()? {
        DataType::Float => Some(DType::F32),
        DataType::Double => Some(DType::F64),
        DataType::Int64 => Some(DType::I64),
        DataType::Int32 => Some(DType::I32),
        DataType::Bool => Some(DType::Bool),
        DataType::String => Some(DType::Str),
        _ => None,
    }
}

/// Reads a stored tensor. What it allocates is bounded by the bytes of the message: the data must
/// be there and fill the dimensions.
pub(crate) fn tensor(proto: &TensorProto) -> Result<Tensor, ConstantError> {
    if proto.data_location() == DataLocation::External || !proto.external_data.is_empty() {
        return Err(ConstantError::External);
    }
    if proto.segment.is_some() {
        return Err(ConstantError::Length);
    }
    let onnx_type = proto.data_type.unwrap_or_default();
    let dtype = dtype(onnx_type).ok_or(ConstantError::Type(onnx_type))?;
    let dims = proto
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim).map_err(|_| ConstantError::Dimensions))
        .collect::<Result<Vec<_>, _>>()?;
    let data = match &proto.raw_data {
        Some(raw) if dtype != DType::Str => raw_data(dtype, raw)?,
        _ => typed_data(dtype, proto)?,
    };
    let extent = Shape::new(&dims).map_err(|_| ConstantError::Dimensions)?.extent();
    if extent > MAX_EXTENT {
        return Err(ConstantError::Dimensions);
    }
    Tensor::new(&dims, data).map_err(|_| ConstantError::Length)
}

fn raw_data(dtype: DType, raw: &[u8]) -> Result<Data, ConstantError> {
    fn words<const N: usize, T>(raw: &[u8], read: fn([u8; N]) -> T) -> Result<Vec<T>, ConstantError> {
        let (words, rest) = raw.as_chunks::<N>();
        if rest.is_empty() {
            Ok(words.iter().map(|&word| read(word)).collect())
        } else {
            Err(ConstantError::Length)
        }
    }
    Ok(match dtype {
        DType::F32 => Data::F32(words(raw, f32::from_le_bytes)?),
        DType::F64 => Data::F64(words(raw, f64::from_le_bytes)?),
        DType::I64 => Data::I64(words(raw, i64::from_le_bytes)?),
        DType::I32 => Data::I32(words(raw, i32::from_le_bytes)?),
        DType::Bool => Data::Bool(raw.iter().map(|&byte| byte != 0).collect()),
        DType::Str => return Err(ConstantError::Length),
    })
}

fn typed_data(dtype: DType, proto: &TensorProto) -> Result<Data, ConstantError> {
    Ok(match dtype {
        DType::F32 => Data::F32(proto.float_data.clone()),
        DType::F64 => Data::F64(proto.double_data.clone()),
        DType::I64 => Data::I64(proto.int64_data.clone()),
        DType::I32 => Data::I32(proto.int32_data.clone()),
        DType::Bool => Data::Bool(proto.int32_data.iter().map(|&value| value != 0).collect()),
        DType::Str => Data::Str(proto.string_data.iter().map(|bytes| text(bytes)).collect::<Result<_, _>>()?),
    })
}

/// Text of the file, which the schema stores as bytes.
pub(crate) fn text(bytes: &[u8]) -> Result<Arc<str>, ConstantError> {
    std::str::from_utf8(bytes).map(Arc::from).map_err(|_| ConstantError::Text)
}
