//! What models gave, as scores for the record and as tensors for the answer.

use std::sync::Arc;

use mainstay_api::oip::tensor::{Data, Tensor};
use mainstay_inference as inference;
use mainstay_serving::record::{ArmFailure, ArmRole};
use mainstay_serving::revision::Pinned;

/// How one version scored a request.
#[derive(Debug)]
pub(super) struct Scored {
    /// Which.
    pub(super) pinned: Pinned,
    /// In what part.
    pub(super) role: ArmRole,
    /// How long it took for all rows, in microseconds.
    pub(super) latency_micros: u32,
    /// Its outputs, or why there are none.
    pub(super) outputs: Result<Vec<(String, inference::Tensor)>, ArmFailure>,
}

/// The scores of one row, for the record: its part of the first output of floats (probabilities, or a
/// regression's estimate), or of the first one of numbers if there is none (labels).
pub(super) fn scores(outputs: &[(String, inference::Tensor)], row: usize, rows: usize) -> Vec<f64> {
    let of =
        |dtypes: &[inference::DType]| outputs.iter().find(|(_, tensor)| dtypes.contains(&tensor.dtype()));
    let found = of(&[inference::DType::F32, inference::DType::F64])
        .or_else(|| of(&[inference::DType::I64, inference::DType::I32, inference::DType::Bool]));
    let Some((_, tensor)) = found else { return Vec::new() };
    match tensor.data() {
        inference::Data::F32(all) => part(all, row, rows).iter().map(|v| f64::from(*v)).collect(),
        inference::Data::F64(all) => part(all, row, rows).to_vec(),
        inference::Data::I64(all) => part(all, row, rows).iter().map(|v| *v as f64).collect(),
        inference::Data::I32(all) => part(all, row, rows).iter().map(|v| f64::from(*v)).collect(),
        inference::Data::Bool(all) => part(all, row, rows).iter().map(|v| f64::from(u8::from(*v))).collect(),
        inference::Data::Str(_) => Vec::new(),
    }
}

/// One row's part of row-major data; empty if the data is not made of rows.
fn part<T>(all: &[T], row: usize, rows: usize) -> &[T] {
    let width = all.len().checked_div(rows).unwrap_or_default();
    all.get(row * width..(row + 1) * width).unwrap_or_default()
}

/// The outputs that answer: row `i` comes from `scored[answering[i]]`. `None` if rows come from versions
/// whose outputs differ in name, type or width.
pub(super) fn answer(mut scored: Vec<Scored>, answering: &[usize]) -> Option<Vec<Tensor>> {
    let first = *answering.first()?;
    if answering.iter().all(|arm| *arm == first) {
        let outputs = scored.get_mut(first)?.outputs.as_mut().ok()?;
        return Some(outputs.drain(..).map(|(name, tensor)| whole(name, tensor)).collect());
    }
    let (_, contract) = (first, scored.get(first)?.outputs.as_ref().ok()?);
    let mut mixed = Vec::with_capacity(contract.len());
    for (index, (name, like)) in contract.iter().enumerate() {
        let mut data = empty(like.data());
        for (row, arm) in answering.iter().enumerate() {
            let (other, tensor) = scored.get(*arm)?.outputs.as_ref().ok()?.get(index)?;
            let same = other == name && tensor.shape() == like.shape();
            if !same || !append(&mut data, tensor.data(), row, answering.len()) {
                return None;
            }
        }
        mixed.push(Tensor { name: name.clone(), shape: like.shape().dims().into(), data });
    }
    Some(mixed)
}

fn whole(name: String, tensor: inference::Tensor) -> Tensor {
    let shape = tensor.shape().dims().into();
    let data = match tensor.into_data() {
        inference::Data::F32(all) => Data::F32(all),
        inference::Data::F64(all) => Data::F64(all),
        inference::Data::I64(all) => Data::I64(all),
        inference::Data::I32(all) => Data::I32(all),
        inference::Data::Bool(all) => Data::Bool(all),
        inference::Data::Str(all) => Data::Text(all),
    };
    Tensor { name, shape, data }
}

const fn empty(like: &inference::Data) -> Data {
    match like {
        inference::Data::F32(_) => Data::F32(Vec::new()),
        inference::Data::F64(_) => Data::F64(Vec::new()),
        inference::Data::I64(_) => Data::I64(Vec::new()),
        inference::Data::I32(_) => Data::I32(Vec::new()),
        inference::Data::Bool(_) => Data::Bool(Vec::new()),
        inference::Data::Str(_) => Data::Text(Vec::new()),
    }
}

/// Appends one row's part; `false` if the types differ.
fn append(into: &mut Data, from: &inference::Data, row: usize, rows: usize) -> bool {
    match (into, from) {
        (Data::F32(into), inference::Data::F32(from)) => into.extend_from_slice(part(from, row, rows)),
        (Data::F64(into), inference::Data::F64(from)) => into.extend_from_slice(part(from, row, rows)),
        (Data::I64(into), inference::Data::I64(from)) => into.extend_from_slice(part(from, row, rows)),
        (Data::I32(into), inference::Data::I32(from)) => into.extend_from_slice(part(from, row, rows)),
        (Data::Bool(into), inference::Data::Bool(from)) => into.extend_from_slice(part(from, row, rows)),
        (Data::Text(into), inference::Data::Str(from)) => {
            into.extend(part(from, row, rows).iter().map(Arc::clone));
        }
        _ => return false,
    }
    true
}
