//! Comparisons, before anything is known of columns, and how they are written.

use std::fmt::{self, Write as _};

use super::Filter;

/// `key` or `entity.key`, with the quotes of the key taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What stands before the dot.
    pub entity: Option<String>,
    /// What stands after it, or alone.
    pub key: String,
}

/// A comparator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `LIKE`
    Like,
    /// `ILIKE`
    ILike,
    /// `RLIKE`
    RLike,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
    /// `BETWEEN`
    Between,
    /// `NOT BETWEEN`
    NotBetween,
    /// `IS NULL`
    IsNull,
    /// `IS NOT NULL`
    IsNotNull,
}

impl Op {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Like => "LIKE",
            Self::ILike => "ILIKE",
            Self::RLike => "RLIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::Between => "BETWEEN",
            Self::NotBetween => "NOT BETWEEN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
        }
    }
}

/// What stands after a comparator.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// After `IS NULL` and `IS NOT NULL`.
    Nothing,
    /// A string, without its quotes.
    Text(String),
    /// A number; what is too large for one is infinite, as in a stock server.
    Number(f64),
    /// After `BETWEEN` and `NOT BETWEEN`: the ends, both of which are inside.
    Range(f64, f64),
    /// After `IN` and `NOT IN`: one string or more.
    List(Vec<String>),
    /// After `IN` and `NOT IN`: one number or more.
    Numbers(Vec<f64>),
}

/// One comparison, of a column that may or may not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub column: Column,
    /// How.
    pub op: Op,
    /// With what.
    pub value: Operand,
}

/// A comparison, and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Where it begins: characters before it.
    pub at: usize,
    /// What it says.
    pub comparison: Comparison,
}

/// What is written is read again as the same: a key in quotes where it needs them, a string in such quotes as it
/// does not hold.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entity) = &self.entity {
            quoted_key(entity, false, f)?;
            f.write_char('.')?;
        }
        quoted_key(&self.key, self.entity.is_some(), f)
    }
}

/// Behind an entity, dots and single quotes say nothing else.
fn quoted_key(key: &str, is_of_entity: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || (is_of_entity && c == '.');
    if !key.is_empty() && key.chars().all(is_plain) && !is_keyword(key) {
        f.write_str(key)
    } else {
        let quotes = if is_of_entity { ['`', '"', '\''] } else { ['`', '"', '`'] };
        let quote = quotes.into_iter().find(|quote| holds_only_doubled(key, *quote)).unwrap_or('`');
        write!(f, "{quote}{key}{quote}")
    }
}

/// Whether it would be read as a part of the grammar where a column may stand.
fn is_keyword(key: &str) -> bool {
    key.eq_ignore_ascii_case("NOT")
}

/// Whether a text can stand between such quotes as it is: one of them ends it, two do not.
fn holds_only_doubled(text: &str, quote: char) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(quote) {
        match after.strip_prefix(quote) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

fn quoted_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if holds_only_doubled(text, '\'') {
        write!(f, "'{text}'")
    } else if holds_only_doubled(text, '"') {
        write!(f, "\"{text}\"")
    } else {
        f.write_str("E'")?;
        for c in text.chars() {
            if matches!(c, '\\' | '\'') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('\'')
    }
}

/// There is no word for infinity, but numbers that are read as it.
fn plain_number(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match number {
        f64::INFINITY => f.write_str("1e999"),
        f64::NEG_INFINITY => f.write_str("-1e999"),
        number => write!(f, "{number:?}"),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.column, self.op.as_str())?;
        match &self.value {
            Operand::Nothing => Ok(()),
            Operand::Text(text) => {
                f.write_char(' ')?;
                quoted_text(text, f)
            }
            Operand::Number(number) => {
                f.write_char(' ')?;
                plain_number(*number, f)
            }
            Operand::Range(low, high) => {
                f.write_char(' ')?;
                plain_number(*low, f)?;
                f.write_str(" AND ")?;
                plain_number(*high, f)
            }
            Operand::List(texts) => listed(texts, f, |text, f| quoted_text(text, f)),
            Operand::Numbers(numbers) => listed(numbers, f, |number, f| plain_number(*number, f)),
        }
    }
}

fn listed<T>(
    all: &[T],
    f: &mut fmt::Formatter<'_>,
    one: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_str(" (")?;
    for (at, item) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        one(item, f)?;
    }
    f.write_char(')')
}

impl fmt::Display for Filter<Comparison> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], word: &str, f: &mut fmt::Formatter<'_>| {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::All(_) | Self::Any(_) => write!(f, "({part})")?,
                    Self::Not(_) | Self::Test(_) => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(parts) => joined(parts, "AND", f),
            Self::Any(parts) => joined(parts, "OR", f),
            Self::Not(inner) => match &**inner {
                Self::All(_) | Self::Any(_) => write!(f, "NOT ({inner})"),
                Self::Not(_) | Self::Test(_) => write!(f, "NOT {inner}"),
            },
            Self::Test(comparison) => comparison.fmt(f),
        }
    }
}
