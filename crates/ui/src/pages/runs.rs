//! `/experiments/{id}` and `/runs?experiment=…`: the runs of one experiment, of some, or of all.
//!
//! The address holds the whole state of the page ([`Asked`]); the island `runs.js` reads and writes the same. The
//! server draws the first rows, and pages of them for browsers without JavaScript.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::page::{Page as Part, PageRequest};
use mainstay_core::time::MachineTime;
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentId};
use mainstay_tracking::index::RunSummary;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::search::{RunFilter, RunOrder, View};

use super::plain_words::searched;
use super::run_columns::{Cell, Column};
use super::table_page::{Asked, Line, PAGE, Pairs, Sheet, or_fault};
use super::{Row, asked, reads};
use crate::address::Address;
use crate::frame::{Error, Missing, page};
use crate::show::link;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![
        reads("/experiments/{id}", Action::RunRead, RouteScope::Workspace, of_one),
        reads("/runs", Action::RunRead, RouteScope::Workspace, of_many),
    ]
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
    fn of(text: Option<&str>) -> Self {
        match text {
            Some("charts") => Self::Charts,
            Some("compare") => Self::Compare,
            _ => Self::Table,
        }
    }

    const fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Table => ("table", "Table"),
            Self::Charts => ("charts", "Charts"),
            Self::Compare => ("compare", "Compare"),
        }
    }
}

struct Tab {
    name: &'static str,
    title: &'static str,
    href: String,
    is_here: bool,
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
    sheet: Sheet,
    searched: bool,
    cleared: String,
    /// What is wrong with the search that the address asks for.
    fault: Option<String>,
    /// What a script has to be told to send runs here.
    told: String,
}

async fn of_one(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    address: Address,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Response, Error> {
    let id = ExperimentId::parse(&id)?;
    let found = console.tracked.experiment(&caller.workspace, id).await?;
    let found = found.ok_or_else(|| Missing(format!("experiment {id}")))?;
    let mut asked = Asked::<Column>::parse(asked(query)?)?;
    asked.experiments = vec![id];
    drawn(&console, &caller, asked, (link::experiment(id), address), &[found]).await
}

async fn of_many(
    axum::extract::State(console): State,
    caller: Caller,
    address: Address,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Response, Error> {
    let mut asked = Asked::<Column>::parse(asked(query)?)?;
    let mut all = console.tracked.experiments(&caller.workspace).await?;
    all.retain(|found| found.experiment.lifecycle == Lifecycle::Active);
    let is_asked = |found: &ExperimentDetail| asked.experiments.contains(&found.experiment.id);
    let named: Vec<_> =
        if asked.experiments.is_empty() { Vec::new() } else { all.extract_if(.., |f| is_asked(f)).collect() };
    if asked.experiments.is_empty() {
        asked.experiments = all.iter().map(|found| found.experiment.id).collect();
    }
    drawn(&console, &caller, asked, ("/runs".to_owned(), address), &named).await
}

/// The runs that are asked for.
async fn found(console: &Console, caller: &Caller, asked: &Asked<Column>) -> Result<Part<RunSummary>, Error> {
    let query = RunQuery {
        workspace: caller.workspace.clone(),
        experiments: asked.experiments.clone(),
        view: View::Active,
        filter: RunFilter::parse(&asked.filter)?,
        order: if asked.orders.is_empty() {
            RunOrder::default()
        } else {
            RunOrder::parse(&asked.orders)?.natural()
        },
        page: PageRequest { limit: PAGE, after: asked.after.clone() },
    };
    Ok(console.runs.search(&query).await?)
}

async fn drawn(
    console: &Console,
    caller: &Caller,
    mut asked: Asked<Column>,
    (here, address): (String, Address),
    named: &[ExperimentDetail],
) -> Result<Response, Error> {
    asked.filter = searched(&asked.filter, "run_name");
    let (found, fault) = or_fault(found(console, caller, &asked).await)?;
    let columns = columns_of(console, caller, &asked, &found.items).await?;
    let now = console.now();
    let is_one = here != "/runs";
    let shown = Show::of(asked.said("show"));
    let heading = match named {
        [] => "All runs".to_owned(),
        [one] => one.experiment.name.to_string(),
        several => format!("{} experiments", several.len()),
    };
    let shell = Shell::new(heading.clone(), Section::Experiments).under("Experiments", "/experiments");
    let tab = |show: Show| {
        let (name, title) = show.named();
        let value = if show == Show::Table { "" } else { name };
        Tab { name, title, href: asked.with(&here, &[("show", value)]), is_here: shown == show }
    };
    let told = match named {
        [one] if is_one => address.tracking_in(one.experiment.name.as_str()),
        _ => address.tracking(),
    };
    let status = if fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let drawn = page(&RunsPage {
        shell,
        heading,
        id: named.first().filter(|_| is_one).map(|one| one.experiment.id.to_string()),
        note: named.first().filter(|_| is_one).and_then(|one| one.tags.get("mlflow.note.content").cloned()),
        experiments: experiments_of(&asked, is_one, named),
        hidden: asked.hidden(&["filter"]),
        tabs: [Show::Table, Show::Charts, Show::Compare].map(tab).into(),
        show: shown.named().0,
        sheet: Sheet {
            one: "run",
            first: ("run_name", "Run"),
            heads: columns.iter().map(|column| asked.head(column, &here, "start_time DESC")).collect(),
            lines: found.items.iter().map(|run| line(run, &columns, now)).collect(),
            next: found.next.map(|token| asked.further(&here, &token)),
        },
        searched: !asked.filter.is_empty() || fault.is_some(),
        cleared: asked.with(&here, &[("filter", "")]),
        filter: asked.filter,
        here,
        fault,
        told,
    })?;
    Ok((status, drawn).into_response())
}

/// The columns that are asked for; else those that are usual for what was found, or for all if nothing was.
async fn columns_of(
    console: &Console,
    caller: &Caller,
    asked: &Asked<Column>,
    runs: &[RunSummary],
) -> Result<Vec<Column>, Error> {
    if !asked.columns.is_empty() {
        return Ok(asked.columns.clone());
    }
    if !runs.is_empty() || asked.filter.is_empty() && asked.orders.is_empty() {
        return Ok(Column::usual(runs));
    }
    let all = Asked { experiments: asked.experiments.clone(), ..Asked::default() };
    Ok(Column::usual(&found(console, caller, &all).await?.items))
}

/// What the island asks the server for; nothing where that is all.
fn experiments_of(asked: &Asked<Column>, is_one: bool, named: &[ExperimentDetail]) -> String {
    if is_one || !named.is_empty() {
        asked.experiments.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    } else {
        String::new()
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
        let asked = Asked::<Column>::parse(vec![
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
        assert_eq!(Asked::<Column>::default().with("/runs", &[("show", "")]), "/runs");
        assert!(Asked::<Column>::parse(vec![pair("experiment", "x")]).is_err());
        assert!(Asked::<Column>::parse(vec![pair("page", "no token")]).is_err());
    }
}
