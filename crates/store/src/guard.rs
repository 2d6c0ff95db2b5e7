//! For tests: makes a command fail that changes a record table without recording an event.
//!
//! Triggers on every record table note the change in a table of their own. After each command the
//! writer looks whether there is a note without an event.

use mainstay_core::error::StorageError;

use crate::driver::{Connection, Dialect};
use crate::tables::{Class, of_class};
use crate::tx::{StoreTx, Trouble};

/// Installs the triggers. Done when a database is opened with `guard_events`.
pub(crate) async fn install(connection: &mut Connection) -> Result<(), StorageError> {
    let dialect = connection.dialect();
    connection.batch("CREATE TABLE IF NOT EXISTS guard_touched (name TEXT PRIMARY KEY)").await?;
    if dialect == Dialect::Postgres {
        let function = "CREATE OR REPLACE FUNCTION guard_touch() RETURNS trigger LANGUAGE plpgsql AS $body$ \
             BEGIN INSERT INTO guard_touched VALUES (TG_TABLE_NAME) ON CONFLICT DO NOTHING; RETURN NULL; END $body$";
        connection.batch(function).await?;
    }
    for table in of_class(Class::Record) {
        for change in ["INSERT", "UPDATE", "DELETE"] {
            connection.batch(&trigger(dialect, table, change)).await?;
        }
    }
    Ok(())
}

fn trigger(dialect: Dialect, table: &str, change: &str) -> String {
    let name = format!("guard_{table}_{change}").to_lowercase();
    match dialect {
        // What an upsert sets off does not do as its own `OR IGNORE` says, but as the upsert does.
        Dialect::Sqlite => format!(
            "CREATE TRIGGER IF NOT EXISTS {name} AFTER {change} ON {table} \
             BEGIN INSERT INTO guard_touched SELECT '{table}' \
             WHERE NOT EXISTS (SELECT 1 FROM guard_touched WHERE name = '{table}'); END"
        ),
        Dialect::Postgres => format!(
            "CREATE OR REPLACE TRIGGER {name} AFTER {change} ON {table} \
             FOR EACH ROW EXECUTE FUNCTION guard_touch()"
        ),
    }
}

/// Looks at the notes of the command that just ran, and clears them.
pub(crate) async fn check(tx: &mut StoreTx, recorded: bool) -> Result<(), Trouble> {
    let failed = |error| Trouble::Command(error);
    let touched =
        tx.connection.query("DELETE FROM guard_touched RETURNING name", &[]).await.map_err(failed)?;
    match touched.first() {
        Some(row) if !recorded => {
            let table = row.text(0).map_err(failed)?;
            let what = format!("the record table {table} changed without an event");
            Err(Trouble::Command(StorageError::Failed(what.into())))
        }
        _ => Ok(()),
    }
}
