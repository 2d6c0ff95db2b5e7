//! Nested runs: the run above one, and those below it. A client says whose child a run is in a tag.

use mainstay_api::Caller;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::run::{Lifecycle, RunDetail};
use mainstay_tracking::search::{RunFilter, RunOrder, View};

use super::run_columns::Column;
use super::table_page::Line;
use crate::Console;
use crate::frame::Error;
use crate::show::link::{self, segment};

/// The tag that names the run above.
const PARENT: &str = "mlflow.parentRunId";
/// Most children on the page of their parent.
const CHILDREN: usize = 25;

/// The run above.
pub(super) struct Parent {
    pub(super) name: String,
    /// Nothing where there is no such run any more, or none that the caller may read.
    pub(super) href: Option<String>,
    pub(super) is_deleted: bool,
}

/// A column of the table of children.
pub(super) struct Head {
    pub(super) title: String,
    pub(super) is_number: bool,
    /// The table of all of them, the greatest value first.
    pub(super) href: String,
}

/// The runs below, as far as the page shows them.
pub(super) struct Children {
    pub(super) heads: Vec<Head>,
    pub(super) lines: Vec<Line>,
    /// The table of all of them.
    pub(super) all: String,
    pub(super) has_more: bool,
}

/// The run above this one, if it says that there is one.
pub(super) async fn parent(
    console: &Console,
    caller: &Caller,
    run: &RunDetail,
) -> Result<Option<Parent>, Error> {
    let Some(text) = run.tags.get(PARENT).filter(|text| !text.is_empty()) else { return Ok(None) };
    let found = match text.parse::<RunId>() {
        Ok(id) => console.readable_run(caller, id).await?,
        Err(_) => None,
    };
    Ok(Some(match found {
        None => Parent { name: text.clone(), href: None, is_deleted: false },
        Some(found) => Parent {
            name: found.run.name.clone(),
            href: Some(link::run(found.run.id)),
            is_deleted: found.run.lifecycle == Lifecycle::Deleted,
        },
    }))
}

/// The runs below this one in its experiment, if there are any.
pub(super) async fn children(
    console: &Console,
    workspace: &Name,
    run: &RunDetail,
) -> Result<Option<Children>, Error> {
    let filter = format!("tags.{PARENT} = '{}'", run.run.id);
    let query = RunQuery {
        workspace: workspace.clone(),
        experiments: vec![run.run.experiment],
        view: View::Active,
        filter: RunFilter::parse(&filter)?,
        order: RunOrder::default(),
        page: PageRequest { limit: CHILDREN, after: None },
    };
    let found = console.runs.search(&query).await?;
    if found.items.is_empty() {
        return Ok(None);
    }
    let (columns, now) = (Column::usual(&found.items), console.now());
    let all = format!("{}?filter={}", link::experiment(run.run.experiment), segment(&filter));
    let head = |column: &Column| Head {
        title: column.title().to_owned(),
        is_number: column.is_number(),
        href: format!("{all}&order={}", segment(format!("{column} DESC"))),
    };
    let line = |run: &_| Line::of_run(run, &columns, now);
    Ok(Some(Children {
        heads: columns.iter().map(head).collect(),
        lines: found.items.iter().map(line).collect(),
        has_more: found.next.is_some(),
        all,
    }))
}
