//! The embedded trainer and its ONNX export.
