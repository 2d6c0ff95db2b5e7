//! Who may do what: an embedded Cedar policy (<https://docs.cedarpolicy.com>), deny by default.
//!
//! The schema and the default policies are compiled in; they are validated against each other, and
//! against the actions of core, when a [`CedarPolicy`] is made. A caller has the roles that its grants
//! give it *in the workspace of the resource at hand*; roles build on one another. A person has, besides, the
//! [`Capabilities`](mainstay_core::permission::Capabilities) that levels give *on the resource at hand*. Where that
//! is not known yet (a request names a run, whose experiment is to be looked up), the verdict may be
//! [`Open`](mainstay_core::command::Verdict::Open): yes for some things and no for others.
//!
//! # Adding an action
//!
//! Name it in core's `Action`, put it into a group of `schema.cedarschema`, and accept the changed
//! table of `tests/it/decisions.txt`.

mod cache;
mod decide;

pub use decide::{CedarPolicy, Mode, PolicyError};
