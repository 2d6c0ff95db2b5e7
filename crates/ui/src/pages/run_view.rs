//! `/views/{name}`: leads to what somebody kept.

use axum::extract::Path;
use axum::response::Redirect;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;

use super::{Row, reads};
use crate::State;
use crate::frame::{Error, Missing};
use crate::show::link::{self, segment};

pub(super) fn routes() -> Vec<Row> {
    let view = RouteScope::Path(ResourceKind::SavedView, "name");
    vec![reads("/views/{name}", Action::RunRead, view, follow)]
}

async fn follow(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Redirect, Error> {
    let name: Name = name.parse()?;
    let view = console.saved_views.saved_view(&caller.workspace, &name).await?;
    let view = view.ok_or_else(|| Missing(format!("saved view {name}")))?;
    let page = match view.experiments.as_slice() {
        [one] => format!("{}?", link::experiment(one)),
        several => {
            let named = several.iter().map(|id| format!("experiment={id}&"));
            format!("/runs?{}", named.collect::<String>())
        }
    };
    let query = match view.query.as_str() {
        "" => String::new(),
        query => format!("{query}&"),
    };
    Ok(Redirect::to(&format!("{page}{query}view={}", segment(name))))
}
