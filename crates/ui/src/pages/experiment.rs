//! `/experiments`: groups of runs, as many as there are: searched by name, ordered, in pages.

use std::cmp::Reverse;
use std::collections::HashMap;

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentId};
use mainstay_tracking::index::Activity;
use mainstay_tracking::run::Lifecycle;
use serde::Deserialize;

use super::run_columns::Status;
use super::{Row, asked, reads};
use crate::address::Address;
use crate::frame::{Page, page};
use crate::show::figure::{count, counted};
use crate::show::link::{self, segment};
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

/// Experiments on a page.
const PAGE: usize = 100;

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/experiments", Action::RunRead, RouteScope::Workspace, list).for_levels()]
}

/// In which order they stand.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    /// The one with the newest run first; one whose runs are older than itself, or that has none, is as new as itself.
    #[default]
    LastRun,
    Name,
    /// The newest first.
    Created,
    /// The one with most runs first.
    Runs,
}

impl Order {
    const fn as_str(self) -> &'static str {
        match self {
            Self::LastRun => "last-run",
            Self::Name => "name",
            Self::Created => "created",
            Self::Runs => "runs",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    search: String,
    order: Order,
    page: usize,
}

impl Wanted {
    /// The address of a page of the same search.
    fn at(&self, order: Order, page: usize) -> String {
        let search = Some(&self.search).filter(|text| !text.is_empty());
        let pairs = [
            search.map(|text| format!("search={}", segment(text))),
            (order != Order::default()).then(|| format!("order={}", order.as_str())),
            (page > 0).then(|| format!("page={page}")),
        ];
        let pairs: Vec<String> = pairs.into_iter().flatten().collect();
        if pairs.is_empty() { "/experiments".to_owned() } else { format!("/experiments?{}", pairs.join("&")) }
    }
}

/// The newest run of an experiment.
struct Newest {
    href: String,
    name: String,
    status: Status,
    started: Moment,
}

struct ListRow {
    href: String,
    name: String,
    id: u64,
    runs: String,
    newest: Option<Newest>,
    created: Moment,
}

/// The head of a column: its title, its address, and whether the table is ordered by it, and how.
struct Head {
    title: &'static str,
    href: String,
    sorted: Option<&'static str>,
    is_number: bool,
}

#[derive(Template)]
#[template(path = "experiments.html")]
struct ExperimentsPage {
    shell: Shell,
    address: Address,
    search: String,
    order: &'static str,
    heads: Vec<Head>,
    rows: Vec<ListRow>,
    /// Whether the caller may record a demonstration, where there is little else.
    offers_demonstration: bool,
    /// Whether the caller may see what is deleted, and by which rules.
    opens_retention: bool,
    total: String,
    /// Whether there is nothing yet but what every workspace begins with.
    is_new: bool,
    before: Option<String>,
    next: Option<String>,
}

/// Puts experiments into an order; those that are alike by their ids, the newest first.
fn arrange(all: &mut [ExperimentDetail], order: Order, activity: &HashMap<ExperimentId, Activity>) {
    let of = |detail: &ExperimentDetail| activity.get(&detail.experiment.id);
    let id = |detail: &ExperimentDetail| Reverse(detail.experiment.id);
    let created = |detail: &ExperimentDetail| detail.experiment.created;
    match order {
        Order::LastRun => all.sort_by_cached_key(|detail| {
            let last = of(detail).map(|active| active.newest.start_ms);
            (Reverse(last.max(Some(created(detail).millis()))), id(detail))
        }),
        Order::Name => {
            all.sort_by_cached_key(|detail| (detail.experiment.name.as_str().to_lowercase(), id(detail)));
        }
        Order::Created => all.sort_by_cached_key(|detail| (Reverse(created(detail)), id(detail))),
        Order::Runs => {
            all.sort_by_cached_key(|detail| {
                (Reverse(of(detail).map_or(0, |active| active.runs)), id(detail))
            });
        }
    }
}

async fn list(
    axum::extract::State(console): State,
    caller: Caller,
    address: Address,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let wanted = asked(query)?;
    let mut all = console.tracked.experiments(&caller.workspace).await?;
    all.retain(|detail| detail.experiment.lifecycle == Lifecycle::Active);
    let is_new = all.len() <= 1;
    let readable = caller.readable();
    all.retain(|detail| readable.has(detail.experiment.id));
    let looked = wanted.search.trim().to_lowercase();
    all.retain(|detail| detail.experiment.name.as_str().to_lowercase().contains(&looked));
    let activity = console.runs.activity(&caller.workspace).await?;
    let activity: HashMap<_, _> = activity.into_iter().map(|one| (one.experiment, one)).collect();
    arrange(&mut all, wanted.order, &activity);
    let (total, now) = (all.len(), console.now());
    let newest = |active: &Activity| Newest {
        href: link::run(active.newest.id),
        name: active.newest.name.clone(),
        status: active.newest.status.into(),
        started: Moment::of_millis(active.newest.start_ms, now),
    };
    let row = |ExperimentDetail { experiment, .. }: &ExperimentDetail| {
        let active = activity.get(&experiment.id);
        ListRow {
            href: link::experiment(experiment.id),
            name: experiment.name.to_string(),
            id: experiment.id.0,
            runs: active.map_or_else(|| "0".to_owned(), |active| count(active.runs as u64)),
            newest: active.map(newest),
            created: Moment::ago(experiment.created, now),
        }
    };
    let shown = all.iter().skip(wanted.page.saturating_mul(PAGE)).take(PAGE);
    let head = |(title, order, way, is_number)| Head {
        title,
        href: wanted.at(order, 0),
        sorted: (wanted.order == order).then_some(way),
        is_number,
    };
    let is_more = wanted.page.saturating_add(1).saturating_mul(PAGE) < total;
    page(&ExperimentsPage {
        shell: Shell::new("Experiments", Section::Experiments).seen_by(&caller),
        address,
        rows: shown.map(row).collect(),
        heads: [
            ("Experiment", Order::Name, "ascending", false),
            ("Runs", Order::Runs, "descending", true),
            ("Last run", Order::LastRun, "descending", false),
            ("Created", Order::Created, "descending", false),
        ]
        .map(head)
        .into(),
        total: counted(total, "experiment", "experiments"),
        is_new,
        opens_retention: caller.could_by_role(Action::RetentionRead),
        offers_demonstration: console.demonstrations.is_open_to(&caller.principal, &caller.workspace),
        before: wanted.page.checked_sub(1).map(|before| wanted.at(wanted.order, before)),
        next: is_more.then(|| wanted.at(wanted.order, wanted.page + 1)),
        order: wanted.order.as_str(),
        search: wanted.search,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_not_usual() {
        let wanted = Wanted { search: "a&b".to_owned(), order: Order::Name, page: 3 };
        assert_eq!(wanted.at(Order::Name, 4), "/experiments?search=a%26b&order=name&page=4");
        assert_eq!(Wanted::default().at(Order::LastRun, 0), "/experiments");
    }
}
