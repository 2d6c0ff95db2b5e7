//! Tokens of the condition language.

use serde_json::{Number, Value};

use super::{Comparison, ExpressionError};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Literal(Value),
    Name(String),
    Dot,
    OpenBracket,
    CloseBracket,
    OpenParenthesis,
    CloseParenthesis,
    Not,
    And,
    Or,
    Compare(Comparison),
}

/// Tokens with the byte at which each starts.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExpressionError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            at += blank;
            continue;
        }
        let (token, length) = token(rest)
            .ok_or(ExpressionError::Syntax { at, expected: "a value, a reference or an operator" })?;
        found.push((at, token));
        at += length;
    }
    Ok(found)
}

const SYMBOLS: [(&str, Token); 15] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("==", Token::Compare(Comparison::Equal)),
    ("!=", Token::Compare(Comparison::NotEqual)),
    ("<=", Token::Compare(Comparison::LessOrEqual)),
    (">=", Token::Compare(Comparison::GreaterOrEqual)),
    ("<", Token::Compare(Comparison::Less)),
    (">", Token::Compare(Comparison::Greater)),
    ("!", Token::Not),
    (".", Token::Dot),
    ("[", Token::OpenBracket),
    ("]", Token::CloseBracket),
    ("(", Token::OpenParenthesis),
    (")", Token::CloseParenthesis),
    ("null", Token::Literal(Value::Null)),
];

fn token(rest: &str) -> Option<(Token, usize)> {
    let first = rest.chars().next()?;
    if let quote @ ('"' | '\'') = first {
        let inner = rest.get(1..)?;
        let end = inner.find(quote)?;
        return Some((Token::Literal(Value::from(inner.get(..end)?)), end + 2));
    }
    if first.is_ascii_digit() || (first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
        let length = number_length(rest);
        let number: Number = rest.get(..length)?.parse().ok()?;
        return Some((Token::Literal(Value::Number(number)), length));
    }
    if first.is_alphabetic() || first == '_' {
        let length =
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        let name = rest.get(..length)?;
        let token = match name {
            "true" => Token::Literal(Value::Bool(true)),
            "false" => Token::Literal(Value::Bool(false)),
            "null" => Token::Literal(Value::Null),
            _ => Token::Name(name.to_owned()),
        };
        return Some((token, length));
    }
    SYMBOLS
        .iter()
        .find(|(symbol, _)| rest.starts_with(symbol))
        .map(|(symbol, token)| (token.clone(), symbol.len()))
}

/// Length of a JSON number; a dot counts only before a digit, so that `list.0.x` stays a path.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits_from = |mut at: usize| {
        while digit(at) {
            at += 1;
        }
        at
    };
    let mut end = digits_from(1);
    if bytes.get(end) == Some(&b'.') && digit(end + 1) {
        end = digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digit(end + 1 + sign) {
            end = digits_from(end + 1 + sign);
        }
    }
    end
}
