//! Uploads that were begun and never ended are removed from the store of artifacts. Nobody ever saw them, so the
//! record has nothing to say about it.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::error::causes;
use mainstay_core::object::Objects;
use mainstay_core::time::Clock;
use tokio::sync::watch;

/// How often.
const EVERY: Duration = Duration::from_hours(1);
/// How long an upload may take. URLs for parts are good for far less.
const LONGEST: Duration = Duration::from_hours(24);

/// Sweeps at once, and then every hour until it is stopped.
pub(crate) async fn sweep(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
    loop {
        let longest = i64::try_from(LONGEST.as_micros()).unwrap_or(i64::MAX);
        let before = clock.now().plus(-longest);
        let swept = async {
            match objects.discard_unfinished(before).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "uploads that never ended were removed"),
                Err(error) => {
                    let causes = causes(&error);
                    tracing::warn!(%error, causes, "the store of artifacts cannot be swept");
                }
            }
            tokio::time::sleep(EVERY).await;
        };
        tokio::select! {
            () = swept => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
