//! Operators that arrange elements anew: Concat and Transpose.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_dtype};
use crate::node::{Built, Node};
use crate::ops::{axis, broadcast};
use crate::tensor::{DType, Element, MAX_RANK, Shape};

#[derive(Debug)]
struct Concat {
    dtype: DType,
    axis: i64,
}

impl Concat {
    fn shape<T: Element>(&self, inputs: &Inputs<'_>) -> Result<(Shape, usize), KernelError> {
        let (mut shape, _) = inputs.slice::<T>(0)?;
        let axis = axis::resolve(self.axis, shape.rank(), &shape)?;
        for index in 1..inputs.len() {
            let (next, _) = inputs.slice::<T>(index)?;
            if next.rank() != shape.rank() {
                return Err(KernelError::broadcast(shape, next));
            }
            let before = shape;
            for (place, (dim, &other)) in shape.dims_mut().iter_mut().zip(next.dims()).enumerate() {
                if place == axis {
                    *dim = dim.saturating_add(other);
                } else if *dim != other {
                    return Err(KernelError::broadcast(before, next));
                }
            }
        }
        Ok((shape, axis))
    }
}

impl Kernel for Concat {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_dtype!(self.dtype, T => {
            let (shape, axis) = self.shape::<T>(inputs)?;
            let (outer, _, _) = axis::split(&shape, axis);
            let out = outputs.buffer::<T>(0, shape)?;
            for row in 0..outer {
                for index in 0..inputs.len() {
                    let (piece, data) = inputs.slice::<T>(index)?;
                    let (_, size, inner) = axis::split(&piece, axis);
                    let width = size * inner;
                    let chunk = data.get(row * width..(row + 1) * width).ok_or(KernelError::Operand)?;
                    out.extend_from_slice(chunk);
                }
            }
            Ok(())
        })
    }
}

/// Compiles `Concat`.
pub(crate) fn build_concat(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, usize::MAX)?;
    let axis = match node.int("axis")? {
        Some(axis) => axis,
        None if node.opset < 4 => 1,
        None => return Err(NodeError::AttributeMissing("axis")),
    };
    let dtype = node.input(0)?;
    (1..node.input_count()).try_for_each(|index| node.input_of(index, &[dtype]).map(drop))?;
    Ok(Built::one(dtype, Concat { dtype, axis }))
}

#[derive(Debug)]
struct Transpose {
    dtype: DType,
    perm: Vec<i64>,
}

impl Transpose {
    fn run_as<T: Element>(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<T>(0)?;
        let rank = shape.rank();
        if !self.perm.is_empty() && self.perm.len() != rank {
            return Err(KernelError::shape("`perm` does not fit the number of dimensions", shape));
        }
        let from = broadcast::strides(&shape, &shape);
        let mut out_shape = shape;
        let mut strides = [0_isize; MAX_RANK];
        let mut taken = [false; MAX_RANK];
        for (place, (dim, stride)) in out_shape.dims_mut().iter_mut().zip(&mut strides).enumerate() {
            let source = match self.perm.get(place) {
                Some(&axis) => axis::resolve(axis, rank, &shape)?,
                None => rank - 1 - place,
            };
            *dim = shape.dims().get(source).copied().ok_or(KernelError::Operand)?;
            *stride = from.get(source).copied().ok_or(KernelError::Operand)?;
            let taken = taken.get_mut(source).ok_or(KernelError::Operand)?;
            if std::mem::replace(taken, true) {
                return Err(KernelError::shape("`perm` names an axis twice", shape));
            }
        }
        let out = outputs.buffer::<T>(0, out_shape)?;
        for [offset] in broadcast::offsets(&out_shape, [0], [strides]) {
            out.push(data.get(offset).ok_or(KernelError::Operand)?.clone());
        }
        Ok(())
    }
}

impl Kernel for Transpose {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_dtype!(self.dtype, T => self.run_as::<T>(inputs, outputs))
    }
}

/// Compiles `Transpose`.
pub(crate) fn build_transpose(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let dtype = node.input(0)?;
    Ok(Built::one(dtype, Transpose { dtype, perm: node.ints("perm")?.to_vec() }))
}
