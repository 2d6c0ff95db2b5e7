//! Tests of one value: what a comparison becomes once its column's type is known.

use std::collections::BTreeSet;

use super::SearchError;
use super::pattern::Pattern;
use super::syntax::{Op, Operand};

/// Which comparators a text column has beside `= != LIKE ILIKE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Nothing,
    Lists,
    Nulls,
}

/// A test of a text that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Equal(String),
    Differs(String),
    Like(Pattern),
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
}

/// A test of a text that may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextTest(Presence);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Presence {
    Missing,
    Present,
    Holds(Test),
}

impl TextTest {
    pub(super) fn new(key: &str, op: Op, value: Operand, extra: Extra) -> Result<Self, SearchError> {
        let wrong_op = || SearchError::Comparator { key: key.to_owned(), op: op.as_str() };
        let allowed = match op {
            Op::Eq | Op::Ne | Op::Like | Op::ILike => true,
            Op::In | Op::NotIn => extra == Extra::Lists,
            Op::IsNull | Op::IsNotNull => extra == Extra::Nulls,
            Op::Lt | Op::Le | Op::Gt | Op::Ge => false,
        };
        if !allowed {
            return Err(wrong_op());
        }
        let presence = match (op, value) {
            (Op::IsNull, _) => Presence::Missing,
            (Op::IsNotNull, _) => Presence::Present,
            (Op::In, Operand::List(items)) => Presence::Holds(Test::In(items.into_iter().collect())),
            (Op::NotIn, Operand::List(items)) => Presence::Holds(Test::NotIn(items.into_iter().collect())),
            (Op::Eq, Operand::Text(text)) => Presence::Holds(Test::Equal(text)),
            (Op::Ne, Operand::Text(text)) => Presence::Holds(Test::Differs(text)),
            (Op::Like, Operand::Text(text)) => Presence::Holds(Test::Like(Pattern::new(&text, false))),
            (Op::ILike, Operand::Text(text)) => Presence::Holds(Test::Like(Pattern::new(&text, true))),
            _ => {
                return Err(SearchError::Value { key: key.to_owned(), expected: "a quoted string value" });
            }
        };
        Ok(Self(presence))
    }

    /// Whether a text that is there passes.
    pub(crate) fn holds(&self, text: &str) -> bool {
        match &self.0 {
            Presence::Missing => false,
            Presence::Present => true,
            Presence::Holds(Test::Equal(value)) => text == value,
            Presence::Holds(Test::Differs(value)) => text != value,
            Presence::Holds(Test::Like(pattern)) => pattern.matches(text),
            Presence::Holds(Test::In(items)) => items.contains(text),
            Presence::Holds(Test::NotIn(items)) => !items.contains(text),
        }
    }

    /// Whether it asks for those that are missing, and only those.
    pub(crate) const fn wants_missing(&self) -> bool {
        matches!(self.0, Presence::Missing)
    }
}

/// A test of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NumberTest {
    op: Op,
    value: f64,
}

impl NumberTest {
    pub(super) fn new(key: &str, op: Op, value: &Operand) -> Result<Self, SearchError> {
        match op {
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => {}
            _ => return Err(SearchError::Comparator { key: key.to_owned(), op: op.as_str() }),
        }
        match *value {
            Operand::Number(value) => Ok(Self { op, value }),
            _ => Err(SearchError::Value { key: key.to_owned(), expected: "a numeric value" }),
        }
    }

    /// Whether a number passes; of a NaN only `!=` holds, as in IEEE 754.
    #[expect(clippy::float_cmp, reason = "equality of the stored number is what is asked")]
    pub(crate) fn holds(&self, number: f64) -> bool {
        match self.op {
            Op::Eq => number == self.value,
            Op::Ne => number != self.value,
            Op::Lt => number < self.value,
            Op::Le => number <= self.value,
            Op::Gt => number > self.value,
            _ => number >= self.value,
        }
    }
}
