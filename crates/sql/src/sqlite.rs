//! SQLite through rusqlite: WAL, `synchronous=FULL`, statements cached by their text.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use mainstay_core::error::StorageError;
use mainstay_core::fault::{Fault, is_planted};
use rusqlite::backup::StepResult;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use crate::value::{Row, Value};

/// How long a statement waits for another process that holds the lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages in the log after which it is copied into the database, with two syncs: 16 MiB. A page that many
/// groups change is copied once.
const CHECKPOINT_PAGES: i64 = 4_096;

/// How long a copy waits for whoever is in its way.
const BACKUP_PAUSE: Duration = Duration::from_millis(5);

/// An open file.
pub struct SqliteConnection {
    inner: Connection,
    /// `$1` text → `?1` text, by the address and the length of the former. SQLite numbers `$name` parameters by
    /// appearance, not by name.
    spelled: HashMap<(usize, usize), String>,
}

impl SqliteConnection {
    /// Opens for writing, and creates the file if there is none.
    pub fn writer(path: &Path) -> Result<Self, StorageError> {
        let inner = Connection::open(path).map_err(failure)?;
        inner.pragma_update(None, "journal_mode", "WAL").map_err(failure)?;
        let synchronous = if is_planted(Fault::NoSync) { "OFF" } else { "FULL" };
        inner.pragma_update(None, "synchronous", synchronous).map_err(failure)?;
        inner.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failure)?;
        Self::configured(inner)
    }

    /// Opens for reading.
    pub fn reader(path: &Path) -> Result<Self, StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::configured(Connection::open_with_flags(path, flags).map_err(failure)?)
    }

    fn configured(inner: Connection) -> Result<Self, StorageError> {
        inner.busy_timeout(BUSY_TIMEOUT).map_err(failure)?;
        inner.pragma_update(None, "foreign_keys", "ON").map_err(failure)?;
        inner.pragma_update(None, "cache_size", -8_000).map_err(failure)?;
        // Otherwise a statement whose plan might gain by knowing its values is prepared again whenever they
        // change, which costs more than most statements do.
        inner.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failure)?;
        inner.set_prepared_statement_cache_capacity(256);
        Ok(Self { inner, spelled: HashMap::new() })
    }

    /// Runs a statement; gives the number of rows that it changed.
    pub fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StorageError> {
        let text = spell(&mut self.spelled, sql);
        let mut statement = self.inner.prepare_cached(text).map_err(failure)?;
        let changed = statement.execute(rusqlite::params_from_iter(values)).map_err(failure)?;
        Ok(changed as u64)
    }

    /// Runs a query; gives all its rows.
    pub fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        let text = spell(&mut self.spelled, sql);
        let mut statement = self.inner.prepare_cached(text).map_err(failure)?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failure)?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(failure)? {
            let mut out = Vec::with_capacity(width);
            for column in 0..width {
                out.push(value_of(row.get_ref(column).map_err(failure)?)?);
            }
            answer.push(Row::new(out));
        }
        Ok(answer)
    }

    /// Runs statements without parameters, separated by semicolons.
    pub fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        self.inner.execute_batch(sql).map_err(failure)
    }

    /// Copies the whole database to `path` while others read and write: in one step, so that it is one
    /// committed state, and ends however fast they write (a copy in parts begins anew after each write).
    /// The copy is one file, without a log beside it.
    pub fn backup_to(&self, path: &Path) -> Result<(), StorageError> {
        let mut target = Connection::open(path).map_err(failure)?;
        let backup = rusqlite::backup::Backup::new(&self.inner, &mut target).map_err(failure)?;
        while backup.step(-1).map_err(failure)? != StepResult::Done {
            // Busy or locked: a checkpoint is under way.
            std::thread::sleep(BACKUP_PAUSE);
        }
        drop(backup);
        target.pragma_update(None, "journal_mode", "DELETE").map_err(failure)
    }
}

fn spell<'a>(spelled: &'a mut HashMap<(usize, usize), String>, sql: &'static str) -> &'a str {
    spelled.entry((sql.as_ptr().addr(), sql.len())).or_insert_with(|| sql.replace('$', "?"))
}

fn value_of(value: ValueRef<'_>) -> Result<Value, StorageError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(x) => Value::Int(x),
        ValueRef::Real(x) => Value::Real(x),
        ValueRef::Text(x) => Value::Text(
            String::from_utf8(x.to_vec()).map_err(|_| StorageError::Corrupt("a text is not UTF-8".into()))?,
        ),
        ValueRef::Blob(x) => Value::Blob(x.to_vec()),
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(x) => ValueRef::Integer(*x),
            Self::Real(x) => ValueRef::Real(*x),
            Self::Text(x) => ValueRef::Text(x.as_bytes()),
            Self::Blob(x) => ValueRef::Blob(x),
        }))
    }
}

fn failure(error: rusqlite::Error) -> StorageError {
    let code = error.sqlite_error_code();
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageError::Unavailable(error.into()),
        Some(ErrorCode::DiskFull) => StorageError::Full(error.into()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StorageError::Corrupt(format!("the database file: {error}"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => {
            StorageError::Unavailable(error.into())
        }
        _ => StorageError::Failed(error.into()),
    }
}
