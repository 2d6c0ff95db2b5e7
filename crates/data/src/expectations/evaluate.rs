//! From counts to verdicts.

use serde_json::Value;

use super::plan::{Probe, ValueCounts, ValueTest};
use super::result::{ExpectationResult, Finding, SuiteResult};
use super::suite::{Check, Expectation, Range, Suite};
use crate::schema::Schema;

impl Suite {
    /// Judges a table with `schema` and `rows` rows. `plan` is what [`Suite::plan`] gave for the same
    /// schema, and `counts` what was counted for it: one entry per expectation, used for
    /// [`Probe::Values`] alone. A missing entry counts as a table without rows.
    pub fn evaluate(
        &self,
        schema: &Schema,
        rows: u64,
        plan: &[Probe],
        counts: &[ValueCounts],
    ) -> SuiteResult {
        let none = ValueCounts::default();
        let results = self.expectations().iter().enumerate().map(|(at, expectation)| {
            let counts = counts.get(at).unwrap_or(&none);
            judge(expectation, schema, rows, plan.get(at).unwrap_or(&Probe::Nothing), counts)
        });
        SuiteResult { suite_name: self.name().to_owned(), results: results.collect() }
    }
}

fn judge(
    expectation: &Expectation,
    schema: &Schema,
    rows: u64,
    probe: &Probe,
    counts: &ValueCounts,
) -> ExpectationResult {
    let (success, finding) = match probe {
        Probe::Impossible(reason) => (false, Finding::Exception(reason.clone())),
        Probe::Values { test, .. } => {
            let nulls = matches!(test, ValueTest::Present);
            let considered =
                if nulls { counts.elements } else { counts.elements.saturating_sub(counts.missing) };
            let success = mostly(considered, counts.unexpected, expectation.mostly);
            (success, Finding::Counts { counts: counts.clone(), nulls })
        }
        Probe::Nothing => plain(&expectation.check, schema, rows),
    };
    ExpectationResult { success, severity: expectation.severity, config: expectation.config.clone(), finding }
}

/// Whether enough of the considered values fit; none considered is enough. Source: `_mostly_success`
/// in Great Expectations 1.24's `expectations/expectation.py`.
fn mostly(considered: u64, unexpected: u64, share: f64) -> bool {
    unexpected == 0 || (considered as f64 - unexpected as f64) / considered as f64 >= share
}

/// What needs the schema and the number of rows alone.
fn plain(check: &Check, schema: &Schema, rows: u64) -> (bool, Finding) {
    match check {
        Check::ColumnExists { column, index } => {
            let at = schema.position(column);
            (at.is_some() && index.is_none_or(|index| at == Some(index)), Finding::Bare)
        }
        Check::OfType { column, data_type } => {
            let found = schema.type_of(column);
            let observed = found.map_or(Value::Null, |found| Value::from(found.as_str()));
            (found == Some(*data_type), Finding::Observed(observed))
        }
        Check::RowCount { range } => (within(rows, range), Finding::Observed(Value::from(rows))),
        Check::NotNull { .. } | Check::Between { .. } | Check::InSet { .. } => (false, Finding::Bare),
    }
}

fn within(rows: u64, range: &Range) -> bool {
    let rows = rows as f64;
    let bound = |side: &Option<Value>| side.as_ref().and_then(Value::as_f64);
    bound(&range.min).is_none_or(|min| if range.strict_min { rows > min } else { rows >= min })
        && bound(&range.max).is_none_or(|max| if range.strict_max { rows < max } else { rows <= max })
}
