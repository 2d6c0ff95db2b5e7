//! What a stock MLflow server kept, brought over: its database and its artifacts.
//!
//! # How an import goes
//!
//! [`source::Stock`] reads the server's database in one transaction that only reads, a page at a time, by keys, so
//! that memory does not grow with it. Each page becomes one [`command::ImportPage`]: the things in it, their
//! events, and how far the import is ([`state::State`]) commit together. Whenever it is killed, it goes on behind
//! the last page, and nothing is there twice. Then the artifacts are copied, and at last everything is read again
//! on both sides and compared ([`verify`]).
//!
//! What cannot be kept is a [`finding::Finding`]. All are looked for before anything is written; whoever imports
//! decides whether they are left out.
//!
//! # Adding a kind of thing
//!
//! Give it a page in [`source`], a [`command::Contents`], a [`state::Stage`] in the order of that enum, its
//! comparison in [`verify`], and its tables in [`source::inventory`].

pub mod address;
pub mod artifacts;
pub mod command;
pub mod error;
pub mod finding;
mod importer;
mod preview;
mod progress;
pub mod source;
pub mod state;
pub mod unsealing;
pub mod verify;

pub use importer::{Importer, Summary, Target};
pub use preview::Preview;
