//! `/runs/{id}/artifacts?path=…`: what a run left, as a tree, and one thing of it looked at.

use std::fmt;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::object::{Entry, Listing, ObjectPath};
use mainstay_core::scope::ResourceKind;
use serde::Deserialize;
use serde_json::Value as Json;

use super::notebook::{self, Notebook, Output, Says};
use super::run_artifact::{Kind, beginning, kind_of, opened, stored};
use super::run_images::{self, Strip};
use super::{Row, asked, reads};
use crate::frame::{Error, Page, page};
use crate::show::figure::bytes;
use crate::show::link::{self, segment};
use crate::show::markdown::Markdown;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Most bytes that are read to show something.
const READ: usize = 512 * 1024;
/// Most rows of a table.
const ROWS: usize = 500;
/// Most columns of a table.
const COLUMNS: usize = 60;
/// Most entries of one folder.
const ENTRIES: usize = 2_000;

pub(super) fn routes() -> Vec<Row> {
    let run = RouteScope::Path(ResourceKind::Run, "id");
    vec![reads("/runs/{id}/artifacts", Action::RunRead, run, show).for_levels()]
}

/// A line of the tree.
struct Branch {
    /// How deep it lies, from 1.
    level: usize,
    name: String,
    href: String,
    /// Of a file.
    size: Option<String>,
    is_open: bool,
    is_here: bool,
}

/// What is shown of a file.
enum Shown {
    Image,
    Page,
    Pdf,
    Notebook(Notebook),
    Table(Grid),
    Text(String),
    Markdown(Markdown),
    /// It cannot be shown.
    Nothing,
}

/// A value of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// None was there, which is no empty text.
    Null,
    Text(String),
    Number(String),
}

/// What stands above a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: String,
    /// Whether all that is in it are numbers.
    pub(super) is_number: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Vec<Value>>,
    /// Whether there is more than is shown.
    pub(super) is_cut: bool,
}

impl Grid {
    /// A table of these rows: a column is one of numbers if nothing else stands in it.
    fn new(names: Vec<String>, rows: Vec<Vec<Value>>, is_cut: bool) -> Self {
        let is_number = |at: usize| {
            let mut known =
                rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_nothing()).peekable();
            known.peek().is_some() && known.all(|value| matches!(value, Value::Number(_)))
        };
        let head = |(at, name)| Head { name, is_number: is_number(at) };
        let heads = names.into_iter().enumerate().map(head).collect();
        Self { heads, rows, is_cut }
    }

    /// The values of a row, each with whether its column is one of numbers.
    pub(super) fn cells<'a>(&'a self, row: &'a [Value]) -> impl Iterator<Item = (&'a Value, bool)> {
        let numbers = self.heads.iter().map(|head| head.is_number);
        row.iter().zip(numbers.chain(std::iter::repeat(false)))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Text(text) | Self::Number(text) => text,
        })
    }
}

impl Value {
    /// As a text says it: of separated values there is nothing but their texts.
    fn said(text: &str) -> Self {
        let digits = text.trim().trim_start_matches(['-', '+']);
        let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        // A code with leading noughts is no number.
        let is_code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
        let is_number = begins && !is_code && text.trim().parse::<f64>().is_ok();
        if is_number { Self::Number(text.to_owned()) } else { Self::Text(text.to_owned()) }
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Text(text) if text.is_empty())
    }
}

struct Looked {
    name: String,
    size: String,
    raw: String,
    /// Its path, as a query has it.
    path: String,
    shown: Shown,
    /// Only its beginning is shown.
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "run_artifacts.html")]
struct ArtifactsPage {
    shell: Shell,
    id: String,
    name: String,
    /// Where they are, if that is not here.
    elsewhere: Option<String>,
    tree: Vec<Branch>,
    /// Whether a folder holds more than is listed.
    has_more: bool,
    looked: Option<Looked>,
    /// Where the folder of logged images is looked at.
    strips: Vec<Strip>,
    scripts: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    path: String,
    #[serde(default)]
    scripts: bool,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Wanted { path, scripts } = asked(query)?;
    let path = path.trim_matches('/');
    let (run, root) = stored(&console, &caller, id.parse()?).await?;
    let (tree, looked, strips) = match &root {
        None => (Tree::default(), None, Vec::new()),
        Some(root) => {
            let here = format!("/runs/{}/artifacts", run.run.id);
            let tree = tree(&console, root, path, &here).await?;
            let is_file = tree.is_file;
            let raw = format!("/runs/{}/artifact?path={}", run.run.id, segment(path));
            let strips = if path == run_images::FOLDER && !is_file {
                let logged = console.objects.list(Some(&root.join(path)?), ENTRIES).await?.entries;
                run_images::strips(
                    logged.iter().map(|file| file.name.as_str()),
                    &format!("/runs/{}/artifact?path=", run.run.id),
                )
            } else {
                Vec::new()
            };
            (tree, if is_file { Some(look(&console, root, path, raw).await?) } else { None }, strips)
        }
    };
    let experiment = console.tracked.experiment(&caller.workspace, run.run.experiment).await?;
    let group = experiment.map_or_else(|| run.run.experiment.to_string(), |e| e.experiment.name.to_string());
    page(&ArtifactsPage {
        shell: Shell::new(format!("Artifacts of {}", run.run.name), Section::Experiments)
            .seen_by(&caller)
            .under("Experiments", "/experiments")
            .under(group, link::experiment(run.run.experiment))
            .under(run.run.name.clone(), link::run(run.run.id)),
        id: run.run.id.to_string(),
        name: run.run.name,
        elsewhere: root.is_none().then_some(run.run.artifact_uri),
        tree: tree.branches,
        has_more: tree.has_more,
        looked,
        strips,
        scripts,
    })
}

/// The folders on the way to a path, opened.
#[derive(Default)]
struct Tree {
    branches: Vec<Branch>,
    /// Whether the path is a file.
    is_file: bool,
    /// Whether a folder holds more than is listed.
    has_more: bool,
}

/// What lies in a folder, as far as it is listed, and what is looked at in it.
async fn listed(console: &Console, folder: &ObjectPath, looked: Option<&str>) -> Result<Listing, Error> {
    let mut listing = console.objects.list(Some(folder), ENTRIES).await?;
    let is_left_out = |name: &&str| listing.has_more && !listing.entries.iter().any(|one| one.name == *name);
    if let Some(name) = looked.filter(is_left_out) {
        let place = folder.join(name)?;
        let size = console.objects.status(&place).await?.map(|status| status.size);
        if size.is_some() || !console.objects.list(Some(&place), 1).await?.entries.is_empty() {
            listing.entries.push(Entry { name: name.to_owned(), size });
        }
    }
    Ok(listing)
}

async fn tree(console: &Console, root: &ObjectPath, path: &str, here: &str) -> Result<Tree, Error> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (mut tree, mut at) = (Tree::default(), 0);
    let mut folder = String::new();
    for level in 0..=parts.len() {
        let place = if folder.is_empty() { root.clone() } else { root.join(&folder)? };
        let next = parts.get(level);
        let Listing { entries, has_more } = listed(console, &place, next.copied()).await?;
        tree.has_more |= has_more;
        let mut found = None;
        let called = if folder == run_images::FOLDER {
            run_images::once(entries, next.copied())
        } else {
            entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect()
        };
        let branches: Vec<Branch> = called
            .into_iter()
            .enumerate()
            .map(|(index, (name, entry))| {
                let is_next = next == Some(&entry.name.as_str());
                let whole =
                    if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
                if is_next {
                    found = Some((index, entry.size.is_some()));
                }
                Branch {
                    level: level + 1,
                    href: format!("{here}?path={}", segment(&whole)),
                    is_open: is_next && entry.size.is_none(),
                    is_here: is_next && level + 1 == parts.len(),
                    size: entry.size.map(bytes),
                    name,
                }
            })
            .collect();
        drop(tree.branches.splice(at..at, branches));
        let (Some(part), Some((index, found_file))) = (next, found) else { break };
        if found_file {
            tree.is_file = level + 1 == parts.len();
            break;
        }
        at += index + 1;
        if !folder.is_empty() {
            folder.push('/');
        }
        folder.push_str(part);
    }
    Ok(tree)
}

async fn look(console: &Console, root: &ObjectPath, path: &str, raw: String) -> Result<Looked, Error> {
    let content = opened(console, root, path).await?;
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let size = bytes(content.status.size);
    let whole = content.status.size;
    let (shown, is_cut) = match kind_of(&name) {
        Some(Kind::Image) => (Shown::Image, false),
        Some(Kind::Page) => (Shown::Page, false),
        Some(Kind::Pdf) => (Shown::Pdf, false),
        Some(Kind::Notebook) if whole <= notebook::MOST as u64 => {
            let bytes = beginning(content, notebook::MOST).await?;
            let read = tokio::task::spawn_blocking(move || as_notebook(bytes)).await;
            read.map_err(|error| StorageError::Failed(error.into()))?
        }
        kind => {
            let beginning = beginning(content, READ).await?;
            let is_cut = (beginning.len() as u64) < whole;
            let shown = shown(kind, &name, beginning, is_cut);
            let is_cut = match &shown {
                Shown::Table(grid) => grid.is_cut,
                Shown::Nothing => false,
                _ => is_cut,
            };
            (shown, is_cut)
        }
    };
    Ok(Looked { name, size, raw, path: segment(path), shown, is_cut })
}

/// A notebook, or the beginning of what is called one; and whether that is all.
fn as_notebook(mut bytes: Vec<u8>) -> (Shown, bool) {
    if let Some(read) = Notebook::read(&bytes) {
        let is_cut = read.more > 0;
        return (Shown::Notebook(read), is_cut);
    }
    let is_cut = bytes.len() > READ;
    bytes.truncate(READ);
    (shown(Some(Kind::Text), "", bytes, is_cut), is_cut)
}

fn shown(kind: Option<Kind>, name: &str, mut bytes: Vec<u8>, is_cut: bool) -> Shown {
    if is_cut && let Err(error) = std::str::from_utf8(&bytes) {
        // The cut may lie within a character.
        let valid = error.valid_up_to();
        if bytes.len() - valid < 4 {
            bytes.truncate(valid);
        }
    }
    let Ok(text) = String::from_utf8(bytes) else { return Shown::Nothing };
    match kind {
        Some(Kind::Table) => separated(&text, name, is_cut).map_or(Shown::Text(text), Shown::Table),
        Some(Kind::Json) if !is_cut => match serde_json::from_str::<Json>(&text) {
            Ok(value) => logged_table(&value).map_or_else(|| Shown::Text(pretty(&value, text)), Shown::Table),
            Err(_) => Shown::Text(text),
        },
        Some(Kind::Markdown) if !is_cut => match Markdown::document(&text) {
            Some(read) => Shown::Markdown(read),
            None => Shown::Text(text),
        },
        None if text.contains('\0') => Shown::Nothing,
        _ => Shown::Text(text),
    }
}

fn pretty(value: &Json, text: String) -> String {
    serde_json::to_string_pretty(value).unwrap_or(text)
}

/// Comma- or tab-separated values with a head (RFC 4180).
fn separated(text: &str, name: &str, is_cut: bool) -> Option<Grid> {
    let tabs = name.to_ascii_lowercase().ends_with(".tsv");
    let delimiter = if tabs { b'\t' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let heads: Vec<String> = reader.headers().ok()?.iter().take(COLUMNS).map(str::to_owned).collect();
    let (mut rows, mut has_more) = (Vec::new(), is_cut || heads.len() >= COLUMNS);
    for record in reader.records() {
        if rows.len() == ROWS {
            has_more = true;
            break;
        }
        rows.push(record.ok()?.iter().take(COLUMNS).map(Value::said).collect());
    }
    if is_cut && rows.len() < ROWS {
        // The last one may be half.
        rows.pop();
    }
    Some(Grid::new(heads, rows, has_more))
}

/// What `mlflow.log_table` writes: `{"columns": […], "data": [[…]]}` (pandas' `orient="split"`).
pub(super) fn logged_table(value: &Json) -> Option<Grid> {
    let columns = value.get("columns")?.as_array()?;
    let data = value.get("data")?.as_array()?;
    let name = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let cell = |value: &Json| match value {
        Json::String(text) => Value::Text(text.clone()),
        Json::Null => Value::Null,
        Json::Number(number) => Value::Number(number.to_string()),
        other => Value::Text(other.to_string()),
    };
    let row = |row: &Json| Some(row.as_array()?.iter().take(COLUMNS).map(cell).collect::<Vec<_>>());
    Some(Grid::new(
        columns.iter().take(COLUMNS).map(name).collect(),
        data.iter().take(ROWS).map(row).collect::<Option<_>>()?,
        data.len() > ROWS || columns.len() > COLUMNS,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_read_in_both_of_their_forms() {
        let text = |text: &str| Value::Text(text.to_owned());
        let expected = |nothing: Value| Grid {
            heads: vec![
                Head { name: "a".into(), is_number: true },
                Head { name: "b".into(), is_number: false },
            ],
            rows: vec![vec![Value::Number("1".into()), text("x, y")], vec![nothing, text("z")]],
            is_cut: false,
        };
        let logged = json!({"columns": ["a", "b"], "data": [[1, "x, y"], [null, "z"]]});
        assert_eq!(logged_table(&logged), Some(expected(Value::Null)));
        let empty = expected(text(""));
        let text = "a,b\n1,\"x, y\"\n,z\n";
        assert_eq!(separated(text, "t.csv", false), Some(empty), "nothing is known but the texts");
        assert_eq!(
            separated(&text.replace("\"x, y\"", "x y").replace(',', "\t"), "t.TSV", false)
                .unwrap()
                .rows
                .len(),
            2
        );
        assert_eq!(logged_table(&json!({"columns": ["a"], "data": [1]})), None);
        assert_eq!(logged_table(&json!({"data": []})), None);
    }

    #[test]
    fn a_number_is_what_a_person_would_add_up() {
        for number in ["1", "-0.5", "0", "0.25", "1e-9", ".5", "+7"] {
            assert!(matches!(Value::said(number), Value::Number(_)), "{number}");
        }
        for text in ["", "007", "nan", "inf", "1 km", "-", "2013-01-01"] {
            assert!(matches!(Value::said(text), Value::Text(_)), "{text}");
        }
    }

    #[test]
    fn a_table_that_is_cut_ends_with_a_whole_row() {
        let grid = separated("a,b\n1,2\n3,4", "t.csv", true).unwrap();
        assert_eq!((grid.rows.len(), grid.is_cut), (1, true));
        let many = format!("a\n{}", "1\n".repeat(ROWS + 1));
        let grid = separated(&many, "t.csv", false).unwrap();
        assert_eq!((grid.rows.len(), grid.is_cut), (ROWS, true));
    }

    #[test]
    fn what_is_called_a_notebook_and_is_none_is_a_text() {
        assert!(matches!(
            as_notebook(br#"{"nbformat": 4, "cells": []}"#.to_vec()),
            (Shown::Notebook(_), false)
        ));
        assert!(matches!(as_notebook(b"{}".to_vec()), (Shown::Text(text), false) if text == "{}"));
        assert!(matches!(as_notebook(vec![b'a'; READ + 1]), (Shown::Text(text), true) if text.len() == READ));
    }

    #[test]
    fn what_is_no_text_is_not_shown_as_text() {
        assert!(matches!(shown(None, "model.pkl", vec![0x80, 4, 0], false), Shown::Nothing));
        assert!(matches!(shown(None, "x", b"a\0b".to_vec(), false), Shown::Nothing));
        assert!(matches!(shown(None, "x", b"words".to_vec(), false), Shown::Text(_)));
        assert!(matches!(shown(Some(Kind::Markdown), "x.md", b"# a".to_vec(), false), Shown::Markdown(_)));
        assert!(matches!(shown(Some(Kind::Markdown), "x.md", b"# a".to_vec(), true), Shown::Text(_)));
        let half = "aé".as_bytes()[..2].to_vec();
        assert!(matches!(shown(Some(Kind::Text), "x.txt", half, true), Shown::Text(text) if text == "a"));
    }
}
