//! What is deleted for good: purges, what holds things back from them, and the rules by which they happen.
//!
//! Deleting, in `MLflow`'s sense, hides a thing that can be restored. A *purge* takes it away: its rows, and its
//! artifacts where they lie in a store of this server. It is one durable act in three parts.
//!
//! 1. [`StartPurge`](command::StartPurge) looks whether something still needs the things that were named, takes them
//!    out of sight, and puts on the record who wanted what gone. From then on nobody finds them, nobody can restore
//!    them, and their names are free. Their ids are not given again.
//! 2. A part of the server removes artifacts and rows, item by item, a bounded number at a time. What it did stands
//!    in [`Progress`](purge::Progress) after each time; whenever it is stopped, it goes on from there.
//! 3. When no item is left, [`SweepPurge`](command::SweepPurge) records that the purge is finished, and what it came to.
//!
//! [Quotas](quota) say how much there may be at all.
//!
//! A [`Rule`](rule::Rule) says what is purged as time goes on. What it would take at a moment is told by
//! [`survey`](survey::survey), which is also what is asked when it is applied: a preview is what happens.

pub mod command;
pub mod error;
pub mod port;
pub mod purge;
pub mod quota;
pub mod rule;
pub mod survey;
pub mod target;
