//! A page about one thing: fields, headings and tables, one below the other.

use serde_json::Value;

use super::{align, cell, cut, visible, width};
use crate::terminal::say;

/// Most characters of a value on a page. `--json` has all of them.
const LONGEST: usize = 500;
/// On a terminal that is narrower than this, lines are longer.
const NARROW: usize = 40;

/// A value with at most so many characters, and how many there were.
fn shortened(value: &str, longest: usize) -> String {
    let length = value.chars().count();
    if length <= longest {
        return value.to_owned();
    }
    let told = format!(" ({length} characters; --json has them all)");
    cut(value, longest.saturating_sub(told.len())) + &told
}

/// A page, line by line.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: Vec<String>,
}

impl Page {
    /// A page that begins with a line.
    pub(crate) fn titled(title: &str) -> Self {
        Self { lines: vec![visible(title)] }
    }

    /// Names and values; what is not known is left out.
    pub(crate) fn fields(&mut self, fields: &[(&str, Option<String>)]) {
        let known = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let known: Vec<(&str, &str)> = known.filter(|(_, value)| !value.is_empty()).collect();
        let width = known.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        self.lines.extend(known.iter().map(|(name, value)| format!("  {name:width$}  {}", visible(value))));
    }

    /// A heading after an empty line.
    pub(crate) fn heading(&mut self, text: &str) {
        self.lines.push(String::new());
        self.lines.push(visible(text));
    }

    /// A heading and a table below it; nothing where there are no rows.
    pub(crate) fn table(&mut self, heading: &str, titles: &[&str], mut rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        self.heading(heading);
        rows.insert(0, titles.iter().map(|title| title.to_uppercase()).collect());
        for cell in rows.iter_mut().flatten() {
            *cell = shortened(cell, LONGEST);
        }
        let room = width().map(|width| width.saturating_sub(2));
        if let Some(room) = room {
            super::fit::fit(&mut rows, room);
        }
        self.lines.extend(align(&rows).into_iter().map(|line| format!("  {line}")));
    }

    /// A heading and pairs of names and values below it; nothing where there are none.
    pub(crate) fn pairs<'a>(&mut self, heading: &str, pairs: impl Iterator<Item = (&'a str, &'a Value)>) {
        let pairs: Vec<(String, String)> = pairs.map(|(name, value)| (visible(name), cell(value))).collect();
        if pairs.is_empty() {
            return;
        }
        self.heading(heading);
        let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let room = self::width().map_or(LONGEST, |all| all.saturating_sub(width + 4).clamp(NARROW, LONGEST));
        let line = |(name, value): &(String, String)| format!("  {name:width$}  {}", shortened(value, room));
        self.lines.extend(pairs.iter().map(line));
    }

    /// A text of several lines.
    pub(crate) fn text(&mut self, text: &str) {
        self.lines.extend(text.lines().map(|line| format!("  {}", visible(line)).trim_end().to_owned()));
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.lines.push(visible(line));
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        self.lines.iter().for_each(say);
    }

    /// Its lines.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let mut page = Page::titled("run 1");
        let long = json!("x".repeat(6_000));
        page.pairs("Tags", [("note", &long)].into_iter());
        page.table("Params", &["name", "value"], vec![vec!["p".into(), "y".repeat(6_000)]]);
        for line in [3, 7] {
            let line = &page.lines()[line];
            assert!(line.ends_with("… (6000 characters; --json has them all)"), "{line}");
            assert!(line.chars().count() < 520, "{line}");
        }
    }

    #[test]
    fn what_is_not_there_takes_no_room() {
        let mut page = Page::titled("run 1");
        page.fields(&[("status", Some("FINISHED".into())), ("user", None), ("code", Some(String::new()))]);
        page.pairs("Params", std::iter::empty());
        let (lr, more) = (json!("0.1\u{1b}[2J"), json!(3));
        page.pairs("Metrics", [("loss", &lr), ("n", &more)].into_iter());
        page.table("Models", &["model"], Vec::new());
        assert_eq!(
            page.lines(),
            ["run 1", "  status  FINISHED", "", "Metrics", "  loss  0.1 [2J", "  n     3"]
        );
    }
}
