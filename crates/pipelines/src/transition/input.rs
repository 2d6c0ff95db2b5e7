//! What can happen to a run.

use std::time::Duration;

use mainstay_core::digest::Digest;
use mainstay_core::time::MachineTime;
use serde_json::Value;

use crate::approval::Approval;
use crate::circumstances::Provenance;
use crate::definition::{Approve, StepName};
use crate::run::StepOutput;

/// Something that happens to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The run's turn has come.
    Start,
    /// A worker takes a ready step for as long as `lease`.
    Claim {
        /// The step.
        step: StepName,
        /// Who.
        worker: String,
        /// For how long, in machine time.
        lease: Duration,
    },
    /// A worker still works.
    Heartbeat {
        /// The step.
        step: StepName,
        /// The token of its claim.
        token: u64,
        /// From now for how long.
        lease: Duration,
    },
    /// A worker has the result.
    Accept {
        /// The step.
        step: StepName,
        /// The token of its claim.
        token: u64,
        /// The result.
        output: StepOutput,
        /// Where it comes from.
        provenance: Provenance,
    },
    /// An attempt failed.
    Fail {
        /// The step.
        step: StepName,
        /// The token of its claim.
        token: u64,
        /// Why, for people.
        reason: String,
        /// Whether another attempt may succeed.
        retryable: bool,
        /// A uniform draw from 0 to 1, for the jitter.
        draw: f64,
    },
    /// A step puts itself aside.
    Park {
        /// The step.
        step: StepName,
        /// The token of its claim.
        token: u64,
        /// Until when, in machine time.
        until: MachineTime,
        /// What its next execution gets to see.
        memo: Value,
    },
    /// A running step asks a person.
    RequestApproval {
        /// The step.
        step: StepName,
        /// The token of its claim.
        token: u64,
        /// What is to be approved.
        digest: Digest,
        /// By whom, and until when.
        terms: Approve,
        /// What its next execution gets to see.
        memo: Value,
    },
    /// A person decided, or the request expired. Who may decide is [`Approval::decided`]'s business.
    Settle(Approval),
    /// A deadline passed: a lease ran out, or a timer is due.
    Expire {
        /// The step.
        step: StepName,
    },
    /// The worker of a running step is known to be gone.
    Abandoned {
        /// The step.
        step: StepName,
    },
    /// What a parked step waits for has happened.
    Wake {
        /// The step.
        step: StepName,
    },
    /// Somebody stops the run.
    Cancel {
        /// Why.
        reason: String,
    },
}
