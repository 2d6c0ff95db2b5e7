//! The grammar: text to comparisons, before anything is known of columns.

use super::{Fault, MAX_ORDERS, MAX_TERMS, MAX_TEXT};
use crate::text::clip;

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
    /// A number.
    Number(f64),
    /// After `IN` and `NOT IN`: one string or more.
    List(Vec<String>),
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

/// Parses `comparison (AND comparison)*`; a blank text is no comparison.
pub fn parse(text: &str) -> Result<Vec<Comparison>, Fault> {
    if text.len() > MAX_TEXT {
        return Err(Fault::TooLong);
    }
    let mut rest = Rest(text.trim());
    let mut comparisons = Vec::new();
    while !rest.0.is_empty() {
        if !comparisons.is_empty() && !rest.keyword("AND") {
            return Err(rest.wrong("AND"));
        }
        if comparisons.len() == MAX_TERMS {
            return Err(Fault::TooLong);
        }
        let (column, op) = (rest.column()?, rest.op()?);
        let value = rest.operand(op)?;
        comparisons.push(Comparison { column, op, value });
    }
    Ok(comparisons)
}

/// Parses `column [ASC|DESC]`; `true` for ascending.
pub fn parse_order(text: &str) -> Result<(Column, bool), Fault> {
    if text.len() > MAX_TEXT {
        return Err(Fault::TooLong);
    }
    let mut rest = Rest(text.trim());
    let column = rest.column()?;
    let ascending = rest.keyword("ASC") || !rest.keyword("DESC");
    if rest.0.is_empty() { Ok((column, ascending)) } else { Err(rest.wrong("ASC or DESC")) }
}

/// Parses an order of several columns, none twice; `column` says which there are.
pub fn parse_orders<C: PartialEq, E: From<Fault>>(
    texts: &[String],
    column: impl Fn(Column) -> Result<C, E>,
) -> Result<Vec<(C, bool)>, E> {
    if texts.len() > MAX_ORDERS {
        return Err(Fault::TooLong.into());
    }
    let mut order: Vec<(C, bool)> = Vec::new();
    for text in texts {
        let (named, ascending) = parse_order(text)?;
        let key = named.key.clone();
        let column = column(named)?;
        if order.iter().any(|(other, _)| *other == column) {
            return Err(Fault::Twice(key).into());
        }
        order.push((column, ascending));
    }
    Ok(order)
}

/// What is left of the text, without leading space.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn wrong(&self, expected: &'static str) -> Fault {
        Fault::Syntax { near: clip(self.0), expected }
    }

    /// Takes the first `len` bytes and the space that follows.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.0.split_at_checked(len).unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        taken
    }

    /// The length of the run of word characters at the start.
    fn word_len(&self) -> usize {
        self.0.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.0.len())
    }

    /// Takes a word, in any case, if it stands here.
    fn keyword(&mut self, keyword: &str) -> bool {
        let len = self.word_len();
        let found = self.0.get(..len).is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if found {
            self.take(len);
        }
        found
    }

    /// Takes a text between `quote`s; doubled ones do not end it, and stay doubled.
    fn quoted(&mut self, quote: char) -> Option<&'a str> {
        let inner = self.0.strip_prefix(quote)?;
        let mut from = 0;
        loop {
            let end = from + inner.get(from..)?.find(quote)?;
            if inner.get(end + 1..).is_some_and(|after| after.starts_with(quote)) {
                from = end + 2;
            } else {
                self.take(end + 2);
                return inner.get(..end);
            }
        }
    }

    fn key(&mut self) -> Option<String> {
        if let Some(key) = self.quoted('`').or_else(|| self.quoted('"')) {
            return Some(key.to_owned());
        }
        let end = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'));
        let len = self.0.find(end).unwrap_or(self.0.len());
        Some(self.take(len).to_owned()).filter(|key| !key.is_empty())
    }

    fn column(&mut self) -> Result<Column, Fault> {
        let len = self.word_len();
        if len > 0 && self.0.get(len..).is_some_and(|after| after.starts_with('.')) {
            let entity = Some(self.take(len).to_owned());
            self.0 = self.0.get(1..).unwrap_or_default();
            let quoted = self.quoted('\'').map(str::to_owned);
            let key = quoted.or_else(|| self.key()).ok_or_else(|| self.wrong("a key"))?;
            return Ok(Column { entity, key });
        }
        let key = self.key().ok_or_else(|| self.wrong("a column"))?;
        Ok(Column { entity: None, key })
    }

    fn op(&mut self) -> Result<Op, Fault> {
        // The longer one of two that begin alike comes first.
        let symbols =
            [("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("=", Op::Eq), ("<", Op::Lt), (">", Op::Gt)];
        for (symbol, op) in symbols {
            if self.0.starts_with(symbol) {
                self.take(symbol.len());
                return Ok(op);
            }
        }
        for (keyword, op) in [("LIKE", Op::Like), ("ILIKE", Op::ILike), ("RLIKE", Op::RLike), ("IN", Op::In)]
        {
            if self.keyword(keyword) {
                return Ok(op);
            }
        }
        if self.keyword("NOT") && self.keyword("IN") {
            return Ok(Op::NotIn);
        }
        if self.keyword("IS") {
            let op = if self.keyword("NOT") { Op::IsNotNull } else { Op::IsNull };
            return if self.keyword("NULL") { Ok(op) } else { Err(self.wrong("NULL")) };
        }
        Err(self.wrong("a comparator"))
    }

    fn text(&mut self) -> Option<String> {
        self.quoted('\'').or_else(|| self.quoted('"')).map(str::to_owned)
    }

    fn operand(&mut self, op: Op) -> Result<Operand, Fault> {
        match op {
            Op::IsNull | Op::IsNotNull => return Ok(Operand::Nothing),
            Op::In | Op::NotIn => return self.list(),
            _ => {}
        }
        if let Some(text) = self.text() {
            return Ok(Operand::Text(text));
        }
        let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        let len = self.0.find(end).unwrap_or(self.0.len());
        let digits = self.0.get(..len).unwrap_or_default();
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        // Rust also reads "inf" and "nan", which are no numbers here.
        let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        match digits.parse() {
            Ok(number) if numeric => {
                self.take(len);
                Ok(Operand::Number(number))
            }
            _ => Err(self.wrong("a quoted string or a number")),
        }
    }

    fn list(&mut self) -> Result<Operand, Fault> {
        const EXPECTED: &str = "a list of quoted strings, such as ('a', 'b')";
        if !self.0.starts_with('(') {
            return Err(self.wrong(EXPECTED));
        }
        self.take(1);
        let mut items = Vec::new();
        loop {
            let Some(item) = self.text() else { return Err(self.wrong(EXPECTED)) };
            items.push(item);
            let comma = self.0.starts_with(',');
            if comma {
                self.take(1);
            }
            if self.0.starts_with(')') {
                self.take(1);
                return Ok(Operand::List(items));
            }
            if !comma {
                return Err(self.wrong(EXPECTED));
            }
        }
    }
}
