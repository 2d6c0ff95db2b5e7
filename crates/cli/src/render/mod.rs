//! JSON as a person reads it: tables and documents.
//!
//! On a terminal tables are aligned, have a heading and are as wide as the terminal; elsewhere a row is a line whose
//! cells are parted by tabs, whole, for `cut` and `awk`. Names and texts come from users, so control characters do
//! not pass.

mod figure;
mod fit;
mod page;
mod time;

use std::io::IsTerminal as _;

use serde_json::{Map, Number, Value};

pub(crate) use self::figure::{Digits, exact};
pub(crate) use self::fit::cut;
pub(crate) use self::page::Page;
pub(crate) use self::time::{instant, span};
use crate::terminal::say;

/// A column: its heading, and where its cells are (RFC 6901).
pub(crate) type Column = (&'static str, &'static str);

/// What a table is printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// A terminal of so many characters, if it is known.
    Terminal(Option<usize>),
    /// A file, or another program.
    Pipe,
}

impl Medium {
    fn of_output() -> Self {
        if std::io::stdout().is_terminal() { Self::Terminal(width()) } else { Self::Pipe }
    }
}

/// The width of the terminal that results go to, if they go to one and it knows its width.
pub(crate) fn width() -> Option<usize> {
    let known = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    known.filter(|width| *width > 0)
}

/// Prints a table.
pub(crate) fn table(items: &[Value], columns: &[Column]) {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    rows(&titles, items.iter().map(|item| row(item, columns)).collect());
}

/// Prints a table of cells that are texts already.
pub(crate) fn rows(titles: &[&str], rows: Vec<Vec<String>>) {
    lines(titles, rows, Medium::of_output()).iter().for_each(say);
}

/// Prints everything in a JSON object.
pub(crate) fn document(value: &Value) {
    let mut lines = Vec::new();
    write_fields(value, 0, &mut lines);
    lines.iter().for_each(say);
}

fn row(item: &Value, columns: &[Column]) -> Vec<String> {
    columns.iter().map(|(_, pointer)| cell(item.pointer(pointer).unwrap_or(&Value::Null))).collect()
}

fn lines(titles: &[&str], mut rows: Vec<Vec<String>>, medium: Medium) -> Vec<String> {
    let Medium::Terminal(width) = medium else {
        return rows.iter().map(|row| row.join("\t")).collect();
    };
    rows.insert(0, titles.iter().map(|title| visible(&title.to_uppercase())).collect());
    if let Some(width) = width {
        fit::fit(&mut rows, width);
    }
    align(&rows)
}

/// Pads all cells but the last of each row to the width of their column.
pub(crate) fn align(rows: &[Vec<String>]) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let pad = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(pad).collect()
}

/// A value on one line, numbers with five significant digits.
pub(crate) fn cell(value: &Value) -> String {
    cell_with(value, figure::brief)
}

/// A value on one line.
fn cell_with(value: &Value, figure: fn(&Number) -> String) -> String {
    let cell = |value: &Value| cell_with(value, figure);
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(fields) if fields.is_empty() => "-".to_owned(),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| format!("{key}={}", cell(value)));
            pairs.collect::<Vec<_>>().join(",")
        }
        Value::Number(number) => figure(number),
        Value::Bool(flag) => flag.to_string(),
    };
    visible(&text)
}

pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a value fits on the line of its name.
fn is_brief(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.iter().all(|item| !item.is_object() && !item.is_array()),
        Value::String(text) => !text.contains('\n'),
        _ => true,
    }
}

fn write_fields(value: &Value, indent: usize, lines: &mut Vec<String>) {
    let margin = " ".repeat(indent);
    let Value::Object(fields) = value else {
        lines.push(format!("{margin}{}", cell(value)));
        return;
    };
    let brief: Vec<_> = fields.iter().filter(|(_, value)| is_brief(value)).collect();
    let width = brief.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    lines
        .extend(brief.iter().map(|(key, value)| format!("{margin}{:width$}  {}", visible(key), cell(value))));
    for (key, value) in fields.iter().filter(|(_, value)| !is_brief(value)) {
        lines.push(format!("{margin}{}", visible(key)));
        match value {
            Value::String(text) => {
                lines.extend(text.lines().map(|line| format!("{margin}  {}", visible(line))));
            }
            Value::Array(items) => write_items(items, indent + 2, lines),
            nested => write_fields(nested, indent + 2, lines),
        }
    }
}

/// Objects of brief values as a table, others one after the other.
fn write_items(items: &[Value], indent: usize, lines: &mut Vec<String>) {
    let margin = " ".repeat(indent);
    let objects: Vec<&Map<_, _>> = items.iter().filter_map(Value::as_object).collect();
    let flat = objects.len() == items.len() && objects.iter().all(|fields| fields.values().all(is_brief));
    if !flat {
        for item in items {
            write_fields(item, indent, lines);
            lines.push(String::new());
        }
        return;
    }
    let mut keys: Vec<&String> = Vec::new();
    for key in objects.iter().flat_map(|fields| fields.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut rows = vec![keys.iter().map(|key| visible(&key.to_uppercase())).collect::<Vec<_>>()];
    rows.extend(objects.iter().map(|fields| {
        keys.iter().map(|key| cell(fields.get(*key).unwrap_or(&Value::Null))).collect::<Vec<_>>()
    }));
    lines.extend(align(&rows).into_iter().map(|line| format!("{margin}{line}")));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 3] = [("name", "/name"), ("version", "/champion/version"), ("tags", "/tags")];

    fn rows() -> Vec<Vec<String>> {
        let items = [
            json!({ "name": "a", "champion": { "version": 12 }, "tags": { "k": "v" } }),
            json!({ "name": "flight\tdelay", "tags": {} }),
        ];
        items.iter().map(|item| row(item, &COLUMNS)).collect()
    }

    #[test]
    fn a_table_is_aligned_for_people_and_tabbed_for_programs() {
        let titles = COLUMNS.map(|(title, _)| title);
        let aligned = lines(&titles, rows(), Medium::Terminal(None));
        assert_eq!(
            aligned,
            ["NAME          VERSION  TAGS", "a             12       k=v", "flight delay  -        -"]
        );
        let narrow = lines(&titles, rows(), Medium::Terminal(Some(20)));
        assert_eq!(narrow[1], "a         12       k=v");
        assert_eq!(lines(&titles, rows(), Medium::Pipe), ["a\t12\tk=v", "flight delay\t-\t-"]);
    }

    #[test]
    fn a_document_shows_everything_and_no_control_characters() {
        let value = json!({
            "name": "x\u{1b}[31m", "steps": [{ "a": 1 }, { "b": "two" }], "text": "one\ntwo", "deep": { "n": null },
        });
        let mut lines = Vec::new();
        write_fields(&value, 0, &mut lines);
        let expected = [
            "name  x [31m",
            "steps",
            "  A  B",
            "  1  -",
            "  -  two",
            "text",
            "  one",
            "  two",
            "deep",
            "  n  -",
        ];
        assert_eq!(lines, expected);
    }
}
