//! The predictor's online feature store: all rows in memory, their log on disk.
//!
//! * **Exact.** Per key it keeps the row that answers at the *horizon* and every row that becomes visible
//!   later, and answers a request by the point-in-time rule ([`mainstay_features::rule`], created cut-off
//!   on) at the request's own data time. Rows that a materialisation carried ahead of that time are there
//!   and are not seen. A row is dropped only once no request at or after the horizon could be answered by
//!   it; a request before the horizon is refused rather than answered wrongly.
//! * **Newest wins.** The rows of a key are a sorted set of packed rows
//!   ([`mainstay_features::online::pack`]), so the state does not depend on the order in which rows came,
//!   and a row that comes twice is there once.
//! * **Reads** take one shared lock of one of 64 shards for one hash look-up and touch no file; a writer
//!   holds that lock for one row.
//! * **Whole.** Another definition of a view, or another state of its source, is carried beside the view that
//!   is there, and takes its name when it is covered: no request finds it half filled.
//! * **Durable.** A batch is appended to a log of checksummed frames before it is seen; see [`format`] for
//!   the files. After `kill -9` at any byte the log is read up to the last whole frame. Coverage is a
//!   frame of the same log behind the rows that it vouches for, so a lost tail makes the store *older*,
//!   never wrong: the next materialisation carries the rest again.
//! * **One process at a time** holds a directory, by an advisory lock that dies with it.
//!
//! Per key with one row the memory is about key + row + 100 bytes.

mod error;
mod format;
mod history;
mod journal;
mod recovery;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod view;

pub use error::OnlineError;
pub use format::PackedEntry;
pub use recovery::Recovery;
pub use store::{Durability, OnlineStore, Options};
pub use view::{OnlineView, Reading, ViewSpec, ViewStats};
