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
    vec![reads("/views/{name}", Action::RunRead, view, follow).for_levels()]
}

/// What the query of a view says that is of traces.
const OF_TRACES: &str = "of=traces";

async fn follow(
    axum::extract::State(console): State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Redirect, Error> {
    let name: Name = name.parse()?;
    let view = console.saved_views.saved_view(&caller.workspace, &name).await?;
    let readable = caller.readable();
    let view = view
        .filter(|view| view.is_open_to(&readable))
        .ok_or_else(|| Missing(format!("saved view {name}")))?;
    let mut pairs: Vec<&str> = view.query.as_str().split('&').filter(|pair| !pair.is_empty()).collect();
    let of_traces = pairs.extract_if(.., |pair| *pair == OF_TRACES).count() > 0;
    let page = match (view.experiments.as_slice(), of_traces) {
        ([one], false) => format!("{}?", link::experiment(one)),
        ([one], true) => format!("{}?", link::traces_of(one)),
        (several, _) => {
            let named = several.iter().map(|id| format!("experiment={id}&"));
            let page = if of_traces { "/traces" } else { "/runs" };
            format!("{page}?{}", named.collect::<String>())
        }
    };
    let view = format!("view={}", segment(name));
    pairs.push(&view);
    Ok(Redirect::to(&format!("{page}{}", pairs.join("&"))))
}
