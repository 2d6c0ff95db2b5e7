//! The models that a run logged, and what was registered of them.

use mainstay_core::name::Name;
use mainstay_tracking::logged_model::LoggedModelId;
use mainstay_tracking::run::{Lifecycle, RunDetail};

use super::registered::{Registered, registered};
use crate::Console;
use crate::frame::Error;

/// A model that the run logged.
pub(super) struct Made {
    pub(super) id: String,
    /// Nothing where it was deleted for good.
    pub(super) name: Option<String>,
    /// Whether it is deleted, for good or until somebody restores it.
    pub(super) is_deleted: bool,
    pub(super) versions: Vec<Registered>,
}

/// What came out of a run.
pub(super) async fn made(console: &Console, workspace: &Name, run: &RunDetail) -> Result<Vec<Made>, Error> {
    let ids: Vec<LoggedModelId> = run.attached.model_outputs.iter().map(|output| output.model).collect();
    let logged = console.tracked.logged_models(workspace, &ids).await?;
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        let known = logged.iter().find(|known| known.model.id == id);
        let versions = match known {
            Some(known) => registered(console, workspace, known).await?,
            None => Vec::new(),
        };
        all.push(Made {
            id: id.to_string(),
            name: known.map(|known| known.model.name.clone()),
            is_deleted: known.is_none_or(|known| known.model.lifecycle == Lifecycle::Deleted),
            versions,
        });
    }
    Ok(all)
}
