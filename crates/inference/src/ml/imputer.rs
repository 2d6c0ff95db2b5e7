//! Imputer: replaces one marked value, usually NaN.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::node::{Built, Node};
use crate::tensor::{DType, Element};

/// A value per feature or one for all, written where the input equals `replaced` (NaN equals NaN).
#[derive(Debug)]
struct Imputer<T> {
    replaced: T,
    imputed: Vec<T>,
}

/// A type that may hold a marker for "missing".
trait Marked: Element + Copy {
    fn is(self, marker: Self) -> bool;
}

impl Marked for f32 {
    #[expect(clippy::float_cmp, reason = "the marker is an exact value")]
    fn is(self, marker: Self) -> bool {
        self == marker || (self.is_nan() && marker.is_nan())
    }
}

impl Marked for i64 {
    fn is(self, marker: Self) -> bool {
        self == marker
    }
}

impl<T: Marked> Kernel for Imputer<T> {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (shape, data) = inputs.slice::<T>(0)?;
        let (_, columns) = shape.rows_and_columns();
        // Of values that don't fit the features the first one serves all, as in ONNX Runtime.
        let imputed = if self.imputed.len() == columns {
            self.imputed.as_slice()
        } else {
            self.imputed.get(..1).unwrap_or_default()
        };
        let out = outputs.buffer::<T>(0, shape)?;
        for row in data.chunks(imputed.len().max(1)) {
            out.extend(
                row.iter()
                    .zip(imputed)
                    .map(|(&value, &fill)| if value.is(self.replaced) { fill } else { value }),
            );
        }
        Ok(())
    }
}

/// Compiles `Imputer` over float32 or int64.
pub(crate) fn build(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let dtype = node.input_of(0, &[DType::F32, DType::I64])?;
    if dtype == DType::F32 {
        let imputed = node.floats("imputed_value_floats")?.to_vec();
        if imputed.is_empty() {
            return Err(NodeError::AttributeMissing("imputed_value_floats"));
        }
        let replaced = node.float("replaced_value_float")?.unwrap_or(0.0);
        return Ok(Built::one(dtype, Imputer { replaced, imputed }));
    }
    let imputed = node.ints("imputed_value_int64s")?.to_vec();
    if imputed.is_empty() {
        return Err(NodeError::AttributeMissing("imputed_value_int64s"));
    }
    let replaced = node.int("replaced_value_int64")?.unwrap_or(0);
    Ok(Built::one(dtype, Imputer { replaced, imputed }))
}
