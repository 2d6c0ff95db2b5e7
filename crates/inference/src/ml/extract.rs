//! Operators that arrange features: `ArrayFeatureExtractor`, `FeatureVectorizer` and `ZipMap`.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_dtype, integers};
use crate::node::{Built, Node};
use crate::tensor::{DType, Data, Element, Shape, Tensor};

/// Picks places of the last dimension.
#[derive(Debug)]
struct ArrayFeatureExtractor {
    dtype: DType,
}

impl ArrayFeatureExtractor {
    fn run_as<T: Element>(
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
        places: &[usize],
    ) -> Result<(), KernelError> {
        let (mut shape, data) = inputs.slice::<T>(0)?;
        let columns = match shape.dims_mut() {
            [] => return Err(KernelError::shape("a single value has no features", shape)),
            [columns] => {
                let columns = *columns;
                shape = Shape::matrix(1, places.len());
                columns
            }
            [.., columns] => std::mem::replace(columns, places.len()),
        };
        let out = outputs.buffer::<T>(0, shape)?;
        for row in data.chunks_exact(columns.max(1)) {
            for &place in places {
                let value =
                    row.get(place).ok_or(KernelError::Value("a feature index lies outside of the tensor"))?;
                out.push(value.clone());
            }
        }
        Ok(())
    }
}

impl Kernel for ArrayFeatureExtractor {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let places = integers(inputs.tensor(1)?)?
            .into_iter()
            .map(|place| {
                usize::try_from(place).map_err(|_| KernelError::Value("a feature index is negative"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        for_dtype!(self.dtype, T => Self::run_as::<T>(inputs, outputs, &places))
    }
}

/// Compiles `ArrayFeatureExtractor`.
pub(crate) fn build_array_feature_extractor(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(2, 2)?;
    node.integers(1)?;
    let dtype = node.input(0)?;
    Ok(Built::one(dtype, ArrayFeatureExtractor { dtype }))
}

/// Puts inputs side by side as float32, each cut or padded with zeros to its declared width.
#[derive(Debug)]
struct FeatureVectorizer {
    widths: Vec<usize>,
}

/// Appends the elements of `range` as float32, zeros where there are none.
fn push_range(tensor: &Tensor, start: usize, width: usize, out: &mut Vec<f32>) -> Result<(), KernelError> {
    fn part<T>(data: &[T], start: usize, width: usize) -> &[T] {
        data.get(start..start + width).unwrap_or_default()
    }
    match tensor.data() {
        Data::F32(data) => out.extend_from_slice(part(data, start, width)),
        #[expect(clippy::cast_possible_truncation, reason = "the operator's output is float32")]
        Data::F64(data) => out.extend(part(data, start, width).iter().map(|&value| value as f32)),
        Data::I64(data) => out.extend(part(data, start, width).iter().map(|&value| value as f32)),
        Data::I32(data) => out.extend(part(data, start, width).iter().map(|&value| value as f32)),
        Data::Bool(_) | Data::Str(_) => return Err(KernelError::Operand),
    }
    Ok(())
}

impl Kernel for FeatureVectorizer {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let (rows, _) = inputs.tensor(0)?.shape().rows_and_columns();
        let total = self.widths.iter().fold(0_usize, |total, &width| total.saturating_add(width));
        let out = outputs.buffer(0, Shape::matrix(rows, total))?;
        for row in 0..rows {
            for (index, &width) in self.widths.iter().enumerate() {
                let tensor = inputs.tensor(index)?;
                let (own_rows, columns) = tensor.shape().rows_and_columns();
                if own_rows != rows {
                    return Err(KernelError::shape("an input has another number of rows", *tensor.shape()));
                }
                let given = columns.min(width);
                push_range(tensor, row * columns, given, out)?;
                out.resize(out.len() + width - given, 0.0);
            }
        }
        Ok(())
    }
}

/// Compiles `FeatureVectorizer`.
pub(crate) fn build_feature_vectorizer(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, usize::MAX)?;
    (0..node.input_count()).try_for_each(|index| node.number(index).map(drop))?;
    let problem =
        NodeError::AttributeValue { name: "inputdimensions", problem: "must hold one width per input" };
    let widths = node.ints("inputdimensions")?.iter().map(|&width| usize::try_from(width));
    let widths = widths.collect::<Result<Vec<_>, _>>().map_err(|_| problem.clone())?;
    if widths.len() != node.input_count() {
        return Err(problem);
    }
    Ok(Built::one(DType::F32, FeatureVectorizer { widths }))
}

/// Passes the probabilities on as they are: a column per class, in the order of the labels.
#[derive(Debug)]
struct ZipMap {
    classes: usize,
}

impl Kernel for ZipMap {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let shape = *source.shape();
        if shape.rows_and_columns().1 != self.classes {
            return Err(KernelError::shape("there is not one column per class", shape));
        }
        outputs.copy(0, source, shape)
    }
}

/// Compiles `ZipMap`.
pub(crate) fn build_zip_map(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.input_of(0, &[DType::F32])?;
    let classes = node.ints("classlabels_int64s")?.len().max(node.keywords("classlabels_strings")?.len());
    if classes == 0 {
        return Err(NodeError::AttributeMissing("classlabels_int64s"));
    }
    Ok(Built::one(DType::F32, ZipMap { classes }))
}
