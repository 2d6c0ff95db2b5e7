//! Matrix products.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_number};
use crate::node::{Built, Node};
use crate::ops::arithmetic::Number;
use crate::ops::broadcast;
use crate::tensor::{DType, MAX_RANK, Shape};

/// Adds `left · right` to `out`, all row-major: left `[m, k]`, right `[k, n]`, out `[m, n]`.
fn add_product<T: Number>(left: &[T], right: &[T], inner: usize, columns: usize, out: &mut [T]) {
    if inner == 0 || columns == 0 {
        return;
    }
    for (row, out) in left.chunks_exact(inner).zip(out.chunks_exact_mut(columns)) {
        for (&factor, weights) in row.iter().zip(right.chunks_exact(columns)) {
            for (sum, &weight) in out.iter_mut().zip(weights) {
                *sum = sum.add(factor.mul(weight));
            }
        }
    }
}

/// The scalar product, in eight interleaved sums that the compiler turns into vectors.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (left_blocks, left_rest) = left.as_chunks::<8>();
    let (right_blocks, right_rest) = right.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in left_blocks.iter().zip(right_blocks) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Appends `row · weightsᵀ + intercepts` to `out`, for a row-major `[targets, features]` matrix of
/// weights; no intercepts are zeros.
pub(crate) fn product_with_rows(row: &[f32], weights: &[f32], intercepts: &[f32], out: &mut Vec<f32>) {
    let targets = weights.chunks_exact(row.len().max(1));
    out.extend(
        targets
            .enumerate()
            .map(|(target, weights)| dot(row, weights) + intercepts.get(target).copied().unwrap_or(0.0)),
    );
}

#[derive(Debug)]
struct MatMul {
    dtype: DType,
}

impl Kernel for MatMul {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_number!(self.dtype, T => {
            let (left_shape, left) = inputs.slice::<T>(0)?;
            let (right_shape, right) = inputs.slice::<T>(1)?;
            let mismatch = KernelError::broadcast(left_shape, right_shape);
            let Some((&inner, outer)) = left_shape.dims().split_last() else { return Err(mismatch) };
            let (rows, columns) = match right_shape.dims() {
                [rows] => (*rows, None),
                [rows, columns] => (*rows, Some(*columns)),
                _ => {
                    let problem = "only products with a matrix or a vector are supported";
                    return Err(KernelError::shape(problem, right_shape));
                }
            };
            if rows != inner {
                return Err(mismatch);
            }
            let dims: Vec<usize> = outer.iter().copied().chain(columns).collect();
            let shape = Shape::new(&dims).map_err(|_| mismatch)?;
            outputs.budget.charge_work(shape.elements(), inner)?;
            let out = outputs.filled(0, shape, T::ZERO)?;
            add_product(left, right, inner, columns.unwrap_or(1), out);
            Ok(())
        })
    }
}

/// Compiles `MatMul`.
pub(crate) fn build_matmul(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(2, 2)?;
    let dtype = node.number(0)?;
    node.input_of(1, &[dtype])?;
    Ok(Built::one(dtype, MatMul { dtype }))
}

/// `alpha · A · B + beta · C` in float32.
#[derive(Debug)]
struct Gemm {
    alpha: f32,
    beta: f32,
    transpose_left: bool,
    transpose_right: bool,
}

impl Gemm {
    /// The operand as a matrix, its columns made rows if `transpose`.
    fn matrix(
        inputs: &Inputs<'_>,
        index: usize,
        transpose: bool,
    ) -> Result<(usize, usize, Vec<f32>), KernelError> {
        let (shape, data) = inputs.slice::<f32>(index)?;
        let &[rows, columns] = shape.dims() else {
            return Err(KernelError::shape("the operand must be a matrix", shape));
        };
        if !transpose {
            return Ok((rows, columns, data.to_vec()));
        }
        let out = Shape::matrix(columns, rows);
        let mut strides = [0; MAX_RANK];
        let of = broadcast::strides(&shape, &shape);
        strides[0] = of[1];
        strides[1] = of[0];
        let moved: Option<Vec<f32>> =
            broadcast::offsets(&out, [0], [strides]).map(|[offset]| data.get(offset).copied()).collect();
        Ok((columns, rows, moved.ok_or(KernelError::Operand)?))
    }
}

impl Kernel for Gemm {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (left_shape, _) = inputs.slice::<f32>(0)?;
        let (right_shape, right) = inputs.slice::<f32>(1)?;
        let (rows, inner, mut left) = Self::matrix(inputs, 0, self.transpose_left)?;
        let mismatch = KernelError::broadcast(left_shape, right_shape);
        let columns = match (right_shape.dims(), self.transpose_right) {
            (&[size, columns], false) | (&[columns, size], true) if size == inner => columns,
            _ => return Err(mismatch),
        };
        let shape = Shape::matrix(rows, columns);
        outputs.budget.charge_work(shape.elements(), inner)?;
        for value in &mut left {
            *value *= self.alpha;
        }
        let out = outputs.buffer::<f32>(0, shape)?;
        match inputs.optional(2) {
            Some(_) => {
                let addend = inputs.slice::<f32>(2)?;
                if broadcast::shape(&shape, &addend.0)? != shape {
                    return Err(KernelError::broadcast(shape, addend.0));
                }
                let strides = broadcast::strides(&addend.0, &shape);
                for [offset] in broadcast::offsets(&shape, [0], [strides]) {
                    out.push(addend.1.get(offset).ok_or(KernelError::Operand)? * self.beta);
                }
            }
            None => out.resize(shape.elements(), 0.0),
        }
        if self.transpose_right {
            for (row, out) in left.chunks_exact(inner.max(1)).zip(out.chunks_exact_mut(columns.max(1))) {
                for (sum, weights) in out.iter_mut().zip(right.chunks_exact(inner.max(1))) {
                    *sum += dot(row, weights);
                }
            }
        } else {
            add_product(&left, right, inner, columns, out);
        }
        Ok(())
    }
}

/// Compiles `Gemm`.
pub(crate) fn build_gemm(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(2, 3)?;
    for index in 0..node.input_count() {
        if node.optional_input(index).is_some() {
            node.input_of(index, &[DType::F32])?;
        }
    }
    Ok(Built::one(
        DType::F32,
        Gemm {
            alpha: node.float("alpha")?.unwrap_or(1.0),
            beta: node.float("beta")?.unwrap_or(1.0),
            transpose_left: node.flag("transA", false)?,
            transpose_right: node.flag("transB", false)?,
        },
    ))
}
