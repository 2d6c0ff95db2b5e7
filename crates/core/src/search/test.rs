//! Tests of one value: what a comparison becomes once its column's type is known.

use std::collections::BTreeSet;

use super::{Expression, Fault, Op, Operand, Pattern};

/// Which comparators a text column has beside `= != LIKE ILIKE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// None.
    Nothing,
    /// `IN` and `NOT IN`.
    Lists,
    /// `IS NULL` and `IS NOT NULL`.
    Nulls,
    /// `IN`, `NOT IN` and `RLIKE`.
    ListsAndExpressions,
    /// `IS NULL`, `IS NOT NULL` and `RLIKE`.
    NullsAndExpressions,
}

impl Extra {
    const fn lists(self) -> bool {
        matches!(self, Self::Lists | Self::ListsAndExpressions)
    }

    const fn nulls(self) -> bool {
        matches!(self, Self::Nulls | Self::NullsAndExpressions)
    }

    const fn expressions(self) -> bool {
        matches!(self, Self::ListsAndExpressions | Self::NullsAndExpressions)
    }
}

/// A test of a text that may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    /// There is none.
    Missing,
    /// There is one.
    Present,
    /// It is this.
    Equal(String),
    /// It is there, and not this.
    Differs(String),
    /// It matches.
    Like(Pattern),
    /// Something in it matches.
    Matches(Expression),
    /// It is one of these.
    In(BTreeSet<String>),
    /// It is there, and none of these.
    NotIn(BTreeSet<String>),
}

impl TextTest {
    /// The test of a text column; the comparator is checked before the value.
    pub fn new(key: &str, op: Op, value: Operand, extra: Extra) -> Result<Self, Fault> {
        let allowed = match op {
            Op::Eq | Op::Ne | Op::Like | Op::ILike => true,
            Op::RLike => extra.expressions(),
            Op::In | Op::NotIn => extra.lists(),
            Op::IsNull | Op::IsNotNull => extra.nulls(),
            Op::Lt | Op::Le | Op::Gt | Op::Ge => false,
        };
        if !allowed {
            return Err(Fault::Comparator { key: key.to_owned(), op: op.as_str() });
        }
        match (op, value) {
            (Op::IsNull, _) => Ok(Self::Missing),
            (Op::IsNotNull, _) => Ok(Self::Present),
            (Op::In, Operand::List(items)) => Ok(Self::In(items.into_iter().collect())),
            (Op::NotIn, Operand::List(items)) => Ok(Self::NotIn(items.into_iter().collect())),
            (Op::Eq, Operand::Text(text)) => Ok(Self::Equal(text)),
            (Op::Ne, Operand::Text(text)) => Ok(Self::Differs(text)),
            (Op::Like, Operand::Text(text)) => Ok(Self::Like(Pattern::new(&text, false))),
            (Op::ILike, Operand::Text(text)) => Ok(Self::Like(Pattern::new(&text, true))),
            (Op::RLike, Operand::Text(text)) => Ok(Self::Matches(Expression::new(&text))),
            _ => Err(Fault::NotText(key.to_owned())),
        }
    }

    /// Whether a text that is there passes.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Missing => false,
            Self::Present => true,
            Self::Equal(value) => text == value,
            Self::Differs(value) => text != value,
            Self::Like(pattern) => pattern.matches(text),
            Self::Matches(expression) => expression.is_in(text),
            Self::In(items) => items.contains(text),
            Self::NotIn(items) => !items.contains(text),
        }
    }

    /// Whether it asks for those that are missing, and only those.
    pub const fn wants_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

/// A test of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberTest {
    op: Op,
    value: f64,
}

impl NumberTest {
    /// The test of a number column; the comparator is checked before the value.
    pub fn new(key: &str, op: Op, value: &Operand) -> Result<Self, Fault> {
        match op {
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => {}
            _ => return Err(Fault::Comparator { key: key.to_owned(), op: op.as_str() }),
        }
        match *value {
            Operand::Number(value) => Ok(Self { op, value }),
            _ => Err(Fault::NotNumber(key.to_owned())),
        }
    }

    /// Whether a number passes; of a NaN only `!=` holds, as in IEEE 754.
    #[expect(clippy::float_cmp, reason = "equality of the stored number is what is asked")]
    pub fn holds(&self, number: f64) -> bool {
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
