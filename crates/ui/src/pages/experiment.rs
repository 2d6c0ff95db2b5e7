//! `/experiments`: groups of runs.

use askama::Template;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_tracking::run::Lifecycle;

use super::{Row, reads};
use crate::frame::{Page, page};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/experiments", Action::RunRead, RouteScope::Workspace, list)]
}

struct ListRow {
    href: String,
    name: String,
    id: u64,
    created: Moment,
    updated: Moment,
}

#[derive(Template)]
#[template(path = "experiments.html")]
struct ExperimentsPage {
    shell: Shell,
    rows: Vec<ListRow>,
    /// Whether the caller may record a demonstration, where there is little else.
    offers_demonstration: bool,
}

async fn list(axum::extract::State(console): State, caller: Caller) -> Page {
    let mut all = console.tracked.experiments(&caller.workspace).await?;
    all.retain(|detail| detail.experiment.lifecycle == Lifecycle::Active);
    all.sort_by_key(|detail| std::cmp::Reverse((detail.experiment.updated, detail.experiment.id)));
    let now = console.now();
    let rows = all.into_iter().map(|detail| ListRow {
        href: link::experiment(detail.experiment.id),
        name: detail.experiment.name.to_string(),
        id: detail.experiment.id.0,
        created: Moment::ago(detail.experiment.created, now),
        updated: Moment::ago(detail.experiment.updated, now),
    });
    page(&ExperimentsPage {
        shell: Shell::new("Experiments", Section::Experiments),
        rows: rows.collect(),
        offers_demonstration: console.demonstrations.is_open_to(&caller.principal, &caller.workspace),
    })
}
