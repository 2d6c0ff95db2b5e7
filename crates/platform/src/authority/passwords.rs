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

/// What is remembered of a password that somebody showed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verified {
    /// It was right while this was the user's.
    Right(Digest),
    /// It was right once, and is not what is the user's now; nothing if the user is gone.
    Former(Option<Digest>),
}

/// Verifies passwords, and remembers.
pub(super) struct Passwords {
    directory: Directory,
    hashing: Arc<Hashing>,
    /// A block of SHA-256, which is the one size that no key can fail to have.
    key: [u8; 64],
    verified: Mutex<HashMap<[u8; 32], Verified>>,
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
        if let Some(judged) = self.judged(&trace, known.as_deref()) {
            return judged;
        }
        let guessers = [Guesser::at(address), Guesser::of(name)];
        self.guesses.admit(&guessers)?;
        let turn = self.hashing.turn().await.map_err(unread)?;
        // A client that begins with several requests at once is hashed for once.
        if let Some(judged) = self.judged(&trace, known.as_deref()) {
            return judged;
        }
        // Whoever sends many at once has had some of them judged while the others waited.
        self.guesses.admit(&guessers)?;
        let user = known.as_deref().map(|known| (&known.name, known.password));
        let is_right = self.hashing.verify(&turn, user, password).await.map_err(unread)?;
        if let Some(known) = known.as_deref().filter(|_| is_right) {
            self.remember(trace, Verified::Right(known.password));
            return Ok(known.principal());
        }
        // What was right until it was changed is no guess: pages that are open go on to show it for a while.
        if self.knew(&trace) {
            self.remember(trace, Verified::Former(known.as_deref().map(|known| known.password)));
        } else {
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

    /// What is known of it without hashing: that it is the user's password, or was that and is not any more.
    fn judged(
        &self,
        trace: &[u8; 32],
        known: Option<&Known>,
    ) -> Option<Result<Principal, AuthenticationError>> {
        let judged = *self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(trace)?;
        let now = known.map(|known| known.password);
        match (judged, known) {
            (Verified::Right(password), Some(known)) if password == known.password => {
                Some(Ok(known.principal()))
            }
            (Verified::Former(judged), _) if judged == now => Some(Err(AuthenticationError::Unauthenticated)),
            _ => None,
        }
    }

    /// Whether the password was the user's once.
    fn knew(&self, trace: &[u8; 32]) -> bool {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).contains_key(trace)
    }

    fn remember(&self, trace: [u8; 32], judged: Verified) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(trace, judged);
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
