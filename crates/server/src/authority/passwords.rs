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

use super::hashing::Hashing;
use super::people::{Directory, Known};

/// Most passwords that are remembered.
const REMEMBERED: usize = 10_000;
/// Wrong passwords that one address, and one user, may have at once; after that, one more each [`PACE`].
const BURST: i64 = 20;
/// Microseconds until one more wrong password is free.
const PACE: i64 = 2_000_000;

/// Verifies passwords, and remembers.
pub(super) struct Passwords {
    directory: Directory,
    hashing: Arc<Hashing>,
    clock: Arc<dyn Clock>,
    key: [u8; 32],
    verified: Mutex<HashMap<[u8; 32], Digest>>,
    wrong: Mutex<HashMap<Guesser, i64>>,
}

/// Whose wrong passwords are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Guesser {
    /// From where they come; a /64 of IPv6, which is what one customer has at least.
    From(Option<IpAddr>),
    /// Whose they would be. Only users are counted, so that nobody fills the memory with names.
    Of(String),
}

impl Passwords {
    pub(super) fn new(
        directory: Directory,
        hashing: Arc<Hashing>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        let (verified, wrong) = (Mutex::default(), Mutex::default());
        Self { directory, hashing, clock, key, verified, wrong }
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
        let mut guessers = vec![Guesser::From(address.map(network))];
        guessers.extend(known.as_deref().map(|known| Guesser::Of(known.name.to_string())));
        self.admit(&guessers)?;
        let turn = self.hashing.turn().await.map_err(unread)?;
        // A client that begins with several requests at once is hashed for once.
        if let Some(known) = known.as_deref().filter(|known| self.has_verified(&trace, known)) {
            return Ok(known.principal());
        }
        let user = known.as_deref().map(|known| (&known.name, known.password));
        let is_right = self.hashing.verify(&turn, user, password).await.map_err(unread)?;
        if let Some(known) = known.as_deref().filter(|_| is_right) {
            self.remember(trace, known.password);
            return Ok(known.principal());
        }
        self.note_wrong(&guessers);
        tracing::warn!(?address, "a wrong name or password");
        Err(AuthenticationError::Unauthenticated)
    }

    /// What is remembered of a name with a password. No name holds the byte between them.
    fn trace(&self, name: &str, password: &str) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        for part in [name.as_bytes(), &[0], password.as_bytes()] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn has_verified(&self, trace: &[u8; 32], known: &Known) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(trace) == Some(&known.password)
    }

    fn remember(&self, trace: [u8; 32], password: Digest) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(trace, password);
    }

    fn admit(&self, guessers: &[Guesser]) -> Result<(), AuthenticationError> {
        let now = self.clock.now().micros();
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = guessers.iter().filter_map(|guesser| wrong.get(guesser)).map(|full_at| {
            // A bucket that is full at `full_at` has room for one more when it lacks less than all but one.
            full_at.saturating_sub(now).saturating_sub((BURST - 1) * PACE)
        });
        let wait = waits.max().unwrap_or(0);
        if wait <= 0 {
            return Ok(());
        }
        let seconds = u64::try_from(wait).unwrap_or_default().div_ceil(1_000_000);
        Err(AuthenticationError::TooManyAttempts(seconds))
    }

    fn note_wrong(&self, guessers: &[Guesser]) {
        let now = self.clock.now().micros();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= REMEMBERED {
            wrong.retain(|_, full_at| *full_at > now);
        }
        for guesser in guessers {
            // Whoever has so many addresses is counted by the names that it tries.
            if wrong.len() < REMEMBERED || matches!(guesser, Guesser::Of(_)) {
                let full_at = wrong.entry(guesser.clone()).or_insert(now);
                *full_at = (*full_at).max(now).saturating_add(PACE);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as errors are mapped")]
fn unread(error: StorageError) -> AuthenticationError {
    tracing::warn!(%error, "users");
    AuthenticationError::Unauthenticated
}
