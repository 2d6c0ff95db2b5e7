//! Notebooks (nbformat 4) as they are read: cells in their order, each with what it left.
//!
//! Whoever logs one decides what it says, so nothing of it becomes markup: of each output the form is taken that needs
//! none, an image or a text. Images are addressed by their places, and come from the route that serves artifacts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::show::markdown::Markdown;

/// Most bytes of a notebook that is read.
pub(super) const MOST: usize = 8 * 1024 * 1024;
/// Most cells that are shown.
const CELLS: usize = 400;
/// Most outputs of a cell that are shown.
const OUTPUTS: usize = 40;
/// Most images of a notebook that are shown.
const IMAGES: usize = 60;
/// Most bytes of a text that are shown.
const TEXT: usize = 64 * 1024;
/// The images that are shown, and how the bytes of each begin.
const KINDS: [(&str, &[u8]); 2] = [("image/png", b"\x89PNG\r\n\x1a\n"), ("image/jpeg", b"\xff\xd8\xff")];

/// A notebook, to be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notebook {
    /// In what it is written, and by which kernel.
    pub(super) language: Option<String>,
    pub(super) cells: Vec<Cell>,
    /// Cells that are not shown.
    pub(super) more: usize,
}

/// One cell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// `In [3]` of code that ran.
    pub(super) mark: String,
    pub(super) says: Says,
    pub(super) outputs: Vec<Output>,
}

/// What a cell says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Says {
    Read(Markdown),
    Code(String),
}

/// What a cell left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    Text(String),
    Fault(String),
    Read(Markdown),
    /// An image, and its place.
    Image(String),
    /// What is not shown, in words.
    Hidden(String),
}

impl Notebook {
    /// Reads one; `None` if it is none, or of a format before 4.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let file: Value = serde_json::from_slice(bytes).ok()?;
        if file.get("nbformat")?.as_u64()? < 4 {
            return None;
        }
        let all = file.get("cells")?.as_array()?;
        let mut images = 0;
        let cells = all.iter().take(CELLS).enumerate().map(|(at, cell)| Cell::read(cell, at, &mut images));
        let metadata = file.get("metadata");
        let known = |pointer: &str| metadata.and_then(|of| of.pointer(pointer)).and_then(Value::as_str);
        let language = known("/kernelspec/display_name").or_else(|| known("/language_info/name"));
        Some(Self {
            language: language.map(str::to_owned),
            cells: cells.collect(),
            more: all.len().saturating_sub(CELLS),
        })
    }

    /// The image at a place, and its type; `None` if there is none that a browser may show.
    pub(super) fn image(bytes: &[u8], place: &str) -> Option<(&'static str, Vec<u8>)> {
        let (cell, output) = place.split_once('.')?;
        let file: Value = serde_json::from_slice(bytes).ok()?;
        let cell = file.get("cells")?.get(cell.parse::<usize>().ok()?)?;
        let data = cell.get("outputs")?.get(output.parse::<usize>().ok()?)?.get("data")?;
        KINDS.into_iter().find_map(|(kind, begins)| {
            let mut encoded = whole(data.get(kind)?);
            encoded.retain(|c| !c.is_ascii_whitespace());
            let image = STANDARD.decode(encoded).ok()?;
            image.starts_with(begins).then_some((kind, image))
        })
    }
}

impl Cell {
    fn read(cell: &Value, at: usize, images: &mut usize) -> Self {
        let source = cell.get("source").map(whole).unwrap_or_default();
        match cell.get("cell_type").and_then(Value::as_str) {
            Some("markdown") => {
                let says = Markdown::document(&source).map_or(Says::Code(shortened(source)), Says::Read);
                Self { mark: String::new(), says, outputs: Vec::new() }
            }
            Some("code") => {
                let ran = cell.get("execution_count").and_then(Value::as_u64);
                let mark = ran.map_or_else(|| "In [ ]".to_owned(), |ran| format!("In [{ran}]"));
                let outputs =
                    cell.get("outputs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let mut shown: Vec<Output> = outputs
                    .iter()
                    .take(OUTPUTS)
                    .enumerate()
                    .map(|(number, output)| Output::read(output, &format!("{at}.{number}"), images))
                    .collect();
                if outputs.len() > OUTPUTS {
                    shown.push(Output::Hidden(format!("{} more outputs", outputs.len() - OUTPUTS)));
                }
                Self { mark, says: Says::Code(shortened(source)), outputs: shown }
            }
            _ => Self { mark: String::new(), says: Says::Code(shortened(source)), outputs: Vec::new() },
        }
    }
}

impl Output {
    fn read(output: &Value, place: &str, images: &mut usize) -> Self {
        let text = |name: &str| output.get(name).map(whole).unwrap_or_default();
        match output.get("output_type").and_then(Value::as_str) {
            Some("stream") => Self::Text(shortened(plain(&text("text")))),
            Some("error") => {
                let trace = plain(&lines(output.get("traceback")));
                let said =
                    if trace.is_empty() { format!("{}: {}", text("ename"), text("evalue")) } else { trace };
                Self::Fault(shortened(said))
            }
            _ => output.get("data").map_or_else(
                || Self::Hidden("an output without data".to_owned()),
                |data| Self::of_data(data, place, images),
            ),
        }
    }

    /// Of the forms of one thing the best that needs no markup.
    fn of_data(data: &Value, place: &str, images: &mut usize) -> Self {
        if KINDS.iter().any(|(kind, _)| data.get(kind).is_some()) && *images < IMAGES {
            *images += 1;
            return Self::Image(place.to_owned());
        }
        let markdown = data.get("text/markdown").map(whole);
        if let Some(read) = markdown.as_deref().and_then(Markdown::document) {
            return Self::Read(read);
        }
        if let Some(text) = data.get("text/plain") {
            return Self::Text(shortened(plain(&whole(text))));
        }
        let kinds =
            data.as_object().map(|kinds| kinds.keys().take(5).cloned().collect::<Vec<_>>().join(", "));
        Self::Hidden(kinds.unwrap_or_default())
    }
}

/// A text, which stands as one or as its lines.
fn whole(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The lines of a traceback, whose ends are left out.
fn lines(value: Option<&Value>) -> String {
    let all = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

/// Without what colours a terminal (ECMA-48, "control sequences").
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            out.push(c);
        } else if rest.next() == Some('[') {
            // It ends with a letter, or one of a few signs.
            let _end = rest.find(|c| matches!(c, '@'..='~'));
        }
    }
    out
}

/// The beginning of a text, and a line that says so.
fn shortened(mut text: String) -> String {
    if text.len() <= TEXT {
        return text;
    }
    let left = text.len() - TEXT;
    text.truncate(text.floor_char_boundary(TEXT));
    text + &format!("\n… {left} bytes more")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PNG: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

    fn notebook(cells: &Value) -> Vec<u8> {
        let kernel = json!({"kernelspec": {"display_name": "Python 3"}});
        json!({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn cells_are_read_in_their_order_with_what_they_left() {
        let bytes = notebook(&json!([
            {"cell_type": "markdown", "source": ["# Title\n", "<script>x</script>"]},
            {"cell_type": "code", "execution_count": 3, "source": "1 / 0", "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["a\n", "\u{1b}[31mb\u{1b}[0m"]},
                {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "<Figure>"}},
                {"output_type": "execute_result", "data": {"text/html": "<b onclick=x>1</b>", "text/plain": ["1"]}},
                {"output_type": "display_data", "data": {"text/html": "<script>x</script>"}},
                {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[0;31mE\u{1b}[0m", "v"]},
            ]},
            {"cell_type": "raw", "source": "as it is"},
        ]));
        let read = Notebook::read(&bytes).unwrap();
        assert_eq!((read.language.as_deref(), read.cells.len(), read.more), (Some("Python 3"), 3, 0));
        assert!(
            matches!(&read.cells[0].says, Says::Read(read) if read.to_string().contains("&lt;script&gt;"))
        );
        assert_eq!(
            (read.cells[1].mark.as_str(), &read.cells[1].says),
            ("In [3]", &Says::Code("1 / 0".to_owned()))
        );
        let text = |text: &str| Output::Text(text.to_owned());
        let expected = [
            text("a\nb"),
            Output::Image("1.1".to_owned()),
            text("1"),
            Output::Hidden("text/html".to_owned()),
            Output::Fault("E\nv".to_owned()),
        ];
        assert_eq!(read.cells[1].outputs, expected);
        let (kind, image) = Notebook::image(&bytes, "1.1").unwrap();
        assert_eq!((kind, &image[1..4]), ("image/png", b"PNG".as_slice()));
        for none in ["", "1", "1.2", "9.0", "1.9", "-1.0", "0.0"] {
            assert_eq!(Notebook::image(&bytes, none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_notebook_stays_what_it_is() {
        for other in
            ["", "{}", "[]", r#"{"nbformat": 3, "worksheets": []}"#, r#"{"nbformat": 4, "cells": 1}"#]
        {
            assert_eq!(Notebook::read(other.as_bytes()), None, "{other}");
        }
        let odd = notebook(&json!([1, {}, {"cell_type": "code", "outputs": [{}, 1], "source": null}]));
        assert_eq!(Notebook::read(&odd).unwrap().cells.len(), 3);
        let disguised = json!([{"cell_type": "code", "outputs": [{"data": {"image/png": "PHN2Zz4="}}]}]);
        assert_eq!(Notebook::image(&notebook(&disguised), "0.0"), None, "its bytes are no image");
    }

    #[test]
    fn much_is_cut_and_said_to_be() {
        let cell = json!({"cell_type": "code", "source": "é".repeat(TEXT), "outputs": vec![json!({"data": {}}); OUTPUTS + 1]});
        let read = Notebook::read(&notebook(&json!(vec![cell; CELLS + 2]))).unwrap();
        assert_eq!((read.cells.len(), read.more), (CELLS, 2));
        assert_eq!(read.cells[0].outputs.last(), Some(&Output::Hidden("1 more outputs".to_owned())));
        assert!(
            matches!(&read.cells[0].says, Says::Code(code) if code.ends_with(" bytes more") && code.len() < TEXT + 40)
        );
    }
}
