//! How long rows take: whether the thread that a request came to answers it by itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// How long others may wait for that thread, in nanoseconds.
pub(super) const BRIEF: u64 = 200_000;

/// The least time that a row took of late, in nanoseconds; 0 before the first request. The least, because a
/// request that had to wait for its turn is no slower by itself, while one of a slow model is never fast.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicU64);

impl Pace {
    /// How long so many rows take, in nanoseconds. It is not known of the first ones.
    pub(super) fn of(&self, rows: usize) -> Option<u64> {
        let row = self.0.load(Ordering::Relaxed);
        (row > 0).then(|| row.saturating_mul(u64::try_from(rows).unwrap_or(u64::MAX)))
    }

    /// Takes note of how long a request took. What is known yields by an eighth each time, so that a change is
    /// learned.
    pub(super) fn note(&self, micros: i64, rows: usize) {
        let nanos = u64::try_from(micros).unwrap_or_default().saturating_mul(1_000);
        let row = (nanos / u64::try_from(rows).unwrap_or(u64::MAX).max(1)).max(1);
        let known = self.0.load(Ordering::Relaxed);
        let row = if known == 0 { row } else { row.min(known.saturating_add(known / 8 + 1)) };
        self.0.store(row, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pace {
        fn is_brief(&self, rows: usize) -> bool {
            self.of(rows).is_some_and(|nanos| nanos <= BRIEF)
        }
    }

    #[test]
    fn what_is_not_known_is_not_brief_and_what_is_slow_stays_so() {
        let pace = Pace::default();
        assert!(!pace.is_brief(1));
        pace.note(20_000, 1);
        assert!(!pace.is_brief(1));
        // 20 ms were a wait.
        pace.note(30, 1);
        assert!(pace.is_brief(6) && !pace.is_brief(7));
        // One slow request among fast ones changes little.
        pace.note(9_000, 1);
        assert!(pace.is_brief(5));
        pace.note(30, 1);
        assert!(pace.is_brief(6));
        // A model that became slow is found out.
        for _ in 0..100 {
            pace.note(5_000, 1);
        }
        assert!(!pace.is_brief(1));
    }

    #[test]
    fn many_rows_count_each() {
        let pace = Pace::default();
        pace.note(100, 100);
        assert!(pace.is_brief(200) && !pace.is_brief(201) && !pace.is_brief(usize::MAX));
        // A clock that stands still or goes back.
        pace.note(0, 1);
        pace.note(-5, 0);
        assert!(pace.is_brief(1_000));
    }
}
