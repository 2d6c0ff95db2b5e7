//! Names and passwords that people show. Verifying a password is slow on purpose, so one that was verified is
//! remembered for as long as it is the user's, in memory, under a key that this process alone has; and wrong ones are
//! counted, so that nobody tries many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use mainstay_api::caller::AuthenticationError;
use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_core::principal::Principal;
use mainstay_core::time::Clock;
use sha2::Sha256;

use super::guesses::{Guesser, Guesses, TooMany};
use super::hashing::Hashing;
use super::people::{Directory, Known};

/// Most passwords that are remembered.
const REMEMBERED: usize = 10_000;

/// Verifies passwords, and remembers.
pub(super) struct Passwords {
    directory: Directory,
    hashing: Arc<Hashing>,
    /// A block of SHA-256, which is the one size that no key can fail to have.
    key: [u8; 64],
    verified: Mutex<HashMap<[u8; 32], Digest>>,
    guesses: Guesses,
}

impl Passwords {
    pub(super) fn new(
        directory: Directory,
        hashing: Arc<Hashing>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Self {
        let mut key = [0; 64];
        entropy.fill(&mut key);
        Self { directory, hashing, key, verified: Mutex::default(), guesses: Guesses::new(clock) }
    }

    /// The user of that name, if it is its password.
    pub(super) async fn verify(
        &self,
        name: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<Principal, AuthenticationError> {
        let known = self.directory.find(name).await.map_err(unread)?;
        let trace = self.trace(name, &password);
        if let Some(known) = known.as_deref().filter(|known| self.has_verified(&trace, known)) {
            return Ok(known.principal());
        }
        let guessers = [Guesser::at(address), Guesser::of(name)];
        self.guesses.admit(&guessers)?;
        let turn = self.hashing.turn().await.map_err(unread)?;
        // A client that begins with several requests at once is hashed for once.
        if let Some(known) = known.as_deref().filter(|known| self.has_verified(&trace, known)) {
            return Ok(known.principal());
        }
        // Whoever sends many at once has had some of them judged while the others waited.
        self.guesses.admit(&guessers)?;
        let user = known.as_deref().map(|known| (&known.name, known.password));
        let is_right = self.hashing.verify(&turn, user, password).await.map_err(unread)?;
        if let Some(known) = known.as_deref().filter(|_| is_right) {
            self.remember(trace, known.password);
            return Ok(known.principal());
        }
        // What was right until it was changed is no guess: pages that are open go on to show it for a while.
        if !self.knew(&trace) {
            self.guesses.note_wrong(&guessers);
        }
        tracing::warn!(?address, "a wrong name or password");
        Err(AuthenticationError::Unauthenticated)
    }

    /// What is remembered of a name with a password. No name holds the byte between them.
    fn trace(&self, name: &str, password: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        for part in [name.as_bytes(), &[0], password.as_bytes()] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn has_verified(&self, trace: &[u8; 32], known: &Known) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(trace) == Some(&known.password)
    }

    /// Whether the password was the user's once.
    fn knew(&self, trace: &[u8; 32]) -> bool {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).contains_key(trace)
    }

    fn remember(&self, trace: [u8; 32], password: Digest) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(trace, password);
    }
}

impl From<TooMany> for AuthenticationError {
    fn from(TooMany(seconds): TooMany) -> Self {
        Self::TooManyAttempts(seconds)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as errors are mapped")]
fn unread(error: StorageError) -> AuthenticationError {
    tracing::warn!(%error, "users");
    AuthenticationError::Unauthenticated
}
