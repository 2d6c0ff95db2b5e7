//! The two databases behind one connection type.
//!
//! SQL text is shared: `$1` placeholders, `RETURNING`, `ON CONFLICT`. The drivers translate only the
//! placeholder's spelling (SQLite) and the types of migrations.

pub mod address;
pub mod foreign;
pub mod postgres;
pub mod sqlite;
pub mod value;

use mainstay_core::error::StorageError;

use crate::value::{Row, Value};

/// One open connection, owned.
pub enum Connection {
    /// To a file.
    Sqlite(sqlite::SqliteConnection),
    /// To a server.
    Postgres(Box<postgres::PostgresConnection>),
}

impl Connection {
    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StorageError> {
        refuse_nul(values)?;
        match self {
            Self::Sqlite(c) => c.execute(sql, values),
            Self::Postgres(c) => c.execute(sql, values).await,
        }
    }

    /// Runs a query; gives all its rows.
    pub async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        refuse_nul(values)?;
        match self {
            Self::Sqlite(c) => c.query(sql, values),
            Self::Postgres(c) => c.query(sql, values).await,
        }
    }

    /// Runs statements without parameters, separated by semicolons.
    pub async fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(c) => c.batch(sql),
            Self::Postgres(c) => c.batch(sql).await,
        }
    }

    /// Opens a transaction that will write.
    pub async fn begin(&mut self) -> Result<(), StorageError> {
        match self {
            // The write lock is taken at once, so that no statement inside can fail for want of it.
            Self::Sqlite(c) => c.execute("BEGIN IMMEDIATE", &[]).map(drop),
            Self::Postgres(c) => c.batch("BEGIN ISOLATION LEVEL SERIALIZABLE").await,
        }
    }

    /// Opens the transaction of a group of commands, behind those of all other processes.
    pub async fn begin_group(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(_) => self.begin().await,
            // A lock of the table, not of its row: it is taken before the snapshot is, so whoever waited
            // sees what went before and need not be replayed. Readers are not held up.
            Self::Postgres(c) => {
                let sql =
                    "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE audit_tree IN SHARE ROW EXCLUSIVE MODE";
                c.batch(sql).await
            }
        }
    }

    /// Opens a transaction that reads one state of the database.
    pub async fn begin_read(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(c) => c.execute("BEGIN DEFERRED", &[]).map(drop),
            Self::Postgres(c) => c.begin_read().await,
        }
    }

    /// Ends a transaction: what it wrote is durable.
    pub async fn commit(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(c) => c.execute("COMMIT", &[]).map(drop),
            Self::Postgres(c) => c.commit().await,
        }
    }

    /// Which of the dialect branches applies.
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// U+0000 is no part of PostgreSQL's texts; refused on both, so that they stay alike.
fn refuse_nul(values: &[Value]) -> Result<(), StorageError> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    if values.iter().any(has_nul) { Err(StorageError::Nul) } else { Ok(()) }
}

/// The dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3, bundled.
    Sqlite,
    /// PostgreSQL 15 or later.
    Postgres,
}

impl Dialect {
    /// Spells the neutral types of a migration. Migrations are written with `BIGINT`, `TEXT`, `BLOB`
    /// and `DOUBLE`, and end each table with `) TABLE_OPTIONS;`.
    pub fn spell(self, migration: &str) -> String {
        match self {
            Self::Sqlite => migration
                .replace("BIGINT", "INTEGER")
                .replace("DOUBLE", "REAL")
                .replace(" TABLE_OPTIONS", " STRICT"),
            Self::Postgres => migration
                .replace("TEXT", "TEXT COLLATE \"C\"")
                .replace("BLOB", "BYTEA")
                .replace("DOUBLE", "DOUBLE PRECISION")
                .replace(" TABLE_OPTIONS", ""),
        }
    }
}
