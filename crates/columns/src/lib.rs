//! Values of many things, column by column: in memory, so that a search reads arrays and never scans tables, and as
//! bytes, so that a start reads a file and not the tables.
//!
//! A *slot* is the position of a thing in its columns. [`column`] holds what not every thing has: [`Sparse`] values and
//! [texts](TextColumn), each different one once. [`narrow`] leaves the rows that pass a filter, [`ordered`] puts them
//! in order and cuts pages; [`vocabulary`] tells which columns and values there are; [`codec`] writes and reads columns with a checksum, [`varint`] the numbers of blocks.
//!
//! Nothing here knows what the things are.
//!
//! [`Sparse`]: column::Sparse
//! [`TextColumn`]: column::TextColumn

pub mod codec;
pub mod column;
pub mod narrow;
pub mod ordered;
pub mod presence;
mod texts;
pub mod varint;
pub mod vocabulary;
