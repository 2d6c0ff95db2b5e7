//! Text to tokens: section 2.1 of the GraphQL specification (October 2021).

use super::parser::SyntaxError;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// One of ``! $ & ( ) : = @ [ ] { | }``.
    Mark(char),
    /// `...`
    Spread,
    Name(String),
    Int(i64),
    Float(f64),
    Text(String),
    End,
}

impl Token {
    /// How an error names it.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Mark(mark) => format!("'{mark}'"),
            Self::Spread => "'...'".to_owned(),
            Self::Name(name) => format!("Name '{name}'"),
            Self::Int(number) => format!("Int '{number}'"),
            Self::Float(number) => format!("Float '{number}'"),
            Self::Text(_) => "String".to_owned(),
            Self::End => "<EOF>".to_owned(),
        }
    }
}

/// What is left of a text.
pub(super) struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Takes the first `len` bytes.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Takes characters as long as they are wanted.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()))
    }

    /// The next token; [`Token::End`] again and again at the end.
    pub(super) fn next(&mut self) -> Result<Token, SyntaxError> {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | '\u{feff}'));
            if !self.rest.starts_with('#') {
                break;
            }
            self.take_while(|c| !matches!(c, '\n' | '\r'));
        }
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        match first {
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => {
                self.take(1);
                Ok(Token::Mark(first))
            }
            '.' if self.rest.starts_with("...") => {
                self.take(3);
                Ok(Token::Spread)
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                Ok(Token::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned()))
            }
            '-' | '0'..='9' => self.number(),
            '"' if self.rest.starts_with("\"\"\"") => self.block(),
            '"' => self.string(),
            other => Err(SyntaxError(format!("Unexpected character: {other:?}."))),
        }
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'));
        let wrong = || SyntaxError(format!("Invalid number: '{}'.", mainstay_core::text::clip(text)));
        let digits = text.strip_prefix('-').unwrap_or(text);
        // Rust also reads "inf" and "1.", and numbers that begin with several zeros.
        let leads = digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit());
        let odd = |c: char| !matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-');
        if leads || digits.contains(odd) || digits.ends_with('.') || digits.contains(".e") {
            return Err(wrong());
        }
        if digits.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Token::Int).map_err(|_| wrong());
        }
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Token::Float).ok_or_else(wrong)
    }

    fn string(&mut self) -> Result<Token, SyntaxError> {
        let unterminated = || SyntaxError("Unterminated string.".to_owned());
        self.take(1);
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| !matches!(c, '"' | '\\' | '\n' | '\r')));
            match self.take(1) {
                "\"" => return Ok(Token::Text(text)),
                "\\" => {}
                _ => return Err(unterminated()),
            }
            let escape = self.rest.chars().next().ok_or_else(unterminated)?;
            self.take(escape.len_utf8());
            text.push(match escape {
                '"' | '\\' | '/' => escape,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.unicode()?,
                other => return Err(SyntaxError(format!("Invalid character escape sequence: '\\{other}'."))),
            });
        }
    }

    /// What follows `\u`: four digits, twice for a pair of surrogates, or digits in braces.
    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let wrong = || SyntaxError("Invalid Unicode escape sequence.".to_owned());
        let read = |digits: &str| u32::from_str_radix(digits, 16).map_err(|_| wrong());
        let scalar = if self.rest.starts_with('{') {
            self.take(1);
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            if self.take(1) != "}" || digits.len() > 8 {
                return Err(wrong());
            }
            read(digits)?
        } else {
            let high = read(self.four().ok_or_else(wrong)?)?;
            if (0xd800..0xdc00).contains(&high) && self.take(2) == "\\u" {
                let low = read(self.four().ok_or_else(wrong)?)?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err(wrong());
                }
                0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
            } else {
                high
            }
        };
        char::from_u32(scalar).ok_or_else(wrong)
    }

    fn four(&mut self) -> Option<&'a str> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.take(4);
        Some(digits)
    }

    /// A string in three quotes: lines without the indent that all but the first have, and without blank
    /// lines around.
    fn block(&mut self) -> Result<Token, SyntaxError> {
        self.take(3);
        let mut raw = String::new();
        loop {
            let len =
                self.rest.find("\"\"\"").ok_or_else(|| SyntaxError("Unterminated string.".to_owned()))?;
            let part = self.take(len);
            self.take(3);
            let Some(escaped) = part.strip_suffix('\\') else {
                raw.push_str(part);
                break;
            };
            raw.push_str(escaped);
            raw.push_str("\"\"\"");
        }
        let is_blank = |line: &str| line.chars().all(|c| matches!(c, ' ' | '\t'));
        let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let raw = raw.replace("\r\n", "\n").replace('\r', "\n");
        let common = raw.split('\n').skip(1).filter(|line| !is_blank(line)).map(indent).min().unwrap_or(0);
        let dedented = |(n, line): (usize, &str)| {
            if n == 0 { line.to_owned() } else { line.get(common..).unwrap_or_default().to_owned() }
        };
        let lines: Vec<String> = raw.split('\n').enumerate().map(dedented).collect();
        let first = lines.iter().position(|line| !is_blank(line)).unwrap_or(lines.len());
        let end = lines.iter().rposition(|line| !is_blank(line)).map_or(first, |last| last + 1);
        Ok(Token::Text(lines.get(first..end).unwrap_or_default().join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token>, String> {
        let (mut lexer, mut all) = (Lexer::new(text), Vec::new());
        loop {
            match lexer.next() {
                Ok(Token::End) => return Ok(all),
                Ok(token) => all.push(token),
                Err(SyntaxError(message)) => return Err(message),
            }
        }
    }

    fn one(text: &str) -> Token {
        let all = tokens(text).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn marks_names_and_what_is_ignored() {
        let name = |name: &str| Token::Name(name.to_owned());
        let wanted = [Token::Mark('{'), name("a_1"), Token::Spread, name("B"), Token::Mark('}')];
        assert_eq!(tokens("\u{feff}{ a_1,,# comment }\n ...B }").unwrap(), wanted);
        for bad in ["..", "?", "%", "é"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!([one("0"), one("-7"), one("9223372036854775807")], [0, -7, i64::MAX].map(Token::Int));
        assert_eq!([one("1.5"), one("-1e3"), one("0.1E-2")], [1.5, -1000.0, 0.001].map(Token::Float));
        for bad in ["00", "-01", "1.", "1.e1", "1x", "-", "9223372036854775808", "1e999", "0x1", "1_0"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn strings() {
        let text = |text: &str| Token::Text(text.to_owned());
        assert_eq!(one(r#""a\"\\\/\n\u00e9\uD83D\uDE00\u{1F600} é""#), text("a\"\\/\né😀😀 é"));
        assert_eq!(one("\"\""), text(""));
        assert_eq!(one("\"\"\"\n    a\n      b \\\"\"\" \"c\"\n\n  \"\"\""), text("a\n  b \"\"\" \"c\""));
        assert_eq!(one("\"\"\"one\"\"\""), text("one"));
        for bad in
            ["\"", "\"a\nb\"", r#""\x""#, r#""\u12""#, r#""\uD83D""#, r#""\uD83Dx""#, "\"\"\"a", "\"\\"]
        {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }
}
