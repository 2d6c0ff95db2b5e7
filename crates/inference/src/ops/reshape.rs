//! Operators that keep the elements and change the shape, and those that make constants and shapes.

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs, for_dtype};
use crate::node::{Built, Node};
use crate::ops::axis;
use crate::tensor::{DType, Data, Element, MAX_RANK, Shape, Tensor};

#[derive(Debug)]
struct Identity;

impl Kernel for Identity {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        outputs.copy(0, source, *source.shape())
    }
}

/// Compiles `Identity`.
pub(crate) fn build_identity(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    Ok(Built::one(node.input(0)?, Identity))
}

#[derive(Debug)]
struct Reshape {
    /// The shape, before operator set 5.
    attribute: Option<Vec<i64>>,
    allow_zero: bool,
}

impl Kernel for Reshape {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let wanted = match &self.attribute {
            Some(shape) => shape.clone(),
            None => inputs.integers(1)?.ok_or(KernelError::Operand)?,
        };
        let shape = reshaped(source.shape(), &wanted, self.allow_zero)?;
        outputs.copy(0, source, shape)
    }
}

/// The new shape: -1 takes what is left, 0 keeps the old dimension.
fn reshaped(old: &Shape, wanted: &[i64], allow_zero: bool) -> Result<Shape, KernelError> {
    let wrong = |problem| KernelError::shape(problem, *old);
    let mut dims = Vec::with_capacity(wanted.len().min(MAX_RANK));
    let mut open = None;
    for (index, &dim) in wanted.iter().enumerate() {
        dims.push(match dim {
            -1 if open.replace(index).is_some() => {
                return Err(wrong("the new shape leaves two dimensions open"));
            }
            -1 => 1,
            0 if !allow_zero => old
                .dims()
                .get(index)
                .copied()
                .ok_or(wrong("the new shape keeps a dimension that is not there"))?,
            _ => usize::try_from(dim).map_err(|_| wrong("the new shape has a negative dimension"))?,
        });
    }
    let mut shape = Shape::new(&dims).map_err(|_| wrong("the new shape has too many dimensions"))?;
    if let Some(place) = open.and_then(|index| shape.dims().get(index).map(|_| index)) {
        let rest = old.elements().checked_div(shape.elements()).unwrap_or(0);
        if let Some(dim) = shape.dims_mut().get_mut(place) {
            *dim = rest;
        }
    }
    if shape.elements() == old.elements() {
        Ok(shape)
    } else {
        Err(wrong("the new shape holds another number of elements"))
    }
}

/// Compiles `Reshape`.
pub(crate) fn build_reshape(node: &Node<'_>) -> Result<Built, NodeError> {
    let attribute = if node.opset < 5 { Some(node.ints("shape")?.to_vec()) } else { None };
    let inputs = if attribute.is_some() { 1 } else { 2 };
    node.arity(inputs, inputs)?;
    node.integers(1)?;
    Ok(Built::one(node.input(0)?, Reshape { attribute, allow_zero: node.flag("allowzero", false)? }))
}

#[derive(Debug)]
struct Flatten {
    axis: i64,
}

impl Kernel for Flatten {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let shape = source.shape();
        // The axis may be the rank itself: everything before it.
        let axis = axis::resolve(self.axis, shape.rank() + usize::from(self.axis >= 0), shape)?;
        let rows = shape.dims().iter().take(axis).product();
        let columns = shape.dims().iter().skip(axis).product();
        outputs.copy(0, source, Shape::matrix(rows, columns))
    }
}

/// Compiles `Flatten`.
pub(crate) fn build_flatten(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    Ok(Built::one(node.input(0)?, Flatten { axis: node.int("axis")?.unwrap_or(1) }))
}

/// Squeeze and Unsqueeze; axes from the attribute before operator set 13.
#[derive(Debug)]
struct Axes {
    attribute: Option<Vec<i64>>,
    insert: bool,
}

impl Axes {
    fn build(node: &Node<'_>, insert: bool) -> Result<Built, NodeError> {
        let attribute =
            if node.opset < 13 && node.has("axes") { Some(node.ints("axes")?.to_vec()) } else { None };
        let most = if node.opset < 13 { 1 } else { 2 };
        node.arity(if insert { most } else { 1 }, most)?;
        if insert && node.opset < 13 && attribute.is_none() {
            return Err(NodeError::AttributeMissing("axes"));
        }
        node.integers(1)?;
        Ok(Built::one(node.input(0)?, Self { attribute, insert }))
    }

    fn marked(axes: &[i64], rank: usize, shape: &Shape) -> Result<[bool; MAX_RANK], KernelError> {
        let mut marked = [false; MAX_RANK];
        for &axis in axes {
            let place = marked.get_mut(axis::resolve(axis, rank, shape)?).ok_or(KernelError::Operand)?;
            if std::mem::replace(place, true) {
                return Err(KernelError::shape("an axis is named twice", *shape));
            }
        }
        Ok(marked)
    }

    fn shape(&self, old: &Shape, axes: Option<&[i64]>) -> Result<Shape, KernelError> {
        let too_many = KernelError::shape("the result has too many dimensions", *old);
        let mut dims = Vec::with_capacity(MAX_RANK);
        if self.insert {
            let axes = axes.unwrap_or_default();
            let rank = old.rank() + axes.len();
            if rank > MAX_RANK {
                return Err(too_many);
            }
            let marked = Self::marked(axes, rank, old)?;
            let mut rest = old.dims().iter();
            for &new in marked.iter().take(rank) {
                dims.push(if new { 1 } else { *rest.next().ok_or(KernelError::Operand)? });
            }
        } else {
            let marked = axes.map(|axes| Self::marked(axes, old.rank(), old)).transpose()?;
            for (index, &dim) in old.dims().iter().enumerate() {
                match marked.map(|marked| marked.get(index).copied().unwrap_or(false)) {
                    Some(true) if dim != 1 => {
                        return Err(KernelError::shape("only dimensions of size 1 can go", *old));
                    }
                    Some(true) => {}
                    None if dim == 1 => {}
                    _ => dims.push(dim),
                }
            }
        }
        Shape::new(&dims).map_err(|_| too_many)
    }
}

impl Kernel for Axes {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let source = inputs.tensor(0)?;
        let axes = match &self.attribute {
            Some(axes) => Some(axes.clone()),
            None => inputs.integers(1)?,
        };
        let shape = self.shape(source.shape(), axes.as_deref())?;
        outputs.copy(0, source, shape)
    }
}

/// Compiles `Squeeze`.
pub(crate) fn build_squeeze(node: &Node<'_>) -> Result<Built, NodeError> {
    Axes::build(node, false)
}

/// Compiles `Unsqueeze`.
pub(crate) fn build_unsqueeze(node: &Node<'_>) -> Result<Built, NodeError> {
    Axes::build(node, true)
}

#[derive(Debug)]
struct ShapeOf;

impl Kernel for ShapeOf {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let shape = *inputs.tensor(0)?.shape();
        let sizes = shape.dims().iter().map(|&dim| i64::try_from(dim).unwrap_or(i64::MAX));
        outputs.buffer(0, Shape::vector(shape.rank()))?.extend(sizes);
        Ok(())
    }
}

/// Compiles `Shape`.
pub(crate) fn build_shape(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    if node.int("start")?.unwrap_or(0) != 0 || node.has("end") {
        return Err(NodeError::AttributeValue {
            name: "start",
            problem: "selects a part of the shape, which is not supported",
        });
    }
    Ok(Built::one(DType::I64, ShapeOf))
}

#[derive(Debug)]
struct Constant {
    value: Tensor,
}

impl Kernel for Constant {
    fn run(&self, _: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        outputs.copy(0, &self.value, *self.value.shape())
    }
}

/// Compiles `Constant`.
pub(crate) fn build_constant(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(0, 0)?;
    let vector = |data: Data| Tensor::new(&[data.len()], data);
    let value = if let Some(tensor) = node.tensor("value")? {
        Ok(tensor)
    } else if let Some(value) = node.float("value_float")? {
        Tensor::new(&[], Data::F32(vec![value]))
    } else if let Some(value) = node.int("value_int")? {
        Tensor::new(&[], Data::I64(vec![value]))
    } else if let Some(value) = node.text("value_string")? {
        Tensor::new(&[], Data::Str(vec![value.into()]))
    } else if node.has("value_floats") {
        vector(Data::F32(node.floats("value_floats")?.to_vec()))
    } else if node.has("value_ints") {
        vector(Data::I64(node.ints("value_ints")?.to_vec()))
    } else if node.has("value_strings") {
        vector(Data::Str(node.texts("value_strings")?))
    } else {
        return Err(NodeError::AttributeMissing("value"));
    };
    let value = value.map_err(|_| NodeError::AttributeValue { name: "value", problem: "is no tensor" })?;
    Ok(Built::one(value.dtype(), Constant { value }))
}

/// A tensor of one value, of a shape that another tensor names.
#[derive(Debug)]
struct ConstantOfShape {
    value: Tensor,
}

impl ConstantOfShape {
    fn fill<T: Element>(&self, shape: Shape, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let value = T::slice(self.value.data()).and_then(|data| data.first()).ok_or(KernelError::Operand)?;
        outputs.filled(0, shape, value.clone()).map(drop)
    }
}

impl Kernel for ConstantOfShape {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let dims = inputs
            .integers(0)?
            .ok_or(KernelError::Operand)?
            .into_iter()
            .map(usize::try_from)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| KernelError::Value("a size is negative"))?;
        let shape = Shape::new(&dims).map_err(|_| KernelError::Value("a shape has too many dimensions"))?;
        for_dtype!(self.value.dtype(), T => self.fill::<T>(shape, outputs))
    }
}

/// Compiles `ConstantOfShape`; without a value it is zero in float32.
pub(crate) fn build_constant_of_shape(node: &Node<'_>) -> Result<Built, NodeError> {
    node.arity(1, 1)?;
    node.integers(0)?;
    let problem = NodeError::AttributeValue { name: "value", problem: "must hold one element" };
    let value = match node.tensor("value")? {
        Some(value) => value,
        None => Tensor::new(&[1], Data::F32(vec![0.0])).map_err(|_| problem.clone())?,
    };
    if value.data().len() != 1 {
        return Err(problem);
    }
    Ok(Built::one(value.dtype(), ConstantOfShape { value }))
}
