//! What a start makes of the file of the index: its own, a damaged one, another history's.

use std::path::Path;
use std::sync::{Arc, RwLock};

use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::event::{EventLog as _, EventSeq};
use mainstay_core::id::RunId;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::scope::{Scope, default_workspace};
use mainstay_core::time::{MachineTime, ManualClock};
use mainstay_store::{Database, Surroundings};
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{ArtifactLocation, CreateDefaultExperiment, CreateRun, LogBatch};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{RunIndex, RunSummary};
use mainstay_tracking::metric::Point;
use mainstay_tracking::port::{RunQuery, RunSearch as _, TrackingReader as _, TrackingTx};
use mainstay_tracking::search::{RunFilter, RunOrder, View};

use super::RunIndexKeeper;
use super::file::IndexFile;

struct AllowAll;

impl Authorizer for AllowAll {
    fn allows(&self, _: &Principal, _: Action, _: &Scope) -> bool {
        true
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_000_000)))
}

async fn database(directory: &Path) -> Database {
    let entropy = Arc::new(SeededEntropy::new(7));
    let surroundings = Surroundings { clock: clock(), entropy, guard_events: true };
    Database::open_sqlite(directory, surroundings).await.unwrap()
}

fn commands(database: &Database) -> Commands<dyn TrackingTx> {
    Commands::new(Arc::new(database.writer.clone()), Arc::new(AllowAll))
}

async fn create_run(database: &Database, number: u8, user: &str) {
    let run = CreateRun {
        workspace: default_workspace(),
        id: RunId::from_bytes([number; 16]),
        experiment: ExperimentId::DEFAULT,
        name: format!("run-{number}"),
        user: user.to_owned(),
        start_ms: i64::from(number),
        tags: Vec::new(),
    };
    commands(database).run(&Principal::system("test"), run).await.unwrap();
}

async fn log(database: &Database, number: u8, value: f64) {
    let point = Point { step: 1, timestamp_ms: 5, value };
    let metrics = vec![LoggedMetric::new("m", point).unwrap()];
    let batch = Batch::new(metrics, Vec::new(), Vec::new()).unwrap();
    let log = LogBatch { workspace: default_workspace(), run: RunId::from_bytes([number; 16]), batch };
    commands(database).run(&Principal::system("test"), log).await.unwrap();
}

/// A database with three runs, of which each has a metric, and one that has none.
async fn with_runs(directory: &Path, user: &str) -> Database {
    let database = database(directory).await;
    let location = ArtifactLocation::Under("mlflow-artifacts:/".into());
    let default = CreateDefaultExperiment { workspace: default_workspace(), location };
    commands(&database).run(&Principal::system("test"), default).await.unwrap();
    for number in 1..=3 {
        create_run(&database, number, user).await;
        log(&database, number, f64::from(number)).await;
    }
    // The leaf of this event is what tells one user's history from another's.
    create_run(&database, 9, user).await;
    database
}

/// Keeps what the tables hold now in the file.
async fn save(database: &Database, file: &IndexFile) -> EventSeq {
    let (runs, position) = database.reader.summaries(None, 100).await.unwrap();
    let mut index = RunIndex::new();
    for run in runs {
        index.put(run);
    }
    file.save(database, Arc::new(RwLock::new(index)), position).await.unwrap();
    position
}

/// All runs, as a server finds them that starts with this file.
async fn found(database: &Database, file: &Path) -> Vec<RunSummary> {
    let keeper = RunIndexKeeper::start(database, file.to_owned(), clock());
    let query = RunQuery {
        workspace: default_workspace(),
        experiments: vec![ExperimentId::DEFAULT],
        view: View::All,
        filter: RunFilter::parse("").unwrap(),
        order: RunOrder::parse(&["metrics.m DESC".to_owned()]).unwrap(),
        page: PageRequest::first(100),
    };
    keeper.search(&query).await.unwrap().items
}

#[tokio::test]
async fn a_start_goes_on_from_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run-index");
    let (database, file) = (with_runs(directory.path(), "ann").await, IndexFile::new(path.clone()));
    assert!(file.load(&database).await.is_none());
    let position = save(&database, &file).await;
    // What came since is in the log alone.
    create_run(&database, 4, "ann").await;
    log(&database, 4, 0.5).await;
    log(&database, 1, 9.0).await;

    let (index, known) = file.load(&database).await.unwrap();
    assert_eq!((index.len(), known), (4, position));
    let from_file = found(&database, &path).await;
    assert_eq!(from_file, found(&database, &directory.path().join("none")).await);
    let order: Vec<_> = from_file.iter().map(|summary| summary.run.name.as_str()).collect();
    assert_eq!(order, ["run-1", "run-3", "run-2", "run-4", "run-9"]);
}

#[tokio::test]
async fn no_byte_of_the_file_may_be_another_and_none_may_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run-index");
    let (database, file) = (with_runs(directory.path(), "ann").await, IndexFile::new(path.clone()));
    save(&database, &file).await;
    let (sound, expected) = (std::fs::read(&path).unwrap(), found(&database, &path).await);
    assert!(file.load(&database).await.is_some());

    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x20;
        std::fs::write(&path, damaged).unwrap();
        assert!(file.load(&database).await.is_none(), "byte {at}");
        std::fs::write(&path, &sound[..at]).unwrap();
        assert!(file.load(&database).await.is_none(), "{at} bytes");
    }
    assert_eq!(found(&database, &path).await, expected);
}

#[tokio::test]
async fn a_file_of_another_history_is_not_believed() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = one.path().join("run-index");
    let file = IndexFile::new(path.clone());
    let position = save(&with_runs(one.path(), "ann").await, &file).await;
    let other = with_runs(other.path(), "bob").await;
    // As many events, but others.
    assert_eq!(position, *other.head().borrow());
    assert!(file.load(&other).await.is_none());
    assert!(found(&other, &path).await.iter().all(|summary| summary.run.user == "bob"));

    // One that ends later than the database does: a backup was restored beside it.
    let younger = tempfile::tempdir().unwrap();
    assert!(file.load(&database(younger.path()).await).await.is_none());
}
