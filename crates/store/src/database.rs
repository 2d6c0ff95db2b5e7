//! Opening a database: SQLite in the data directory, or PostgreSQL by URL.

use std::path::Path;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog, EventQuery, EventSeq, RecordedEvent};
use sqlx::postgres::PgPoolOptions;
use tokio::sync::watch;

use crate::driver::Connection;
use crate::driver::postgres::{PostgresConnection, options};
use crate::driver::sqlite::SqliteConnection;
use crate::events;
use crate::guard;
use crate::migrations::migrate;
use crate::reader::Reader;
use crate::writer::{Surroundings, Writer, last_event};

/// The name of the database file in the data directory.
pub const DATABASE_FILE: &str = "mainstay.db";

/// An open database: one writer, several readers. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    /// Where commands go.
    pub writer: Writer,
    /// Where queries go.
    pub reader: Reader,
}

impl Database {
    /// Opens (and creates, and migrates) the SQLite database in `directory`.
    pub async fn open_sqlite(directory: &Path, surroundings: Surroundings) -> Result<Self, StorageError> {
        let path = directory.join(DATABASE_FILE);
        let connection = Connection::Sqlite(SqliteConnection::writer(&path)?);
        Self::start(connection, Reader::sqlite(path), surroundings).await
    }

    /// Connects to a PostgreSQL database, and migrates it. `url` is `postgresql://user:…@host/name`.
    pub async fn open_postgres(url: &str, surroundings: Surroundings) -> Result<Self, StorageError> {
        let options = options(url)?;
        let own = PostgresConnection::open(options.clone()).await?;
        let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(options);
        Self::start(Connection::Postgres(Box::new(own)), Reader::postgres(pool), surroundings).await
    }

    async fn start(
        mut connection: Connection,
        reader: Reader,
        surroundings: Surroundings,
    ) -> Result<Self, StorageError> {
        migrate(&mut connection, surroundings.clock.now()).await?;
        if surroundings.guard_events {
            guard::install(&mut connection).await?;
        }
        let last = last_event(&mut connection).await?;
        let runtime = tokio::runtime::Handle::current();
        Ok(Self { writer: Writer::start(connection, surroundings, runtime, last)?, reader })
    }

    /// Commits what is queued, and closes the database. Commands submitted later are refused.
    pub async fn close(&self) {
        self.reader.close_idle();
        self.writer.stop().await;
    }

    /// Copies a SQLite database to `target` while it is in use. The copy is one committed state.
    pub async fn backup_sqlite(directory: &Path, target: &Path) -> Result<(), StorageError> {
        let (source, target) = (directory.join(DATABASE_FILE), target.to_owned());
        let task = tokio::task::spawn_blocking(move || SqliteConnection::reader(&source)?.backup_to(&target));
        task.await.map_err(|e| StorageError::Failed(e.into()))?
    }
}

#[async_trait]
impl EventLog for Database {
    async fn read(&self, query: &EventQuery) -> Result<Vec<RecordedEvent>, StorageError> {
        let query = query.clone();
        self.reader.read(move |tx| Box::pin(async move { events::read(tx, &query).await })).await
    }

    fn head(&self) -> watch::Receiver<EventSeq> {
        self.writer.committed()
    }
}
