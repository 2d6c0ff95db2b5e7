//! `/experiments/{id}/models?filter=…&order=…`: the models that the runs of an experiment logged.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::page::PageRequest;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::logged_model::LoggedModelDetail;
use mainstay_tracking::search::{LoggedModelFilter, LoggedModelOrder, LoggedModelSearch, SearchError};
use serde::Deserialize;

use super::logged_model::status_of;
use super::model_card::{Measured, measured};
use super::registered::{Registered, registered};
use super::run_columns::Status;
use super::{Row, asked, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::counted;
use crate::show::link::{self, segment};
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::show::source_run::SourceRun;
use crate::{State, asset};

/// Models on a page.
const MODELS: usize = 100;
/// Columns of metrics, and of parameters: those that most models have.
const METRICS: usize = 8;
const PARAMS: usize = 5;

pub(super) fn routes() -> Vec<Row> {
    let experiment = RouteScope::Path(ResourceKind::Experiment, "id");
    vec![reads("/experiments/{id}/models", Action::RunRead, experiment, list).for_levels()]
}

struct ListRow {
    href: String,
    name: String,
    id: String,
    status: Status,
    run: Option<SourceRun>,
    datasets: String,
    metrics: Vec<Option<Measured>>,
    params: Vec<String>,
    versions: Vec<Registered>,
    created: Moment,
}

/// A column that can be ordered by.
struct Head {
    title: String,
    href: String,
    is_descending: Option<bool>,
}

#[derive(Template)]
#[template(path = "logged_models.html")]
struct LoggedModelsPage {
    shell: Shell,
    name: String,
    id: String,
    here: String,
    filter: String,
    order: String,
    /// Why nothing could be searched.
    fault: Option<String>,
    rows: Vec<ListRow>,
    heads: Vec<Head>,
    params: Vec<String>,
    total: String,
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    filter: String,
    order: String,
    page: String,
}

async fn list(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let wanted = asked(query)?;
    let id = ExperimentId::parse(&id)?;
    caller.admitted(ResourceKind::Experiment, id)?;
    let group = console.tracked.experiment(&caller.workspace, id).await?;
    let group = group.ok_or_else(|| Missing(format!("experiment {id}")))?;
    let total = console.tracked.count_logged_models(&caller.workspace, id).await?;
    let total = counted(usize::try_from(total).unwrap_or(usize::MAX), "model", "models");
    let (found, next, fault) = match search(&wanted) {
        Ok(search) => {
            let found = console.tracked.search_logged_models(&caller.workspace, &[id], search).await?;
            (found.items, found.next, None)
        }
        // The search stays, so that it can be corrected.
        Err(error) => (Vec::new(), None, Some(error.to_string())),
    };
    let here = link::logged_models(id);
    let metrics =
        most(found.iter().map(|one| one.metrics.iter().map(|metric| metric.key.clone()).collect()), METRICS);
    let params = most(found.iter().map(|one| one.params.keys().cloned().collect()), PARAMS);
    let ids: BTreeSet<RunId> =
        found.iter().filter_map(|one| one.model.source_run.as_ref().and_then(RunRef::id)).collect();
    let names = console.run_names(&caller, &ids).await?;
    let mut versions = Vec::with_capacity(found.len());
    for one in &found {
        versions.push(registered(&console, &caller, one).await?);
    }
    let now = console.now();
    let row = |(one, versions): (&LoggedModelDetail, Vec<Registered>)| {
        let known = measured(None, Some(one));
        let datasets: BTreeSet<&str> = known.iter().filter_map(|one| one.on.as_deref()).collect();
        ListRow {
            href: link::logged_model(id, one.model.id),
            name: one.model.name.clone(),
            id: one.model.id.to_string(),
            status: status_of(one.model.status),
            run: one.model.source_run.as_ref().map(|run| SourceRun::named(run, &names)),
            datasets: datasets.into_iter().collect::<Vec<_>>().join(", "),
            params: params.iter().map(|key| one.params.get(key).cloned().unwrap_or_default()).collect(),
            versions,
            created: Moment::ago(one.model.created, now),
            metrics: columns(known, &metrics),
        }
    };
    page(&LoggedModelsPage {
        shell: Shell::new(format!("Models of {}", group.experiment.name), Section::Experiments)
            .seen_by(&caller)
            .under("Experiments", "/experiments")
            .under(group.experiment.name.to_string(), link::experiment(id)),
        name: group.experiment.name.to_string(),
        id: id.to_string(),
        rows: found.iter().zip(versions).map(row).collect(),
        heads: metrics.iter().map(|key| head(key, &here, &wanted)).collect(),
        next: next.map(|token| {
            format!("{}&page={}", address(&here, &wanted.filter, &wanted.order), segment(token))
        }),
        params,
        total,
        fault,
        here,
        filter: wanted.filter,
        order: wanted.order,
    })
}

/// For one page of those that match.
fn search(wanted: &Wanted) -> Result<LoggedModelSearch, SearchError> {
    let filter = LoggedModelFilter::parse(&wanted.filter, Vec::new())?;
    let mut order = LoggedModelOrder::over(Vec::new());
    if let Some((field, ascending)) = ordered(&wanted.order) {
        order = order.then(field, ascending, None)?;
    }
    let after = if wanted.page.is_empty() { None } else { Some(wanted.page.parse()?) };
    LoggedModelSearch::new(filter, order, &PageRequest { limit: MODELS, after })
}

/// `metrics.auc DESC` as a field, and whether the least comes first.
fn ordered(text: &str) -> Option<(&str, bool)> {
    let (field, way) = text.trim().rsplit_once(' ').unwrap_or((text.trim(), "ASC"));
    (!field.is_empty()).then_some((field, !way.eq_ignore_ascii_case("DESC")))
}

fn address(here: &str, filter: &str, order: &str) -> String {
    format!("{here}?filter={}&order={}", segment(filter), segment(order))
}

/// The head of a metric: the greatest first, then the least, then as it was.
fn head(key: &str, here: &str, wanted: &Wanted) -> Head {
    let field = format!("metrics.`{key}`");
    let is_descending =
        ordered(&wanted.order).filter(|(now, _)| *now == field).map(|(_, ascending)| !ascending);
    let next = match is_descending {
        None => format!("{field} DESC"),
        Some(true) => format!("{field} ASC"),
        Some(false) => String::new(),
    };
    Head { title: key.to_owned(), href: address(here, &wanted.filter, &next), is_descending }
}

/// The keys that most have, those that stand first if several have as many.
fn most(all: impl Iterator<Item = BTreeSet<String>>, limit: usize) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for key in all.flatten() {
        *counts.entry(key).or_default() += 1;
    }
    let mut keys: Vec<(String, usize)> = counts.into_iter().collect();
    keys.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    keys.into_iter().take(limit).map(|(key, _)| key).collect()
}

/// What stands in the columns: of several datasets the first by name.
fn columns(known: Vec<Measured>, keys: &[String]) -> Vec<Option<Measured>> {
    let mut by_key: BTreeMap<String, Measured> = BTreeMap::new();
    for one in known {
        by_key.entry(one.key.clone()).or_insert(one);
    }
    keys.iter().map(|key| by_key.remove(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_turn_the_order_around() {
        let asked = |order: &str| Wanted { order: order.to_owned(), ..Wanted::default() };
        let at = |order: &str| head("val/auc", "/e", &asked(order));
        assert_eq!(at("").href, "/e?filter=&order=metrics.%60val%2Fauc%60%20DESC");
        assert_eq!(at("metrics.`val/auc` DESC").is_descending, Some(true));
        assert!(at("metrics.`val/auc` DESC").href.ends_with("ASC"));
        assert_eq!(at("metrics.`val/auc` ASC").href, "/e?filter=&order=");
        assert_eq!((ordered(""), ordered("name")), (None, Some(("name", true))));
    }

    #[test]
    fn what_cannot_be_searched_is_said() {
        let wanted = |filter: &str, order: &str| Wanted {
            filter: filter.to_owned(),
            order: order.to_owned(),
            page: String::new(),
        };
        assert!(search(&wanted("metrics.`val/auc` > 0.5", "metrics.`val/auc` DESC")).is_ok());
        assert!(search(&wanted("name", "")).is_err());
        assert!(search(&wanted("", "params.x DESC")).is_err());
    }

    #[test]
    fn columns_are_what_most_have() {
        let keys = |all: &[&str]| all.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let models = [keys(&["b", "c"]), keys(&["b", "a"]), keys(&["c", "b"])];
        assert_eq!(most(models.into_iter(), 2), ["b", "c"]);
    }
}
