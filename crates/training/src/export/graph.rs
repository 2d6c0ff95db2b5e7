//! A small builder of ONNX graphs: nodes in order, each with one output.

use mainstay_onnx::attribute_proto::AttributeType;
use mainstay_onnx::tensor_proto::DataType;
use mainstay_onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};

use super::{IR_VERSION, ML_OPSET, OPSET};

/// Element type of a graph's input or output.
#[derive(Clone, Copy)]
pub(super) enum Element {
    Float,
    Int64,
    String,
}

/// A graph under construction.
#[derive(Default)]
pub(super) struct Graph {
    proto: GraphProto,
}

/// Attributes of the node just added.
pub(super) struct Attributes<'a>(&'a mut NodeProto);

impl Graph {
    /// Adds a graph input of shape [N] or [N, width].
    pub(super) fn input(&mut self, name: &str, element: Element, width: Option<i64>) {
        self.proto.input.push(value_info(name, element, width));
    }

    /// Adds a graph output of shape [N] or [N, width].
    pub(super) fn output(&mut self, name: &str, element: Element, width: Option<i64>) {
        self.proto.output.push(value_info(name, element, width));
    }

    /// Adds a constant of shape [1].
    pub(super) fn scalar(&mut self, name: &str, value: f32) {
        self.proto.initializer.push(TensorProto {
            name: Some(name.to_owned()),
            data_type: Some(DataType::Float as i32),
            dims: vec![1],
            float_data: vec![value],
            ..TensorProto::default()
        });
    }

    /// Adds a node of `ai.onnx`.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], output: &str) -> Attributes<'_> {
        self.add(operator, "", inputs, output)
    }

    /// Adds a node of `ai.onnx.ml`.
    pub(super) fn ml_node(&mut self, operator: &str, inputs: &[&str], output: &str) -> Attributes<'_> {
        self.add(operator, "ai.onnx.ml", inputs, output)
    }

    fn add(&mut self, operator: &str, domain: &str, inputs: &[&str], output: &str) -> Attributes<'_> {
        Attributes(self.proto.node.push_mut(NodeProto {
            name: Some(format!("{operator} {output}")),
            op_type: Some(operator.to_owned()),
            domain: Some(domain.to_owned()),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }))
    }

    /// The finished model.
    pub(super) fn into_model(self) -> ModelProto {
        let opset = |domain: &str, version| OperatorSetIdProto {
            domain: Some(domain.to_owned()),
            version: Some(version),
        };
        ModelProto {
            ir_version: Some(IR_VERSION),
            opset_import: vec![opset("", OPSET), opset("ai.onnx.ml", ML_OPSET)],
            producer_name: Some("mainstay".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(GraphProto { name: Some("mainstay".to_owned()), ..self.proto }),
            ..ModelProto::default()
        }
    }
}

impl Attributes<'_> {
    pub(super) fn int(self, name: &str, value: i64) -> Self {
        self.push(AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) })
    }

    pub(super) fn float(self, name: &str, value: f32) -> Self {
        self.push(AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) })
    }

    pub(super) fn ints(self, name: &str, values: Vec<i64>) -> Self {
        self.push(AttributeProto { ints: values, ..attribute(name, AttributeType::Ints) })
    }

    pub(super) fn floats(self, name: &str, values: Vec<f32>) -> Self {
        self.push(AttributeProto { floats: values, ..attribute(name, AttributeType::Floats) })
    }

    pub(super) fn strings<'s>(self, name: &str, values: impl IntoIterator<Item = &'s str>) -> Self {
        let strings = values.into_iter().map(|value| value.as_bytes().to_vec()).collect();
        self.push(AttributeProto { strings, ..attribute(name, AttributeType::Strings) })
    }

    fn push(self, attribute: AttributeProto) -> Self {
        self.0.attribute.push(attribute);
        self
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(kind as i32), ..AttributeProto::default() }
}

fn value_info(name: &str, element: Element, width: Option<i64>) -> ValueInfoProto {
    use tensor_shape_proto::Dimension;
    use tensor_shape_proto::dimension::Value;
    let dimension = |value| Dimension { value: Some(value), ..Dimension::default() };
    let mut dim = vec![dimension(Value::DimParam("N".to_owned()))];
    dim.extend(width.map(|width| dimension(Value::DimValue(width))));
    let element = match element {
        Element::Float => DataType::Float,
        Element::Int64 => DataType::Int64,
        Element::String => DataType::String,
    };
    let tensor =
        type_proto::Tensor { elem_type: Some(element as i32), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
