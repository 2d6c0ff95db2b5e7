//! Texts that people logged, however long: their lines as they wrote them, and a long one folded behind its beginning.

use askama::Template;

/// Characters that stand where they are.
const MOST_CHARACTERS: usize = 400;
/// Lines, likewise.
const MOST_LINES: usize = 8;

/// A text, folded if it is long. It opens without scripts.
#[derive(Debug, Template)]
#[template(
    source = r#"{% if let Some(start) = start %}<details class="long"><summary><span class="lines" dir="auto">{{ start }}…</span> <b class="fold"></b></summary><span class="lines" dir="auto">{{ whole }}</span></details>{% else %}<span class="lines" dir="auto">{{ whole }}</span>{% endif %}"#,
    ext = "html"
)]
pub(crate) struct LongText {
    whole: String,
    start: Option<String>,
}

// Rendered by its own template, which escapes.
impl askama::filters::HtmlSafe for LongText {}

impl LongText {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let whole: String = text.into();
        let of_lines = whole.match_indices('\n').nth(MOST_LINES - 1).map(|(at, _)| at);
        let of_characters = whole.char_indices().nth(MOST_CHARACTERS).map(|(at, _)| at);
        let end = of_lines.into_iter().chain(of_characters).min();
        // What would leave out less than its own "more" takes is shown whole.
        let end = end.filter(|end| whole.len() - end > 40);
        let start = end.and_then(|end| whole.get(..end)).map(|start| start.trim_end().to_owned());
        Self { whole, start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_folded_behind_its_beginning() {
        assert!(LongText::new("short\nand two lines").start.is_none());
        let long = LongText::new("é".repeat(6_000));
        assert_eq!(long.start.unwrap().chars().count(), MOST_CHARACTERS);
        let lines = LongText::new("a line\n".repeat(30));
        assert_eq!(lines.start.unwrap().lines().count(), MOST_LINES);
        assert!(LongText::new("x".repeat(MOST_CHARACTERS + 20)).start.is_none(), "not for a few characters");
    }

    #[test]
    fn its_text_stays_text() {
        let shown = LongText::new("<b>".repeat(300)).render().unwrap();
        assert!(!shown.contains("<b>") && shown.contains("<details class=\"long\">"), "{shown}");
    }
}
