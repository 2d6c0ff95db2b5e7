//! The native evaluator for tabular ONNX graphs: no library to install, no Python, microseconds a row.
//!
//! [`Model::load`] parses, checks and compiles a model file; [`Model::run`] evaluates it. A loaded
//! model is immutable and shared by threads; each thread brings its own [`Scratch`], whose memory is
//! used again from run to run.
//!
//! ```no_run
//! use mainstay_inference::{Data, Limits, Model, Scratch, Tensor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Model::load(&std::fs::read("model.onnx")?, &Limits::default())?;
//! let row = Tensor::new(&[1, 3], Data::F32(vec![0.5, f32::NAN, 2.0]))?;
//! for (name, tensor) in model.run(&[("X", row)], &mut Scratch::default())? {
//!     println!("{name} {:?}", tensor.data());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it evaluates
//!
//! The operators that scikit-learn's tree, linear, scaler, imputer and encoder pipelines use in
//! skl2onnx exports, gradient boosting of LightGBM and XGBoost, and Mainstay's own trainer; the list
//! is in `ops::build`. Anything else is refused when the model is loaded, with a sentence that
//! names the operator. Semantics are those of the ONNX operator specifications
//! (<https://onnx.ai/onnx/operators/>); where these are vague (scores of binary tree classifiers,
//! order of summation) those of ONNX Runtime's CPU kernels, which the tests compare with. One
//! departure: `ZipMap` yields the plain probabilities tensor, one column per class in the order of
//! its labels, instead of a sequence of maps.
//!
//! # Adding an operator
//!
//! Write a `Kernel` and its builder in `ops` (or `ml` for the domain `ai.onnx.ml`), add a line to
//! the table in that module's `build`, and a model that uses it to `tests/reference/make_models.py`.

mod constant;
mod error;
mod graph;
mod kernel;
mod limits;
mod load;
mod lookup;
mod ml;
mod model;
mod node;
mod ops;
mod plan;
mod signature;
mod tensor;
mod trees;

pub use error::{ConstantError, KernelError, LoadError, NodeError, RunError, SignatureError};
pub use limits::Limits;
pub use model::{Metadata, Model, Scratch};
pub use signature::TensorSpec;
pub use tensor::{DType, Data, MAX_RANK, Shape, Tensor, TensorError};
