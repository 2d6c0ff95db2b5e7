//! The models that a run logged, and what was registered of them.

use mainstay_api::caller::Caller;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelId};
use mainstay_tracking::run::{Lifecycle, RunDetail};

use super::registered::{Registered, registered};
use crate::Console;
use crate::frame::Error;

/// A model that the run logged.
pub(super) struct Made {
    pub(super) id: String,
    /// Nothing where it was deleted for good, or is not for the caller to see.
    pub(super) name: Option<String>,
    /// Whether it is deleted, for good or until somebody restores it.
    pub(super) is_deleted: bool,
    pub(super) versions: Vec<Registered>,
}

/// What came out of a run.
pub(super) async fn made(console: &Console, caller: &Caller, run: &RunDetail) -> Result<Vec<Made>, Error> {
    let ids: Vec<LoggedModelId> = run.attached.model_outputs.iter().map(|output| output.model).collect();
    let logged = console.tracked.logged_models(&caller.workspace, &ids).await?;
    let mut all = Vec::with_capacity(ids.len());
    let may = |known: &LoggedModelDetail| {
        caller.could(Action::RunRead, ResourceKind::Experiment, known.model.experiment)
    };
    for id in ids {
        let known = logged.iter().find(|known| known.model.id == id);
        // A run may have logged it into another experiment.
        let (known, is_gone) = (known.filter(|known| may(known)), known.is_none());
        let versions = match known {
            Some(known) => registered(console, caller, known).await?,
            None => Vec::new(),
        };
        all.push(Made {
            id: id.to_string(),
            name: known.map(|known| known.model.name.clone()),
            is_deleted: known.map_or(is_gone, |known| known.model.lifecycle == Lifecycle::Deleted),
            versions,
        });
    }
    Ok(all)
}
