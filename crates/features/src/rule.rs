//! The point-in-time rule.
//!
//! For an entity row e and a feature view V, of the rows r of V
//!
//! 1. keep those whose join keys all equal e's; a NULL key, on either side, matches nothing;
//! 2. keep those with `r.ts ≤ e.ts`; and, with the *created cut-off* (on unless switched off), those with
//!    `r.created ≤ e.ts`, so that a fact which arrived late, or was backfilled, is not seen before it was
//!    known; a row whose `created` is NULL is then never seen;
//! 3. take the greatest by (`ts`, `created`), NULL `created` lowest, a full tie by the packed values, so
//!    that the answer is never arbitrary;
//! 4. answer with it if V has no ttl or `r.ts ≥ e.ts − ttl`; else, or if nothing was left, with NULLs.
//!
//! Both bounds are inclusive. The newest row answers even where it holds NULL: there is no fall-back to
//! an older value. Every entity row gives exactly one row of the answer, equal ones too. Instants are
//! compared as instants; a naive timestamp is UTC; the resolution is one microsecond.
//!
//! Points 1 to 4 without the cut-off are what Feast's SQL stores do
//! (`feast/infra/offline_stores/bigquery.py`, template `MULTIPLE_FEATURE_VIEW_POINT_IN_TIME_JOIN`, and its
//! `DuckDB` store), which apply the ttl before taking the greatest; that gives the same answer, because
//! among rows with `ts ≤ e.ts` only the greatest `ts` can be the last to fall within the ttl. The cut-off
//! is Feast's `filter_by_created_timestamp`, which is off by default there and leaks knowledge of the
//! future into training when it is.

use mainstay_core::time::DataTime;

use crate::online::Value;
use crate::span::Span;

/// A feature row of one key, as the rule sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The instant from which the values hold.
    pub ts: DataTime,
    /// When they became known.
    pub created: Option<DataTime>,
    /// The values.
    pub values: Vec<Value>,
}

/// Whether rows that were not yet known at the entity row's instant are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CreatedCutoff {
    /// They are hidden.
    #[default]
    On,
    /// They are seen: for sources whose `created` says nothing, such as a re-imported history.
    Off,
}

/// The rule for one entity row, over the rows of its key in any order: linear, and as plain as the text
/// above. Every faster path is tested against it. Of fully tied rows the last of the greatest answers.
pub fn point_in_time(
    rows: &[Candidate],
    at: DataTime,
    ttl: Option<Span>,
    cutoff: CreatedCutoff,
) -> Option<&Candidate> {
    rows.iter()
        .filter(|row| row.ts <= at)
        .filter(|row| cutoff == CreatedCutoff::Off || row.created.is_some_and(|created| created <= at))
        .max_by_key(|row| (row.ts, row.created))
        .filter(|row| ttl.is_none_or(|ttl| row.ts >= at.plus(-ttl.micros())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ts: i64, created: Option<i64>, value: i64) -> Candidate {
        Candidate {
            ts: DataTime::from_micros(ts),
            created: created.map(DataTime::from_micros),
            values: vec![Value::Int(value)],
        }
    }

    fn answer(rows: &[Candidate], at: i64, ttl: Option<i64>, cutoff: CreatedCutoff) -> Option<Value> {
        point_in_time(rows, DataTime::from_micros(at), ttl.and_then(Span::from_micros), cutoff)
            .and_then(|row| row.values.first().cloned())
    }

    #[test]
    fn the_table_of_edges() {
        use CreatedCutoff::{Off, On};
        let rows = [
            row(10, Some(10), 1),
            row(20, Some(20), 2),
            row(20, Some(30), 3),
            row(20, None, 4),
            row(40, None, 5),
        ];
        for (at, ttl, cutoff, expected) in [
            (9, None, On, None),
            (10, None, On, Some(1)),
            (19, Some(9), On, Some(1)),
            (19, Some(8), On, None),
            (20, None, On, Some(2)),
            (29, None, On, Some(2)),
            (30, None, On, Some(3)),
            (20, None, Off, Some(3)),
            (40, None, On, Some(3)),
            (40, None, Off, Some(5)),
            (45, Some(5), Off, Some(5)),
            (46, Some(5), Off, None),
        ] {
            let got = answer(&rows, at, ttl, cutoff);
            assert_eq!(got, expected.map(Value::Int), "at {at}, ttl {ttl:?}, cut-off {cutoff:?}");
        }
    }
}
