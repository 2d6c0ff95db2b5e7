//! Two scalar functions that pack: the only functions of ours inside a plan.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, BinaryBuilder};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::scalar::ScalarValue;
use mainstay_core::time::DataTime;
use mainstay_features::online::{EntityKey, Value, pack};

use super::column::Reader;

/// `feature_key(k…)`: the canonical key, NULL if a part is NULL. A view that joins on time alone has one
/// key, of no parts.
pub(super) fn feature_key(parts: Vec<Expr>) -> Expr {
    if parts.is_empty() {
        return lit(ScalarValue::Binary(Some(Vec::new())));
    }
    ScalarUDF::new_from_impl(Pack::new(Kind::Key)).call(parts)
}

/// `feature_row(ts, created, value…)`: the packed row.
pub(super) fn feature_row(ts: Expr, created: Expr, values: Vec<Expr>) -> Expr {
    let mut parts = vec![ts, created];
    parts.extend(values);
    ScalarUDF::new_from_impl(Pack::new(Kind::Row)).call(parts)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Key,
    Row,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Pack {
    kind: Kind,
    signature: Signature,
}

impl Pack {
    fn new(kind: Kind) -> Self {
        Self { kind, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Pack {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Key => "feature_key",
            Kind::Row => "feature_row",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays: Vec<ArrayRef> =
            args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<_>>()?;
        let packed = match self.kind {
            Kind::Key => keys(&arrays, rows)?,
            Kind::Row => packed_rows(&arrays, rows)?,
        };
        Ok(ColumnarValue::Array(packed))
    }
}

fn readers(arrays: &[ArrayRef]) -> Result<Vec<Reader<'_>>> {
    fn reader(array: &ArrayRef) -> Result<Reader<'_>> {
        Reader::of(array)
            .ok_or_else(|| exec_datafusion_err!("a column of type {} cannot be packed", array.data_type()))
    }
    arrays.iter().map(reader).collect()
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn keys(arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let readers = readers(arrays)?;
    let mut builder = BinaryBuilder::with_capacity(rows, rows * 16);
    let mut key = Vec::new();
    for row in 0..rows {
        key.clear();
        let mut whole = true;
        for reader in &readers {
            whole = whole && append(&mut key, reader, row)?;
        }
        builder.append_option(whole.then_some(&key));
    }
    Ok(Arc::new(builder.finish()))
}

/// Text is appended without a copy of its own.
fn append(key: &mut Vec<u8>, reader: &Reader<'_>, row: usize) -> Result<bool> {
    match reader {
        Reader::Text(array) if array.is_valid(row) => {
            EntityKey::append_text(key, array.value(row)).map_err(external)?;
            Ok(true)
        }
        _ => EntityKey::append(key, &reader.value(row)).map_err(external),
    }
}

fn packed_rows(arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let [ts, created, values @ ..] = arrays else { return exec_err!("a packed row has two instants") };
    let instants = ts
        .as_primitive_opt::<TimestampMicrosecondType>()
        .zip(created.as_primitive_opt::<TimestampMicrosecondType>());
    let Some((ts, created)) = instants else { return exec_err!("the instants of a row are in microseconds") };
    let readers = readers(values)?;
    let mut builder = BinaryBuilder::with_capacity(rows, rows * (20 + 9 * values.len()));
    let (mut packed, mut row_values) = (Vec::new(), Vec::<Value>::with_capacity(values.len()));
    for row in 0..rows {
        if ts.is_null(row) {
            builder.append_null();
            continue;
        }
        row_values.clear();
        row_values.extend(readers.iter().map(|reader| reader.value(row)));
        let known = created.is_valid(row).then(|| DataTime::from_micros(created.value(row)));
        packed.clear();
        pack(&mut packed, DataTime::from_micros(ts.value(row)), known, &row_values).map_err(external)?;
        builder.append_value(&packed);
    }
    Ok(Arc::new(builder.finish()))
}
