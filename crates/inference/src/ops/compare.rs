//! Comparisons and logic: operators that give truth values.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_dtype};
use crate::node::{Built, Node};
use crate::ops::broadcast;
use crate::tensor::{DType, Element};

/// A relation between two elements of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

#[derive(Debug)]
struct Compare {
    relation: Relation,
    dtype: DType,
}

impl Compare {
    fn run_as<T: Element + PartialOrd>(
        &self,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Result<(), KernelError> {
        let (left, right) = (inputs.slice::<T>(0)?, inputs.slice::<T>(1)?);
        let shape = broadcast::shape(&left.0, &right.0)?;
        let out = outputs.buffer(0, shape)?;
        match self.relation {
            Relation::Less => broadcast::zip(left, right, &shape, out, |a, b| a < b),
            Relation::LessOrEqual => broadcast::zip(left, right, &shape, out, |a, b| a <= b),
            Relation::Greater => broadcast::zip(left, right, &shape, out, |a, b| a > b),
            Relation::GreaterOrEqual => broadcast::zip(left, right, &shape, out, |a, b| a >= b),
            Relation::Equal => broadcast::zip(left, right, &shape, out, |a, b| a == b),
        }
    }
}

impl Kernel for Compare {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_dtype!(self.dtype, T => self.run_as::<T>(inputs, outputs))
    }
}

/// Compiles a comparison. Order is defined for numbers, equality for every type.
pub(crate) fn build(node: &Node<'_>, relation: Relation) -> Result<Built, NodeError> {
    node.arity(2, 2)?;
    let dtype = if relation == Relation::Equal { node.input(0)? } else { node.number(0)? };
    node.input_of(1, &[dtype])?;
    Ok(Built::one(DType::Bool, Compare { relation, dtype }))
}

/// A function of two truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logic {
    And,
    Or,
    Xor,
}

impl Kernel for Logic {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (left, right) = (inputs.slice::<bool>(0)?, inputs.slice::<bool>(1)?);
        let shape = broadcast::shape(&left.0, &right.0)?;
        let out = outputs.buffer(0, shape)?;
        match self {
            Self::And => broadcast::zip(left, right, &shape, out, |&a, &b| a & b),
            Self::Or => broadcast::zip(left, right, &shape, out, |&a, &b| a | b),
            Self::Xor => broadcast::zip(left, right, &shape, out, |&a, &b| a ^ b),
        }
    }
}

/// Compiles a logical operator.
pub(crate) fn build_logic(node: &Node<'_>, logic: Logic) -> Result<Built, NodeError> {
    node.arity(2, 2)?;
    node.input_of(0, &[DType::Bool])?;
    node.input_of(1, &[DType::Bool])?;
    Ok(Built::one(DType::Bool, logic))
}

#[derive(Debug)]
struct Not;

impl Kernel for Not {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<bool>(0)?;
        outputs.buffer(0, shape)?.extend(data.iter().map(|value| !value));
        Ok(())
    }
}

/// Compiles `Not`.
pub(crate) fn build_not(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.input_of(0, &[DType::Bool])?;
    Ok(Built::one(DType::Bool, Not))
}

#[derive(Debug)]
struct IsNan {
    double: bool,
}

impl Kernel for IsNan {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        if self.double {
            let (shape, data) = inputs.slice::<f64>(0)?;
            outputs.buffer(0, shape)?.extend(data.iter().map(|value| value.is_nan()));
        } else {
            let (shape, data) = inputs.slice::<f32>(0)?;
            outputs.buffer(0, shape)?.extend(data.iter().map(|value| value.is_nan()));
        }
        Ok(())
    }
}

/// Compiles `IsNaN`.
pub(crate) fn build_is_nan(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let double = node.input_of(0, &[DType::F32, DType::F64])? == DType::F64;
    Ok(Built::one(DType::Bool, IsNan { double }))
}
