//! Every port over SQL: migrations, the writer, the dialect rules.
//!
//! One SQL text serves SQLite and PostgreSQL. The rules that make that hold:
//!
//! - Integers are `BIGINT`; times are `BIGINT` microseconds; flags are 0 and 1.
//! - A float that may be NaN or infinite is stored in the bytes of a block or as bits in a `BIGINT`:
//!   SQLite turns NaN into NULL, and PostgreSQL sorts it above +Inf.
//! - Text keys compare by bytes (`COLLATE "C"` on PostgreSQL, the default of SQLite). U+0000 is
//!   refused on both.
//! - NULLs sort as the statement says (`NULLS LAST`), never by default.
//! - User filters run in our column index, never as LIKE or regular expressions in SQL.
//! - Claiming work and DDL are the only places where [`Dialect`] may branch.
//!
//! # Adding a port
//!
//! 1. Write the domain's trait `SomethingTx: Journal` in the domain crate.
//! 2. Add its tables to a new migration and, with their class, to [`tables::TABLES`].
//! 3. Implement the trait for [`StoreTx`] in a module of its own, and list it in [`ports`] so that the
//!    writer accepts its commands.
//! 4. Add its story to `tests/it`, which runs on both databases.

mod audit;
mod data;
pub mod database;
mod delivery;
mod evaluation;
mod events;
mod features;
mod gateway;
mod gathering;
mod governance;
mod guard;
pub mod imports;
mod issues;
mod migrations;
mod monitoring;
mod people;
mod pipelines;
pub mod ports;
mod projection;
mod purges;
mod quotas;
pub mod reader;
mod registry;
mod retention;
mod scorers;
mod serving;
mod several;
pub mod tables;
#[doc(hidden)]
pub mod testing;
mod traces;
mod tracking;
pub mod tx;
pub mod writer;

pub use database::Database;
use mainstay_sql as driver;
pub use mainstay_sql::{Dialect, address, foreign, params, row, value};
pub use tx::StoreTx;
pub use writer::Surroundings;
