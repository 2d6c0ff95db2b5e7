//! The grammar: texts to comparisons, before anything is known of columns.

use super::{
    Column, Comparison, Filter, MAX_DEPTH, MAX_EXPRESSIONS, MAX_ORDERS, MAX_TERMS, MAX_TEXT, Op, Operand,
    SearchError, Term,
};
use crate::text::clip;

/// Parses a filter; a blank text is no comparison.
pub fn parse_filter(text: &str) -> Result<Filter<Term>, SearchError> {
    if text.len() > MAX_TEXT {
        return Err(SearchError::TooLong);
    }
    let mut parser = Parser { rest: Rest::of(text), terms: 0, expressions: 0 };
    if parser.rest.text.is_empty() {
        return Ok(Filter::default());
    }
    let filter = parser.either(0)?;
    if parser.rest.text.is_empty() { Ok(filter) } else { Err(parser.rest.wrong("AND, OR or the end")) }
}

/// Parses a column alone.
pub fn parse_column(text: &str) -> Result<Column, SearchError> {
    if text.len() > MAX_TEXT {
        return Err(SearchError::TooLong);
    }
    let mut rest = Rest::of(text);
    let column = rest.column()?;
    if rest.text.is_empty() { Ok(column) } else { Err(rest.wrong("the end of the column")) }
}

/// Parses `column [ASC|DESC]`; `true` for ascending.
pub fn parse_order(text: &str) -> Result<(Column, bool), SearchError> {
    if text.len() > MAX_TEXT {
        return Err(SearchError::TooLong);
    }
    let mut rest = Rest::of(text);
    let column = rest.column()?;
    let ascending = rest.keyword("ASC") || !rest.keyword("DESC");
    if rest.text.is_empty() { Ok((column, ascending)) } else { Err(rest.wrong("ASC or DESC")) }
}

/// Parses an order of several columns, none twice; `column` says which there are.
pub fn parse_orders<C: PartialEq, E: From<SearchError>>(
    texts: &[String],
    column: impl Fn(Column) -> Result<C, E>,
) -> Result<Vec<(C, bool)>, E> {
    if texts.len() > MAX_ORDERS {
        return Err(SearchError::TooLong.into());
    }
    let mut order: Vec<(C, bool)> = Vec::new();
    for text in texts {
        let (named, ascending) = parse_order(text)?;
        let key = named.key.clone();
        let column = column(named)?;
        if order.iter().any(|(other, _)| *other == column) {
            return Err(SearchError::Twice(key).into());
        }
        order.push((column, ascending));
    }
    Ok(order)
}

/// How comparisons are joined: `OR` binds least, `NOT` most.
struct Parser<'a> {
    rest: Rest<'a>,
    terms: usize,
    expressions: usize,
}

impl Parser<'_> {
    /// `both (OR both)*`
    fn either(&mut self, depth: usize) -> Result<Filter<Term>, SearchError> {
        let mut parts = vec![self.both(depth)?];
        while self.rest.keyword("OR") {
            parts.push(self.both(depth)?);
        }
        Ok(Filter::any(parts))
    }

    /// `one (AND one)*`
    fn both(&mut self, depth: usize) -> Result<Filter<Term>, SearchError> {
        let mut parts = vec![self.one(depth)?];
        while self.rest.keyword("AND") {
            parts.push(self.one(depth)?);
        }
        Ok(Filter::all(parts))
    }

    /// `NOT one`, `(either)` or a comparison
    fn one(&mut self, depth: usize) -> Result<Filter<Term>, SearchError> {
        let at = self.rest.position();
        if depth > MAX_DEPTH {
            return Err(SearchError::TooDeep { at });
        }
        if self.rest.keyword("NOT") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.rest.symbol("(") {
            let inner = self.either(depth + 1)?;
            return if self.rest.symbol(")") { Ok(inner) } else { Err(self.rest.wrong("AND, OR or ')'")) };
        }
        let comparison = self.rest.comparison()?;
        self.terms += 1;
        self.expressions += usize::from(comparison.op == Op::RLike);
        if self.terms > MAX_TERMS || self.expressions > MAX_EXPRESSIONS {
            return Err(SearchError::TooMany { at });
        }
        Ok(Filter::Test(Term { at, comparison }))
    }
}

/// What is left of the text, without leading space.
struct Rest<'a> {
    text: &'a str,
    whole: &'a str,
}

impl<'a> Rest<'a> {
    fn of(whole: &'a str) -> Self {
        Self { text: whole.trim(), whole: whole.trim_end() }
    }

    /// How many characters stand before.
    fn position(&self) -> usize {
        let before = self.whole.len() - self.text.len();
        self.whole.get(..before).unwrap_or_default().chars().count()
    }

    fn wrong(&self, expected: &'static str) -> SearchError {
        SearchError::Syntax { at: self.position(), near: clip(self.text), expected }
    }

    /// Takes the first `len` bytes and the space that follows.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.text.split_at_checked(len).unwrap_or((self.text, ""));
        self.text = rest.trim_start();
        taken
    }

    /// The length of the run of word characters at the start.
    fn word_len(&self) -> usize {
        self.text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.text.len())
    }

    /// Takes a word, in any case, if it stands here.
    fn keyword(&mut self, keyword: &str) -> bool {
        let len = self.word_len();
        let found = self.text.get(..len).is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if found {
            self.take(len);
        }
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.text.starts_with(symbol);
        if found {
            self.take(symbol.len());
        }
        found
    }

    /// The bytes of a text between `quote`s that stands here; doubled ones do not end it, and stay doubled.
    fn between(&self, quote: char) -> Option<&'a str> {
        let inner = self.text.strip_prefix(quote)?;
        let mut from = 0;
        loop {
            let end = from + inner.get(from..)?.find(quote)?;
            if inner.get(end + 1..).is_some_and(|after| after.starts_with(quote)) {
                from = end + 2;
            } else {
                return inner.get(..end);
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Option<&'a str> {
        let inner = self.between(quote)?;
        self.take(inner.len() + 2);
        Some(inner)
    }

    fn key(&mut self) -> Option<String> {
        if let Some(key) = self.quoted('`').or_else(|| self.quoted('"')) {
            return Some(key.to_owned());
        }
        let end = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'));
        let len = self.text.find(end).unwrap_or(self.text.len());
        let (key, after) = self.text.split_at_checked(len)?;
        if key.ends_with('.') && !key.starts_with('.') && after.starts_with(['`', '"', '\'']) {
            // What stands before its last dot says of what it is, as in ``span.attributes.`a key` ``.
            self.text = after;
            let quoted = self.quoted('`').or_else(|| self.quoted('"')).or_else(|| self.quoted('\''))?;
            return Some(format!("{key}{quoted}"));
        }
        Some(self.take(len).to_owned()).filter(|key| !key.is_empty())
    }

    /// What stands before a dot, in backticks or as a word.
    fn entity(&mut self) -> Option<String> {
        let (name, len) = match self.between('`') {
            Some(name) => (name, name.len() + 2),
            None => (self.text.get(..self.word_len())?, self.word_len()),
        };
        let after = self.text.get(len..)?.strip_prefix('.').filter(|_| !name.is_empty())?;
        self.text = after;
        Some(name.to_owned())
    }

    fn column(&mut self) -> Result<Column, SearchError> {
        if let Some(entity) = self.entity() {
            let quoted = self.quoted('\'').map(str::to_owned);
            let key = quoted.or_else(|| self.key()).ok_or_else(|| self.wrong("a key"))?;
            return Ok(Column { entity: Some(entity), key });
        }
        let key = self.key().ok_or_else(|| self.wrong("a column"))?;
        Ok(Column { entity: None, key })
    }

    fn comparison(&mut self) -> Result<Comparison, SearchError> {
        let (column, op) = (self.column()?, self.op()?);
        let value = self.operand(op)?;
        Ok(Comparison { column, op, value })
    }

    fn op(&mut self) -> Result<Op, SearchError> {
        // The longer one of two that begin alike comes first.
        let symbols =
            [("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("=", Op::Eq), ("<", Op::Lt), (">", Op::Gt)];
        for (symbol, op) in symbols {
            if self.symbol(symbol) {
                return Ok(op);
            }
        }
        let words = [("LIKE", Op::Like), ("ILIKE", Op::ILike), ("RLIKE", Op::RLike), ("IN", Op::In)];
        for (keyword, op) in words.into_iter().chain([("BETWEEN", Op::Between)]) {
            if self.keyword(keyword) {
                return Ok(op);
            }
        }
        if self.keyword("NOT") {
            let negated = [("IN", Op::NotIn), ("BETWEEN", Op::NotBetween)];
            let found = negated.into_iter().find(|(keyword, _)| self.keyword(keyword));
            let wrong = || self.wrong("IN or BETWEEN; NOT of another comparison stands before its column");
            return found.map(|(_, op)| op).ok_or_else(wrong);
        }
        if self.keyword("IS") {
            let op = if self.keyword("NOT") { Op::IsNotNull } else { Op::IsNull };
            return if self.keyword("NULL") { Ok(op) } else { Err(self.wrong("NULL")) };
        }
        // A sign that begins no comparator belongs to the name.
        let is_sign = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '(' | ')' | '\'' | '"' | '`'));
        Err(self.wrong(if self.text.starts_with(is_sign) {
            "a comparator; a name with other signs than letters, digits, '_' and '.' is quoted with backticks, such as \
             metrics.`val/acc`"
        } else {
            "a comparator"
        }))
    }

    fn text(&mut self) -> Result<Option<String>, SearchError> {
        if self.text.starts_with("E'") || self.text.starts_with("e'") {
            return self.escaped().map(Some);
        }
        Ok(self.quoted('\'').or_else(|| self.quoted('"')).map(str::to_owned))
    }

    /// `E'…'`, in which `\'` and `\\` stand for a quote and a backslash.
    fn escaped(&mut self) -> Result<String, SearchError> {
        let mut text = String::new();
        let mut chars = self.text.char_indices().skip(2);
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.take(at + 1);
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('\'' | '\\'))) => text.push(c),
                    _ => break,
                },
                c => text.push(c),
            }
        }
        Err(self.wrong("a string E'…' in which \\' and \\\\ are the only escapes"))
    }

    fn number(&mut self) -> Option<f64> {
        let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        let len = self.text.find(end).unwrap_or(self.text.len());
        let digits = self.text.get(..len).unwrap_or_default();
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        // Rust also reads "inf" and "nan", which are no numbers here.
        let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let number = digits.parse().ok().filter(|_| numeric)?;
        self.take(len);
        Some(number)
    }

    fn operand(&mut self, op: Op) -> Result<Operand, SearchError> {
        match op {
            Op::IsNull | Op::IsNotNull => Ok(Operand::Nothing),
            Op::In | Op::NotIn => self.list(),
            Op::Between | Op::NotBetween => self.range(),
            _ => {
                if let Some(text) = self.text()? {
                    return Ok(Operand::Text(text));
                }
                self.number().map(Operand::Number).ok_or_else(|| self.wrong("a quoted string or a number"))
            }
        }
    }

    fn range(&mut self) -> Result<Operand, SearchError> {
        const EXPECTED: &str = "two numbers, such as 0.1 AND 0.5";
        let low = self.number().ok_or_else(|| self.wrong(EXPECTED))?;
        if !self.keyword("AND") {
            return Err(self.wrong(EXPECTED));
        }
        let high = self.number().ok_or_else(|| self.wrong(EXPECTED))?;
        Ok(Operand::Range(low, high))
    }

    fn list(&mut self) -> Result<Operand, SearchError> {
        const EXPECTED: &str = "a list of quoted strings, such as ('a', 'b'), or of numbers";
        if !self.symbol("(") {
            return Err(self.wrong(EXPECTED));
        }
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        loop {
            match self.text()? {
                Some(text) if numbers.is_empty() => texts.push(text),
                None if texts.is_empty() => numbers.push(self.number().ok_or_else(|| self.wrong(EXPECTED))?),
                _ => return Err(self.wrong(EXPECTED)),
            }
            let comma = self.symbol(",");
            if self.symbol(")") {
                let is_text = numbers.is_empty();
                return Ok(if is_text { Operand::List(texts) } else { Operand::Numbers(numbers) });
            }
            if !comma {
                return Err(self.wrong(EXPECTED));
            }
        }
    }
}
