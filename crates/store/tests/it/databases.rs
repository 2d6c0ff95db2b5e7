//! A fresh database for each story, on both engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::entropy::SeededEntropy;
use mainstay_core::time::{MachineTime, ManualClock};
use mainstay_store::{Database, Surroundings};
use tempfile::TempDir;

/// A database that goes away with this value.
pub(crate) struct Fresh {
    pub(crate) database: Database,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) directory: TempDir,
    url: Option<String>,
}

impl Fresh {
    /// The address, if it is PostgreSQL.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Runs a statement behind Mainstay's back, as somebody with the database's password would.
    pub(crate) async fn tamper(&self, sql: &str) {
        use sqlx::Connection as _;
        match &self.url {
            None => {
                let path = self.directory.path().join(mainstay_store::database::DATABASE_FILE);
                let changed = rusqlite::Connection::open(path).unwrap().execute(sql, []).unwrap();
                assert_eq!(changed, 1, "{sql}");
            }
            Some(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                let changed = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                assert_eq!(changed.rows_affected(), 1);
            }
        }
    }

    /// Opens the same database once more.
    pub(crate) async fn reopen(&self) -> Database {
        let surroundings = surroundings(&self.clock);
        match &self.url {
            None => Database::open_sqlite(self.directory.path(), surroundings).await.unwrap(),
            Some(url) => Database::open_postgres(url, surroundings).await.unwrap(),
        }
    }
}

fn surroundings(clock: &Arc<ManualClock>) -> Surroundings {
    Surroundings { clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(7)), guard_events: true }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_000_000)))
}

pub(crate) async fn sqlite() -> Fresh {
    let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
    let database = Database::open_sqlite(directory.path(), surroundings(&clock)).await.unwrap();
    Fresh { database, clock, directory, url: None }
}

/// A new database on the server that `scripts/with-postgres.sh` started; `None` without one, which is
/// a failure under CI.
pub(crate) async fn postgres() -> Option<Fresh> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Ok(server) = std::env::var("MAINSTAY_TEST_POSTGRES") else {
        assert!(std::env::var_os("CI").is_none(), "CI must test PostgreSQL: run scripts/with-postgres.sh");
        eprintln!("skipped: run this under scripts/with-postgres.sh");
        return None;
    };
    let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    mainstay_store::testing::create_postgres_database(&server, &name).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
    let database = Database::open_postgres(&url, surroundings(&clock)).await.unwrap();
    Some(Fresh { database, clock, directory, url: Some(url) })
}

/// Tells one story on both databases: `both!(name, async |fresh| { … })`.
#[macro_export]
macro_rules! both {
    ($(#[$meta:meta])* $name:ident, $story:expr) => {
        $(#[$meta])*
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let story = $story;
                story($crate::databases::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(fresh) = $crate::databases::postgres().await {
                    let story = $story;
                story(fresh).await;
                }
            }
        }
    };
}
