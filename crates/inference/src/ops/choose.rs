//! Where and Clip.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_dtype, for_number};
use crate::node::{Built, Node};
use crate::ops::arithmetic::Number;
use crate::ops::broadcast;
use crate::tensor::{DType, Element};

#[derive(Debug)]
struct Where {
    dtype: DType,
}

impl Where {
    fn run_as<T: Element>(inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (condition_shape, condition) = inputs.slice::<bool>(0)?;
        let (yes_shape, yes) = inputs.slice::<T>(1)?;
        let (no_shape, no) = inputs.slice::<T>(2)?;
        let shape = broadcast::shape(&broadcast::shape(&condition_shape, &yes_shape)?, &no_shape)?;
        let strides = [condition_shape, yes_shape, no_shape].map(|of| broadcast::strides(&of, &shape));
        let out = outputs.buffer::<T>(0, shape)?;
        for [condition_at, yes_at, no_at] in broadcast::offsets(&shape, [0; 3], strides) {
            let chosen = match condition.get(condition_at) {
                Some(true) => yes.get(yes_at),
                _ => no.get(no_at),
            };
            out.push(chosen.ok_or(KernelError::Operand)?.clone());
        }
        Ok(())
    }
}

impl Kernel for Where {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_dtype!(self.dtype, T => Self::run_as::<T>(inputs, outputs))
    }
}

/// Compiles `Where`.
pub(crate) fn build_where(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(3, 3)?;
    node.input_of(0, &[DType::Bool])?;
    let dtype = node.input(1)?;
    node.input_of(2, &[dtype])?;
    Ok(Built::one(dtype, Where { dtype }))
}

/// Bounds that stand in the attributes (operator sets before 11) win over inputs that aren't there.
#[derive(Debug)]
struct Clip {
    dtype: DType,
    min: Option<f32>,
    max: Option<f32>,
}

impl Clip {
    fn bound<T: Element + Copy>(inputs: &Inputs<'_>, index: usize) -> Result<Option<T>, KernelError> {
        if inputs.optional(index).is_none() {
            return Ok(None);
        }
        match inputs.slice::<T>(index)? {
            (_, &[bound]) => Ok(Some(bound)),
            (shape, _) => Err(KernelError::shape("a bound must be a single value", shape)),
        }
    }
}

impl Kernel for Clip {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        if self.min.is_some() || self.max.is_some() {
            let (shape, data) = inputs.slice::<f32>(0)?;
            outputs.buffer(0, shape)?.extend(data.iter().map(|&value| clip(value, self.min, self.max)));
            return Ok(());
        }
        for_number!(self.dtype, T => {
            let (shape, data) = inputs.slice::<T>(0)?;
            let (min, max) = (Self::bound::<T>(inputs, 1)?, Self::bound::<T>(inputs, 2)?);
            outputs.buffer(0, shape)?.extend(data.iter().map(|&value| clip(value, min, max)));
            Ok(())
        })
    }
}

/// NaN stays NaN; the upper bound wins over the lower one.
fn clip<T: Number>(value: T, min: Option<T>, max: Option<T>) -> T {
    let value = min.filter(|min| value < *min).unwrap_or(value);
    max.filter(|max| value > *max).unwrap_or(value)
}

/// Compiles `Clip`.
pub(crate) fn build_clip(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 3)?;
    let (min, max) = (node.float("min")?, node.float("max")?);
    let dtype =
        if min.is_some() || max.is_some() { node.input_of(0, &[DType::F32])? } else { node.number(0)? };
    for index in 1..node.input_count() {
        if node.optional_input(index).is_some() {
            node.input_of(index, &[dtype])?;
        }
    }
    Ok(Built::one(dtype, Clip { dtype, min, max }))
}
