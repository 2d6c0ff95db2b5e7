//! Recursive descent over the tokens, of bounded depth.

use serde_json::Value;

use super::lexer::{Token, tokens};
use super::{Comparison, Expression, ExpressionError, Kind, MAX_DEPTH, MAX_LENGTH, logical, ordering};
use crate::definition::Key;

pub(super) fn parse(text: &str) -> Result<Expression, ExpressionError> {
    if text.len() > MAX_LENGTH {
        return Err(ExpressionError::TooLong);
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len() };
    let expression = parser.any(0)?;
    if parser.peek().is_some() {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(expression)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += usize::from(token.is_some());
        token
    }

    fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn unexpected(&self, expected: &'static str) -> ExpressionError {
        let at = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at);
        ExpressionError::Syntax { at, expected }
    }

    fn any(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut operands = vec![self.all(depth)?];
        while self.accept(&Token::Or) {
            operands.push(self.all(depth)?);
        }
        joined("||", operands, Expression::Any)
    }

    fn all(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut operands = vec![self.comparison(depth)?];
        while self.accept(&Token::And) {
            operands.push(self.comparison(depth)?);
        }
        joined("&&", operands, Expression::All)
    }

    fn comparison(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let left = self.unary(depth)?;
        let Some(&Token::Compare(comparison)) = self.peek() else { return Ok(left) };
        self.next += 1;
        let right = self.unary(depth)?;
        check(comparison, &left, &right)?;
        Ok(Expression::Compare(comparison, Box::new(left), Box::new(right)))
    }

    fn unary(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        if depth >= MAX_DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        if self.accept(&Token::Not) {
            let operand = self.unary(depth + 1)?;
            wants_boolean("!", &operand)?;
            return Ok(Expression::Not(Box::new(operand)));
        }
        if self.accept(&Token::OpenParenthesis) {
            let inner = self.any(depth + 1)?;
            if !self.accept(&Token::CloseParenthesis) {
                return Err(self.unexpected("')'"));
            }
            return Ok(inner);
        }
        match self.peek() {
            Some(Token::Literal(value)) => {
                let literal = Expression::Literal(value.clone());
                self.next += 1;
                Ok(literal)
            }
            Some(Token::Name(_)) => self.path(),
            _ => Err(self.unexpected("a value, a reference or '('")),
        }
    }

    fn path(&mut self) -> Result<Expression, ExpressionError> {
        let Some(Token::Name(root)) = self.take() else { return Err(self.unexpected("a reference")) };
        if !matches!(root.as_str(), "steps" | "params" | "run") {
            return Err(ExpressionError::Root(root));
        }
        let mut path = vec![Key::Name(root)];
        loop {
            if self.accept(&Token::Dot) {
                match self.take() {
                    Some(Token::Name(name)) => path.push(Key::Name(name)),
                    Some(Token::Literal(Value::Number(index))) => path.push(self.index(&index)?),
                    _ => return Err(self.unexpected("a key after '.'")),
                }
            } else if self.accept(&Token::OpenBracket) {
                match self.take() {
                    Some(Token::Literal(Value::String(name))) => path.push(Key::Name(name)),
                    Some(Token::Literal(Value::Number(index))) => path.push(self.index(&index)?),
                    _ => return Err(self.unexpected("a quoted key or an index")),
                }
                if !self.accept(&Token::CloseBracket) {
                    return Err(self.unexpected("']'"));
                }
            } else {
                return Ok(Expression::Path(path));
            }
        }
    }

    fn index(&self, number: &serde_json::Number) -> Result<Key, ExpressionError> {
        let index = number.as_u64().and_then(|n| usize::try_from(n).ok());
        index.map(Key::Index).ok_or_else(|| self.unexpected("a whole number"))
    }
}

fn joined(
    operator: &'static str,
    mut operands: Vec<Expression>,
    join: fn(Vec<Expression>) -> Expression,
) -> Result<Expression, ExpressionError> {
    if operands.len() > 1 {
        operands.iter().try_for_each(|operand| wants_boolean(operator, operand))?;
        return Ok(join(operands));
    }
    operands.pop().ok_or(ExpressionError::Syntax { at: 0, expected: "a value" })
}

fn wants_boolean(operator: &'static str, operand: &Expression) -> Result<(), ExpressionError> {
    match operand.kind() {
        Some(kind @ (Kind::Number | Kind::Text | Kind::Compound)) => Err(logical(operator, kind)),
        Some(Kind::Boolean | Kind::Null) | None => Ok(()),
    }
}

/// Refuses an ordering whose operands can never be two numbers or two texts.
fn check(comparison: Comparison, left: &Expression, right: &Expression) -> Result<(), ExpressionError> {
    if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
        return Ok(());
    }
    let kinds = [left.kind(), right.kind()];
    for kind in kinds.into_iter().flatten() {
        if !matches!(kind, Kind::Number | Kind::Text) {
            return Err(ordering(comparison, kind));
        }
    }
    match kinds {
        [Some(a), Some(b)] if a != b => Err(ordering(comparison, b)),
        _ => Ok(()),
    }
}
