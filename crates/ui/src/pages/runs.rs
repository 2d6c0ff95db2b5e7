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
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentId};
use mainstay_tracking::index::RunSummary;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::search::{RunFilter, RunOrder, View};

use super::plain_words::searched;
use super::run_columns::{Cell, Column};
use super::run_origin::{Fact, NOTE, Tags};
use super::table_page::{Asked, Line, PAGE, Pairs, Sheet, or_fault};
use super::{Row, asked, may, reads};
use crate::address::Address;
use crate::frame::{Error, Missing, page};
use crate::show::link;
use crate::show::long_text::LongText;
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![
        reads("/experiments/{id}", Action::RunRead, RouteScope::Workspace, of_one).for_levels(),
        reads("/runs", Action::RunRead, RouteScope::Workspace, of_many).for_levels(),
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

/// Whether deleted runs are among those that are shown, as the address says it under `stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Active,
    Deleted,
    All,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Active, Self::Deleted, Self::All];

    /// What an address says; else what is usual there.
    fn of(text: Option<&str>, usual: Self) -> Self {
        Self::ALL.into_iter().find(|stage| Some(stage.named().0) == text).unwrap_or(usual)
    }

    const fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Active => ("active", "Active runs"),
            Self::Deleted => ("deleted", "Deleted runs"),
            Self::All => ("all", "Active and deleted"),
        }
    }

    const fn view(self) -> View {
        match self {
            Self::Active => View::Active,
            Self::Deleted => View::Deleted,
            Self::All => View::All,
        }
    }
}

struct StageChoice {
    value: &'static str,
    says: &'static str,
    is_chosen: bool,
}

impl StageChoice {
    fn of(stage: Stage, chosen: Stage) -> Self {
        let (value, says) = stage.named();
        Self { value, says, is_chosen: stage == chosen }
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
    note: Option<LongText>,
    /// The tags of the one experiment: those of the person's own.
    tags: Vec<Fact>,
    /// Whether the one experiment is deleted.
    is_deleted: bool,
    /// What the caller may change.
    may: String,
    stages: Vec<StageChoice>,
    usual_stage: &'static str,
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
    /// Nothing is searched for, and nothing but what is usual is shown.
    is_plain: bool,
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
    caller.admitted(ResourceKind::Experiment, id)?;
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
    let readable = caller.readable();
    let mut all = console.tracked.experiments(&caller.workspace).await?;
    all.retain(|found| readable.has(found.experiment.id));
    let is_asked = |found: &ExperimentDetail| asked.experiments.contains(&found.experiment.id);
    let named: Vec<_> =
        if asked.experiments.is_empty() { Vec::new() } else { all.extract_if(.., |f| is_asked(f)).collect() };
    if asked.experiments.is_empty() {
        if Stage::of(asked.said("stage"), Stage::Active) == Stage::Active {
            all.retain(|found| found.experiment.lifecycle == Lifecycle::Active);
        }
        asked.experiments = all.iter().map(|found| found.experiment.id).collect();
    }
    asked.experiments.retain(|id| readable.has(id));
    drawn(&console, &caller, asked, ("/runs".to_owned(), address), &named).await
}

/// The runs that are asked for.
async fn found(
    console: &Console,
    caller: &Caller,
    asked: &Asked<Column>,
    stage: Stage,
) -> Result<Part<RunSummary>, Error> {
    let query = RunQuery {
        workspace: caller.workspace.clone(),
        experiments: asked.experiments.clone(),
        view: stage.view(),
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
    let is_one = here != "/runs";
    let one = named.first().filter(|_| is_one);
    let is_deleted = one.is_some_and(|one| one.experiment.lifecycle == Lifecycle::Deleted);
    // All runs of a deleted experiment are deleted with it.
    let usual_stage = if is_deleted { Stage::All } else { Stage::Active };
    let stage = Stage::of(asked.said("stage"), usual_stage);
    let (found, fault) = or_fault(found(console, caller, &asked, stage).await)?;
    let columns = columns_of(console, caller, &asked, stage, &found.items).await?;
    let now = console.now();
    let shown = Show::of(asked.said("show"));
    let heading = match named {
        [] => "All runs".to_owned(),
        [one] => one.experiment.name.to_string(),
        several => format!("{} experiments", several.len()),
    };
    let shell = Shell::new(heading.clone(), Section::Experiments)
        .seen_by(caller)
        .under("Experiments", "/experiments");
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
        id: one.map(|one| one.experiment.id.to_string()),
        note: one.and_then(|one| one.tags.get(NOTE)).map(LongText::new),
        tags: one.map(|one| Tags::of(&one.tags).own).unwrap_or_default(),
        is_deleted,
        may: match one {
            Some(one) => may::in_experiment(caller, one.experiment.id),
            None => may::in_experiments(caller, if named.is_empty() { &[] } else { &asked.experiments }),
        },
        stages: Stage::ALL.map(|one| StageChoice::of(one, stage)).into(),
        usual_stage: usual_stage.named().0,
        is_plain: asked.filter.trim().is_empty() && stage == usual_stage,
        experiments: experiments_of(&asked, is_one, named),
        hidden: asked.hidden(&["filter", "stage"]),
        tabs: [Show::Table, Show::Charts, Show::Compare].map(tab).into(),
        show: shown.named().0,
        sheet: Sheet {
            one: "run",
            first: ("run_name", "Run"),
            heads: columns.iter().map(|column| asked.head(column, &here, "start_time DESC")).collect(),
            lines: found.items.iter().map(|run| Line::of_run(run, &columns, now)).collect(),
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
    stage: Stage,
    runs: &[RunSummary],
) -> Result<Vec<Column>, Error> {
    if !asked.columns.is_empty() {
        return Ok(asked.columns.clone());
    }
    if !runs.is_empty() || asked.filter.is_empty() && asked.orders.is_empty() {
        return Ok(Column::usual(runs));
    }
    let all = Asked { experiments: asked.experiments.clone(), ..Asked::default() };
    Ok(Column::usual(&found(console, caller, &all, stage).await?.items))
}

/// What the island asks the server for; nothing where that is all.
fn experiments_of(asked: &Asked<Column>, is_one: bool, named: &[ExperimentDetail]) -> String {
    if is_one || !named.is_empty() {
        asked.experiments.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_is_shown_where_the_address_says_so() {
        assert_eq!(Stage::of(Some("deleted"), Stage::Active), Stage::Deleted);
        assert_eq!(Stage::of(Some("active"), Stage::All), Stage::Active);
        for nothing in [None, Some("nonsense")] {
            assert_eq!(Stage::of(nothing, Stage::All), Stage::All, "{nothing:?}");
        }
    }

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
