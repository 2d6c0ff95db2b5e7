//! The audit tree: every event is a leaf of an append-only Merkle tree (RFC 6962), so that a head
//! kept elsewhere proves that nothing before it was changed, removed or slipped in.
//!
//! The writer makes a [`Entry`] of each event that it commits, appends its [`leaf`](Entry::leaf) to
//! the [`Frontier`] stored beside the log, and from time to time signs the [`Head`]. A reader checks
//! the whole log with [`LogCheck`], one row at a time. A body and its salt can be erased: the tree
//! holds only the digest of both, so the proof of the event's existence survives.

mod entry;
mod frontier;
mod head;
mod proof;
mod state;
mod verify;

pub use entry::{Entry, Salt, body_digest, draw_salt};
pub use frontier::{Frontier, InvalidFrontier, empty_root};
pub use head::{Head, InvalidKey, KeyId, PublicKey, SignedHead, SigningKey, WrongSignature};
pub use proof::{InvalidProof, consistency_path, inclusion_path, verify_consistency, verify_inclusion};
pub use state::{MAX_DIFFERENCES, StateDifference, StateReport};
pub use verify::{Difference, ERASED, Fault, HeadOrigin, Heads, LogCheck, Report, StoredEvent};
