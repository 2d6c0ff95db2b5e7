//! The online contract: what a materialisation writes, what the predictor's store keeps, and how a row
//! answers a request.
//!
//! A row is *visible* from the later of its two instants, and the visible row with the greatest
//! [`Stamp`] answers: that is the point-in-time rule ([`crate::rule`]) read at the request's data time,
//! so a served value is the point-in-time value by definition.

mod key;
mod packed;
mod value;

use mainstay_core::time::DataTime;

use crate::span::Span;

pub use key::{EntityKey, KeyError};
pub use packed::{PACKED_VERSION, PackError, PackedRow, pack, unpack};
pub use value::{Value, ValueError};

/// The version of a row: rows of one key are ordered by it, the newest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The instant from which the values hold.
    pub ts: DataTime,
    /// The instant at which they became known.
    pub created: DataTime,
}

impl Stamp {
    /// The first instant at which the row may answer.
    pub fn visible(self) -> DataTime {
        self.ts.max(self.created)
    }
}

/// A feature row on its way to the online store.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineRow {
    /// The feature view.
    pub view: String,
    /// Whose values.
    pub key: EntityKey,
    /// Which version.
    pub stamp: Stamp,
    /// The values, in the order of the view's features.
    pub values: Vec<Value>,
}

/// How a request for a feature was answered. The names on the wire are Feast's
/// (`feast/serving/ServingService.proto`, `FieldStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// There is a value.
    Present,
    /// The newest visible row holds NULL; an older value never stands in for it.
    Null,
    /// The newest visible row is older than the view's ttl.
    OutsideMaxAge,
    /// No row is visible.
    NotFound,
}

impl Resolution {
    /// The name used in answers and in the prediction log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "PRESENT",
            Self::Null => "NULL_VALUE",
            Self::OutsideMaxAge => "OUTSIDE_MAX_AGE",
            Self::NotFound => "NOT_FOUND",
        }
    }

    /// Refines the answer of a row to the answer of one of its values.
    #[must_use]
    pub fn of(self, value: &Value) -> Self {
        if self == Self::Present && *value == Value::Null { Self::Null } else { self }
    }
}

/// How a row, the newest visible one if there is any, answers at a data time: [`Resolution::Present`],
/// [`Resolution::OutsideMaxAge`] or [`Resolution::NotFound`]. Both ends of the ttl are inclusive: a row
/// with `ts = at − ttl` still answers.
pub fn resolve(newest: Option<Stamp>, at: DataTime, ttl: Option<Span>) -> Resolution {
    match newest {
        None => Resolution::NotFound,
        Some(stamp) if stamp.visible() > at => Resolution::NotFound,
        Some(stamp) if ttl.is_some_and(|ttl| stamp.ts < at.plus(-ttl.micros())) => Resolution::OutsideMaxAge,
        Some(_) => Resolution::Present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(ts: i64, created: i64) -> Stamp {
        Stamp { ts: DataTime::from_micros(ts), created: DataTime::from_micros(created) }
    }

    #[test]
    fn both_ends_of_the_ttl_are_inclusive() {
        let ttl = Span::from_micros(10);
        let at = |micros| resolve(Some(stamp(100, 100)), DataTime::from_micros(micros), ttl);
        assert_eq!(at(99), Resolution::NotFound);
        assert_eq!(at(100), Resolution::Present);
        assert_eq!(at(110), Resolution::Present);
        assert_eq!(at(111), Resolution::OutsideMaxAge);
        assert_eq!(resolve(Some(stamp(100, 120)), DataTime::from_micros(119), None), Resolution::NotFound);
        assert_eq!(resolve(Some(stamp(100, 120)), DataTime::MAX, None), Resolution::Present);
        assert_eq!(resolve(None, DataTime::MAX, ttl), Resolution::NotFound);
    }

    #[test]
    fn a_null_value_refines_only_a_present_row() {
        assert_eq!(Resolution::Present.of(&Value::Null), Resolution::Null);
        assert_eq!(Resolution::Present.of(&Value::Int(0)), Resolution::Present);
        assert_eq!(Resolution::NotFound.of(&Value::Null), Resolution::NotFound);
    }
}
