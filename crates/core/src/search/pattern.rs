//! SQL's `LIKE` and `ILIKE`.

use std::borrow::Cow;

/// A pattern: `%` stands for any characters, `_` for one. There is no escape, as in `MLflow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    form: Form,
    ignore_case: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// What stands between `%`s, of which there is no `_`: found by searching for texts.
    Texts(Vec<String>),
    /// With a `_`.
    Chars(Vec<char>),
}

impl Pattern {
    /// A pattern; with `ignore_case`, that of `ILIKE`.
    pub fn new(text: &str, ignore_case: bool) -> Self {
        let text = fold(text, ignore_case);
        let form = if text.contains('_') {
            Form::Chars(text.chars().collect())
        } else {
            Form::Texts(text.split('%').map(str::to_owned).collect())
        };
        Self { form, ignore_case }
    }

    /// Whether the whole text matches: in linear time, or O(text × pattern) at worst if there is a `_`.
    pub fn matches(&self, text: &str) -> bool {
        let text = fold(text, self.ignore_case);
        match &self.form {
            Form::Texts(parts) => has_in_order(&text, parts),
            Form::Chars(pattern) => matches_chars(&text.chars().collect::<Vec<_>>(), pattern),
        }
    }
}

/// Lower case, character by character.
fn fold(text: &str, ignore_case: bool) -> Cow<'_, str> {
    if !ignore_case {
        Cow::Borrowed(text)
    } else if text.is_ascii() {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
    }
}

/// Whether a text begins with the first part, ends with the last, and has the others in between, in order.
fn has_in_order(text: &str, parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else {
        return parts.first().is_some_and(|whole| whole == text);
    };
    let Some(inner) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
    else {
        return false;
    };
    let Some((once, before)) = between.split_last() else { return true };
    let mut rest = inner;
    let found = before.iter().all(|part| {
        let after = rest.split_once(part.as_str()).map(|(_, after)| after);
        rest = after.unwrap_or_default();
        after.is_some()
    });
    // Whether it is there is found sooner than where.
    found && rest.contains(once.as_str())
}

fn matches_chars(text: &[char], pattern: &[char]) -> bool {
    let (mut t, mut p) = (0, 0);
    // After the last `%`: where it stands, and how far the text before it has been given to it.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
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
    pattern.iter().skip(p).all(|c| *c == '%')
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
        #![proptest_config(ProptestConfig::with_cases(2_048))]
        #[test]
        fn equals_the_definition(text in "[ab]{0,8}", pattern in "[ab%_]{0,6}|[ab%]{0,6}") {
            let (t, p): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
            prop_assert_eq!(Pattern::new(&pattern, false).matches(&text), slow(&t, &p));
        }
    }

    #[test]
    fn case_and_newlines() {
        assert!(Pattern::new("Ä%", true).matches("äb"));
        assert!(!Pattern::new("Ä%", false).matches("äb"));
        assert!(Pattern::new("a%c", false).matches("a\nc"));
        assert!(Pattern::new("%A%", true).matches("bab"));
    }
}
