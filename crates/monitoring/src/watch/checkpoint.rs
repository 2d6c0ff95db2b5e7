//! What is folded, to be stored.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::champion::{Champion, Folded};
use super::finding::Finding;
use super::intake::Intake;
use super::rollout::Rollout;
use super::{ChampionWatch, Watch, WatchError, WatchPlan, calendar_of};
use crate::reference::Reference;

/// The version of the form that this code writes and reads.
const FORMAT: u32 = 1;

/// What a [`Watch`] has folded, and what was not fetched of it. It serialises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    format: u32,
    plan: WatchPlan,
    floor: Option<i64>,
    late: u64,
    champion: Option<Folded>,
    rollout: Option<Rollout>,
    found: VecDeque<Finding>,
}

impl Checkpoint {
    /// The champion that was monitored: whose [`Reference`] to restore with.
    pub fn champion(&self) -> Option<&ChampionWatch> {
        self.champion.as_ref().map(|folded| &folded.watch)
    }

    /// The plan of the watch.
    pub fn plan(&self) -> &WatchPlan {
        &self.plan
    }
}

impl Watch {
    /// What is folded now. Feed everything from [`Self::unfolded_from`] on again after restoring.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            format: FORMAT,
            plan: self.plan.clone(),
            floor: self.intake.floor(),
            late: self.intake.late_before(),
            champion: self.champion.as_ref().map(Champion::folded),
            rollout: self.rollout.clone(),
            found: self.found.clone(),
        }
    }

    /// Goes on where a checkpoint was taken. `reference` is that of [`Checkpoint::champion`].
    ///
    /// # Errors
    /// [`WatchError::Unreadable`], or [`WatchError::Reference`] if it is another's.
    pub fn restore(checkpoint: Checkpoint, reference: Option<Arc<Reference>>) -> Result<Self, WatchError> {
        let Checkpoint { format, plan, floor, late, champion, rollout, found } = checkpoint;
        if format != FORMAT {
            return Err(WatchError::Unreadable);
        }
        let champion =
            champion.map(|folded| Champion::resume(folded, reference, &plan.features)).transpose()?;
        let intake = Intake::new(calendar_of(&plan), plan.disorder, floor, late);
        Ok(Self { plan, intake, champion, rollout, found })
    }
}
