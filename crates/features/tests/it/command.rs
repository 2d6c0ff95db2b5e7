//! The commands on an in-memory transaction.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::command::{Command as _, Journal};
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded as _, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{DataTime, MachineTime};
use mainstay_features::command::{ApplyDefinitions, FeaturesError, RecordMaterialisation};
use mainstay_features::definition::Definitions;
use mainstay_features::port::{FeaturesTx, Materialisation, StoredDefinitions};

const FLIGHTS: &str = include_str!("flights.yaml");

struct Memory {
    definitions: Vec<StoredDefinitions>,
    materialisations: BTreeMap<(String, String), Materialisation>,
    events: Vec<Event>,
    actor: Actor,
    workspace: Name,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            definitions: Vec::new(),
            materialisations: BTreeMap::new(),
            events: Vec::new(),
            actor: Actor::local(),
            workspace: default_workspace(),
        }
    }
}

impl Journal for Memory {
    fn record(&mut self, event: Event) {
        self.events.push(event);
    }
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(11)
    }
    fn actor(&self) -> &Actor {
        &self.actor
    }
    fn workspace(&self) -> &Name {
        &self.workspace
    }
}

#[async_trait]
impl FeaturesTx for Memory {
    async fn definitions(&mut self, project: &Name) -> Result<Option<StoredDefinitions>, StorageError> {
        Ok(self.definitions.iter().rfind(|stored| stored.project == *project).cloned())
    }
    async fn add_definitions(&mut self, definitions: &StoredDefinitions) -> Result<(), StorageError> {
        self.definitions.push(definitions.clone());
        Ok(())
    }
    async fn materialisation(
        &mut self,
        project: &Name,
        view: &str,
    ) -> Result<Option<Materialisation>, StorageError> {
        Ok(self.materialisations.get(&(project.to_string(), view.to_owned())).cloned())
    }
    async fn put_materialisation(&mut self, done: &Materialisation) -> Result<(), StorageError> {
        self.materialisations.insert((done.project.to_string(), done.view.clone()), done.clone());
        Ok(())
    }
}

fn project() -> Name {
    Name::new("flights").unwrap()
}

fn apply(text: &str, expected: Option<u64>) -> ApplyDefinitions {
    ApplyDefinitions::new(default_workspace(), project(), text.to_owned(), expected).unwrap()
}

#[tokio::test]
async fn definitions_get_revisions_and_repeat_without_trace() {
    let mut tx = Memory::default();
    let first = apply(FLIGHTS, Some(0)).apply(&mut tx).await.unwrap();
    assert_eq!((first.revision, first.changed), (1, true));
    let again = apply(&format!("# again\n{FLIGHTS}"), None).apply(&mut tx).await.unwrap();
    assert_eq!((again.revision, again.changed, again.digest), (1, false, first.digest));
    let second = apply(&FLIGHTS.replace("24h", "12h"), Some(1)).apply(&mut tx).await.unwrap();
    assert_eq!(second.revision, 2);
    let stale = apply(FLIGHTS, Some(1)).apply(&mut tx).await.unwrap_err();
    assert_eq!(stale.code(), ErrorCode::RevisionConflict);

    let kinds: Vec<_> = tx.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["features.applied", "features.applied"]);
    assert_eq!(tx.events[0].body["revision"], 1);
    assert_eq!(tx.events[0].body["digest"], first.digest.to_string());
    assert_eq!(tx.events[0].subject.to_string(), "feature:flights");
    assert_eq!(tx.definitions.len(), 2);
}

fn record(until: i64, view: &str, definition: Digest) -> RecordMaterialisation {
    let materialisation = Materialisation {
        project: project(),
        view: view.to_owned(),
        definition,
        until: DataTime::from_micros(until),
        rows: 5,
        digest: Digest::of(b"rows"),
    };
    RecordMaterialisation { workspace: default_workspace(), materialisation }
}

#[tokio::test]
async fn a_materialisation_goes_forward_and_belongs_to_its_definition() {
    let mut tx = Memory::default();
    let digest = |text: &str| Definitions::parse(text).unwrap().view("origin_weather").unwrap().digest();
    let known = digest(FLIGHTS);
    let missing = record(1, "origin_weather", known).apply(&mut tx).await.unwrap_err();
    assert_eq!(missing.code(), ErrorCode::NotFound);

    apply(FLIGHTS, None).apply(&mut tx).await.unwrap();
    record(10, "origin_weather", known).apply(&mut tx).await.unwrap();
    record(10, "origin_weather", known).apply(&mut tx).await.unwrap();
    record(20, "origin_weather", known).apply(&mut tx).await.unwrap();
    let kinds: Vec<_> = tx.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["features.applied", "features.materialised", "features.materialised"]);
    assert_eq!(tx.events[2].body["until"], "1970-01-01T00:00:00.000020Z");
    assert_eq!(tx.events[2].subject.to_string(), "feature:flights/origin_weather");

    let back = record(19, "origin_weather", known).apply(&mut tx).await.unwrap_err();
    assert!(matches!(back, FeaturesError::Backwards { .. }));
    let unknown = record(30, "snow", known).apply(&mut tx).await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);

    let redefined = FLIGHTS.replace("wind_gust > 30", "wind_gust > 31");
    apply(&redefined, None).apply(&mut tx).await.unwrap();
    let stale = record(30, "origin_weather", known).apply(&mut tx).await.unwrap_err();
    assert!(matches!(stale, FeaturesError::Redefined(_)));
    record(5, "origin_weather", digest(&redefined)).apply(&mut tx).await.unwrap();
}
