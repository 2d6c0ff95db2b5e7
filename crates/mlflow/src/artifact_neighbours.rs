//! The place that somebody names for a new experiment, among what is there already.
//!
//! Whoever has an experiment reads, replaces and removes what lies at its place, and so do the purges of its runs, logged
//! models and traces. So the folders of these are no place of another experiment; and whoever holds levels, and no role
//! that may write, names neither a place in or around that of an experiment that is not theirs to write, nor one where
//! files lie already, unless it is within one of theirs.

use std::fmt;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_api::caller::Caller;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::clip;
use mainstay_tracking::command::{ArtifactLocation, Beside};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::ExperimentId;

use crate::artifact_root::Place;
use crate::{Error, MlflowState};

/// A place in one of our stores, and who names it.
struct Named {
    state: MlflowState,
    caller: Caller,
    place: Place,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.place.path).finish()
    }
}

impl Beside for Named {
    fn admits(&self, other: ExperimentId, place: &str) -> bool {
        let Some(Ok(other_place)) = self.state.place(place) else { return true };
        let of_one_another = [self.place.below_of(&other_place), other_place.below_of(&self.place)];
        let mut below = of_one_another.into_iter().flatten().peekable();
        let may = || self.caller.may(Action::RunWrite, ResourceKind::Experiment, other).is_ok();
        below.peek().is_none() || (!below.any(is_of_a_thing) && may())
    }
}

/// Whether what lies below an experiment's place is in the folder of a run, a logged model or a trace of it.
fn is_of_a_thing(below: &str) -> bool {
    let first = below.split('/').next().unwrap_or_default();
    let is_run = first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_run || ["models", "traces"].iter().any(|folder| first.eq_ignore_ascii_case(folder))
}

/// Judges a place that was checked for itself. Experiments that are created meanwhile are asked about in the transaction.
pub(crate) async fn named(
    state: &MlflowState,
    caller: &Caller,
    uri: String,
) -> Result<ArtifactLocation, Error> {
    let Some(Ok(place)) = state.place(&uri) else {
        return Ok(ArtifactLocation::At(uri));
    };
    let named = Named { state: Arc::clone(state), caller: caller.clone(), place };
    let (mut last, mut is_theirs) = (None, false);
    for (other, other_place) in state.tracked.places(&caller.workspace).await? {
        if !named.admits(other, &other_place) {
            return Err(TrackingError::PlaceTaken(clip(&uri)).into());
        }
        let around = state.place(&other_place).and_then(Result::ok);
        is_theirs |= around.is_some_and(|around| named.place.is_within(&around));
        last = Some(other);
    }
    let by_levels = caller.holds_levels() && !caller.could_by_role(Action::RunWrite);
    if by_levels && !is_theirs && !is_empty(&named.place).await? {
        return Err(TrackingError::PlaceTaken(clip(&uri)).into());
    }
    Ok(ArtifactLocation::Among { uri, last, beside: Arc::new(named) })
}

/// Whether no file lies at a place or below it.
async fn is_empty(place: &Place) -> Result<bool, Error> {
    let Place { objects, path, .. } = place;
    Ok(objects.status(path).await?.is_none()
        && objects.entries(Some(path)).await?.try_next().await?.is_none())
}
