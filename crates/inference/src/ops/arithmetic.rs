//! Add, Sub, Mul, Div, Pow and the variadic Sum, Min and Max.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_number};
use crate::node::{Built, Node};
use crate::ops::broadcast;
use crate::tensor::{DType, Element, Shape};

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
}

/// Arithmetic of a numeric element type. Integers wrap, as in ONNX Runtime.
pub(crate) trait Number: Element + Copy + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    const IS_INTEGER: bool;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// Division; the caller has made sure that no integer divisor is zero.
    fn div(self, other: Self) -> Self;
    fn pow(self, other: Self) -> Self;
    fn is_nan(self) -> bool;
    fn from_count(count: usize) -> Self;
}

macro_rules! float_number {
    ($type:ty) => {
        impl Number for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const IS_INTEGER: bool = false;
            #[inline]
            fn add(self, other: Self) -> Self {
                self + other
            }
            #[inline]
            fn sub(self, other: Self) -> Self {
                self - other
            }
            #[inline]
            fn mul(self, other: Self) -> Self {
                self * other
            }
            #[inline]
            fn div(self, other: Self) -> Self {
                self / other
            }
            #[inline]
            fn pow(self, other: Self) -> Self {
                self.powf(other)
            }
            #[inline]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
            #[inline]
            fn from_count(count: usize) -> Self {
                count as Self
            }
        }
    };
}

macro_rules! integer_number {
    ($type:ty) => {
        impl Number for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const IS_INTEGER: bool = true;
            #[inline]
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline]
            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline]
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline]
            fn div(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_div(other) }
            }
            #[inline]
            fn pow(self, other: Self) -> Self {
                match u32::try_from(other) {
                    Ok(exponent) => self.wrapping_pow(exponent),
                    // The power is a fraction, which an integer rounds to zero.
                    Err(_) => Self::from(self == 1),
                }
            }
            #[inline]
            fn is_nan(self) -> bool {
                false
            }
            #[inline]
            fn from_count(count: usize) -> Self {
                Self::try_from(count).unwrap_or(Self::MAX)
            }
        }
    };
}

float_number!(f32);
float_number!(f64);
integer_number!(i64);
integer_number!(i32);

/// Min and Max return NaN if either operand is one.
#[inline]
fn least<T: Number>(a: T, b: T) -> T {
    if a.is_nan() || a < b { a } else { b }
}

#[inline]
fn greatest<T: Number>(a: T, b: T) -> T {
    if a.is_nan() || a > b { a } else { b }
}

fn compute<T: Number>(
    operation: Operation,
    left: (Shape, &[T]),
    right: (Shape, &[T]),
    shape: &Shape,
    out: &mut Vec<T>,
) -> Result<(), KernelError> {
    match operation {
        Operation::Add => broadcast::zip(left, right, shape, out, |&a, &b| a.add(b)),
        Operation::Sub => broadcast::zip(left, right, shape, out, |&a, &b| a.sub(b)),
        Operation::Mul => broadcast::zip(left, right, shape, out, |&a, &b| a.mul(b)),
        Operation::Div => {
            if T::IS_INTEGER && right.1.contains(&T::ZERO) {
                return Err(KernelError::Value("an integer is divided by zero"));
            }
            broadcast::zip(left, right, shape, out, |&a, &b| a.div(b))
        }
        Operation::Pow => broadcast::zip(left, right, shape, out, |&a, &b| a.pow(b)),
        Operation::Min => broadcast::zip(left, right, shape, out, |&a, &b| least(a, b)),
        Operation::Max => broadcast::zip(left, right, shape, out, |&a, &b| greatest(a, b)),
    }
}

#[derive(Debug)]
struct Binary {
    operation: Operation,
    dtype: DType,
}

impl Kernel for Binary {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_number!(self.dtype, T => {
            let (left, right) = (inputs.slice::<T>(0)?, inputs.slice::<T>(1)?);
            let shape = broadcast::shape(&left.0, &right.0)?;
            compute(self.operation, left, right, &shape, outputs.buffer(0, shape)?)
        })
    }
}

/// Compiles a binary operator.
pub(crate) fn build(node: &Node<'_>, operation: Operation) -> Result<Built, NodeError> {
    node.arity(2, 2)?;
    if node.opset < 7 && (node.has("axis") || node.has("broadcast")) {
        return Err(NodeError::AttributeValue {
            name: "broadcast",
            problem: "belongs to an operator set before version 7, whose broadcasting is not supported",
        });
    }
    let dtype = node.number(0)?;
    node.input_of(1, &[dtype])?;
    Ok(Built::one(dtype, Binary { operation, dtype }))
}

#[derive(Debug)]
struct Fold {
    operation: Operation,
    dtype: DType,
}

impl Kernel for Fold {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_number!(self.dtype, T => {
            let (mut shape, first) = inputs.slice::<T>(0)?;
            let mut total = first.to_vec();
            for index in 1..inputs.len() {
                let next = inputs.slice::<T>(index)?;
                let wider = broadcast::shape(&shape, &next.0)?;
                outputs.budget.charge_elements(wider.elements())?;
                let mut sum = Vec::with_capacity(wider.elements());
                compute(self.operation, (shape, &total), next, &wider, &mut sum)?;
                (shape, total) = (wider, sum);
            }
            outputs.buffer::<T>(0, shape)?.append(&mut total);
            Ok(())
        })
    }
}

/// Compiles a variadic operator: `operation` folded over all inputs.
pub(crate) fn build_fold(node: &Node<'_>, operation: Operation) -> Result<Built, NodeError> {
    node.arity(1, usize::MAX)?;
    let dtype = node.number(0)?;
    (1..node.input_count()).try_for_each(|index| node.input_of(index, &[dtype]).map(drop))?;
    Ok(Built::one(dtype, Fold { operation, dtype }))
}
