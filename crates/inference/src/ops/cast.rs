//! Conversions between element types.

use std::sync::Arc;

use crate::constant;
use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::node::{Built, Node};
use crate::tensor::{DType, Data, Element, Tensor};

/// Towards zero; NaN and what does not fit become the smallest integer, as on x86-64 with ONNX
/// Runtime.
pub(crate) fn float_to_i64(value: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let integer = if (-BOUND..BOUND).contains(&value) { value as i64 } else { i64::MIN };
    integer
}

/// As [`float_to_i64`], for 32 bits.
pub(crate) fn float_to_i32(value: f64) -> i32 {
    i32::try_from(float_to_i64(value)).unwrap_or(i32::MIN)
}

#[derive(Debug)]
struct Cast {
    to: DType,
}

impl Kernel for Cast {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        match self.to {
            same if same == source.dtype() => outputs.copy(0, source, *source.shape()),
            DType::F32 => to_f32(source, outputs),
            DType::F64 => to_f64(source, outputs),
            DType::I64 => to_i64(source, outputs),
            DType::I32 => to_i32(source, outputs),
            DType::Bool => to_bool(source, outputs),
            DType::Str => to_text(source, outputs),
        }
    }
}

fn write<T: Element>(
    source: &Tensor,
    outputs: &mut Outputs<'_>,
    values: impl Iterator<Item = T>,
) -> Result<(), KernelError> {
    outputs.buffer(0, *source.shape())?.extend(values);
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to float32 is what the cast means")]
fn to_f32(source: &Tensor, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
    match source.data() {
        Data::F32(data) => write(source, outputs, data.iter().copied()),
        Data::F64(data) => write(source, outputs, data.iter().map(|&value| value as f32)),
        Data::I64(data) => write(source, outputs, data.iter().map(|&value| value as f32)),
        Data::I32(data) => write(source, outputs, data.iter().map(|&value| value as f32)),
        Data::Bool(data) => write(source, outputs, data.iter().map(|&value| f32::from(u8::from(value)))),
        Data::Str(data) => parse::<f32>(data, source, outputs),
    }
}

fn to_f64(source: &Tensor, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
    match source.data() {
        Data::F32(data) => write(source, outputs, data.iter().map(|&value| f64::from(value))),
        Data::F64(data) => write(source, outputs, data.iter().copied()),
        Data::I64(data) => write(source, outputs, data.iter().map(|&value| value as f64)),
        Data::I32(data) => write(source, outputs, data.iter().map(|&value| f64::from(value))),
        Data::Bool(data) => write(source, outputs, data.iter().map(|&value| f64::from(u8::from(value)))),
        Data::Str(data) => parse::<f64>(data, source, outputs),
    }
}

fn to_i64(source: &Tensor, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
    match source.data() {
        Data::F32(data) => write(source, outputs, data.iter().map(|&value| float_to_i64(f64::from(value)))),
        Data::F64(data) => write(source, outputs, data.iter().map(|&value| float_to_i64(value))),
        Data::I64(data) => write(source, outputs, data.iter().copied()),
        Data::I32(data) => write(source, outputs, data.iter().map(|&value| i64::from(value))),
        Data::Bool(data) => write(source, outputs, data.iter().map(|&value| i64::from(value))),
        Data::Str(data) => parse::<i64>(data, source, outputs),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "int64 to int32 drops the upper half, as ONNX Runtime does"
)]
fn to_i32(source: &Tensor, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
    match source.data() {
        Data::F32(data) => write(source, outputs, data.iter().map(|&value| float_to_i32(f64::from(value)))),
        Data::F64(data) => write(source, outputs, data.iter().map(|&value| float_to_i32(value))),
        Data::I64(data) => write(source, outputs, data.iter().map(|&value| value as i32)),
        Data::I32(data) => write(source, outputs, data.iter().copied()),
        Data::Bool(data) => write(source, outputs, data.iter().map(|&value| i32::from(value))),
        Data::Str(data) => parse::<i32>(data, source, outputs),
    }
}

fn to_bool(source: &Tensor, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
    match source.data() {
        Data::F32(data) => write(source, outputs, data.iter().map(|&value| value != 0.0)),
        Data::F64(data) => write(source, outputs, data.iter().map(|&value| value != 0.0)),
        Data::I64(data) => write(source, outputs, data.iter().map(|&value| value != 0)),
        Data::I32(data) => write(source, outputs, data.iter().map(|&value| value != 0)),
        Data::Bool(data) => write(source, outputs, data.iter().copied()),
        Data::Str(_) => Err(KernelError::Operand),
    }
}

fn to_text(source: &Tensor, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
    match source.data() {
        Data::I64(data) => write(source, outputs, data.iter().map(|value| Arc::from(value.to_string()))),
        Data::I32(data) => write(source, outputs, data.iter().map(|value| Arc::from(value.to_string()))),
        Data::Bool(data) => {
            write(source, outputs, data.iter().map(|&value| Arc::from(if value { "1" } else { "0" })))
        }
        Data::Str(data) => write(source, outputs, data.iter().cloned()),
        Data::F32(_) | Data::F64(_) => Err(KernelError::Operand),
    }
}

fn parse<T: Element + std::str::FromStr>(
    data: &[Arc<str>],
    source: &Tensor,
    outputs: &mut Outputs<'_>,
) -> Result<(), KernelError> {
    let out = outputs.buffer::<T>(0, *source.shape())?;
    for text in data {
        let value = text.trim().parse().map_err(|_| KernelError::Value("a text is not a number"))?;
        out.push(value);
    }
    Ok(())
}

/// Compiles `Cast`. From float to text is refused: the digits would depend on the runtime.
pub(crate) fn build(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let to = node.int("to")?.ok_or(NodeError::AttributeMissing("to"))?;
    let to = i32::try_from(to)
        .ok()
        .and_then(constant::dtype)
        .ok_or(NodeError::AttributeValue { name: "to", problem: "names a type that is not supported" })?;
    let from = node.input(0)?;
    match (from, to) {
        (DType::F32 | DType::F64, DType::Str) | (DType::Str, DType::Bool) => {
            Err(NodeError::InputType { input: 0, dtype: from })
        }
        _ => Ok(Built::one(to, Cast { to })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_without_an_integer_become_the_smallest() {
        assert_eq!(float_to_i64(-1.9), -1);
        assert_eq!(float_to_i64(f64::NAN), i64::MIN);
        assert_eq!(float_to_i64(1e19), i64::MIN);
        assert_eq!(float_to_i32(3e9), i32::MIN);
        assert_eq!(float_to_i32(-7.5), -7);
    }
}
