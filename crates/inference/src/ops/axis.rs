//! Axes as ONNX counts them: negative ones from the end.

use crate::error::KernelError;
use crate::tensor::Shape;

/// The axis as an index into `rank` dimensions.
pub(crate) fn resolve(axis: i64, rank: usize, shape: &Shape) -> Result<usize, KernelError> {
    let signed = i64::try_from(rank).unwrap_or(i64::MAX);
    let axis = if axis < 0 { axis.saturating_add(signed) } else { axis };
    usize::try_from(axis)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or(KernelError::shape("there is no such axis", *shape))
}

/// The sizes before, of and after an axis.
pub(crate) fn split(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    let dims = shape.dims();
    let before = dims.iter().take(axis).product();
    let size = dims.get(axis).copied().unwrap_or(1);
    let after = dims.iter().skip(axis + 1).product();
    (before, size, after)
}
