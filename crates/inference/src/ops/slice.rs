//! Operators that pick elements: Gather and Slice.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_dtype, integers};
use crate::node::{Built, Node};
use crate::ops::{axis, broadcast};
use crate::tensor::{DType, Element, Shape};

#[derive(Debug)]
struct Gather {
    dtype: DType,
    axis: i64,
}

impl Kernel for Gather {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_dtype!(self.dtype, T => {
            let (shape, data) = inputs.slice::<T>(0)?;
            let axis = axis::resolve(self.axis, shape.rank(), &shape)?;
            let (outer, size, inner) = axis::split(&shape, axis);
            let picked = inputs.tensor(1)?;
            let places = integers(picked)?
                .into_iter()
                .map(|index| place(index, size))
                .collect::<Result<Vec<usize>, _>>()?;
            let dims: Vec<usize> = shape.dims().iter().take(axis)
                .chain(picked.shape().dims())
                .chain(shape.dims().iter().skip(axis + 1))
                .copied()
                .collect();
            let out_shape = Shape::new(&dims)
                .map_err(|_| KernelError::shape("the result has too many dimensions", shape))?;
            let out = outputs.buffer::<T>(0, out_shape)?;
            for row in 0..outer {
                for place in &places {
                    let start = (row * size + place) * inner;
                    out.extend_from_slice(data.get(start..start + inner).ok_or(KernelError::Operand)?);
                }
            }
            Ok(())
        })
    }
}

/// An index into a dimension; negative ones count from its end.
pub(crate) fn place(index: i64, size: usize) -> Result<usize, KernelError> {
    let signed = i64::try_from(size).unwrap_or(i64::MAX);
    let index = if index < 0 { index.saturating_add(signed) } else { index };
    usize::try_from(index)
        .ok()
        .filter(|&index| index < size)
        .ok_or(KernelError::Value("an index lies outside of the tensor"))
}

/// Compiles `Gather`.
pub(crate) fn build_gather(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(2, 2)?;
    node.integers(1)?;
    let dtype = node.input(0)?;
    Ok(Built::one(dtype, Gather { dtype, axis: node.int("axis")?.unwrap_or(0) }))
}

/// Bounds from attributes (operator sets before 10); otherwise they are inputs.
#[derive(Debug)]
struct Slice {
    dtype: DType,
    attributes: Option<Bounds>,
}

#[derive(Debug, Clone)]
struct Bounds {
    starts: Vec<i64>,
    ends: Vec<i64>,
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
}

impl Slice {
    fn bounds(&self, inputs: &Inputs<'_>) -> Result<Bounds, KernelError> {
        let bounds = match &self.attributes {
            Some(bounds) => bounds.clone(),
            None => Bounds {
                starts: inputs.integers(1)?.ok_or(KernelError::Operand)?,
                ends: inputs.integers(2)?.ok_or(KernelError::Operand)?,
                axes: inputs.integers(3)?,
                steps: inputs.integers(4)?,
            },
        };
        let count = bounds.starts.len();
        let fits = |list: &Option<Vec<i64>>| list.as_ref().is_none_or(|list| list.len() == count);
        if bounds.ends.len() == count && fits(&bounds.axes) && fits(&bounds.steps) {
            Ok(bounds)
        } else {
            Err(KernelError::Value("the bounds of the slice have different lengths"))
        }
    }
}

/// First element, number of elements and step along a dimension of `size`, as numpy clamps them.
fn range(start: i64, end: i64, step: i64, size: usize) -> Result<(isize, usize, isize), KernelError> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let wrap = |bound: i64| if bound < 0 { bound.saturating_add(size) } else { bound };
    let (first, count) = if step > 0 {
        let (start, end) = (wrap(start).clamp(0, size), wrap(end).clamp(0, size));
        (start, (end - start).max(0).div_euclid(step) + i64::from((end - start).max(0) % step != 0))
    } else if step < 0 && step != i64::MIN {
        let (start, end) = (wrap(start).clamp(-1, size - 1), wrap(end).clamp(-1, size - 1));
        let span = (start - end).max(0);
        (start, span.div_euclid(-step) + i64::from(span % -step != 0))
    } else {
        return Err(KernelError::Value("a step of the slice is zero or absurd"));
    };
    let convert = |value: i64| isize::try_from(value).map_err(|_| KernelError::Limit);
    Ok((convert(first.max(0))?, usize::try_from(count).map_err(|_| KernelError::Limit)?, convert(step)?))
}

impl Slice {
    fn run_as<T: Element>(
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
        bounds: &Bounds,
    ) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<T>(0)?;
        let mut strides = broadcast::strides(&shape, &shape);
        let mut out_shape = shape;
        let mut origin = 0_isize;
        for (index, (&start, &end)) in bounds.starts.iter().zip(&bounds.ends).enumerate() {
            let axis = bounds.axes.as_ref().and_then(|axes| axes.get(index).copied());
            let axis = axis.unwrap_or(i64::try_from(index).unwrap_or(i64::MAX));
            let axis = axis::resolve(axis, shape.rank(), &shape)?;
            let step = bounds.steps.as_ref().and_then(|steps| steps.get(index).copied()).unwrap_or(1);
            let size = shape.dims().get(axis).copied().ok_or(KernelError::Operand)?;
            let (first, count, step) = range(start, end, step, size)?;
            let stride = strides.get_mut(axis).ok_or(KernelError::Operand)?;
            origin = origin.saturating_add(first.saturating_mul(*stride));
            *stride = stride.saturating_mul(step);
            *out_shape.dims_mut().get_mut(axis).ok_or(KernelError::Operand)? = count;
        }
        let out = outputs.buffer::<T>(0, out_shape)?;
        for [offset] in broadcast::offsets(&out_shape, [origin], [strides]) {
            out.push(data.get(offset).ok_or(KernelError::Operand)?.clone());
        }
        Ok(())
    }
}

impl Kernel for Slice {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let bounds = self.bounds(inputs)?;
        for_dtype!(self.dtype, T => Self::run_as::<T>(inputs, outputs, &bounds))
    }
}

/// Compiles `Slice`.
pub(crate) fn build_slice(node: &Node<'_>) -> Result<Built, NodeError> {
    let dtype = node.input(0)?;
    if node.opset < 10 {
        node.arity(1, 1)?;
        let axes = if node.has("axes") { Some(node.ints("axes")?.to_vec()) } else { None };
        let bounds = Bounds {
            starts: node.ints("starts")?.to_vec(),
            ends: node.ints("ends")?.to_vec(),
            axes,
            steps: None,
        };
        return Ok(Built::one(dtype, Slice { dtype, attributes: Some(bounds) }));
    }
    node.arity(3, 5)?;
    (1..5).try_for_each(|index| node.integers(index))?;
    Ok(Built::one(dtype, Slice { dtype, attributes: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clamped_as_numpy_does() {
        assert_eq!(range(1, i64::MAX, 1, 4), Ok((1, 3, 1)));
        assert_eq!(range(-2, 100, 1, 4), Ok((2, 2, 1)));
        assert_eq!(range(0, 5, 2, 5), Ok((0, 3, 2)));
        assert_eq!(range(-1, i64::MIN + 1, -1, 4), Ok((3, 4, -1)));
        assert_eq!(range(3, 1, 1, 4), Ok((3, 0, 1)));
        assert!(range(0, 1, 0, 4).is_err());
    }
}
