//! What a parked rollout step keeps.

use mainstay_core::id::RolloutId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which rollout a step carries out.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RolloutMemo {
    /// The rollout.
    pub rollout: RolloutId,
}

impl RolloutMemo {
    /// The rollout that a parked step carries out.
    pub fn rollout_of(memo: &Value) -> Option<RolloutId> {
        Self::deserialize(memo).ok().map(|memo| memo.rollout)
    }
}
