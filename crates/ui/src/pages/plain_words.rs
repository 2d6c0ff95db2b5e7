//! Plain words in a field of the search language: what has them in its name is meant. `run-named.js` does the same.

/// Words that make a text one of the search language.
const COMPARE: [&str; 6] = ["LIKE", "ILIKE", "RLIKE", "IN", "IS", "BETWEEN"];

/// A text as it is searched for: plain words become a search in the names that this column holds.
pub(super) fn searched(text: &str, column: &str) -> String {
    let wanted = text.trim();
    let compares = |word: &str| COMPARE.iter().any(|known| word.eq_ignore_ascii_case(known));
    let is_search = wanted.contains(['=', '<', '>', '!', '\'', '"', '`', '(', ')'])
        || wanted.split_whitespace().skip(1).any(compares);
    if is_search {
        return wanted.to_owned();
    }
    // A pattern knows no escape: what means something in it stands for any character.
    let each = wanted.split_whitespace().map(|word| format!("{column} ILIKE '%{}%'", word.replace('%', "_")));
    each.collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use mainstay_tracking::search::RunFilter;

    use super::*;

    #[test]
    fn plain_words_are_looked_for_in_names() {
        for (text, expected) in [
            ("", ""),
            (" child ", "run_name ILIKE '%child%'"),
            ("one two-3", "run_name ILIKE '%one%' AND run_name ILIKE '%two-3%'"),
            ("50%", "run_name ILIKE '%50_%'"),
            ("in", "run_name ILIKE '%in%'"),
            ("metrics.loss < 1", "metrics.loss < 1"),
            ("user_id like x", "user_id like x"),
            ("params.a IS NULL", "params.a IS NULL"),
        ] {
            let found = searched(text, "run_name");
            assert_eq!(found, expected);
            assert!(text.contains("like") || RunFilter::parse(&found).is_ok(), "{found}");
        }
    }
}
