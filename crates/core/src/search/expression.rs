//! `RLIKE`: regular expressions.

use regex::{Regex, RegexBuilder};

use super::SearchError;
use crate::text::{clip, exceeds};

/// Most memory of one compiled expression, in bytes, and of what it remembers while it searches.
const MAX_SIZE: usize = 1 << 20;
/// Longest expression, in characters: a class such as `\w` takes kilobytes before it is compiled.
const MAX_LENGTH: usize = 1_000;

/// A regular expression, sought anywhere in a text. It takes time linear in the text, so look-around and
/// back-references are not among what it can say.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    /// One that cannot be compiled matches nothing, as in a stock server.
    regex: Option<Regex>,
}

impl Expression {
    /// Compiles an expression; one that cannot be compiled matches nothing.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), regex: compiled(text).ok() }
    }

    /// Compiles an expression, or says why it cannot be compiled.
    pub fn checked(text: &str) -> Result<Self, SearchError> {
        match compiled(text) {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex: Some(regex) }),
            Err(reason) => Err(SearchError::Expression { expression: clip(text), reason }),
        }
    }

    /// Whether something in the text matches.
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Compiles an expression, or says why it cannot be compiled.
fn compiled(text: &str) -> Result<Regex, String> {
    if exceeds(text, MAX_LENGTH).is_some() {
        return Err(format!("it is longer than {MAX_LENGTH} characters"));
    }
    let built = RegexBuilder::new(text).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it takes more than 1 MiB when compiled; repeat less".to_owned(),
        // The first lines repeat the expression and point at the place; the last says what is wrong.
        error => {
            let told = error.to_string();
            clip(told.lines().last().unwrap_or_default().trim_start_matches("error: "))
        }
    })
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sought_anywhere_and_with_case() {
        assert!(Expression::new("g.t").is_in("a git"));
        assert!(!Expression::new("^git").is_in("a git"));
        assert!(!Expression::new("GIT").is_in("a git"));
    }

    #[test]
    fn what_cannot_be_compiled_matches_nothing_or_is_refused() {
        let long = "a".repeat(1_001);
        for (text, why) in [
            ("(", "unclosed group"),
            ("a{1000}{1000}{1000}", "it takes more than 1 MiB when compiled; repeat less"),
            ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            (&long, "it is longer than 1000 characters"),
        ] {
            assert!(!Expression::new(text).is_in("a(("), "{text}");
            let refused = SearchError::Expression { expression: clip(text), reason: why.to_owned() };
            assert_eq!(Expression::checked(text), Err(refused));
        }
    }
}
