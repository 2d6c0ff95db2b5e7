//! A node of the graph as the operators' builders see it: typed inputs and typed attributes.

use std::sync::Arc;

use mainstay_onnx::attribute_proto::AttributeType;
use mainstay_onnx::{AttributeProto, NodeProto};

use crate::constant;
use crate::error::NodeError;
use crate::kernel::Kernel;
use crate::tensor::{DType, Tensor};

/// A compiled operator and the element types of its outputs.
pub(crate) struct Built {
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) outputs: Vec<DType>,
}

impl Built {
    /// An operator with one output.
    pub(crate) fn one(dtype: DType, kernel: impl Kernel + 'static) -> Self {
        Self { kernel: Box::new(kernel), outputs: vec![dtype] }
    }

    /// An operator with two outputs.
    pub(crate) fn two(dtypes: [DType; 2], kernel: impl Kernel + 'static) -> Self {
        Self { kernel: Box::new(kernel), outputs: dtypes.to_vec() }
    }
}

/// A node with what is known about its inputs when the model is loaded.
pub(crate) struct Node<'m> {
    proto: &'m NodeProto,
    /// Version of the node's operator set.
    pub(crate) opset: i64,
    inputs: Vec<Option<DType>>,
}

impl<'m> Node<'m> {
    pub(crate) fn new(
        proto: &'m NodeProto,
        opset: i64,
        inputs: Vec<Option<DType>>,
    ) -> Result<Self, NodeError> {
        let mut names: Vec<&str> = proto.attribute.iter().map(AttributeProto::name).collect();
        names.sort_unstable();
        for attribute in &proto.attribute {
            let name = attribute.name();
            if matches!(attribute.r#type(), AttributeType::Graph | AttributeType::Graphs)
                || attribute.g.is_some()
                || !attribute.graphs.is_empty()
            {
                return Err(NodeError::Subgraph(name.to_owned()));
            }
            let twice = names.partition_point(|&other| other <= name)
                - names.partition_point(|&other| other < name)
                > 1;
            if twice || !attribute.ref_attr_name().is_empty() {
                return Err(NodeError::AttributeForm(name.to_owned()));
            }
        }
        Ok(Self { proto, opset, inputs })
    }

    /// Checks that the node has between `least` and `most` inputs, the first `least` present.
    pub(crate) fn arity(&self, least: usize, most: usize) -> Result<(), NodeError> {
        if self.inputs.len() > most {
            return Err(NodeError::Arity);
        }
        (0..least).try_for_each(|index| self.input(index).map(drop))
    }

    pub(crate) const fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// The type of an input that must be there.
    pub(crate) fn input(&self, index: usize) -> Result<DType, NodeError> {
        self.optional_input(index).ok_or(NodeError::InputMissing(index))
    }

    /// The type of an input that may be left out.
    pub(crate) fn optional_input(&self, index: usize) -> Option<DType> {
        self.inputs.get(index).copied().flatten()
    }

    /// The type of an input that must be one of `allowed`.
    pub(crate) fn input_of(&self, index: usize, allowed: &[DType]) -> Result<DType, NodeError> {
        let dtype = self.input(index)?;
        if allowed.contains(&dtype) { Ok(dtype) } else { Err(NodeError::InputType { input: index, dtype }) }
    }

    /// The type of a numeric input.
    pub(crate) fn number(&self, index: usize) -> Result<DType, NodeError> {
        self.input_of(index, &[DType::F32, DType::F64, DType::I64, DType::I32])
    }

    /// Checks that an input, if there, holds integers: axes, sizes, indices.
    pub(crate) fn integers(&self, index: usize) -> Result<(), NodeError> {
        match self.optional_input(index) {
            None | Some(DType::I64 | DType::I32) => Ok(()),
            Some(dtype) => Err(NodeError::InputType { input: index, dtype }),
        }
    }

    fn attribute(&self, name: &'static str) -> Option<&'m AttributeProto> {
        self.proto.attribute.iter().find(|attribute| attribute.name() == name)
    }

    fn typed(
        &self,
        name: &'static str,
        wanted: AttributeType,
        label: &'static str,
    ) -> Result<Option<&'m AttributeProto>, NodeError> {
        match self.attribute(name) {
            Some(attribute) if attribute.r#type() != wanted => {
                Err(NodeError::AttributeType { name: name.to_owned(), wanted: label })
            }
            found => Ok(found),
        }
    }

    pub(crate) fn has(&self, name: &'static str) -> bool {
        self.attribute(name).is_some()
    }

    pub(crate) fn float(&self, name: &'static str) -> Result<Option<f32>, NodeError> {
        Ok(self.typed(name, AttributeType::Float, "float")?.map(AttributeProto::f))
    }

    pub(crate) fn int(&self, name: &'static str) -> Result<Option<i64>, NodeError> {
        Ok(self.typed(name, AttributeType::Int, "int")?.map(AttributeProto::i))
    }

    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, NodeError> {
        Ok(self.int(name)?.map_or(default, |value| value != 0))
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&'m str>, NodeError> {
        let Some(attribute) = self.typed(name, AttributeType::String, "string")? else { return Ok(None) };
        std::str::from_utf8(attribute.s())
            .map(Some)
            .map_err(|_| NodeError::AttributeValue { name, problem: "is not UTF-8" })
    }

    pub(crate) fn floats(&self, name: &'static str) -> Result<&'m [f32], NodeError> {
        Ok(self.typed(name, AttributeType::Floats, "floats")?.map_or(&[], |found| &found.floats))
    }

    pub(crate) fn ints(&self, name: &'static str) -> Result<&'m [i64], NodeError> {
        Ok(self.typed(name, AttributeType::Ints, "ints")?.map_or(&[], |found| &found.ints))
    }

    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<Arc<str>>, NodeError> {
        let Some(attribute) = self.typed(name, AttributeType::Strings, "strings")? else {
            return Ok(Vec::new());
        };
        attribute
            .strings
            .iter()
            .map(|bytes| constant::text(bytes))
            .collect::<Result<_, _>>()
            .map_err(|_| NodeError::AttributeValue { name, problem: "is not UTF-8" })
    }

    /// The raw strings of an attribute: for long lists of keywords.
    pub(crate) fn keywords(&self, name: &'static str) -> Result<&'m [Vec<u8>], NodeError> {
        Ok(self.typed(name, AttributeType::Strings, "strings")?.map_or(&[], |found| &found.strings))
    }

    pub(crate) fn tensor(&self, name: &'static str) -> Result<Option<Tensor>, NodeError> {
        let Some(attribute) = self.typed(name, AttributeType::Tensor, "tensor")? else { return Ok(None) };
        let proto = attribute.t.as_ref().ok_or(NodeError::AttributeMissing(name))?;
        constant::tensor(proto).map(Some).map_err(|reason| NodeError::AttributeTensor { name, reason })
    }

    /// The stored tensor of an attribute, unread: for element types that no value may have.
    pub(crate) fn raw_tensor(
        &self,
        name: &'static str,
    ) -> Result<Option<&'m mainstay_onnx::TensorProto>, NodeError> {
        Ok(self.typed(name, AttributeType::Tensor, "tensor")?.and_then(|found| found.t.as_ref()))
    }
}
