//! Tokens to a document: the executable part of section 2 of the GraphQL specification (October 2021). There
//! is no definition of types, which only servers write.
//!
//! A parser of our own, for its bound: `async-graphql-parser` looks at the depth only after `pest` has recursed
//! through the whole text, and some thousand braces would end a server whose threads have stacks of 2 MiB. This
//! one stops at [`MAX_NESTING`].

use super::document::{
    Directive, Document, Field, Fragment, Literal, Operation, OperationKind, Selection, VariableDefinition,
};
use super::lexer::{Lexer, Token};

/// How deep selections and values may nest.
const MAX_NESTING: usize = 64;

/// Why a text is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError(pub(super) String);

type Parsed<T> = Result<T, SyntaxError>;

/// Parses a document.
pub(super) fn parse(text: &str) -> Parsed<Document> {
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    let mut parser = Parser { lexer, next, nesting: 0 };
    let mut document = Document::default();
    while parser.next != Token::End {
        parser.definition(&mut document)?;
    }
    if document.operations.is_empty() && document.fragments.is_empty() {
        return Err(parser.unexpected());
    }
    Ok(document)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Token,
    nesting: usize,
}

impl Parser<'_> {
    fn unexpected(&self) -> SyntaxError {
        SyntaxError(format!("Unexpected {}.", self.next.described()))
    }

    fn advance(&mut self) -> Parsed<Token> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Takes a mark if it stands here.
    fn takes(&mut self, mark: char) -> Parsed<bool> {
        let found = self.next == Token::Mark(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, mark: char) -> Parsed<()> {
        if self.takes(mark)? {
            return Ok(());
        }
        Err(SyntaxError(format!("Expected '{mark}', found {}.", self.next.described())))
    }

    fn name(&mut self) -> Parsed<String> {
        match self.advance()? {
            Token::Name(name) => Ok(name),
            other => Err(SyntaxError(format!("Expected Name, found {}.", other.described()))),
        }
    }

    fn is_name(&self, wanted: &str) -> bool {
        matches!(&self.next, Token::Name(name) if name == wanted)
    }

    /// Parses something that stands inside something of its kind.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting == MAX_NESTING {
            return Err(SyntaxError(format!("Nested deeper than {MAX_NESTING}.")));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// One item or more up to a mark, the opening one of which is taken.
    fn until<T>(&mut self, close: char, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if self.takes(close)? {
                return Ok(items);
            }
        }
    }

    fn definition(&mut self, document: &mut Document) -> Parsed<()> {
        if self.is_name("fragment") {
            self.advance()?;
            let name = self.name()?;
            if name == "on" || !self.is_name("on") {
                return Err(SyntaxError("Expected a fragment's name and 'on'.".to_owned()));
            }
            self.advance()?;
            let on = self.name()?;
            self.directives()?;
            let fragment = Fragment { on, selections: self.selections()? };
            if document.fragments.insert(name.clone(), fragment).is_some() {
                return Err(SyntaxError(format!("There can be only one fragment named '{name}'.")));
            }
            return Ok(());
        }
        document.operations.push(self.operation()?);
        Ok(())
    }

    fn operation(&mut self) -> Parsed<Operation> {
        let kind = match &self.next {
            Token::Mark('{') => {
                let (kind, name, variables) = (OperationKind::Query, None, Vec::new());
                return Ok(Operation { kind, name, variables, selections: self.selections()? });
            }
            Token::Name(name) => match name.as_str() {
                "query" => OperationKind::Query,
                "mutation" => OperationKind::Mutation,
                "subscription" => OperationKind::Subscription,
                _ => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.advance()?;
        let name = if matches!(self.next, Token::Name(_)) { Some(self.name()?) } else { None };
        let variables = if self.takes('(')? { self.until(')', Self::variable)? } else { Vec::new() };
        self.directives()?;
        Ok(Operation { kind, name, variables, selections: self.selections()? })
    }

    fn variable(&mut self) -> Parsed<VariableDefinition> {
        self.expect('$')?;
        let name = self.name()?;
        self.expect(':')?;
        let declared = self.declared_type()?;
        let default = if self.takes('=')? { Some(self.value()?) } else { None };
        self.directives()?;
        Ok(VariableDefinition { name, declared, default })
    }

    fn declared_type(&mut self) -> Parsed<String> {
        let mut declared = if self.takes('[')? {
            let inner = self.nested(Self::declared_type)?;
            self.expect(']')?;
            format!("[{inner}]")
        } else {
            self.name()?
        };
        if self.takes('!')? {
            declared.push('!');
        }
        Ok(declared)
    }

    fn directives(&mut self) -> Parsed<Vec<Directive>> {
        let mut directives = Vec::new();
        while self.takes('@')? {
            directives.push(Directive { name: self.name()?, arguments: self.arguments()? });
        }
        Ok(directives)
    }

    fn arguments(&mut self) -> Parsed<Vec<(String, Literal)>> {
        if self.takes('(')? { self.until(')', Self::pair) } else { Ok(Vec::new()) }
    }

    fn pair(&mut self) -> Parsed<(String, Literal)> {
        let name = self.name()?;
        self.expect(':')?;
        Ok((name, self.value()?))
    }

    fn selections(&mut self) -> Parsed<Vec<Selection>> {
        self.expect('{')?;
        self.nested(|parser| parser.until('}', Self::selection))
    }

    fn selection(&mut self) -> Parsed<Selection> {
        if self.next != Token::Spread {
            return self.field().map(Selection::Field);
        }
        self.advance()?;
        if matches!(&self.next, Token::Name(name) if name != "on") {
            return Ok(Selection::Spread { fragment: self.name()?, directives: self.directives()? });
        }
        let on = if self.is_name("on") {
            self.advance()?;
            Some(self.name()?)
        } else {
            None
        };
        Ok(Selection::Inline { on, directives: self.directives()?, selections: self.selections()? })
    }

    fn field(&mut self) -> Parsed<Field> {
        let first = self.name()?;
        let (alias, name) = if self.takes(':')? { (Some(first), self.name()?) } else { (None, first) };
        Ok(Field {
            alias,
            name,
            arguments: self.arguments()?,
            directives: self.directives()?,
            selections: if self.next == Token::Mark('{') { self.selections()? } else { Vec::new() },
        })
    }

    fn value(&mut self) -> Parsed<Literal> {
        Ok(match self.advance()? {
            Token::Int(number) => Literal::Int(number),
            Token::Float(number) => Literal::Float(number),
            Token::Text(text) => Literal::Text(text),
            Token::Name(name) => match name.as_str() {
                "null" => Literal::Null,
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                _ => Literal::Enum(name),
            },
            Token::Mark('$') => Literal::Variable(self.name()?),
            Token::Mark('[') if self.takes(']')? => Literal::List(Vec::new()),
            Token::Mark('[') => Literal::List(self.nested(|parser| parser.until(']', Self::value))?),
            Token::Mark('{') if self.takes('}')? => Literal::Object(Vec::new()),
            Token::Mark('{') => Literal::Object(self.nested(|parser| parser.until('}', Self::pair))?),
            other => return Err(SyntaxError(format!("Unexpected {}.", other.described()))),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().0
    }

    #[test]
    fn a_whole_document() {
        let text = r#"
            query One($data: Input! = {ids: ["a", "b",], deep: {n: 1.5, on: true}}, $list: [[Int!]]!)
                    @component(name: "x") {
                first: test(inputString: "abc", other: [], view: ALL, no: null) @include(if: $data) { output }
                ... on Query { __typename }
                ...Rest @skip(if: false)
                ... { on }
            }
            fragment Rest on Query { on(fragment: $data) }
            mutation { query }
        "#;
        let document = parse(text).unwrap();
        let [one, other] = document.operations.as_slice() else { panic!("{document:?}") };
        assert_eq!(
            (one.name.as_deref(), one.kind, other.kind),
            (Some("One"), OperationKind::Query, OperationKind::Mutation)
        );
        let [data, list] = one.variables.as_slice() else { panic!("{one:?}") };
        assert_eq!((data.declared.as_str(), list.declared.as_str()), ("Input!", "[[Int!]]!"));
        assert!(data.is_required());
        let deep =
            Literal::Object(vec![("n".into(), Literal::Float(1.5)), ("on".into(), Literal::Bool(true))]);
        let ids = Literal::List(vec![Literal::Text("a".into()), Literal::Text("b".into())]);
        assert_eq!(data.default, Some(Literal::Object(vec![("ids".into(), ids), ("deep".into(), deep)])));
        let [
            Selection::Field(first),
            Selection::Inline { on: Some(on), .. },
            Selection::Spread { fragment, .. },
            Selection::Inline { on: None, .. },
        ] = one.selections.as_slice()
        else {
            panic!("{one:?}")
        };
        assert_eq!(
            (first.key(), first.name.as_str(), on.as_str(), fragment.as_str()),
            ("first", "test", "Query", "Rest")
        );
        assert_eq!(
            first.arguments[1..],
            [
                ("other".into(), Literal::List(Vec::new())),
                ("view".into(), Literal::Enum("ALL".into())),
                ("no".into(), Literal::Null),
            ]
        );
        assert_eq!(first.directives[0].arguments, [("if".into(), Literal::Variable("data".into()))]);
        assert_eq!(document.fragments["Rest"].on, "Query");
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for (text, message) in [
            ("", "Unexpected <EOF>."),
            ("{", "Expected Name, found <EOF>."),
            ("{}", "Expected Name, found '}'."),
            ("type A { b: C }", "Unexpected Name 'type'."),
            ("query ($a) { b }", "Expected ':', found ')'."),
            ("{ a(b: ) }", "Unexpected ')'."),
            ("{ a } }", "Unexpected '}'."),
            ("fragment on on A { b }", "Expected a fragment's name and 'on'."),
            ("fragment A on B { c } fragment A on B { c }", "There can be only one fragment named 'A'."),
        ] {
            assert_eq!(refused(text), message, "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |open: &str, close: &str, n| format!("{}a{}", open.repeat(n), close.repeat(n));
        assert!(parse(&nested("{a", "}", MAX_NESTING)).is_ok());
        for n in [MAX_NESTING + 1, 100_000] {
            assert_eq!(refused(&nested("{a", "}", n)), "Nested deeper than 64.");
            let list = nested("[", "]", n);
            assert_eq!(refused(&format!("{{a(b: {list})}}")), "Nested deeper than 64.");
            assert_eq!(refused(&format!("query ($a: {list}) {{b}}")), "Nested deeper than 64.");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in r#"[{}()\[\]!$@:="\\a-c1\-. #\n|&]{0,60}"#) {
            let _ = parse(&text);
        }
    }
}
