//! Leases: who may speak for a step.
//!
//! A claim counts the step's token up. The token fences: a worker that was paused past its lease and
//! wakes again still shows the old token and is refused, whatever it believes (Kleppmann, "How to do
//! distributed locking", 2016).

use std::time::Duration;

use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::time::MachineTime;

use crate::refusal::Refusal;
use crate::run::{Step, StepState};

impl Step {
    /// The step claimed: a new token, a new lease.
    pub fn claimed(&self, worker: &str, lease: Duration, now: MachineTime) -> Result<Self, Refusal> {
        if self.state != StepState::Ready {
            return Err(Refusal::StepState { step: self.name.clone(), state: self.state });
        }
        if self.not_before > now {
            return Err(Refusal::TooEarly(self.name.clone()));
        }
        Ok(Self {
            state: StepState::Running,
            token: self.token + 1,
            owner: Some(worker.to_owned()),
            deadline: Some(now.after(lease)),
            started: Some(now),
            ended: None,
            ..self.clone()
        })
    }

    /// The step with its lease extended. A lease that ran out but was taken by nobody still counts: the
    /// token alone decides.
    pub fn renewed(&self, token: u64, lease: Duration, now: MachineTime) -> Result<Self, Refusal> {
        self.held_under(token)?;
        Ok(Self { deadline: Some(now.after(lease)), ..self.clone() })
    }

    /// Refuses unless the step is running under `token`.
    pub fn held_under(&self, token: u64) -> Result<(), Refusal> {
        if self.token != token && !is_planted(Fault::TokenCheckDropped) {
            return Err(Refusal::StaleToken { step: self.name.clone(), current: self.token, given: token });
        }
        if self.state != StepState::Running {
            return Err(Refusal::StepState { step: self.name.clone(), state: self.state });
        }
        Ok(())
    }
}
