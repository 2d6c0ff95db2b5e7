//! Functions of one number.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_number};
use crate::node::{Built, Node};
use crate::tensor::{DType, Element};

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Neg,
    Relu,
    Sign,
    Sqrt,
    Exp,
    Log,
    Sigmoid,
    Tanh,
    Reciprocal,
    Floor,
    Ceil,
    Round,
}

impl Function {
    /// The function that an operator of this name computes.
    pub(crate) fn named(op: &str) -> Option<Self> {
        Some(match op {
            "Abs" => Self::Abs,
            "Neg" => Self::Neg,
            "Relu" => Self::Relu,
            "Sign" => Self::Sign,
            "Sqrt" => Self::Sqrt,
            "Exp" => Self::Exp,
            "Log" => Self::Log,
            "Sigmoid" => Self::Sigmoid,
            "Tanh" => Self::Tanh,
            "Reciprocal" => Self::Reciprocal,
            "Floor" => Self::Floor,
            "Ceil" => Self::Ceil,
            "Round" => Self::Round,
            _ => return None,
        })
    }

    /// Whether ONNX defines it for integers too.
    const fn takes_integers(self) -> bool {
        matches!(self, Self::Abs | Self::Neg | Self::Relu | Self::Sign)
    }
}

/// A number type with these functions. Only the first four are asked of integers.
trait Apply: Element + Copy {
    fn apply(self, function: Function) -> Self;
}

macro_rules! apply_float {
    ($type:ty) => {
        impl Apply for $type {
            #[inline]
            fn apply(self, function: Function) -> Self {
                match function {
                    Function::Abs => self.abs(),
                    Function::Neg => -self,
                    // NaN stays NaN, which `max` would hide.
                    Function::Relu => {
                        if self < 0.0 {
                            0.0
                        } else {
                            self
                        }
                    }
                    Function::Sign => {
                        if self > 0.0 {
                            1.0
                        } else if self < 0.0 {
                            -1.0
                        } else {
                            self
                        }
                    }
                    Function::Sqrt => self.sqrt(),
                    Function::Exp => self.exp(),
                    Function::Log => self.ln(),
                    Function::Sigmoid => {
                        let half = 1.0 / (1.0 + (-self.abs()).exp());
                        if self < 0.0 { 1.0 - half } else { half }
                    }
                    Function::Tanh => self.tanh(),
                    Function::Reciprocal => 1.0 / self,
                    Function::Floor => self.floor(),
                    Function::Ceil => self.ceil(),
                    Function::Round => self.round_ties_even(),
                }
            }
        }
    };
}

macro_rules! apply_integer {
    ($type:ty) => {
        impl Apply for $type {
            fn apply(self, function: Function) -> Self {
                match function {
                    Function::Abs => self.wrapping_abs(),
                    Function::Neg => self.wrapping_neg(),
                    Function::Relu => self.max(0),
                    Function::Sign => self.signum(),
                    _ => self,
                }
            }
        }
    };
}

apply_float!(f32);
apply_float!(f64);
apply_integer!(i64);
apply_integer!(i32);

#[derive(Debug)]
struct Unary {
    function: Function,
    dtype: DType,
}

impl Kernel for Unary {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        for_number!(self.dtype, T => {
            let (shape, data) = inputs.slice::<T>(0)?;
            outputs.buffer(0, shape)?.extend(data.iter().map(|&value| value.apply(self.function)));
            Ok(())
        })
    }
}

/// Compiles a function of one number.
pub(crate) fn build(node: &Node<'_>, function: Function) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let dtype = if function.takes_integers() {
        node.number(0)?
    } else {
        node.input_of(0, &[DType::F32, DType::F64])?
    };
    Ok(Built::one(dtype, Unary { function, dtype }))
}
