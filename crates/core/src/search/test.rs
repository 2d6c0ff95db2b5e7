//! Tests of one value: what a comparison becomes once its column's type is known.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::{Expression, Op, Operand, Pattern, SearchError};

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
    /// All of these; an expression that cannot be compiled is refused, where a stock server knows none.
    All,
    /// All of these, and the text is compared as a number where a number stands.
    AllAndNumbers,
}

impl Extra {
    const fn lists(self) -> bool {
        matches!(self, Self::Lists | Self::ListsAndExpressions | Self::All | Self::AllAndNumbers)
    }

    const fn nulls(self) -> bool {
        matches!(self, Self::Nulls | Self::NullsAndExpressions | Self::All | Self::AllAndNumbers)
    }

    const fn expressions(self) -> bool {
        matches!(self, Self::ListsAndExpressions | Self::NullsAndExpressions) || self.is_ours()
    }

    /// Whether a stock server has no such column, or less of it.
    const fn is_ours(self) -> bool {
        matches!(self, Self::All | Self::AllAndNumbers)
    }
}

/// A test of a text that may be missing.
#[derive(Debug, Clone, PartialEq)]
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
    /// The number that is written there passes; a text that is no number is as different from each as NaN.
    Number(NumberTest),
}

/// The number that a text is, if it is one: decimal, with an exponent or without, or an infinity or NaN by name.
pub fn number_in(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

impl TextTest {
    /// The test of a text column; the comparator is checked before the value.
    pub fn new(key: &str, op: Op, value: Operand, extra: Extra) -> Result<Self, SearchError> {
        let of_numbers = match op {
            Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Between | Op::NotBetween => true,
            Op::Eq | Op::Ne | Op::In | Op::NotIn => matches!(value, Operand::Number(_) | Operand::Numbers(_)),
            Op::Like | Op::ILike | Op::RLike | Op::IsNull | Op::IsNotNull => false,
        };
        if extra == Extra::AllAndNumbers && of_numbers {
            return NumberTest::of_any(key, op, &value).map(Self::Number);
        }
        let allowed = match op {
            Op::Eq | Op::Ne | Op::Like | Op::ILike => true,
            Op::RLike => extra.expressions(),
            Op::In | Op::NotIn => extra.lists(),
            Op::IsNull | Op::IsNotNull => extra.nulls(),
            Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Between | Op::NotBetween => false,
        };
        if !allowed {
            return Err(SearchError::Comparator { key: key.to_owned(), op: op.as_str() });
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
            (Op::RLike, Operand::Text(text)) if extra.is_ours() => {
                Ok(Self::Matches(Expression::checked(&text)?))
            }
            (Op::RLike, Operand::Text(text)) => Ok(Self::Matches(Expression::new(&text))),
            _ => Err(SearchError::not_text(key)),
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
            Self::Number(numeric) => numeric.holds(number_in(text).unwrap_or(f64::NAN)),
        }
    }

    /// Whether it asks for those that are missing, and only those.
    pub const fn wants_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

/// A test of a number that may be missing.
#[derive(Debug, Clone, PartialEq)]
pub enum NumberTest {
    /// There is none.
    Missing,
    /// There is one; NaN is one.
    Present,
    /// It is this; so is −0 of 0.
    Equal(f64),
    /// It is there, and not this.
    Differs(f64),
    /// It is less.
    Less(f64),
    /// It is this, or less.
    AtMost(f64),
    /// It is more.
    More(f64),
    /// It is this, or more.
    AtLeast(f64),
    /// It lies between these, or is one of them.
    Between(f64, f64),
    /// It is less than the one, or more than the other.
    Outside(f64, f64),
    /// It is one of these.
    In(Vec<f64>),
    /// It is there, and none of these.
    NotIn(Vec<f64>),
}

impl NumberTest {
    /// The test of a number column that every row has, or of which a missing one fails every test; the comparator is
    /// checked before the value.
    pub fn new(key: &str, op: Op, value: &Operand) -> Result<Self, SearchError> {
        match op {
            Op::IsNull | Op::IsNotNull => {
                Err(SearchError::Comparator { key: key.to_owned(), op: op.as_str() })
            }
            _ => Self::of_any(key, op, value),
        }
    }

    /// The test of a number column that may be asked for its missing values too.
    pub fn of_any(key: &str, op: Op, value: &Operand) -> Result<Self, SearchError> {
        let not_number = || SearchError::not_number(key);
        let make: fn(f64) -> Self = match op {
            Op::IsNull => return Ok(Self::Missing),
            Op::IsNotNull => return Ok(Self::Present),
            Op::Like | Op::ILike | Op::RLike => {
                return Err(SearchError::Comparator { key: key.to_owned(), op: op.as_str() });
            }
            Op::Between | Op::NotBetween | Op::In | Op::NotIn => {
                return match (op, value) {
                    (Op::Between, Operand::Range(low, high)) => Ok(Self::Between(*low, *high)),
                    (Op::NotBetween, Operand::Range(low, high)) => Ok(Self::Outside(*low, *high)),
                    (Op::In, Operand::Numbers(all)) => Ok(Self::In(sorted(all))),
                    (Op::NotIn, Operand::Numbers(all)) => Ok(Self::NotIn(sorted(all))),
                    _ => Err(not_number()),
                };
            }
            Op::Eq => Self::Equal,
            Op::Ne => Self::Differs,
            Op::Lt => Self::Less,
            Op::Le => Self::AtMost,
            Op::Gt => Self::More,
            Op::Ge => Self::AtLeast,
        };
        match value {
            Operand::Number(value) => Ok(make(*value)),
            _ => Err(not_number()),
        }
    }

    /// Whether a number that is there passes; a NaN is different from every number and in no order with any, as in
    /// IEEE 754.
    #[expect(clippy::float_cmp, reason = "equality of the stored number is what is asked")]
    pub fn holds(&self, number: f64) -> bool {
        match self {
            Self::Missing => false,
            Self::Present => true,
            Self::Equal(value) => number == *value,
            Self::Differs(value) => number != *value,
            Self::Less(value) => number < *value,
            Self::AtMost(value) => number <= *value,
            Self::More(value) => number > *value,
            Self::AtLeast(value) => number >= *value,
            Self::Between(low, high) => *low <= number && number <= *high,
            Self::Outside(low, high) => number < *low || *high < number,
            Self::In(all) => is_among(all, number),
            Self::NotIn(all) => !is_among(all, number),
        }
    }

    /// Whether it asks for those that are missing, and only those.
    pub const fn wants_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

/// Ascending. There is no NaN among what can be written.
fn sorted(all: &[f64]) -> Vec<f64> {
    let mut all = all.to_vec();
    all.sort_unstable_by(f64::total_cmp);
    all
}

fn is_among(sorted: &[f64], number: f64) -> bool {
    sorted.binary_search_by(|one| one.partial_cmp(&number).unwrap_or(Ordering::Less)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_ieee_754_says() {
        let nan = f64::NAN;
        for (test, passes, fails) in [
            (NumberTest::Equal(0.0), vec![-0.0, 0.0], vec![nan, 1.0]),
            (NumberTest::Differs(1.0), vec![nan, 0.0], vec![1.0]),
            (NumberTest::Between(1.0, 2.0), vec![1.0, 1.5, 2.0], vec![nan, 0.5, 2.5]),
            (NumberTest::Outside(1.0, 2.0), vec![0.5, 2.5, f64::INFINITY], vec![nan, 1.0, 2.0]),
            (NumberTest::In(sorted(&[3.0, -1.0, 0.0])), vec![-1.0, -0.0, 3.0], vec![nan, 1.0]),
            (NumberTest::NotIn(sorted(&[3.0, -1.0])), vec![nan, 0.0], vec![3.0, -1.0]),
            (NumberTest::Present, vec![nan, 0.0], vec![]),
            (NumberTest::Missing, vec![], vec![nan, 0.0]),
        ] {
            assert!(passes.iter().all(|number| test.holds(*number)), "{test:?}");
            assert!(!fails.iter().any(|number| test.holds(*number)), "{test:?}");
        }
    }

    #[test]
    fn a_column_has_the_comparators_of_its_kind() {
        let text = |op, extra| TextTest::new("k", op, Operand::Text("x".into()), extra);
        assert!(text(Op::RLike, Extra::Lists).is_err() && text(Op::RLike, Extra::All).is_ok());
        assert!(text(Op::Lt, Extra::All).is_err() && text(Op::Between, Extra::All).is_err());
        let number = |op| TextTest::new("k", op, Operand::Number(0.5), Extra::AllAndNumbers);
        for (op, passes, fails) in [
            (Op::Gt, vec!["0.6", "1e3", " 7 ", "inf"], vec!["0.5", "x", "", "nan", "0x9"]),
            (Op::Eq, vec!["0.5", "5e-1", ".50"], vec!["0.6", "x"]),
            (Op::Ne, vec!["0.6", "x", "nan"], vec!["0.50"]),
        ] {
            let made = number(op).unwrap();
            assert!(passes.iter().all(|text| made.holds(text)), "{made:?}");
            assert!(!fails.iter().any(|text| made.holds(text)), "{made:?}");
        }
        assert!(number(Op::Like).is_err() && text(Op::Lt, Extra::AllAndNumbers).is_err());
        assert!(TextTest::new("k", Op::Eq, Operand::Number(0.5), Extra::All).is_err());
        let broken = || Operand::Text("(".into());
        assert!(TextTest::new("k", Op::RLike, broken(), Extra::NullsAndExpressions).is_ok());
        assert!(TextTest::new("k", Op::RLike, broken(), Extra::All).is_err());
        let nothing = &Operand::Nothing;
        assert!(NumberTest::new("k", Op::IsNull, nothing).is_err());
        assert_eq!(NumberTest::of_any("k", Op::IsNull, nothing), Ok(NumberTest::Missing));
        assert!(NumberTest::of_any("k", Op::Like, &Operand::Text("x".into())).is_err());
        let list = Operand::List(vec!["1".into()]);
        assert_eq!(NumberTest::new("k", Op::In, &list), Err(SearchError::not_number("k")));
    }
}
