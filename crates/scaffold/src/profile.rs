//! What is in a file: it is imported to a folder that goes away, by the same code and rules as later by the
//! pipeline, and its columns are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use arrow::array::Array as _;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt as _;
use mainstay_core::failed::Failed;
use mainstay_core::time::DataTime;
use mainstay_data::scalar::Scalar;
use mainstay_data::schema::{DataType, DeclaredTypes};
use mainstay_data::table::Manifest;
use mainstay_query::import::{ImportOptions, Target, TextFormat, import_file};
use mainstay_query::scan::{Selection, Table, scan};
use mainstay_query::session::{SessionOptions, open};

use super::form::Named;
use super::names;

/// Values of a column beyond which it has too many to be listed.
pub(super) const MANY: usize = 50;

/// A file's columns.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) rows: u64,
    pub(super) columns: Vec<ColumnProfile>,
    /// The first and the last instant of the time column.
    pub(super) first: DataTime,
    pub(super) last: DataTime,
}

/// One column.
#[derive(Debug)]
pub(super) struct ColumnProfile {
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) nulls: u64,
    /// Of a column of numbers.
    pub(super) range: Option<(f64, f64)>,
    /// Its values, if there are at most [`MANY`].
    pub(super) values: Option<BTreeSet<String>>,
}

/// A file, and how it is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sheet<'a> {
    /// Where it lies.
    pub(super) path: &'a Path,
    /// What the caller calls it.
    pub(super) file: &'a str,
    pub(super) format: TextFormat,
}

impl Profile {
    /// Reads the file; `time` is a column of instants.
    pub(super) fn read(sheet: &Sheet<'_>, time: &str, named: &Named<'_>) -> Result<Self, Failed> {
        let place =
            tempfile::tempdir().map_err(|error| Failed::outside("making a temporary folder", error))?;
        let declared = [(time.to_owned(), DataType::Timestamp)].into();
        let manifest = import(sheet, place.path(), declared)?;
        let all = || manifest.schema.columns().iter().map(|column| column.name.as_str());
        names::expect_all(sheet.file, named, all)?;
        let values = count(&manifest, place.path())?;
        let columns: Vec<ColumnProfile> = columns(&manifest, values);
        let (first, last) = ends(&manifest, time).ok_or_else(|| {
            Failed::Usage(format!("column '{time}' holds no instant; give another with --time"))
        })?;
        Ok(Self { rows: manifest.rows(), columns, first, last })
    }

    pub(super) fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }
}

fn import(sheet: &Sheet<'_>, place: &Path, declared: DeclaredTypes) -> Result<Manifest, Failed> {
    let options = ImportOptions { declared, format: sheet.format, ..ImportOptions::default() };
    let target = Target { directory: place, key_prefix: "" };
    let imported = import_file(sheet.path, target, &options, &mut |_| ControlFlow::Continue(()));
    Ok(imported.map_err(|error| error.of(sheet.file))?.manifest)
}

/// The values of each column that has not too many.
fn count(manifest: &Manifest, place: &Path) -> Result<Vec<Option<BTreeSet<String>>>, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failed::outside("starting", error))?;
    runtime.block_on(async {
        let session = open(&SessionOptions::spilling_to(place.join("spill")))?;
        let table = Table::under(place, manifest);
        let mut batches = scan(&session, &table, &Selection::default()).await?;
        let mut found = vec![Some(BTreeSet::new()); manifest.schema.columns().len()];
        let unreadable = |error| Failed::outside("reading the rows", error);
        let options = FormatOptions::default();
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| Failed::outside("reading the rows", error))?;
            for (values, column) in found.iter_mut().zip(batch.columns()) {
                let text = ArrayFormatter::try_new(column, &options).map_err(unreadable)?;
                for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
                    let Some(known) = values else { break };
                    known.insert(text.value(row).to_string());
                    if known.len() > MANY {
                        *values = None;
                    }
                }
            }
        }
        Ok(found)
    })
}

fn columns(manifest: &Manifest, values: Vec<Option<BTreeSet<String>>>) -> Vec<ColumnProfile> {
    let named = manifest.schema.columns().iter().enumerate().zip(values);
    let profile = |((at, column), values): ((usize, &mainstay_data::schema::Column), _)| {
        let stats = manifest.files.iter().filter_map(|file| file.columns.get(at));
        let ends = stats.clone().flat_map(|stats| [&stats.min, &stats.max]).flatten().filter_map(number);
        let ends: Vec<f64> = ends.collect();
        let range = ends.iter().copied().reduce(f64::min).zip(ends.iter().copied().reduce(f64::max));
        ColumnProfile {
            name: column.name.clone(),
            data_type: column.data_type,
            nulls: stats.map(|stats| stats.nulls).sum(),
            range,
            values,
        }
    };
    named.map(profile).collect()
}

fn number(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Float(value) => Some(*value),
        _ => None,
    }
}

fn ends(manifest: &Manifest, time: &str) -> Option<(DataTime, DataTime)> {
    let at = manifest.schema.position(time)?;
    let stats: BTreeMap<usize, _> =
        manifest.files.iter().filter_map(|file| file.columns.get(at)).enumerate().collect();
    let instant = |value: &Option<Scalar>| match value {
        Some(Scalar::Timestamp(at)) => Some(*at),
        _ => None,
    };
    let first = stats.values().filter_map(|stats| instant(&stats.min)).min()?;
    let last = stats.values().filter_map(|stats| instant(&stats.max)).max()?;
    Some((first, last))
}
