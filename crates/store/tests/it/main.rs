//! The stores' stories, told on both databases.

mod databases;
mod writer;
