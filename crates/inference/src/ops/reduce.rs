//! Reductions over axes, and the place of the greatest or least element.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_number};
use crate::node::{Built, Node};
use crate::ops::arithmetic::Number;
use crate::ops::{axis, broadcast};
use crate::tensor::{DType, Shape};

/// How elements are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
}

impl Reduction {
    fn combine<T: Number>(self, total: T, value: T) -> T {
        match self {
            Self::Sum | Self::Mean => total.add(value),
            Self::Prod => total.mul(value),
            Self::Max => {
                if value.is_nan() || value > total {
                    value
                } else {
                    total
                }
            }
            Self::Min => {
                if value.is_nan() || value < total {
                    value
                } else {
                    total
                }
            }
        }
    }

    /// The operator set since which the axes are an input.
    const fn axes_are_input_since(self) -> i64 {
        if matches!(self, Self::Sum) { 13 } else { 18 }
    }
}

#[derive(Debug)]
struct Reduce {
    reduction: Reduction,
    dtype: DType,
    /// Axes from the attribute; otherwise they are the second input.
    attribute: Option<Vec<i64>>,
    keep: bool,
    /// Without axes: nothing is reduced, instead of everything.
    nothing_without_axes: bool,
}

impl Reduce {
    /// The shape with reduced dimensions of size 1, and the one without them if they go.
    fn shapes(&self, shape: &Shape, axes: &[i64]) -> Result<(Shape, Shape), KernelError> {
        let mut kept = *shape;
        if axes.is_empty() && !self.nothing_without_axes {
            kept.dims_mut().fill(1);
            return Ok((kept, if self.keep { kept } else { Shape::scalar() }));
        }
        let mut rest: Vec<Option<usize>> = shape.dims().iter().copied().map(Some).collect();
        for &axis in axes {
            let at = axis::resolve(axis, shape.rank(), shape)?;
            if let (Some(dim), Some(place)) = (kept.dims_mut().get_mut(at), rest.get_mut(at)) {
                *dim = 1;
                *place = if self.keep { Some(1) } else { None };
            }
        }
        let dims: Vec<usize> = rest.into_iter().flatten().collect();
        Ok((kept, Shape::new(&dims).map_err(|_| KernelError::Operand)?))
    }
}

impl Kernel for Reduce {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let axes = match &self.attribute {
            Some(axes) => axes.clone(),
            None => inputs.integers(1)?.unwrap_or_default(),
        };
        for_number!(self.dtype, T => {
            let (shape, data) = inputs.slice::<T>(0)?;
            let (kept, result) = self.shapes(&shape, &axes)?;
            let start = if self.reduction == Reduction::Prod { T::ONE } else { T::ZERO };
            let out = outputs.filled(0, result, start)?;
            let strides = broadcast::strides(&kept, &shape);
            let takes_first = matches!(self.reduction, Reduction::Max | Reduction::Min);
            let mut seen = vec![false; if takes_first { out.len() } else { 0 }];
            for (&value, [place]) in data.iter().zip(broadcast::offsets(&shape, [0], [strides])) {
                let total = out.get_mut(place).ok_or(KernelError::Operand)?;
                let first = seen.get_mut(place).is_some_and(|seen| !std::mem::replace(seen, true));
                *total = if first { value } else { self.reduction.combine(*total, value) };
            }
            if self.reduction == Reduction::Mean {
                let count = T::from_count(data.len().checked_div(out.len()).unwrap_or(1));
                for total in out {
                    *total = total.div(count);
                }
            }
            Ok(())
        })
    }
}

/// Compiles a reduction.
pub(crate) fn build(node: &Node<'_>, reduction: Reduction) -> Result<Built, NodeError> {
    let from_input = node.opset >= reduction.axes_are_input_since();
    node.arity(1, if from_input { 2 } else { 1 })?;
    node.integers(1)?;
    let dtype = node.number(0)?;
    let attribute = if from_input { None } else { Some(node.ints("axes")?.to_vec()) };
    Ok(Built::one(
        dtype,
        Reduce {
            reduction,
            dtype,
            attribute,
            keep: node.flag("keepdims", true)?,
            nothing_without_axes: node.flag("noop_with_empty_axes", false)?,
        },
    ))
}

/// The index of the greatest or least element along an axis.
#[derive(Debug)]
struct Arg {
    dtype: DType,
    axis: i64,
    keep: bool,
    greatest: bool,
    /// Of equal elements the last one counts, instead of the first.
    last: bool,
}

impl Arg {
    fn best<T: Number>(&self, values: impl Iterator<Item = T>) -> i64 {
        let mut best: Option<(T, i64)> = None;
        for (value, index) in values.zip(0_i64..) {
            let better = best.is_none_or(|(best, _)| {
                let beats = if self.greatest { value > best } else { value < best };
                beats || (self.last && value == best)
            });
            if better {
                best = Some((value, index));
            }
        }
        best.map_or(0, |(_, index)| index)
    }
}

impl Kernel for Arg {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_number!(self.dtype, T => {
            let (shape, data) = inputs.slice::<T>(0)?;
            let at = axis::resolve(self.axis, shape.rank(), &shape)?;
            let (_, size, inner) = axis::split(&shape, at);
            let mut result = shape;
            if let Some(dim) = result.dims_mut().get_mut(at) {
                *dim = 1;
            }
            if !self.keep {
                let (before, after) = shape.dims().split_at_checked(at).unwrap_or_default();
                let dims: Vec<usize> = before.iter().chain(after.iter().skip(1)).copied().collect();
                result = Shape::new(&dims).map_err(|_| KernelError::Operand)?;
            }
            let out = outputs.buffer::<i64>(0, result)?;
            for block in data.chunks_exact((size * inner).max(1)) {
                out.extend((0..inner).map(|lane| self.best(block.iter().skip(lane).step_by(inner).copied())));
            }
            Ok(())
        })
    }
}

/// Compiles `ArgMax` and `ArgMin`.
pub(crate) fn build_arg(node: &Node<'_>, greatest: bool) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let dtype = node.number(0)?;
    Ok(Built::one(
        DType::I64,
        Arg {
            dtype,
            axis: node.int("axis")?.unwrap_or(0),
            keep: node.flag("keepdims", true)?,
            greatest,
            last: node.flag("select_last_index", false)?,
        },
    ))
}
