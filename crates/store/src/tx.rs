//! The one transaction type. Every domain's port is implemented on it, in a module of its own.

use std::fmt;

use mainstay_core::command::{Context, Journal};
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;

use crate::driver::Connection;
use crate::pipelines::KnownDefinitions;
use crate::value::{Row, Value};

/// An event that waits for its sequence number.
pub(crate) struct Pending {
    pub(crate) event: Event,
    pub(crate) context: Context,
}

/// What a failed statement means for the group that it is in.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Roll the group back and replay it, command by command.
    Replay,
    /// Roll the group back and fail it: the database is gone, or full.
    Group(StorageError),
    /// Only the command at hand fails.
    Command(StorageError),
    /// The command was refused, and what it wrote cannot be taken back by itself: once more, with savepoints.
    Guard,
}

/// A transaction of the writer. Commands see it through their domain's port only.
pub struct StoreTx {
    pub(crate) connection: Connection,
    pub(crate) now: MachineTime,
    pub(crate) context: Context,
    pub(crate) pending: Vec<Pending>,
    /// A run or step of a pipeline was written since the group began.
    pub(crate) has_moved_steps: bool,
    pub(crate) definitions: KnownDefinitions,
    /// The command at hand wrote something.
    pub(crate) has_written: bool,
    trouble: Option<Trouble>,
}

impl StoreTx {
    pub(crate) fn new(connection: Connection, context: Context) -> Self {
        Self {
            connection,
            now: MachineTime::default(),
            context,
            pending: Vec::new(),
            has_moved_steps: false,
            definitions: KnownDefinitions::default(),
            has_written: false,
            trouble: None,
        }
    }

    /// The events of the group so far, those of the present command last.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Event> {
        self.pending.iter().map(|pending| &pending.event)
    }

    /// What went wrong since this was last asked.
    pub(crate) fn take_trouble(&mut self) -> Option<Trouble> {
        self.trouble.take()
    }

    /// Runs a statement; gives the number of rows that it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, StorageError> {
        self.has_written = true;
        let done = self.connection.execute(sql, values).await;
        done.inspect_err(|error| self.note(error))
    }

    /// Runs a query; gives all its rows.
    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StorageError> {
        // What returns rows may have written them.
        self.has_written |= !sql.starts_with("SELECT");
        let rows = self.connection.query(sql, values).await;
        rows.inspect_err(|error| self.note(error))
    }

    /// Runs a query that gives one row or none.
    pub(crate) async fn query_one(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<Row>, StorageError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    fn note(&mut self, error: &StorageError) {
        // The command may turn the error into one of its own; the group is judged by this note.
        let told = || Cause::from(error.to_string());
        self.trouble = Some(match error {
            StorageError::Contended(_) => Trouble::Replay,
            StorageError::Unavailable(cause) => {
                Trouble::Group(StorageError::Unavailable(cause.to_string().into()))
            }
            StorageError::Full(cause) => Trouble::Group(StorageError::Full(cause.to_string().into())),
            StorageError::Corrupt(what) => Trouble::Command(StorageError::Corrupt(what.clone())),
            StorageError::Nul => Trouble::Command(StorageError::Nul),
            StorageError::Newer { schema, known } => {
                Trouble::Command(StorageError::Newer { schema: *schema, known: *known })
            }
            StorageError::Failed(cause) => {
                tracing::error!(%cause, "a statement failed");
                Trouble::Command(StorageError::Failed(told()))
            }
        });
    }
}

impl Journal for StoreTx {
    fn record(&mut self, event: Event) {
        self.pending.push(Pending { event, context: self.context.clone() });
    }

    fn now(&self) -> MachineTime {
        self.now
    }

    fn actor(&self) -> &Actor {
        &self.context.actor
    }

    fn workspace(&self) -> &Name {
        &self.context.workspace
    }

    fn admits(&self, kind: ResourceKind, id: &dyn fmt::Display) -> bool {
        self.context.doubt.as_ref().is_none_or(|doubt| doubt.admits(kind, id))
    }
}
