//! The machine's clock and entropy: the one place that asks the operating system for either.

use std::cell::RefCell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mainstay_core::entropy::Entropy;
use mainstay_core::time::{Clock, MachineTime};

/// Wall time at start plus elapsed monotonic time: never goes backwards while the process lives,
/// whatever is done to the machine's clock.
pub struct SystemClock {
    started: MachineTime,
    at: Instant,
}

impl SystemClock {
    /// Reads the wall clock once.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = MachineTime::default().after(wall);
        Self { started, at: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> MachineTime {
        self.started.after(self.at.elapsed())
    }
}

/// The operating system's random bytes. Each thread asks for some in advance: an id is sixteen of them, and
/// asking costs more than all else that an id does.
pub struct SystemEntropy;

/// Bytes that a thread asks for at once.
const DRAWN: usize = 512;
/// Longer requests are passed on as they are.
const SHORT: usize = 64;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; DRAWN], used: DRAWN }) };
}

struct Pool {
    bytes: [u8; DRAWN],
    used: usize,
}

impl Pool {
    /// Gives bytes away, and forgets them.
    fn give(&mut self, wanted: &mut [u8]) {
        if self.used + wanted.len() > DRAWN {
            draw(&mut self.bytes);
            self.used = 0;
        }
        let given = self.bytes.iter_mut().skip(self.used);
        for (wanted, given) in wanted.iter_mut().zip(given) {
            *wanted = std::mem::take(given);
        }
        self.used += wanted.len();
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() <= SHORT {
            POOL.with_borrow_mut(|pool| pool.give(bytes));
        } else {
            draw(bytes);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the entropy that is injected everywhere else")]
fn draw(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        // Without random bytes no secret and no id is safe; nothing may go on.
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice() {
        let mut seen = HashSet::new();
        for length in [16, 8, 64, 65, 33, DRAWN, DRAWN + 1].into_iter().cycle().take(700) {
            let mut bytes = vec![0; length];
            SystemEntropy.fill(&mut bytes);
            assert!(bytes.chunks(8).all(|eight| eight.len() < 8 || seen.insert(eight.to_vec())), "{length}");
        }
    }
}
