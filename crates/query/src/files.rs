//! Queries over files that belong to no dataset, each a table under a name of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use crate::durable::{Draft, sync_directory};
use crate::error::{QueryError, unwritten_parquet};
use crate::table_writer::properties;

/// Makes Parquet files readable by name.
pub async fn register(session: &SessionContext, files: &BTreeMap<String, PathBuf>) -> Result<(), QueryError> {
    for (name, path) in files {
        let path = path.to_string_lossy();
        session.register_parquet(name.as_str(), &*path, ParquetReadOptions::default()).await?;
    }
    Ok(())
}

/// The whole result of a query, in memory.
pub async fn query(session: &SessionContext, sql: &str) -> Result<RecordBatch, QueryError> {
    let frame = session.sql(sql).await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await?;
    concat_batches(batches.first().map_or(&schema, RecordBatch::schema_ref), &batches)
        .map_err(|error| QueryError::Failed(error.into()))
}

/// Writes rows as a Parquet file, which appears when it is whole.
pub fn write(rows: &RecordBatch, path: &Path) -> Result<(), QueryError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let draft = Draft::new_in(directory)?;
    let writer = parquet::arrow::ArrowWriter::try_new(draft, rows.schema(), Some(properties()));
    let mut writer = writer.map_err(unwritten_parquet)?;
    writer.write(rows).map_err(unwritten_parquet)?;
    let sealed = writer.into_inner().map_err(unwritten_parquet)?.seal()?;
    sealed.publish(path)?;
    Ok(sync_directory(directory)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray as _, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::session::{SessionOptions, open};

    #[tokio::test]
    async fn what_was_written_is_queried_by_its_name() {
        let place = tempfile::tempdir().unwrap();
        let number: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(1)]));
        let word: ArrayRef = Arc::new(StringArray::from(vec!["c", "b", "a"]));
        let rows = RecordBatch::try_from_iter([("number", number), ("word", word)]).unwrap();
        let path = place.path().join("words.parquet");
        write(&rows, &path).unwrap();

        let session = open(&SessionOptions::spilling_to(place.path().join("spill"))).unwrap();
        register(&session, &[("words".to_owned(), path)].into()).await.unwrap();
        let sql = "SELECT word, number * 2 AS twice FROM words WHERE number IS NOT NULL ORDER BY word";
        let found = query(&session, sql).await.unwrap();
        assert_eq!(found.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(found.column(1).as_primitive::<Int64Type>().values(), &[2, 6]);
        assert_eq!(query(&session, "SELECT * FROM words WHERE number > 9").await.unwrap().num_rows(), 0);
    }
}
