//! The vocabulary that every other crate of Mainstay speaks: ids, names, digests, the two times,
//! randomness, pages, the search language, error codes, principals, actions, events and commands.
//!
//! Nothing here performs I/O. Time and randomness come through the ports [`time::Clock`] and
//! [`entropy::Entropy`], so that every test that uses them is deterministic.
//!
//! # How a state change travels
//!
//! 1. A protocol module builds a [`command::Command`]: ids are already drawn, times already read.
//! 2. [`command::Commands::run`] asks the [`command::Authorizer`] whether the principal may do the
//!    command's [`action::Action`] in its [`scope::Scope`]. A refusal is recorded as an event.
//! 3. The command goes to a [`command::Unit`], which groups it with others into one transaction,
//!    each under its own savepoint. `apply` writes rows and records [`event::Event`]s.
//! 4. The group commits, events get gap-free sequence numbers, and only then is the caller answered.
//!
//! # Adding a kind of id
//!
//! ```
//! mainstay_core::id_type! {
//!     /// Names one widget.
//!     pub struct WidgetId;
//! }
//! let id = WidgetId::from_bytes([7; 16]);
//! assert_eq!(id.to_string().parse::<WidgetId>().ok(), Some(id));
//! ```

pub mod action;
pub mod command;
pub mod digest;
pub mod entropy;
pub mod error;
pub mod event;
pub mod experiment;
pub mod failed;
pub mod fault;
pub mod id;
pub mod lifecycle;
pub mod name;
pub mod object;
pub mod page;
pub mod permission;
pub mod principal;
pub mod run_ref;
pub mod scope;
pub mod search;
pub mod text;
pub mod time;

#[doc(hidden)]
pub use serde as __serde;
