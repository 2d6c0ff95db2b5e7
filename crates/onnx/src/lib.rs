//! The ONNX message types: generated once, checked in, shared by the trainer and the evaluator.
//!
//! The types mirror `onnx-ml.proto` of the [ONNX specification][spec], release 1.23.2: a file is a
//! [`ModelProto`]; its graph is a flat list of [`NodeProto`] over named values. The schema is
//! proto2, so scalar fields are `Option`s; enumerations are stored as `i32` and read through their
//! accessor (for example [`AttributeProto::r#type`]).
//!
//! Decoding bounds its recursion (prost stops at 100 nested messages) and allocates no more than
//! a small multiple of the input's length; judging what the message *says* is the reader's duty.
//!
//! # Regenerating
//!
//! The generator is not part of the build, so nobody needs `protoc`. In a scratch crate that
//! depends on `prost-build` 0.14 (feature `format`) and `protox` 0.9, with `onnx-ml.proto` taken
//! from the `onnx` Python package:
//!
//! ```text
//! let set = protox::compile(["onnx-ml.proto"], ["DIRECTORY-OF-THE-PROTO"])?;
//! prost_build::Config::new().disable_comments(["."]).out_dir("OUT").compile_fds(set)?;
//! ```
//!
//! Replace the body of `src/generated.rs` below its header by `OUT/onnx.rs` and change the release
//! named in both files.
//!
//! [spec]: https://github.com/onnx/onnx/blob/main/docs/IR.md

#[expect(missing_docs, clippy::pedantic, reason = "generated: the field meanings are those of onnx-ml.proto")]
mod generated;

pub use generated::*;
pub use prost::Message;
