//! The trained model as an ONNX graph that carries its preprocessing and calibration.
//!
//! Interface: one input a feature, shape [N, 1], `float` for numbers (NaN = missing) and `string`
//! for categories (empty = missing, unknown = the category of all others). Outputs: `label` int64
//! [N] and `probabilities` float [N, 2] for classification (columns: class 0, class 1), `variable`
//! float [N, 1] for regression. Operators: opset 17 of `ai.onnx` and opset 3 of `ai.onnx.ml`; only
//! operators that ONNX Runtime and Mainstay's own evaluator know.
//!
//! Source: the ONNX operator specifications, <https://onnx.ai/onnx/operators/>.

mod graph;
mod linear;
mod trees;

use mainstay_onnx::Message;

use crate::calibration::Platt;
use crate::dataset::Task;
use crate::encoding::{Encoding, FeatureKind};
use crate::ensemble::Ensemble;
use crate::linear::LinearModel;
use graph::{Element, Graph};

/// Version of the `ai.onnx` operators.
pub const OPSET: i64 = 17;
/// Version of the `ai.onnx.ml` operators.
pub const ML_OPSET: i64 = 3;
/// Version of the file format; the one that came with [`OPSET`].
const IR_VERSION: i64 = 8;

const MARGIN: &str = "mainstay.margin";

/// What computes the margin.
pub(crate) enum Scorer<'a> {
    Linear(&'a LinearModel),
    Trees(&'a Ensemble),
}

/// Encodes the model; equal arguments give equal bytes.
pub(crate) fn to_onnx(
    encoding: &Encoding,
    scorer: &Scorer<'_>,
    calibration: Option<Platt>,
    task: Task,
) -> Vec<u8> {
    let mut graph = Graph::default();
    for feature in &encoding.features {
        let element = match feature.kind {
            FeatureKind::Numeric { .. } => Element::Float,
            FeatureKind::Categorical { .. } => Element::String,
        };
        graph.input(&feature.name, element, Some(1));
    }
    let margin = match task {
        Task::BinaryClassification => MARGIN,
        Task::Regression => "variable",
    };
    match scorer {
        Scorer::Linear(model) => linear::add(&mut graph, encoding, model, margin),
        Scorer::Trees(ensemble) => trees::add(&mut graph, encoding, ensemble, margin),
    }
    match task {
        Task::BinaryClassification => {
            let calibration = calibration.unwrap_or(Platt { slope: 1.0, intercept: 0.0 });
            add_probabilities(&mut graph, calibration);
        }
        Task::Regression => graph.output("variable", Element::Float, Some(1)),
    }
    graph.into_model().encode_to_vec()
}

/// probabilities = [1 − p, p] with p = σ(slope · margin + intercept); label = the likelier class, 0 if equal.
fn add_probabilities(graph: &mut Graph, calibration: Platt) {
    #[expect(clippy::cast_possible_truncation, reason = "the graph computes in f32")]
    let (slope, intercept) = (calibration.slope as f32, calibration.intercept as f32);
    graph.scalar("mainstay.slope", slope);
    graph.scalar("mainstay.intercept", intercept);
    graph.scalar("mainstay.one", 1.0);
    graph.node("Mul", &[MARGIN, "mainstay.slope"], "mainstay.scaled");
    graph.node("Add", &["mainstay.scaled", "mainstay.intercept"], "mainstay.logit");
    graph.node("Sigmoid", &["mainstay.logit"], "mainstay.p1");
    graph.node("Sub", &["mainstay.one", "mainstay.p1"], "mainstay.p0");
    graph.node("Concat", &["mainstay.p0", "mainstay.p1"], "probabilities").int("axis", 1);
    graph.node("ArgMax", &["probabilities"], "label").int("axis", 1).int("keepdims", 0);
    graph.output("label", Element::Int64, None);
    graph.output("probabilities", Element::Float, Some(2));
}
