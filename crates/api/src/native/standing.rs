//! Whether whoever keeps an answer open is still let in as they were.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use mainstay_core::event::EventSeq;
use mainstay_core::principal::Principal;
use tokio::sync::watch;

use crate::caller::Authenticator;

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
    /// Waits for the next change; for ever, once nobody changes anything any more.
    pub(super) async fn changed(&mut self) {
        // Left to be seen by `holds`.
        if self.changes.changed().await.is_ok() {
            self.changes.mark_changed();
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the same credential still gives what it gave. Looked up only if something changed since this was last
    /// asked.
    pub(super) async fn holds(&mut self, parts: &Parts, before: &Principal) -> bool {
        if !self.changes.has_changed().unwrap_or(false) {
            return true;
        }
        // Noted first: what changes meanwhile is looked at the next time.
        self.changes.mark_unchanged();
        self.authenticator.authenticate(parts).await.is_ok_and(|now| now == *before)
    }
}
