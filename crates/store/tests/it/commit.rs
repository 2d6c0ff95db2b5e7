//! Groups that fail as they are committed: nobody was answered before, and nothing of them is left.

use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal};
use mainstay_governance::port::GovernanceReader as _;
use sqlx::Connection as _;

use crate::both;
use crate::databases::Fresh;
use crate::projection::{commands, grant};

/// A constraint that is checked by COMMIT, and that no event keeps.
const FAIL_AT_COMMIT: [&str; 2] = [
    "CREATE TABLE fulfilled (id INTEGER PRIMARY KEY);
     CREATE TABLE promised (id INTEGER REFERENCES fulfilled (id) DEFERRABLE INITIALLY DEFERRED);
     CREATE TRIGGER trap AFTER INSERT ON events BEGIN INSERT INTO promised VALUES (1); END",
    "CREATE TABLE fulfilled (id BIGINT PRIMARY KEY);
     CREATE TABLE promised (id BIGINT REFERENCES fulfilled (id) DEFERRABLE INITIALLY DEFERRED);
     CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql
         AS $body$ BEGIN INSERT INTO promised VALUES (1); RETURN NULL; END $body$;
     CREATE TRIGGER trap AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION trap()",
];

/// No event can be written.
const FAIL_AT_EVENTS: [&str; 2] = [
    "CREATE TRIGGER trap BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no more events'); END",
    "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql
         AS $body$ BEGIN RAISE EXCEPTION 'no more events'; END $body$;
     CREATE TRIGGER trap BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION trap()",
];

const NO_TRAP: [&str; 2] = ["DROP TRIGGER trap", "DROP TRIGGER trap ON events"];

/// Changes the schema behind Mainstay's back: in the words of SQLite, or of PostgreSQL.
async fn change(fresh: &Fresh, [sqlite, postgres]: [&str; 2]) {
    let Some(url) = fresh.url() else {
        let path = fresh.directory.path().join(mainstay_store::database::DATABASE_FILE);
        return rusqlite::Connection::open(path).unwrap().execute_batch(sqlite).unwrap();
    };
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(postgres.to_owned())).execute(&mut connection).await.unwrap();
}

async fn try_grant(fresh: &Fresh, name: &str) -> Result<(), ErrorCode> {
    let granted = commands(fresh).run(&Principal::system("test"), grant(name)).await;
    granted.map_err(|error| error.code())
}

/// Whether the role of so-and-so is there, and the number of events.
async fn seen(fresh: &Fresh, name: &str) -> (bool, u64) {
    let grants = fresh.database.reader.grants(&Actor::user(Name::new(name).unwrap())).await.unwrap();
    (!grants.is_empty(), fresh.database.reader.frontier().await.unwrap().size())
}

async fn nothing_is_left_of_groups_that_fail_by(fresh: Fresh, trap: [&str; 2]) {
    try_grant(&fresh, "before").await.unwrap();
    change(&fresh, trap).await;
    assert_eq!(try_grant(&fresh, "ann").await, Err(ErrorCode::Internal), "answered before the commit");
    let both = tokio::join!(try_grant(&fresh, "bob"), try_grant(&fresh, "cid"));
    assert_eq!(both, (Err(ErrorCode::Internal), Err(ErrorCode::Internal)));
    for name in ["ann", "bob", "cid"] {
        assert_eq!(seen(&fresh, name).await, (false, 1), "rows without their event");
    }
    change(&fresh, NO_TRAP).await;
    assert_eq!(try_grant(&fresh, "after").await, Ok(()), "an earlier group's failure is not this one's");
    assert_eq!(seen(&fresh, "after").await, (true, 2));
    assert!(fresh.database.reader.check_state().await.unwrap().is_good());
}

both!(a_commit_that_fails_is_told_and_leaves_nothing, async |fresh: Fresh| {
    nothing_is_left_of_groups_that_fail_by(fresh, FAIL_AT_COMMIT).await;
});

both!(rows_whose_events_cannot_be_written_are_not_there, async |fresh: Fresh| {
    nothing_is_left_of_groups_that_fail_by(fresh, FAIL_AT_EVENTS).await;
});
