//! Hashing of passwords: slow on purpose, so it is done by threads that may block, and never by many at once.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_core::time::Clock;
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::User;
use mainstay_governance::port::{PasswordHashing, PeopleReader};
use mainstay_governance::user::{Password, PasswordHash, UserName, refuse_slowly};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::guesses::{Guesser, Guesses, TooMany};

/// Most passwords that are hashed at once: each takes 19 MiB and a core for some ten milliseconds.
const AT_ONCE: usize = 2;

/// Hashes and verifies.
pub struct Hashing {
    reader: Arc<dyn PeopleReader>,
    entropy: Arc<dyn Entropy>,
    turns: Semaphore,
    guesses: Guesses,
}

impl Hashing {
    /// What is kept of passwords is read from `reader`; the clock tells how soon one may be tried again.
    pub fn new(reader: Arc<dyn PeopleReader>, entropy: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Self {
        Self { reader, entropy, turns: Semaphore::new(AT_ONCE), guesses: Guesses::new(clock) }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, StorageError> {
        self.turns.acquire().await.map_err(|error| StorageError::Unavailable(error.into()))
    }

    /// Whether it is the password of that user, of whose kept password the record has this digest; as slow for
    /// nobody as for somebody.
    pub(super) async fn verify(
        &self,
        _turn: &SemaphorePermit<'_>,
        user: Option<(&UserName, Digest)>,
        password: String,
    ) -> Result<bool, StorageError> {
        let kept = match user {
            // A hash that does not fit the record was put in its place.
            Some((name, digest)) => self.reader.password(name).await?.filter(|kept| kept.digest() == digest),
            None => None,
        };
        let verifying = tokio::task::spawn_blocking(move || {
            if let Some(kept) = kept {
                return kept.matches(&password);
            }
            refuse_slowly(&password);
            false
        });
        verifying.await.map_err(|error| StorageError::Failed(error.into()))
    }
}

impl From<TooMany> for GovernanceError {
    fn from(TooMany(seconds): TooMany) -> Self {
        Self::TooManyPasswords(seconds)
    }
}

#[async_trait]
impl PasswordHashing for Hashing {
    async fn hash(&self, password: Password) -> Result<PasswordHash, GovernanceError> {
        let _turn = self.turn().await?;
        let entropy = self.entropy.clone();
        let hashing = tokio::task::spawn_blocking(move || PasswordHash::of(&password, &*entropy));
        hashing.await.map_err(|error| StorageError::Failed(error.into()))?
    }

    async fn is_of(&self, user: &User, password: String) -> Result<bool, GovernanceError> {
        let guesser = [Guesser::of(user.name.as_str())];
        self.guesses.admit(&guesser)?;
        let turn = self.turn().await?;
        self.guesses.admit(&guesser)?;
        let is_right = self.verify(&turn, Some((&user.name, user.password)), password).await?;
        if !is_right {
            self.guesses.note_wrong(&guesser);
        }
        Ok(is_right)
    }
}
