//! Notebooks (nbformat 4) as they are read: cells in their order, each with what it left.
//!
//! Whoever logs one decides what it says, so nothing of it becomes markup: of each output the form is taken that needs
//! none, an image or a text. Images are addressed by their places, and come from the route that serves artifacts.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

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
const PNG: (&str, &[u8]) = ("image/png", b"\x89PNG\r\n\x1a\n");
const JPEG: (&str, &[u8]) = ("image/jpeg", b"\xff\xd8\xff");

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
        let file: File = serde_json::from_slice(bytes).ok().filter(|file: &File| file.nbformat >= 4)?;
        let mut images = 0;
        let all = file.cells.few.into_iter().enumerate();
        let cells = all.map(|(at, cell)| Cell::read(cell, at, &mut images)).collect();
        let Metadata { kernelspec, language_info } = file.metadata;
        let language = kernelspec.display_name.or(language_info.name);
        Some(Self { language, cells, more: file.cells.more })
    }

    /// The image at a place, and its type; `None` if there is none that a browser may show.
    pub(super) fn image(bytes: &[u8], place: &str) -> Option<(&'static str, Vec<u8>)> {
        let (cell, output) = place.split_once('.')?;
        let mut file: File = serde_json::from_slice(bytes).ok()?;
        let cell = file.cells.few.get_mut(cell.parse::<usize>().ok()?)?;
        let data = cell.outputs.few.get_mut(output.parse::<usize>().ok()?)?.data.take()?;
        let found = [(PNG, data.png), (JPEG, data.jpeg)];
        found.into_iter().find_map(|((kind, begins), encoded)| {
            let mut encoded = encoded?.0;
            encoded.retain(|c| !c.is_ascii_whitespace());
            let image = STANDARD.decode(encoded).ok()?;
            image.starts_with(begins).then_some((kind, image))
        })
    }
}

impl Cell {
    fn read(cell: FileCell, at: usize, images: &mut usize) -> Self {
        let source = cell.source.0;
        let (mark, says) = match cell.cell_type.as_str() {
            "markdown" => {
                let read = Markdown::document(&source).map(Says::Read);
                return Self {
                    mark: String::new(),
                    says: read.unwrap_or_else(|| Says::Code(shortened(source))),
                    outputs: Vec::new(),
                };
            }
            "code" => (cell.execution_count.map_or("In [ ]".to_owned(), |ran| format!("In [{ran}]")), source),
            _ => (String::new(), source),
        };
        let of = |(number, output)| Output::read(output, || format!("{at}.{number}"), images);
        let mut outputs: Vec<Output> = cell.outputs.few.into_iter().enumerate().map(of).collect();
        if cell.outputs.more > 0 {
            outputs.push(Output::Hidden(format!("{} more outputs", cell.outputs.more)));
        }
        Self { mark, says: Says::Code(shortened(says)), outputs }
    }
}

impl Output {
    /// Of the forms of one thing the best that needs no markup.
    fn read(output: FileOutput, place: impl Fn() -> String, images: &mut usize) -> Self {
        if output.output_type == "stream" {
            return Self::Text(shortened(plain(&output.text.0)));
        }
        if output.output_type == "error" {
            let trace = plain(&output.traceback.0);
            let said = if trace.is_empty() { format!("{}: {}", output.ename, output.evalue) } else { trace };
            return Self::Fault(shortened(said));
        }
        let data = output.data.unwrap_or_default();
        if (data.png.is_some() || data.jpeg.is_some()) && *images < IMAGES {
            *images += 1;
            return Self::Image(place());
        }
        if let Some(read) = data.markdown.and_then(|text| Markdown::document(&text.0)) {
            return Self::Read(read);
        }
        match data.text {
            Some(text) => Self::Text(shortened(plain(&text.0))),
            None => Self::Hidden("HTML, a widget, or another kind".to_owned()),
        }
    }
}

/// A notebook as it lies in its file, as far as it is shown.
#[derive(Deserialize)]
struct File {
    nbformat: u64,
    #[serde(default)]
    metadata: Metadata,
    cells: Few<FileCell, CELLS>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    kernelspec: Kernel,
    language_info: Language,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kernel {
    display_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Language {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileCell {
    cell_type: String,
    execution_count: Option<u64>,
    source: Joined<false>,
    outputs: Few<FileOutput, OUTPUTS>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileOutput {
    output_type: String,
    text: Joined<false>,
    ename: String,
    evalue: String,
    traceback: Joined<true>,
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "image/png")]
    png: Option<Joined<false>>,
    #[serde(rename = "image/jpeg")]
    jpeg: Option<Joined<false>>,
    #[serde(rename = "text/markdown")]
    markdown: Option<Joined<false>>,
    #[serde(rename = "text/plain")]
    text: Option<Joined<false>>,
}

/// The first of a list; the rest is counted, and takes no room.
struct Few<T, const MOST: usize> {
    few: Vec<T>,
    more: usize,
}

impl<T, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self { few: Vec::new(), more: 0 }
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

struct FewVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for FewVisitor<T, MOST> {
    type Value = Few<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = Few::default();
        while found.few.len() < MOST {
            let Some(one) = seq.next_element()? else { return Ok(found) };
            found.few.push(one);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            found.more += 1;
        }
        Ok(found)
    }
}

/// A text, which stands as one or as its parts: with `LINES` these are lines without their ends.
#[derive(Default)]
struct Joined<const LINES: bool>(String);

impl<'de, const LINES: bool> Deserialize<'de> for Joined<LINES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JoinedVisitor)
    }
}

struct JoinedVisitor<const LINES: bool>;

impl<'de, const LINES: bool> Visitor<'de> for JoinedVisitor<LINES> {
    type Value = Joined<LINES>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Joined::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Joined(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut joined = String::new();
        while let Some(part) = seq.next_element::<Cow<'_, str>>()? {
            if LINES && !joined.is_empty() {
                joined.push('\n');
            }
            joined.push_str(&part);
        }
        Ok(Joined(joined))
    }
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
    use serde_json::{Value, json};

    use super::*;

    const PICTURE: &str =
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
                {"output_type": "display_data", "data": {"image/png": PICTURE, "text/plain": "<Figure>"}},
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
            Output::Hidden("HTML, a widget, or another kind".to_owned()),
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
        let odd = notebook(&json!([{}, {"cell_type": "code", "outputs": [{}], "source": null}]));
        assert_eq!(Notebook::read(&odd).unwrap().cells.len(), 2);
        assert_eq!(Notebook::read(&notebook(&json!([1]))), None);
        let disguised = json!([{"cell_type": "code", "outputs": [{"data": {"image/png": "PHN2Zz4="}}]}]);
        assert_eq!(Notebook::image(&notebook(&disguised), "0.0"), None, "its bytes are no image");
    }

    #[test]
    fn much_is_cut_and_said_to_be() {
        let cell =
            json!({"cell_type": "code", "source": "é".repeat(TEXT), "outputs": vec![json!({}); OUTPUTS + 1]});
        let read = Notebook::read(&notebook(&json!(vec![cell; CELLS + 2]))).unwrap();
        assert_eq!((read.cells.len(), read.more), (CELLS, 2));
        assert_eq!(read.cells[0].outputs.last(), Some(&Output::Hidden("1 more outputs".to_owned())));
        assert!(
            matches!(&read.cells[0].says, Says::Code(code) if code.ends_with(" bytes more") && code.len() < TEXT + 40)
        );
    }
}
