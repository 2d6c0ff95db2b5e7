//! A stock server's database, read in pages: `mlflow/store/tracking/dbmodels/models.py` and
//! `mlflow/store/model_registry/dbmodels/models.py` of MLflow 3.18.
//!
//! Every page turns rows into the things of our own domains, with the rules of [`Rules`] for what does not fit.
//! The comparison at the end reads the same pages, so what is compared is what these tables say.

mod assessments;
pub mod evaluation;
pub mod experiments;
pub mod gateway;
pub mod inventory;
pub mod issues;
pub mod logged_models;
pub mod points;
pub mod registry;
pub mod runs;
pub mod scorers;
mod spans;
pub mod traces;
pub mod webhooks;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_store::foreign::ForeignDatabase;
use mainstay_store::params;
use mainstay_store::value::{Row, Value};
use mainstay_tracking::text::Overlong;

use crate::address::Address;
use crate::artifacts::Artifacts;
use crate::error::ImportError;
use crate::finding::Finding;
use crate::unsealing::Unsealing;

/// The revisions of the schema that this was tried with, and the releases that have them.
pub const ACCEPTED: [(&str, &str); 2] = [("dc11669786a5", "3.17"), ("f4a9b2c7d1e6", "3.18")];

/// The table in which a stock server keeps its revision.
const REVISION: &str = "SELECT version_num FROM alembic_version";
const WORKSPACES: &str = "SELECT workspace FROM experiments UNION SELECT workspace FROM registered_models \
    UNION SELECT workspace FROM evaluation_datasets UNION SELECT workspace FROM secrets \
    UNION SELECT workspace FROM model_definitions UNION SELECT workspace FROM endpoints \
    UNION SELECT workspace FROM webhooks WHERE deleted_timestamp IS NULL ORDER BY 1";

/// What is made of what does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Of values that are too long.
    pub overlong: Overlong,
    /// Of the places of artifacts.
    pub artifacts: Artifacts,
}

/// Some things of one kind, in the order of their keys.
#[derive(Debug)]
pub struct Page<T, K> {
    /// The things.
    pub items: Vec<T>,
    /// What of them, or between them, cannot be kept.
    pub findings: Vec<Finding>,
    /// The last key; `None` if there was nothing left.
    pub last: Option<K>,
}

impl<T, K> Page<T, K> {
    const fn end() -> Self {
        Self { items: Vec::new(), findings: Vec::new(), last: None }
    }
}

/// An open database of a stock server.
pub struct Stock {
    database: ForeignDatabase,
    /// What it is called in the record.
    pub name: String,
    /// The revision of its schema.
    pub revision: String,
    /// What is made of what does not fit.
    pub rules: Rules,
    unsealing: Unsealing,
}

impl Stock {
    /// Opens it, and refuses a schema that was not tried. What it sealed is opened with `unsealing`.
    pub async fn open(address: &Address, rules: Rules, unsealing: Unsealing) -> Result<Self, ImportError> {
        let database = match address {
            Address::Sqlite(path) if !path.is_file() => {
                return Err(ImportError::NoFile(path.display().to_string()));
            }
            Address::Sqlite(path) => ForeignDatabase::open_sqlite(path).await,
            Address::Postgres(url) => ForeignDatabase::open_postgres(url).await,
        };
        let mut database = database.map_err(ImportError::Source)?;
        let revision = match database.query(REVISION, &[]).await {
            Ok(rows) => rows.first().map(|row| row.text(0).map(str::to_owned)).transpose(),
            // The statement is sound, so it is the table that is not there.
            Err(StorageError::Failed(_)) => return Err(ImportError::NotMlflow),
            Err(error) => Err(error),
        };
        let revision = revision.map_err(ImportError::Source)?.ok_or(ImportError::NotMlflow)?;
        if !ACCEPTED.iter().any(|(accepted, _)| *accepted == revision) {
            return Err(ImportError::Revision(revision));
        }
        Ok(Self { database, name: address.name(), revision, rules, unsealing })
    }

    /// The workspaces that have anything.
    pub async fn workspaces(&mut self) -> Result<Vec<Name>, ImportError> {
        let rows = self.query(WORKSPACES, &[]).await?;
        let name = |row: &Row| {
            let text = row.text(0).map_err(ImportError::Source)?;
            Name::new(text).map_err(|_| ImportError::Workspace(text.to_owned()))
        };
        rows.iter().map(name).collect()
    }

    async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, ImportError> {
        self.database.query(sql, values).await.map_err(ImportError::Source)
    }

    /// One number.
    async fn count(&mut self, sql: &'static str) -> Result<u64, ImportError> {
        let rows = self.query(sql, params![]).await?;
        rows.first().map_or(Ok(0), |row| row.count(0)).map_err(ImportError::Source)
    }
}

/// An instant of milliseconds; 1970 where there is none. `None` for one that no clock shows.
fn instant(millis: Option<i64>) -> Option<MachineTime> {
    millis.unwrap_or_default().checked_mul(1_000).map(MachineTime::from_micros)
}

/// What a thing says besides, for its event: what is not there is left out.
fn elsewhere<const N: usize>(
    said: [(&str, serde_json::Value); N],
) -> serde_json::Map<String, serde_json::Value> {
    said.into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// PostgreSQL cannot store U+0000 in a text, and we store it nowhere.
fn has_nul(texts: &[&str]) -> bool {
    texts.iter().any(|text| text.contains('\0'))
}
