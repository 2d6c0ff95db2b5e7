//! How often one caller may ask: so that one client that runs away does not take everybody's turn.
//!
//! Each caller has a bucket of `burst` requests that fills at `per_second`. It is kept as one instant, at
//! which the bucket would be full: the generic cell rate algorithm (ITU-T I.371, annex A), which allows
//! exactly what a bucket does. Callers are actors; whoever shows no credential, or a wrong one, is told
//! apart by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::principal::Actor;
use mainstay_core::time::Clock;
use thiserror::Error;

/// Callers that are remembered before those whose buckets are full are looked for and forgotten.
const REMEMBERED: usize = 10_000;
/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// How often a caller may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run, at least 1.
    pub per_second: u32,
    /// At once, at least 1.
    pub burst: u32,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    /// Somebody known.
    Actor(Actor),
    /// Somebody unknown, at an address; all together where there is none.
    Address(Option<IpAddr>),
}

/// The caller asks too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "you ask more often than this server answers one caller; ask again in {seconds} s, or send more rows at once"
)]
pub(crate) struct RateLimited {
    /// When a request would be taken, in seconds from now, rounded up.
    pub(crate) seconds: u64,
}

impl Coded for RateLimited {
    fn code(&self) -> ErrorCode {
        ErrorCode::RateLimited
    }
}

/// The buckets of all callers.
pub struct RateLimiter {
    clock: Arc<dyn Clock>,
    rate: Option<Rate>,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    /// When each caller's bucket is full, in nanoseconds of machine time.
    full_at: HashMap<Asker, i64>,
    /// How many are remembered before the next search for full ones. It is twice as many as the last one
    /// left, so that a search costs each caller that was new since then a constant share.
    sweep: usize,
}

impl RateLimiter {
    /// Full buckets; without a rate nobody is held up.
    pub fn new(clock: Arc<dyn Clock>, rate: Option<Rate>) -> Self {
        let buckets = Buckets { full_at: HashMap::new(), sweep: REMEMBERED };
        Self { clock, rate, buckets: Mutex::new(buckets) }
    }

    /// Takes one request out of a caller's bucket.
    pub(crate) fn admit(&self, asker: Asker) -> Result<(), RateLimited> {
        let Some(rate) = self.rate else { return Ok(()) };
        let interval = SECOND / i64::from(rate.per_second.max(1));
        let depth = interval.saturating_mul(i64::from(rate.burst.max(1)));
        let now = self.clock.now().micros().saturating_mul(1_000);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.full_at.len() >= buckets.sweep {
            buckets.full_at.retain(|_, at| *at > now);
            buckets.sweep = REMEMBERED.max(2 * buckets.full_at.len());
        }
        let at = buckets.full_at.entry(asker).or_insert(now);
        let then = (*at).max(now).saturating_add(interval);
        let wait = then.saturating_sub(now).saturating_sub(depth);
        if wait > 0 {
            let seconds = u64::try_from(wait).unwrap_or_default().div_ceil(SECOND.unsigned_abs());
            return Err(RateLimited { seconds });
        }
        *at = then;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_core::time::{MachineTime, ManualClock};

    use super::*;

    fn limiter(rate: Option<Rate>) -> (Arc<ManualClock>, RateLimiter) {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_000_000)));
        (clock.clone(), RateLimiter::new(clock, rate))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (clock, limiter) = limiter(Some(Rate { per_second: 2, burst: 3 }));
        let ask = || limiter.admit(Asker::Actor(Actor::local()));
        for _ in 0..3 {
            assert_eq!(ask(), Ok(()));
        }
        assert_eq!(ask(), Err(RateLimited { seconds: 1 }));
        // What was refused took nothing.
        clock.advance(Duration::from_millis(499));
        assert_eq!(ask(), Err(RateLimited { seconds: 1 }));
        clock.advance(Duration::from_millis(1));
        assert_eq!(ask(), Ok(()));
        assert_eq!(ask(), Err(RateLimited { seconds: 1 }));
        clock.advance(Duration::from_mins(1));
        assert_eq!((0..9).filter(|_| ask().is_ok()).count(), 3, "no more than the burst is saved up");
    }

    #[test]
    fn callers_do_not_take_each_others_turn() {
        let (_, limiter) = limiter(Some(Rate { per_second: 1, burst: 1 }));
        let one = |last| Asker::Address(Some(IpAddr::from([10, 0, 0, last])));
        assert_eq!(limiter.admit(one(1)), Ok(()));
        assert!(limiter.admit(one(1)).is_err());
        assert_eq!(limiter.admit(one(2)), Ok(()));
        assert_eq!(limiter.admit(Asker::Actor(Actor::local())), Ok(()));
    }

    #[test]
    fn those_who_went_away_are_forgotten() {
        let (clock, limiter) = limiter(Some(Rate { per_second: 1, burst: 1 }));
        for n in 0..REMEMBERED {
            let [.., b, c, d] = u32::try_from(n).unwrap().to_be_bytes();
            limiter.admit(Asker::Address(Some(IpAddr::from([10, b, c, d])))).unwrap();
        }
        clock.advance(Duration::from_secs(2));
        limiter.admit(Asker::Address(None)).unwrap();
        assert_eq!(limiter.buckets.lock().unwrap().full_at.len(), 1);
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let (_, limiter) = limiter(None);
        assert!((0..1_000).all(|_| limiter.admit(Asker::Address(None)).is_ok()));
    }
}
