//! One test binary: comparison with ONNX Runtime, hostile files, the request's schema, mutated bytes.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod schema;
