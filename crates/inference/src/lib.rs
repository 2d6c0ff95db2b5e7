//! Model runtimes behind one port: the native evaluator for tabular ONNX graphs.
