//! The tokens that count, held in memory.
//!
//! A token that this process creates or revokes counts, or does not, at once: the writer tells when it
//! has committed such a change, before the caller is answered. What other processes do is seen within
//! five seconds. While the database does not answer, nobody can revoke anything, and the tokens that were
//! known go on counting: predictions do not fail with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::id::TokenId;
use mainstay_core::time::{Clock, MachineTime};
use mainstay_governance::port::GovernanceReader;
use mainstay_governance::token::StoredToken;
use tokio::sync::{Mutex, watch};

/// How long what was read counts, as far as other processes are concerned.
const FRESH: Duration = Duration::from_secs(5);
/// How long a request waits for newer tokens before it takes those that are known.
const PATIENCE: Duration = Duration::from_secs(1);

struct Snapshot {
    tokens: HashMap<TokenId, StoredToken>,
    /// The newest change to tokens by this process that is surely in it.
    changes: EventSeq,
    /// When it was read, or the reading was last tried.
    read: MachineTime,
}

/// The tokens, read again when they may have changed.
pub(super) struct Tokens {
    reader: Arc<dyn GovernanceReader>,
    changes: watch::Receiver<EventSeq>,
    clock: Arc<dyn Clock>,
    current: ArcSwapOption<Snapshot>,
    reading: Mutex<()>,
}

impl Tokens {
    /// `changes` is the position of the newest change to tokens by this process.
    pub(super) fn new(
        reader: Arc<dyn GovernanceReader>,
        changes: watch::Receiver<EventSeq>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { reader, changes, clock, current: ArcSwapOption::empty(), reading: Mutex::new(()) }
    }

    /// A token, unless it was revoked.
    pub(super) async fn find(&self, id: TokenId) -> Result<Option<StoredToken>, StorageError> {
        Ok(self.snapshot().await?.tokens.get(&id).cloned())
    }

    async fn snapshot(&self) -> Result<Arc<Snapshot>, StorageError> {
        let Some(known) = self.current.load_full().filter(|known| known.changes == *self.changes.borrow())
        else {
            // What is known is wrong: there is no way around the database.
            let _reading = self.reading.lock().await;
            return match self.current.load_full().filter(|known| known.changes == *self.changes.borrow()) {
                Some(read_meanwhile) => Ok(read_meanwhile),
                None => self.read().await,
            };
        };
        if self.clock.now() < known.read.after(FRESH) {
            return Ok(known);
        }
        // One request reads; the others do not wait for it.
        let Ok(_reading) = self.reading.try_lock() else { return Ok(known) };
        match tokio::time::timeout(PATIENCE, self.read()).await {
            Ok(Ok(newer)) => return Ok(newer),
            Ok(Err(error)) => tracing::warn!(%error, "tokens could not be read again"),
            Err(_) => tracing::warn!("tokens could not be read again in time"),
        }
        let Snapshot { tokens, changes, .. } = &*known;
        let again = Snapshot { tokens: tokens.clone(), changes: *changes, read: self.clock.now() };
        self.current.store(Some(Arc::new(again)));
        Ok(known)
    }

    async fn read(&self) -> Result<Arc<Snapshot>, StorageError> {
        // Noted before the reading: a change that comes in between is read twice, never missed.
        let (changes, read) = (*self.changes.borrow(), self.clock.now());
        let tokens = self.reader.tokens().await?;
        let tokens = tokens.into_iter().map(|token| (token.id, token)).collect();
        let snapshot = Arc::new(Snapshot { tokens, changes, read });
        self.current.store(Some(snapshot.clone()));
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use mainstay_core::digest::Digest;
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_core::name::Name;
    use mainstay_core::principal::{Actor, Grant};
    use mainstay_core::time::ManualClock;
    use mainstay_governance::gate::GateReport;
    use mainstay_governance::token::ApiToken;
    use mainstay_governance::webhook::Webhook;

    use super::*;

    /// Counts its readings, and fails when it holds no list.
    #[derive(Default)]
    struct Stored {
        tokens: StdMutex<Option<Vec<StoredToken>>>,
        readings: AtomicUsize,
    }

    #[async_trait]
    impl GovernanceReader for Stored {
        async fn tokens(&self) -> Result<Vec<StoredToken>, StorageError> {
            self.readings.fetch_add(1, Ordering::SeqCst);
            let stored = self.tokens.lock().unwrap().clone();
            stored.ok_or_else(|| StorageError::Unavailable("stopped".into()))
        }
        async fn grants(&self, _: &Actor) -> Result<Vec<Grant>, StorageError> {
            Ok(Vec::new())
        }
        async fn workspaces(&self) -> Result<Vec<Name>, StorageError> {
            Ok(Vec::new())
        }
        async fn webhooks(&self) -> Result<Vec<(Name, Webhook)>, StorageError> {
            Ok(Vec::new())
        }
        async fn reports(&self, _: &Name, _: &Digest) -> Result<Vec<GateReport>, StorageError> {
            Ok(Vec::new())
        }
    }

    fn token() -> StoredToken {
        let token = ApiToken::draw(&SeededEntropy::new(1));
        StoredToken {
            id: token.id(),
            label: Name::new("ci").unwrap(),
            digest: token.digest(),
            grants: Vec::new(),
            creator: Actor::local(),
            created: MachineTime::MIN,
            expires: None,
            revoked: None,
        }
    }

    #[tokio::test]
    async fn tokens_are_read_when_they_changed_or_after_a_while() {
        let (stored, token) = (Arc::new(Stored::default()), token());
        *stored.tokens.lock().unwrap() = Some(vec![token.clone()]);
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let (announce, changes) = watch::channel(EventSeq(1));
        let tokens = Tokens::new(stored.clone(), changes, clock.clone());
        let counts = async || tokens.find(token.id).await.map(|found| found.is_some());
        let readings = || stored.readings.load(Ordering::SeqCst);

        for _ in 0..100 {
            assert!(counts().await.unwrap());
        }
        assert_eq!(readings(), 1);
        // Another process revokes it: seen after five seconds.
        *stored.tokens.lock().unwrap() = Some(Vec::new());
        assert!(counts().await.unwrap());
        clock.advance(FRESH);
        assert!(!counts().await.unwrap());
        assert_eq!(readings(), 2);
        // This process makes one, and revokes it: seen at once.
        *stored.tokens.lock().unwrap() = Some(vec![token.clone()]);
        announce.send_replace(EventSeq(2));
        assert!(counts().await.unwrap());
        *stored.tokens.lock().unwrap() = Some(Vec::new());
        announce.send_replace(EventSeq(3));
        assert!(!counts().await.unwrap());
    }

    #[tokio::test]
    async fn what_is_known_counts_while_the_database_is_away_unless_it_is_known_to_be_wrong() {
        let (stored, token) = (Arc::new(Stored::default()), token());
        *stored.tokens.lock().unwrap() = Some(vec![token.clone()]);
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let (announce, changes) = watch::channel(EventSeq(1));
        let tokens = Tokens::new(stored.clone(), changes, clock.clone());
        assert!(tokens.find(token.id).await.unwrap().is_some());
        *stored.tokens.lock().unwrap() = None;
        clock.advance(FRESH);
        for _ in 0..3 {
            assert!(tokens.find(token.id).await.unwrap().is_some());
        }
        // Tried once, not at every request.
        assert_eq!(stored.readings.load(Ordering::SeqCst), 2);
        announce.send_replace(EventSeq(2));
        assert!(tokens.find(token.id).await.is_err());
    }
}
