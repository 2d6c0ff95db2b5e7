//! How far an import is, told to whoever waits: how many, how fast, how long still.

use mainstay_core::time::{Clock, MachineTime, SECOND};

/// How often it is told, in microseconds.
const EVERY: i64 = 2 * SECOND;

/// Tells of one stage.
pub(crate) struct Meter<'a> {
    say: &'a (dyn Fn(String) + Send + Sync),
    clock: &'a dyn Clock,
    what: &'static str,
    total: u64,
    done: u64,
    /// Done before this process began.
    before: u64,
    began: MachineTime,
    told: MachineTime,
}

impl<'a> Meter<'a> {
    pub(crate) fn start(
        say: &'a (dyn Fn(String) + Send + Sync),
        clock: &'a dyn Clock,
        what: &'static str,
        (done, total): (u64, u64),
    ) -> Self {
        let now = clock.now();
        Self { say, clock, what, total, done, before: done, began: now, told: now }
    }

    pub(crate) fn add(&mut self, more: u64) {
        self.done += more;
        let now = self.clock.now();
        if now.since(self.told) >= EVERY {
            self.told = now;
            (self.say)(self.line(now));
        }
    }

    /// Tells how it ended.
    pub(crate) fn end(self) {
        if self.done > 0 {
            (self.say)(format!("{}: {}", self.what, grouped(self.done)));
        }
    }

    fn line(&self, now: MachineTime) -> String {
        let micros = u64::try_from(now.since(self.began)).unwrap_or_default().max(1);
        let rate = (self.done - self.before).saturating_mul(1_000_000) / micros;
        let left = self.total.saturating_sub(self.done).checked_div(rate).unwrap_or_default();
        let (what, done, total) = (self.what, grouped(self.done), grouped(self.total.max(self.done)));
        format!("{what}: {done} of {total}, {} a second, {} left", grouped(rate), duration(left))
    }
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use mainstay_core::time::ManualClock;

    use super::*;

    #[test]
    fn it_tells_how_fast_it_goes_and_how_long_it_takes() {
        let clock = ManualClock::starting_at(MachineTime::from_micros(0));
        let told = Mutex::new(Vec::new());
        let say = |line: String| told.lock().unwrap().push(line);
        let mut meter = Meter::start(&say, &clock, "runs", (1_000, 1_201_000));
        meter.add(1);
        clock.advance(Duration::from_secs(2));
        meter.add(1_999);
        meter.end();
        let expected = ["runs: 3,000 of 1,201,000, 1,000 a second, 19 min left", "runs: 3,000"];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
