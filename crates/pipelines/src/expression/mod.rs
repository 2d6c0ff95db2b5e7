//! Conditions of steps: a small typed language over step results and parameters.
//!
//! ```text
//! steps.gate.passed && params.force != true
//! steps["train@us"].auc >= 0.7 || steps.check.outcome == "failed"
//! ```
//!
//! Values are null, booleans, numbers and texts. `||`, `&&`, `!` want booleans, and take null (a result
//! that is not there) as false; `==` and `!=` compare anything; `<`, `<=`, `>`, `>=` compare two
//! numbers or two texts. Mixing types is refused: when written where both are literals, when evaluated
//! otherwise. The roots are `steps`, `params` and `run`; `steps.NAME.outcome` is `"accepted"`,
//! `"failed"` or `"skipped"`, every other key is one of the step's output.

mod lexer;
mod parser;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::definition::{Key, descend};

/// Longest expression, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// Deepest nesting of parentheses and negations.
pub const MAX_DEPTH: usize = 32;

/// Why an expression is refused or has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// Longer than [`MAX_LENGTH`].
    #[error("the expression is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the expression is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A character or token that does not belong here.
    #[error("the expression breaks at byte {at}: expected {expected}")]
    Syntax {
        /// Where, in bytes from the start.
        at: usize,
        /// What would fit.
        expected: &'static str,
    },
    /// A reference to something else than steps, params or the run.
    #[error("'{0}' is not known; a reference starts with steps., params. or run.")]
    Root(String),
    /// An operator got a type that it does not take.
    #[error("'{operator}' needs {needs}, but got {got}")]
    Type {
        /// The operator.
        operator: &'static str,
        /// What it takes.
        needs: &'static str,
        /// What it got.
        got: &'static str,
    },
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A constant: null, a boolean, a number or a text.
    Literal(Value),
    /// A reference; the first key is the root.
    Path(Vec<Key>),
    /// Negation.
    Not(Box<Self>),
    /// At least two operands, all of which must hold.
    All(Vec<Self>),
    /// At least two operands, one of which must hold.
    Any(Vec<Self>),
    /// A comparison.
    Compare(Comparison, Box<Self>, Box<Self>),
}

/// What the references of an expression are answered from.
pub trait Environment {
    /// The value at a path whose first key is the root; `None` if it is not there.
    fn lookup(&self, path: &[Key]) -> Option<Value>;
}

impl Environment for Value {
    fn lookup(&self, path: &[Key]) -> Option<Value> {
        descend(self, path).cloned()
    }
}

/// A condition: an expression with the text it was written in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: String,
    expression: Expression,
}

impl Condition {
    /// Parses and checks a text.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let expression = parser::parse(text)?;
        if let Some(kind) = expression.kind().filter(|kind| !matches!(kind, Kind::Boolean | Kind::Null)) {
            return Err(logical("if", kind));
        }
        Ok(Self { text: text.to_owned(), expression })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the condition holds. Null counts as false.
    pub fn holds(&self, environment: &dyn Environment) -> Result<bool, ExpressionError> {
        truth("if", &self.expression.evaluate(environment)?)
    }

    /// The names of the steps it refers to.
    pub fn steps(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.expression.collect_steps(&mut found);
        found
    }
}

impl TryFrom<String> for Condition {
    type Error = ExpressionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A reference to one value, such as `steps.train.model`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    text: String,
    path: Vec<Key>,
}

impl Reference {
    /// Parses a text.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        match parser::parse(text)? {
            Expression::Path(path) => Ok(Self { text: text.to_owned(), path }),
            _ => Err(ExpressionError::Syntax { at: 0, expected: "one reference, such as steps.train.model" }),
        }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, if it is there.
    pub fn value(&self, environment: &dyn Environment) -> Option<Value> {
        environment.lookup(&self.path)
    }

    /// The step that it refers to, if it does.
    pub fn step(&self) -> Option<&str> {
        step_of(&self.path)
    }
}

impl TryFrom<String> for Reference {
    type Error = ExpressionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.text
    }
}

fn step_of(path: &[Key]) -> Option<&str> {
    match path {
        [Key::Name(root), Key::Name(step), ..] if root == "steps" => Some(step),
        _ => None,
    }
}

/// The types of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Compound,
}

impl Kind {
    const fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) | Value::Object(_) => Self::Compound,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Compound => "a list or mapping",
        }
    }
}

fn logical(operator: &'static str, got: Kind) -> ExpressionError {
    ExpressionError::Type { operator, needs: "a boolean", got: got.as_str() }
}

fn truth(operator: &'static str, value: &Value) -> Result<bool, ExpressionError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Null => Ok(false),
        other => Err(logical(operator, Kind::of(other))),
    }
}

impl Expression {
    /// The type, where the text alone decides it.
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Literal(value) => Some(Kind::of(value)),
            Self::Path(_) => None,
            Self::Not(_) | Self::All(_) | Self::Any(_) | Self::Compare(..) => Some(Kind::Boolean),
        }
    }

    fn evaluate(&self, environment: &dyn Environment) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Path(path) => environment.lookup(path).unwrap_or(Value::Null),
            Self::Not(operand) => Value::Bool(!truth("!", &operand.evaluate(environment)?)?),
            Self::All(operands) => {
                for operand in operands {
                    if !truth("&&", &operand.evaluate(environment)?)? {
                        return Ok(Value::Bool(false));
                    }
                }
                Value::Bool(true)
            }
            Self::Any(operands) => {
                for operand in operands {
                    if truth("||", &operand.evaluate(environment)?)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Value::Bool(false)
            }
            Self::Compare(comparison, left, right) => {
                let (left, right) = (left.evaluate(environment)?, right.evaluate(environment)?);
                Value::Bool(compare(*comparison, &left, &right)?)
            }
        })
    }

    fn collect_steps<'e>(&'e self, found: &mut BTreeSet<&'e str>) {
        match self {
            Self::Literal(_) => {}
            Self::Path(path) => {
                found.extend(step_of(path));
            }
            Self::Not(operand) => operand.collect_steps(found),
            Self::All(operands) | Self::Any(operands) => {
                for operand in operands {
                    operand.collect_steps(found);
                }
            }
            Self::Compare(_, left, right) => {
                left.collect_steps(found);
                right.collect_steps(found);
            }
        }
    }
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, ExpressionError> {
    if let (Some(a), Some(b)) = (left.as_f64(), right.as_f64()) {
        // Integers of 2^53 and more compare as the nearest double, as JSON's own readers do.
        return Ok(a.partial_cmp(&b).is_some_and(|order| comparison.holds(order)));
    }
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        return Ok(comparison.holds(a.cmp(b)));
    }
    match comparison {
        Comparison::Equal => Ok(left == right),
        Comparison::NotEqual => Ok(left != right),
        _ => {
            let culprit = if left.is_number() || left.is_string() { right } else { left };
            Err(ordering(comparison, Kind::of(culprit)))
        }
    }
}

fn ordering(comparison: Comparison, got: Kind) -> ExpressionError {
    ExpressionError::Type {
        operator: comparison.symbol(),
        needs: "two numbers or two texts",
        got: got.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn evaluate(text: &str) -> Result<bool, ExpressionError> {
        let environment = json!({
            "steps": {
                "gate": {"passed": true, "outcome": "accepted", "n": 3},
                "train@us": {"auc": 0.75, "outcome": "accepted"},
                "late": {"outcome": "skipped"},
            },
            "params": {"force": false, "name": "b", "list": [1, 2]},
        });
        Condition::parse(text)?.holds(&environment)
    }

    #[test]
    fn evaluates_what_people_write() {
        for (text, expected) in [
            ("steps.gate.passed && params.force != true", true),
            ("steps['train@us'].auc >= 0.7", true),
            ("steps[\"train@us\"].auc < 0.7 || steps.late.outcome == 'skipped'", true),
            ("!(steps.gate.passed || params.force)", false),
            ("!!steps.gate.passed", true),
            ("params.name < 'c' && 1 <= 1.0 && -2 < 0.5e1", true),
            ("steps.late.passed", false),
            ("steps.late.passed == null", true),
            ("params.list[1] == 2", true),
            ("params.force == 'false'", false),
            ("true || steps.gate.n", true),
            ("false && 1 < params.name", false),
        ] {
            assert_eq!(evaluate(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn types_are_checked_when_written_and_when_evaluated() {
        for (text, operator) in [
            ("1", "if"),
            ("'a' && true", "&&"),
            ("!3", "!"),
            ("'a' < 3", "<"),
            ("null > 1", ">"),
            ("steps.gate.n", "if"),
            ("steps.gate.n || true", "||"),
            ("steps.late.auc > 0.5", ">"),
            ("params.list >= 1", ">="),
        ] {
            match evaluate(text) {
                Err(ExpressionError::Type { operator: got, .. }) => assert_eq!(got, operator, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(Condition::parse("'a' < 3").is_err(), "refused before it is ever evaluated");
    }

    #[test]
    fn broken_texts_are_refused_with_their_place() {
        for (text, at) in [
            ("", 0),
            ("a b", 0),
            ("steps.x ==", 10),
            ("steps.x = 1", 8),
            ("(true", 5),
            ("true)", 4),
            ("'x", 0),
        ] {
            match Condition::parse(text) {
                Err(ExpressionError::Syntax { at: got, .. }) => assert_eq!(got, at, "{text}"),
                Err(ExpressionError::Root(root)) => assert_eq!((root.as_str(), text), ("a", "a b")),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(Condition::parse(&"!".repeat(40)), Err(ExpressionError::TooDeep));
        assert_eq!(Condition::parse(&"(".repeat(40)), Err(ExpressionError::TooDeep));
        assert_eq!(Condition::parse(&" ".repeat(MAX_LENGTH + 1)), Err(ExpressionError::TooLong));
        assert_eq!(
            Condition::parse("1 < 2 < 3").map(|_| ()),
            Err(ExpressionError::Syntax { at: 6, expected: "an operator or the end" })
        );
    }

    #[test]
    fn knows_its_steps() {
        let condition = Condition::parse("steps.a.x && (steps['b@1'].y > 1 || !params.steps.c)").unwrap();
        assert_eq!(condition.steps().into_iter().collect::<Vec<_>>(), ["a", "b@1"]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ a-z0-9.'\"()!&|<>=\\[\\]-]{0,64}") {
            let _ = Condition::parse(&text);
        }
    }
}
