//! `/experiments/{id}` and `/runs?experiment=…`: the runs of one experiment, of some, or of all.
//!
//! The address holds the whole state of the page ([`Asked`]); the island `runs.js` reads and writes the same. The
//! server draws the first rows, and pages of them for browsers without JavaScript.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::page::{PageRequest, PageToken};
use mainstay_core::time::MachineTime;
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentId};
use mainstay_tracking::index::RunSummary;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::search::{RunFilter, RunOrder, View};

use super::run_columns::{Cell, Column, MOST};
use super::{Row, asked, reads};
use crate::frame::{Missing, Page, page};
use crate::show::link::{self, segment};
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Runs on a page.
const PAGE: usize = 50;

pub(super) fn routes() -> Vec<Row> {
    vec![
        reads("/experiments/{id}", Action::RunRead, RouteScope::Workspace, of_one),
        reads("/runs", Action::RunRead, RouteScope::Workspace, of_many),
    ]
}

type Pairs = Vec<(String, String)>;

/// What an address asks for; what only the island reads is kept as it is.
#[derive(Debug, Default)]
struct Asked {
    experiments: Vec<ExperimentId>,
    filter: String,
    orders: Vec<String>,
    columns: Vec<Column>,
    after: Option<PageToken>,
    show: Show,
    /// Everything but the position of the page.
    kept: Pairs,
}

/// Which part of the page is in front.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Show {
    #[default]
    Table,
    Charts,
    Compare,
}

impl Show {
    const fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Table => ("table", "Table"),
            Self::Charts => ("charts", "Charts"),
            Self::Compare => ("compare", "Compare"),
        }
    }
}

impl Asked {
    fn parse(pairs: Pairs) -> Result<Self, crate::frame::Error> {
        let mut asked = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "experiment" => asked.experiments.push(ExperimentId::parse(&value)?),
                "filter" => asked.filter.clone_from(&value),
                "order" if !value.trim().is_empty() => asked.orders.push(value.clone()),
                "col" if asked.columns.len() < MOST => asked.columns.extend(Column::parse(&value)),
                "show" if value == "charts" => asked.show = Show::Charts,
                "show" if value == "compare" => asked.show = Show::Compare,
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

    /// The address with some parameters in the place of those of their names.
    fn with(&self, here: &str, changed: &[(&str, &str)]) -> String {
        let kept = self.kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| changed.iter().all(|(other, _)| name != other));
        let changed = changed.iter().copied().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> =
            kept.chain(changed).map(|(name, value)| format!("{name}={}", segment(value))).collect();
        if pairs.is_empty() { here.to_owned() } else { format!("{here}?{}", pairs.join("&")) }
    }
}

struct Head {
    column: String,
    title: String,
    is_number: bool,
    /// Orders by it; the other way round if that is so already.
    href: String,
    /// As `aria-sort` says it.
    sorted: Option<&'static str>,
}

struct Tab {
    name: &'static str,
    title: &'static str,
    href: String,
    is_here: bool,
}

struct Line {
    id: String,
    href: String,
    name: String,
    cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    shell: Shell,
    heading: String,
    /// Its id, where there is one experiment.
    id: Option<String>,
    note: Option<String>,
    here: String,
    /// Ids with spaces between.
    experiments: String,
    filter: String,
    /// What the form sends besides the filter.
    hidden: Pairs,
    tabs: Vec<Tab>,
    show: &'static str,
    heads: Vec<Head>,
    lines: Vec<Line>,
    searched: bool,
    cleared: String,
    next: Option<String>,
}

async fn of_one(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Page {
    let id = ExperimentId::parse(&id)?;
    let found = console.tracked.experiment(&caller.workspace, id).await?;
    let found = found.ok_or_else(|| Missing(format!("experiment {id}")))?;
    let mut asked = Asked::parse(asked(query)?)?;
    asked.experiments = vec![id];
    drawn(&console, &caller, asked, link::experiment(id), &[found]).await
}

async fn of_many(
    axum::extract::State(console): State,
    caller: Caller,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Page {
    let mut asked = Asked::parse(asked(query)?)?;
    let mut all = console.tracked.experiments(&caller.workspace).await?;
    all.retain(|found| found.experiment.lifecycle == Lifecycle::Active);
    let is_asked = |found: &ExperimentDetail| asked.experiments.contains(&found.experiment.id);
    let named: Vec<_> =
        if asked.experiments.is_empty() { Vec::new() } else { all.extract_if(.., |f| is_asked(f)).collect() };
    if asked.experiments.is_empty() {
        asked.experiments = all.iter().map(|found| found.experiment.id).collect();
    }
    drawn(&console, &caller, asked, "/runs".to_owned(), &named).await
}

async fn drawn(
    console: &Console,
    caller: &Caller,
    asked: Asked,
    here: String,
    named: &[ExperimentDetail],
) -> Page {
    let query = RunQuery {
        workspace: caller.workspace.clone(),
        experiments: asked.experiments.clone(),
        view: View::Active,
        filter: RunFilter::parse(&asked.filter)?,
        order: if asked.orders.is_empty() { RunOrder::default() } else { RunOrder::parse(&asked.orders)? },
        page: PageRequest { limit: PAGE, after: asked.after.clone() },
    };
    let found = console.runs.search(&query).await?;
    let columns = if asked.columns.is_empty() { Column::usual(&found.items) } else { asked.columns.clone() };
    let now = console.now();
    let is_one = here != "/runs";
    let heading = match named {
        [] => "All runs".to_owned(),
        [one] => one.experiment.name.to_string(),
        several => format!("{} experiments", several.len()),
    };
    let shell = Shell::new(heading.clone(), Section::Experiments).under("Experiments", "/experiments");
    let tab = |show: Show| {
        let (name, title) = show.named();
        let value = if show == Show::Table { "" } else { name };
        Tab { name, title, href: asked.with(&here, &[("show", value)]), is_here: asked.show == show }
    };
    let next = found.next.map(|token| {
        let asked = asked.with(&here, &[]);
        format!("{asked}{}page={token}", if asked.contains('?') { '&' } else { '?' })
    });
    page(&RunsPage {
        shell,
        heading,
        id: named.first().filter(|_| is_one).map(|one| one.experiment.id.to_string()),
        note: named.first().filter(|_| is_one).and_then(|one| one.tags.get("mlflow.note.content").cloned()),
        experiments: experiments_of(&asked, is_one, named),
        hidden: asked.kept.iter().filter(|(name, _)| name != "filter").cloned().collect(),
        tabs: [Show::Table, Show::Charts, Show::Compare].map(tab).into(),
        show: asked.show.named().0,
        heads: columns.iter().map(|column| head(column, &asked, &here)).collect(),
        lines: found.items.iter().map(|run| line(run, &columns, now)).collect(),
        searched: !asked.filter.trim().is_empty(),
        cleared: asked.with(&here, &[("filter", "")]),
        filter: asked.filter,
        here,
        next,
    })
}

/// What the island asks the server for; nothing where that is all.
fn experiments_of(asked: &Asked, is_one: bool, named: &[ExperimentDetail]) -> String {
    if is_one || !named.is_empty() {
        asked.experiments.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    }
}

fn head(column: &Column, asked: &Asked, here: &str) -> Head {
    let name = column.to_string();
    let (up, down) = (format!("{name} ASC"), format!("{name} DESC"));
    let sorted = match asked.orders.first().map_or("start_time DESC", String::as_str) {
        order if order == up => Some("ascending"),
        order if order == down => Some("descending"),
        _ => None,
    };
    let next = if sorted == Some("ascending") { &down } else { &up };
    Head {
        href: asked.with(here, &[("order", next.as_str())]),
        column: column.written(),
        title: column.title().to_owned(),
        is_number: column.is_number(),
        sorted,
    }
}

fn line(run: &RunSummary, columns: &[Column], now: MachineTime) -> Line {
    Line {
        id: run.run.id.to_string(),
        href: link::run(run.run.id),
        name: run.run.name.clone(),
        cells: columns.iter().map(|column| column.cell(run, now)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_it_does_not_change() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let asked = Asked::parse(vec![
            pair("filter", "metrics.loss < 1"),
            pair("col", "!metrics.loss"),
            pair("col", "nonsense"),
            pair("order", "metrics.loss ASC"),
            pair("smooth", "0.6"),
            pair("page", ""),
        ])
        .unwrap();
        assert_eq!((asked.columns.len(), asked.orders.len(), asked.after.is_none()), (1, 1, true));
        let turned = asked.with("/runs", &[("order", "metrics.loss DESC")]);
        assert_eq!(
            turned,
            "/runs?filter=metrics.loss%20%3C%201&col=%21metrics.loss&col=nonsense&smooth=0.6\
             &order=metrics.loss%20DESC"
        );
        assert_eq!(Asked::default().with("/runs", &[("show", "")]), "/runs");
        assert!(Asked::parse(vec![pair("experiment", "x")]).is_err());
        assert!(Asked::parse(vec![pair("page", "no token")]).is_err());
    }
}
