//! Scaler, Normalizer and Binarizer.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::node::{Built, Node};
use crate::tensor::{DType, Data, Shape, Tensor};

/// The data of a numeric tensor, each element as float64.
fn as_f64(tensor: &Tensor) -> Result<Vec<f64>, KernelError> {
    match tensor.data() {
        Data::F32(data) => Ok(data.iter().map(|&value| f64::from(value)).collect()),
        Data::F64(data) => Ok(data.clone()),
        Data::I64(data) => Ok(data.iter().map(|&value| value as f64).collect()),
        Data::I32(data) => Ok(data.iter().map(|&value| f64::from(value)).collect()),
        Data::Bool(_) | Data::Str(_) => Err(KernelError::Operand),
    }
}

/// `(x − offset) · scale`, per feature or with one pair for all.
#[derive(Debug)]
struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Kernel for Scaler {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let shape = *source.shape();
        let (_, columns) = shape.rows_and_columns();
        if self.scale.len() != 1 && self.scale.len() != columns {
            return Err(KernelError::shape("`scale` and `offset` fit another number of features", shape));
        }
        let pairs = || self.offset.iter().zip(&self.scale).cycle();
        let out = outputs.buffer::<f32>(0, shape)?;
        match source.data() {
            // A row at a time: no wrap-around inside the loop.
            Data::F32(data) => {
                for row in data.chunks(self.scale.len()) {
                    let pairs = self.offset.iter().zip(&self.scale);
                    out.extend(
                        row.iter().zip(pairs).map(|(value, (offset, scale))| (value - offset) * scale),
                    );
                }
            }
            Data::F64(data) => out.extend(data.iter().zip(pairs()).map(|(value, (offset, scale))| {
                #[expect(clippy::cast_possible_truncation, reason = "the operator's output is float32")]
                let scaled = ((value - f64::from(*offset)) * f64::from(*scale)) as f32;
                scaled
            })),
            Data::I64(data) => {
                out.extend(
                    data.iter().zip(pairs()).map(|(&value, (offset, scale))| (value as f32 - offset) * scale),
                );
            }
            Data::I32(data) => {
                out.extend(
                    data.iter().zip(pairs()).map(|(&value, (offset, scale))| (value as f32 - offset) * scale),
                );
            }
            Data::Bool(_) | Data::Str(_) => return Err(KernelError::Operand),
        }
        Ok(())
    }
}

/// Compiles `Scaler`.
pub(crate) fn build_scaler(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.number(0)?;
    let (offset, scale) = (node.floats("offset")?.to_vec(), node.floats("scale")?.to_vec());
    if scale.is_empty() || scale.len() != offset.len() {
        return Err(NodeError::AttributeValue { name: "scale", problem: "must be as long as `offset`" });
    }
    Ok(Built::one(DType::F32, Scaler { offset, scale }))
}

/// What a row is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Norm {
    Max,
    L1,
    L2,
}

#[derive(Debug)]
struct Normalizer {
    norm: Norm,
}

impl Normalizer {
    /// The divisor of a row. Sums are taken in float32 and in order, as ONNX Runtime does.
    fn size(&self, row: &[f32]) -> f32 {
        match self.norm {
            Norm::Max => row.iter().copied().fold(f32::MIN, f32::max),
            Norm::L1 => row.iter().map(|value| value.abs()).sum(),
            Norm::L2 => row.iter().map(|value| value * value).sum::<f32>(),
        }
    }

    fn scale(&self, value: f32, size: f32) -> f32 {
        match self.norm {
            _ if size == 0.0 => value,
            Norm::Max | Norm::L1 => value / size,
            Norm::L2 => (value * value / size).sqrt().copysign(value),
        }
    }
}

impl Kernel for Normalizer {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let shape = *source.shape();
        let (_, columns) = shape.rows_and_columns();
        let converted;
        let data = if let Data::F32(data) = source.data() {
            data
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "the operator's output is float32")]
            let rounded = as_f64(source)?.into_iter().map(|value| value as f32).collect::<Vec<_>>();
            converted = rounded;
            &converted
        };
        let out = outputs.buffer::<f32>(0, shape)?;
        for row in data.chunks_exact(columns.max(1)) {
            let size = self.size(row);
            out.extend(row.iter().map(|&value| self.scale(value, size)));
        }
        Ok(())
    }
}

/// Compiles `Normalizer`.
pub(crate) fn build_normalizer(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.number(0)?;
    let norm = match node.text("norm")?.unwrap_or("MAX") {
        "MAX" => Norm::Max,
        "L1" => Norm::L1,
        "L2" => Norm::L2,
        _ => return Err(NodeError::AttributeValue { name: "norm", problem: "is not known" }),
    };
    Ok(Built::one(DType::F32, Normalizer { norm }))
}

/// 1 above the threshold, 0 otherwise.
#[derive(Debug)]
struct Binarizer {
    threshold: f32,
}

impl Kernel for Binarizer {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data): (Shape, &[f32]) = inputs.slice(0)?;
        let above = data.iter().map(|&value| f32::from(u8::from(value > self.threshold)));
        outputs.buffer(0, shape)?.extend(above);
        Ok(())
    }
}

/// Compiles `Binarizer`.
pub(crate) fn build_binarizer(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.input_of(0, &[DType::F32])?;
    Ok(Built::one(DType::F32, Binarizer { threshold: node.float("threshold")?.unwrap_or(0.0) }))
}
