//! Comparisons with what is said of a trace.

use mainstay_core::search::{Expression, Extra, NumberTest, Op, Operand, Pattern, TextTest};

use crate::assessment::{AssessmentValue, Kind, quoted};
use crate::index::Told;
use mainstay_core::search::SearchError;

/// Whether something of a kind and name is said that is valid and passes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AssessmentTest {
    kind: Kind,
    name: String,
    test: ValueTest,
}

/// A test of a value; texts are those of JSON.
#[derive(Debug, Clone, PartialEq)]
enum ValueTest {
    /// There is none.
    Missing,
    /// Any.
    Present,
    /// It is this, or the text of this.
    Equal { plain: String, quoted: String },
    /// It is another.
    Differs { plain: String, quoted: String },
    /// Its text matches.
    Like(Pattern),
    /// Something in its text matches.
    Matches(Expression),
    /// It is a number that passes.
    Number(NumberTest),
}

impl AssessmentTest {
    /// The test; the comparator is checked before the value.
    pub(crate) fn new(kind: Kind, name: String, op: Op, value: Operand) -> Result<Self, SearchError> {
        if matches!(op, Op::Lt | Op::Le | Op::Gt | Op::Ge) {
            let test = ValueTest::Number(NumberTest::new(&name, op, &value)?);
            return Ok(Self { kind, name, test });
        }
        let test = match TextTest::new(&name, op, value, Extra::NullsAndExpressions)? {
            TextTest::Missing => ValueTest::Missing,
            TextTest::Equal(plain) => ValueTest::Equal { quoted: quoted(&plain), plain },
            TextTest::Differs(plain) => ValueTest::Differs { quoted: quoted(&plain), plain },
            TextTest::Like(pattern) => ValueTest::Like(pattern),
            TextTest::Matches(expression) => ValueTest::Matches(expression),
            TextTest::Present | TextTest::In(_) | TextTest::NotIn(_) | TextTest::Number(_) => {
                ValueTest::Present
            }
        };
        Ok(Self { kind, name, test })
    }

    /// Whether it asks for traces of which nothing passes.
    pub(crate) const fn wants_missing(&self) -> bool {
        matches!(self.test, ValueTest::Missing)
    }

    /// Whether this is said, or of [`wants_missing`](Self::wants_missing) the contrary.
    pub(crate) fn passes(&self, told: &Told) -> bool {
        told.is_valid && told.kind == self.kind && *told.name == *self.name && self.holds(&told.value)
    }

    fn holds(&self, value: &AssessmentValue) -> bool {
        let text = value.as_str();
        match &self.test {
            ValueTest::Missing | ValueTest::Present => true,
            ValueTest::Equal { plain, quoted } => text == plain || text == quoted,
            ValueTest::Differs { plain, quoted } => text != plain && text != quoted,
            ValueTest::Like(pattern) => pattern.matches(text),
            ValueTest::Matches(expression) => expression.is_in(text),
            ValueTest::Number(wanted) => value.number().is_some_and(|number| wanted.holds(number)),
        }
    }
}
