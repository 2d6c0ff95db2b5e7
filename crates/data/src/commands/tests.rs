use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mainstay_core::command::{Authorizer, BoxFuture, CommandError, Commands, Context, Job, Journal, Unit};
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::default_workspace;
use mainstay_core::time::MachineTime;

use super::*;
use crate::expectations::ValueCounts;
use crate::schema::{Column, DataType, Schema};
use crate::table::{ColumnStats, DataFile};

#[derive(Default, Clone)]
struct State {
    datasets: BTreeMap<Name, Dataset>,
    versions: Vec<TableVersion>,
    validations: Vec<Validation>,
    events: Vec<Event>,
}

/// A store in memory: a copy of the state is worked on, and kept if the command succeeds.
struct MemoryTx {
    state: State,
    context: Context,
}

impl Journal for MemoryTx {
    fn record(&mut self, event: Event) {
        self.state.events.push(event);
    }
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(1_000)
    }
    fn actor(&self) -> &Actor {
        &self.context.actor
    }
    fn workspace(&self) -> &Name {
        &self.context.workspace
    }
}

#[async_trait]
impl DataTx for MemoryTx {
    async fn dataset_for_update(&mut self, name: &Name) -> Result<Option<Dataset>, StorageError> {
        Ok(self.state.datasets.get(name).cloned())
    }
    async fn insert_dataset(&mut self, dataset: &Dataset) -> Result<(), StorageError> {
        assert!(self.state.datasets.insert(dataset.name.clone(), dataset.clone()).is_none());
        Ok(())
    }
    async fn newest_version(&mut self, dataset: &Name) -> Result<Option<(u64, Digest)>, StorageError> {
        let mut versions = self.state.versions.iter().rev();
        Ok(versions.find(|v| v.dataset == *dataset).map(|v| (v.version, v.digest)))
    }
    async fn version_digest(&mut self, dataset: &Name, version: u64) -> Result<Option<Digest>, StorageError> {
        let mut versions = self.state.versions.iter();
        Ok(versions.find(|v| v.dataset == *dataset && v.version == version).map(|v| v.digest))
    }
    async fn insert_version(&mut self, version: &TableVersion) -> Result<(), StorageError> {
        self.state.versions.push(version.clone());
        Ok(())
    }
    async fn insert_validation(&mut self, validation: &Validation) -> Result<(), StorageError> {
        self.state.validations.push(validation.clone());
        Ok(())
    }
}

#[derive(Default, Clone)]
struct Memory(Arc<Mutex<State>>);

impl Unit<dyn DataTx> for Memory {
    fn submit(&self, mut job: Box<dyn Job<dyn DataTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let state = self.0.lock().unwrap().clone();
            let mut tx = MemoryTx { state, context: job.context().clone() };
            if job.apply(&mut tx).await.is_ok() {
                *self.0.lock().unwrap() = tx.state;
            }
            job.settle(Ok(()));
            Ok(())
        })
    }
}

struct DataWriters;

impl Authorizer for DataWriters {
    fn allows(&self, _: &Principal, action: Action, _: &Scope) -> bool {
        action == Action::DataWrite
    }
    fn refused(&self, _: &Principal, _: Action, _: &Scope) {}
}

struct Bench {
    memory: Memory,
    commands: Commands<dyn DataTx>,
}

impl Bench {
    fn new() -> Self {
        let memory = Memory::default();
        Self { commands: Commands::new(Arc::new(memory.clone()), Arc::new(DataWriters)), memory }
    }

    async fn run<C>(&self, command: C) -> Result<C::Out, ErrorCode>
    where
        C: Command<Tx = dyn DataTx>,
    {
        let outcome = self.commands.run(&Principal::system("test"), command).await;
        outcome.map_err(|error: CommandError<C::Error>| error.code())
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.memory.0.lock().unwrap().events.iter().map(|event| event.kind).collect()
    }
}

fn flights() -> Name {
    Name::new("flights").unwrap()
}

fn create() -> CreateDataset {
    let mut dataset = Dataset::new(flights());
    dataset.declared_types.insert("delay".to_owned(), DataType::Float64);
    CreateDataset { workspace: default_workspace(), dataset }
}

fn commit(content: &[u8], data_type: DataType) -> CommitTableVersion {
    let file = DataFile {
        object_key: "tables/flights/x.parquet".to_owned(),
        sha256: Digest::of(content),
        rows: 10,
        bytes: 100,
        columns: vec![ColumnStats::default()],
    };
    CommitTableVersion {
        workspace: default_workspace(),
        dataset: flights(),
        manifest: Manifest {
            schema: Schema::new(vec![Column::new("delay", data_type)]).unwrap(),
            files: vec![file],
            quarantine: None,
        },
        source: "flights.csv".to_owned(),
    }
}

#[tokio::test]
async fn versions_follow_each_other_and_equal_content_adds_none() {
    let bench = Bench::new();
    assert_eq!(bench.run(commit(b"1", DataType::Float64)).await, Err(ErrorCode::NotFound));
    bench.run(create()).await.unwrap();
    assert_eq!(bench.run(create()).await, Err(ErrorCode::AlreadyExists));

    let first = bench.run(commit(b"1", DataType::Float64)).await.unwrap();
    assert_eq!((first.version, first.added), (1, true));
    let again = bench.run(commit(b"1", DataType::Float64)).await.unwrap();
    assert_eq!(again, Committed { added: false, ..first });
    assert_eq!(bench.run(commit(b"2", DataType::Float64)).await.unwrap().version, 2);
    let back = bench.run(commit(b"1", DataType::Float64)).await.unwrap();
    assert_eq!((back.version, back.digest), (3, first.digest), "only the newest version is compared");
    assert_eq!(bench.kinds(), ["dataset.created", "table.committed", "table.committed", "table.committed"]);
}

#[tokio::test]
async fn a_table_that_breaks_a_declaration_is_refused_without_a_trace() {
    let bench = Bench::new();
    bench.run(create()).await.unwrap();
    assert_eq!(bench.run(commit(b"1", DataType::Utf8)).await, Err(ErrorCode::InvalidData));
    let mut lopsided = commit(b"1", DataType::Float64);
    lopsided.manifest.files[0].columns.clear();
    assert_eq!(bench.run(lopsided).await, Err(ErrorCode::InvalidArgument));
    assert_eq!(bench.kinds(), ["dataset.created"]);
}

#[tokio::test]
async fn a_verdict_is_bound_to_the_content_it_judged() {
    let bench = Bench::new();
    bench.run(create()).await.unwrap();
    let committed = bench.run(commit(b"1", DataType::Float64)).await.unwrap();

    let suite = Suite::parse(
        r#"{"name": "s", "expectations": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "delay"}}]}"#,
    )
    .unwrap();
    let schema = commit(b"1", DataType::Float64).manifest.schema;
    let counts = ValueCounts { elements: 10, missing: 1, unexpected: 1, partial: vec![] };
    let result = suite.evaluate(&schema, 10, &suite.plan(&schema), &[counts]);
    let verdict = |version, table_digest| RecordValidation {
        workspace: default_workspace(),
        id: ValidationId::from_bytes([1; 16]),
        dataset: flights(),
        version,
        table_digest,
        suite: suite.clone(),
        result: result.clone(),
    };
    assert_eq!(bench.run(verdict(2, committed.digest)).await, Err(ErrorCode::NotFound));
    assert_eq!(bench.run(verdict(1, Digest::of(b"other"))).await, Err(ErrorCode::RevisionConflict));
    bench.run(verdict(1, committed.digest)).await.unwrap();

    let state = bench.memory.0.lock().unwrap();
    let [validation] = &state.validations[..] else { panic!("one validation") };
    assert!(!validation.success && validation.blocking);
    assert_eq!(validation.result["statistics"]["unsuccessful_expectations"], 1);
    let event = state.events.last().unwrap();
    assert_eq!(event.kind, "table.validated");
    assert_eq!(event.body["failed"][0]["kwargs"]["column"], "delay");
}
