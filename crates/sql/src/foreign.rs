//! Databases of other programs, opened to be read and nothing else.

use std::path::Path;

use mainstay_core::error::StorageError;

use crate::Connection;
use crate::postgres::{PostgresConnection, options};
use crate::sqlite::SqliteConnection;
use crate::value::{Row, Value};

/// A connection to a database that is not ours, in one transaction that only reads: all its queries see one
/// state.
///
/// Columns come as the types of [`Value`]; a statement casts what has none of them (booleans, JSON).
pub struct ForeignDatabase {
    connection: Connection,
}

impl ForeignDatabase {
    /// Opens a SQLite file. It must exist, and nothing is written to it. Beside one in WAL mode SQLite leaves the files
    /// by which several processes share it (`-shm`, `-wal`), as any reader of it does.
    pub async fn open_sqlite(path: &Path) -> Result<Self, StorageError> {
        Self::begin(Connection::Sqlite(SqliteConnection::reader(path)?)).await
    }

    /// Connects to a PostgreSQL database: `postgresql://user:…@host/name`.
    pub async fn open_postgres(url: &str) -> Result<Self, StorageError> {
        let connection = PostgresConnection::open(options(url)?).await?;
        Self::begin(Connection::Postgres(Box::new(connection))).await
    }

    async fn begin(mut connection: Connection) -> Result<Self, StorageError> {
        connection.begin_read().await?;
        Ok(Self { connection })
    }

    /// Runs a query; gives all its rows. SQL text as everywhere in this crate: `$1` and no dialect.
    pub async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        self.connection.query(sql, values).await
    }
}
