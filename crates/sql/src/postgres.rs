//! PostgreSQL through sqlx, with values of one dynamic type.

use std::str::FromStr;

use mainstay_core::error::{Cause, StorageError};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgRow, PgTypeInfo};
use sqlx::{
    Arguments as _, Column as _, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Postgres,
    Row as _, Type, TypeInfo as _, ValueRef as _,
};

use crate::value::{Row, Value};

/// A connection of its own (the writer's) or one out of the readers' pool.
#[expect(clippy::large_enum_variant, reason = "there are as many as connections, each boxed already")]
pub enum PostgresConnection {
    /// One of its own.
    Own {
        /// The connection.
        inner: PgConnection,
        /// How it is opened again.
        options: PgConnectOptions,
        /// Whether it must be.
        lost: bool,
    },
    /// One out of a pool.
    Pooled(Lent),
}

/// A connection that goes back to the pool, unless a transaction is left open on it: whoever read next would read
/// the state of then.
pub struct Lent {
    connection: PoolConnection<Postgres>,
    is_in_transaction: bool,
}

impl From<PoolConnection<Postgres>> for Lent {
    fn from(connection: PoolConnection<Postgres>) -> Self {
        Self { connection, is_in_transaction: false }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.is_in_transaction {
            self.connection.close_on_drop();
        }
    }
}

/// Reads a `postgresql://` URL.
pub fn options(url: &str) -> Result<PgConnectOptions, StorageError> {
    let options = PgConnectOptions::from_str(url).map_err(|e| StorageError::Failed(e.into()))?;
    Ok(options.application_name("mainstay").log_statements(tracing::log::LevelFilter::Off))
}

impl PostgresConnection {
    /// Opens a connection of its own.
    pub async fn open(options: PgConnectOptions) -> Result<Self, StorageError> {
        let inner = options.connect().await.map_err(failure)?;
        Ok(Self::Own { inner, options, lost: false })
    }

    /// Opens again after the connection was lost. Called between transactions only.
    pub async fn revive(&mut self) -> Result<(), StorageError> {
        let Self::Own { inner, options, lost } = self else { return Ok(()) };
        if *lost || inner.ping().await.is_err() {
            *inner = options.connect().await.map_err(failure)?;
            *lost = false;
        }
        Ok(())
    }

    fn inner(&mut self) -> &mut PgConnection {
        match self {
            Self::Own { inner, .. } => inner,
            Self::Pooled(lent) => &mut lent.connection,
        }
    }

    fn note(&mut self, error: sqlx::Error) -> StorageError {
        let error = failure(error);
        if let (Self::Own { lost, .. }, StorageError::Unavailable(_)) = (self, &error) {
            *lost = true;
        }
        error
    }

    /// Opens a transaction that reads one state of the database.
    pub async fn begin_read(&mut self) -> Result<(), StorageError> {
        self.mark(true);
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Ends a transaction.
    pub async fn commit(&mut self) -> Result<(), StorageError> {
        self.batch("COMMIT").await?;
        self.mark(false);
        Ok(())
    }

    const fn mark(&mut self, is_in_transaction: bool) {
        if let Self::Pooled(lent) = self {
            lent.is_in_transaction = is_in_transaction;
        }
    }

    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StorageError> {
        let query = sqlx::query_with(sql, arguments(values)?);
        let done = self.inner().execute(query).await;
        done.map(|d| d.rows_affected()).map_err(|e| self.note(e))
    }

    /// Runs a query; gives all its rows.
    pub async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        let query = sqlx::query_with(sql, arguments(values)?);
        let rows = self.inner().fetch_all(query).await.map_err(|e| self.note(e))?;
        rows.iter().map(row_of).collect()
    }

    /// Runs statements without parameters, separated by semicolons.
    pub async fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        let text = sqlx::AssertSqlSafe(sql.to_owned());
        let done = self.inner().execute(sqlx::raw_sql(text)).await;
        done.map(drop).map_err(|e| self.note(e))
    }
}

fn arguments(values: &[Value]) -> Result<PgArguments, StorageError> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Null => arguments.add(Untyped),
            Value::Int(x) => arguments.add(*x),
            Value::Real(x) => arguments.add(*x),
            Value::Text(x) => arguments.add(x.as_str()),
            Value::Blob(x) => arguments.add(x.as_slice()),
        };
        added.map_err(StorageError::Failed)?;
    }
    Ok(arguments)
}

/// NULL of the type that the server infers (oid 0).
struct Untyped;

impl Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn row_of(row: &PgRow) -> Result<Row, StorageError> {
    let mut values = Vec::with_capacity(row.len());
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at).map_err(failure)?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match column.type_info().name() {
                "INT8" => Value::Int(row.try_get(at).map_err(failure)?),
                "INT4" => Value::Int(row.try_get::<i32, _>(at).map_err(failure)?.into()),
                "FLOAT8" => Value::Real(row.try_get(at).map_err(failure)?),
                "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(at).map_err(failure)?),
                "BYTEA" => Value::Blob(row.try_get(at).map_err(failure)?),
                other => return Err(StorageError::Corrupt(format!("a column has the type {other}"))),
            }
        };
        values.push(value);
    }
    Ok(Row::new(values))
}

/// What a failure of the database is to callers.
pub fn failure(error: sqlx::Error) -> StorageError {
    use sqlx::Error as E;
    if let E::Database(inner) = &error {
        // https://www.postgresql.org/docs/15/errcodes-appendix.html
        let code = inner.code().unwrap_or_default().into_owned();
        return match code.as_str() {
            "40001" | "40P01" | "55P03" => StorageError::Contended(error.into()),
            "53100" => StorageError::Full(error.into()),
            // 55000 is how a database says that it accepts no connections.
            c if c == "55000" || c.starts_with("08") || c.starts_with("57") || c.starts_with("53") => {
                StorageError::Unavailable(error.into())
            }
            c if c.starts_with("XX") => StorageError::Corrupt(format!("PostgreSQL reports {c}")),
            _ => StorageError::Failed(error.into()),
        };
    }
    match error {
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
            StorageError::Unavailable(Cause::from(error))
        }
        _ => StorageError::Failed(Cause::from(error)),
    }
}
