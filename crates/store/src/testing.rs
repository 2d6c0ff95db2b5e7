//! What tests of this and other crates need of a database.

use mainstay_core::error::StorageError;

use crate::driver::postgres::{PostgresConnection, options};

/// Creates an empty database on a PostgreSQL server, for one test.
pub async fn create_postgres_database(server: &str, name: &str) -> Result<(), StorageError> {
    let mut connection = PostgresConnection::open(options(server)?).await?;
    connection.batch(&format!("CREATE DATABASE {name}")).await
}

/// Every row of the tables that follow from the log, as text, table by table.
pub async fn projections(reader: &crate::reader::Reader) -> Result<Vec<String>, StorageError> {
    reader.read(|tx| Box::pin(async move { crate::projection::dump(&mut tx.connection).await })).await
}
