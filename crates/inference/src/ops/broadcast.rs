//! Multidirectional broadcasting, as numpy and ONNX define it
//! (<https://github.com/onnx/onnx/blob/main/docs/Broadcasting.md>).

use crate::error::KernelError;
use crate::tensor::{MAX_RANK, Shape};

/// The shape that both broadcast to.
pub(crate) fn shape(left: &Shape, right: &Shape) -> Result<Shape, KernelError> {
    let (longer, shorter) = if left.rank() >= right.rank() { (left, right) } else { (right, left) };
    let mut out = *longer;
    let offset = longer.rank() - shorter.rank();
    for (dim, &other) in out.dims_mut().iter_mut().skip(offset).zip(shorter.dims()) {
        *dim = match (*dim, other) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => return Err(KernelError::broadcast(*left, *right)),
        };
    }
    Ok(out)
}

/// How far apart neighbours along each dimension of `out` lie in a tensor of shape `of`: 0 where it
/// is repeated.
pub(crate) fn strides(of: &Shape, out: &Shape) -> [isize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut step = 1_usize;
    let places = strides.iter_mut().take(out.rank()).rev();
    for (stride, &dim) in places.zip(of.dims().iter().rev()) {
        if dim > 1 {
            *stride = isize::try_from(step).unwrap_or(0);
        }
        step = step.saturating_mul(dim);
    }
    strides
}

/// Walks the elements of a tensor of shape `out` in order and gives the offsets that the strides
/// lead to. Ends after `out.elements()` steps.
pub(crate) fn offsets<const N: usize>(
    out: &Shape,
    start: [isize; N],
    strides: [[isize; MAX_RANK]; N],
) -> impl Iterator<Item = [usize; N]> {
    let out = *out;
    let mut index = [0_usize; MAX_RANK];
    let mut offset = start;
    (0..out.elements()).map(move |_| {
        let here = offset.map(isize::cast_unsigned);
        for (axis, &dim) in out.dims().iter().enumerate().rev() {
            let Some(position) = index.get_mut(axis) else { break };
            *position += 1;
            let wrapped = *position == dim;
            for (offset, strides) in offset.iter_mut().zip(&strides) {
                let stride = strides.get(axis).copied().unwrap_or(0);
                *offset += stride;
                if wrapped {
                    *offset -= stride * dim.cast_signed();
                }
            }
            if !wrapped {
                break;
            }
            *position = 0;
        }
        here
    })
}

/// Appends `function` of each broadcast pair to `out`, which has the broadcast shape `shape`.
pub(crate) fn zip<A: Clone, B: Clone, R>(
    (left_shape, left): (Shape, &[A]),
    (right_shape, right): (Shape, &[B]),
    shape: &Shape,
    out: &mut Vec<R>,
    function: impl Fn(&A, &B) -> R,
) -> Result<(), KernelError> {
    match (left, right) {
        _ if left_shape == right_shape => out.extend(left.iter().zip(right).map(|(a, b)| function(a, b))),
        (_, [b]) if left_shape == *shape => out.extend(left.iter().map(|a| function(a, b))),
        ([a], _) if right_shape == *shape => out.extend(right.iter().map(|b| function(a, b))),
        _ if left_shape == *shape && repeats_whole(&right_shape, shape) => {
            for row in left.chunks_exact(right.len().max(1)) {
                out.extend(row.iter().zip(right).map(|(a, b)| function(a, b)));
            }
        }
        _ => {
            let strides = [strides(&left_shape, shape), strides(&right_shape, shape)];
            for [a, b] in offsets(shape, [0, 0], strides) {
                let (a, b) = (left.get(a), right.get(b));
                out.push(function(a.ok_or(KernelError::Operand)?, b.ok_or(KernelError::Operand)?));
            }
        }
    }
    Ok(())
}

/// Whether `of`, without leading ones, is the tail of `out`: then it repeats as one piece.
fn repeats_whole(of: &Shape, out: &Shape) -> bool {
    let ones = of.dims().iter().take_while(|&&dim| dim == 1).count();
    of.dims().get(ones..).is_some_and(|tail| out.dims().ends_with(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(left: (&[usize], &[f32]), right: (&[usize], &[f32])) -> (Vec<usize>, Vec<f32>) {
        let (a, b) = (Shape::new(left.0).unwrap(), Shape::new(right.0).unwrap());
        let out_shape = shape(&a, &b).unwrap();
        let mut out = Vec::new();
        zip((a, left.1), (b, right.1), &out_shape, &mut out, |a, b| a + b).unwrap();
        (out_shape.dims().to_vec(), out)
    }

    #[test]
    fn every_way_of_repeating() {
        let rows: (&[usize], &[f32]) = (&[2, 2], &[1., 2., 3., 4.]);
        assert_eq!(add(rows, (&[2], &[10., 20.])), (vec![2, 2], vec![11., 22., 13., 24.]));
        assert_eq!(add(rows, (&[1, 2], &[10., 20.])), (vec![2, 2], vec![11., 22., 13., 24.]));
        assert_eq!(add(rows, (&[2, 1], &[10., 20.])), (vec![2, 2], vec![11., 12., 23., 24.]));
        assert_eq!(add((&[], &[1.]), rows), (vec![2, 2], vec![2., 3., 4., 5.]));
        assert_eq!(add((&[1, 2], &[1., 2.]), (&[2, 1], &[10., 20.])), (vec![2, 2], vec![11., 12., 21., 22.]));
        assert_eq!(add((&[1, 1], &[1.]), (&[3], &[1., 2., 3.])), (vec![1, 3], vec![2., 3., 4.]));
    }

    #[test]
    fn shapes_that_do_not_go_together() {
        assert!(shape(&Shape::matrix(2, 3), &Shape::vector(2)).is_err());
    }
}
