//! How long a group waits for commands that are about to come.
//!
//! Clients that ask again as soon as they are answered fall into two halves: while the commands of one half are
//! committed those of the other gather, and each commit is for half of them. A group that waits until the callers of
//! the one before are back is for all of them, and the disk is asked half as often. It pays where a commit takes long
//! beside a caller's way back, so the wait is a part of what commits take; and only while callers do come back, so it
//! rests when they did not. `PostgreSQL`'s `commit_delay` is the same thought with a fixed time.

use std::time::Duration;

/// Most commands in one transaction.
pub(crate) const GROUP: usize = 256;
/// Commits that are faster than this are not waited for, in microseconds: a nap is not much shorter.
const WORTHWHILE: u64 = 500;
/// Longest commit that counts, in microseconds: nobody waits for more than half of it.
const LONGEST: u64 = 20_000;
/// Most naps in a wait, which is for half a commit at most. They take longer than they are told to, by as much as it
/// takes to wake a thread.
const NAPS: u32 = 16;
/// Most groups that go without a wait after one that was in vain.
const LONGEST_REST: u32 = 64;

/// What is known of commits and of those who ask for them.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// What a commit takes, smoothed over about eight, in microseconds.
    commit_micros: u64,
    /// Commands in the last group.
    last: usize,
    /// Groups to come that do not wait.
    resting: u32,
    /// How many did not, the last time.
    rest: u32,
}

/// A wait: so many naps, unless enough has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// How many commands the group then has.
    pub(crate) enough: usize,
    /// How long to sleep before looking again.
    pub(crate) nap: Duration,
    /// How often at most.
    pub(crate) naps: u32,
    /// Half a commit, in microseconds.
    longest: u64,
}

impl Wait {
    /// Whether it ends, after so long, for a group that has so many commands now.
    pub(crate) const fn is_over(self, has: usize, micros: u64) -> bool {
        has >= self.enough || micros >= self.longest
    }
}

impl Gathering {
    /// Whether the next group waits, and for what. Of the commands that it `has`, those that were `waiting` came while
    /// the last group was committed; then there was nothing to do for `idle_micros`.
    pub(crate) fn wait(&mut self, has: usize, waiting: usize, idle_micros: u64) -> Option<Wait> {
        let longest = self.commit_micros / 2;
        let enough = self.last.saturating_add(waiting).min(GROUP);
        if self.commit_micros < WORTHWHILE || idle_micros > longest || has >= enough {
            return None;
        }
        if self.resting > 0 {
            self.resting = self.resting.saturating_sub(1);
            return None;
        }
        let nap = Duration::from_micros(longest) / NAPS;
        Some(Wait { enough, nap, naps: NAPS, longest })
    }

    /// What a wait has brought. Some of those who were answered may have had their last answer.
    pub(crate) const fn waited(&mut self, wait: Wait, has: usize) {
        if has.saturating_mul(4) >= wait.enough.saturating_mul(3) {
            self.rest = 0;
        } else {
            let rest = self.rest.saturating_mul(2).saturating_add(1);
            self.rest = if rest < LONGEST_REST { rest } else { LONGEST_REST };
            self.resting = self.rest;
        }
    }

    /// A group has been dealt with.
    pub(crate) const fn dealt_with(&mut self, commands: usize) {
        self.last = commands;
    }

    /// A transaction was committed. One that took far longer than others do counts as somewhat longer.
    pub(crate) fn committed(&mut self, micros: u64) {
        let most = self.commit_micros.saturating_mul(2).saturating_add(WORTHWHILE).min(LONGEST);
        let smoothed = self.commit_micros.saturating_mul(7).saturating_add(micros.min(most));
        self.commit_micros = smoothed / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers of whom each asks again, some time after it was answered, and a disk.
    struct Simulation {
        gathering: Gathering,
        now: u64,
        commit: u64,
        /// How much longer a nap takes than it is told to.
        oversleep: u64,
        /// How long was waited at most.
        waited: u64,
        /// When each command comes.
        coming: Vec<u64>,
    }

    impl Simulation {
        fn new(callers: u64, commit: u64) -> Self {
            let coming = (0..callers).collect();
            Self { gathering: Gathering::default(), now: 0, commit, oversleep: 60, waited: 0, coming }
        }

        fn take(&mut self) -> usize {
            let before = self.coming.len();
            self.coming.retain(|at| *at > self.now);
            before - self.coming.len()
        }

        /// Deals with a group as the writer does, whose callers come back after so long. Gives how many it was for.
        fn group(&mut self, back: impl Fn(u64, usize) -> u64) -> usize {
            let waiting = self.take();
            let (mut has, mut idle) = (waiting, 0);
            if has == 0 {
                let first = *self.coming.iter().min().unwrap();
                idle = first - self.now;
                self.now = first;
                has += self.take();
            }
            if let Some(wait) = self.gathering.wait(has, waiting, idle) {
                let begun = self.now;
                for _ in 0..wait.naps {
                    self.now += u64::try_from(wait.nap.as_micros()).unwrap() + self.oversleep;
                    has += self.take();
                    if wait.is_over(has, self.now - begun) {
                        break;
                    }
                }
                self.waited = self.waited.max(self.now - begun);
                self.gathering.waited(wait, has);
            }
            self.now += self.commit;
            self.gathering.committed(self.commit);
            self.gathering.dealt_with(has);
            let answered = self.now;
            self.coming.extend((0..has).map(|caller| answered + back(answered, caller)));
            has
        }

        /// How many commands a group is for, and how many are answered in a second, once it has found its way.
        fn run(&mut self, back: impl Fn(u64, usize) -> u64) -> (f64, f64) {
            for _ in 0..50 {
                self.group(&back);
            }
            let begun = self.now;
            let all: usize = (0..1_000).map(|_| self.group(&back)).sum();
            let all = f64::from(u32::try_from(all).unwrap());
            (all / 1_000.0, all * 1e6 / f64::from(u32::try_from(self.now - begun).unwrap()))
        }
    }

    #[test]
    fn callers_who_come_back_share_each_commit() {
        for commit in [700, 2_000, 10_000] {
            let (a_group, a_second) = Simulation::new(8, commit).run(|_, caller| 100 + 10 * caller as u64);
            assert!(a_group > 7.9, "{a_group}");
            assert!(a_second > 0.7 * 8e6 / f64::from(u32::try_from(commit).unwrap()), "{a_second}");
        }
    }

    #[test]
    fn nobody_waits_alone_or_for_a_fast_disk() {
        let mut one = Simulation::new(1, 2_000);
        let (a_group, a_second) = one.run(|_, _| 100);
        assert!((a_group - 1.0).abs() < 1e-9 && (a_second - 1e6 / 2_100.0).abs() < 1.0, "{a_second}");
        let mut fast = Simulation::new(8, 100);
        fast.run(|_, caller| 100 + 10 * caller as u64);
        assert_eq!(fast.gathering.wait(1, 0, 0), None);
    }

    #[test]
    fn who_waits_in_vain_rests() {
        // Nobody comes back within half a commit: what waits is for the next group.
        let mut slow = Simulation::new(8, 2_000);
        let (_, a_second) = slow.run(|at, caller| 1_500 + 400 * (at % 7) + 300 * caller as u64);
        let mut never = Simulation::new(8, 2_000);
        never.gathering.resting = u32::MAX;
        let (_, without) = never.run(|at, caller| 1_500 + 400 * (at % 7) + 300 * caller as u64);
        assert!(a_second > 0.9 * without, "{a_second} {without}");
    }

    #[test]
    fn nobody_waits_for_longer_than_half_a_commit() {
        for commit in [600, 2_000, 10_000] {
            let mut slow = Simulation::new(8, commit);
            slow.run(|_, caller| commit * (1 + caller as u64));
            let nap = commit / 2 / u64::from(NAPS) + slow.oversleep;
            assert!((1..=commit / 2 + nap).contains(&slow.waited), "{commit}: {}", slow.waited);
        }
    }

    #[test]
    fn after_a_pause_nobody_waits() {
        let mut gathering = Gathering::default();
        for _ in 0..50 {
            gathering.committed(2_000);
        }
        gathering.dealt_with(8);
        assert_eq!(gathering.wait(1, 0, 5_000), None);
        let wait = gathering.wait(1, 0, 100).unwrap();
        assert_eq!((wait.enough, wait.naps), (8, NAPS));
        gathering.waited(wait, 2);
        assert_eq!(gathering.wait(1, 0, 100), None);
        assert!(gathering.wait(1, 0, 100).is_some());
    }

    #[test]
    fn a_full_group_waits_for_nobody() {
        let mut gathering = Gathering::default();
        for _ in 0..50 {
            gathering.committed(2_000);
        }
        gathering.dealt_with(GROUP);
        assert_eq!(gathering.wait(GROUP, GROUP, 0), None);
        assert_eq!(gathering.wait(GROUP - 1, 2, 0).unwrap().enough, GROUP);
    }
}
