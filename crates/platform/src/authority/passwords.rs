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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use mainstay_core::command::{Command, Commands};
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_core::time::{MachineTime, ManualClock};
    use mainstay_governance::command::{CreateUser, DeleteUser, SetPassword};
    use mainstay_governance::people::Number;
    use mainstay_governance::policy::Mode;
    use mainstay_governance::port::PeopleTx;
    use mainstay_governance::user::{Password, PasswordHash, UserName};
    use mainstay_store::{Database, Surroundings};

    use super::*;
    use crate::authority::{Authority, local_user};

    struct Bench {
        database: Database,
        entropy: Arc<SeededEntropy>,
        hashing: Arc<Hashing>,
        passwords: Passwords,
    }

    impl Bench {
        async fn new(directory: &std::path::Path) -> Self {
            let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_000_000)));
            let entropy = Arc::new(SeededEntropy::new(7));
            let surroundings =
                Surroundings { clock: clock.clone(), entropy: entropy.clone(), guard_events: true };
            let database = Database::open_sqlite(directory, surroundings).await.unwrap();
            let reader = Arc::new(database.reader.clone());
            let hashing = Arc::new(Hashing::new(reader, entropy.clone(), clock.clone()));
            let people = Directory::new(&database, clock.clone(), None);
            let passwords = Passwords::new(people, hashing.clone(), clock, &*entropy);
            Self { database, entropy, hashing, passwords }
        }

        async fn run<C>(&self, command: C)
        where
            C: Command<Tx = dyn PeopleTx>,
            C::Error: std::fmt::Debug,
        {
            let authority = Arc::new(Authority::open(Mode::Local, &self.database).unwrap());
            let commands = Commands::<dyn PeopleTx>::new(Arc::new(self.database.writer.clone()), authority);
            commands.run(&local_user(), command).await.unwrap();
        }

        fn hash(&self, password: &str) -> PasswordHash {
            PasswordHash::of(&Password::new(password).unwrap(), &*self.entropy).unwrap()
        }

        async fn shows(&self, password: &str) -> Result<(), AuthenticationError> {
            self.passwords.verify("ann", password.to_owned(), None).await.map(drop)
        }

        /// What is answered without a turn to hash; nothing if it takes one.
        async fn shows_in_between(&self, password: &str) -> Option<Result<(), AuthenticationError>> {
            // What changed is read before.
            self.passwords.directory.find("ann").await.unwrap();
            let _turns = (self.hashing.turn().await.unwrap(), self.hashing.turn().await.unwrap());
            self.shows(password).now_or_never()
        }
    }

    /// Pages that are open go on to show a password that was changed: each request would take a turn from the others.
    #[tokio::test]
    async fn a_former_password_is_hashed_once_and_no_guess() {
        let directory = tempfile::tempdir().unwrap();
        let bench = Bench::new(directory.path()).await;
        let name = UserName::new("ann").unwrap();
        let (id, password) = (Number::draw(&*bench.entropy), bench.hash("the first password"));
        bench.run(CreateUser { name: name.clone(), id, admin: false, password }).await;
        assert_eq!(bench.shows_in_between("the first password").await, None, "it is not known yet");
        assert_eq!(bench.shows("the first password").await, Ok(()));
        assert_eq!(bench.shows_in_between("the first password").await, Some(Ok(())));

        let refused = Err(AuthenticationError::Unauthenticated);
        for change in ["the second password", "the third password"] {
            bench.run(SetPassword { name: name.clone(), password: bench.hash(change) }).await;
            assert_eq!(bench.shows_in_between("the first password").await, None, "it may be the new one");
            assert_eq!(bench.shows("the first password").await, refused);
            for _ in 0..100 {
                assert_eq!(bench.shows_in_between("the first password").await, Some(refused.clone()));
            }
        }
        // It may be set again.
        bench.run(SetPassword { name: name.clone(), password: bench.hash("the first password") }).await;
        assert_eq!(bench.shows("the first password").await, Ok(()));
        bench.run(DeleteUser { name }).await;
        assert_eq!(bench.shows("the first password").await, refused);
        assert_eq!(bench.shows_in_between("the first password").await, Some(refused.clone()));
        // A guess takes its turn, and alone is counted.
        assert_eq!(bench.shows_in_between("a guess").await, None);
        for guess in 0..20 {
            assert_eq!(bench.shows("a guess").await, refused, "guess {guess}");
        }
        assert!(matches!(bench.shows("a guess").await, Err(AuthenticationError::TooManyAttempts(_))));
    }
}
