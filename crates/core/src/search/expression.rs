//! `RLIKE`: regular expressions.

use regex::{Regex, RegexBuilder};

/// Most memory of one compiled expression, in bytes.
const MAX_SIZE: usize = 1 << 20;

/// A regular expression, sought anywhere in a text. It takes time linear in the text, so look-around and
/// back-references are not among what it can say.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    /// One that cannot be compiled matches nothing, as in a stock server.
    regex: Option<Regex>,
}

impl Expression {
    /// Compiles an expression.
    pub fn new(text: &str) -> Self {
        let regex = RegexBuilder::new(text).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).build();
        Self { text: text.to_owned(), regex: regex.ok() }
    }

    /// Whether something in the text matches.
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }
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
    fn what_cannot_be_compiled_matches_nothing() {
        for text in ["(", "a{1000}{1000}{1000}", "(?=a)"] {
            assert!(!Expression::new(text).is_in("a(("), "{text}");
        }
    }
}
