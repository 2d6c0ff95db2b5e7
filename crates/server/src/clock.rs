//! The machine's clock and entropy: the one place that asks the operating system for either.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mainstay_core::entropy::Entropy;
use mainstay_core::time::{Clock, MachineTime};

/// Wall time at start plus elapsed monotonic time: never goes backwards while the process lives,
/// whatever is done to the machine's clock.
pub struct SystemClock {
    started: MachineTime,
    at: Instant,
    last: AtomicI64,
}

impl SystemClock {
    /// Reads the wall clock once.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = MachineTime::default().after(wall);
        Self { started, at: Instant::now(), last: AtomicI64::new(started.micros()) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> MachineTime {
        let now = self.started.after(self.at.elapsed());
        let before = self.last.fetch_max(now.micros(), Ordering::Relaxed);
        MachineTime::from_micros(before.max(now.micros()))
    }
}

/// The operating system's random bytes.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the entropy that is injected everywhere else")]
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Without random bytes no secret and no id is safe; nothing may go on.
            std::process::abort();
        }
    }
}
