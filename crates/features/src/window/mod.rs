//! Windowed aggregates as exact step functions.
//!
//! A *fact* of a key has the instant `ts` from which it holds and the instant `created` at which it is
//! known; a fact cannot be known before it holds, so `created` is taken as at least `ts`. At an instant t
//! an aggregate with window w folds the facts with `t − w < ts ≤ t`: a fact at exactly t − w is out, one
//! at exactly t is in.
//!
//! As t moves, the aggregate changes only where a fact enters (t = ts) or leaves (t = ts + w). At each
//! such *breakpoint* b of a key one row is emitted with `ts = b`, so that the newest row at or before any
//! t holds exactly the aggregate at t: a right-continuous step function. When the last fact has left, the
//! row says so.
//!
//! What was known when: the row of b is known at `C = max(b, least created of the facts that enter or
//! leave at b)` and folds the facts known by then. For each fact in the window that became known later, at
//! c > C, a further row (b, created = c) folds what was known at c. Under the created cut-off
//! ([`crate::rule`]) an entity row at e therefore sees the aggregate over exactly the facts with
//! `ts ≤ e` and `created ≤ e`: nothing from the future, and nothing missing.
//!
//! Each row's aggregates are folded anew from the window's facts in the order (`ts`, `created`, input),
//! never by adding and subtracting: nothing drifts, an empty window is empty, and a NaN leaves with its
//! fact. Float sums are compensated (Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation
//! endlicher Summen", ZAMM 54): their error does not grow with the number of facts. Sums and counts of
//! whole numbers are exact, or an error. The price is time proportional to the facts in the window per
//! row; the memory is the facts of one key's longest window.

mod fold;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DataTime;
use thiserror::Error;

use crate::definition::Aggregate;
use crate::online::{Stamp, Value};

/// Why facts cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WindowError {
    /// A sum of whole numbers left the range of 64 bits.
    #[error("the aggregate {0:?} leaves the range of int64; declare it as float64")]
    Overflow(String),
    /// Facts must come in the order (ts, created).
    #[error("facts were given out of order")]
    Order,
}

impl Coded for WindowError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Overflow(_) => ErrorCode::InvalidData,
            Self::Order => ErrorCode::Internal,
        }
    }
}

/// A value that an aggregate folds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell {
    /// Left out.
    Null,
    /// A whole number; for [`crate::definition::Function::Rate`] 0 or 1.
    Int(i64),
    /// A double.
    Float(f64),
}

/// A fact of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// From when it holds.
    pub ts: DataTime,
    /// When it became known.
    pub created: DataTime,
    /// Per aggregate, in order, the value of its column (anything but NULL for a count without one).
    pub cells: Box<[Cell]>,
}

/// An emitted row of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The breakpoint, and when this row of it became known.
    pub stamp: Stamp,
    /// One value per aggregate.
    pub values: Vec<Value>,
}

/// Turns the facts of one key, in order, into its rows, in order.
#[derive(Debug)]
pub struct Sweep<'a> {
    aggregates: &'a [Aggregate],
    /// The distinct windows, in microseconds, ascending.
    windows: Vec<i64>,
    /// Per aggregate the index of its window.
    window_of: Vec<usize>,
    /// Facts with `ts > last breakpoint − longest window`, ascending.
    facts: VecDeque<Fact>,
    /// Per window the number of facts at the front of `facts` that have left it.
    left: Vec<usize>,
    /// The instant whose facts are still coming in.
    open: Option<DataTime>,
}

impl<'a> Sweep<'a> {
    /// Starts a key.
    pub fn new(aggregates: &'a [Aggregate]) -> Self {
        let mut windows: Vec<i64> = aggregates.iter().map(|a| a.window.micros()).collect();
        windows.sort_unstable();
        windows.dedup();
        let index = |a: &Aggregate| windows.partition_point(|window| *window < a.window.micros());
        let window_of = aggregates.iter().map(index).collect();
        let left = vec![0; windows.len()];
        Self { aggregates, windows, window_of, facts: VecDeque::new(), left, open: None }
    }

    /// Takes the next fact, by (`ts`, `created`), and emits the rows of every breakpoint before it.
    pub fn push(&mut self, mut fact: Fact, emit: &mut impl FnMut(Step)) -> Result<(), WindowError> {
        fact.created = fact.created.max(fact.ts);
        if self.facts.back().is_some_and(|last| (last.ts, last.created) > (fact.ts, fact.created)) {
            return Err(WindowError::Order);
        }
        if self.open != Some(fact.ts) {
            self.run_to(fact.ts, emit)?;
            self.open = Some(fact.ts);
        }
        self.facts.push_back(fact);
        Ok(())
    }

    /// Ends the key: emits what is left, up to the instant at which the last fact has left every window.
    pub fn finish(&mut self, emit: &mut impl FnMut(Step)) -> Result<(), WindowError> {
        self.run_to(DataTime::MAX, emit)?;
        self.facts.clear();
        self.left.fill(0);
        Ok(())
    }

    /// Emits the open instant and every expiry before `end`.
    fn run_to(&mut self, end: DataTime, emit: &mut impl FnMut(Step)) -> Result<(), WindowError> {
        if let Some(open) = self.open.take() {
            self.emit_at(open, emit)?;
        }
        while let Some(at) = self.next_expiry().filter(|at| *at < end) {
            self.emit_at(at, emit)?;
        }
        Ok(())
    }

    /// The next instant at which a fact leaves a window.
    fn next_expiry(&self) -> Option<DataTime> {
        let of = |(window, left): (&i64, &usize)| Some(self.facts.get(*left)?.ts.plus(*window));
        self.windows.iter().zip(&self.left).filter_map(of).min()
    }

    /// Emits the rows of one breakpoint.
    fn emit_at(&mut self, at: DataTime, emit: &mut impl FnMut(Step)) -> Result<(), WindowError> {
        let mut known = None;
        let mut touch =
            |fact: &Fact| known = Some(known.map_or(fact.created, |c: DataTime| c.min(fact.created)));
        for (window, left) in self.windows.iter().zip(&mut self.left) {
            while let Some(fact) = self.facts.get(*left).filter(|fact| fact.ts.plus(*window) <= at) {
                touch(fact);
                *left += 1;
            }
        }
        self.facts.iter().rev().take_while(|fact| fact.ts == at).for_each(touch);
        let first = known.unwrap_or(at).max(at);
        self.forget();

        let mut versions = vec![first];
        versions.extend(self.facts.iter().map(|fact| fact.created).filter(|created| *created > first));
        versions.sort_unstable();
        versions.dedup();
        for created in versions {
            let values = self.fold(created)?;
            emit(Step { stamp: Stamp { ts: at, created }, values });
        }
        Ok(())
    }

    /// Drops the facts that have left every window.
    fn forget(&mut self) {
        let gone = self.left.iter().copied().min().unwrap_or(0);
        self.facts.drain(..gone);
        self.left.iter_mut().for_each(|left| *left -= gone);
    }

    /// The aggregates over the facts known at `created`.
    fn fold(&self, created: DataTime) -> Result<Vec<Value>, WindowError> {
        let folded =
            self.aggregates.iter().zip(&self.window_of).enumerate().map(|(at, (aggregate, window))| {
                let left = self.left.get(*window).copied().unwrap_or(0);
                let known = self.facts.range(left..).filter(|fact| fact.created <= created);
                fold::fold(aggregate, known.filter_map(|fact| fact.cells.get(at).copied()))
            });
        folded.collect()
    }
}
