//! What the watch of the endpoints knows and others ask for: how far the logs are folded, and what the evidence
//! demands of rollouts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mainstay_api::native::endpoint::{self, EndpointProgress};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_serving::rollout::Evidence;
use tokio::sync::watch;

/// How far the fold of an endpoint's logs has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The data time of its first prediction.
    pub began: DataTime,
    /// The greatest data time that was read from its log.
    pub watermark: DataTime,
    /// Everything before this was folded.
    pub folded_until: DataTime,
    /// Predictions of before it that were read too late to be folded.
    pub late: u64,
    /// Whether evidence demands something that has not happened yet.
    pub is_deciding: bool,
}

/// What the watch knows and the rest of the server asks for.
#[derive(Debug, Default)]
pub struct Decisions {
    pending: Mutex<HashMap<RolloutId, Evidence>>,
    progress: Mutex<HashMap<(Name, Name), Progress>>,
    /// Logs from before are still being read.
    is_behind: watch::Sender<bool>,
    /// Counts how often a watermark moved, or the reading of logs from before ended.
    moves: watch::Sender<u64>,
}

impl Decisions {
    /// The evidence that demands a step of a rollout, if any does.
    pub fn pending(&self, rollout: &RolloutId) -> Option<Evidence> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).get(rollout).cloned()
    }

    /// How far an endpoint's logs are folded; `None` if it was never asked.
    pub fn progress(&self, workspace: &Name, endpoint: &Name) -> Option<Progress> {
        let place = (workspace.clone(), endpoint.clone());
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).get(&place).copied()
    }

    /// The greatest data time of an endpoint.
    pub fn watermark(&self, workspace: &Name, endpoint: &Name) -> Option<DataTime> {
        self.progress(workspace, endpoint).map(|progress| progress.watermark)
    }

    /// Waits until the logs from before this process are read: what is known before is not all there is.
    pub async fn caught_up(&self) {
        let mut is_behind = self.is_behind.subscribe();
        // The sender lives as long as `self`, so there is always an end to wait for.
        drop(is_behind.wait_for(|is_behind| !is_behind).await);
    }

    /// Whether logs from before are still being read.
    pub fn is_behind(&self) -> bool {
        *self.is_behind.borrow()
    }

    /// Changes whenever a watermark has moved, or the logs from before are read.
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moves.subscribe()
    }

    /// Says whether logs from before are still being read.
    pub fn set_behind(&self, is_behind: bool) {
        if self.is_behind.send_replace(is_behind) != is_behind {
            self.moved();
        }
    }

    fn moved(&self) {
        self.moves.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes over what the evidence demands of a rollout, if anything.
    pub fn publish(&self, rollout: RolloutId, evidence: Option<Evidence>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match evidence {
            Some(evidence) => drop(pending.insert(rollout, evidence)),
            None => drop(pending.remove(&rollout)),
        }
    }

    /// Takes over how far an endpoint's logs are folded.
    pub fn note(&self, workspace: &Name, endpoint: &Name, progress: Progress) {
        let place = (workspace.clone(), endpoint.clone());
        let before = self.progress.lock().unwrap_or_else(PoisonError::into_inner).insert(place, progress);
        if before.is_none_or(|before| before.watermark != progress.watermark) {
            self.moved();
        }
    }
}

impl EndpointProgress for Decisions {
    fn progress(&self, workspace: &Name, endpoint: &Name) -> Option<endpoint::Progress> {
        let known = Self::progress(self, workspace, endpoint)?;
        Some(endpoint::Progress {
            watermark: Some(known.watermark),
            folded_until: Some(known.folded_until),
            late: known.late,
            busy: known.is_deciding,
        })
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::scope::default_workspace;
    use mainstay_core::time::DataTime;

    use super::*;

    #[test]
    fn what_came_too_late_is_told() {
        let (decisions, endpoint) = (Decisions::default(), Name::new("delays").unwrap());
        let (watermark, folded_until) = (DataTime::from_micros(9), DataTime::from_micros(7));
        let known = Progress { began: watermark, watermark, folded_until, late: 3, is_deciding: false };
        decisions.note(&default_workspace(), &endpoint, known);
        let told = EndpointProgress::progress(&decisions, &default_workspace(), &endpoint);
        let expected = endpoint::Progress {
            watermark: Some(watermark),
            folded_until: Some(folded_until),
            late: 3,
            busy: false,
        };
        assert_eq!(told, Some(expected));
    }
}
