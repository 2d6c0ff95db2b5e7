//! What is read from the database for every request, held in memory.
//!
//! What this process changes counts at once: the writer tells when it has committed such a change, before the caller
//! is answered. What other processes do is seen within five seconds. While the database does not answer, nobody can
//! change anything, and what was known goes on counting: predictions do not fail with it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::time::{Clock, MachineTime};
use tokio::sync::{Mutex, watch};

/// How long what was read counts, as far as other processes are concerned.
pub(super) const FRESH: Duration = Duration::from_secs(5);
/// How long a request waits for something newer before it takes what is known.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads what is kept.
#[async_trait]
pub(super) trait Source: Send + Sync {
    /// What is kept.
    type Content: Send + Sync;

    /// Reads it whole.
    async fn read(&self) -> Result<Self::Content, StorageError>;
}

struct Snapshot<C> {
    content: Arc<C>,
    /// The newest change by this process that is surely in it.
    changes: EventSeq,
    /// When it was read, or the reading was last tried.
    read: MachineTime,
}

/// What a source gives, read again when it may have changed.
pub(super) struct Kept<S: Source> {
    source: S,
    changes: watch::Receiver<EventSeq>,
    clock: Arc<dyn Clock>,
    current: ArcSwapOption<Snapshot<S::Content>>,
    reading: Mutex<()>,
}

impl<S: Source> Kept<S> {
    /// `changes` is the position of the newest change by this process.
    pub(super) fn new(source: S, changes: watch::Receiver<EventSeq>, clock: Arc<dyn Clock>) -> Self {
        Self { source, changes, clock, current: ArcSwapOption::empty(), reading: Mutex::new(()) }
    }

    /// What is known now.
    pub(super) async fn get(&self) -> Result<Arc<S::Content>, StorageError> {
        let Some(known) = self.current.load_full().filter(|known| known.changes == *self.changes.borrow())
        else {
            // What is known is wrong: there is no way around the database.
            let _reading = self.reading.lock().await;
            return match self.current.load_full().filter(|known| known.changes == *self.changes.borrow()) {
                Some(read_meanwhile) => Ok(read_meanwhile.content.clone()),
                None => self.read().await,
            };
        };
        if self.clock.now() < known.read.after(FRESH) {
            return Ok(known.content.clone());
        }
        // One request reads; the others do not wait for it.
        let Ok(_reading) = self.reading.try_lock() else { return Ok(known.content.clone()) };
        match tokio::time::timeout(PATIENCE, self.read()).await {
            Ok(Ok(newer)) => return Ok(newer),
            Ok(Err(error)) => tracing::warn!(%error, "what decides who may could not be read again"),
            Err(_) => tracing::warn!("what decides who may could not be read again in time"),
        }
        let Snapshot { content, changes, .. } = &*known;
        let again = Snapshot { content: content.clone(), changes: *changes, read: self.clock.now() };
        self.current.store(Some(Arc::new(again)));
        Ok(known.content.clone())
    }

    async fn read(&self) -> Result<Arc<S::Content>, StorageError> {
        // Noted before the reading: a change that comes in between is read twice, never missed.
        let (changes, read) = (*self.changes.borrow(), self.clock.now());
        let content = Arc::new(self.source.read().await?);
        self.current.store(Some(Arc::new(Snapshot { content: content.clone(), changes, read })));
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mainstay_core::time::ManualClock;

    use super::*;

    /// Counts its readings, and fails when it holds nothing.
    #[derive(Default)]
    struct Stored {
        known: StdMutex<Option<bool>>,
        readings: AtomicUsize,
    }

    #[async_trait]
    impl Source for Arc<Stored> {
        type Content = bool;

        async fn read(&self) -> Result<bool, StorageError> {
            self.readings.fetch_add(1, Ordering::SeqCst);
            let known = *self.known.lock().unwrap();
            known.ok_or_else(|| StorageError::Unavailable("stopped".into()))
        }
    }

    struct Bench {
        stored: Arc<Stored>,
        clock: Arc<ManualClock>,
        announce: watch::Sender<EventSeq>,
        kept: Kept<Arc<Stored>>,
    }

    impl Bench {
        fn new() -> Self {
            let stored = Arc::new(Stored::default());
            *stored.known.lock().unwrap() = Some(true);
            let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
            let (announce, changes) = watch::channel(EventSeq(1));
            let kept = Kept::new(stored.clone(), changes, clock.clone());
            Self { stored, clock, announce, kept }
        }

        fn store(&self, known: Option<bool>) {
            *self.stored.known.lock().unwrap() = known;
        }

        async fn counts(&self) -> bool {
            *self.kept.get().await.unwrap()
        }

        fn readings(&self) -> usize {
            self.stored.readings.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn it_is_read_when_it_changed_or_after_a_while() {
        let bench = Bench::new();
        for _ in 0..100 {
            assert!(bench.counts().await);
        }
        assert_eq!(bench.readings(), 1);
        // Another process revokes it: seen after five seconds.
        bench.store(Some(false));
        assert!(bench.counts().await);
        bench.clock.advance(FRESH);
        assert!(!bench.counts().await);
        assert_eq!(bench.readings(), 2);
        // This process makes one, and revokes it: seen at once.
        for (at, known) in [(2, true), (3, false)] {
            bench.store(Some(known));
            bench.announce.send_replace(EventSeq(at));
            assert_eq!(bench.counts().await, known);
        }
    }

    #[tokio::test]
    async fn what_is_known_counts_while_the_database_is_away_unless_it_is_known_to_be_wrong() {
        let bench = Bench::new();
        assert!(bench.counts().await);
        bench.store(None);
        bench.clock.advance(FRESH);
        for _ in 0..3 {
            assert!(bench.counts().await);
        }
        // Tried once, not at every request.
        assert_eq!(bench.readings(), 2);
        bench.announce.send_replace(EventSeq(2));
        assert!(bench.kept.get().await.is_err());
    }
}
