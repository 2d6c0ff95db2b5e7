//! The models that a run logged, and what was registered of them.

use mainstay_core::name::Name;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_tracking::logged_model::LoggedModelId;
use mainstay_tracking::run::RunDetail;

use super::model_card::registrations;
use crate::Console;
use crate::frame::Error;
use crate::show::link::{self, segment};

/// Most versions of a logged model on the page.
const VERSIONS: usize = 20;

/// A model that the run logged.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) versions: Vec<Registered>,
}

/// A version that was registered of it.
pub(super) struct Registered {
    pub(super) says: String,
    /// Nothing where it is there no more.
    pub(super) href: Option<String>,
}

/// What came out of a run.
pub(super) async fn made(console: &Console, workspace: &Name, run: &RunDetail) -> Result<Vec<Made>, Error> {
    let ids: Vec<LoggedModelId> = run.attached.model_outputs.iter().map(|output| output.model).collect();
    let logged = console.tracked.logged_models(workspace, &ids).await?;
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        let known = logged.iter().find(|known| known.model.id == id);
        let mut versions = Vec::new();
        for (name, number) in known.map(registrations).unwrap_or_default().into_iter().take(VERSIONS) {
            versions.push(looked_up(console, workspace, &name, &number).await?);
        }
        all.push(Made { id: id.to_string(), name: known.map(|known| known.model.name.clone()), versions });
    }
    Ok(all)
}

async fn looked_up(
    console: &Console,
    workspace: &Name,
    name: &str,
    number: &str,
) -> Result<Registered, Error> {
    let found = match (ModelName::new(name), VersionNumber::parse(number)) {
        (Ok(name), Ok(number)) => console.registered.version(workspace, &name, number).await?,
        _ => None,
    };
    let is_there = found.is_some_and(|found| !found.version.is_deleted());
    Ok(Registered {
        says: format!("{name} v{number}"),
        href: is_there.then(|| link::version(name, segment(number))),
    })
}
