//! From a parsed model file to a plan.

use std::collections::HashMap;

use mainstay_onnx::{GraphProto, ModelProto, NodeProto};

use crate::constant;
use crate::error::{KernelError, LoadError, NodeError, RunError, SignatureError};
use crate::graph;
use crate::kernel::{Inputs, Operand, Outputs, Values, Workspace};
use crate::limits::{Budget, Limits};
use crate::model::{Metadata, Model, Scratch};
use crate::node::{Built, Node};
use crate::ops;
use crate::plan::{Plan, Step};
use crate::signature::{self, TensorSpec};
use crate::tensor::{DType, Tensor};

/// A trial with inputs larger than this is not worth its time.
const TRIAL_ELEMENTS: usize = 1 << 20;

/// Checks and compiles a model.
pub(crate) fn compile(proto: &ModelProto, limits: &Limits) -> Result<Model, LoadError> {
    let graph = proto.graph.as_ref().ok_or(LoadError::NoGraph)?;
    refuse_features(proto, graph)?;
    if graph.node.len() > limits.max_nodes {
        return Err(LoadError::TooManyNodes { nodes: graph.node.len(), limit: limits.max_nodes });
    }
    let metadata = metadata(proto, graph);
    let mut compiler = Compiler {
        opsets: &metadata.opsets,
        plan: Plan::default(),
        values: HashMap::new(),
        budget: Budget::new(limits),
        workspace: Workspace::default(),
    };
    compiler.constants(graph)?;
    let inputs = compiler.inputs(graph)?;
    let order = graph::order(&graph.node, |name| compiler.values.contains_key(name))?;
    for index in order {
        if let Some(node) = graph.node.get(index) {
            compiler.node(node, index)?;
        }
    }
    let (outputs, results) = compiler.outputs(graph)?;
    if inputs.is_empty() || outputs.is_empty() {
        return Err(LoadError::Signature { value: metadata.graph, reason: SignatureError::Missing });
    }
    let plan = compiler.plan;
    let mut model = Model { plan, inputs, outputs, results, metadata, limits: *limits };
    let one = trial(&model, 1)?;
    let two = if model.inputs.iter().any(TensorSpec::has_rows) { trial(&model, 2)? } else { None };
    if let Some(one) = one {
        adopt_shapes(&mut model.outputs, &one, two.as_deref());
    }
    Ok(model)
}

fn refuse_features(proto: &ModelProto, graph: &GraphProto) -> Result<(), LoadError> {
    let features = [
        (!proto.functions.is_empty(), "functions of its own"),
        (!proto.training_info.is_empty(), "training information"),
        (!graph.sparse_initializer.is_empty(), "sparse tensors"),
    ];
    features.iter().find(|(used, _)| *used).map_or(Ok(()), |(_, what)| Err(LoadError::Feature(what)))
}

fn metadata(proto: &ModelProto, graph: &GraphProto) -> Metadata {
    let mut opsets: Vec<(String, i64)> = Vec::new();
    for opset in &proto.opset_import {
        let domain = ops::domain_name(opset.domain());
        match opsets.iter_mut().find(|(known, _)| known == domain) {
            Some((_, version)) => *version = (*version).max(opset.version()),
            None => opsets.push((domain.to_owned(), opset.version())),
        }
    }
    Metadata {
        producer: proto.producer_name().to_owned(),
        producer_version: proto.producer_version().to_owned(),
        model_version: proto.model_version(),
        description: proto.doc_string().to_owned(),
        graph: graph.name().to_owned(),
        opsets,
        properties: proto
            .metadata_props
            .iter()
            .map(|entry| (entry.key().to_owned(), entry.value().to_owned()))
            .collect(),
    }
}

/// The state of a compilation.
struct Compiler<'m> {
    opsets: &'m [(String, i64)],
    plan: Plan,
    /// What each name stands for.
    values: HashMap<&'m str, (Operand, DType)>,
    /// What may still be spent on computing constants.
    budget: Budget,
    workspace: Workspace,
}

impl<'m> Compiler<'m> {
    fn constants(&mut self, graph: &'m GraphProto) -> Result<(), LoadError> {
        for proto in &graph.initializer {
            let tensor = constant::tensor(proto)
                .map_err(|reason| LoadError::Constant { tensor: proto.name().to_owned(), reason })?;
            self.define_constant(proto.name(), tensor);
        }
        Ok(())
    }

    fn define_constant(&mut self, name: &'m str, tensor: Tensor) {
        let operand = Operand::Constant(self.plan.constants.len());
        self.values.insert(name, (operand, tensor.dtype()));
        self.plan.constants.push(tensor);
    }

    fn inputs(&mut self, graph: &'m GraphProto) -> Result<Vec<TensorSpec>, LoadError> {
        let mut specs = Vec::new();
        for value in &graph.input {
            match self.values.get(value.name()) {
                // Before IR version 4 every initializer was listed as an input too.
                Some((Operand::Constant(_), _)) => continue,
                Some(_) => return Err(unservable(value.name(), SignatureError::Duplicate)),
                None => {}
            }
            let spec = TensorSpec::input(value).map_err(|reason| unservable(value.name(), reason))?;
            self.values.insert(value.name(), (Operand::Request(specs.len()), spec.dtype));
            specs.push(spec);
        }
        Ok(specs)
    }

    fn outputs(&self, graph: &GraphProto) -> Result<(Vec<TensorSpec>, Vec<Operand>), LoadError> {
        let mut specs: Vec<TensorSpec> = Vec::new();
        let mut results = Vec::new();
        for value in &graph.output {
            let name = value.name();
            let &(operand, dtype) =
                self.values.get(name).ok_or_else(|| unservable(name, SignatureError::Undefined))?;
            if specs.iter().any(|spec| spec.name == name) {
                return Err(unservable(name, SignatureError::Duplicate));
            }
            let shape = signature::dims(value).map_err(|reason| unservable(name, reason))?;
            specs.push(TensorSpec { name: name.to_owned(), dtype, shape: shape.unwrap_or_default() });
            results.push(operand);
        }
        Ok((specs, results))
    }

    fn node(&mut self, proto: &'m NodeProto, index: usize) -> Result<(), LoadError> {
        let wrong = |reason| graph::wrong(proto, index, reason);
        let mut operands = Vec::with_capacity(proto.input.len());
        let mut types = Vec::with_capacity(proto.input.len());
        for name in &proto.input {
            if name.is_empty() {
                operands.push(Operand::Absent);
                types.push(None);
            } else {
                let &(operand, dtype) = self
                    .values
                    .get(name.as_str())
                    .ok_or_else(|| wrong(NodeError::Undefined(name.clone())))?;
                operands.push(operand);
                types.push(Some(dtype));
            }
        }
        let domain = ops::domain_name(proto.domain());
        let version =
            self.opsets.iter().find(|(known, _)| known == domain).map_or(0, |(_, version)| *version);
        let unknown = || LoadError::UnknownOperator {
            domain: domain.to_owned(),
            op: proto.op_type().to_owned(),
            node: graph::label(proto, index),
        };
        let newest = ops::newest_opset(domain).ok_or_else(unknown)?;
        if version < 1 || version > newest {
            return Err(LoadError::Opset { domain: domain.to_owned(), version, newest });
        }
        let node = Node::new(proto, version, types).map_err(wrong)?;
        let built = ops::build(domain, proto.op_type(), &node).ok_or_else(unknown)?.map_err(wrong)?;
        if proto.output.len() > built.outputs.len() {
            return Err(wrong(NodeError::Arity));
        }
        if operands.iter().all(|operand| matches!(operand, Operand::Constant(_) | Operand::Absent)) {
            self.fold(proto, &operands, &built).map_err(|reason| wrong(NodeError::Fold(reason)))
        } else {
            self.push(proto, index, &operands, built);
            Ok(())
        }
    }

    /// Computes a node over constants now.
    fn fold(&mut self, proto: &'m NodeProto, operands: &[Operand], built: &Built) -> Result<(), KernelError> {
        let values = Values { request: &[], constants: &self.plan.constants, slots: &[] };
        let mut tensors = vec![Tensor::empty(); built.outputs.len()];
        let mut outputs =
            Outputs { tensors: &mut tensors, budget: &mut self.budget, workspace: &mut self.workspace };
        built.kernel.run(&Inputs { operands, values }, &mut outputs)?;
        for (name, tensor) in proto.output.iter().zip(tensors) {
            self.define_constant(name, tensor);
        }
        Ok(())
    }

    fn push(&mut self, proto: &'m NodeProto, index: usize, operands: &[Operand], built: Built) {
        let first = self.plan.operands.len();
        self.plan.operands.extend_from_slice(operands);
        let slots = self.plan.slots..self.plan.slots + built.outputs.len();
        for ((name, slot), dtype) in proto.output.iter().zip(slots.clone()).zip(built.outputs) {
            self.values.insert(name, (Operand::Slot(slot), dtype));
        }
        self.plan.slots = slots.end;
        self.plan.steps.push(Step {
            kernel: built.kernel,
            operands: first..self.plan.operands.len(),
            slots,
            label: graph::label(proto, index),
            op: proto.op_type().to_owned(),
        });
    }
}

fn unservable(value: &str, reason: SignatureError) -> LoadError {
    LoadError::Signature { value: value.to_owned(), reason }
}

/// The outputs' shapes for `rows` blank rows; none if the inputs have open dimensions besides the
/// rows, or if a blank value is refused, which says nothing about real ones.
fn trial(model: &Model, rows: usize) -> Result<Option<Vec<Vec<usize>>>, LoadError> {
    let blanks: Option<Vec<Tensor>> =
        model.inputs.iter().map(|spec| spec.blank(rows, TRIAL_ELEMENTS)).collect();
    let Some(blanks) = blanks else { return Ok(None) };
    let request: Vec<&Tensor> = blanks.iter().collect();
    match model.run_ordered(&request, &mut Scratch::default()) {
        Ok(results) => Ok(Some(results.iter().map(|(_, tensor)| tensor.shape().dims().to_vec()).collect())),
        Err(RunError::Node { node, op, reason }) if !matches!(reason, KernelError::Value(_)) => {
            Err(LoadError::Trial { node, op, reason })
        }
        Err(_) => Ok(None),
    }
}

/// Gives the outputs the shapes seen in the trials: what is the same for one and for two rows is fixed.
fn adopt_shapes(outputs: &mut [TensorSpec], one: &[Vec<usize>], two: Option<&[Vec<usize>]>) {
    for (index, (spec, seen)) in outputs.iter_mut().zip(one).enumerate() {
        let again = two.map_or(Some(seen), |two| two.get(index));
        spec.shape = match again {
            Some(again) if again.len() == seen.len() => {
                seen.iter().zip(again).map(|(a, b)| (a == b).then_some(*a)).collect()
            }
            _ => vec![None; seen.len()],
        };
    }
}
