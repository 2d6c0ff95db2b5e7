//! Files and tables to test with.

use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use mainstay_data::schema::{Column, DataType, Schema};
use mainstay_query::import::{ImportError, ImportOptions, Imported, Target, import_file};
use mainstay_query::scan::Table;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// One of the tables in `demo/flights`.
pub(crate) fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/flights").join(format!("{name}.parquet"))
}

/// A directory with sources in it and a place for tables.
pub(crate) struct Bench {
    pub(crate) root: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("tables/t")).unwrap();
        Self { root }
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn import(&self, path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
        let directory = self.root.path().join("tables/t");
        let target = Target { directory: &directory, key_prefix: "tables/t/" };
        import_file(path, target, options, &mut |_| ControlFlow::Continue(()))
    }

    pub(crate) fn import_csv(&self, text: &str) -> Result<Imported, ImportError> {
        self.import(&self.write("source.csv", text), &ImportOptions::default())
    }

    pub(crate) fn table(&self, imported: &Imported) -> Table {
        Table::under(self.root.path(), &imported.manifest)
    }

    /// All rows, in order.
    pub(crate) fn rows(&self, imported: &Imported) -> RecordBatch {
        let files = self.table(imported).files;
        let batches: Vec<_> = files.iter().map(|file| read(&file.path)).collect();
        concat_batches(batches[0].schema_ref(), &batches).unwrap()
    }

    /// What lies where tables go.
    pub(crate) fn published(&self) -> Vec<String> {
        let directory = std::fs::read_dir(self.root.path().join("tables/t")).unwrap();
        directory.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// All rows of a Parquet file.
pub(crate) fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// A zip archive of these entries.
pub(crate) fn zipped(path: &Path, entries: &[(&str, &[u8])]) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    for (name, content) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
}

pub(crate) fn schema(columns: &[(&str, DataType)]) -> Schema {
    Schema::new(columns.iter().map(|(name, data_type)| Column::new(*name, *data_type)).collect()).unwrap()
}
