//! Readers: several connections that see one committed state each.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::command::BoxFuture;
use mainstay_core::error::StorageError;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::database::DATABASE_FILE;
use crate::driver::Connection;
use crate::driver::postgres::{PostgresConnection, failure, options};
use crate::driver::sqlite::SqliteConnection;
use crate::value::{Row, Value};

/// Most reads at once.
const READERS: usize = 8;

/// A read-only transaction: all its queries see one state.
pub struct ReadTx {
    pub(crate) connection: Connection,
}

impl ReadTx {
    /// Runs a query; gives all its rows.
    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StorageError> {
        self.connection.query(sql, values).await
    }

    /// Runs a query that gives one row or none.
    pub(crate) async fn query_one(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<Row>, StorageError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }
}

/// A cheap handle to the readers.
#[derive(Clone)]
pub struct Reader(Arc<Source>);

enum Source {
    Sqlite {
        path: PathBuf,
        idle: Mutex<Vec<SqliteConnection>>,
        permits: Arc<Semaphore>,
    },
    Postgres {
        pool: PgPool,
        /// The runtime whose reactor has the connections. Another one may end before them, or be busy.
        home: Option<Handle>,
    },
}

impl Reader {
    /// Reads the SQLite database in a data directory, without a writer.
    pub fn open_sqlite(directory: &Path) -> Self {
        Self::sqlite(directory.join(DATABASE_FILE))
    }

    /// Reads a PostgreSQL database, without a writer.
    pub fn open_postgres(url: &str) -> Result<Self, StorageError> {
        Ok(Self::postgres(PgPoolOptions::new().max_connections(2).connect_lazy_with(options(url)?)))
    }

    pub(crate) fn sqlite(path: PathBuf) -> Self {
        let permits = Arc::new(Semaphore::new(READERS));
        Self(Arc::new(Source::Sqlite { path, idle: Mutex::default(), permits }))
    }

    pub(crate) fn postgres(pool: PgPool) -> Self {
        Self(Arc::new(Source::Postgres { pool, home: Handle::try_current().ok() }))
    }

    /// Closes the connections that are idle; a SQLite database is whole in its one file once the last
    /// connection is closed.
    pub(crate) fn close_idle(&self) {
        if let Source::Sqlite { idle, .. } = &*self.0 {
            idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Runs `work` on one committed state of the database.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut ReadTx) -> BoxFuture<'a, Result<T, StorageError>> + Send + 'static,
    {
        match &*self.0 {
            Source::Sqlite { permits, .. } => {
                let permit = Arc::clone(permits).acquire_owned().await;
                let permit = permit.map_err(|e| StorageError::Unavailable(e.into()))?;
                let source = Arc::clone(&self.0);
                // SQLite works on the calling thread, so the whole read goes to one that may block.
                let task = tokio::task::spawn_blocking(move || {
                    let answer = futures::executor::block_on(source.read_sqlite(work));
                    drop(permit);
                    answer
                });
                task.await.map_err(|e| StorageError::Failed(e.into()))?
            }
            Source::Postgres { pool, home } => {
                let pool = pool.clone();
                let answering = async move {
                    let pooled = pool.acquire().await.map_err(failure)?;
                    let connection =
                        Connection::Postgres(Box::new(PostgresConnection::Pooled(pooled.into())));
                    within(connection, work).await.0
                };
                let is_home = |home: &&Handle| Handle::try_current().is_ok_and(|here| here.id() == home.id());
                let Some(home) = home.as_ref().filter(|home| !is_home(home)) else { return answering.await };
                // Ends with whoever waits for it.
                let mut task = JoinSet::new();
                task.spawn_on(answering, home);
                let answer = task.join_next().await.ok_or_else(|| StorageError::Failed("no task".into()))?;
                answer.map_err(|error| StorageError::Failed(error.into()))?
            }
        }
    }
}

impl Source {
    async fn read_sqlite<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        F: for<'a> FnOnce(&'a mut ReadTx) -> BoxFuture<'a, Result<T, StorageError>>,
    {
        let Self::Sqlite { path, idle, .. } = self else {
            return Err(StorageError::Failed("not a SQLite database".into()));
        };
        let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = taken.map_or_else(|| SqliteConnection::reader(path), Ok)?;
        let (answer, connection) = within(Connection::Sqlite(connection), work).await;
        if let Some(Connection::Sqlite(connection)) = connection {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        answer
    }
}

/// Runs `work` between begin and end; gives the connection back if it can be used again.
async fn within<T, F>(mut connection: Connection, work: F) -> (Result<T, StorageError>, Option<Connection>)
where
    F: for<'a> FnOnce(&'a mut ReadTx) -> BoxFuture<'a, Result<T, StorageError>>,
{
    if let Err(error) = connection.begin_read().await {
        return (Err(error), None);
    }
    let mut tx = ReadTx { connection };
    let answer = work(&mut tx).await;
    let ended = tx.connection.commit().await;
    (answer, ended.is_ok().then_some(tx.connection))
}
