//! Operators of the default domain, and the table of all that are known.

mod arithmetic;
mod axis;
mod broadcast;
mod cast;
mod choose;
mod compare;
mod layout;
mod linear;
mod reduce;
mod reshape;
mod slice;
mod softmax;
mod unary;

pub(crate) use arithmetic::Number;
pub(crate) use cast::float_to_i64;
pub(crate) use linear::product_with_rows;

use crate::error::NodeError;
use crate::ml;
use crate::node::{Built, Node};

/// The default domain's name in messages and metadata.
const DEFAULT_DOMAIN: &str = "ai.onnx";

/// A domain as it is named here: the default one may be written as nothing.
pub(crate) fn domain_name(domain: &str) -> &str {
    if domain.is_empty() { DEFAULT_DOMAIN } else { domain }
}

/// The newest version of a domain whose operators are known to mean the same here.
pub(crate) fn newest_opset(domain: &str) -> Option<i64> {
    match domain {
        DEFAULT_DOMAIN => Some(28),
        ml::DOMAIN => Some(5),
        _ => None,
    }
}

/// Compiles a node; `None` if its operator is not known.
pub(crate) fn build(domain: &str, op: &str, node: &Node<'_>) -> Option<Result<Built, NodeError>> {
    if domain == ml::DOMAIN {
        return ml::build(op, node);
    }
    let builder: fn(&Node<'_>) -> Result<Built, NodeError> = match op {
        "Add" => |node| arithmetic::build(node, arithmetic::Operation::Add),
        "Sub" => |node| arithmetic::build(node, arithmetic::Operation::Sub),
        "Mul" => |node| arithmetic::build(node, arithmetic::Operation::Mul),
        "Div" => |node| arithmetic::build(node, arithmetic::Operation::Div),
        "Pow" => |node| arithmetic::build(node, arithmetic::Operation::Pow),
        "Sum" => |node| arithmetic::build_fold(node, arithmetic::Operation::Add),
        "Min" => |node| arithmetic::build_fold(node, arithmetic::Operation::Min),
        "Max" => |node| arithmetic::build_fold(node, arithmetic::Operation::Max),
        "Less" => |node| compare::build(node, compare::Relation::Less),
        "LessOrEqual" => |node| compare::build(node, compare::Relation::LessOrEqual),
        "Greater" => |node| compare::build(node, compare::Relation::Greater),
        "GreaterOrEqual" => |node| compare::build(node, compare::Relation::GreaterOrEqual),
        "Equal" => |node| compare::build(node, compare::Relation::Equal),
        "And" => |node| compare::build_logic(node, compare::Logic::And),
        "Or" => |node| compare::build_logic(node, compare::Logic::Or),
        "Xor" => |node| compare::build_logic(node, compare::Logic::Xor),
        "Not" => compare::build_not,
        "IsNaN" => compare::build_is_nan,
        "Where" => choose::build_where,
        "Clip" => choose::build_clip,
        "Cast" => cast::build,
        "Concat" => layout::build_concat,
        "Transpose" => layout::build_transpose,
        "Gather" => slice::build_gather,
        "Slice" => slice::build_slice,
        "Identity" => reshape::build_identity,
        "Reshape" => reshape::build_reshape,
        "Flatten" => reshape::build_flatten,
        "Squeeze" => reshape::build_squeeze,
        "Unsqueeze" => reshape::build_unsqueeze,
        "Shape" => reshape::build_shape,
        "Constant" => reshape::build_constant,
        "ConstantOfShape" => reshape::build_constant_of_shape,
        "MatMul" => linear::build_matmul,
        "Gemm" => linear::build_gemm,
        "ReduceSum" => |node| reduce::build(node, reduce::Reduction::Sum),
        "ReduceMean" => |node| reduce::build(node, reduce::Reduction::Mean),
        "ReduceMax" => |node| reduce::build(node, reduce::Reduction::Max),
        "ReduceMin" => |node| reduce::build(node, reduce::Reduction::Min),
        "ReduceProd" => |node| reduce::build(node, reduce::Reduction::Prod),
        "ArgMax" => |node| reduce::build_arg(node, true),
        "ArgMin" => |node| reduce::build_arg(node, false),
        "Softmax" => softmax::build,
        _ => return unary::Function::named(op).map(|function| unary::build(node, function)),
    };
    Some(builder(node))
}
