//! One module per wire protocol, on one table of routes.
//!
//! A [`route::Route`] names its protocol, method, path, action and scope; there is no other way to
//! register a handler, so there is no route without a check. Each protocol module owns its wire types,
//! its quirks and its error dialect; handlers translate, and leave the deciding to domain commands.
//!
//! # Adding an endpoint
//!
//! One file per endpoint or tight resource: wire types, handler, `routes()` with its row of the table,
//! tests. Add its `routes()` to the protocol module's table. The walk over all routes (crate `server`,
//! test `routes`) then holds it to its action.

pub mod caller;
pub mod dialect;
pub mod download;
pub mod listen;
pub mod meter;
pub mod native;
pub mod oip;
pub mod prometheus;
pub mod route;

pub use caller::{Authenticator, Caller};
pub use route::{App, Route, router};
