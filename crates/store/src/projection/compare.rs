//! Compares the projections with the tables, in one state of the database.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_governance::audit::{StateDifference, StateReport};

use super::replay::{Replayed, Rows, replay};
use super::tables::{Cell, PROJECTIONS, Projection};
use crate::driver::Connection;
use crate::reader::Reader;

/// Longest text shown of one cell, in characters.
const EXCERPT: usize = 80;
/// How much of what is equal is shown before the place where two texts part.
const LEAD: usize = 20;

impl Reader {
    /// Replays the log and compares the tables that follow from it: aliases, gate reports, approvals,
    /// endpoints and their revisions, grants, tokens and workspaces. Log and tables are read in one
    /// transaction, so this is right while others write.
    pub async fn check_state(&self) -> Result<StateReport, StorageError> {
        self.read(|tx| Box::pin(async move { check(&mut tx.connection).await })).await
    }
}

async fn check(connection: &mut Connection) -> Result<StateReport, StorageError> {
    match replay(connection).await? {
        Ok(replayed) => compare(connection, &replayed).await,
        Err(silent) => {
            let mut report = StateReport::default();
            report.push(*silent);
            Ok(report)
        }
    }
}

/// Compares every table.
pub(super) async fn compare(
    connection: &mut Connection,
    replayed: &Replayed,
) -> Result<StateReport, StorageError> {
    let mut report = StateReport::default();
    let none = Rows::new();
    for projection in PROJECTIONS {
        let expected = replayed.rows(projection.table).unwrap_or(&none);
        let rows = connection.query(projection.select, &[]).await?;
        let found = rows.into_iter().map(|row| projection.split(row));
        let found = found.collect::<Result<BTreeMap<_, _>, _>>()?;
        report.rows.push((projection.table, expected.len() as u64));
        compare_rows(projection, expected, &found, &mut report);
    }
    Ok(report)
}

fn compare_rows(
    projection: &Projection,
    expected: &Rows,
    found: &BTreeMap<Vec<Cell>, Vec<Cell>>,
    report: &mut StateReport,
) {
    let table = projection.table;
    let mut differences: BTreeMap<&Vec<Cell>, StateDifference> = BTreeMap::new();
    for (key, entry) in expected {
        let named = || projection.key_text(key);
        match found.get(key) {
            None => {
                let missing = StateDifference::Missing { table, key: named(), event: entry.event };
                differences.insert(key, missing);
            }
            Some(cells) if *cells != entry.cells => {
                let (expected, found) = projection.changed(&entry.cells, cells);
                let changed =
                    StateDifference::Changed { table, key: named(), event: entry.event, expected, found };
                differences.insert(key, changed);
            }
            Some(_) => {}
        }
    }
    for key in found.keys().filter(|key| !expected.contains_key(*key)) {
        differences.insert(key, StateDifference::Unknown { table, key: projection.key_text(key) });
    }
    for difference in differences.into_values() {
        report.push(difference);
    }
}

impl Projection {
    fn key_text(&self, key: &[Cell]) -> String {
        let pairs = self.columns.iter().zip(key).map(|(column, cell)| format!("{column}={}", shown(cell, 0)));
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// The columns that differ, with both their values.
    fn changed(&self, expected: &[Cell], found: &[Cell]) -> (String, String) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let columns = self.columns.iter().skip(self.key);
        for (column, (a, b)) in columns.zip(expected.iter().zip(found)).filter(|(_, (a, b))| a != b) {
            let from = parting(a, b);
            left.push(format!("{column}={}", shown(a, from)));
            right.push(format!("{column}={}", shown(b, from)));
        }
        (left.join(" "), right.join(" "))
    }
}

/// The character from which two long texts are worth showing.
fn parting(a: &Cell, b: &Cell) -> usize {
    let (Cell::Text(a), Cell::Text(b)) = (a, b) else { return 0 };
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count().saturating_sub(LEAD)
}

fn shown(cell: &Cell, from: usize) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Int(x) => x.to_string(),
        Cell::Text(x) => {
            let mut text: String = x.chars().skip(from).take(EXCERPT).collect();
            if from > 0 {
                text.insert(0, '…');
            }
            if x.chars().nth(from + EXCERPT).is_some() {
                text.push('…');
            }
            text
        }
    }
}

/// Every row, as text, table by table and in the order of their keys.
pub(crate) async fn dump(connection: &mut Connection) -> Result<Vec<String>, StorageError> {
    let mut lines = Vec::new();
    for projection in PROJECTIONS {
        let rows = connection.query(projection.select, &[]).await?;
        let found = rows.into_iter().map(|row| projection.split(row));
        let found = found.collect::<Result<BTreeMap<_, _>, _>>()?;
        lines.extend(found.iter().map(|row| format!("{} {row:?}", projection.table)));
    }
    Ok(lines)
}
