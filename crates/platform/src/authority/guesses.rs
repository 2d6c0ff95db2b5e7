//! Wrong passwords are counted, so that nobody tries many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::digest::Digest;
use mainstay_core::time::Clock;

/// Most guessers that are counted. Each counts for two seconds after one wrong password, and two passwords at most
/// are hashed at once, so that many do not come together.
const COUNTED: usize = 10_000;
/// Wrong passwords that one address, and one name, may have at once; after that, one more each [`PACE`].
const BURST: i64 = 20;
/// Microseconds until one more wrong password is free.
const PACE: i64 = 2_000_000;

/// Whose wrong passwords are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Guesser {
    /// From where they come; a /64 of IPv6, which is what one customer has at least.
    From(Option<IpAddr>),
    /// The name that they are for, whether or not it is a user's: nobody learns here who there is.
    Of(Digest),
}

impl Guesser {
    pub(super) fn at(address: Option<IpAddr>) -> Self {
        Self::From(address.map(network))
    }

    pub(super) fn of(name: &str) -> Self {
        Self::Of(Digest::of(name.as_bytes()))
    }
}

/// How many seconds to wait until one more password may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany(pub(super) u64);

/// Counts wrong passwords.
pub(super) struct Guesses {
    clock: Arc<dyn Clock>,
    /// Until when each has fewer than [`BURST`] left.
    wrong: Mutex<HashMap<Guesser, i64>>,
}

impl Guesses {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, wrong: Mutex::default() }
    }

    /// Whether one more may be tried.
    pub(super) fn admit(&self, guessers: &[Guesser]) -> Result<(), TooMany> {
        let now = self.clock.now().micros();
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = guessers.iter().filter_map(|guesser| wrong.get(guesser)).map(|full_at| {
            // A bucket that is full at `full_at` has room for one more when it lacks less than all but one.
            full_at.saturating_sub(now).saturating_sub((BURST - 1) * PACE)
        });
        match u64::try_from(waits.max().unwrap_or(0)) {
            Ok(wait @ 1..) => Err(TooMany(wait.div_ceil(1_000_000))),
            _ => Ok(()),
        }
    }

    /// Counts a wrong one.
    pub(super) fn note_wrong(&self, guessers: &[Guesser]) {
        let now = self.clock.now().micros();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= COUNTED {
            wrong.retain(|_, full_at| *full_at > now);
        }
        for guesser in guessers {
            if wrong.len() < COUNTED || wrong.contains_key(guesser) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_core::time::{MachineTime, ManualClock};

    use super::*;

    #[test]
    fn each_has_twenty_at_once_and_one_more_every_two_seconds() {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let guesses = Guesses::new(clock.clone());
        let (here, ann) = ([Guesser::at("2001:db8::1".parse().ok())], [Guesser::of("ann")]);
        for _ in 0..20 {
            assert_eq!(guesses.admit(&here), Ok(()));
            guesses.note_wrong(&here);
        }
        assert_eq!(guesses.admit(&here), Err(TooMany(2)));
        // The same network, with whatever name; others are not held up.
        let both = [Guesser::at("2001:db8::2".parse().ok()), Guesser::of("ann")];
        assert_eq!(guesses.admit(&both), Err(TooMany(2)));
        assert_eq!(guesses.admit(&ann), Ok(()));
        clock.advance(Duration::from_secs(2));
        assert_eq!(guesses.admit(&here), Ok(()));
        guesses.note_wrong(&here);
        assert_eq!(guesses.admit(&here), Err(TooMany(2)));
    }

    #[test]
    fn whoever_tries_many_names_fills_no_memory() {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(0)));
        let guesses = Guesses::new(clock.clone());
        for n in 0..COUNTED + 10 {
            guesses.note_wrong(&[Guesser::of(&n.to_string())]);
        }
        assert_eq!(guesses.wrong.lock().unwrap().len(), COUNTED);
        // Who is counted already goes on being counted.
        for _ in 0..20 {
            guesses.note_wrong(&[Guesser::of("0")]);
        }
        assert!(guesses.admit(&[Guesser::of("0")]).is_err());
        clock.advance(Duration::from_mins(1));
        guesses.note_wrong(&[Guesser::of("new")]);
        assert_eq!(guesses.wrong.lock().unwrap().len(), 1);
    }
}
