//! Forward-only migrations, run at start in one transaction.

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;

use crate::driver::Connection;
use crate::params;
use mainstay_governance::audit::Frontier;

/// All migrations, oldest first. A released one is never edited; a correction is a further one.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_record.sql"),
    include_str!("../migrations/0002_data.sql"),
    include_str!("../migrations/0003_registry.sql"),
    include_str!("../migrations/0004_tracking.sql"),
    include_str!("../migrations/0005_governance.sql"),
    include_str!("../migrations/0006_pipelines.sql"),
    include_str!("../migrations/0007_serving.sql"),
    include_str!("../migrations/0008_features.sql"),
    include_str!("../migrations/0009_monitoring.sql"),
    include_str!("../migrations/0010_webhook_cursors.sql"),
    include_str!("../migrations/0011_triggers.sql"),
    include_str!("../migrations/0012_version_locations.sql"),
    include_str!("../migrations/0013_traces.sql"),
    include_str!("../migrations/0015_webhook_dialects.sql"),
    include_str!("../migrations/0016_evaluation.sql"),
    include_str!("../migrations/0017_model_points.sql"),
    include_str!("../migrations/0018_users.sql"),
    include_str!("../migrations/0019_metric_series.sql"),
    include_str!("../migrations/0020_imports.sql"),
    include_str!("../migrations/0021_saved_views.sql"),
    include_str!("../migrations/0022_assessments.sql"),
    include_str!("../migrations/0023_gateway.sql"),
    include_str!("../migrations/0024_issues.sql"),
    include_str!("../migrations/0026_purges.sql"),
    include_str!("../migrations/0027_retention_rules.sql"),
    include_str!("../migrations/0028_quotas.sql"),
    include_str!("../migrations/0029_trace_root_names.sql"),
    include_str!("../migrations/0030_logged_model_order.sql"),
];

/// Brings the schema up to date. Refuses a database that a newer Mainstay has written.
pub(crate) async fn migrate(connection: &mut Connection, now: MachineTime) -> Result<(), StorageError> {
    connection.begin().await?;
    let done = apply(connection, now).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.batch(end).await?;
    done
}

async fn apply(connection: &mut Connection, now: MachineTime) -> Result<(), StorageError> {
    let dialect = connection.dialect();
    if dialect == crate::driver::Dialect::Postgres {
        // Two processes that start at once must not both create the tables.
        connection.query("SELECT 1::BIGINT FROM pg_advisory_xact_lock(5000000001)", &[]).await?;
    }
    let ledger = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, at BIGINT NOT NULL) TABLE_OPTIONS";
    connection.batch(&dialect.spell(ledger)).await?;
    let rows = connection.query("SELECT COALESCE(MAX(version), 0) FROM schema_version", &[]).await?;
    let version = usize::try_from(rows.first().map_or(Ok(0), |row| row.count(0))?).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(StorageError::Newer { schema: version, known: MIGRATIONS.len() });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        connection.batch(&dialect.spell(migration)).await?;
        let row = params![(index + 1) as u64, now.micros()];
        connection.execute("INSERT INTO schema_version (version, at) VALUES ($1, $2)", row).await?;
    }
    let tree = params![Frontier::new().to_bytes()];
    connection
        .execute(
            "INSERT INTO audit_tree (id, size, frontier) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING",
            tree,
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::driver::sqlite::SqliteConnection;

    use super::*;

    #[test]
    fn a_database_of_a_later_program_is_named_as_that() {
        let place = tempfile::tempdir().unwrap();
        let file = SqliteConnection::writer(&place.path().join("db")).unwrap();
        let mut connection = Connection::Sqlite(file);
        futures::executor::block_on(async {
            migrate(&mut connection, MachineTime::default()).await.unwrap();
            migrate(&mut connection, MachineTime::default()).await.unwrap();
            connection.batch("INSERT INTO schema_version (version, at) VALUES (999, 0)").await.unwrap();
            let refused = migrate(&mut connection, MachineTime::default()).await.unwrap_err();
            assert!(
                matches!(refused, StorageError::Newer { schema: 999, known } if known == MIGRATIONS.len())
            );
        });
    }
}
