//! Whether whoever keeps an answer open is still let in as they were.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use mainstay_core::event::EventSeq;
use mainstay_core::principal::Principal;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::caller::Authenticator;

/// How often it is asked without a reason: nobody announces the end of a token's time, nor what another process on the
/// same database has changed. What is known of that is at most as old again.
const AGAIN: Duration = Duration::from_secs(5);

/// What tells that credentials, roles or levels changed, and who somebody is by now.
#[derive(Clone)]
pub struct Standing {
    /// Finds the caller.
    pub authenticator: Arc<dyn Authenticator>,
    /// Moves with each change of who may do what.
    pub changes: watch::Receiver<EventSeq>,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl Standing {
    /// Of somebody who was let in with a request.
    pub(super) fn of(self, parts: Parts, principal: Principal) -> StandingOf {
        let mut again = interval(AGAIN);
        // The guard has just asked.
        again.reset();
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        StandingOf { standing: self, parts, principal, again, is_questioned: false }
    }
}

/// Somebody who was let in, with the credential that they showed.
pub(super) struct StandingOf {
    standing: Standing,
    parts: Parts,
    principal: Principal,
    again: Interval,
    is_questioned: bool,
}

impl StandingOf {
    /// Waits for a reason to ask.
    pub(super) async fn questioned(&mut self) {
        tokio::select! {
            _ = self.again.tick() => {}
            moved = self.standing.changes.changed() => {
                if moved.is_err() {
                    // Nobody changes anything here any more.
                    self.again.tick().await;
                }
            }
        }
        self.is_questioned = true;
    }

    /// Whether the same credential still gives what it gave. Looked up only if there was a reason since this was last
    /// asked.
    pub(super) async fn holds(&mut self) -> bool {
        let has_changed = self.standing.changes.has_changed().unwrap_or(false);
        if !has_changed && !self.is_questioned {
            return true;
        }
        // Noted first: what changes meanwhile is looked at the next time.
        self.standing.changes.mark_unchanged();
        self.is_questioned = false;
        self.standing.authenticator.authenticate(&self.parts).await.is_ok_and(|now| now == self.principal)
    }
}
