//! `OneHotEncoder`.

use std::sync::Arc;

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::lookup::Lookup;
use crate::node::{Built, Node};
use crate::ops::float_to_i64;
use crate::tensor::{DType, Data, Shape};

/// The categories: numbers of every type are compared as int64.
#[derive(Debug)]
enum Categories {
    Ints(Lookup<i64>),
    Texts(Lookup<Arc<str>>),
}

/// One column of zeros per category, with a one in the column of the category that came.
#[derive(Debug)]
struct OneHot {
    categories: Categories,
    count: usize,
    /// Whether an unknown category gives zeros; otherwise it is an error.
    zeros: bool,
}

impl OneHot {
    fn mark(&self, out: &mut [f32], places: impl Iterator<Item = Option<usize>>) -> Result<(), KernelError> {
        for (row, place) in out.chunks_exact_mut(self.count).zip(places) {
            match place.and_then(|place| row.get_mut(place)) {
                Some(mark) => *mark = 1.0,
                None if self.zeros => {}
                None => return Err(KernelError::Value("a category is not known to the encoder")),
            }
        }
        Ok(())
    }
}

impl Kernel for OneHot {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let dims: Vec<usize> = source.shape().dims().iter().copied().chain([self.count]).collect();
        let shape = Shape::new(&dims)
            .map_err(|_| KernelError::shape("the input has too many dimensions", *source.shape()))?;
        let out = outputs.filled(0, shape, 0.0_f32)?;
        match (&self.categories, source.data()) {
            (Categories::Texts(known), Data::Str(data)) => {
                self.mark(out, data.iter().map(|text| known.place(text)))
            }
            (Categories::Ints(known), Data::I64(data)) => {
                self.mark(out, data.iter().map(|value| known.place(value)))
            }
            (Categories::Ints(known), Data::I32(data)) => {
                self.mark(out, data.iter().map(|&value| known.place(&i64::from(value))))
            }
            (Categories::Ints(known), Data::F32(data)) => {
                self.mark(out, data.iter().map(|&value| known.place(&float_to_i64(f64::from(value)))))
            }
            (Categories::Ints(known), Data::F64(data)) => {
                self.mark(out, data.iter().map(|&value| known.place(&float_to_i64(value))))
            }
            _ => Err(KernelError::Operand),
        }
    }
}

/// Compiles `OneHotEncoder`.
pub(crate) fn build(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    let (ints, texts) = (node.ints("cats_int64s")?, node.texts("cats_strings")?);
    let dtype = node.input(0)?;
    let count = if dtype == DType::Str { texts.len() } else { ints.len() };
    if count == 0 || dtype == DType::Bool {
        return Err(NodeError::AttributeMissing(if dtype == DType::Str {
            "cats_strings"
        } else {
            "cats_int64s"
        }));
    }
    let categories = if dtype == DType::Str {
        Categories::Texts(Lookup::new(texts, true))
    } else {
        Categories::Ints(Lookup::new(ints.iter().copied(), true))
    };
    Ok(Built::one(DType::F32, OneHot { categories, count, zeros: node.flag("zeros", true)? }))
}
