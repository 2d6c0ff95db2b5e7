//! A loaded model and its runs.

use mainstay_onnx::ModelProto;

use crate::error::{KernelError, LoadError, RunError};
use crate::kernel::{Operand, Values, Workspace};
use crate::limits::{Budget, Limits};
use crate::plan::Plan;
use crate::signature::TensorSpec;
use crate::tensor::Tensor;

/// A run that used more elements than this gives its memory back.
const RETAINED_ELEMENTS: usize = 1 << 20;

/// What a model file says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The program that wrote the file.
    pub producer: String,
    /// That program's version.
    pub producer_version: String,
    /// The version that its author gave it.
    pub model_version: i64,
    /// What its author wrote about it.
    pub description: String,
    /// The graph's name.
    pub graph: String,
    /// Each operator set's domain (`ai.onnx` is the default one) and version.
    pub opsets: Vec<(String, i64)>,
    /// Keys and values of the file's `metadata_props`.
    pub properties: Vec<(String, String)>,
}

/// A model that was checked and compiled. Immutable; shared by threads.
#[derive(Debug)]
pub struct Model {
    pub(crate) plan: Plan,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) results: Vec<Operand>,
    pub(crate) metadata: Metadata,
    pub(crate) limits: Limits,
}

/// Working memory of runs, one per thread. It serves any model, and fits itself to the last one.
#[derive(Debug, Default)]
pub struct Scratch {
    slots: Vec<Tensor>,
    workspace: Workspace,
}

impl Model {
    /// Parses, checks and compiles a model file.
    ///
    /// Memory and time are bounded by `limits` and the length of `bytes`; constant parts of the graph
    /// are computed now, and the whole graph once on blank rows, so that shapes that don't fit are
    /// found here and not in the first request.
    pub fn load(bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        if bytes.len() > limits.max_bytes {
            return Err(LoadError::TooLarge { bytes: bytes.len(), limit: limits.max_bytes });
        }
        let proto: ModelProto = prost::Message::decode(bytes).map_err(LoadError::Malformed)?;
        crate::load::compile(&proto, limits)
    }

    /// The inputs, in the file's order.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The outputs, in the file's order.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// What the file says about itself.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Evaluates the model on named inputs, in any order, and gives the outputs in the order of
    /// [`Model::outputs`].
    pub fn run<N: AsRef<str>>(
        &self,
        inputs: &[(N, Tensor)],
        scratch: &mut Scratch,
    ) -> Result<Vec<(&str, Tensor)>, RunError> {
        let mut request: Vec<Option<&Tensor>> = vec![None; self.inputs.len()];
        for (name, tensor) in inputs {
            let name = name.as_ref();
            let place = self.inputs.iter().position(|spec| spec.name == name);
            let place = place
                .and_then(|index| request.get_mut(index))
                .ok_or_else(|| RunError::UnknownInput { name: name.to_owned(), needed: self.needed() })?;
            if place.replace(tensor).is_some() {
                return Err(RunError::DuplicateInput { name: name.to_owned() });
            }
        }
        let request = request
            .into_iter()
            .zip(&self.inputs)
            .map(|(tensor, spec)| {
                tensor
                    .ok_or_else(|| RunError::MissingInput { name: spec.name.clone(), needed: self.needed() })
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.run_ordered(&request, scratch)
    }

    /// As [`Model::run`], with one tensor for each of [`Model::inputs`], in that order.
    pub fn run_ordered(
        &self,
        inputs: &[&Tensor],
        scratch: &mut Scratch,
    ) -> Result<Vec<(&str, Tensor)>, RunError> {
        self.check(inputs)?;
        let mut budget = Budget::new(&self.limits);
        if scratch.slots.len() < self.plan.slots {
            scratch.slots.resize(self.plan.slots, Tensor::empty());
        }
        let outcome = self.plan.run(inputs, &mut scratch.slots, &mut scratch.workspace, &mut budget);
        let values = Values { request: inputs, constants: &self.plan.constants, slots: &scratch.slots };
        let results = match outcome {
            Ok(()) => self.collect(values),
            Err(failed) => Err(RunError::Node {
                node: failed.step.label.clone(),
                op: failed.step.op.clone(),
                reason: failed.reason,
            }),
        };
        if self.limits.max_elements - budget.elements_left() > RETAINED_ELEMENTS {
            *scratch = Scratch::default();
        }
        results
    }

    fn collect(&self, values: Values<'_>) -> Result<Vec<(&str, Tensor)>, RunError> {
        let results = self.outputs.iter().zip(&self.results).map(|(spec, &operand)| {
            let tensor = values.get(operand).cloned().ok_or_else(|| RunError::Node {
                node: spec.name.clone(),
                op: "output".to_owned(),
                reason: KernelError::Operand,
            })?;
            Ok((spec.name.as_str(), tensor))
        });
        results.collect()
    }

    fn check(&self, inputs: &[&Tensor]) -> Result<(), RunError> {
        if let Some(missing) = self.inputs.get(inputs.len()) {
            return Err(RunError::MissingInput { name: missing.name.clone(), needed: self.needed() });
        }
        if inputs.len() > self.inputs.len() {
            return Err(RunError::UnknownInput {
                name: format!("#{}", self.inputs.len()),
                needed: self.needed(),
            });
        }
        let mut rows = None;
        for (tensor, spec) in inputs.iter().zip(&self.inputs) {
            if tensor.dtype() != spec.dtype {
                return Err(RunError::WrongType {
                    name: spec.name.clone(),
                    wanted: spec.dtype,
                    given: tensor.dtype(),
                });
            }
            if !spec.admits(tensor.shape()) {
                return Err(RunError::WrongShape {
                    name: spec.name.clone(),
                    wanted: spec.shape_text(),
                    given: *tensor.shape(),
                });
            }
            if tensor.data().is_empty() {
                return Err(RunError::Empty { name: spec.name.clone() });
            }
            if spec.has_rows() {
                let given = tensor.shape().dims().first().copied().unwrap_or_default();
                let rows = *rows.get_or_insert(given);
                if rows != given {
                    return Err(RunError::RowCount { name: spec.name.clone(), rows, given });
                }
            }
        }
        Ok(())
    }

    fn needed(&self) -> String {
        let names: Vec<&str> = self.inputs.iter().map(|spec| spec.name.as_str()).take(50).collect();
        names.join(", ")
    }
}
