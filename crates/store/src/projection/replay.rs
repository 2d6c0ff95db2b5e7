//! Reads the log from its first event and builds the rows of the projections.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_governance::audit::{StateDifference, StoredEvent};
use serde_json::Value as Json;

use super::rules;
use super::tables::Cell;
use crate::audit::audit_page;
use crate::driver::Connection;

/// Events read at once.
const PAGE: usize = 1_000;

/// A row's cells besides its key, and the event that wrote it last.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cells: Vec<Cell>,
    pub(super) event: EventSeq,
}

/// The rows of one table, by key.
pub(super) type Rows = BTreeMap<Vec<Cell>, Entry>;

/// What the tables must hold.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    tables: BTreeMap<&'static str, Rows>,
    at: EventSeq,
}

/// An event does not say what it did.
pub(super) type Silent = StateDifference;

impl Replayed {
    /// The rows of a table.
    pub(super) fn rows(&self, table: &str) -> Option<&Rows> {
        self.tables.get(table)
    }

    /// The rows of a table, to be changed by the event at hand.
    pub(super) fn of(&mut self, table: &'static str) -> &mut Rows {
        self.tables.entry(table).or_default()
    }

    /// The event at hand writes a row.
    pub(super) fn put(&mut self, table: &'static str, key: Vec<Cell>, cells: Vec<Cell>) {
        let entry = Entry { cells, event: self.at };
        self.of(table).insert(key, entry);
    }

    /// The event at hand takes a row away.
    pub(super) fn remove(&mut self, table: &'static str, key: &[Cell]) {
        self.of(table).remove(key);
    }

    /// The event at hand changes a cell of a row.
    pub(super) fn set(&mut self, table: &'static str, key: &[Cell], column: usize, cell: Cell) {
        let at = self.at;
        if let Some(entry) = self.of(table).get_mut(key)
            && let Some(old) = entry.cells.get_mut(column)
        {
            (*old, entry.event) = (cell, at);
        }
    }

    fn event(&mut self, event: &StoredEvent) -> Result<(), Box<Silent>> {
        if !rules::concerns(&event.kind) {
            return Ok(());
        }
        self.at = event.seq;
        let silent = |why| Box::new(Silent::Silent { event: event.seq, kind: event.kind.clone(), why });
        let text = event.body.as_deref().ok_or_else(|| silent("its body was erased"))?;
        let body: Json = serde_json::from_str(text).map_err(|_| silent("its body does not read"))?;
        rules::apply(self, event, &body).ok_or_else(|| silent("its body does not tell the whole row"))
    }
}

/// Replays the whole log as the connection's transaction sees it. The first event that does not say
/// what it did ends the replay.
pub(super) async fn replay(
    connection: &mut Connection,
) -> Result<Result<Replayed, Box<Silent>>, StorageError> {
    let mut replayed = Replayed::default();
    let mut after = EventSeq(0);
    loop {
        let events = audit_page(connection, after, PAGE).await?;
        let Some(last) = events.last() else { return Ok(Ok(replayed)) };
        after = last.seq;
        for event in &events {
            if let Err(silent) = replayed.event(event) {
                return Ok(Err(silent));
            }
        }
    }
}
