//! `POST /demonstration`: records one, where pages are empty otherwise, and leads to it.

use axum::response::Redirect;
use mainstay_api::Caller;
use mainstay_api::oip::Refusal;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_demonstration::feature::{Feature, Features};

use super::{Row, sends};
use crate::State;
use crate::frame::Error;
use crate::show::link;

pub(super) fn routes() -> Vec<Row> {
    vec![sends("/demonstration", Action::ExperimentCreate, RouteScope::Workspace, record).for_levels()]
}

async fn record(axum::extract::State(console): State, caller: Caller) -> Result<Redirect, Error> {
    let wanted = Features::from(Feature::ALL);
    let there = console.demonstrations.record(&caller.principal, &caller.workspace, &wanted).await;
    let there = there.map_err(Refusal::from)?;
    // It may be somebody else's, and not for everybody to read.
    caller.doing(Action::RunRead).admitted(ResourceKind::Experiment, there.experiment)?;
    Ok(Redirect::to(&link::traces_of(there.experiment)))
}
