//! A database that does not answer for a while: callers are told, and nothing that was answered is lost.

use std::time::Duration;

use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::principal::Principal;
use mainstay_governance::port::GovernanceReader as _;
use sqlx::Connection as _;

use crate::databases::{Fresh, postgres, sqlite};
use crate::projection::{commands, grant};

/// Grants a role to so-and-so; gives the error's code.
async fn try_grant(fresh: &Fresh, name: &str) -> Result<(), ErrorCode> {
    let granted = commands(fresh).run(&Principal::system("test"), grant(name)).await;
    granted.map_err(|error| error.code())
}

async fn events(fresh: &Fresh) -> u64 {
    fresh.database.reader.frontier().await.unwrap().size()
}

/// Takes SQLite's write lock on a connection of its own.
fn lock(fresh: &Fresh) -> rusqlite::Connection {
    let path = fresh.directory.path().join(mainstay_store::database::DATABASE_FILE);
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_lock_is_waited_out() {
    let fresh = sqlite().await;
    let other = lock(&fresh);
    let (granted, ()) = tokio::join!(try_grant(&fresh, "ann"), async {
        // The command waits for the lock; readers do not.
        assert_eq!(events(&fresh).await, 0);
        assert!(fresh.database.reader.webhooks().await.unwrap().is_empty());
        other.execute_batch("COMMIT").unwrap();
    });
    assert_eq!(granted, Ok(()));
    assert_eq!(events(&fresh).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_long_lock_callers_are_told_and_it_heals() {
    let fresh = sqlite().await;
    try_grant(&fresh, "before").await.unwrap();
    let other = lock(&fresh);
    // Both are told after the same wait: they are one group, or the second is the next.
    let during = tokio::join!(try_grant(&fresh, "ann"), try_grant(&fresh, "bob"));
    assert_eq!(during, (Err(ErrorCode::Unavailable), Err(ErrorCode::Unavailable)));
    assert_eq!(events(&fresh).await, 1);
    other.execute_batch("COMMIT").unwrap();
    try_grant(&fresh, "after").await.unwrap();
    assert_eq!(events(&fresh).await, 2);
    assert!(fresh.database.reader.check_state().await.unwrap().is_good());
}

/// Lets nobody into the database, and ends who is in it; or lets everybody in again.
async fn accept_connections(fresh: &Fresh, accept: bool) {
    let server = std::env::var("MAINSTAY_TEST_POSTGRES").unwrap();
    let name = fresh.url().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let mut admin = sqlx::PgConnection::connect(&server).await.unwrap();
    let sql = format!(
        "ALTER DATABASE {name} ALLOW_CONNECTIONS {accept}; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND NOT {accept}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_closes_its_connections_is_found_again() {
    let Some(fresh) = postgres().await else { return };
    try_grant(&fresh, "before").await.unwrap();
    accept_connections(&fresh, false).await;
    for name in ["ann", "bob"] {
        assert_eq!(try_grant(&fresh, name).await, Err(ErrorCode::Unavailable));
    }
    accept_connections(&fresh, true).await;
    try_grant(&fresh, "after").await.unwrap();
    // A pooled connection of the readers that was ended is replaced.
    let counted = tokio::time::timeout(Duration::from_secs(30), events(&fresh)).await.unwrap();
    assert_eq!(counted, 2);
    assert!(fresh.database.reader.check_state().await.unwrap().is_good());
}

/// A read that nobody waits for any more leaves its transaction behind, and what that one saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_was_given_up_shows_nobody_its_old_state() {
    let Some(fresh) = postgres().await else { return };
    try_grant(&fresh, "before").await.unwrap();
    let mut other = sqlx::PgConnection::connect(fresh.url().unwrap()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE audit_tree IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    tokio::select! {
        size = events(&fresh) => panic!("{size} were read through a lock"),
        () = somebody_waits_for_a_lock(&fresh) => {}
    }
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    try_grant(&fresh, "after").await.unwrap();
    for _ in 0..16 {
        assert_eq!(events(&fresh).await, 2);
    }
}

/// Returns once a connection to this database waits for a lock.
async fn somebody_waits_for_a_lock(fresh: &Fresh) {
    // Of its own, and in no transaction, in which the server would show the same activity all along.
    let mut watching = sqlx::PgConnection::connect(fresh.url().unwrap()).await.unwrap();
    let waiting =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::raw_sql(waiting).fetch_optional(&mut watching).await.unwrap().is_none() {}
}
