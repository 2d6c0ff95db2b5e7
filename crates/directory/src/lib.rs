//! The data directory: everything that one Mainstay keeps, while nobody has it open or a server does.
//!
//! [`layout::Layout`] says what lies where, [`lock::DataLock`] and [`server_file::ServerFile`] who has it
//! open and where that process listens. The record in it is checked and restored without a server, and
//! backed up beside one that writes.

pub mod artifacts;
pub mod backup;
pub mod gateway_key;
pub mod keys;
pub mod layout;
pub mod lock;
pub mod record_check;
pub mod server_file;
