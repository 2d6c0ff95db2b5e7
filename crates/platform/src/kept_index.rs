//! Keeps an index in memory: filled from its file or the tables, then fed from the log of events.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq, RecordedEvent};
use mainstay_store::Database;
use tokio::sync::{Notify, watch};

/// How many things, or events, are read at once.
pub(crate) const CHUNK: usize = 1_000;
/// How long to wait before trying again when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long events gather before they are read together, unless a question waits for them.
const GATHER: Duration = Duration::from_millis(100);

/// What an index is filled from, and what events do to it.
#[async_trait]
pub(crate) trait IndexSource: Send + Sync + 'static {
    /// The index.
    type Index: Default + Send + Sync + 'static;
    /// What a thing in it is told from others by, in whose order all are read.
    type Id: Send;
    /// What is in it, in words.
    const WHAT: &'static str;

    /// Reads the first [`CHUNK`] of the things behind one into the index. Tells the last of them, `None` if there
    /// was none, and the position in the log that they reflect at least.
    async fn read(
        &self,
        index: &mut Self::Index,
        after: Option<Self::Id>,
    ) -> Result<(Option<Self::Id>, EventSeq), StorageError>;

    /// Takes in what happened. Events may come that are known already, which does no harm.
    async fn apply(&self, index: &RwLock<Self::Index>, events: &[RecordedEvent]) -> Result<(), StorageError>;

    /// Told, while the index is locked, that another one took its place.
    fn replaced(&self) {}

    /// The index as it was kept in a file, and up to which event it goes.
    async fn load(&mut self) -> Option<(Self::Index, EventSeq)> {
        None
    }

    /// Has the index kept in a file, if it is time for that. It knows everything up to `applied`.
    fn keep(&mut self, _index: &Arc<RwLock<Self::Index>>, _applied: EventSeq) {}
}

/// An index, and how far in the log it is.
pub(crate) struct KeptIndex<I> {
    index: Arc<RwLock<I>>,
    what: &'static str,
    head: watch::Receiver<EventSeq>,
    applied: watch::Receiver<Option<EventSeq>>,
    wanted: Arc<Notify>,
}

impl<I: Default + Send + Sync + 'static> KeptIndex<I> {
    /// Starts to fill the index; questions wait for it. The task ends with the database's writer.
    pub(crate) fn start<S: IndexSource<Index = I>>(database: &Database, source: S) -> Self {
        let index = Arc::new(RwLock::new(I::default()));
        let (announce, applied) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let (database, head) = (database.clone(), database.head());
        let keeping =
            Keeping { database, source, index: Arc::clone(&index), announce, wanted: wanted.clone() };
        tokio::spawn(keeping.run());
        Self { index, what: S::WHAT, head, applied, wanted }
    }

    /// The index, once it knows all that was committed before.
    pub(crate) async fn reached(&self) -> Result<&Arc<RwLock<I>>, StorageError> {
        let head = *self.head.borrow();
        let mut applied = self.applied.clone();
        let is_reached = |applied: &Option<EventSeq>| applied.is_some_and(|applied| applied >= head);
        if !is_reached(&applied.borrow()) {
            self.wanted.notify_one();
        }
        match applied.wait_for(is_reached).await {
            Ok(_) => Ok(&self.index),
            Err(_) => {
                Err(StorageError::Unavailable(format!("the index of {} has stopped", self.what).into()))
            }
        }
    }

    /// Asks the index, once it knows all that was committed before, what it answers at once.
    pub(crate) async fn ask<T>(&self, question: impl FnOnce(&I) -> T + Send) -> Result<T, StorageError> {
        let index = self.reached().await?;
        Ok(question(&locked(index)))
    }
}

/// The index as it is now.
pub(crate) fn locked<I>(index: &RwLock<I>) -> RwLockReadGuard<'_, I> {
    index.read().unwrap_or_else(PoisonError::into_inner)
}

struct Keeping<S: IndexSource> {
    database: Database,
    source: S,
    index: Arc<RwLock<S::Index>>,
    announce: watch::Sender<Option<EventSeq>>,
    /// Told by a question that waits.
    wanted: Arc<Notify>,
}

impl<S: IndexSource> Keeping<S> {
    async fn run(mut self) {
        let mut known = self.source.load().await;
        // An event that cannot be read (erased, say) is passed over by filling the index anew.
        while let Err(error) = self.keep(known.take()).await {
            tracing::warn!(%error, "the index of {} is built anew", S::WHAT);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes what is known already, or fills the index, and follows the log until the writer stops.
    async fn keep(&mut self, known: Option<(S::Index, EventSeq)>) -> Result<(), StorageError> {
        let (index, mut applied) = match known {
            Some(known) => known,
            None => self.filled().await?,
        };
        self.replace(index);
        self.announce.send_replace(Some(applied));
        self.source.keep(&self.index, applied);
        let mut head = self.database.head();
        let mut is_behind = false;
        while head.wait_for(|head| *head > applied).await.is_ok() {
            if !is_behind {
                // An elapsed wait is as good as a question.
                drop(tokio::time::timeout(GATHER, self.wanted.notified()).await);
            }
            let events = self.database.read(&EventQuery::after(applied, CHUNK)).await?;
            self.source.apply(&self.index, &events).await?;
            applied = events.last().map_or(applied, |event| event.seq);
            is_behind = events.len() == CHUNK;
            self.announce.send_replace(Some(applied));
            self.source.keep(&self.index, applied);
        }
        Ok(())
    }

    fn replace(&self, index: S::Index) {
        let mut known = self.index.write().unwrap_or_else(PoisonError::into_inner);
        *known = index;
        self.source.replaced();
    }

    /// A new index of all there is. The position is that of the first chunk: what came meanwhile is applied once
    /// more, which does no harm.
    async fn filled(&self) -> Result<(S::Index, EventSeq), StorageError> {
        let mut index = S::Index::default();
        let (mut last, position) = self.source.read(&mut index, None).await?;
        while last.is_some() {
            (last, _) = self.source.read(&mut index, last).await?;
        }
        Ok((index, position))
    }
}
