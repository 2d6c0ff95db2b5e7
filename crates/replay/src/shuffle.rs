//! The days dealt in another order: whole days keep their rows and get other dates, in every table alike,
//! so that whatever drifted over the year drifts no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, PrimitiveArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use mainstay_core::failed::Failed;
use mainstay_core::time::{DAY, DataTime};
use mainstay_query::files::{query, register, write};
use mainstay_query::session::Session;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::plan::Plan;

/// Lays out `folder` anew in `root`, with the days of the tables dealt by `seed`.
pub(super) async fn deal(
    session: &Session,
    plan: &Plan,
    folder: &Path,
    root: &Path,
    seed: u64,
) -> Result<(), Failed> {
    let rule = plan.shuffle.as_ref();
    let rule = rule.ok_or_else(|| Failed::Usage("the replay has no rule to shuffle its days".to_owned()))?;
    let lost = |error| Failed::file(root, error);
    std::fs::create_dir_all(root).map_err(lost)?;
    let moved: BTreeSet<&String> = rule.columns.keys().filter_map(|table| plan.tables.get(table)).collect();
    for entry in std::fs::read_dir(folder).map_err(lost)? {
        let entry = entry.map_err(lost)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !moved.contains(&name) {
            std::os::unix::fs::symlink(entry.path(), root.join(name)).map_err(lost)?;
        }
    }
    let mut read = BTreeMap::new();
    for (table, column) in &rule.columns {
        let file = plan.tables.get(table);
        let file = file.ok_or_else(|| Failed::Usage(format!("shuffle names no table: {table}")))?;
        let source = format!("source_{table}");
        register(session, &[(source.clone(), folder.join(file))].into()).await?;
        let rows = query(session, &format!("SELECT * FROM {source}")).await?;
        read.insert(file, (column, rows));
    }
    let first = plan.tables.get(&plan.requests.table).and_then(|file| read.get(file));
    let (column, rows) =
        first.ok_or_else(|| Failed::Usage("shuffle must name the table of the requests".to_owned()))?;
    let days: BTreeSet<i64> = instants(rows, column)?.iter().flatten().map(|at| day(plan, at)).collect();
    let dealt = permuted(days.into_iter().collect(), seed);
    for (file, (column, rows)) in &read {
        write(&moved_by(plan, rows, column, &dealt)?, &root.join(file))?;
    }
    Ok(())
}

fn day(plan: &Plan, micros: i64) -> i64 {
    plan.day(DataTime::from_micros(micros))
}

/// Each day with the day whose date it gets.
fn permuted(days: Vec<i64>, seed: u64) -> BTreeMap<i64, i64> {
    let mut dealt = days.clone();
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    // Fisher and Yates; the modulus favours small numbers by less than one in 2^50.
    for last in (1..dealt.len()).rev() {
        let other = rng.next_u64() % (last as u64 + 1);
        dealt.swap(last, usize::try_from(other).unwrap_or(last));
    }
    days.into_iter().zip(dealt).collect()
}

fn instants<'a>(
    rows: &'a RecordBatch,
    column: &str,
) -> Result<&'a PrimitiveArray<TimestampMicrosecondType>, Failed> {
    let found = rows.column_by_name(column).and_then(|found| found.as_primitive_opt());
    found.ok_or_else(|| Failed::Usage(format!("shuffle: {column} is no column of instants")))
}

fn moved_by(
    plan: &Plan,
    rows: &RecordBatch,
    column: &str,
    dealt: &BTreeMap<i64, i64>,
) -> Result<RecordBatch, Failed> {
    let before = instants(rows, column)?;
    let moved = before.iter().map(|at| {
        at.map(|at| {
            let day = day(plan, at);
            at + (dealt.get(&day).copied().unwrap_or(day) - day) * DAY
        })
    });
    let moved: PrimitiveArray<TimestampMicrosecondType> = moved.collect();
    let moved: ArrayRef = Arc::new(moved.with_data_type(before.data_type().clone()));
    let schema = rows.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, values)| if field.name() == column { moved.clone() } else { values.clone() });
    let columns: Vec<ArrayRef> = columns.collect();
    RecordBatch::try_new(rows.schema(), columns).map_err(|error| Failed::outside("shuffling the days", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deal_is_a_permutation_that_its_seed_decides() {
        let days: Vec<i64> = (100..465).collect();
        let dealt = permuted(days.clone(), 7);
        let mut to: Vec<i64> = dealt.values().copied().collect();
        assert_ne!(to, days);
        to.sort_unstable();
        assert_eq!(to, days);
        assert_eq!(dealt, permuted(days.clone(), 7));
        assert_ne!(dealt, permuted(days, 8));
    }
}
