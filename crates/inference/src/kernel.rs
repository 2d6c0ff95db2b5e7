//! What an operator is to the plan: a kernel over resolved operands.

use std::fmt;

use crate::error::KernelError;
use crate::limits::Budget;
use crate::tensor::{Data, Element, Shape, Tensor};

/// Where a node finds one of its inputs. Resolved once, when the model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An optional input that is left out.
    Absent,
    /// An input of the request, by its place in the signature.
    Request(usize),
    /// A stored or folded tensor.
    Constant(usize),
    /// An output of an earlier node.
    Slot(usize),
}

/// The tensors that operands point at, while a plan runs.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) request: &'a [&'a Tensor],
    pub(crate) constants: &'a [Tensor],
    /// The outputs of the nodes that have run.
    pub(crate) slots: &'a [Tensor],
}

impl<'a> Values<'a> {
    pub(crate) fn get(&self, operand: Operand) -> Option<&'a Tensor> {
        match operand {
            Operand::Absent => None,
            Operand::Request(index) => self.request.get(index).copied(),
            Operand::Constant(index) => self.constants.get(index),
            Operand::Slot(index) => self.slots.get(index),
        }
    }
}

/// The inputs of one node.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) operands: &'a [Operand],
    pub(crate) values: Values<'a>,
}

impl<'a> Inputs<'a> {
    pub(crate) const fn len(&self) -> usize {
        self.operands.len()
    }

    /// An input that may be left out.
    pub(crate) fn optional(&self, index: usize) -> Option<&'a Tensor> {
        self.values.get(*self.operands.get(index)?)
    }

    /// An input that the node was checked to have.
    pub(crate) fn tensor(&self, index: usize) -> Result<&'a Tensor, KernelError> {
        self.optional(index).ok_or(KernelError::Operand)
    }

    /// An input's shape and elements.
    pub(crate) fn slice<T: Element>(&self, index: usize) -> Result<(Shape, &'a [T]), KernelError> {
        let tensor = self.tensor(index)?;
        let elements = T::slice(tensor.data()).ok_or(KernelError::Operand)?;
        Ok((*tensor.shape(), elements))
    }

    /// An input's elements as sizes, axes or indices: int64 or int32.
    pub(crate) fn integers(&self, index: usize) -> Result<Option<Vec<i64>>, KernelError> {
        self.optional(index).map(integers).transpose()
    }
}

/// The elements of an int64 or int32 tensor.
pub(crate) fn integers(tensor: &Tensor) -> Result<Vec<i64>, KernelError> {
    match tensor.data() {
        Data::I64(data) => Ok(data.clone()),
        Data::I32(data) => Ok(data.iter().map(|&value| i64::from(value)).collect()),
        _ => Err(KernelError::Operand),
    }
}

/// The outputs of one node, and what the run may still spend on them.
pub(crate) struct Outputs<'a> {
    pub(crate) tensors: &'a mut [Tensor],
    pub(crate) budget: &'a mut Budget,
    pub(crate) workspace: &'a mut Workspace,
}

impl Outputs<'_> {
    /// An empty buffer for output `index`; the caller fills it with `shape.elements()` elements.
    pub(crate) fn buffer<T: Element>(
        &mut self,
        index: usize,
        shape: Shape,
    ) -> Result<&mut Vec<T>, KernelError> {
        let elements = shape.elements();
        self.budget.charge_elements(shape.extent())?;
        let tensor = self.tensors.get_mut(index).ok_or(KernelError::Operand)?;
        let buffer = tensor.reset(shape)?;
        buffer.reserve(elements);
        Ok(buffer)
    }

    /// A buffer for output `index` filled with `value`.
    pub(crate) fn filled<T: Element>(
        &mut self,
        index: usize,
        shape: Shape,
        value: T,
    ) -> Result<&mut [T], KernelError> {
        let buffer = self.buffer(index, shape)?;
        buffer.resize(shape.elements(), value);
        Ok(buffer)
    }

    /// Writes a copy of `source` under another shape of as many elements.
    pub(crate) fn copy(&mut self, index: usize, source: &Tensor, shape: Shape) -> Result<(), KernelError> {
        match source.data() {
            Data::F32(data) => self.buffer::<f32>(index, shape)?.extend_from_slice(data),
            Data::F64(data) => self.buffer::<f64>(index, shape)?.extend_from_slice(data),
            Data::I64(data) => self.buffer::<i64>(index, shape)?.extend_from_slice(data),
            Data::I32(data) => self.buffer::<i32>(index, shape)?.extend_from_slice(data),
            Data::Bool(data) => self.buffer::<bool>(index, shape)?.extend_from_slice(data),
            Data::Str(data) => self.buffer(index, shape)?.extend_from_slice(data),
        }
        Ok(())
    }
}

/// Memory that kernels use inside one call and that stays allocated between calls.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) f32: Vec<f32>,
    pub(crate) f64: Vec<f64>,
    pub(crate) rows: Vec<f32>,
    pub(crate) seen: Vec<bool>,
}

/// One operator with its attributes, compiled.
pub(crate) trait Kernel: Send + Sync + fmt::Debug {
    /// Reads the inputs and writes every output.
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError>;
}

/// Runs `$body` with the type parameter `$T` bound to the element type that `$dtype` names.
macro_rules! for_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            crate::tensor::DType::F32 => {
                type $T = f32;
                $body
            }
            crate::tensor::DType::F64 => {
                type $T = f64;
                $body
            }
            crate::tensor::DType::I64 => {
                type $T = i64;
                $body
            }
            crate::tensor::DType::I32 => {
                type $T = i32;
                $body
            }
            crate::tensor::DType::Bool => {
                type $T = bool;
                $body
            }
            crate::tensor::DType::Str => {
                type $T = std::sync::Arc<str>;
                $body
            }
        }
    };
}

/// As [`for_dtype`], for the four numeric types; anything else is a [`KernelError::Operand`].
macro_rules! for_number {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            crate::tensor::DType::F32 => {
                type $T = f32;
                $body
            }
            crate::tensor::DType::F64 => {
                type $T = f64;
                $body
            }
            crate::tensor::DType::I64 => {
                type $T = i64;
                $body
            }
            crate::tensor::DType::I32 => {
                type $T = i32;
                $body
            }
            _ => Err(crate::error::KernelError::Operand),
        }
    };
}

pub(crate) use {for_dtype, for_number};
