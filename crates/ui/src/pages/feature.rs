//! `/features`: definitions by project, and how far they were carried online.

use askama::Template;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_features::definition::{Content, Definitions, FeatureView};
use mainstay_features::port::Materialisation;

use super::{Row, reads};
use crate::frame::{Page, page};
use crate::show::figure::{count, counted, short};
use crate::show::link;
use crate::show::moment::Moment;
use crate::show::shell::{Section, Shell};
use crate::{State, asset};

pub(super) fn routes() -> Vec<Row> {
    vec![reads("/features", Action::FeatureRead, RouteScope::Workspace, show)]
}

struct Feature {
    name: String,
    kind: String,
    rule: String,
}

struct View {
    name: String,
    keys: String,
    dataset: String,
    dataset_href: String,
    ttl: String,
    features: Vec<Feature>,
    online: Option<(Moment, String)>,
}

struct Project {
    name: String,
    revision: u64,
    digest: String,
    short: String,
    applied: Moment,
    services: Vec<(String, String)>,
    views: Vec<View>,
    text: String,
}

#[derive(Template)]
#[template(path = "features.html")]
struct FeaturesPage {
    shell: Shell,
    projects: Vec<Project>,
}

async fn show(axum::extract::State(console): State, caller: Caller) -> Page {
    let mut projects = Vec::new();
    for stored in console.features.projects(&caller.workspace).await? {
        let carried = console.features.views(&caller.workspace, &stored.project).await?;
        // What was applied was checked; if a later version no longer reads it, its text still shows.
        let definitions = Definitions::parse(&stored.text).ok();
        let services = definitions
            .iter()
            .flat_map(Definitions::services)
            .map(|service| (service.name.clone(), counted(service.features.len(), "feature", "features")));
        projects.push(Project {
            services: services.collect(),
            views: definitions.iter().flat_map(Definitions::views).map(|v| view(v, &carried)).collect(),
            name: stored.project.to_string(),
            revision: stored.revision,
            short: short(&stored.digest.to_string()),
            digest: stored.digest.to_string(),
            applied: Moment::ago(stored.applied_at, console.now()),
            text: stored.text,
        });
    }
    page(&FeaturesPage { shell: Shell::new("Features", Section::Features).seen_by(&caller), projects })
}

fn view(view: &FeatureView, carried: &[Materialisation]) -> View {
    let features = match &view.content {
        Content::Features(features) => features
            .iter()
            .map(|f| Feature { name: f.name.clone(), kind: f.dtype.to_string(), rule: f.expression.clone() })
            .collect(),
        Content::Aggregates(aggregates) => aggregates
            .iter()
            .map(|a| Feature {
                name: a.name.clone(),
                kind: a.dtype.to_string(),
                rule: format!(
                    "{} of {} over {}",
                    a.function.as_str(),
                    a.column.as_deref().unwrap_or("rows"),
                    a.window
                ),
            })
            .collect(),
    };
    let online = carried.iter().find(|done| done.view == view.name);
    View {
        name: view.name.clone(),
        keys: view.keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", "),
        dataset: view.source.dataset.clone(),
        dataset_href: link::dataset(&view.source.dataset),
        ttl: view.ttl.as_ref().map_or_else(|| "never stale".to_owned(), |ttl| format!("fresh for {ttl}")),
        features,
        online: online.map(|done| (Moment::of_data(done.until), count(done.rows))),
    }
}
