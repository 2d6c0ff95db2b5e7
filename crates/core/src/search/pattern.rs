//! SQL's `LIKE` and `ILIKE`.

/// A pattern: `%` stands for any characters, `_` for one. There is no escape, as in `MLflow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    chars: Vec<char>,
    ignore_case: bool,
}

impl Pattern {
    /// A pattern; with `ignore_case`, that of `ILIKE`.
    pub fn new(text: &str, ignore_case: bool) -> Self {
        Self { chars: fold(text, ignore_case), ignore_case }
    }

    /// Whether the whole text matches, in O(text × pattern) at worst.
    pub fn matches(&self, text: &str) -> bool {
        let text = fold(text, self.ignore_case);
        let (mut t, mut p) = (0, 0);
        // After the last `%`: where it stands, and how far the text before it has been given to it.
        let mut star: Option<(usize, usize)> = None;
        while let Some(c) = text.get(t) {
            match self.chars.get(p) {
                Some('%') => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(wanted) if *wanted == '_' || wanted == c => (t, p) = (t + 1, p + 1),
                _ => {
                    let Some((at, taken)) = star else { return false };
                    star = Some((at, taken + 1));
                    (t, p) = (taken + 1, at + 1);
                }
            }
        }
        self.chars.iter().skip(p).all(|c| *c == '%')
    }
}

fn fold(text: &str, ignore_case: bool) -> Vec<char> {
    if ignore_case { text.chars().flat_map(char::to_lowercase).collect() } else { text.chars().collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, by recursion.
    fn slow(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|n| slow(&text[n..], rest)),
            Some((c, rest)) => text.first().is_some_and(|t| *c == '_' || t == c) && slow(&text[1..], rest),
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition(text in "[ab]{0,8}", pattern in "[ab%_]{0,6}") {
            let (t, p): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
            prop_assert_eq!(Pattern::new(&pattern, false).matches(&text), slow(&t, &p));
        }
    }

    #[test]
    fn case_and_newlines() {
        assert!(Pattern::new("Ä%", true).matches("äb"));
        assert!(!Pattern::new("Ä%", false).matches("äb"));
        assert!(Pattern::new("a%c", false).matches("a\nc"));
    }
}
