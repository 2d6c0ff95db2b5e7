//! Softmax.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::node::{Built, Node};
use crate::ops::axis;
use crate::tensor::DType;

/// Before operator set 13 everything from the axis on was one distribution; since then only the axis.
#[derive(Debug)]
struct Softmax {
    axis: i64,
    flattens: bool,
}

impl Kernel for Softmax {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<f32>(0)?;
        let at = axis::resolve(self.axis, shape.rank(), &shape)?;
        let (_, size, inner) = axis::split(&shape, at);
        let (size, inner) = if self.flattens { (size * inner, 1) } else { (size, inner) };
        let out = outputs.buffer::<f32>(0, shape)?;
        out.extend_from_slice(data);
        for block in out.chunks_exact_mut((size * inner).max(1)) {
            for lane in 0..inner {
                let values = || block.iter().skip(lane).step_by(inner);
                let greatest = values().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f32 = values().map(|value| (value - greatest).exp()).sum();
                for value in block.iter_mut().skip(lane).step_by(inner) {
                    *value = (*value - greatest).exp() / total;
                }
            }
        }
        Ok(())
    }
}

/// Compiles `Softmax`.
pub(crate) fn build(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.input_of(0, &[DType::F32])?;
    let flattens = node.opset < 13;
    let axis = node.int("axis")?.unwrap_or(if flattens { 1 } else { -1 });
    Ok(Built::one(DType::F32, Softmax { axis, flattens }))
}
