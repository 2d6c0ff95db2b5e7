//! Pages that hold a table whose whole state stands in the address: runs, and traces.

use mainstay_core::error::ErrorClass;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::page::{Page, PageToken};
use mainstay_core::time::MachineTime;
use mainstay_tracking::index::RunSummary;

use super::run_columns::{Cell, Column, MOST};
use crate::frame::Error;
use crate::show::link::{self, segment};

/// Rows on a page, for browsers without JavaScript.
pub(super) const PAGE: usize = 50;

pub(super) type Pairs = Vec<(String, String)>;

/// A column of a table.
pub(super) trait TableColumn: Sized {
    /// Reads what an address says.
    fn parse(text: &str) -> Option<Self>;
    /// What stands above it.
    fn title(&self) -> &str;
    /// Whether its cells are numbers.
    fn is_number(&self) -> bool;
    /// What the address says of it.
    fn written(&self) -> String;
    /// What the search language orders by; `None` where it does not.
    fn ordered_by(&self) -> Option<String>;
}

/// What an address asks for; what only the island reads is kept as it is.
#[derive(Debug)]
pub(super) struct Asked<C> {
    pub(super) experiments: Vec<ExperimentId>,
    pub(super) filter: String,
    pub(super) orders: Vec<String>,
    pub(super) columns: Vec<C>,
    pub(super) after: Option<PageToken>,
    /// Everything but the position of the page.
    pub(super) kept: Pairs,
}

impl<C> Default for Asked<C> {
    fn default() -> Self {
        Self {
            experiments: Vec::new(),
            filter: String::new(),
            orders: Vec::new(),
            columns: Vec::new(),
            after: None,
            kept: Pairs::new(),
        }
    }
}

/// What was found; or nothing, and what is wrong with the search. A page with its field is drawn all the same.
pub(super) fn or_fault<T>(found: Result<Page<T>, Error>) -> Result<(Page<T>, Option<String>), Error> {
    match found {
        Ok(found) => Ok((found, None)),
        Err(error) if error.code().class() == ErrorClass::Invalid => {
            Ok((Page { items: Vec::new(), next: None }, Some(error.into_sentence())))
        }
        Err(error) => Err(error),
    }
}

impl<C: TableColumn> Asked<C> {
    pub(super) fn parse(pairs: Pairs) -> Result<Self, Error> {
        let mut asked = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "experiment" => asked.experiments.push(ExperimentId::parse(&value)?),
                "filter" => asked.filter.clone_from(&value),
                "order" if !value.trim().is_empty() => asked.orders.push(value.clone()),
                "col" if asked.columns.len() < MOST => asked.columns.extend(C::parse(&value)),
                "page" => {
                    asked.after = Some(value)
                        .filter(|token| !token.is_empty())
                        .map(|token| token.parse::<PageToken>())
                        .transpose()?;
                    continue;
                }
                _ => {}
            }
            asked.kept.push((name, value));
        }
        Ok(asked)
    }

    /// What the address says under a name, if it says anything.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        let found = self.kept.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The address with some parameters in the place of those of their names.
    pub(super) fn with(&self, here: &str, changed: &[(&str, &str)]) -> String {
        let kept = self.kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| changed.iter().all(|(other, _)| name != other));
        let changed = changed.iter().copied().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> =
            kept.chain(changed).map(|(name, value)| format!("{name}={}", segment(value))).collect();
        if pairs.is_empty() { here.to_owned() } else { format!("{here}?{}", pairs.join("&")) }
    }

    /// The address of the next page.
    pub(super) fn further(&self, here: &str, token: &PageToken) -> String {
        let asked = self.with(here, &[]);
        format!("{asked}{}page={token}", if asked.contains('?') { '&' } else { '?' })
    }

    /// What the form sends besides the fields that it has.
    pub(super) fn hidden(&self, fields: &[&str]) -> Pairs {
        self.kept.iter().filter(|(name, _)| !fields.contains(&name.as_str())).cloned().collect()
    }

    /// What stands above a column, where nothing is said ordered by `usual`.
    pub(super) fn head(&self, column: &C, here: &str, usual: &str) -> Head {
        let order = column.ordered_by();
        let present = self.orders.first().map_or(usual, String::as_str);
        let sorted = order.as_ref().and_then(|name| match present.strip_prefix(name.as_str()) {
            Some(" ASC") => Some("ascending"),
            Some(" DESC") => Some("descending"),
            _ => None,
        });
        let way = if sorted == Some("ascending") { "DESC" } else { "ASC" };
        Head {
            href: order.map(|name| self.with(here, &[("order", format!("{name} {way}").as_str())])),
            column: column.written(),
            title: column.title().to_owned(),
            is_number: column.is_number(),
            sorted,
        }
    }
}

pub(super) struct Head {
    pub(super) column: String,
    pub(super) title: String,
    pub(super) is_number: bool,
    /// Orders by it; the other way round if that is so already.
    pub(super) href: Option<String>,
    /// As `aria-sort` says it.
    pub(super) sorted: Option<&'static str>,
}

pub(super) struct Line {
    pub(super) id: String,
    pub(super) href: String,
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
}

impl Line {
    /// A run with its values of some columns.
    pub(super) fn of_run(run: &RunSummary, columns: &[Column], now: MachineTime) -> Self {
        Self {
            id: run.run.id.to_string(),
            href: link::run(run.run.id),
            name: run.run.name.clone(),
            cells: columns.iter().map(|column| column.cell(run, now)).collect(),
        }
    }
}

/// A table as the server draws it.
pub(super) struct Sheet {
    /// What a row is about: `run`.
    pub(super) one: &'static str,
    /// The column that stands first, and its title.
    pub(super) first: (&'static str, &'static str),
    pub(super) heads: Vec<Head>,
    pub(super) lines: Vec<Line>,
    pub(super) next: Option<String>,
}
